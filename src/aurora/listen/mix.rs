//! Raw sound to samples: the formats that are read, and the mix to one channel.

use crate::error::Error;

/// How a sample is written; all are signed and little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// 16 bits.
    S16,
    /// 24 bits in three bytes.
    S24In3,
    /// 24 bits in the lower part of four bytes.
    S24,
    /// 32 bits.
    S32,
}

impl Format {
    #[cfg_attr(not(feature = "alsa"), allow(dead_code, reason = "only cards are asked"))]
    /// All of them, the one that is asked for first at the front.
    pub(super) const ALL: [Format; 4] = [Format::S16, Format::S24In3, Format::S24, Format::S32];

    /// ALSA's word for it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Format::S16 => "S16_LE",
            Format::S24In3 => "S24_3LE",
            Format::S24 => "S24_LE",
            Format::S32 => "S32_LE",
        }
    }

    /// Bytes of one sample.
    pub(super) const fn bytes(self) -> usize {
        match self {
            Format::S16 => 2,
            Format::S24In3 => 3,
            Format::S24 | Format::S32 => 4,
        }
    }

    /// One sample, -1 to 1.
    fn sample(self, bytes: &[u8]) -> f32 {
        match (self, bytes) {
            (Format::S16, &[a, b]) => f32::from(i16::from_le_bytes([a, b])) / 32_768.0,
            // The three bytes go to the top, where the sign is.
            (Format::S24In3, &[a, b, c]) | (Format::S24, &[a, b, c, _]) => {
                (i32::from_le_bytes([0, a, b, c]) >> 8) as f32 / 8_388_608.0
            }
            (Format::S32, &[a, b, c, d]) => {
                i32::from_le_bytes([a, b, c, d]) as f32 / 2_147_483_648.0
            }
            _ => 0.0,
        }
    }
}

/// What raw sound looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Samples of each channel in a second.
    pub(super) rate: u32,
    pub(super) format: Format,
    pub(super) channels: usize,
}

impl Form {
    /// Reads `48000:16:2`: rate, bits, channels, as Snapcast writes it. 24 bits are in four bytes, as
    /// there; `24_3` means three.
    ///
    /// # Errors
    /// Invalid: what must be written.
    pub(super) fn parse(text: &str) -> Result<Form, Error> {
        let wrong = || {
            Error::invalid(format!(
                "'{}' is no format of raw sound; write RATE:BITS:CHANNELS like 48000:16:2, with a \
                 rate of 44100, 48000 or 96000, 16, 24, 24_3 or 32 bits, and 1 to 32 channels",
                text.escape_debug()
            ))
        };
        let parts: Vec<&str> = text.split(':').collect();
        let &[rate, bits, channels] = parts.as_slice() else { return Err(wrong()) };
        let rate = rate.parse().ok().filter(|rate| RATES.contains(rate)).ok_or_else(wrong)?;
        let format = match bits {
            "16" => Format::S16,
            "24" => Format::S24,
            "24_3" => Format::S24In3,
            "32" => Format::S32,
            _ => return Err(wrong()),
        };
        let channels = channels.parse().ok().filter(|n| (1..=MOST_CHANNELS).contains(n));
        Ok(Form { rate, format, channels: channels.ok_or_else(wrong)? })
    }

    /// Bytes of one sample of every channel.
    pub(super) const fn frame(self) -> usize {
        self.format.bytes() * self.channels
    }

    /// Mixes the whole frames in `bytes` to one channel, their mean, as many as fit; returns how many.
    pub(super) fn mix(self, bytes: &[u8], mono: &mut [f32]) -> usize {
        let share = 1.0 / self.channels as f32;
        let frames = bytes.chunks_exact(self.frame());
        let mut count = 0;
        for (out, frame) in mono.iter_mut().zip(frames) {
            let samples = frame.chunks_exact(self.format.bytes());
            *out = samples.map(|sample| self.format.sample(sample)).sum::<f32>() * share;
            count += 1;
        }
        count
    }
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let noun = if self.channels == 1 { "channel" } else { "channels" };
        write!(f, "{} Hz, {}, {} {noun}", self.rate, self.format.word(), self.channels)
    }
}

/// The rates that are read, the one that is asked for first at the front.
pub(super) const RATES: [u32; 3] = [48_000, 44_100, 96_000];
/// The most channels that are mixed: a large mixing desk over USB.
pub(super) const MOST_CHANNELS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_keeps_sign_and_scale() {
        let check = |format: Format, bytes: &[u8], want: f32| {
            let form = Form { rate: 48_000, format, channels: 1 };
            let mut mono = [9.0; 1];
            assert_eq!(form.mix(bytes, &mut mono), 1);
            assert_eq!(mono[0], want, "{format:?} {bytes:?}");
        };
        check(Format::S16, &[0x00, 0x80], -1.0);
        check(Format::S16, &[0x00, 0x40], 0.5);
        check(Format::S24In3, &[0x00, 0x00, 0x80], -1.0);
        check(Format::S24In3, &[0x01, 0x00, 0x00], 1.0 / 8_388_608.0);
        // What stands in the unused byte is nobody's business: drivers leave anything there.
        check(Format::S24, &[0xff, 0xff, 0xff, 0x00], -1.0 / 8_388_608.0);
        check(Format::S24, &[0x00, 0x00, 0x40, 0xff], 0.5);
        check(Format::S32, &[0x00, 0x00, 0x00, 0xc0], -0.5);
    }

    #[test]
    fn channels_are_mixed_to_their_mean_and_half_a_frame_is_left() {
        let form = Form::parse("44100:16:2").unwrap();
        let bytes: Vec<u8> =
            [16_384i16, 0, -16_384, -16_384, 7].iter().flat_map(|s| s.to_le_bytes()).collect();
        let mut mono = [0.0; 8];
        assert_eq!(form.mix(&bytes, &mut mono), 2);
        assert_eq!(mono[..2], [0.25, -0.5]);
        assert_eq!(form.mix(&bytes, &mut mono[..1]), 1, "no more than fit");
    }

    #[test]
    fn formats_are_read_as_snapcast_writes_them() {
        let form = Form::parse("96000:24:1").unwrap();
        assert_eq!((form.rate, form.format, form.frame()), (96_000, Format::S24, 4));
        assert_eq!(Form::parse("48000:24_3:2").unwrap().frame(), 6);
        assert_eq!(Form::parse("48000:16:2").unwrap().to_string(), "48000 Hz, S16_LE, 2 channels");
        for wrong in ["", "48000", "48000:16", "22050:16:2", "48000:8:2", "48000:16:0", "1:2:3:4"] {
            let e = Form::parse(wrong).unwrap_err().to_string();
            assert!(e.contains("like 48000:16:2"), "{wrong}: {e}");
        }
    }
}
