//! The real program while it loads a history from a simulated Oura, and the contents of its store
//! in the end.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use ringside::catalog::{Catalog, Storage};
use ringside::datasource::{DataSourceKey, DataSources, Environment, Settings};
use ringside::oura::{Origins, Secret};
use ringside::simulator::{Config, SECRET_MARK, Simulator};
use ringside::time::{Clock, Day, Instant, Tz};
use sha2::{Digest, Sha256};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use crate::common::world::connect;
use crate::common::{database, report_skip, secret_scanner, select};
pub use crate::common::{env_or, seeded_rng};

/// Days of history.
pub const DAYS: i64 = 160;
/// Windows that the program fetches at once.
pub const CONCURRENT_WINDOWS: usize = 4;

/// A simulated Oura that stands still at `now`, so that all loads find the same documents. The
/// program uses the system's clock.
pub async fn simulator(now: Instant) -> Simulator {
    simulator_with(now, |_| {}).await
}

pub async fn simulator_with(now: Instant, change: impl FnOnce(&mut Config)) -> Simulator {
    secret_scanner::install();
    let mut config = Config::new(3, first_day(now), Clock::starting_at(now, 0.0));
    change(&mut config);
    Simulator::start(config, ([127, 0, 0, 1], 0).into()).await.unwrap()
}

fn first_day(now: Instant) -> Day {
    now.day(Tz::UTC).plus(-DAYS)
}

/// A data folder with a login and without documents.
pub async fn connected_folder(simulator: &Simulator) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    log_in(folder.path(), simulator).await;
    folder
}

/// Stores a login in `folder`, the first or a further one.
pub async fn log_in(folder: &Path, simulator: &Simulator) {
    let datasources =
        DataSources::open(Environment::at(folder, Origins::at(&simulator.origin())).unwrap())
            .unwrap();
    let (key, secret) = (DataSourceKey::single(), Secret::new(SECRET_MARK));
    let everything = Settings { client_id: "simulated-client".to_owned(), ..Settings::default() };
    let little = Settings { collections: vec!["personal_info".to_owned()], ..everything.clone() };
    connect(&datasources.datasource(&key, &little, &secret).await.unwrap(), "anna").await.unwrap();
    // The program uses these settings.
    datasources.datasource(&key, &everything, &secret).await.unwrap();
    datasources.shutdown().await;
}

/// `gpx_oura sync`. It ends with the test.
pub struct Program(Child);

impl Program {
    pub fn start(folder: &Path, origin: &url::Url, now: Instant) -> Program {
        Program::start_after("", folder, origin, now)
    }

    /// Starts the program after the shell code `before`, in the same process.
    pub fn start_after(before: &str, folder: &Path, origin: &url::Url, now: Instant) -> Program {
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(format!(r#"{before} exec "$0" "$@""#))
            .arg(env!("CARGO_BIN_EXE_gpx_oura"));
        command
            .args(["sync", "--history-start", &first_day(now).to_string(), "--data-dir"])
            .arg(folder);
        command
            .env("OURA_CLIENT_ID", "simulated-client")
            .env("OURA_CLIENT_SECRET", SECRET_MARK)
            .env("GF_PLUGIN_OURA_URL", origin.as_str())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut program = command.spawn().unwrap();
        let stdout = program.stdout.take().unwrap().into_owned_fd().unwrap();
        let stderr = program.stderr.take().unwrap().into_owned_fd().unwrap();
        secret_scanner::scan_stream(std::fs::File::from(stdout));
        secret_scanner::scan_stream(std::fs::File::from(stderr));
        Program(program)
    }

    pub fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Sends SIGKILL, which leaves the program no time to clean up.
    pub async fn kill(mut self) {
        self.0.kill().await.unwrap();
    }

    /// Sends SIGSTOP or SIGCONT, by name.
    pub async fn signal(&self, name: &str) {
        let pid = self.0.id().unwrap().to_string();
        let status = Command::new("kill").args([format!("-{name}"), pid]).status().await.unwrap();
        assert!(status.success());
    }

    /// Waits for the end. Returns whether the program reported success.
    pub async fn ended(mut self) -> bool {
        let status = self.0.wait().await.unwrap();
        let is_exit = status.code().is_some_and(|code| code < 2);
        assert!(is_exit, "neither a panic nor a signal: {status:?}");
        status.success()
    }

    /// Waits for the end, with any result.
    pub async fn wait(&mut self) {
        self.0.wait().await.unwrap();
    }

    /// Waits until the simulator has answered `count` more requests, or the program has ended.
    pub async fn after_requests(&mut self, simulator: &Simulator, count: usize) {
        tokio::select! {
            () = simulator.wait_for_answers(requests(simulator) + count) => {}
            () = self.wait() => {}
        }
    }
}

/// How many requests the simulator has answered.
pub fn requests(simulator: &Simulator) -> usize {
    simulator.requests().log().len()
}

/// The contents of the store without the times of fetching.
pub fn contents(folder: &Path) -> Contents {
    let catalog = Catalog::bundled();
    let raw =
        "SELECT resource, document_id, day, start_at, end_at, utc_offset, hex(hash), revision,
                      deleted_at IS NULL
               FROM oura_raw_documents ORDER BY 1, 2";
    let coverage = "SELECT collection, day, time, documents, state FROM coverage ORDER BY 1, 2";
    let collections = "SELECT name, state, reason, documents, first_day, last_day
                       FROM collections ORDER BY 1";
    let nights = "SELECT day, average_hrv, total_sleep_duration, naps FROM nights ORDER BY 1";
    let samples = "SELECT samples.series, samples.time, samples.value, document_id FROM samples
                   JOIN oura_raw_documents USING (document) ORDER BY 1, 2, 4";
    let mut queries = vec![
        ("oura_raw_documents".to_owned(), raw.to_owned()),
        ("samples".to_owned(), samples.to_owned()),
        ("coverage".to_owned(), coverage.to_owned()),
        ("collections".to_owned(), collections.to_owned()),
        ("sync_windows".to_owned(), "SELECT * FROM sync_windows WHERE done_at IS NULL".to_owned()),
        ("nights".to_owned(), nights.to_owned()),
    ];
    for collection in &catalog.collections {
        let columns: Vec<String> = select(
            &database(folder),
            &format!(
                "SELECT name FROM pragma_table_info('{}') WHERE name <> 'document'",
                collection.table
            ),
        )
        .iter()
        .map(|row| format!("\"{}\"", row[0].as_str().unwrap()))
        .collect();
        let key = if collection.storage == Storage::Documents { "document_id" } else { "1, 2" };
        let from = match collection.storage {
            Storage::Documents => format!(
                "{} AS typed JOIN (SELECT document AS raw, document_id FROM oura_raw_documents)
                 ON raw = document",
                collection.table
            ),
            Storage::Rows => collection.table.clone(),
        };
        queries.push((
            collection.table.clone(),
            format!("SELECT {} FROM {from} ORDER BY {key}", columns.join(", ")),
        ));
    }
    queries
        .into_iter()
        .map(|(name, sql)| {
            let rows = select(&database(folder), &sql);
            let hash = Sha256::digest(serde_json::to_vec(&rows).unwrap());
            (name, (rows.len(), hash.iter().map(|byte| format!("{byte:02x}")).collect()))
        })
        .collect()
}

/// By table: the number of rows, and a hash over all of them.
pub type Contents = BTreeMap<String, (usize, String)>;

/// An undisturbed load.
pub struct Undisturbed {
    /// The time at which Oura stands still.
    pub now: Instant,
    pub contents: Contents,
    /// Requests of the load, and of a sync without new documents.
    pub load: usize,
    pub update: usize,
}

/// The undisturbed load that all tests here compare with.
pub async fn undisturbed() -> &'static Undisturbed {
    static ONCE: OnceCell<Undisturbed> = OnceCell::const_new();
    ONCE.get_or_init(async || {
        let now = Clock::system().now();
        let simulator = simulator(now).await;
        let folder = connected_folder(&simulator).await;
        let before = requests(&simulator);
        assert!(Program::start(folder.path(), &simulator.origin(), now).ended().await);
        let contents = contents(folder.path());
        assert!(
            contents["oura_raw_documents"].0 > 1_000 && contents["samples"].0 > 10_000,
            "{contents:?}"
        );
        let loaded = requests(&simulator);
        assert!(Program::start(folder.path(), &simulator.origin(), now).ended().await);
        Undisturbed { now, contents, load: loaded - before, update: requests(&simulator) - loaded }
    })
    .await
}

/// Asserts that the store in `folder` equals that of the undisturbed load. Returns false if
/// midnight came between the two loads, and with it another day.
#[track_caller]
pub fn equals_undisturbed(folder: &Path, undisturbed: &Undisturbed, seed: u64) -> bool {
    if Clock::system().now().day(Tz::UTC) != undisturbed.now.day(Tz::UTC) {
        report_skip("midnight came between the two loads, and with it another day");
        return false;
    }
    let found = contents(folder);
    for (table, expected) in &undisturbed.contents {
        assert_eq!(&found[table], expected, "{table}, seed {seed}");
    }
    let runs = select(&database(folder), "SELECT count(*) FROM sync_runs WHERE state = 'running'");
    assert_eq!(runs[0][0], 0, "seed {seed}");
    true
}
