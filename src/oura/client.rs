//! Fetching a page of a collection: one request, repeated where that may help, and what its answer means.

#[cfg(test)]
pub(super) mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::answer::{self, BodyError};
use super::meaning::{Meaning, meaning, missing_scope};
use super::pace::{AnswerCount, Backoff, Counters, Gate, RequestCounts, count};
use super::{AccessTokens, Origins, Pages, Secret, USER_AGENT, below};
use crate::catalog::{Collection, Style};
use crate::time::{Clock, Instant, Tz};

/// The longest page, decompressed: a thousand long nights are some 30 MiB.
const PAGE_LIMIT: usize = 64 * 1024 * 1024;
/// As much of an error answer as is read.
const ERROR_LIMIT: usize = 64 * 1024;
/// Whose ring it is; every token may read that, whatever its scopes.
const OPEN_TO_ANY: &str = "/v2/usercollection/personal_info";
/// How often a request is repeated after no answer, a broken one, or a 5xx.
const RETRIES: u32 = 3;
/// How often a request is repeated after a 429.
const RATE_LIMIT_RETRIES: u32 = 5;
/// The longest pause that a `Retry-After` can demand.
const MAX_PAUSE: u64 = 15 * 60;

/// One page of a collection as it came.
#[derive(Debug)]
pub struct Page {
    /// Each document's own text, byte for byte.
    pub documents: Vec<Box<RawValue>>,
    /// None on the last page; never empty, never the token that asked for this page.
    pub next_token: Option<String>,
}

/// The range of one request, both ends as asked (Oura's ends are inclusive in some collections, exclusive in others). Collections that are
/// asked by date get the UTC days of both; an end in the last second of its day is told with its time, which takes the day in where ends
/// are exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub from: Instant,
    pub to: Instant,
}

/// Oura's API for one person. Cheap to clone; clones share the rate limit.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    http: reqwest::Client,
    origins: Origins,
    tokens: Arc<dyn AccessTokens>,
    clock: Clock,
    gate: Gate,
    counters: Counters,
    trust: Mutex<Trust>,
}

/// What a 401 without a scope means is known only from what else a token could and could not do.
#[derive(Default)]
struct Trust {
    /// The last token that opened anything.
    accepted: Option<Secret>,
    /// By collection, a token that it refused although it was fresh: another would not help, but burn one refresh token after the other.
    refused: HashMap<String, Secret>,
}

/// What a request came to, in the words of what to do next. `Display` is for people and names the remedy.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// 401 or 403 that names a scope: this collection needs another consent; the others go on.
    #[error("the scope {scope:?} is not granted; connect again and leave it ticked")]
    ScopeMissing { scope: String },
    /// 403 that speaks of the membership: without one, most rings' data are closed.
    #[error(
        "the membership at Oura has ended ({detail}); an active one opens this again, every sync asks"
    )]
    MembershipEnded { detail: String },
    /// Another 403, or a 401 that a fresh token does not mend.
    #[error("Oura refused access: {detail}; every sync asks again")]
    Forbidden { detail: String },
    /// 404: Oura does not offer this collection (here, now).
    #[error("Oura does not offer this collection here; nothing can be done, every sync asks again")]
    NotAvailable,
    /// 426: the person's mobile app is too old for this data.
    #[error("the Oura app on the phone is too old for this data; update it")]
    AppTooOld,
    /// 400 or 422: the request itself was refused, most likely its range.
    #[error("Oura refused the request: {detail}; the next sync tries again")]
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
    #[error("Oura could not be reached: {detail}; the next sync tries again")]
    Network { detail: String },
    /// An answer that is no page of documents, or pages that never end.
    #[error("Oura's answer makes no sense: {detail}; the next sync tries again")]
    Malformed { detail: String },
}

/// How one attempt ended without a page.
enum Failure {
    /// Repeating it would change nothing.
    Final(FetchError),
    /// Repeating it may help; if not, this is what it came to.
    Passing(FetchError),
    /// 429, and how long to wait if it said so.
    RateLimited { retry_after: Option<Duration> },
    /// 401 that names no scope.
    Unauthorized { detail: String },
}

/// A bearer token, and the refused one that it replaces.
struct Bearer {
    token: Secret,
    instead_of: Option<Secret>,
}

impl Client {
    pub fn new(
        http: reqwest::Client,
        origins: Origins,
        tokens: Arc<dyn AccessTokens>,
        clock: Clock,
    ) -> Client {
        let (gate, counters, trust) = Default::default();
        Client { shared: Arc::new(Shared { http, origins, tokens, clock, gate, counters, trust }) }
    }

    /// Fetches one page. `range` is ignored by collections that take none; `token` is the last page's `next_token`.
    ///
    /// Dates are those of the range's ends in UTC. Nothing is answered before it was repeated where that may help, which can take
    /// many minutes while Oura's rate limit is exhausted; dropping the future is safe at any time.
    pub async fn page(
        &self,
        collection: &Collection,
        range: Range,
        token: Option<&str>,
    ) -> Result<Page, FetchError> {
        let url = self.url(collection, range, token);
        let shared = &*self.shared;
        let mut bearer = Bearer { token: shared.tokens.access_token().await?, instead_of: None };
        let (mut failures, mut limited) = (0, 0);
        loop {
            shared.gate.passed(&shared.clock).await;
            match self.attempt(collection, url.clone(), &bearer.token).await {
                Ok(page) if token.is_some() && page.next_token.as_deref() == token => {
                    return Err(FetchError::Malformed {
                        detail: "a page names itself as the next one".to_owned(),
                    });
                }
                Ok(page) => return Ok(page),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(error)) if failures == RETRIES => return Err(error),
                Err(Failure::Passing(_)) => {
                    failures += 1;
                    shared.clock.sleep(Backoff::FAILURE.after(failures)).await;
                }
                Err(Failure::RateLimited { .. }) if limited == RATE_LIMIT_RETRIES => {
                    return Err(FetchError::RateLimited);
                }
                Err(Failure::RateLimited { retry_after }) => {
                    limited += 1;
                    let pause = retry_after.unwrap_or_else(|| Backoff::RATE_LIMIT.after(limited));
                    shared
                        .gate
                        .close_until(shared.clock.now().plus(pause.as_secs_f64().ceil() as i64));
                }
                Err(Failure::Unauthorized { detail }) => {
                    bearer = self.replaced(collection, bearer, detail).await?
                }
            }
            count(&shared.counters.retries);
        }
    }

    /// The pages of a range, one after the other.
    pub fn pages<'a>(&'a self, collection: &'a Collection, range: Range) -> Pages<'a> {
        Pages::new(self, collection, range)
    }

    /// What was sent so far, by this client and its clones.
    pub fn requests(&self) -> RequestCounts {
        self.shared.counters.read()
    }

    /// The same by collection and status.
    pub fn answers(&self) -> Vec<AnswerCount> {
        self.shared.counters.answers()
    }

    fn url(&self, collection: &Collection, range: Range, token: Option<&str>) -> Url {
        let mut url = below(&self.shared.origins.api, &collection.path);
        let (from, to) = (range.from, range.to);
        let bounds = match collection.style {
            Style::Dates => {
                let end = to.day(Tz::UTC);
                let takes_day_in = to.plus(1) == end.plus(1).midnight(Tz::UTC);
                let end = if takes_day_in { format!("{end}T23:59:59") } else { end.to_string() };
                vec![("start_date", from.day(Tz::UTC).to_string()), ("end_date", end)]
            }
            Style::Datetimes => {
                vec![("start_datetime", from.to_string()), ("end_datetime", to.to_string())]
            }
            Style::TokenOnly | Style::Singleton => Vec::new(),
        };
        let token = token.map(|token| ("next_token", token.to_owned()));
        for (name, value) in bounds.into_iter().chain(token) {
            url.query_pairs_mut().append_pair(name, &value);
        }
        url
    }

    async fn attempt(
        &self,
        collection: &Collection,
        url: Url,
        token: &Secret,
    ) -> Result<Page, Failure> {
        let Shared { http, counters, .. } = &*self.shared;
        count(&counters.requests);
        let request = http
            .get(url)
            .bearer_auth(token.reveal())
            .header(reqwest::header::USER_AGENT, USER_AGENT);
        let response = request.send().await.map_err(|error| {
            count(&counters.broken);
            counters.answered(&collection.name, None);
            Failure::Passing(FetchError::Network { detail: answer::network(error) })
        })?;
        let status = response.status().as_u16();
        counters.answered(&collection.name, Some(status));
        if meaning(status) != Meaning::Page {
            return Err(self.refusal(collection, response, token).await);
        }
        let page = match answer::body(response, PAGE_LIMIT).await {
            Ok(body) => page(collection.style, &body),
            Err(BodyError::Cut { detail }) => Err(Failure::Passing(FetchError::Network { detail })),
            Err(BodyError::TooLong { limit }) => {
                Err(malformed(format!("a page of more than {limit} bytes")))
            }
        };
        match page {
            Ok(page) => {
                count(&counters.pages);
                self.trust().accepted = Some(token.clone());
                Ok(page)
            }
            Err(failure) => {
                count(&counters.broken);
                Err(failure)
            }
        }
    }

    /// What an answer that is no page came to.
    async fn refusal(
        &self,
        collection: &Collection,
        response: reqwest::Response,
        token: &Secret,
    ) -> Failure {
        let status = response.status().as_u16();
        let meaning = meaning(status);
        let retry_after = retry_after(&response);
        // The status alone decides most cases: a body that is cut or endless only leaves out the detail.
        let body = answer::body(response, ERROR_LIMIT).await.unwrap_or_default();
        let counters = &self.shared.counters;
        count(match meaning {
            Meaning::RateLimited => &counters.rate_limited,
            Meaning::Transient => &counters.failed,
            Meaning::Page | Meaning::Unexpected => &counters.broken,
            _ => &counters.refused,
        });
        let detail = answer::detail(&body, &[token]);
        let scope = || {
            missing_scope(&detail, collection.scope)
                .map(|scope| Failure::Final(FetchError::ScopeMissing { scope }))
        };
        let detail_or_status =
            || if detail.is_empty() { format!("it answers {status}") } else { detail.clone() };
        match meaning {
            Meaning::Unauthorized => {
                scope().unwrap_or_else(|| Failure::Unauthorized { detail: detail_or_status() })
            }
            Meaning::Forbidden => {
                scope().unwrap_or_else(|| Failure::Final(forbidden(detail_or_status())))
            }
            Meaning::Rejected => {
                Failure::Final(FetchError::Rejected { status, detail: detail_or_status() })
            }
            Meaning::NotAvailable => Failure::Final(FetchError::NotAvailable),
            Meaning::AppTooOld => Failure::Final(FetchError::AppTooOld),
            Meaning::RateLimited => Failure::RateLimited { retry_after },
            Meaning::Transient => Failure::Passing(FetchError::Server { status }),
            Meaning::Page | Meaning::Unexpected => malformed(format!("status {status}")),
        }
    }

    /// Another token for one that was answered with 401, once per request, and never for one that this collection refused when fresh.
    async fn replaced(
        &self,
        collection: &Collection,
        bearer: Bearer,
        detail: String,
    ) -> Result<Bearer, FetchError> {
        let Bearer { token, instead_of } = bearer;
        let (in_vain, opens_others) = {
            let mut trust = self.trust();
            if instead_of.is_some() {
                trust.refused.insert(collection.name.clone(), token.clone());
            }
            let opens_others = trust.accepted.as_ref().is_some_and(|accepted| {
                *accepted == token || Some(accepted) == instead_of.as_ref()
            });
            (trust.refused.get(&collection.name) == Some(&token), opens_others)
        };
        match (in_vain, opens_others) {
            (true, true) => Err(FetchError::Forbidden { detail }),
            (true, false) => Err(self.refused_fresh(collection, token, detail).await),
            (false, _) => Ok(Bearer {
                token: self.shared.tokens.replace(token.clone()).await?,
                instead_of: Some(token),
            }),
        }
    }

    /// What it means that a fresh token is refused, which nothing has accepted yet: the login is over, or only this collection is closed.
    /// That is asked where any good token is let in, since a login that is declared over needs a person.
    async fn refused_fresh(
        &self,
        collection: &Collection,
        token: Secret,
        detail: String,
    ) -> FetchError {
        match self.attempt(collection, below(&self.shared.origins.api, OPEN_TO_ANY), &token).await {
            Err(Failure::Unauthorized { .. }) => self
                .shared
                .tokens
                .end(token, format!("Oura refuses a fresh token: {detail}"))
                .await
                .into(),
            Err(Failure::Passing(error)) => error,
            Err(Failure::RateLimited { .. }) => FetchError::RateLimited,
            Ok(_) | Err(Failure::Final(_)) => {
                self.trust().accepted = Some(token);
                FetchError::Forbidden { detail }
            }
        }
    }

    fn trust(&self) -> MutexGuard<'_, Trust> {
        self.shared.trust.lock()
    }
}

/// What a 403 that names no scope is about.
fn forbidden(detail: String) -> FetchError {
    let text = detail.to_lowercase();
    match ["membership", "subscription"].iter().any(|word| text.contains(word)) {
        true => FetchError::MembershipEnded { detail },
        false => FetchError::Forbidden { detail },
    }
}

/// `Retry-After` in seconds (RFC 9110 §10.2.3); Oura does not use the form with a date.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let seconds: u64 =
        response.headers().get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.clamp(1, MAX_PAUSE)))
}

/// `{"data": […], "next_token": …}`.
#[derive(Deserialize)]
struct Envelope {
    data: Vec<Box<RawValue>>,
    #[serde(default)]
    next_token: Option<String>,
}

fn page(style: Style, body: &[u8]) -> Result<Page, Failure> {
    let page = match style {
        Style::Singleton => Page {
            documents: vec![serde_json::from_slice(body).map_err(unreadable)?],
            next_token: None,
        },
        Style::Dates | Style::Datetimes | Style::TokenOnly => {
            let Envelope { data, next_token } = serde_json::from_slice(body).map_err(unreadable)?;
            Page { documents: data, next_token }
        }
    };
    if page.documents.iter().any(|document| !document.get().starts_with('{')) {
        return Err(malformed("a document that is no object".to_owned()));
    }
    if page.next_token.as_deref() == Some("") {
        return Err(malformed("an empty next_token".to_owned()));
    }
    Ok(page)
}

/// JSON that is broken may be whole the next time; JSON of another shape will not change. Its content is health data and not repeated.
fn unreadable(error: serde_json::Error) -> Failure {
    let place = format!("at line {}, column {}", error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Data => malformed(format!("no page of documents, {place}")),
        _ => Failure::Passing(FetchError::Malformed { detail: format!("no JSON {place}") }),
    }
}

fn malformed(detail: String) -> Failure {
    Failure::Final(FetchError::Malformed { detail })
}
