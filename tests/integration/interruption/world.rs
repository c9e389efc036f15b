//! The real program loading a history from a simulated Oura, and everything that it holds in the end.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rand::SeedableRng;
use rand::rngs::StdRng;
use ringside::catalog::{Catalog, Storage};
use ringside::datasource::{DataSourceKey, DataSources, Environment, Settings};
use ringside::oura::{Origins, Secret};
use ringside::simulator::{Config, SECRET_MARK, Simulator};
use ringside::time::{Clock, Day, Instant, Tz};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::common::world::connect;
use crate::common::{database, secret_scanner, select, skipped, wanted};

/// Days of history.
pub const DAYS: i64 = 160;
/// Windows that the program fetches at once.
pub const AT_ONCE: usize = 4;

/// The program goes by the system's clock; Oura stands still at `now`, so that both loads find the same.
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

/// A data folder with a login in it; the program does the rest.
pub async fn connected_folder(simulator: &Simulator) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    log_in(folder.path(), simulator).await;
    folder
}

/// Puts a login into `folder`, the first or another.
pub async fn log_in(folder: &Path, simulator: &Simulator) {
    let datasources =
        DataSources::open(Environment::at(folder, Origins::at(&simulator.origin())).unwrap())
            .unwrap();
    let (key, secret) = (DataSourceKey::single(), Secret::new(SECRET_MARK));
    let everything = Settings { client_id: "simulated-client".to_owned(), ..Settings::default() };
    let little = Settings { collections: vec!["personal_info".to_owned()], ..everything.clone() };
    connect(&datasources.datasource(&key, &little, &secret).await.unwrap(), "anna").await.unwrap();
    // The program finds these.
    datasources.datasource(&key, &everything, &secret).await.unwrap();
    datasources.shutdown().await;
}

/// `gpx_oura sync`, which ends with the test.
pub struct Program(Child);

impl Program {
    pub fn start(folder: &Path, origin: &url::Url, now: Instant) -> Program {
        Program::start_after("", folder, origin, now)
    }

    /// `before` is shell that runs first, in the process that becomes the program.
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
            .stderr(Stdio::piped());
        let mut program = command.spawn().unwrap();
        secret_scanner::scan_stream(program.stdout.take().unwrap());
        secret_scanner::scan_stream(program.stderr.take().unwrap());
        Program(program)
    }

    pub fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// SIGKILL: nothing can be tidied up.
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// SIGSTOP or SIGCONT, by name.
    pub fn signal(&self, name: &str) {
        assert!(
            Command::new("kill")
                .args([&format!("-{name}"), &self.0.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Whether it said that all went well.
    pub async fn ended(mut self) -> bool {
        let status = tokio::task::spawn_blocking(move || self.0.wait().unwrap()).await.unwrap();
        assert!(status.code().is_some_and(|code| code < 2), "no panic, no signal: {status:?}");
        status.success()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Until the simulator was asked `more` times from now on, or the program has ended.
pub async fn at_work(program: &mut Program, simulator: &Simulator, more: usize) {
    let moment = asked(simulator) + more;
    while asked(simulator) < moment && !program.has_ended() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

pub fn asked(simulator: &Simulator) -> usize {
    simulator.requests().log().len()
}

/// Everything a person sees, without what depends on when it was fetched: by table, how many rows and a hash over all of them.
pub fn contents(folder: &Path) -> Contents {
    let catalog = Catalog::bundled();
    let raw = "SELECT resource, document_id, day, start_at, end_at, utc_offset, hex(hash), revision, deleted_at IS NULL
               FROM oura_raw_documents ORDER BY 1, 2";
    let samples = "SELECT samples.series, samples.time, samples.value, document_id FROM samples
                   JOIN oura_raw_documents USING (document) ORDER BY 1, 2, 4";
    let mut questions = vec![
        ("oura_raw_documents".to_owned(), raw.to_owned()),
        ("samples".to_owned(), samples.to_owned()),
        ("coverage".to_owned(), "SELECT collection, day, time, documents, state FROM coverage ORDER BY 1, 2".to_owned()),
        ("collections".to_owned(), "SELECT name, state, reason, documents, first_day, last_day FROM collections ORDER BY 1".to_owned()),
        ("sync_windows".to_owned(), "SELECT * FROM sync_windows WHERE done_at IS NULL".to_owned()),
        ("nights".to_owned(), "SELECT day, average_hrv, total_sleep_duration, naps FROM nights ORDER BY 1".to_owned()),
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
                "{} AS typed JOIN (SELECT document AS raw, document_id FROM oura_raw_documents) ON raw = document",
                collection.table
            ),
            Storage::Rows => collection.table.clone(),
        };
        questions.push((
            collection.table.clone(),
            format!("SELECT {} FROM {from} ORDER BY {key}", columns.join(", ")),
        ));
    }
    questions
        .into_iter()
        .map(|(name, sql)| {
            let rows = select(&database(folder), &sql);
            let hash = Sha256::digest(serde_json::to_vec(&rows).unwrap());
            (name, (rows.len(), hash.iter().map(|byte| format!("{byte:02x}")).collect()))
        })
        .collect()
}

/// Everything that is held, by table: how many rows, and a hash over all of them.
pub type Contents = BTreeMap<String, (usize, String)>;

/// What an undisturbed load comes to.
pub struct Undisturbed {
    /// When Oura stands still.
    pub now: Instant,
    pub contents: Contents,
    /// Requests of the load, and of a sync that finds nothing new.
    pub load: usize,
    pub update: usize,
}

/// The same for every test here.
pub async fn undisturbed() -> &'static Undisturbed {
    static ONCE: OnceCell<Undisturbed> = OnceCell::const_new();
    ONCE.get_or_init(async || {
        let now = Clock::system().now();
        let simulator = simulator(now).await;
        let folder = connected_folder(&simulator).await;
        let before = asked(&simulator);
        assert!(Program::start(folder.path(), &simulator.origin(), now).ended().await);
        let contents = contents(folder.path());
        assert!(
            contents["oura_raw_documents"].0 > 1_000 && contents["samples"].0 > 10_000,
            "{contents:?}"
        );
        let loaded = asked(&simulator);
        assert!(Program::start(folder.path(), &simulator.origin(), now).ended().await);
        Undisturbed { now, contents, load: loaded - before, update: asked(&simulator) - loaded }
    })
    .await
}

/// Asserts that `folder` holds what an undisturbed load holds. False if midnight came between the two, and with it another day.
#[track_caller]
pub fn holds(folder: &Path, fair: &Undisturbed, seed: u64) -> bool {
    if Clock::system().now().day(Tz::UTC) != fair.now.day(Tz::UTC) {
        skipped("midnight came between the two loads, and with it another day");
        return false;
    }
    let found = contents(folder);
    for (table, expected) in &fair.contents {
        assert_eq!(&found[table], expected, "{table}, seed {seed}");
    }
    let runs = select(&database(folder), "SELECT count(*) FROM sync_runs WHERE state = 'running'");
    assert_eq!(runs[0][0], 0, "seed {seed}");
    true
}

/// The chances of this run, printed so that they can be had again with `INTERRUPTION_SEED`.
pub fn chances() -> (u64, StdRng) {
    let seed = wanted("INTERRUPTION_SEED", rand::random());
    println!("INTERRUPTION_SEED={seed}");
    (seed, StdRng::seed_from_u64(seed))
}
