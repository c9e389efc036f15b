//! One request without retries, and the classification of its outcome.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::{RETRY_AFTER, USER_AGENT};
use url::Url;

use super::Client;
use crate::blocking::blocking;
use crate::catalog::Collection;
use crate::oura::counters::increment;
use crate::oura::page::PageError;
use crate::oura::response::{self, BodyError};
use crate::oura::scope::find_missing_scope;
use crate::oura::{FetchError, NetworkError, Page, Secret, StatusClass, http};

/// The longest page, decompressed. A page of a thousand long nights has about 30 MiB.
const MAX_PAGE_BYTES: usize = 64 * 1024 * 1024;
/// The longest error response.
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// The longest pause that a `Retry-After` can impose, in seconds.
const MAX_RETRY_AFTER: u64 = 15 * 60;

/// Why one attempt did not return a page.
pub(super) enum AttemptError {
    /// A retry returns the same.
    Permanent(FetchError),
    /// A retry may succeed. Holds the error for the last retry.
    Transient(FetchError),
    /// 429, with the pause from its `Retry-After`.
    RateLimited { retry_after: Option<Duration> },
    /// 401 that names no scope.
    Unauthorized { detail: String },
}

impl Client {
    /// Sends one request and parses its page.
    pub(super) async fn attempt(
        &self,
        collection: &Collection,
        url: Url,
        token: &Secret,
    ) -> Result<Page, AttemptError> {
        let counters = &self.shared.counters;
        increment(&counters.requests);
        let request = self.shared.http.get(url).bearer_auth(token.reveal());
        let response = match request.header(USER_AGENT, http::USER_AGENT).send().await {
            Ok(response) => response,
            Err(error) => {
                increment(&counters.broken);
                counters.count_response(&collection.name, None);
                return Err(NetworkError::from(error).into());
            }
        };
        let status = response.status().as_u16();
        counters.count_response(&collection.name, Some(status));
        if StatusClass::of(status) != StatusClass::Page {
            return Err(self.classify_error_response(collection, response, token).await);
        }
        let page = match response::read_body(response, MAX_PAGE_BYTES).await {
            Ok(body) => {
                let style = collection.style;
                blocking(move || Page::parse(style, &body)).await.map_err(AttemptError::from)
            }
            Err(error) => Err(error.into()),
        };
        match page {
            Ok(page) => {
                increment(&counters.pages);
                self.trust().accepted = Some(token.clone());
                Ok(page)
            }
            Err(error) => {
                increment(&counters.broken);
                Err(error)
            }
        }
    }

    /// Maps a response without a page to an error, and counts it.
    async fn classify_error_response(
        &self,
        collection: &Collection,
        response: Response,
        token: &Secret,
    ) -> AttemptError {
        let status = response.status().as_u16();
        let class = StatusClass::of(status);
        let retry_after = parse_retry_after(&response);
        // The status alone decides most cases. An unreadable body only loses the detail.
        let body = response::read_body(response, MAX_ERROR_BYTES).await.unwrap_or_default();
        let counters = &self.shared.counters;
        increment(match class {
            StatusClass::RateLimited => &counters.rate_limited,
            StatusClass::Transient => &counters.failed,
            StatusClass::Page | StatusClass::Unexpected => &counters.broken,
            _ => &counters.refused,
        });
        let message = response::error_detail(&body, &[token]);
        if matches!(class, StatusClass::Unauthorized | StatusClass::Forbidden)
            && let Some(scope) = find_missing_scope(&message, collection.scope)
        {
            return AttemptError::Permanent(FetchError::MissingScope { scope });
        }
        let detail = if message.is_empty() { format!("HTTP status {status}") } else { message };
        match class {
            StatusClass::Unauthorized => AttemptError::Unauthorized { detail },
            StatusClass::Forbidden => AttemptError::Permanent(FetchError::from_forbidden(detail)),
            StatusClass::Rejected => {
                AttemptError::Permanent(FetchError::Rejected { status, detail })
            }
            StatusClass::NotAvailable => AttemptError::Permanent(FetchError::NotAvailable),
            StatusClass::AppTooOld => AttemptError::Permanent(FetchError::AppTooOld),
            StatusClass::RateLimited => AttemptError::RateLimited { retry_after },
            StatusClass::Transient => AttemptError::Transient(FetchError::Server { status }),
            StatusClass::Page | StatusClass::Unexpected => {
                let detail = format!("unexpected HTTP status {status}");
                AttemptError::Permanent(FetchError::Malformed { detail })
            }
        }
    }
}

impl From<NetworkError> for AttemptError {
    fn from(error: NetworkError) -> AttemptError {
        if error.is_permanent() {
            AttemptError::Permanent(FetchError::Network(error))
        } else {
            AttemptError::Transient(FetchError::Network(error))
        }
    }
}

impl From<BodyError> for AttemptError {
    fn from(error: BodyError) -> AttemptError {
        match error {
            BodyError::Incomplete { error, .. } => error.into(),
            BodyError::TooLong { limit } => {
                let detail = format!("a page of more than {limit} bytes");
                AttemptError::Permanent(FetchError::Malformed { detail })
            }
        }
    }
}

impl From<PageError> for AttemptError {
    fn from(error: PageError) -> AttemptError {
        match error {
            PageError::Syntax { detail } => {
                AttemptError::Transient(FetchError::Malformed { detail })
            }
            PageError::Shape { detail } => {
                AttemptError::Permanent(FetchError::Malformed { detail })
            }
        }
    }
}

/// Parses `Retry-After` in seconds (RFC 9110 §10.2.3). Oura does not use the form with a date.
fn parse_retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let seconds: u64 = text.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.clamp(1, MAX_RETRY_AFTER)))
}
