//! Streaming ACN: DMX over UDP, port 5568 (ANSI E1.31-2018, sections 4 to 7).
//!
//! ```text
//! 0    root layer     preamble 0x0010, postamble 0, "ASC-E1.17", length, vector 4, component id
//! 38   framing layer  length, vector 2, source name (64), priority, synchronisation universe 0,
//!                     sequence, options, universe
//! 115  DMP layer      length, vector 2, 0xA1, first address 0, increment 1, count, start code 0
//! 126  channels       at most 512
//! ```
//! Lengths are 0x7000 plus the bytes from themselves to the end. Every universe has a sequence of its
//! own, one for all lamps in it. The end is three packets with the option "stream terminated" (6.2.6).

use super::{ENDINGS, Send, To, UNIVERSE};
use std::net::Ipv4Addr;

/// Port of E1.31 (section 9.2).
pub(crate) const PORT: u16 = 5568;

const CHANNELS: usize = 126;
const TERMINATED: u8 = 0x40;
/// Where in a packet.
const PRIORITY: usize = 108;
const SEQUENCE: usize = 111;
const OPTIONS: usize = 112;
const NUMBER: usize = 113;

/// Returns the group to which a universe is sent (section 9.3.1).
pub(crate) fn group(universe: u16) -> Ipv4Addr {
    let [high, low] = universe.to_be_bytes();
    Ipv4Addr::new(239, 255, high, low)
}

/// A run of universes.
#[derive(Clone, Debug)]
pub(crate) struct E131 {
    /// Number and last sequence of each.
    universes: Vec<(u16, u8)>,
    is_multicast: bool,
    packet: [u8; CHANNELS + UNIVERSE],
}

impl E131 {
    /// Sends these universes (1 to 63,999). `id` is the same for all that this Hearth sends, and from one
    /// start to the next; of several sources the highest `priority` (0 to 200) wins.
    pub(crate) fn new(universes: &[u16], id: [u8; 16], priority: u8, is_multicast: bool) -> E131 {
        let mut packet = [0; CHANNELS + UNIVERSE];
        packet[..16].copy_from_slice(b"\x00\x10\x00\x00ASC-E1.17\0\0\0");
        packet[21] = 4;
        packet[22..38].copy_from_slice(&id);
        packet[43] = 2;
        packet[44..50].copy_from_slice(b"Hearth");
        packet[PRIORITY] = priority;
        packet[117..123].copy_from_slice(&[0x02, 0xa1, 0, 0, 0, 1]);
        let universes = universes.iter().map(|number| (*number, 0)).collect();
        E131 { universes, is_multicast, packet }
    }

    /// `data` is whole universes, but for the last one, which may be shorter.
    pub(super) fn picture(&mut self, data: &[u8], send: Send<'_>) {
        self.say(data, 0, send);
    }

    pub(super) fn end(&mut self, data: &mut [u8], send: Send<'_>) {
        data.fill(0);
        // What comes with the option is not shown, so the dark goes ahead of it.
        self.say(data, 0, send);
        for _ in 0..ENDINGS {
            self.say(data, TERMINATED, send);
        }
    }

    fn say(&mut self, data: &[u8], options: u8, send: Send<'_>) {
        let packet = &mut self.packet;
        for ((number, sequence), part) in self.universes.iter_mut().zip(data.chunks(UNIVERSE)) {
            let all = CHANNELS + part.len();
            for from in [16, 38, 115] {
                let length = 0x7000 | (all - from) as u16;
                packet[from..from + 2].copy_from_slice(&length.to_be_bytes());
            }
            packet[SEQUENCE] = *sequence;
            packet[OPTIONS] = options;
            packet[NUMBER..NUMBER + 2].copy_from_slice(&number.to_be_bytes());
            // The start code counts as one.
            packet[123..125].copy_from_slice(&(1 + part.len() as u16).to_be_bytes());
            packet[CHANNELS..all].copy_from_slice(part);
            *sequence = sequence.wrapping_add(1);
            send(if self.is_multicast { To::Universe(*number) } else { To::Own }, &packet[..all]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::group;
    use crate::aurora::lamps::encode::{E131, Encoder, To, ending, packets};

    fn encoder(universes: &[u16], is_multicast: bool) -> Encoder {
        Encoder::E131(E131::new(universes, *b"0123456789abcdef", 100, is_multicast))
    }

    #[test]
    fn a_full_universe_is_laid_out_as_published() {
        let data: Vec<u8> = (0..512).map(|k| k as u8).collect();
        let said = packets(&mut encoder(&[0x1234], false), &data);
        let [(To::Own, packet)] = &said[..] else { panic!("{said:?}") };
        assert_eq!(packet.len(), 638);
        // Root layer, table 5-1.
        assert_eq!(packet[..16], *b"\x00\x10\x00\x00ASC-E1.17\0\0\0");
        assert_eq!(packet[16..22], [0x72, 0x6e, 0, 0, 0, 4]);
        assert_eq!(packet[22..38], *b"0123456789abcdef");
        // Framing layer, table 6-1.
        assert_eq!(packet[38..44], [0x72, 0x58, 0, 0, 0, 2]);
        assert_eq!(packet[44..51], *b"Hearth\0");
        assert!(packet[51..108].iter().all(|byte| *byte == 0));
        assert_eq!(packet[108..115], [100, 0, 0, 0, 0, 0x12, 0x34]);
        // DMP layer, table 7-1.
        assert_eq!(packet[115..126], [0x72, 0x0b, 0x02, 0xa1, 0, 0, 0, 1, 0x02, 0x01, 0]);
        assert_eq!(packet[126..], data);
    }

    #[test]
    fn a_short_universe_says_its_length_everywhere() {
        let said = packets(&mut encoder(&[1], false), &[1, 2, 3]);
        let packet = &said[0].1;
        assert_eq!(packet.len(), 129);
        assert_eq!(packet[16..18], [0x70, 113]);
        assert_eq!(packet[38..40], [0x70, 91]);
        assert_eq!(packet[115..117], [0x70, 14]);
        assert_eq!(packet[123..], [0, 4, 0, 1, 2, 3]);
    }

    #[test]
    fn each_universe_has_its_own_sequence_and_group() {
        let mut encoder = encoder(&[7, 258], true);
        for sequence in [0, 1, 2] {
            let said = packets(&mut encoder, &[5; 600]);
            let brief: Vec<(To, u8, usize)> =
                said.iter().map(|(to, p)| (*to, p[111], p.len())).collect();
            let want = [(To::Universe(7), sequence, 638), (To::Universe(258), sequence, 214)];
            assert_eq!(brief, want);
        }
        assert_eq!(group(258).to_string(), "239.255.1.2");
    }

    #[test]
    fn the_end_is_dark_and_then_said_three_times() {
        let said = ending(&mut encoder(&[1, 2], false), &[9; 1024]);
        let brief: Vec<(u8, u8, u8)> = said.iter().map(|(_, p)| (p[114], p[112], p[111])).collect();
        let want = [
            (1, 0, 0),
            (2, 0, 0),
            (1, 0x40, 1),
            (2, 0x40, 1),
            (1, 0x40, 2),
            (2, 0x40, 2),
            (1, 0x40, 3),
            (2, 0x40, 3),
        ];
        assert_eq!(brief, want);
        assert!(said.iter().all(|(_, p)| p[126..].iter().all(|byte| *byte == 0)));
    }
}
