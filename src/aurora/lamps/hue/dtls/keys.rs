//! The secrets of a connection, and records under them.
//!
//! Sources: RFC 5246, sections 5 (PRF) and 6.3 (keys); RFC 4279, section 2 (premaster secret); RFC 5487
//! (the cipher suite, by RFC 5288); RFC 7627 (extended master secret).

use super::wire::{HEADER, Kind};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::{digest, hmac};

/// Bytes that a record grows by: the explicit part of the nonce, and the tag.
const EXPLICIT: usize = 8;
const TAG: usize = 16;
/// Record numbers have 48 bits.
const LAST: u64 = (1 << 48) - 1;

/// The pseudorandom function of TLS 1.2 with SHA-256.
pub(super) fn prf(secret: &[u8], label: &[u8], seed: &[u8], out: &mut [u8]) {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let start = [label, seed].concat();
    let mut a = hmac::sign(&key, &start);
    for part in out.chunks_mut(32) {
        let block = hmac::sign(&key, &[a.as_ref(), &start].concat());
        part.copy_from_slice(&block.as_ref()[..part.len()]);
        a = hmac::sign(&key, a.as_ref());
    }
}

/// SHA-256.
pub(super) fn hash(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// The premaster secret of a pre-shared key: as many zeros, then the key, each with its length.
pub(super) fn premaster(psk: &[u8]) -> Vec<u8> {
    let length = u16::try_from(psk.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&length, vec![0; psk.len()].as_slice(), &length, psk].concat()
}

/// One direction's key, and the fixed part of its nonces.
struct Side {
    key: LessSafeKey,
    salt: [u8; 4],
}

impl Side {
    fn new(key: &[u8], salt: &[u8]) -> Option<Side> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, key).ok()?);
        Some(Side { key, salt: salt.try_into().ok()? })
    }

    fn nonce(&self, explicit: [u8; 8]) -> Nonce {
        let mut nonce = [0; 12];
        nonce[..4].copy_from_slice(&self.salt);
        nonce[4..].copy_from_slice(&explicit);
        Nonce::assume_unique_for_key(nonce)
    }
}

/// What a record is authenticated with besides its content.
fn sealed_with(kind: u8, number: [u8; 8], length: usize) -> Aad<[u8; 13]> {
    let mut aad = [0; 13];
    aad[..8].copy_from_slice(&number);
    aad[8] = kind;
    aad[9..11].copy_from_slice(&super::wire::VERSION);
    aad[11..].copy_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    Aad::from(aad)
}

/// Both directions, from the end of the key exchange on (epoch 1).
pub(super) struct Sealer {
    ours: Side,
    theirs: Side,
    /// Number of the next record: no nonce is ever used twice.
    next: u64,
    window: Window,
}

impl Sealer {
    /// Makes the keys of a connection.
    pub(super) fn new(master: &[u8], client: &[u8; 32], server: &[u8; 32]) -> Option<Sealer> {
        let mut block = [0; 40];
        prf(master, b"key expansion", &[&server[..], &client[..]].concat(), &mut block);
        let ours = Side::new(&block[..16], &block[32..36])?;
        let theirs = Side::new(&block[16..32], &block[36..])?;
        Some(Sealer { ours, theirs, next: 0, window: Window::default() })
    }

    /// Appends a record to `out`; false when the numbers of this connection are used up.
    pub(super) fn seal(&mut self, kind: Kind, content: &[u8], out: &mut Vec<u8>) -> bool {
        if self.next > LAST {
            return false;
        }
        // Epoch 1, then the number.
        let number = ((1u64 << 48) | self.next).to_be_bytes();
        self.next += 1;
        let length = u16::try_from(EXPLICIT + content.len() + TAG).unwrap_or(u16::MAX);
        out.push(kind as u8);
        out.extend(super::wire::VERSION);
        out.extend(number);
        out.extend(length.to_be_bytes());
        out.extend(number);
        let start = out.len();
        out.extend(content);
        let aad = sealed_with(kind as u8, number, content.len());
        let (nonce, key) = (self.ours.nonce(number), &self.ours.key);
        let Ok(tag) = key.seal_in_place_separate_tag(nonce, aad, &mut out[start..]) else {
            return false;
        };
        out.extend(tag.as_ref());
        true
    }

    /// Opens a record of the other side; `None` when it is not theirs, or came before.
    pub(super) fn open(&mut self, record: &[u8]) -> Option<Vec<u8>> {
        let number: [u8; 8] = record.get(3..11)?.try_into().ok()?;
        let explicit: [u8; 8] = record.get(HEADER..HEADER + EXPLICIT)?.try_into().ok()?;
        let mut content = record.get(HEADER + EXPLICIT..)?.to_vec();
        let length = content.len().checked_sub(TAG)?;
        let aad = sealed_with(record[0], number, length);
        self.theirs.key.open_in_place(self.theirs.nonce(explicit), aad, &mut content).ok()?;
        content.truncate(length);
        // Only what is genuine moves the window.
        let number = u64::from_be_bytes(number) & LAST;
        self.window.is_new(number).then_some(content)
    }
}

/// Which of the last 64 records came already (RFC 6347, section 4.1.2.6).
#[derive(Default)]
struct Window {
    /// One more than the highest number so far.
    end: u64,
    seen: u64,
}

impl Window {
    fn is_new(&mut self, number: u64) -> bool {
        if number >= self.end {
            let step = number + 1 - self.end;
            self.seen = if step >= 64 { 0 } else { self.seen << step };
            (self.end, self.seen) = (number + 1, self.seen | 1);
            return true;
        }
        let back = self.end - 1 - number;
        if back >= 64 || self.seen & (1 << back) != 0 {
            return false;
        }
        self.seen |= 1 << back;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_taken_once_and_old_ones_not_at_all() {
        let mut window = Window::default();
        let took: Vec<bool> =
            [5, 5, 3, 3, 6, 4, 100, 37, 36, 100, 101].map(|n| window.is_new(n)).into();
        let want = [true, false, true, false, true, true, true, true, false, false, true];
        assert_eq!(took, want);
    }

    #[test]
    fn the_premaster_secret_has_the_key_behind_as_many_zeros() {
        assert_eq!(premaster(&[7, 8, 9]), [0, 3, 0, 0, 0, 0, 3, 7, 8, 9]);
    }

    #[test]
    fn what_is_sealed_has_a_number_of_its_own_and_is_opened_by_the_other_side_once() {
        let (master, a, b) = ([1; 48], [2; 32], [3; 32]);
        let mut here = Sealer::new(&master, &a, &b).unwrap();
        let mut there = Sealer::new(&master, &a, &b).unwrap();
        std::mem::swap(&mut there.ours, &mut there.theirs);
        let mut seal = |text: &[u8]| {
            let mut out = Vec::new();
            assert!(here.seal(Kind::Data, text, &mut out));
            out
        };
        let (one, two) = (seal(b"light"), seal(b"light"));
        assert_ne!(one[HEADER..], two[HEADER..]);
        assert_eq!(
            (&one[..13], one.len()),
            (&[23, 254, 253, 0, 1, 0, 0, 0, 0, 0, 0, 0, 29][..], 42)
        );
        assert_eq!(there.open(&two).unwrap(), b"light");
        assert_eq!(there.open(&one).unwrap(), b"light");
        assert_eq!(there.open(&one), None, "it came before");
        let mut bent = seal(b"light");
        *bent.last_mut().unwrap() ^= 1;
        assert_eq!(there.open(&bent), None);
        here.next = LAST + 1;
        assert!(!here.seal(Kind::Data, b"x", &mut Vec::new()));
    }
}
