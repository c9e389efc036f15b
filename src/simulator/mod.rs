//! A simulator of Oura's API and login, with the data of a synthetic person and configurable
//! faults. The demo, the tests and the benchmarks use it.
//!
//! A [`life`] is a series of days with the person's sleep, training and health. Documents are
//! generated from it on request, day by day, so ten years of data cost nothing until they are read.
//! A document depends only on the seed, its day and the clock.

mod activity;
mod api;
mod collections;
mod consent;
mod daily;
mod dozes;
mod faults;
mod heartrate;
mod itinerary;
mod journal;
mod life;
mod login;
mod moments;
mod night;
mod noise;
mod person;
mod ring;
mod scores;
mod server;
mod sleep;
mod sports;
#[cfg(test)]
mod tests;
mod visitor;

pub use faults::{Barrier, Fault, FaultError, Faults, Misbehaviour, Target};
pub use journal::{Journal, Request, Violation};
pub use login::SECRET_MARK;
pub use visitor::{ConsentError, consent};

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{oneshot, watch};

use crate::time::{Clock, Day, Instant, Tz};
use collections::{Collection, Range, Window};
use person::Person;

/// Settings of a simulator.
#[derive(Clone, Debug)]
pub struct Config {
    /// Seed of the synthetic person.
    pub seed: u64,
    /// The day the ring was set up: the first day with data.
    pub first_day: Day,
    /// The current time. Later documents do not exist yet.
    pub clock: Clock,
    /// The registered application's client ID.
    pub client_id: String,
    /// The registered application's client secret.
    pub client_secret: String,
    /// The person's response on the consent page.
    pub consent: Consent,
    /// The login at which the application is registered. The other login rejects it.
    pub registered_at: Registration,
    /// The application's redirect URIs. Empty accepts any.
    pub redirect_uris: Vec<String>,
    /// Lifetime of an access token in seconds.
    pub token_lifetime: i64,
    /// Whether a refresh revokes the previous access token. Otherwise it expires normally.
    pub renewal_ends_access: bool,
    /// Maximum number of requests of the API in a number of seconds. `None` for no limit.
    pub rate_limit: Option<(usize, i64)>,
    /// Faults from the start. [`Simulator::faults`] changes them later.
    pub faults: Vec<Fault>,
    /// Ranges of days, both ends included, on which the phone is offline. All their documents
    /// arrive at the midnight after the last day.
    pub phone_offline: Vec<(Day, Day)>,
    /// The seconds between two uploads of the phone. Between them, nothing changes at Oura except
    /// the list of rings. `None`: the phone uploads all the time.
    pub upload_interval: Option<i64>,
    /// The published specifications: version and OpenAPI document.
    pub specifications: Vec<(String, Vec<u8>)>,
}

/// How the person responds to a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Shows a page with a checkbox per scope. With `auto=1` in the URL, allows all scopes at once.
    Ask,
    /// Allows all requested scopes without a page.
    Allow,
    /// Allows only these scopes without a page.
    AllowOnly(Vec<String>),
    /// Denies access without a page.
    Cancel,
}

/// One of Oura's two logins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// The original login.
    Legacy,
    /// The login of the developer portal.
    Portal,
}

impl Config {
    /// Default settings.
    ///
    /// The person uses the consent page, the application is registered at the legacy login, access
    /// tokens last a day, and there are no rate limits and no faults.
    pub fn new(seed: u64, first_day: Day, clock: Clock) -> Config {
        Config {
            seed,
            first_day,
            clock,
            client_id: "simulated-client".to_owned(),
            client_secret: SECRET_MARK.to_owned(),
            consent: Consent::Ask,
            registered_at: Registration::Legacy,
            redirect_uris: Vec::new(),
            token_lifetime: 86_400,
            renewal_ends_access: true,
            rate_limit: None,
            faults: Vec::new(),
            phone_offline: Vec::new(),
            upload_interval: None,
            specifications: vec![(
                "1.43".to_owned(),
                include_bytes!("../catalog/openapi.json").to_vec(),
            )],
        }
    }
}

/// A running simulator. Dropping it stops it.
pub struct Simulator {
    address: SocketAddr,
    oura: Arc<Oura>,
    _stop: oneshot::Sender<()>,
}

impl Simulator {
    /// Listens on `address` and serves until dropped. Port 0 selects any free port.
    pub async fn start(config: Config, address: SocketAddr) -> std::io::Result<Simulator> {
        let listener = tokio::net::TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let oura = Arc::new(Oura::new(config));
        let (stop, stopped) = oneshot::channel();
        let router = server::router(oura.clone());
        tokio::spawn(async move {
            let serving = axum::serve(listener, router).with_graceful_shutdown(async {
                // Dropping the sender is the signal to stop, and causes an error here.
                let _ = stopped.await;
            });
            if let Err(error) = serving.await {
                tracing::error!(%error, "the simulator stopped");
            }
        });
        Ok(Simulator { address, oura, _stop: stop })
    }

    /// The simulator's URL: `http://127.0.0.1:41234/`.
    pub fn origin(&self) -> url::Url {
        url::Url::parse(&format!("http://{}/", self.address))
            .expect("a socket address is a host and a port")
    }

    /// The active faults. They can change at any time.
    pub fn faults(&self) -> Faults {
        self.oura.faults.clone()
    }

    /// A copy of the journal of all requests so far.
    pub fn requests(&self) -> Journal {
        self.oura.journal().clone()
    }

    /// Waits until `condition` is true for the requests answered so far.
    pub async fn wait_until(&self, condition: impl Fn(&Journal) -> bool) {
        let mut answered = self.oura.answered.subscribe();
        // The simulator holds the sender, so this never fails.
        let _ = answered.wait_for(|_| condition(&self.oura.journal())).await;
    }

    /// Waits until `count` requests have been answered since the simulator started.
    pub async fn wait_for_answers(&self, count: usize) {
        let _ = self.oura.answered.subscribe().wait_for(|answered| *answered >= count).await;
    }

    /// Returns the documents that a complete fetch of `collection` returns now, oldest first.
    ///
    /// The range from `from` to `to` includes both days. Documents belong to their `day`, rows to
    /// their UTC date, and rest mode to its first day. Rings are always included. Empty for an
    /// unknown collection.
    pub fn truth(&self, collection: &str, from: Day, to: Day) -> Vec<serde_json::Value> {
        let now = self.oura.config.clock.now();
        let person = &self.oura.person;
        let Some(collection) = Collection::named(collection) else { return Vec::new() };
        let window = match collection.range {
            Range::Single => return vec![ring::personal_info(person, &login::SCOPES, now)],
            Range::All => Window::Days(person.first_day, person.life.today(now)),
            Range::Datetimes => {
                Window::Instants(from.midnight(Tz::UTC), to.plus(1).midnight(Tz::UTC))
            }
            Range::DaysThrough | Range::DaysBefore | Range::UtcStart => Window::Days(from, to),
        };
        let (documents, _) = collections::page(person, collection, window, None, usize::MAX, now);
        documents
            .iter()
            .map(|document| serde_json::from_str(&document.text).expect("documents are JSON"))
            .collect()
    }

    /// Issues an access token with `scopes` without a login.
    pub fn access_token(&self, scopes: &[&str]) -> String {
        let scopes = login::SCOPES.into_iter().filter(|scope| scopes.contains(scope)).collect();
        let expires_at = self.oura.config.clock.now().plus(self.oura.config.token_lifetime);
        self.oura.login().issue(scopes, expires_at).access
    }

    /// Revokes every grant, as the person can do at Oura.
    pub fn revoke_all(&self) {
        self.oura.login().revoke_all();
    }
}

/// The state shared by the routes.
struct Oura {
    config: Config,
    person: Person,
    login: Mutex<login::Login>,
    journal: Mutex<Journal>,
    /// Number of requests in the journal.
    answered: watch::Sender<usize>,
    faults: Faults,
    rate_limiter: Mutex<RateLimiter>,
}

/// The current period of the rate limit.
struct RateLimiter {
    period_start: Instant,
    requests: usize,
}

impl Oura {
    fn new(config: Config) -> Oura {
        Oura {
            person: Person {
                phone_offline: config.phone_offline.clone(),
                upload_interval: config.upload_interval,
                ..Person::new(config.seed, config.first_day)
            },
            login: Mutex::default(),
            journal: Mutex::default(),
            answered: watch::Sender::default(),
            faults: Faults::new(config.seed, config.faults.clone()),
            rate_limiter: Mutex::new(RateLimiter { period_start: config.clock.now(), requests: 0 }),
            config,
        }
    }

    fn login(&self) -> MutexGuard<'_, login::Login> {
        self.login.lock()
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock()
    }

    /// Counts a request. Returns the seconds to wait if it exceeds the rate limit.
    fn check_rate_limit(&self, now: Instant) -> Option<u64> {
        let (max_requests, seconds) = self.config.rate_limit?;
        let mut limiter = self.rate_limiter.lock();
        if now.seconds() - limiter.period_start.seconds() >= seconds {
            *limiter = RateLimiter { period_start: now, requests: 0 };
        }
        limiter.requests += 1;
        let left = limiter.period_start.plus(seconds).seconds() - now.seconds();
        (limiter.requests > max_requests).then(|| left.unsigned_abs().max(1))
    }
}
