//! The HTTP client for Oura's API and login.

use std::ffi::OsString;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use reqwest::Certificate;

/// A boxed future, for traits that are used as trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The user agent of every request, including the login. Oura rejects requests without one since
/// API version 1.43.
pub const USER_AGENT: &str = concat!("ringside-oura-datasource/", env!("CARGO_PKG_VERSION"));

/// The time limit from a request to the last byte of its response: enough for the largest page on a
/// slow line.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);

/// The setting with a file of further certificate authorities.
pub const CA_FILE: &str = "GF_PLUGIN_CA_FILE";
/// The variables of OpenSSL for the same: a file, and folders of files.
const OPENSSL_FILE: &str = "SSL_CERT_FILE";
const OPENSSL_FOLDERS: &str = "SSL_CERT_DIR";

/// Why the HTTP client could not be created.
#[derive(Debug, thiserror::Error)]
pub enum HttpClientError {
    /// The setting names a file without certificates.
    #[error(
        "{CA_FILE}={path} contains no readable certificate ({detail}). Set it to a file with \
         certificates in PEM format"
    )]
    CertificateFile {
        /// The file.
        path: PathBuf,
        /// The reason.
        detail: String,
    },
    /// Any other reason.
    #[error("The HTTP client could not be created: {0}")]
    Client(#[from] reqwest::Error),
}

/// Creates the HTTP client for all requests to Oura.
///
/// - Redirects are not followed: they would carry a client secret or a token to another address.
/// - A connection must be established within 10 seconds.
/// - A read fails after 30 seconds without data, and a request after [`REQUEST_TIMEOUT`].
/// - The certificate authorities of Mozilla are trusted, and those in the file of the setting
///   `ca_file`, in `SSL_CERT_FILE` and in the folders of `SSL_CERT_DIR`.
pub fn http_client() -> Result<reqwest::Client, HttpClientError> {
    http_client_with_timeout(REQUEST_TIMEOUT)
}

/// Creates a client like [`http_client`] with another limit than [`REQUEST_TIMEOUT`].
pub fn http_client_with_timeout(timeout: Duration) -> Result<reqwest::Client, HttpClientError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(Duration::from_secs(30))
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none());
    for authority in private_authorities(|name| std::env::var_os(name))? {
        builder = builder.add_root_certificate(authority);
    }
    Ok(builder.build()?)
}

/// Returns the certificate authorities that `variable` names. An unreadable file is an error only
/// in the setting: the other variables may be meant for other programs.
fn private_authorities(
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Vec<Certificate>, HttpClientError> {
    let mut authorities = Vec::new();
    if let Some(path) = variable(CA_FILE).map(PathBuf::from).filter(|path| path != Path::new("")) {
        authorities = read_certificates(&path)
            .map_err(|detail| HttpClientError::CertificateFile { path, detail })?;
    }
    let file = variable(OPENSSL_FILE).map(PathBuf::from);
    let folders = variable(OPENSSL_FOLDERS).unwrap_or_default();
    let in_folders = std::env::split_paths(&folders)
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file());
    for path in file.into_iter().chain(in_folders) {
        match read_certificates(&path) {
            Ok(certificates) => authorities.extend(certificates),
            Err(detail) => tracing::warn!(path = %path.display(), detail, "no certificates read"),
        }
    }
    Ok(authorities)
}

/// Reads a file in PEM format. Returns the reason if it contains no certificate.
fn read_certificates(path: &Path) -> Result<Vec<Certificate>, String> {
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    match Certificate::from_pem_bundle(&text) {
        Ok(certificates) if certificates.is_empty() => Err("no certificate found".to_owned()),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A self-signed certificate without an owner.
    const AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----
MIIBiTCCAS+gAwIBAgIUCuRBVJfKcTpxbVvQ14FZ7bP48FwwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOVGVzdCBhdXRob3JpdHkwIBcNMjYxMTI2MDEwMDQ5WhgPMjEy
NjExMDIwMTAwNDlaMBkxFzAVBgNVBAMMDlRlc3QgYXV0aG9yaXR5MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEBJUBfgMaI9KNnNiULTQYB1HGN/u56fC2G7Jui12n
n4pW3VZ4eBIb4vnRN9pKZq8T8RN+l61mt3/L/hizYUXseaNTMFEwHQYDVR0OBBYE
FLLdsV9ZnSvvFaUi54N/AGyvhdnKMB8GA1UdIwQYMBaAFLLdsV9ZnSvvFaUi54N/
AGyvhdnKMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAI3eU/Wt
9JyO4u3e12CqUiSNdgnxcTBd/qE3I8UOQmYzAiBbRZiMG1ClwA11FSt5bqgoodCh
wfzzZl3vY0PChr61YA==
-----END CERTIFICATE-----
";

    #[test]
    fn certificates_come_from_the_setting_and_the_usual_variables() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, AUTHORITY.repeat(2)).unwrap();
        std::fs::write(folder.path().join("README"), "no certificate").unwrap();
        for (name, value, count) in [
            (CA_FILE, path.as_os_str(), 2),
            (OPENSSL_FILE, path.as_os_str(), 2),
            (OPENSSL_FOLDERS, folder.path().as_os_str(), 2),
            (OPENSSL_FILE, "/no/file".as_ref(), 0),
            (OPENSSL_FOLDERS, "/no/folder:/neither".as_ref(), 0),
            (CA_FILE, "".as_ref(), 0),
        ] {
            let read = private_authorities(|asked| (asked == name).then(|| value.to_owned()));
            assert_eq!(read.unwrap().len(), count, "{name}={value:?}");
        }
    }

    #[test]
    fn setting_without_a_certificate_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in [("missing", None), ("empty", Some("")), ("odd", Some("text"))] {
            let path = folder.path().join(name);
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
            }
            let read = private_authorities(|asked| (asked == CA_FILE).then(|| path.clone().into()));
            let error = read.unwrap_err().to_string();
            assert!(error.contains(path.to_str().unwrap()) && error.contains("PEM"), "{error}");
        }
    }
}
