//! WLED's audio sync, version 2: what was heard, for every WLED that plays audioreactive effects.
//!
//! 44 bytes, little-endian, to port 11988 (mm.kno.wled.ge, "Audio Sync"; the layout is that of WLED's
//! structure in memory, gaps included):
//! ```text
//! 0   "00002\0"
//! 6   gap
//! 8   volume, f32, 0 to 255
//! 12  smoothed volume, f32, 0 to 255
//! 16  1 when something began
//! 17  counter of packets (left alone by WLED, used by MoonModules)
//! 18  sixteen bands, u8, 0 to 254
//! 34  gap
//! 36  magnitude of the strongest frequency, f32, 0 to about 2000
//! 40  that frequency, f32, 1 to 11,025 Hz
//! ```
//! WLED throws away packets of any other size and those of version 1.

use crate::aurora::analyse::Frame;

/// Port of audio sync.
pub(crate) const PORT: u16 = 11_988;
/// The group to which WLED listens.
pub(crate) const GROUP: std::net::Ipv4Addr = std::net::Ipv4Addr::new(239, 0, 0, 1);
/// Bytes of a packet.
pub(crate) const SIZE: usize = 44;

/// The middles of WLED's sixteen bands, in Hz.
const MIDDLES: [f32; 16] = [
    64.0, 107.0, 172.0, 258.0, 365.0, 495.0, 689.0, 969.0, 1270.0, 1658.0, 2153.0, 2713.0, 3359.0,
    4091.0, 5792.0, 8182.0,
];
/// WLED shows an eighth of a magnitude as brightness.
const MAGNITUDE: f32 = 8.0 * 255.0;
/// Share of the smoothed volume that a hop of 10 ms leaves: halved in 70 ms.
const SMOOTH: f32 = 0.905;

/// What WLED is told of the sound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    /// Volume, 0 to 1.
    pub volume: f32,
    /// Volume, smoothed, 0 to 1.
    pub smooth: f32,
    /// Whether something began since the last packet.
    pub began: bool,
    /// WLED's bands, 0 to 1 each.
    pub bands: [f32; 16],
}

impl Levels {
    /// Nothing is heard.
    pub const SILENCE: Levels = Levels { volume: 0.0, smooth: 0.0, began: false, bands: [0.0; 16] };

    /// Takes the next frame in, every one of them in turn; what began stays until [`Levels::told`].
    pub fn hear(&mut self, frame: &Frame) {
        let eye = |x: f32| x.clamp(0.0, 1.0);
        let open = frame.level.open;
        let loud = eye(frame.level.rms * frame.level.gain * std::f32::consts::SQRT_2);
        self.volume = if open { loud } else { 0.0 };
        self.smooth = self.volume + (self.smooth - self.volume) * SMOOTH;
        self.began |= open && frame.onsets[..2].contains(&true);
        self.bands = if open { frame.sixteen.map(eye) } else { [0.0; 16] };
    }

    /// Forgets what began: a packet has said it.
    pub fn told(&mut self) {
        self.began = false;
    }

    /// Writes the packet; `count` goes up by one with each.
    pub(crate) fn packet(&self, count: u8) -> [u8; SIZE] {
        let byte = |x: f32| (x.clamp(0.0, 1.0) * 255.0).round().min(254.0) as u8;
        let strongest = (0..16).max_by(|a, b| self.bands[*a].total_cmp(&self.bands[*b]));
        let strongest = strongest.unwrap_or_default();
        let strength = self.bands[strongest].clamp(0.0, 1.0);
        let hertz = if strength > 0.0 { MIDDLES[strongest] } else { 1.0 };
        let mut packet = [0; SIZE];
        packet[..6].copy_from_slice(b"00002\0");
        let mut put = |at: usize, x: f32| packet[at..at + 4].copy_from_slice(&x.to_le_bytes());
        put(8, self.volume * 255.0);
        put(12, self.smooth * 255.0);
        put(36, strength * MAGNITUDE);
        put(40, hertz);
        packet[16] = u8::from(self.began);
        packet[17] = count;
        for (slot, band) in packet[18..34].iter_mut().zip(self.bands) {
            *slot = byte(band);
        }
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aurora::analyse::Level;

    fn frame(rms: f32) -> Frame {
        let level = Level { rms, gain: 1.0, open: true, ..Level::default() };
        let mut frame = Frame { level, ..Frame::default() };
        frame.sixteen = std::array::from_fn(|k| k as f32 / 16.0);
        frame
    }

    fn float(packet: &[u8], at: usize) -> f32 {
        f32::from_le_bytes(packet[at..at + 4].try_into().unwrap())
    }

    #[test]
    fn a_packet_is_laid_out_as_published() {
        let mut bands = [0.0; 16];
        bands[3] = 0.5;
        bands[15] = 2.0;
        let levels = Levels { volume: 1.0, smooth: 0.5, began: true, bands };
        let packet = levels.packet(200);
        assert_eq!(packet.len(), 44);
        assert_eq!(packet[..8], *b"00002\0\0\0");
        assert_eq!((float(&packet, 8), float(&packet, 12)), (255.0, 127.5));
        assert_eq!(packet[16..18], [1, 200]);
        assert_eq!(packet[18..34], [0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 254]);
        assert_eq!(packet[34..36], [0, 0]);
        assert_eq!((float(&packet, 36), float(&packet, 40)), (2040.0, 8182.0));
    }

    #[test]
    fn silence_has_a_frequency_that_is_allowed() {
        let packet = Levels::SILENCE.packet(0);
        assert_eq!((float(&packet, 36), float(&packet, 40)), (0.0, 1.0));
    }

    #[test]
    fn what_began_stays_until_it_is_told_and_a_shut_gate_is_silence() {
        let mut levels = Levels::SILENCE;
        levels.hear(&Frame { onsets: [true, false, false, false], ..frame(0.5) });
        levels.hear(&frame(0.5));
        assert!(levels.began && levels.volume > 0.7 && levels.smooth < 0.2, "{levels:?}");
        levels.told();
        levels.hear(&Frame { onsets: [false, false, true, true], ..frame(0.5) });
        assert!(!levels.began, "{levels:?}");
        let mut shut = frame(0.01);
        shut.level.open = false;
        levels.hear(&shut);
        assert_eq!((levels.volume, levels.bands), (0.0, [0.0; 16]));
    }
}
