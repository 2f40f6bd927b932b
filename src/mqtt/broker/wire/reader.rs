//! Takes a packet's body apart, from front to back.

use crate::mqtt::broker::wire::Fault;

const SHORT: &str = "the packet ends early";

pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Reader<'a> {
        Reader { rest: body }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Fault::malformed(SHORT))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn two(&mut self) -> Result<u16, Fault> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn four(&mut self) -> Result<u32, Fault> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A number in one to four bytes (MQTT 5, section 1.5.5).
    pub(super) fn variable(&mut self) -> Result<u32, Fault> {
        let mut value = 0;
        for n in 0..4 {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7f) << (7 * n);
            if byte & 0x80 == 0 {
                let is_long = n > 0 && byte == 0;
                let long = Fault::malformed("a length is written longer than it must be");
                return if is_long { Err(long) } else { Ok(value) };
            }
        }
        Err(Fault::malformed("a length has more than four bytes"))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let count = self.two()?;
        self.take(usize::from(count))
    }

    /// UTF-8 without U+0000 (MQTT 5, section 1.5.4).
    pub(super) fn text(&mut self) -> Result<&'a str, Fault> {
        let bytes = self.bytes()?;
        let text =
            std::str::from_utf8(bytes).map_err(|_| Fault::malformed("a text is no UTF-8"))?;
        if bytes.contains(&0) { Err(Fault::malformed("a text holds U+0000")) } else { Ok(text) }
    }
}
