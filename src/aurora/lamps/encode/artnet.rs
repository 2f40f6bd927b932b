//! Art-Net: DMX over UDP, port 6454 (Art-Net 4, "ArtDmx Packet Definition").
//!
//! ```text
//! 0   "Art-Net\0"
//! 8   opcode 0x5000, little-endian
//! 10  protocol version 14, big-endian
//! 12  sequence, 1 to 255; 0 would mean that it is not used
//! 13  physical input 0
//! 14  universe: sub-net and universe, then net; 15 bits
//! 16  length of the data, big-endian, even, 2 to 512
//! 18  channels
//! ```

use super::{Send, To, UNIVERSE};

/// Port of Art-Net.
pub(crate) const PORT: u16 = 6454;

const CHANNELS: usize = 18;

/// A run of universes at one node.
#[derive(Clone, Debug)]
pub(crate) struct Artnet {
    /// Number and last sequence of each.
    universes: Vec<(u16, u8)>,
    packet: [u8; CHANNELS + UNIVERSE],
}

impl Artnet {
    /// Sends these universes (0 to 32,767).
    pub(crate) fn new(universes: &[u16]) -> Artnet {
        let mut packet = [0; CHANNELS + UNIVERSE];
        packet[..12].copy_from_slice(b"Art-Net\0\x00\x50\x00\x0e");
        let universes = universes.iter().map(|number| (*number, 0)).collect();
        Artnet { universes, packet }
    }

    /// `data` is whole universes, but for the last one, which may be shorter.
    pub(super) fn picture(&mut self, data: &[u8], send: Send<'_>) {
        let packet = &mut self.packet;
        for ((number, sequence), part) in self.universes.iter_mut().zip(data.chunks(UNIVERSE)) {
            *sequence = *sequence % 255 + 1;
            packet[12] = *sequence;
            packet[14..16].copy_from_slice(&number.to_le_bytes());
            let length = part.len().next_multiple_of(2);
            packet[16..CHANNELS].copy_from_slice(&(length as u16).to_be_bytes());
            packet[CHANNELS..CHANNELS + part.len()].copy_from_slice(part);
            packet[CHANNELS + part.len()..CHANNELS + length].fill(0);
            send(To::Own, &packet[..CHANNELS + length]);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::aurora::lamps::encode::{Artnet, Encoder, ending, packets};

    #[test]
    fn a_packet_is_laid_out_as_published() {
        let mut encoder = Encoder::Artnet(Artnet::new(&[0x1234]));
        let data: Vec<u8> = (0..512).map(|k| k as u8).collect();
        let said = packets(&mut encoder, &data);
        let packet = &said[0].1;
        assert_eq!(packet[..18], *b"Art-Net\0\x00\x50\x00\x0e\x01\x00\x34\x12\x02\x00");
        assert_eq!(packet[18..], data);
    }

    #[test]
    fn lengths_are_even_and_nothing_of_the_last_universe_stays() {
        let mut encoder = Encoder::Artnet(Artnet::new(&[0, 1]));
        let said = packets(&mut encoder, &[9; 515]);
        assert_eq!(said.len(), 2);
        assert_eq!(said[1].1[16..], [0, 4, 9, 9, 9, 0]);
    }

    #[test]
    fn the_sequence_leaves_zero_out() {
        let mut encoder = Encoder::Artnet(Artnet::new(&[3]));
        let numbers: Vec<u8> = (0..257).map(|_| packets(&mut encoder, &[0; 3])[0].1[12]).collect();
        assert_eq!((numbers[0], &numbers[253..]), (1, &[254, 255, 1, 2][..]));
    }

    #[test]
    fn it_ends_in_the_dark() {
        let said = ending(&mut Encoder::Artnet(Artnet::new(&[0])), &[7; 6]);
        assert_eq!(said.len(), 3);
        assert!(said.iter().all(|(_, packet)| packet[18..] == [0; 6]));
    }
}
