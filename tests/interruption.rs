//! The program killed again and again during a history load: what is held in the end is what an undisturbed load holds.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rand::{Rng, SeedableRng};
use ringside::account::{Account, Accounts, DatasourceKey, Environment, Settings};
use ringside::catalog::{Catalog, Storage};
use ringside::oura::{self, Origins, Secret};
use ringside::query::Limits;
use ringside::simulator::{self, Config, Simulator};
use ringside::time::{Clock, Day, Instant, Tz};
use sha2::{Digest, Sha256};

/// Days of history.
const DAYS: i64 = 160;
/// How often the program is killed.
const KILLS: usize = 20;
/// Windows that the program fetches at once.
const AT_ONCE: usize = 4;
const USER: &str = "anna";

/// The program goes by the system's clock; Oura stands still at `now`, so that both loads find the same.
async fn simulator(now: Instant) -> Simulator {
    Simulator::start(Config::new(3, first_day(now), Clock::starting_at(now, 0.0)), ([127, 0, 0, 1], 0).into()).await.unwrap()
}

fn first_day(now: Instant) -> Day {
    now.day(Tz::UTC).plus(-DAYS)
}

/// A data folder with a login in it; the program does the rest.
async fn connected_folder(simulator: &Simulator) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment {
        data_dir: folder.path().to_owned(),
        origins: Origins::at(&simulator.origin()),
        http: oura::http_client().unwrap(),
        catalog: Arc::new(Catalog::bundled()),
        clock: Clock::system(),
        limits: Limits::default(),
        encryption_key: None,
        scheduled: false,
    };
    let accounts = Accounts::open(environment.clone()).unwrap();
    let settings =
        Settings { client_id: "simulated-client".to_owned(), collections: vec!["personal_info".to_owned()], ..Settings::default() };
    let account = accounts.account(&DatasourceKey::single(), &settings, &Secret::new("simulated-secret")).await.unwrap();
    log_in(&account, &environment.http).await;
    accounts.shutdown().await;
    folder
}

async fn log_in(account: &Account, http: &reqwest::Client) {
    let start = account.start_login("http://localhost/connections/datasources/edit/oura", USER).unwrap();
    let (code, state) = simulator::consent(http, &start.authorize_url).await.unwrap();
    account.finish_login(&Secret::new(code), &Secret::new(state), USER).await.unwrap();
}

/// `gpx_oura sync`, which ends with the test.
struct Program(Child);

impl Program {
    fn start(folder: &Path, simulator: &Simulator, now: Instant) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gpx_oura"));
        command.args(["sync", "--history-start", &first_day(now).to_string(), "--data-dir"]).arg(folder);
        command
            .env("OURA_CLIENT_ID", "simulated-client")
            .env("OURA_CLIENT_SECRET", "simulated-secret")
            .env("GF_PLUGIN_OURA_URL", simulator.origin().as_str())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Program(command.spawn().unwrap())
    }

    fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// SIGKILL: nothing can be tidied up.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    async fn ended_well(mut self) {
        let status = tokio::task::spawn_blocking(move || self.0.wait().unwrap()).await.unwrap();
        assert!(status.success(), "{status:?}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn asked(simulator: &Simulator) -> usize {
    simulator.requests().log().len()
}

fn database(folder: &Path) -> PathBuf {
    DatasourceKey::single().folder(folder).join("oura.db")
}

/// Everything a person sees, without what depends on when it was fetched: by table, how many rows and a hash over all of them.
fn contents(folder: &Path) -> BTreeMap<String, (usize, String)> {
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
        let columns: Vec<String> = common::select(
            &database(folder),
            &format!("SELECT name FROM pragma_table_info('{}') WHERE name <> 'document'", collection.table),
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
        questions.push((collection.table.clone(), format!("SELECT {} FROM {from} ORDER BY {key}", columns.join(", "))));
    }
    questions
        .into_iter()
        .map(|(name, sql)| {
            let rows = common::select(&database(folder), &sql);
            let hash = Sha256::digest(serde_json::to_vec(&rows).unwrap());
            (name, (rows.len(), hash.iter().map(|byte| format!("{byte:02x}")).collect()))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_change_nothing() {
    let seed = std::env::var("INTERRUPTION_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random::<u64>);
    println!("INTERRUPTION_SEED={seed}");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let now = Clock::system().now();

    let undisturbed = simulator(now).await;
    let folder = connected_folder(&undisturbed).await;
    let before = asked(&undisturbed);
    Program::start(folder.path(), &undisturbed, now).ended_well().await;
    let needed = asked(&undisturbed) - before;
    let expected = contents(folder.path());
    assert!(expected["oura_raw_documents"].0 > 1_000 && expected["samples"].0 > 10_000, "{expected:?}");
    let windows = common::select(&database(folder.path()), "SELECT reason, count(*) FROM sync_windows GROUP BY 1 ORDER BY 1");
    let count = |reason: &str| windows.iter().find(|row| row[0] == reason).and_then(|row| row[1].as_u64()).unwrap() as usize;
    let (history, trailing) = (count("history"), count("trailing"));

    let disturbed = simulator(now).await;
    let folder = connected_folder(&disturbed).await;
    let before = asked(&disturbed);
    let (mut kills, mut starts) = (0, 1);
    while kills < KILLS {
        starts += 1;
        let mut program = Program::start(folder.path(), &disturbed, now);
        // Requests, not seconds: the moment lies in the middle of the work however fast the machine is.
        let moment = asked(&disturbed) + random.random_range(0..2 * (trailing + needed / KILLS));
        while asked(&disturbed) < moment && !program.has_ended() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        if program.has_ended() {
            continue;
        }
        program.kill();
        kills += 1;
        let sound = common::select(&database(folder.path()), "PRAGMA quick_check");
        assert_eq!(sound[0][0], "ok", "seed {seed}");
    }
    Program::start(folder.path(), &disturbed, now).ended_well().await;
    let sent = asked(&disturbed) - before;
    let most = needed + starts * (trailing + 4 * AT_ONCE);
    if Clock::system().now().day(Tz::UTC) != now.day(Tz::UTC) {
        return println!("SKIPPED: midnight came between the two loads, and with it another day");
    }
    println!(
        "{kills} kills, {starts} starts; {needed} requests for {history} + {trailing} windows undisturbed, {sent} with the kills, {most} allowed"
    );

    let found = contents(folder.path());
    for (table, expected) in &expected {
        assert_eq!(&found[table], expected, "{table}, seed {seed}");
    }
    assert!(sent <= most, "{sent} requests instead of {needed}; at most {most}; seed {seed}");
    let runs = common::select(&database(folder.path()), "SELECT count(*) FROM sync_runs WHERE state = 'running'");
    assert_eq!(runs[0][0], 0, "seed {seed}");
}
