//! Quiet polling: the saved requests, the delay of news, and the runs that are never quiet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, Query};
use ringside::catalog::{Catalog, Collection, Storage};
use ringside::datasource::{DataSources, Environment};
use ringside::oura::oauth::SCOPES;
use ringside::simulator::{Config, Simulator};
use ringside::store::{RunEnd, Trigger};
use ringside::sync::Executor;
use ringside::time::{Clock, Instant, Tz};
use serde_json::{Value, json};

use crate::common::wait::poll_until;
use crate::common::world::World;
use crate::common::{at, day, env_or, executor, number, rows, select, sync_for};

/// The usual interval between two syncs, in seconds.
const POLL: i64 = 1800;
/// The time between two full syncs in these tests, in seconds.
const FULL: i64 = 4 * 3600;

fn quiet(executor: Executor) -> Executor {
    Executor { full_sync_interval: Some(Duration::from_secs(FULL as u64)), ..executor }
}

/// Oura's responses by collection, which may change while it runs. Only heart rates obey the range
/// of a request. Other collections are missing.
#[derive(Clone, Default)]
struct Oura(Arc<Mutex<BTreeMap<&'static str, Vec<Value>>>>);

impl Oura {
    fn set(&self, collection: &'static str, documents: Vec<Value>) {
        self.0.lock().unwrap().insert(collection, documents);
    }

    async fn start(&self) -> url::Url {
        let oura = self.clone();
        let answer = move |Path(name): Path<String>,
                           Query(query): Query<BTreeMap<String, String>>| {
            let found = oura.0.lock().unwrap().get(name.as_str()).cloned();
            let from = query.get("start_datetime").map_or(Instant(0), |from| at(from));
            let is_new = |row: &Value| {
                row["timestamp"].as_str().is_none_or(|time| at(time) >= from) || name != "heartrate"
            };
            let (status, body) = match found {
                Some(mut data) => {
                    data.retain(is_new);
                    (200, json!({ "data": data, "next_token": null }))
                }
                None => (404, json!({ "detail": "Not Found" })),
            };
            let status = axum::http::StatusCode::from_u16(status).unwrap();
            async move { (status, axum::Json(body)) }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let routes = axum::routing::get(answer);
        let router = axum::Router::new().route("/v2/usercollection/:name", routes);
        tokio::spawn(async move { axum::serve(listener, router).await });
        origin
    }
}

fn heart_rate(time: &str) -> Value {
    json!({ "bpm": 60, "source": "awake", "timestamp": time })
}

fn score(score: i64) -> Value {
    let day = "2026-06-12";
    json!({ "id": "one", "day": day, "score": score, "timestamp": format!("{day}T00:00:00+02:00") })
}

/// A simulated hour at which an executor has synced, and Oura.
struct Morning {
    oura: Oura,
    executor: Executor,
    _folder: tempfile::TempDir,
}

impl Morning {
    /// A ring that uploaded its heart rates at nine, and has not been synced.
    async fn new() -> Morning {
        let oura = Oura::default();
        oura.set("heartrate", vec![heart_rate("2026-06-15T08:55:00Z")]);
        oura.set("daily_sleep", vec![score(70)]);
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::starting_at(at("2026-06-15T09:00:00Z"), 0.0);
        let start = Some(day("2026-06-01"));
        let executor = executor(folder.path(), &oura.start().await, "token", clock, start);
        Morning { oura, executor: quiet(executor), _folder: folder }
    }

    /// Syncs, and moves the clock to the next sync. Returns whether the run was quiet.
    async fn sync(&self, trigger: Trigger) -> bool {
        let (end, progress) = sync_for(&self.executor, trigger).await;
        self.executor.clock.advance(POLL);
        let is_quiet = end == RunEnd::NothingNew;
        assert!(is_quiet || end == RunEnd::Done, "{end:?}");
        assert_eq!(progress.requests == 1, is_quiet, "{progress:?}");
        assert_eq!(progress.percent(), 100.0);
        is_quiet
    }

    /// The same for scheduled runs.
    async fn scheduled(&self, runs: usize) -> Vec<bool> {
        let mut quiet = Vec::new();
        for _ in 0..runs {
            quiet.push(self.sync(Trigger::Schedule).await);
        }
        quiet
    }

    fn stored_score(&self) -> f64 {
        number(&self.executor.store, "SELECT score FROM daily_sleep")
    }
}

#[tokio::test]
async fn full_sync_finds_a_revision_without_an_upload() {
    let morning = Morning::new().await;
    assert_eq!(morning.scheduled(2).await, [false, false], "the first sync, and the next one");
    morning.oura.set("daily_sleep", vec![score(71)]);
    // Four hours after the second run.
    assert_eq!(morning.scheduled(7).await, [true; 7]);
    assert_eq!(morning.stored_score(), 70.0);
    assert_eq!(morning.scheduled(1).await, [false]);
    assert_eq!(morning.stored_score(), 71.0);
    let last_sync = "SELECT max(last_sync) FROM collections";
    morning.scheduled(1).await;
    assert_eq!(morning.scheduled(1).await, [true]);
    let now = morning.executor.clock.now().plus(-POLL).seconds();
    assert_eq!(rows(&morning.executor.store, last_sync), [[json!(now)]], "a quiet run counts");
}

#[tokio::test]
async fn upload_is_fetched_by_the_next_sync() {
    let morning = Morning::new().await;
    morning.scheduled(2).await;
    assert_eq!(morning.scheduled(1).await, [true]);
    let uploaded = ["2026-06-15T08:55:00Z", "2026-06-15T10:20:00Z"].map(heart_rate);
    morning.oura.set("heartrate", uploaded.into());
    morning.oura.set("daily_sleep", vec![score(71)]);
    assert_eq!(morning.scheduled(1).await, [false]);
    assert_eq!(morning.stored_score(), 71.0);
    // Oura computes a score after the upload.
    morning.oura.set("daily_sleep", vec![score(72)]);
    assert_eq!(morning.scheduled(3).await, [false, false, true]);
    assert_eq!(morning.stored_score(), 72.0);
}

#[tokio::test]
async fn requested_syncs_are_full() {
    let morning = Morning::new().await;
    morning.scheduled(2).await;
    for trigger in Trigger::ALL.iter().filter(|trigger| **trigger != Trigger::Schedule) {
        assert_eq!(morning.scheduled(1).await, [true], "before {trigger}");
        assert!(!morning.sync(*trigger).await, "{trigger}");
    }
}

#[tokio::test]
async fn syncs_are_full_without_heart_rates() {
    // Not granted, not chosen, never measured.
    for case in 0..3 {
        let mut morning = Morning::new().await;
        match case {
            0 => drop(morning.oura.0.lock().unwrap().remove("heartrate")),
            1 => morning.executor.collections = vec!["daily_sleep".to_owned(), "tag".to_owned()],
            _ => morning.oura.set("heartrate", Vec::new()),
        }
        assert_eq!(morning.scheduled(4).await, [false; 4], "case {case}");
    }
}

#[tokio::test]
async fn syncs_are_full_after_a_failed_request() {
    let morning = Morning::new().await;
    morning.scheduled(2).await;
    morning.oura.0.lock().unwrap().remove("heartrate");
    assert_eq!(morning.scheduled(1).await, [false], "the full run records the failure");
    let state = "SELECT state FROM collections WHERE name = 'heartrate'";
    assert_eq!(rows(&morning.executor.store, state), [[json!("not_available")]]);
}

#[tokio::test]
async fn syncs_are_full_while_windows_wait() {
    let morning = Morning::new().await;
    morning.scheduled(2).await;
    let days = (day("2026-06-01"), day("2026-06-02"));
    let names = ["daily_sleep".to_owned()];
    let windows = ringside::sync::backfill(&Catalog::bundled(), days.0, days.1, &names);
    let now = morning.executor.clock.now();
    morning.executor.store.writer().enqueue(&windows, now).unwrap();
    assert_eq!(morning.scheduled(3).await, [false, true, true]);
}

/// Oura's documents and rows that the store lacks, and since which sync.
#[derive(Default)]
struct Missing {
    since: BTreeMap<(String, String), Instant>,
    /// How much later than by full syncs news was stored, in seconds: the longest by collection.
    late: BTreeMap<String, i64>,
}

impl Missing {
    /// Compares the store with Oura after a sync.
    fn look(&mut self, executor: &Executor, simulator: &Simulator) {
        let now = executor.clock.now();
        let days = now.day(Tz::UTC).plus(-4)..=now.day(Tz::UTC).plus(1);
        let mut missing = BTreeSet::new();
        for collection in &executor.store.catalog().collections {
            let truth = simulator.truth(&collection.name, *days.start(), *days.end());
            let truth: BTreeSet<String> = match collection.storage {
                Storage::Documents => truth.iter().map(Value::to_string).collect(),
                Storage::Rows => truth.iter().map(|row| time_of(row).to_string()).collect(),
            };
            let stored = stored(executor, collection);
            let lacking = truth.difference(&stored);
            missing.extend(lacking.map(|text| (collection.name.clone(), text.clone())));
        }
        for ((collection, _), since) in &self.since {
            let late = self.late.entry(collection.clone()).or_default();
            *late = (*late).max(now.seconds() - since.seconds());
        }
        self.since.retain(|news, _| missing.contains(news));
        for news in missing {
            self.since.entry(news).or_insert(now);
        }
    }
}

fn time_of(row: &Value) -> i64 {
    at(row["timestamp"].as_str().unwrap()).seconds()
}

/// The stored documents as text, or the times of the stored rows.
fn stored(executor: &Executor, collection: &Collection) -> BTreeSet<String> {
    let sql = match collection.storage {
        Storage::Rows => format!("SELECT CAST(time AS TEXT) FROM {}", collection.table),
        Storage::Documents => format!(
            "SELECT payload FROM oura_raw_documents
             WHERE resource = '{}' AND deleted_at IS NULL",
            collection.name
        ),
    };
    let text = |row: &Vec<Value>| {
        let text = row[0].as_str().unwrap();
        match collection.storage {
            Storage::Rows => text.to_owned(),
            Storage::Documents => serde_json::from_str::<Value>(text).unwrap().to_string(),
        }
    };
    rows(&executor.store, &sql).iter().map(text).collect()
}

/// A day of syncs every half hour. `QUIET_HOURS` sets another time, `UPLOAD_MINUTES` how often the
/// phone uploads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quiet_day_saves_requests_and_delays_little() {
    let hours: i64 = env_or("QUIET_HOURS", 24);
    let upload: i64 = 60 * env_or("UPLOAD_MINUTES", 240);
    let clock = Clock::starting_at(at("2026-06-15T00:10:00Z"), 0.0);
    let first_day = day("2026-06-08");
    let config =
        Config { upload_interval: Some(upload), ..Config::new(11, first_day, clock.clone()) };
    let simulator = Simulator::start(config, ([127, 0, 0, 1], 0).into()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let token = simulator.access_token(SCOPES);
    let executor =
        quiet(executor(folder.path(), &simulator.origin(), &token, clock, Some(first_day)));
    sync_for(&executor, Trigger::Login).await;
    let mut missing = Missing::default();
    missing.look(&executor, &simulator);
    assert!(missing.since.is_empty(), "{:?}", missing.since);
    let before = simulator.requests().log().len();
    let (mut full, mut full_requests) = (0, 0);
    let runs = hours * 3600 / POLL;
    for _ in 0..runs {
        executor.clock.advance(POLL);
        let (end, progress) = sync_for(&executor, Trigger::Schedule).await;
        if end != RunEnd::NothingNew {
            full += 1;
            full_requests += progress.requests as i64;
        }
        missing.look(&executor, &simulator);
    }
    let requests = (simulator.requests().log().len() - before) as i64;
    let without = runs * full_requests / full;
    println!(
        "uploads every {} minutes: {full} of {runs} runs were full, {requests} requests instead of \
         {without}; minutes later than by full syncs: {:?}",
        upload / 60,
        missing.late.iter().map(|(name, late)| (name, late / 60)).collect::<Vec<_>>(),
    );
    assert!(full > 0 && requests <= without, "{full} {requests} {without}");
    let latest = missing.late.values().copied().max().unwrap_or(0);
    assert!(latest <= FULL, "{:?}", missing.late);
    if upload >= FULL {
        assert!(2 * requests < without, "{requests} of {without}");
    }
}

/// Between two full syncs, the schedule of a data source sends one request, and waits for its usual
/// interval.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schedule_polls_quietly() {
    let clock = Clock::starting_at(at("2026-06-15T12:10:00Z"), 0.0);
    let world = World::with(9, clock, |config| config.upload_interval = Some(FULL)).await;
    let folder = tempfile::tempdir().unwrap();
    let datasources = DataSources::open(Environment {
        scheduled: true,
        full_sync_interval: Some(Duration::from_secs(FULL as u64)),
        ..world.environment(folder.path())
    })
    .unwrap();
    let datasource = world.connected(&datasources).await;
    let quiet = "SELECT started_at FROM sync_runs WHERE trigger = 'schedule' AND state = 'done'
                 AND requests = 1 AND windows = 0";
    let began = || select(&datasource.database(), quiet);
    poll_until("a quiet run", || {
        if datasource.progress().borrow().finished {
            world.clock.advance(60);
        }
        !began().is_empty()
    })
    .await;
    let began = Instant(began()[0][0].as_i64().unwrap());
    let usual = |next: Instant| next.seconds() - began.seconds() >= POLL;
    let next = || datasource.status().unwrap().sync.next_sync;
    poll_until("a pause as after a full run", || next().is_some_and(usual)).await;
    let last_sync = datasource.status().unwrap().sync.last_sync.unwrap();
    assert!((0..=60).contains(&(last_sync.seconds() - began.seconds())), "a quiet run counts");
    datasources.shutdown().await;
}
