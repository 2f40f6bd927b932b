//! Records and messages of the handshake, as bytes (RFC 6347, sections 4.1 and 4.2.2; RFC 5246, section
//! 7.4).

/// DTLS 1.2.
pub(super) const VERSION: [u8; 2] = [254, 253];
/// Bytes before a record's content.
pub(super) const HEADER: usize = 13;
/// Bytes before a handshake message's content.
pub(super) const HEAD: usize = 12;
/// TLS_PSK_WITH_AES_128_GCM_SHA256 (RFC 5487).
pub(super) const SUITE: [u8; 2] = [0x00, 0xA8];
/// "I know of secure renegotiation" (RFC 5746), which we never do.
const SIGNAL: [u8; 2] = [0x00, 0xFF];
/// The extension `extended_master_secret` (RFC 7627).
const EXTENDED: [u8; 2] = [0x00, 0x17];
/// A longer message of the handshake is none of a bridge.
const LONGEST: usize = 4096;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Change = 20,
    Alert = 21,
    Handshake = 22,
    Data = 23,
}

/// Splits a datagram into records, each with its header; what does not fit is left out.
pub(super) fn records(mut datagram: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while datagram.len() >= HEADER {
        let length = HEADER + usize::from(u16::from_be_bytes([datagram[11], datagram[12]]));
        if datagram.len() < length {
            break;
        }
        let (record, rest) = datagram.split_at(length);
        // Of any other version nothing is understood; 1.0 is what a first answer may carry.
        if record[1] == VERSION[0] && matches!(record[2], 253 | 255) {
            all.push(record);
        }
        datagram = rest;
    }
    all
}

/// Appends a record in the clear (epoch 0).
pub(super) fn plain(kind: Kind, number: u64, content: &[u8], out: &mut Vec<u8>) {
    out.push(kind as u8);
    out.extend(VERSION);
    out.extend(number.to_be_bytes());
    out.extend(u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(content);
}

/// Returns a whole message of the handshake.
pub(super) fn message(kind: u8, number: u16, content: &[u8]) -> Vec<u8> {
    let length = &u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes()[1..];
    [&[kind][..], length, &number.to_be_bytes(), &[0; 3], length, content].concat()
}

/// Returns the content of a ClientHello.
pub(super) fn client_hello(random: &[u8; 32], cookie: &[u8]) -> Vec<u8> {
    let mut hello = Vec::new();
    hello.extend(VERSION);
    hello.extend(random);
    hello.push(0);
    hello.push(u8::try_from(cookie.len()).unwrap_or(0));
    hello.extend(cookie);
    hello.extend([0, 4]);
    hello.extend(SUITE);
    hello.extend(SIGNAL);
    hello.extend([1, 0]);
    hello.extend([0, 4]);
    hello.extend(EXTENDED);
    hello.extend([0, 0]);
    hello
}

/// What a ServerHello says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServerHello {
    pub(super) random: [u8; 32],
    /// Whether the master secret is bound to the handshake.
    pub(super) is_extended: bool,
}

/// Reads a ServerHello; `None` when it is none, or chose what we did not offer.
pub(super) fn server_hello(content: &[u8]) -> Option<ServerHello> {
    let random: [u8; 32] = content.get(2..34)?.try_into().ok()?;
    let session = usize::from(*content.get(34)?);
    let rest = content.get(35 + session..)?;
    let is_ours = content[..2] == VERSION && rest.get(..2)? == SUITE && *rest.get(2)? == 0;
    let mut extensions = rest.get(5..).unwrap_or_default();
    let mut is_extended = false;
    while extensions.len() >= 4 {
        let length = usize::from(u16::from_be_bytes([extensions[2], extensions[3]]));
        is_extended |= extensions[..2] == EXTENDED;
        extensions = extensions.get(4 + length..)?;
    }
    is_ours.then_some(ServerHello { random, is_extended })
}

/// Reads the cookie of a HelloVerifyRequest.
pub(super) fn cookie(content: &[u8]) -> Option<&[u8]> {
    let length = usize::from(*content.get(2)?);
    content.get(3..3 + length)
}

/// A part of a message of the handshake.
#[derive(Debug)]
pub(super) struct Fragment<'a> {
    pub(super) kind: u8,
    pub(super) number: u16,
    length: usize,
    offset: usize,
    content: &'a [u8],
}

/// Reads the parts that a record holds, up to the first that is none.
pub(super) fn fragments(mut content: &[u8]) -> Vec<Fragment<'_>> {
    let mut all = Vec::new();
    while content.len() >= HEAD {
        let three = |at: usize| {
            let byte = |k: usize| usize::from(content[at + k]);
            byte(0) << 16 | byte(1) << 8 | byte(2)
        };
        let (length, offset, own) = (three(1), three(6), three(9));
        let Some(part) = content.get(HEAD..HEAD + own) else { break };
        if length > LONGEST || offset + own > length {
            break;
        }
        let number = u16::from_be_bytes([content[4], content[5]]);
        all.push(Fragment { kind: content[0], number, length, offset, content: part });
        content = &content[HEAD + own..];
    }
    all
}

/// A message that is being put together, in whatever order its parts come.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) kind: u8,
    content: Vec<u8>,
    has: Vec<bool>,
}

impl Whole {
    /// Begins with a part.
    pub(super) fn new(part: &Fragment<'_>) -> Whole {
        let mut whole =
            Whole { kind: part.kind, content: vec![0; part.length], has: vec![false; part.length] };
        whole.add(part);
        whole
    }

    /// Adds a part; one that does not fit is left out.
    pub(super) fn add(&mut self, part: &Fragment<'_>) {
        if part.kind != self.kind || part.length != self.content.len() {
            return;
        }
        let range = part.offset..part.offset + part.content.len();
        self.content[range.clone()].copy_from_slice(part.content);
        self.has[range].fill(true);
    }

    /// Returns the content once all of it is there.
    pub(super) fn content(&self) -> Option<&[u8]> {
        self.has.iter().all(|has| *has).then_some(&self.content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_put_together_from_parts_in_any_order() {
        let whole = message(2, 7, b"abcdefgh");
        let part = |from: usize, to: usize| {
            let mut part = whole[..HEAD].to_vec();
            part[8] = from as u8;
            part[11] = (to - from) as u8;
            part.extend(&whole[HEAD + from..HEAD + to]);
            part
        };
        let mut put = None::<Whole>;
        for (from, to) in [(5, 8), (0, 3), (2, 5)] {
            let bytes = part(from, to);
            let all = fragments(&bytes);
            assert_eq!((all.len(), all[0].number), (1, 7));
            match &mut put {
                Some(put) => put.add(&all[0]),
                None => put = Some(Whole::new(&all[0])),
            }
            let is_last = (from, to) == (2, 5);
            assert_eq!(put.as_ref().unwrap().content().is_some(), is_last);
        }
        assert_eq!(put.unwrap().content().unwrap(), b"abcdefgh");
    }

    #[test]
    fn nonsense_is_left_out_and_never_read_beyond_its_end() {
        let good = message(14, 0, b"");
        for cut in 0..HEAD {
            assert!(fragments(&good[..cut]).is_empty());
        }
        let mut long = message(2, 0, b"abc");
        long[1] = 1;
        assert!(fragments(&long).is_empty(), "it claims 65 KB");
        let mut record = Vec::new();
        plain(Kind::Alert, 3, &[1, 0], &mut record);
        assert_eq!(records(&[record.clone(), record.clone()].concat()).len(), 2);
        assert_eq!(records(&record[..14]).len(), 0);
        for end in 0..40 {
            assert_eq!(server_hello(&vec![254; end]), None);
            assert!(cookie(&vec![9; end]).is_none_or(|cookie| cookie.len() == 9));
        }
    }
}
