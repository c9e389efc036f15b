//! A journal of the simulator's requests, for tests.

use std::collections::BTreeMap;

use crate::time::Instant;

/// A request and its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// When the simulator responded.
    pub at: Instant,
    /// The HTTP method.
    pub method: String,
    /// The path without the query string.
    pub path: String,
    /// The query string as sent, without the question mark.
    pub query: String,
    /// The response's HTTP status.
    pub status: u16,
    /// Whether a fault withheld or damaged the response.
    pub spoilt: bool,
}

impl Request {
    /// The requested collection, or `None` for other paths.
    pub fn collection(&self) -> Option<&str> {
        self.path.strip_prefix("/v2/usercollection/")?.split('/').next()
    }

    /// The decoded value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}

/// A mistake of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Violation {
    /// The client used a refresh token twice.
    RefreshTokenReused,
    /// The client used an authorization code twice.
    CodeReused,
    /// The request has no `User-Agent`.
    NoUserAgent,
}

/// The requests and violations so far.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    requests: Vec<Request>,
    violations: BTreeMap<Violation, usize>,
}

impl Journal {
    /// All requests in the order of the responses.
    pub fn log(&self) -> &[Request] {
        &self.requests
    }

    /// Number of requests by path.
    pub fn by_path(&self) -> BTreeMap<&str, usize> {
        self.requests.iter().fold(BTreeMap::new(), |mut counts, request| {
            *counts.entry(request.path.as_str()).or_default() += 1;
            counts
        })
    }

    /// Number of requests to `path`.
    pub fn count(&self, path: &str) -> usize {
        self.requests.iter().filter(|request| request.path == path).count()
    }

    /// Number of responses with `status`.
    pub fn count_status(&self, status: u16) -> usize {
        self.requests.iter().filter(|request| request.status == status).count()
    }

    /// Number of violations of this kind.
    pub fn violations(&self, of: Violation) -> usize {
        self.violations.get(&of).copied().unwrap_or_default()
    }

    /// Adds a request. Returns the number of requests so far.
    pub(super) fn record(&mut self, request: Request) -> usize {
        self.requests.push(request);
        self.requests.len()
    }

    pub(super) fn violated(&mut self, violation: Violation) {
        *self.violations.entry(violation).or_default() += 1;
    }
}
