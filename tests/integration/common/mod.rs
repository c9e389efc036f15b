//! Helpers of all integration tests: a data folder, a fixed token, an executor on a store, a replay
//! of Oura's responses, seeded random numbers, and a report of skipped tests.

pub mod secret_scanner;
pub mod serve;
pub mod truth;
pub mod wait;
pub mod world;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use rand::SeedableRng;
use rand::rngs::StdRng;
use ringside::catalog::Catalog;
use ringside::datasource::DataSourceKey;
use ringside::oura::{self, AccessTokens, BoxFuture, Client, Origins, Secret, TokenError};
use ringside::store::{RunEnd, Store, Trigger};
use ringside::sync::{Executor, Progress};
use ringside::time::{Clock, Day, Instant, Stamp, Tz};
use tokio::sync::watch;

/// The seed of the tests' random numbers, unless `TEST_SEED` names another.
const SEED: u64 = 20_260_615;

/// Reports that a test proved nothing, and why. The report passes the capture of the test harness,
/// which hides the output of passing tests.
#[expect(clippy::explicit_write, reason = "the harness captures eprintln!")]
pub fn report_skip(reason: &str) {
    writeln!(std::io::stderr(), "SKIPPED: {reason}").unwrap();
}

/// A file or folder next to the repository that is never part of it. Panics if it is missing: tests
/// that need it are ignored by default.
pub fn external_fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared/oura").join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("no shared/oura/{name} next to the repository"))
}

/// A number from the environment, for a longer proof than the everyday one.
pub fn env_or<T: std::str::FromStr>(name: &str, default: T) -> T {
    let Ok(text) = std::env::var(name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("invalid number {name}={text}"))
}

/// Random numbers, the same in every run. `TEST_SEED` sets another seed, or `random` for a new one.
/// Returns and prints the seed, which the harness shows of a failed test.
pub fn seeded_rng() -> (u64, StdRng) {
    let seed = match std::env::var("TEST_SEED").as_deref() {
        Ok("random") => rand::random(),
        _ => env_or("TEST_SEED", SEED),
    };
    println!("TEST_SEED={seed}");
    (seed, StdRng::seed_from_u64(seed))
}

/// A second subscriber, until the process ends. With a single one, `tracing` asks the thread
/// that reaches an event first whether it has a subscriber, and remembers a no for all threads.
static SECOND_SUBSCRIBER: LazyLock<tracing::Dispatch> = LazyLock::new(|| {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::sink)
        .finish();
    tracing::Dispatch::new(subscriber)
});

/// The warnings of this thread, until it is dropped.
pub struct ThreadLog {
    lines: Arc<Mutex<Vec<u8>>>,
    _listening: tracing::subscriber::DefaultGuard,
}

impl ThreadLog {
    pub fn new() -> ThreadLog {
        LazyLock::force(&SECOND_SUBSCRIBER);
        let lines = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&lines);
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::WARN)
            .with_ansi(false)
            .with_writer(move || LogBuffer(Arc::clone(&writer)))
            .finish();
        ThreadLog { lines, _listening: tracing::subscriber::set_default(subscriber) }
    }

    /// The lines since the last call.
    pub fn take(&self) -> String {
        let lines = std::mem::take(&mut *self.lines.lock().unwrap());
        secret_scanner::scan(&lines);
        String::from_utf8(lines).unwrap()
    }
}

struct LogBuffer(Arc<Mutex<Vec<u8>>>);

impl Write for LogBuffer {
    fn write(&mut self, output: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(output)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A login that never expires.
pub struct FixedToken(pub String);

impl AccessTokens for FixedToken {
    fn access_token(&self) -> BoxFuture<'_, Result<Secret, TokenError>> {
        Box::pin(async { Ok(Secret::new(self.0.clone())) })
    }

    fn replace(&self, _rejected: Secret) -> BoxFuture<'_, Result<Secret, TokenError>> {
        Box::pin(async {
            Err(TokenError::ReconnectNeeded { reason: "the token was refused".to_owned() })
        })
    }
}

pub fn day(text: &str) -> Day {
    text.parse().unwrap()
}

pub fn at(text: &str) -> Instant {
    Stamp::parse(text, Tz::UTC).unwrap().at
}

/// An executor on a store in `folder` that requests `origin` with `token`.
pub fn executor(
    folder: &Path,
    origin: &url::Url,
    token: &str,
    clock: Clock,
    history_start: Option<Day>,
) -> Executor {
    let store = Store::open(
        &folder.join("oura.db"),
        Arc::new(Catalog::bundled()),
        Tz::named("Europe/Vienna"),
    )
    .unwrap();
    let tokens = Arc::new(FixedToken(token.to_owned()));
    let client = Client::new(
        oura::http_client().unwrap(),
        Origins::at(origin),
        tokens,
        clock.clone(),
        Arc::default(),
    );
    Executor {
        store,
        client,
        clock,
        history_start,
        collections: Vec::new(),
        full_sync_interval: None,
    }
}

/// Runs one sync that a user requests to its end.
pub async fn sync(executor: &Executor) -> (RunEnd, Progress) {
    sync_for(executor, Trigger::Manual).await
}

/// Runs one sync to its end.
pub async fn sync_for(executor: &Executor, trigger: Trigger) -> (RunEnd, Progress) {
    let run = executor.store.inspector().next_run().unwrap();
    executor.store.writer().begin_run(run, trigger, executor.clock.now()).unwrap();
    let progress = watch::Sender::new(Progress::default());
    let stop = watch::Sender::new(false);
    let end = executor.run(run, trigger, &progress, stop.subscribe()).await;
    let last = progress.borrow().clone();
    (end, last)
}

/// The store's rows for `sql` as JSON, one array per row.
pub fn rows(store: &Store, sql: &str) -> Vec<Vec<serde_json::Value>> {
    select(store.path(), sql)
}

/// The only data source's database in a data folder.
pub fn database(folder: &Path) -> PathBuf {
    DataSourceKey::single().folder(folder).join("oura.db")
}

/// The rows of a database file for `sql`, read while others may write it.
pub fn select(database: &Path, sql: &str) -> Vec<Vec<serde_json::Value>> {
    ringside::store::prepare_sqlite().unwrap();
    let connection = rusqlite::Connection::open(database).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        (0..columns)
            .map(|column| {
                Ok(match row.get_ref(column)? {
                    rusqlite::types::ValueRef::Null => serde_json::Value::Null,
                    rusqlite::types::ValueRef::Integer(value) => value.into(),
                    rusqlite::types::ValueRef::Real(value) => value.into(),
                    rusqlite::types::ValueRef::Text(text) => {
                        String::from_utf8_lossy(text).into_owned().into()
                    }
                    rusqlite::types::ValueRef::Blob(blob) => {
                        blob.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
                    }
                })
            })
            .collect()
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

/// One number.
pub fn number(store: &Store, sql: &str) -> f64 {
    rows(store, sql)[0][0].as_f64().unwrap_or(f64::NAN)
}

/// Serves Oura's responses by collection for any requested range, and 404 for other
/// collections. Serves until the runtime ends.
pub async fn replay(responses: BTreeMap<String, serde_json::Value>) -> url::Url {
    let responses = Arc::new(responses);
    let route =
        axum::routing::get(move |axum::extract::Path(name): axum::extract::Path<String>| {
            let responses = Arc::clone(&responses);
            async move {
                match responses.get(&name) {
                    Some(body) => (axum::http::StatusCode::OK, axum::Json(body.clone())),
                    None => (
                        axum::http::StatusCode::NOT_FOUND,
                        axum::Json(serde_json::json!({"detail": "Not Found"})),
                    ),
                }
            }
        });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let router = axum::Router::new().route("/v2/usercollection/:name", route);
    tokio::spawn(async move { axum::serve(listener, router).await });
    origin
}
