//! Distributed Display Protocol, port 4048 (3waylabs.com/ddp, "Packet Layout").
//!
//! ```text
//! 0  flags     0x40 version 1, 0x01 show now ("push")
//! 1  sequence  1 to 15, counted by packet; 0 would mean that it is not used
//! 2  type      0x0B three channels of 8 bits, 0x1B four
//! 3  id        1, the default output
//! 4  offset    of the first byte of data, 32 bits, big-endian
//! 8  length    of the data, 16 bits, big-endian
//! 10 data      at most 1440 bytes: 480 lights, or 360 with white
//! ```
//! Only the last packet of a picture has the push flag, so that all of it is shown at once.

use super::{PACKET, Send, To};

/// Port of DDP.
pub(crate) const PORT: u16 = 4048;

const HEAD: usize = 10;
const DATA: usize = 1440;

/// One output.
#[derive(Clone, Debug)]
pub(crate) struct Ddp {
    /// Offset of the first byte that is painted.
    offset: u32,
    kind: u8,
    sequence: u8,
    packet: [u8; PACKET],
}

impl Ddp {
    /// Paints from light `start` on, `width` bytes each (3 or 4).
    pub(crate) fn new(start: u32, width: usize) -> Ddp {
        let kind = if width == 4 { 0x1b } else { 0x0b };
        Ddp { offset: start * width as u32, kind, sequence: 0, packet: [0; PACKET] }
    }

    pub(super) fn picture(&mut self, data: &[u8], send: Send<'_>) {
        let last = data.len().div_ceil(DATA).saturating_sub(1);
        for (k, part) in data.chunks(DATA).enumerate() {
            self.sequence = self.sequence % 15 + 1;
            let offset = self.offset + (k * DATA) as u32;
            self.packet[0] = if k == last { 0x41 } else { 0x40 };
            self.packet[1] = self.sequence;
            self.packet[2] = self.kind;
            self.packet[3] = 1;
            self.packet[4..8].copy_from_slice(&offset.to_be_bytes());
            self.packet[8..HEAD].copy_from_slice(&(part.len() as u16).to_be_bytes());
            self.packet[HEAD..HEAD + part.len()].copy_from_slice(part);
            send(To::Own, &self.packet[..HEAD + part.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::aurora::lamps::encode::{Ddp, Encoder, ending, packets};

    #[test]
    fn a_small_picture_is_one_packet_that_is_shown_at_once() {
        let mut encoder = Encoder::Ddp(Ddp::new(0, 3));
        let said = packets(&mut encoder, &[255, 0, 1, 2, 3, 4]);
        let want = [0x41, 1, 0x0b, 1, 0, 0, 0, 0, 0, 6, 255, 0, 1, 2, 3, 4];
        assert_eq!(said.len(), 1);
        assert_eq!(said[0].1, want);
    }

    #[test]
    fn white_and_a_later_begin_are_said() {
        let mut encoder = Encoder::Ddp(Ddp::new(30_000, 4));
        let said = packets(&mut encoder, &[1, 2, 3, 4]);
        assert_eq!(said[0].1[..10], [0x41, 1, 0x1b, 1, 0, 1, 0xd4, 0xc0, 0, 4]);
    }

    #[test]
    fn a_long_picture_is_cut_and_only_its_last_packet_shows_it() {
        let data: Vec<u8> = (0..3 * 1000).map(|k| (k % 251) as u8).collect();
        let mut encoder = Encoder::Ddp(Ddp::new(2, 3));
        let said: Vec<Vec<u8>> = packets(&mut encoder, &data).into_iter().map(|p| p.1).collect();
        let heads: Vec<&[u8]> = said.iter().map(|p| &p[..10]).collect();
        assert_eq!(heads[0], [0x40, 1, 0x0b, 1, 0, 0, 0, 6, 5, 160]);
        assert_eq!(heads[1], [0x40, 2, 0x0b, 1, 0, 0, 5, 166, 5, 160]);
        assert_eq!(heads[2], [0x41, 3, 0x0b, 1, 0, 0, 11, 70, 0, 120]);
        let whole: Vec<u8> = said.iter().flat_map(|p| p[10..].to_vec()).collect();
        assert_eq!(whole, data);
    }

    #[test]
    fn the_sequence_goes_round_from_fifteen_to_one() {
        let mut encoder = Encoder::Ddp(Ddp::new(0, 3));
        let numbers: Vec<u8> = (0..17).map(|_| packets(&mut encoder, &[0; 3])[0].1[1]).collect();
        assert_eq!(numbers[13..], [14, 15, 1, 2]);
    }

    #[test]
    fn it_ends_in_the_dark() {
        let said = ending(&mut Encoder::Ddp(Ddp::new(0, 3)), &[7; 6]);
        assert_eq!(said.len(), 3);
        assert!(said.iter().all(|(_, packet)| packet[10..] == [0; 6]));
    }
}
