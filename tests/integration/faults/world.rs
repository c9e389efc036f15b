//! One simulated Oura and one data folder: logs in as a person does, syncs, and compares the stored
//! documents with Oura's.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use ringside::api::{self, Caller, Role};
use ringside::datasource::{
    CollectionStatus, DataSource, DataSourceKey, DataSources, Environment, Progress, Settings,
    Trigger,
};
use ringside::oura::oauth::SCOPES;
use ringside::oura::{self, Origins, Secret};
use ringside::simulator::{Barrier, Config, SECRET_MARK, Simulator, Target};
use ringside::store::CollectionState;
use ringside::time::{Clock, Day, Instant, Tz};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::common::truth::{assert_stored, truth};
pub use crate::common::world::REDIRECT;
use crate::common::{at, secret_scanner, select};

/// Days of history: some are settled, and those of the last week may still change.
pub const DAYS: i64 = 17;
pub const USER: &str = "anna";

/// The morning at which the simulator's clock stands still.
pub fn morning() -> Instant {
    at("2026-06-15T06:00:00Z")
}

pub fn first_day() -> Day {
    morning().day(Tz::UTC).plus(1 - DAYS)
}

/// All days of history.
fn days() -> RangeInclusive<Day> {
    first_day()..=morning().day(Tz::UTC)
}

/// A clock with short waits: an hour takes a minute. Its day ends after 18 real minutes.
pub fn brisk() -> Clock {
    Clock::starting_at(morning(), 60.0)
}

/// A person with data from `first_day` to the morning.
pub fn person() -> Config {
    Config::new(7, first_day(), Clock::starting_at(morning(), 0.0))
}

pub async fn oura(config: Config) -> Simulator {
    secret_scanner::install();
    Simulator::start(config, ([127, 0, 0, 1], 0).into()).await.unwrap()
}

pub fn environment(folder: &Path, simulator: &Simulator, clock: Clock) -> Environment {
    Environment { clock, ..Environment::at(folder, Origins::at(&simulator.origin())).unwrap() }
}

pub fn settings() -> Settings {
    Settings {
        client_id: "simulated-client".to_owned(),
        history_start: Some(first_day()),
        ..Settings::default()
    }
}

pub fn secret() -> Secret {
    Secret::new(SECRET_MARK)
}

/// A simulated Oura and one data source.
pub struct World {
    pub simulator: Simulator,
    pub folder: TempDir,
    pub datasources: DataSources,
    pub datasource: DataSource,
}

impl World {
    /// A data source without a login.
    pub async fn new(config: Config, clock: Clock) -> World {
        World::in_folder(tempfile::tempdir().unwrap(), oura(config).await, clock).await
    }

    /// A data source without a login that gives up on responses after `timeout`.
    pub async fn with_timeout(config: Config, clock: Clock, timeout: Duration) -> World {
        let folder = tempfile::tempdir().unwrap();
        let simulator = oura(config).await;
        let http = oura::http_client_with_timeout(timeout).unwrap();
        let environment = Environment { http, ..environment(folder.path(), &simulator, clock) };
        World::of(folder, simulator, environment).await
    }

    async fn in_folder(folder: TempDir, simulator: Simulator, clock: Clock) -> World {
        let environment = environment(folder.path(), &simulator, clock);
        World::of(folder, simulator, environment).await
    }

    async fn of(folder: TempDir, simulator: Simulator, environment: Environment) -> World {
        let datasources = DataSources::open(environment).unwrap();
        let datasource =
            datasources.datasource(&DataSourceKey::single(), &settings(), &secret()).await.unwrap();
        World { simulator, folder, datasources, datasource }
    }

    /// A data source that is logged in and has loaded its history.
    pub async fn connected() -> World {
        let world = World::new(person(), brisk()).await;
        log_in(&world.datasource).await;
        world
    }

    /// The same data folder in a new process with `clock`.
    pub async fn restarted(self, clock: Clock) -> World {
        let World { simulator, folder, datasources, datasource } = self;
        drop(datasource);
        datasources.shutdown().await;
        drop(datasources);
        World::in_folder(folder, simulator, clock).await
    }

    /// A run that cannot end before its barrier is opened.
    pub async fn held_run(&self) -> (i64, Barrier) {
        let mut barrier = self.simulator.faults().hold(Target::Collection("sleep".to_owned()));
        let run = self.datasource.start_sync(Trigger::Manual).unwrap();
        barrier.wait_for_arrivals(1).await;
        (run, barrier)
    }

    pub fn collection(&self, name: &str) -> CollectionStatus {
        self.datasource
            .status()
            .unwrap()
            .collections
            .into_iter()
            .find(|collection| collection.name == name)
            .unwrap()
    }

    /// The collections with a state other than `ok`, by name.
    pub fn failing(&self) -> BTreeMap<String, CollectionStatus> {
        let all = self.datasource.status().unwrap().collections.into_iter();
        all.filter(|collection| collection.state != CollectionState::Ok)
            .map(|collection| (collection.name.clone(), collection))
            .collect()
    }

    /// Asserts that the store holds exactly Oura's documents.
    #[track_caller]
    pub fn assert_whole(&self) {
        self.assert_whole_but(&[]);
    }

    /// Asserts the same of all collections but `missing`.
    #[track_caller]
    pub fn assert_whole_but(&self, missing: &[&str]) {
        assert_stored(&self.datasource.database(), &self.simulator, &days(), missing);
    }

    /// Oura's documents as text.
    pub fn truth(&self, collection: &str) -> BTreeSet<String> {
        truth(&self.simulator, &days(), collection)
    }

    /// Rows of the database file.
    pub fn select(&self, sql: &str) -> Vec<Vec<Value>> {
        select(&self.datasource.database(), sql)
    }
}

/// The status and the body of a POST to one of the data source's routes, by an admin named `user`.
pub async fn call(datasource: &DataSource, user: &str, path: &str, body: Value) -> (u16, Value) {
    let request = Request::post(path)
        .header("Content-Type", "application/json")
        .extension(Caller { user: user.to_owned(), role: Role::Admin })
        .body(Body::from(body.to_string()))
        .unwrap();
    let answer = api::router(datasource.clone()).oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), 1 << 24).await.unwrap();
    secret_scanner::scan(&body);
    (status, serde_json::from_slice(&body).unwrap())
}

/// The message and the hint of an error response.
pub fn error_text((status, body): &(u16, Value)) -> String {
    assert!(*status >= 400, "{status} {body}");
    format!(
        "{} {}",
        body["error"]["message"].as_str().unwrap(),
        body["error"]["hint"].as_str().unwrap()
    )
}

/// Asserts that `text` contains all of `words`, ignoring case.
#[track_caller]
pub fn assert_contains(text: &str, words: &[&str]) {
    let missing: Vec<&&str> =
        words.iter().filter(|word| !text.to_lowercase().contains(&word.to_lowercase())).collect();
    assert!(missing.is_empty(), "{text:?} does not contain {missing:?}");
}

/// Presses a button on Oura's consent page: `allow` with the scopes `ticked`, or `cancel`. Returns
/// the parameters that Oura appends to the redirect URL.
pub async fn decide_at_oura(
    authorize_url: &str,
    decision: &str,
    ticked: &[&str],
) -> BTreeMap<String, String> {
    let page: url::Url = authorize_url.parse().unwrap();
    let mut form: Vec<(String, String)> = page.query_pairs().into_owned().collect();
    form.push(("decision".to_owned(), decision.to_owned()));
    form.extend(ticked.iter().map(|scope| ("granted".to_owned(), (*scope).to_owned())));
    let answer = oura::http_client().unwrap().post(page).form(&form).send().await.unwrap();
    let back: url::Url = answer.headers()["location"].to_str().unwrap().parse().unwrap();
    back.query_pairs().into_owned().collect()
}

/// Presses *Connect*. Returns the authorize URL.
pub async fn start_login(datasource: &DataSource) -> String {
    let (status, started) =
        call(datasource, USER, "/oauth/start", json!({ "redirectUri": REDIRECT })).await;
    assert_eq!(status, 200, "{started}");
    started["authorizeUrl"].as_str().unwrap().to_owned()
}

/// Presses *Connect*, and *Allow* at Oura. Returns the parameters for the callback.
pub async fn allowed(datasource: &DataSource) -> BTreeMap<String, String> {
    decide_at_oura(&start_login(datasource).await, "allow", SCOPES).await
}

/// Logs in, and waits for the sync that the login starts.
pub async fn log_in(datasource: &DataSource) -> Progress {
    let redirect = allowed(datasource).await;
    let answer = call(datasource, USER, "/oauth/callback", json!(redirect)).await;
    assert_eq!(answer, (200, json!({ "state": "connected" })));
    ended(datasource, 1).await
}

/// Runs one sync to its end.
pub async fn sync(datasource: &DataSource) -> Progress {
    let run = datasource.start_sync(Trigger::Manual).unwrap();
    ended(datasource, run).await
}

/// Waits until `run` or a later one has ended.
pub async fn ended(datasource: &DataSource, run: i64) -> Progress {
    let mut progress = datasource.progress();
    progress.wait_for(|progress| progress.finished && progress.run >= run).await.unwrap().clone()
}
