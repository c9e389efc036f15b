//! The connection to the owner: HTTP/2 over TLS. A lost connection is opened again by the next
//! call.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, Uri, uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use url::{Host, Url};

use super::tls::{TlsError, client_config};
use crate::api::ApiError;
use crate::oura::TlsFault;

/// Maximum duration of a connection's start: address, TCP, TLS and HTTP/2.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Interval of pings, which find a connection that no packet passes any more.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// How long a ping may take.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes that the owner may send ahead for one response, and for all of them.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// Size of the largest piece of a response. Larger ones cost fewer system calls.
const MAX_FRAME: u32 = 256 << 10;

/// The address of an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerAddress {
    /// `https://host:port`, or `http` without TLS.
    url: Url,
    /// The file with the authorities that sign the owner's certificate. Default: Mozilla's.
    authorities: Option<PathBuf>,
}

/// An unusable address of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerAddressError {
    /// Another form than `https://host:port`.
    Form,
    /// `http` to another machine: the token and health data would be readable on the way.
    Unencrypted,
}

impl OwnerAddress {
    /// Checks an address. Without TLS, only this machine is accepted unless `is_plain_allowed`.
    pub fn new(
        text: &str,
        authorities: Option<PathBuf>,
        is_plain_allowed: bool,
    ) -> Result<OwnerAddress, OwnerAddressError> {
        let url = Url::parse(text).map_err(|_| OwnerAddressError::Form)?;
        let is_origin = url.path() == "/"
            && url.query().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        let (true, Some(host)) = (is_origin, url.host()) else {
            return Err(OwnerAddressError::Form);
        };
        let is_local = match host {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        match url.scheme() {
            "https" => {}
            "http" if is_local || is_plain_allowed => {}
            "http" => return Err(OwnerAddressError::Unencrypted),
            _ => return Err(OwnerAddressError::Form),
        }
        Ok(OwnerAddress { url, authorities })
    }

    fn host(&self) -> String {
        // An address has no brackets outside of URLs.
        self.url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned()
    }

    fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or_default()
    }
}

/// Shows scheme, host and port.
impl std::fmt::Display for OwnerAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

/// Why a call got no response of the owner.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LinkError {
    /// No connection.
    #[error("the owner at {owner} cannot be reached: {detail}")]
    Unreachable {
        /// Its address.
        owner: String,
        /// The reason.
        detail: String,
    },
    /// The owner's certificate, or the file with its authority, is rejected.
    #[error("the certificate of the owner at {owner} cannot be checked: {detail}")]
    Certificate {
        /// Its address.
        owner: String,
        /// The reason.
        detail: String,
        /// The remedy in sentences.
        remedy: String,
    },
    /// The connection ended during the call.
    #[error("the connection to the owner at {owner} was lost during the call: {detail}")]
    Lost {
        /// Its address.
        owner: String,
        /// The reason.
        detail: String,
    },
    /// Something else listens at the address.
    #[error("no owner of Ringside answers at {owner}, but HTTP {status}")]
    NotAnOwner {
        /// Its address.
        owner: String,
        /// The HTTP status.
        status: u16,
    },
    /// The owner does not accept the token.
    #[error("the owner at {owner} rejects the token of this Grafana: {detail}")]
    Token {
        /// Its address.
        owner: String,
        /// The owner's text.
        detail: String,
    },
    /// The owner has too many calls of this door.
    #[error("the owner at {owner} is busy: {detail}")]
    Busy {
        /// Its address.
        owner: String,
        /// The owner's text.
        detail: String,
    },
}

impl From<&LinkError> for ApiError {
    fn from(error: &LinkError) -> ApiError {
        let (status, code, hint) = match error {
            LinkError::Unreachable { .. } => (
                502,
                "owner_unreachable",
                "Start `gpx_oura serve --doors`, or correct owner_url in Grafana's configuration. \
                 The plugin connects again by itself.",
            ),
            LinkError::Certificate { remedy, .. } => (502, "owner_certificate", remedy.as_str()),
            LinkError::Lost { .. } => (
                502,
                "owner_lost",
                "Try again. If it happens often, look at the owner's log and memory.",
            ),
            LinkError::NotAnOwner { .. } => (
                502,
                "not_an_owner",
                "Set owner_url to the address of `gpx_oura serve --doors`. A proxy in front of it \
                 must pass HTTP/2 and gRPC.",
            ),
            LinkError::Token { .. } => (
                502,
                "owner_token",
                "Create a token with `gpx_oura token add NAME --role door` at the owner, and set \
                 owner_token in Grafana's configuration.",
            ),
            LinkError::Busy { .. } => {
                (429, "owner_busy", "Wait for other panels to load, and try again.")
            }
        };
        ApiError::new(status, code, error.to_string(), hint)
    }
}

/// The connection to the owner. All calls share it.
pub struct Link {
    address: OwnerAddress,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sender: Option<SendRequest<Body>>,
    /// The end of the last failed attempt to connect. Calls that waited for it share it.
    failure: Option<(Instant, LinkError)>,
}

impl Link {
    /// Connects with the first call.
    pub fn new(address: OwnerAddress) -> Link {
        Link { address, state: Mutex::default() }
    }

    /// The address of the owner.
    pub fn address(&self) -> &OwnerAddress {
        &self.address
    }

    /// Sends a call, on a new connection if there is none. Its URI needs only a path.
    ///
    /// A call that the owner did not begin, because the connection had just ended, is sent again.
    pub async fn send(&self, mut request: Request<Body>) -> Result<Response<Incoming>, LinkError> {
        *request.uri_mut() = self.absolute(request.uri())?;
        loop {
            let (mut sender, is_new) = self.sender().await?;
            if sender.ready().await.is_err() && !is_new {
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(response),
                Err(mut error) => match error.take_message() {
                    Some(unsent) if !is_new => request = unsent,
                    _ => return Err(self.lost(error.error())),
                },
            }
        }
    }

    /// Returns the error for a connection that ended during a call.
    pub fn lost(&self, error: &(dyn std::error::Error + 'static)) -> LinkError {
        LinkError::Lost { owner: self.address.to_string(), detail: root_cause(error) }
    }

    fn absolute(&self, uri: &Uri) -> Result<Uri, LinkError> {
        let mut parts = uri.clone().into_parts();
        let authority = self.address.url.authority().parse();
        parts.scheme = self.address.url.scheme().parse().ok();
        parts.authority = authority.ok();
        parts.path_and_query =
            Some(parts.path_and_query.unwrap_or_else(|| uri::PathAndQuery::from_static("/")));
        Uri::from_parts(parts).map_err(|error| self.unreachable(error.to_string()))
    }

    /// Returns the connection, and whether it was opened for this call.
    async fn sender(&self) -> Result<(SendRequest<Body>, bool), LinkError> {
        let asked_at = Instant::now();
        let mut state = self.state.lock().await;
        if let Some(sender) = &state.sender
            && !sender.is_closed()
        {
            return Ok((sender.clone(), false));
        }
        state.sender = None;
        if let Some((at, error)) = &state.failure
            && *at >= asked_at
        {
            return Err(error.clone());
        }
        let connected = timeout(CONNECT_TIMEOUT, self.connect())
            .await
            .unwrap_or_else(|_| Err(self.unreachable("no response within 5 seconds".to_owned())));
        match connected {
            Ok(sender) => {
                tracing::info!(owner = %self.address, "connected to the owner");
                *state = State { sender: Some(sender.clone()), failure: None };
                Ok((sender, true))
            }
            Err(error) => {
                let is_new = state
                    .failure
                    .as_ref()
                    .is_none_or(|(_, known)| known.to_string() != error.to_string());
                if is_new {
                    tracing::error!("{error}");
                }
                state.failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn connect(&self) -> Result<SendRequest<Body>, LinkError> {
        let host = self.address.host();
        let stream = TcpStream::connect((host.as_str(), self.address.port()))
            .await
            .map_err(|error| self.unreachable(error.to_string()))?;
        // Small calls must not wait for more bytes.
        let _ = stream.set_nodelay(true);
        if self.address.url.scheme() == "http" {
            return self.start_http(stream).await;
        }
        let name = ServerName::try_from(host)
            .map_err(|error| self.certificate(error.to_string(), "Correct owner_url."))?;
        let config =
            client_config(self.address.authorities.as_deref()).map_err(|error: TlsError| {
                self.certificate(error.to_string(), "Correct the file of owner_ca.")
            })?;
        let connector = TlsConnector::from(Arc::new(config));
        let stream =
            connector.connect(name, stream).await.map_err(|error| {
                match TlsFault::find(&error) {
                    Some(fault) => self.certificate(
                        fault.describe(&self.address.host()),
                        &fault.remedy("owner_ca", "owner_url"),
                    ),
                    None => self.unreachable(error.to_string()),
                }
            })?;
        self.start_http(stream).await
    }

    async fn start_http<S>(&self, stream: S) -> Result<SendRequest<Body>, LinkError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(MAX_FRAME)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.unreachable(root_cause(&error)))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the owner ended");
            }
        });
        Ok(sender)
    }

    fn unreachable(&self, detail: String) -> LinkError {
        LinkError::Unreachable { owner: self.address.to_string(), detail }
    }

    fn certificate(&self, detail: String, remedy: &str) -> LinkError {
        let owner = self.address.to_string();
        LinkError::Certificate { owner, detail, remedy: remedy.to_owned() }
    }
}

/// The text of the innermost reason: hyper's own texts are general.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_reached_without_encryption() {
        let check = |text, is_plain_allowed| {
            OwnerAddress::new(text, None, is_plain_allowed).map(|address| address.to_string())
        };
        for text in ["https://owner:8790", "http://127.0.0.1:8790", "http://[::1]:8790"] {
            assert_eq!(check(text, false).as_deref(), Ok(text));
        }
        for text in ["http://owner:8790", "http://10.0.0.1:8790", "http://localhost.example:1"] {
            assert_eq!(check(text, false), Err(OwnerAddressError::Unencrypted), "{text}");
            assert!(check(text, true).is_ok(), "{text}");
        }
        let others = ["owner:8790", "ftp://owner", "https://owner/api", "https://u:p@owner", ""];
        for text in others {
            assert_eq!(check(text, true), Err(OwnerAddressError::Form), "{text}");
        }
    }
}
