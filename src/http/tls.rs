//! The one TLS set-up of every client in Hearth: whom to trust, and with which cryptography.
//!
//! `ask` uses it, and `app` hands it to the services that speak WebSocket or MQTT over TLS. Trusts the
//! public roots that are built in (a static binary finds no system store) and the configured file.

use crate::error::Error;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;
use std::sync::Arc;

pub use rustls::ClientConfig;

/// A file of certificates may be this large.
const CA_FILE_MAX: u64 = 1 << 20;

/// Makes the TLS client configuration; `ca_file` names certificates to trust besides the public ones.
///
/// # Errors
/// Invalid when the file cannot be read or holds no certificate.
pub fn client(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, Error> {
    // A second call finds it installed already; that is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = ca_file {
        add_file(&mut roots, path).map_err(|e| e.at("http.ca_file"))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::broken("cannot set up TLS").because(e))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Says whether a file of certificates can be used.
///
/// # Errors
/// Invalid when the file cannot be read or holds no certificate.
pub(crate) fn check(ca_file: &Path) -> Result<(), Error> {
    add_file(&mut RootCertStore::empty(), ca_file)
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), Error> {
    let bad = |what: &str| Error::invalid(format!("{} {what}", path.display()));
    let meta = std::fs::metadata(path).map_err(|e| bad("cannot be read").because(e))?;
    if meta.len() > CA_FILE_MAX {
        return Err(bad("is larger than 1 MiB"));
    }
    let text = std::fs::read(path).map_err(|e| bad("cannot be read").because(e))?;
    let mut added = 0;
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|e| bad(&format!("is no PEM file ({e})")))?;
        roots.add(certificate).map_err(|e| bad("holds a certificate that is none").because(e))?;
        added += 1;
    }
    if added == 0 {
        return Err(bad("holds no certificate (-----BEGIN CERTIFICATE-----)"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused() {
        assert!(client(None).is_ok());
        let path = std::env::temp_dir().join(format!("hearth-ca-{}", std::process::id()));
        std::fs::write(&path, "nothing here").unwrap();
        let e = client(Some(&path)).unwrap_err();
        assert!(e.to_string().contains("holds no certificate"), "{e}");
        let garbled = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(&path, garbled).unwrap();
        assert!(client(Some(&path)).unwrap_err().to_string().contains("that is none"));
        std::fs::remove_file(&path).unwrap();
        assert!(client(Some(&path)).unwrap_err().to_string().contains("cannot be read"));
    }
}
