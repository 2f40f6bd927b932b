//! The one TLS set-up of every client in Hearth: whom to trust, and with which cryptography.
//!
//! `ask` uses it, and `app` hands it to the services that speak WebSocket or MQTT over TLS. Trusts the
//! public roots that are built in (a static binary finds no system store) and the configured file.

mod pinned;
mod trusting;

use crate::error::Error;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use pinned::Pin;
pub use rustls::ClientConfig;

/// A file of certificates may be this large.
const CA_FILE_MAX: u64 = 1 << 20;

/// Makes the TLS client configuration; `ca_file` names certificates to trust besides the public ones.
///
/// # Errors
/// Invalid when the file cannot be read or holds no certificate.
pub fn client(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, Error> {
    let wish =
        Wish { ca_files: ca_file.map(Path::to_owned).into_iter().collect(), ..Wish::default() };
    wish.client().map_err(|e| e.at("http.ca_file"))
}

/// What a TLS client of one counterpart is to be.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// PEM files with certificates to trust besides the public ones.
    pub ca_files: Vec<PathBuf>,
    /// Our own certificate and its key: PEM files.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Trust whoever is there: whoever is between can then read everything.
    pub insecure: bool,
    /// Trust this certificate and no other, whatever name it has.
    pub pin: Option<Pin>,
}

impl Wish {
    /// Makes the configuration.
    ///
    /// # Errors
    /// Invalid when a file cannot be read or does not hold what it should.
    pub fn client(&self) -> Result<Arc<ClientConfig>, Error> {
        // A second call finds it installed already; that is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for path in &self.ca_files {
            add_file(&mut roots, path)?;
        }
        let provider: Arc<CryptoProvider> = rustls::crypto::ring::default_provider().into();
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::broken("cannot set up TLS").because(e))?;
        let builder = if let Some(pin) = &self.pin {
            let only = trusting::only(pin.clone(), provider);
            builder.dangerous().with_custom_certificate_verifier(only)
        } else if self.insecure {
            builder.dangerous().with_custom_certificate_verifier(trusting::anybody(provider))
        } else {
            builder.with_root_certificates(roots)
        };
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let bad = |e| Error::invalid(format!("{}: {e}", chain.display()));
                let (chain, key) = (read_chain(chain)?, read_key(key)?);
                builder.with_client_auth_cert(chain, key).map_err(bad)?
            }
        };
        Ok(Arc::new(config))
    }
}

/// Speaks TLS over `stream` with the server called `host`, a name or an IP address.
///
/// # Errors
/// What rustls says of the server's certificate, and what the network says.
pub async fn secure<S>(stream: S, config: Arc<ClientConfig>, host: &str) -> io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(config).connect(name, stream).await
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = read_file(path)?;
    let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(Error::invalid(format!(
            "{} holds no certificate (-----BEGIN CERTIFICATE-----)",
            path.display()
        ))),
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    // What rustls says of a key could show parts of it.
    PrivateKeyDer::from_pem_slice(&read_file(path)?).map_err(|_| {
        Error::invalid(format!("{} holds no key (-----BEGIN PRIVATE KEY-----)", path.display()))
    })
}

fn read_file(path: &Path) -> Result<Vec<u8>, Error> {
    let bad = |what: &str| Error::invalid(format!("{} {what}", path.display()));
    let meta = std::fs::metadata(path).map_err(|e| bad("cannot be read").because(e))?;
    if meta.len() > CA_FILE_MAX {
        return Err(bad("is larger than 1 MiB"));
    }
    std::fs::read(path).map_err(|e| bad("cannot be read").because(e))
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
    let text = read_file(path)?;
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
