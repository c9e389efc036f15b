//! The client for Oura's data API: fetches pages of a collection, with retries.

mod attempt;
mod token_trust;

#[cfg(test)]
pub(super) mod tests;

use std::sync::Arc;

use parking_lot::Mutex;
use url::Url;

use self::attempt::AttemptError;
use self::token_trust::{Bearer, TokenTrust};
use super::backoff::Backoff;
use super::counters::{Counters, RequestCounts, ResponseCount, increment};
use super::{AccessTokens, FetchError, Origins, Page, Range, RateGate, join_path};
use crate::catalog::Collection;
use crate::time::Clock;

/// Retries after a network error, an incomplete response or a 5xx.
const MAX_FAILURE_RETRIES: u32 = 3;
/// Retries after a 429.
const MAX_RATE_LIMIT_RETRIES: u32 = 5;

/// Oura's data API for one person. Cheap to clone; clones share counters and tokens.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    http: reqwest::Client,
    origins: Origins,
    tokens: Arc<dyn AccessTokens>,
    clock: Clock,
    gate: Arc<RateGate>,
    counters: Counters,
    trust: Mutex<TokenTrust>,
}

impl Client {
    /// Creates a client that sends the access tokens from `tokens`. All clients of an application
    /// share `gate`.
    pub fn new(
        http: reqwest::Client,
        origins: Origins,
        tokens: Arc<dyn AccessTokens>,
        clock: Clock,
        gate: Arc<RateGate>,
    ) -> Client {
        let shared = Shared {
            http,
            origins,
            tokens,
            clock,
            gate,
            counters: Counters::default(),
            trust: Mutex::default(),
        };
        Client { shared: Arc::new(shared) }
    }

    /// Fetches one page. `range` is ignored by collections without one; `token` is the
    /// `next_token` of the previous page, if there is one.
    ///
    /// Returns after all retries, which can take many minutes while the rate limit is exhausted.
    /// Dropping the future is safe at any time.
    pub async fn page(
        &self,
        collection: &Collection,
        range: Range,
        token: Option<&str>,
    ) -> Result<Page, FetchError> {
        let url = self.page_url(collection, range, token);
        let shared = &*self.shared;
        let mut bearer = Bearer::new(shared.tokens.access_token().await?);
        let mut failures = 0;
        let mut rate_limits = 0;
        loop {
            let place = shared.gate.pass(&shared.clock).await;
            let outcome = self.attempt(collection, url.clone(), &bearer.token).await;
            drop(place);
            match outcome {
                Ok(page) if token.is_some() && page.next_token.as_deref() == token => {
                    return Err(FetchError::Malformed {
                        detail: "a page has its own token as next_token".to_owned(),
                    });
                }
                Ok(page) => return Ok(page),
                Err(AttemptError::Permanent(error)) => return Err(error),
                Err(AttemptError::Transient(error)) => {
                    if failures == MAX_FAILURE_RETRIES {
                        return Err(error);
                    }
                    failures += 1;
                    shared.clock.sleep(Backoff::FAILURE.after(failures)).await;
                }
                Err(AttemptError::RateLimited { retry_after }) => {
                    if rate_limits == MAX_RATE_LIMIT_RETRIES {
                        return Err(FetchError::RateLimited);
                    }
                    rate_limits += 1;
                    let pause =
                        retry_after.unwrap_or_else(|| Backoff::RATE_LIMIT.after(rate_limits));
                    let seconds = pause.as_secs_f64().ceil() as i64;
                    shared.gate.close_until(shared.clock.now().plus(seconds));
                }
                Err(AttemptError::Unauthorized { detail }) => {
                    bearer = self.replace_token(collection, bearer, detail).await?;
                }
            }
            increment(&shared.counters.retries);
        }
    }

    /// Returns the requests of this client and its clones.
    pub fn request_counts(&self) -> RequestCounts {
        self.shared.counters.request_counts()
    }

    /// Returns the responses to this client and its clones, by collection and status.
    pub fn response_counts(&self) -> Vec<ResponseCount> {
        self.shared.counters.response_counts()
    }

    fn page_url(&self, collection: &Collection, range: Range, token: Option<&str>) -> Url {
        let mut url = join_path(&self.shared.origins.api, &collection.path);
        for (name, value) in range.query_parameters(collection.style) {
            url.query_pairs_mut().append_pair(name, &value);
        }
        if let Some(token) = token {
            url.query_pairs_mut().append_pair("next_token", token);
        }
        url
    }
}
