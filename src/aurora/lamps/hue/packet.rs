//! One picture as a bridge takes it: "HueStream", version 2.0 (Hue Entertainment API, "Stream messages").
//! Pure.

use super::picture::Colours;

/// Bytes before the channels.
const HEAD: usize = 52;
/// Colours are red, green and blue.
const RGB: u8 = 0;

/// Makes packets for one area.
pub(super) struct Packets {
    packet: Vec<u8>,
    channels: Vec<u8>,
}

impl Packets {
    /// For the area `id` (36 characters) with these channels.
    pub(super) fn new(id: &str, channels: &[u8]) -> Packets {
        let mut packet = b"HueStream".to_vec();
        // Version, sequence number, two reserved, colour space, one reserved.
        packet.extend([2, 0, 0, 0, 0, RGB, 0]);
        packet.extend(id.bytes());
        packet.resize(HEAD, 0);
        for channel in channels {
            packet.push(*channel);
            packet.extend([0; 6]);
        }
        Packets { packet, channels: channels.to_vec() }
    }

    /// Returns the packet that shows `colours`, in the order of the channels.
    pub(super) fn next(&mut self, colours: &Colours) -> &[u8] {
        // Bridges do not look at the number; whoever reads along does.
        self.packet[11] = self.packet[11].wrapping_add(1);
        let rows = self.packet[HEAD..].chunks_mut(7).zip(colours);
        for (row, colour) in rows.take(self.channels.len()) {
            for (bytes, part) in row[1..].chunks_mut(2).zip(colour) {
                bytes.copy_from_slice(&part.to_be_bytes());
            }
        }
        &self.packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_has_the_published_layout() {
        let id = "1a8d99cc-967b-44f2-9202-43f976c0fa6b";
        let mut packets = Packets::new(id, &[0, 3]);
        let mut colours = [[0; 3]; 20];
        (colours[0], colours[1]) = ([0xFFFF, 0, 0x1234], [1, 2, 3]);
        let first = packets.next(&colours).to_vec();
        assert_eq!(first.len(), 52 + 2 * 7);
        assert_eq!(&first[..16], b"HueStream\x02\x00\x01\x00\x00\x00\x00");
        assert_eq!(&first[16..52], id.as_bytes());
        assert_eq!(&first[52..], [0, 255, 255, 0, 0, 0x12, 0x34, 3, 0, 1, 0, 2, 0, 3]);
        assert_eq!(packets.next(&colours)[11], 2);
    }
}
