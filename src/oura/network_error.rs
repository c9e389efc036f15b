//! Requests without a complete response, and the reasons why TLS refuses a server.

use std::error::Error;
use std::fmt;
use std::io;

use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::{self, CertificateError};

use super::CA_FILE;
use crate::format::one_line;
use crate::os::{self, RAISE_FILE_LIMIT};
use crate::time::Instant;

/// The longest description of a failed request, in characters.
const MAX_DETAIL_CHARS: usize = 200;

/// Why a request got no complete response. `Display` names the cause, and the remedy if it is not
/// the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkError {
    /// The cause, without the address, which may contain a token.
    detail: String,
    /// The remedy that follows from the cause.
    remedy: Option<String>,
    /// Whether another request ends in the same way.
    is_permanent: bool,
}

impl NetworkError {
    /// An error without a remedy of its own.
    pub fn new(detail: impl Into<String>) -> NetworkError {
        NetworkError { detail: detail.into(), remedy: None, is_permanent: false }
    }

    /// The cause without its remedy.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The remedy as a sentence. `None` for faults of the network.
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }

    /// Whether another request ends in the same way, because a person has to change something.
    pub(super) fn is_permanent(&self) -> bool {
        self.is_permanent
    }
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        match &self.remedy {
            Some(remedy) => write!(f, ". {}", remedy.trim_end_matches('.')),
            None => Ok(()),
        }
    }
}

impl From<reqwest::Error> for NetworkError {
    fn from(error: reqwest::Error) -> NetworkError {
        if causes(&error).any(is_out_of_files) {
            return NetworkError {
                detail: "too many files are open in this process".to_owned(),
                remedy: Some(RAISE_FILE_LIMIT.to_owned()),
                is_permanent: false,
            };
        }
        let host = error.url().and_then(|url| url.host_str()).unwrap_or("Oura").to_owned();
        if let Some(fault) = TlsFault::find(&error) {
            return NetworkError {
                detail: one_line(&fault.describe(&host), MAX_DETAIL_CHARS),
                remedy: Some(fault.remedy(&format!("ca_file ({CA_FILE})"), "oura_url")),
                is_permanent: fault.is_permanent(),
            };
        }
        NetworkError::new(describe(error))
    }
}

/// Returns `error` and its causes.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let next = |error: &&'a (dyn Error + 'static)| -> Option<&'a (dyn Error + 'static)> {
        let error: &'a (dyn Error + 'static) = *error;
        // The source of an I/O error leaves out the error that it wraps.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    };
    std::iter::successors(Some(error), next)
}

fn is_out_of_files(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref().is_some_and(os::is_out_of_files)
}

/// Describes a failed request with its causes.
fn describe(error: reqwest::Error) -> String {
    if error.is_timeout() && error.is_connect() {
        return "the connection timed out".to_owned();
    }
    if error.is_timeout() {
        return "the response timed out".to_owned();
    }
    let error = error.without_url();
    let mut causes = Vec::new();
    let mut cause: Option<&dyn Error> = Some(&error);
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    one_line(&causes.join(": "), MAX_DETAIL_CHARS)
}

/// Why TLS refuses a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// No known authority signed the certificate.
    UnknownAuthority,
    /// The certificate has expired, or the clock of this machine is wrong.
    Expired {
        /// The end of its validity.
        end: Option<Instant>,
        /// The clock of this machine.
        now: Option<Instant>,
    },
    /// The certificate is not valid yet, or the clock of this machine is wrong.
    NotValidYet {
        /// The start of its validity.
        start: Option<Instant>,
        /// The clock of this machine.
        now: Option<Instant>,
    },
    /// The certificate belongs to other names.
    OtherName {
        /// The names in the certificate. Text of strangers.
        names: Vec<String>,
    },
    /// Any other fault of the certificate.
    Certificate {
        /// The fault.
        detail: String,
    },
    /// The server does not speak TLS, or no version or algorithm of this program.
    Protocol {
        /// The fault.
        detail: String,
    },
}

impl TlsFault {
    /// Finds a fault of TLS among the causes of `error`.
    pub fn find(error: &(dyn Error + 'static)) -> Option<TlsFault> {
        causes(error).find_map(|cause| cause.downcast_ref()).and_then(TlsFault::of)
    }

    fn of(error: &rustls::Error) -> Option<TlsFault> {
        match error {
            rustls::Error::InvalidCertificate(error) => Some(TlsFault::of_certificate(error)),
            rustls::Error::NoCertificatesPresented => {
                Some(TlsFault::Certificate { detail: "the server sent none".to_owned() })
            }
            rustls::Error::InvalidMessage(_)
            | rustls::Error::PeerIncompatible(_)
            | rustls::Error::AlertReceived(_) => {
                Some(TlsFault::Protocol { detail: error.to_string() })
            }
            _ => None,
        }
    }

    fn of_certificate(error: &CertificateError) -> TlsFault {
        match error {
            // An authority of the same name signed with another key, for example a renewed one.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                TlsFault::UnknownAuthority
            }
            CertificateError::Expired => TlsFault::Expired { end: None, now: None },
            CertificateError::ExpiredContext { time, not_after } => {
                TlsFault::Expired { end: instant(*not_after), now: instant(*time) }
            }
            CertificateError::NotValidYet => TlsFault::NotValidYet { start: None, now: None },
            CertificateError::NotValidYetContext { time, not_before } => {
                TlsFault::NotValidYet { start: instant(*not_before), now: instant(*time) }
            }
            CertificateError::NotValidForName => TlsFault::OtherName { names: Vec::new() },
            CertificateError::NotValidForNameContext { presented, .. } => {
                TlsFault::OtherName { names: presented.clone() }
            }
            error => TlsFault::Certificate { detail: error.to_string() },
        }
    }

    /// Describes the fault of the server `host`.
    pub fn describe(&self, host: &str) -> String {
        let clock = |now: &Option<Instant>| {
            now.map_or_else(String::new, |now| format!(", and this machine has the time {now}"))
        };
        let bound = |word: &str, at: &Option<Instant>| {
            at.map_or_else(String::new, |at| format!(": it is valid {word} {at}"))
        };
        match self {
            TlsFault::UnknownAuthority => {
                format!("no known certificate authority signed the certificate of {host}")
            }
            TlsFault::Expired { end, now } => {
                format!(
                    "the certificate of {host} has expired{}{}",
                    bound("until", end),
                    clock(now)
                )
            }
            TlsFault::NotValidYet { start, now } => {
                let start = bound("from", start);
                format!("the certificate of {host} is not valid yet{start}{}", clock(now))
            }
            TlsFault::OtherName { names } if names.is_empty() => {
                format!("the certificate of {host} has another name")
            }
            TlsFault::OtherName { names } => {
                format!("the certificate of {host} has other names: {}", names.join(", "))
            }
            TlsFault::Certificate { detail } => {
                format!("the certificate of {host} is not accepted: {detail}")
            }
            TlsFault::Protocol { detail } => format!("no TLS connection to {host}: {detail}"),
        }
    }

    /// Returns the remedy in sentences. `authority_setting` adds a certificate authority, and
    /// `address_setting` has the address of the server.
    pub fn remedy(&self, authority_setting: &str, address_setting: &str) -> String {
        match self {
            TlsFault::UnknownAuthority => format!(
                "If a proxy inspects TLS, or the server has a private certificate authority, set \
                 {authority_setting} to the file of that authority."
            ),
            TlsFault::Expired { .. } => "Correct the date of this machine if it is wrong. \
                                         Otherwise the server or proxy needs a new certificate."
                .to_owned(),
            TlsFault::NotValidYet { .. } => {
                "Correct the date of this machine, best with NTP.".to_owned()
            }
            TlsFault::OtherName { .. } => format!(
                "Another server may answer: check DNS and the proxy of this machine. Use a name of \
                 the certificate in {address_setting} if that is set."
            ),
            TlsFault::Certificate { .. } => {
                "The server, or the proxy that inspects TLS, needs another certificate.".to_owned()
            }
            TlsFault::Protocol { .. } => format!(
                "Check the proxy of this machine, and {address_setting} if it is set. The server \
                 must offer TLS 1.2 or 1.3."
            ),
        }
    }

    /// Whether the fault is one of the certificate. A fault of the protocol can be a broken
    /// connection.
    fn is_permanent(&self) -> bool {
        !matches!(self, TlsFault::Protocol { .. })
    }
}

fn instant(time: UnixTime) -> Option<Instant> {
    i64::try_from(time.as_secs()).ok().map(Instant)
}
