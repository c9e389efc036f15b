//! TLS with certificates in PEM files. Rustls checks them, and HTTP/2 is the only protocol.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

/// The name of HTTP/2 in the handshake (RFC 9113 §3.2).
const HTTP2: &[u8] = b"h2";

/// Why certificates cannot be used. `Display` includes the remedy.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file has no readable certificate or key.
    #[error("{path} has no usable {content} ({detail}). Use a file in PEM format")]
    File {
        /// The file.
        path: PathBuf,
        /// The expected content.
        content: &'static str,
        /// The reason.
        detail: String,
    },
    /// Certificate and key do not belong together, or are of an unknown kind.
    #[error("the certificate and its key cannot be used: {0}")]
    Pair(#[source] tokio_rustls::rustls::Error),
}

impl TlsError {
    fn file(path: &Path, content: &'static str, detail: impl ToString) -> TlsError {
        TlsError::File { path: path.to_owned(), content, detail: detail.to_string() }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |detail: String| TlsError::file(path, "certificate", detail);
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(error.to_string()))?;
    if found.is_empty() {
        return Err(unreadable("no certificate found".to_owned()));
    }
    Ok(found)
}

/// Returns the settings of a client that trusts the authorities in `authorities`, or those of
/// Mozilla.
pub fn client_config(authorities: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    match authorities {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            for certificate in certificates(path)? {
                roots
                    .add(certificate)
                    .map_err(|error| TlsError::file(path, "certificate", error))?;
            }
        }
    }
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Pair)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![HTTP2.to_vec()];
    Ok(config)
}

/// The certificate of a server and its key. Changed files are read again for the next connection.
pub struct ServerFiles {
    certificate: PathBuf,
    key: PathBuf,
    current: Mutex<Current>,
}

struct Current {
    stamp: Stamp,
    config: Arc<ServerConfig>,
}

/// The times and sizes of both files, which differ after a renewal.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl ServerFiles {
    /// Reads both files.
    pub fn open(certificate: PathBuf, key: PathBuf) -> Result<ServerFiles, TlsError> {
        let stamp = stamp(&certificate, &key);
        let config = Arc::new(server_config(&certificate, &key)?);
        let current = Mutex::new(Current { stamp, config });
        Ok(ServerFiles { certificate, key, current })
    }

    /// Returns the settings of the present files. While they cannot be used, for example in the
    /// middle of a renewal, the previous certificate stays.
    pub fn config(&self) -> Arc<ServerConfig> {
        let stamp = stamp(&self.certificate, &self.key);
        let mut current = self.current.lock();
        if current.stamp != stamp {
            match server_config(&self.certificate, &self.key) {
                Ok(config) => current.config = Arc::new(config),
                Err(error) => tracing::error!(%error, "the renewed certificate is not used"),
            }
            current.stamp = stamp;
        }
        Arc::clone(&current.config)
    }
}

fn stamp(certificate: &Path, key: &Path) -> Stamp {
    [certificate, key].map(|path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    })
}

fn server_config(certificate: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let chain = certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| TlsError::file(key, "private key", error))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Pair)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(TlsError::Pair)?;
    config.alpn_protocols = vec![HTTP2.to_vec()];
    Ok(config)
}
