//! One certificate that is trusted: the one that was seen first. For devices at home that sign their own, and
//! that a person has named (a Hue bridge, whose button is pressed meanwhile).

use std::sync::{Arc, Mutex, PoisonError};

/// Larger certificates are none of a device's.
const LARGEST: usize = 16 << 10;

/// The one certificate (DER). Cloning it is cheap; all clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Pin(Arc<Mutex<Option<Vec<u8>>>>);

impl Pin {
    /// Trusts the certificate that it sees first, and from then on no other.
    pub fn first() -> Pin {
        Pin::default()
    }

    /// Trusts this certificate and no other.
    pub fn of(certificate: Vec<u8>) -> Pin {
        Pin(Arc::new(Mutex::new(Some(certificate))))
    }

    /// Returns the certificate that is trusted, to be kept; `None` before the first was seen.
    pub fn certificate(&self) -> Option<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn holds(&self, certificate: &[u8]) -> bool {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if certificate.len() > LARGEST {
            return false;
        }
        own.get_or_insert_with(|| certificate.to_vec()) == certificate
    }
}
