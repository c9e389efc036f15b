//! Fetching pages of a collection: retries, rate limit, and what each status means.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::{AccessTokens, Origins};
use crate::catalog::Collection;
use crate::time::{Clock, Instant};

/// One page of a collection as it came.
#[derive(Debug)]
pub struct Page {
    /// Each document's own text, byte for byte.
    pub documents: Vec<Box<RawValue>>,
    /// None on the last page. Empty tokens and tokens that repeat are treated by the client (an error), never returned twice.
    pub next_token: Option<String>,
}

/// The range of one request, both ends as asked (Oura's ends are inclusive in some collections, exclusive in others).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub from: Instant,
    pub to: Instant,
}

/// Oura's API for one person. Cheap to clone; clones share the rate limit.
#[derive(Clone)]
pub struct Client {
    _inner: Arc<()>,
}

/// What a request came to, in the words of what to do next. `Display` is for people and names the remedy.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// 401 or 403 that names a scope: this collection needs another consent; the others go on.
    #[error("the scope {scope:?} is not granted; connect again and leave it ticked")]
    ScopeMissing { scope: String },
    /// Another 403: membership ended or no permission.
    #[error("Oura refused access: {detail}")]
    Forbidden { detail: String },
    /// 404: Oura does not offer this collection (here, now).
    #[error("Oura does not offer this collection")]
    NotAvailable,
    /// 426: the person's mobile app is too old for this data.
    #[error("the Oura app on the phone is too old for this data; update it")]
    AppTooOld,
    /// 400 or 422: the request itself was refused, most likely its range.
    #[error("Oura refused the request: {detail}")]
    Rejected { status: u16, detail: String },
    /// The login is over: nothing can be fetched until the person connects again.
    #[error(transparent)]
    Login(#[from] super::TokenError),
    /// Still 429 after waiting as told, several times.
    #[error("Oura's rate limit is exhausted; the next sync tries again")]
    RateLimited,
    /// Still 5xx after retries.
    #[error("Oura answers {status}; the next sync tries again")]
    Server { status: u16 },
    /// No answer, or not all of it, after retries.
    #[error("Oura could not be reached: {detail}")]
    Network { detail: String },
    /// An answer that is no page of documents, or pages that never end.
    #[error("Oura's answer makes no sense: {detail}")]
    Malformed { detail: String },
}

impl Client {
    pub fn new(http: reqwest::Client, origins: Origins, tokens: Arc<dyn AccessTokens>, clock: Clock) -> Client {
        let _ = (http, origins, tokens, clock);
        todo!()
    }

    /// Fetches one page. `range` is ignored by collections that take none; `token` is the last page's `next_token`.
    pub async fn page(&self, collection: &Collection, range: Range, token: Option<&str>) -> Result<Page, FetchError> {
        let _ = (collection, range, token);
        todo!()
    }
}
