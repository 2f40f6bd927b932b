//! AES-256-GCM over a whole file (NIST SP 800-38D), and the key for it.

use crate::error::Error;
use crate::policy::whole_file;
use crate::text::hex;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Begins each file; authenticated with what follows, so that a later version is no other text.
const HEAD: &[u8] = b"hearth sealed 1\n";
/// Bytes of a key.
const KEY: usize = 32;

/// A key.
pub(super) struct Key(LessSafeKey);

impl Key {
    fn new(bytes: &[u8; KEY]) -> Result<Key, Error> {
        let key = UnboundKey::new(&AES_256_GCM, bytes);
        let key = key.map_err(|_| Error::broken("the key for sealed secrets cannot be used"))?;
        Ok(Key(LessSafeKey::new(key)))
    }

    /// Reads a key from its 64 hexadecimal digits.
    ///
    /// # Errors
    /// Invalid: it is something else.
    pub(super) fn read(text: &str) -> Result<Key, Error> {
        let mut bytes = [0u8; KEY];
        let text = text.trim().as_bytes();
        let mut good = text.len() == 2 * KEY;
        for (byte, pair) in bytes.iter_mut().zip(text.chunks(2)) {
            let digits = std::str::from_utf8(pair).ok().filter(|p| !p.contains('+'));
            match digits.and_then(|p| u8::from_str_radix(p, 16).ok()) {
                Some(read) => *byte = read,
                None => good = false,
            }
        }
        match good {
            true => Key::new(&bytes),
            false => Err(Error::invalid(
                "a key for sealed secrets is 64 hexadecimal digits, for example from \
                 'openssl rand -hex 32'",
            )),
        }
    }

    /// Reads the key from its file; with `make` one is made when there is none.
    ///
    /// # Errors
    /// NotFound when there is none; Invalid when it is none; Broken when it cannot be read or written.
    pub(super) fn from_file(path: &Path, make: bool) -> Result<Key, Error> {
        if let Some(bytes) = whole_file::read(path)? {
            let open = std::fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o077 != 0);
            if open {
                let shown = path.display();
                log::warn!("others may read the key {shown}; run 'chmod 600 {shown}'");
            }
            return Key::read(&String::from_utf8_lossy(&bytes)).map_err(|e| e.at(path.display()));
        }
        if !make {
            return Err(Error::not_found(format!("there is no key {}", path.display())));
        }
        let mut bytes = [0u8; KEY];
        random(&mut bytes)?;
        whole_file::write(path, format!("{}\n", hex(&bytes)).as_bytes())?;
        Key::new(&bytes)
    }

    /// Closes a text under a fresh random nonce.
    ///
    /// # Errors
    /// Broken when the system gives no random numbers.
    pub(super) fn close(&self, text: &[u8]) -> Result<Vec<u8>, Error> {
        let mut nonce = [0u8; NONCE_LEN];
        random(&mut nonce)?;
        let mut sealed = text.to_vec();
        let with = Nonce::assume_unique_for_key(nonce);
        self.0
            .seal_in_place_append_tag(with, Aad::from(HEAD), &mut sealed)
            .map_err(|_| Error::broken("the secrets cannot be sealed"))?;
        Ok([HEAD, &nonce, &sealed].concat())
    }

    /// Opens what [`Key::close`] made; `None` when the key is another or a byte was changed.
    pub(super) fn open(&self, file: &[u8]) -> Option<Vec<u8>> {
        let rest = file.strip_prefix(HEAD)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let text = self.0.open_in_place(nonce, Aad::from(HEAD), &mut sealed).ok()?;
        Some(text.to_vec())
    }
}

fn random(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes)
        .map_err(|e| Error::broken(format!("the system gives no random numbers: {e}")))
}
