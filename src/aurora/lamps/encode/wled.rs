//! WLED's UDP realtime protocol, port 21324 (kno.wled.ge, "UDP Realtime / tpm2.net").
//!
//! Byte 0 says how the rest is laid out, byte 1 after how many seconds of silence WLED goes back to what
//! it showed before; 0 lets it go back at once. Of the layouts the shortest that can say the picture is
//! used: WARLS (index and colour) for one light that is not the first, DRGB and DRGBW from the first
//! light on, DNRGB and DNRGBW with the index of their first light for what is longer or begins later.

use super::{ENDINGS, PACKET, Send, To};

/// Port on which WLED listens unless it was told otherwise.
pub(crate) const PORT: u16 = 21_324;

const WARLS: u8 = 1;
const DRGB: u8 = 2;
const DRGBW: u8 = 3;
const DNRGB: u8 = 4;
const DNRGBW: u8 = 5;

/// One WLED, or a part of one.
#[derive(Clone, Debug)]
pub(crate) struct Wled {
    /// The first light that is painted.
    start: u16,
    /// Bytes of a light: 3, or 4 with white.
    width: usize,
    /// Seconds.
    timeout: u8,
    packet: [u8; PACKET],
}

impl Wled {
    /// Paints from light `start` on, `width` bytes each (3 or 4); after `timeout` seconds of silence
    /// (2 to 254) WLED goes back by itself.
    pub(crate) fn new(start: u16, width: usize, timeout: u8) -> Wled {
        Wled { start, width, timeout, packet: [0; PACKET] }
    }

    pub(super) fn picture(&mut self, data: &[u8], send: Send<'_>) {
        let (whole, indexed) = if self.width == 4 { (DRGBW, DNRGBW) } else { (DRGB, DNRGB) };
        if self.start == 0 && data.len() <= PACKET - 2 {
            return self.say(&[whole, self.timeout], data, send);
        }
        if let Ok(index) = u8::try_from(self.start)
            && data.len() == 3
        {
            return self.say(&[WARLS, self.timeout, index], data, send);
        }
        // 489 lights of three bytes, 367 of four.
        let most = (PACKET - 4) / self.width * self.width;
        let mut first = self.start;
        for part in data.chunks(most) {
            let [high, low] = first.to_be_bytes();
            self.say(&[indexed, self.timeout, high, low], part, send);
            first = first.saturating_add((part.len() / self.width) as u16);
        }
    }

    pub(super) fn end(&mut self, send: Send<'_>) {
        let layout = if self.width == 4 { DRGBW } else { DRGB };
        for _ in 0..ENDINGS {
            self.say(&[layout, 0], &[], send);
        }
    }

    fn say(&mut self, head: &[u8], data: &[u8], send: Send<'_>) {
        let all = head.len() + data.len();
        self.packet[..head.len()].copy_from_slice(head);
        self.packet[head.len()..all].copy_from_slice(data);
        send(To::Own, &self.packet[..all]);
    }
}

#[cfg(test)]
mod tests {
    use crate::aurora::lamps::encode::{Encoder, Wled, ending, packets};

    /// The packets of `lights` lights whose bytes count up.
    fn said(start: u16, width: usize, lights: usize) -> Vec<Vec<u8>> {
        let data: Vec<u8> = (0..lights * width).map(|k| k as u8).collect();
        let mut encoder = Encoder::Wled(Wled::new(start, width, 2));
        packets(&mut encoder, &data).into_iter().map(|(_, packet)| packet).collect()
    }

    #[test]
    fn short_pictures_from_the_first_light_are_drgb_and_drgbw() {
        assert_eq!(said(0, 3, 2), [[2, 2, 0, 1, 2, 3, 4, 5]]);
        assert_eq!(said(0, 4, 1), [[3, 2, 0, 1, 2, 3]]);
        assert_eq!(said(0, 3, 490)[0].len(), 1472);
        assert_eq!(said(0, 4, 367)[0].len(), 1470);
    }

    #[test]
    fn one_light_in_the_middle_is_warls() {
        assert_eq!(said(7, 3, 1), [[1, 2, 7, 0, 1, 2]]);
        // Its index is one byte, and it knows no white.
        assert_eq!(said(256, 3, 1), [[4, 2, 1, 0, 0, 1, 2]]);
        assert_eq!(said(7, 4, 1), [[5, 2, 0, 7, 0, 1, 2, 3]]);
    }

    #[test]
    fn long_pictures_are_cut_between_lights_and_say_where_they_begin() {
        for (width, most, layout) in [(3, 489, 4), (4, 367, 5)] {
            let said = said(10, width, 2 * most + 5);
            let begins: Vec<u16> = said.iter().map(|p| u16::from_be_bytes([p[2], p[3]])).collect();
            assert_eq!(begins, [10, 10 + most as u16, 10 + 2 * most as u16]);
            let sizes: Vec<usize> = said.iter().map(Vec::len).collect();
            assert_eq!(sizes, [4 + most * width, 4 + most * width, 4 + 5 * width]);
            assert!(said.iter().all(|p| p[0] == layout && p[1] == 2));
            let whole: Vec<u8> = said.iter().flat_map(|p| p[4..].to_vec()).collect();
            assert!(whole.iter().enumerate().all(|(k, byte)| *byte == k as u8));
        }
        // One light too many for DRGB.
        assert_eq!(said(0, 3, 491).iter().map(|p| p[0]).collect::<Vec<_>>(), [4, 4]);
    }

    #[test]
    fn the_end_lets_wled_go_back_at_once() {
        for (width, layout) in [(3, 2), (4, 3)] {
            let said = ending(&mut Encoder::Wled(Wled::new(0, width, 2)), &[9; 12]);
            assert_eq!(said.len(), 3);
            assert!(said.iter().all(|(_, packet)| *packet == [layout, 0]), "{said:?}");
        }
    }
}
