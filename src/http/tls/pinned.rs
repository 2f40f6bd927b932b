//! Trusts one certificate: the one that was seen first. For devices at home that sign their own, and
//! that a person has named (a Hue bridge, whose button is pressed meanwhile).

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
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

    fn holds(&self, certificate: &[u8]) -> bool {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if certificate.len() > LARGEST {
            return false;
        }
        own.get_or_insert_with(|| certificate.to_vec()) == certificate
    }
}

/// Makes a verifier that accepts the pinned certificate. The key must still be the certificate's.
pub(super) fn only(pin: Pin, provider: Arc<CryptoProvider>) -> Arc<dyn ServerCertVerifier> {
    Arc::new(Only { pin, provider })
}

#[derive(Debug)]
struct Only {
    pin: Pin,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Only {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.pin.holds(certificate) {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
