//! What the simulator was asked, for those who want to know afterwards.

use std::collections::BTreeMap;

use crate::time::Instant;

/// One request and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub at: Instant,
    pub method: String,
    pub path: String,
    /// The query string as sent, without the question mark.
    pub query: String,
    pub status: u16,
    /// Whether a fault took the answer, or a part of it, from the one who asked.
    pub spoilt: bool,
}

impl Request {
    /// The collection that was asked for, unless the path is another.
    pub fn collection(&self) -> Option<&str> {
        self.path.strip_prefix("/v2/usercollection/")?.split('/').next()
    }

    /// The value of a parameter of the query string, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}

/// Something a well-behaved client never does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Violation {
    RefreshTokenReused,
    CodeReused,
    NoUserAgent,
}

/// A copy of everything asked so far.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    requests: Vec<Request>,
    violations: BTreeMap<Violation, usize>,
}

impl Journal {
    /// Every request in the order of its answer.
    pub fn log(&self) -> &[Request] {
        &self.requests
    }

    /// How many requests each path had.
    pub fn by_path(&self) -> BTreeMap<&str, usize> {
        self.requests.iter().fold(BTreeMap::new(), |mut counts, request| {
            *counts.entry(request.path.as_str()).or_default() += 1;
            counts
        })
    }

    pub fn count(&self, path: &str) -> usize {
        self.requests.iter().filter(|request| request.path == path).count()
    }

    /// How many requests got this status.
    pub fn count_status(&self, status: u16) -> usize {
        self.requests.iter().filter(|request| request.status == status).count()
    }

    pub fn violations(&self, of: Violation) -> usize {
        self.violations.get(&of).copied().unwrap_or_default()
    }

    /// Adds a request; the answer is its number.
    pub(super) fn record(&mut self, request: Request) -> usize {
        self.requests.push(request);
        self.requests.len()
    }

    pub(super) fn violated(&mut self, violation: Violation) {
        *self.violations.entry(violation).or_default() += 1;
    }
}
