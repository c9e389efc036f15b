//! Oura's API and login with a synthetic person behind it, bad manners included. For the demo, the tests and the benchmarks.
//!
//! A [`life`] is a series of days with all that happens to a body; documents are made from it when asked for, by day, so ten years cost
//! nothing until read. A document depends on the seed, its day and the clock alone.

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
pub use visitor::consent;

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{oneshot, watch};

use crate::time::{Clock, Day, Instant, Tz};
use collections::{Collection, Range, Window};
use person::Person;

/// Who is simulated, from when, and by which clock.
#[derive(Clone, Debug)]
pub struct Config {
    pub seed: u64,
    /// The day the ring was set up: the first day with data.
    pub first_day: Day,
    pub clock: Clock,
    pub client_id: String,
    pub client_secret: String,
    /// What the person answers when an application asks.
    pub consent: Consent,
    /// Where the application was registered: the other login turns it away.
    pub registered_at: Registration,
    /// The application's addresses; empty accepts any.
    pub redirect_uris: Vec<String>,
    /// Seconds that an access token is good for.
    pub token_lifetime: i64,
    /// Whether a renewal ends the access token before it, or leaves it to expire.
    pub renewal_ends_access: bool,
    /// Requests allowed in a number of seconds; `None` for no limit.
    pub rate_limit: Option<(usize, i64)>,
    pub faults: Vec<Fault>,
    /// Stretches of days, both ends included, on which the phone sends nothing: whatever belongs to them is at Oura from the midnight
    /// after the last of them, all at once. Long after, nothing tells that they were.
    pub phone_offline: Vec<(Day, Day)>,
    /// The published specifications: version and OpenAPI document.
    pub specifications: Vec<(String, Vec<u8>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consent {
    /// A page with buttons and a tick for each scope; with `auto=1` in the address, the answer is yes.
    Ask,
    Allow,
    /// All other scopes are unticked.
    AllowOnly(Vec<String>),
    Cancel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    Legacy,
    Portal,
}

impl Config {
    /// A person who asks before allowing, an application registered at the legacy login, tokens for a day, and no limits.
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
            specifications: vec![(
                "1.43".to_owned(),
                include_bytes!("../catalog/openapi.json").to_vec(),
            )],
        }
    }
}

/// A running simulator; dropping it stops it.
pub struct Simulator {
    address: SocketAddr,
    oura: Arc<Oura>,
    _stop: oneshot::Sender<()>,
}

impl Simulator {
    /// Listens on `address` (port 0 = any) and serves until dropped.
    pub async fn start(config: Config, address: SocketAddr) -> std::io::Result<Simulator> {
        let listener = tokio::net::TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let oura = Arc::new(Oura::new(config));
        let (stop, stopped) = oneshot::channel();
        let router = server::router(oura.clone());
        tokio::spawn(async move {
            let serving = axum::serve(listener, router).with_graceful_shutdown(async {
                // An error says that the sender is gone, which is the signal.
                let _ = stopped.await;
            });
            if let Err(error) = serving.await {
                tracing::error!(%error, "the simulator stopped");
            }
        });
        Ok(Simulator { address, oura, _stop: stop })
    }

    /// `http://127.0.0.1:41234/`
    pub fn origin(&self) -> url::Url {
        url::Url::parse(&format!("http://{}/", self.address))
            .expect("a socket address is a host and a port")
    }

    /// The faults in force, to be changed at any time.
    pub fn faults(&self) -> Faults {
        self.oura.faults.clone()
    }

    /// Everything asked so far.
    pub fn requests(&self) -> Journal {
        self.oura.journal().clone()
    }

    /// Waits until `condition` holds for the requests answered so far.
    pub async fn wait_until(&self, condition: impl Fn(&Journal) -> bool) {
        let mut answered = self.oura.answered.subscribe();
        // The sender cannot be gone: this simulator holds it.
        let _ = answered.wait_for(|_| condition(&self.oura.journal())).await;
    }

    /// Waits until `count` requests have been answered since the simulator started.
    pub async fn wait_for_answers(&self, count: usize) {
        let _ = self.oura.answered.subscribe().wait_for(|answered| *answered >= count).await;
    }

    /// What a complete fetch of `collection` holds now of the days from `from` to `to`, both included: documents by `day` (rows by their
    /// UTC date, rest mode by its first day, rings all), oldest first. Empty for a collection that does not exist.
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

    /// A token with `scopes`, without a login.
    pub fn access_token(&self, scopes: &[&str]) -> String {
        let scopes = login::SCOPES.into_iter().filter(|scope| scopes.contains(scope)).collect();
        let expires_at = self.oura.config.clock.now().plus(self.oura.config.token_lifetime);
        self.oura.login().issue(scopes, expires_at).access
    }

    /// Ends every grant, as the person can at Oura.
    pub fn revoke_all(&self) {
        self.oura.login().revoke_all();
    }
}

/// The state behind the routes.
struct Oura {
    config: Config,
    person: Person,
    login: Mutex<login::Login>,
    journal: Mutex<Journal>,
    /// How many requests the journal has.
    answered: watch::Sender<usize>,
    faults: Faults,
    turnstile: Mutex<Turnstile>,
}

/// Counts the requests of one period of the rate limit.
struct Turnstile {
    begun: Instant,
    passed: usize,
}

impl Oura {
    fn new(config: Config) -> Oura {
        Oura {
            person: Person {
                phone_offline: config.phone_offline.clone(),
                ..Person::new(config.seed, config.first_day)
            },
            login: Mutex::default(),
            journal: Mutex::default(),
            answered: watch::Sender::default(),
            faults: Faults::new(config.seed, config.faults.clone()),
            turnstile: Mutex::new(Turnstile { begun: config.clock.now(), passed: 0 }),
            config,
        }
    }

    fn login(&self) -> MutexGuard<'_, login::Login> {
        self.login.lock()
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock()
    }

    /// The seconds to wait when the limit is reached; `None` lets the request pass.
    fn turnstile(&self, now: Instant) -> Option<u64> {
        let (most, seconds) = self.config.rate_limit?;
        let mut turnstile = self.turnstile.lock();
        if now.seconds() - turnstile.begun.seconds() >= seconds {
            *turnstile = Turnstile { begun: now, passed: 0 };
        }
        turnstile.passed += 1;
        let left = turnstile.begun.plus(seconds).seconds() - now.seconds();
        (turnstile.passed > most).then(|| left.unsigned_abs().max(1))
    }
}
