//! One simulated Oura and one data folder: logging in as a person does, syncing, and comparing what is held with what Oura has.

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
use ringside::simulator::{Config, SECRET_MARK, Simulator};
use ringside::store::CollectionState;
use ringside::time::{Clock, Day, Instant, Tz};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::common::truth::{assert_held, truth};
pub use crate::common::world::REDIRECT;
use crate::common::{at, secret_scanner, select};

/// Days of history: some settled, and the last week that may still change.
pub const DAYS: i64 = 17;
pub const USER: &str = "anna";

/// The morning on which the simulator stands still.
pub fn morning() -> Instant {
    at("2026-06-15T06:00:00Z")
}

pub fn first_day() -> Day {
    morning().day(Tz::UTC).plus(1 - DAYS)
}

/// All of them.
fn days() -> RangeInclusive<Day> {
    first_day()..=morning().day(Tz::UTC)
}

/// A clock whose waits are short. It may run for ten real minutes before its day ends.
pub fn brisk() -> Clock {
    Clock::starting_at(morning(), 60.0)
}

/// A person known from `first_day` to the standing morning.
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

/// A simulated Oura, and a process with one data source.
pub struct World {
    pub simulator: Simulator,
    pub folder: TempDir,
    pub datasources: DataSources,
    pub datasource: DataSource,
}

impl World {
    /// Not logged in yet.
    pub async fn new(config: Config, clock: Clock) -> World {
        World::in_folder(tempfile::tempdir().unwrap(), oura(config).await, clock).await
    }

    /// Not logged in yet, and an answer that takes longer is none.
    pub async fn impatient(config: Config, clock: Clock, longest_answer: Duration) -> World {
        let (folder, simulator) = (tempfile::tempdir().unwrap(), oura(config).await);
        let http = oura::http_client_within(longest_answer).unwrap();
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

    /// Logged in, and the first history load over.
    pub async fn connected() -> World {
        let world = World::new(person(), brisk()).await;
        log_in(&world.datasource).await;
        world
    }

    /// The process ends, and another one begins at `clock`.
    pub async fn restarted(self, clock: Clock) -> World {
        let World { simulator, folder, datasources, datasource } = self;
        drop(datasource);
        datasources.shutdown().await;
        drop(datasources);
        World::in_folder(folder, simulator, clock).await
    }

    /// A sync that goes on for two seconds more.
    pub async fn slow_run(&self) -> i64 {
        self.simulator.faults().add("collection=sleep,delay=2000,times=1".parse().unwrap());
        let run = self.datasource.start_sync(Trigger::Manual).unwrap();
        self.datasource
            .progress()
            .wait_for(|progress| progress.run == run && progress.windows > 0)
            .await
            .unwrap();
        run
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

    /// Every collection that is not well, by name.
    pub fn unwell(&self) -> BTreeMap<String, CollectionStatus> {
        let all = self.datasource.status().unwrap().collections.into_iter();
        all.filter(|collection| collection.state != CollectionState::Ok)
            .map(|collection| (collection.name.clone(), collection))
            .collect()
    }

    /// Everything that Oura has is held, and nothing else.
    #[track_caller]
    pub fn assert_whole(&self) {
        self.assert_whole_but(&[]);
    }

    /// The same without the collections `missing`.
    #[track_caller]
    pub fn assert_whole_but(&self, missing: &[&str]) {
        assert_held(&self.datasource.database(), &self.simulator, &days(), missing);
    }

    /// What Oura has, as text.
    pub fn truth(&self, collection: &str) -> BTreeSet<String> {
        truth(&self.simulator, &days(), collection)
    }

    /// Rows straight from the file.
    pub fn select(&self, sql: &str) -> Vec<Vec<Value>> {
        select(&self.datasource.database(), sql)
    }
}

/// Asks one of the data source's routes as `user`, who is an admin.
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

/// What the error of an answer says, hint included.
pub fn said((status, body): &(u16, Value)) -> String {
    assert!(*status >= 400, "{status} {body}");
    format!(
        "{} {}",
        body["error"]["message"].as_str().unwrap(),
        body["error"]["hint"].as_str().unwrap()
    )
}

/// Every one of `words` is in `text`, in whatever capitals.
#[track_caller]
pub fn assert_says(text: &str, words: &[&str]) {
    let missing: Vec<&&str> =
        words.iter().filter(|word| !text.to_lowercase().contains(&word.to_lowercase())).collect();
    assert!(missing.is_empty(), "{text:?} does not say {missing:?}");
}

/// Presses a button on Oura's consent page (`allow` with `ticked`, or `cancel`); what Oura appends to the redirect address.
pub async fn at_oura(
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

/// *Connect*: where the person is sent to.
pub async fn press_connect(datasource: &DataSource) -> String {
    let (status, started) =
        call(datasource, USER, "/oauth/start", json!({ "redirectUri": REDIRECT })).await;
    assert_eq!(status, 200, "{started}");
    started["authorizeUrl"].as_str().unwrap().to_owned()
}

/// *Connect*, and *Allow* at Oura; the way back is not gone yet.
pub async fn allowed(datasource: &DataSource) -> BTreeMap<String, String> {
    at_oura(&press_connect(datasource).await, "allow", SCOPES).await
}

/// The whole login, and the sync that it starts.
pub async fn log_in(datasource: &DataSource) -> Progress {
    let back = allowed(datasource).await;
    let answer = call(datasource, USER, "/oauth/callback", json!(back)).await;
    assert_eq!(answer, (200, json!({ "state": "connected" })));
    ended(datasource, 1).await
}

/// One sync from beginning to end.
pub async fn sync(datasource: &DataSource) -> Progress {
    let run = datasource.start_sync(Trigger::Manual).unwrap();
    ended(datasource, run).await
}

pub async fn ended(datasource: &DataSource, run: i64) -> Progress {
    let mut progress = datasource.progress();
    progress.wait_for(|progress| progress.finished && progress.run >= run).await.unwrap().clone()
}
