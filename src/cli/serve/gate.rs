//! The gate in front of the routes: it finds the caller of a token, limits the rate and the number
//! of requests of each token and address, and writes the audit log.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use parking_lot::Mutex;

use super::audit::{AuditLog, Entry};
use super::server::Peer;
use crate::api::{ApiError, AuditDetail, Caller, ReadableTables};
use crate::cli::tokens::{Token, Tokens};
use crate::held_body::HeldBody;
use crate::time::Clock;

/// Requests with a missing or invalid token that one address may send: a burst, and then one in
/// this time.
const FAILURE_BURST: NonZeroU32 = NonZeroU32::new(30).unwrap();
const FAILURE_INTERVAL: Duration = Duration::from_secs(1);

/// Keys of a rate limiter above which those without a recent request are dropped.
const MAX_IDLE_KEYS: usize = 4_096;

/// The largest rates and numbers of requests of one token, and of one address.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests in a second, also as a burst.
    pub rate: NonZeroU32,
    /// Requests at the same time.
    pub concurrency: usize,
}

/// The state of the gate.
pub struct Gate {
    tokens: Tokens,
    pub(super) audit: AuditLog,
    limits: Limits,
    token_rate: DefaultKeyedRateLimiter<String>,
    address_rate: DefaultKeyedRateLimiter<IpAddr>,
    failure_rate: DefaultKeyedRateLimiter<IpAddr>,
    running_of_token: Running<String>,
    running_of_address: Running<IpAddr>,
}

/// An error response, with the seconds after which the caller may try again.
pub(super) struct Refusal {
    pub(super) error: ApiError,
    retry_after: Option<u64>,
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Refusal {
        Refusal { error, retry_after: None }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let is_unauthenticated = self.error.status == 401;
        let mut response = self.error.into_response();
        let headers = response.headers_mut();
        if is_unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl Gate {
    /// A gate for `tokens`.
    pub fn new(tokens: Tokens, audit: AuditLog, limits: Limits) -> Gate {
        let failures = Quota::with_period(FAILURE_INTERVAL)
            .unwrap_or_else(|| Quota::per_second(FAILURE_BURST))
            .allow_burst(FAILURE_BURST);
        Gate {
            tokens,
            audit,
            limits,
            token_rate: RateLimiter::keyed(Quota::per_second(limits.rate)),
            address_rate: RateLimiter::keyed(Quota::per_second(limits.rate)),
            failure_rate: RateLimiter::keyed(failures),
            running_of_token: Running::default(),
            running_of_address: Running::default(),
        }
    }

    /// Returns the token of the request, after the limits of its address.
    pub(super) fn authenticate(
        &self,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
    ) -> Result<Token, Refusal> {
        if let Some(peer) = peer {
            check_rate(&self.address_rate, &peer)?;
        }
        let credentials = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = credentials.and_then(bearer_token).and_then(|text| self.tokens.find(text));
        let Some(token) = token else {
            if let Some(peer) = peer {
                check_rate(&self.failure_rate, &peer)?;
            }
            return Err(unauthenticated("missing or invalid token"));
        };
        if token.is_expired(Clock::system().now()) {
            return Err(unauthenticated("the token has expired"));
        }
        check_rate(&self.token_rate, &token.name)?;
        Ok(token)
    }

    /// Counts a request of a token and an address until the returned place is dropped.
    pub(super) fn admit(&self, name: &str, peer: Option<IpAddr>) -> Result<Place, Refusal> {
        let limit = self.limits.concurrency;
        let of_token = self.running_of_token.enter(name.to_owned(), limit);
        let of_address = match peer {
            Some(peer) => self.running_of_address.enter(peer, limit).map(Some),
            None => Some(None),
        };
        match (of_token, of_address) {
            (Some(of_token), Some(of_address)) => {
                Ok(Place { _of_token: of_token, _of_address: of_address })
            }
            _ => Err(Refusal {
                error: ApiError::new(
                    429,
                    "too_many_at_once",
                    format!("this token or address has {limit} requests in progress"),
                    "Wait for one of them to end, or raise --max-concurrent.",
                ),
                retry_after: Some(1),
            }),
        }
    }
}

fn unauthenticated(message: &str) -> Refusal {
    ApiError::new(
        401,
        "unauthenticated",
        message,
        "Send the header Authorization: Bearer <token>. `gpx_oura token add` creates a token.",
    )
    .into()
}

/// The error for the token of a door at the HTTP API.
fn door_token() -> ApiError {
    let hint = "Create a token with `gpx_oura token add NAME --role read`, or admin.";
    ApiError::new(403, "door_token", "the token of a door is of no use for the HTTP API", hint)
}

/// Lets a request with a valid token pass to the routes, with its caller in the extensions.
pub async fn pass(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let (name, response) = match gate.authenticate(request.headers(), peer) {
        Err(refusal) => (None, refusal.into_response()),
        Ok(token) => {
            let admitted = gate.admit(&token.name, peer);
            let response = match (admitted, token.role.api_role()) {
                (Err(refusal), _) => refusal.into_response(),
                (Ok(_), None) => door_token().into_response(),
                (Ok(place), Some(role)) => {
                    let caller = Caller { user: token.name.clone(), role };
                    request.extensions_mut().insert(caller);
                    if let Some(tables) = &token.tables {
                        request.extensions_mut().insert(ReadableTables(Arc::new(tables.clone())));
                    }
                    let response = next.run(request).await;
                    response.map(|body| Body::new(HeldBody::new(body, place)))
                }
            };
            (Some(token.name), response)
        }
    };
    let status = response.status();
    let is_refused = matches!(
        status,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
    );
    if is_refused || is_audited(&method, &path) {
        gate.audit.record(&Entry {
            time: Clock::system().now().to_string(),
            outcome: if is_refused { "refused" } else { "allowed" },
            name: name.as_deref(),
            address: peer,
            method: method.as_str(),
            path: &path,
            status: status.as_u16(),
            detail: response.extensions().get::<AuditDetail>().map(|detail| &detail.0),
        });
    }
    response
}

/// Whether a request changes something or takes all data. Queries only read, although they are
/// POST requests.
fn is_audited(method: &Method, path: &str) -> bool {
    path.ends_with("/export") || (!method.is_safe() && !path.ends_with("/sql"))
}

fn check_rate<K: Clone + Eq + Hash>(
    limiter: &DefaultKeyedRateLimiter<K>,
    key: &K,
) -> Result<(), Refusal> {
    if limiter.len() > MAX_IDLE_KEYS {
        limiter.retain_recent();
    }
    limiter.check_key(key).map_err(|not_until| {
        let wait = not_until.wait_time_from(DefaultClock::default().now());
        Refusal {
            error: ApiError::new(
                429,
                "too_many_requests",
                "this token or address sends too many requests",
                "Wait for the time in the header Retry-After, or raise --max-requests.",
            ),
            retry_after: Some(wait.as_secs() + 1),
        }
    })
}

/// A request in progress.
pub(super) struct Place {
    _of_token: Entered<String>,
    _of_address: Option<Entered<IpAddr>>,
}

/// The number of requests in progress by key.
struct Running<K>(Arc<Mutex<HashMap<K, usize>>>);

impl<K> Default for Running<K> {
    fn default() -> Running<K> {
        Running(Arc::default())
    }
}

impl<K: Clone + Eq + Hash> Running<K> {
    /// Counts one more, or returns `None` at the limit.
    fn enter(&self, key: K, limit: usize) -> Option<Entered<K>> {
        let mut running = self.0.lock();
        let count = running.entry(key.clone()).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Entered { running: Arc::clone(&self.0), key })
    }
}

/// Counts one less when dropped.
struct Entered<K: Eq + Hash> {
    running: Arc<Mutex<HashMap<K, usize>>>,
    key: K,
}

impl<K: Eq + Hash> Drop for Entered<K> {
    fn drop(&mut self) {
        let mut running = self.running.lock();
        if let Some(count) = running.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                running.remove(&self.key);
            }
        }
    }
}

/// Returns the token of `Bearer <token>`. The scheme is case-insensitive (RFC 9110 §11.1).
fn bearer_token(credentials: &str) -> Option<&str> {
    let (scheme, token) = credentials.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
