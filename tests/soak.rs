//! A data source that nobody looks after, for a simulated year: its schedule runs against an Oura with its everyday faults, in a process of
//! its own whose memory and file handles are watched. Every day half a minute of it; `SOAK_MINUTES=20` covers the year.
#![cfg(target_os = "linux")]

mod common;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::truth::assert_held;
use common::world::connect;
use common::{database, wanted};
use ringside::account::{Accounts, DatasourceKey, Environment, Settings};
use ringside::oura::{Origins, Secret};
use ringside::simulator::{Config, Consent, Fault, Misbehaviour, SECRET_MARK, Simulator, Target, Violation};
use ringside::time::{Clock, Day, Tz};

/// Seconds of the simulated year that pass in one.
const RATE: f64 = 365.0 * 86_400.0 / (20.0 * 60.0);
const BEGINNING: &str = "2025-11-24T06:00:00Z";
/// Days of history before it.
const HISTORY: i64 = 30;
/// Days that may still change at the end.
const UNSETTLED: i64 = 8;

/// A clock that showed `BEGINNING` when the system's clock showed `anchor`, in seconds since 1970: the same in two processes.
fn clock(anchor: f64) -> Clock {
    Clock::starting_at(common::at(BEGINNING).plus(((unix_now() - anchor) * RATE) as i64), RATE)
}

fn unix_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn environment(folder: &Path, origin: &url::Url, clock: Clock, scheduled: bool) -> Environment {
    Environment { clock, scheduled, ..Environment::at(folder, Origins::at(origin)).unwrap() }
}

/// What goes wrong on any day, and a quarter of an hour without Oura now and then.
fn everyday_faults() -> Vec<Fault> {
    let on_api = |does, probability| Fault { probability, ..Fault::new(Target::Path("/v2/".to_owned()), does) };
    let status = |status, retry_after| Misbehaviour::Status { status, retry_after };
    vec![
        on_api(status(500, None), 0.01),
        on_api(status(503, None), 0.01),
        on_api(status(429, Some(60)), 0.002),
        on_api(Misbehaviour::HalfBody, 0.005),
        Fault { probability: 0.1, ..Fault::on_path("/oauth/token", status(503, None)) },
    ]
}

/// The process that is watched: what was connected before goes on by itself, until its standard input ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of the soak, in a process of its own"]
async fn the_data_source() {
    let told = |name: &str| std::env::var(name).unwrap();
    let clock = clock(told("SOAK_ANCHOR").parse().unwrap());
    let environment = environment(told("SOAK_FOLDER").as_ref(), &told("SOAK_ORIGIN").parse().unwrap(), clock, true);
    let accounts = Accounts::open(environment).unwrap();
    assert_eq!(accounts.resume().await.unwrap(), 1);
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await.unwrap().unwrap();
    accounts.shutdown().await;
}

struct Watched(Child);

impl Watched {
    fn start(folder: &Path, origin: &url::Url, anchor: f64) -> Watched {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["the_data_source", "--exact", "--ignored", "--nocapture"]);
        command.env("SOAK_FOLDER", folder).env("SOAK_ORIGIN", origin.as_str()).env("SOAK_ANCHOR", anchor.to_string());
        Watched(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
    }

    /// Resident memory in MB, and open file handles.
    fn measure(&self) -> Measure {
        let proc = Path::new("/proc").join(self.0.id().to_string());
        let status = std::fs::read_to_string(proc.join("status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the process has ended");
        let kilobytes: f64 = resident.trim().trim_end_matches("kB").trim().parse().unwrap();
        Measure { megabytes: kilobytes / 1024.0, handles: std::fs::read_dir(proc.join("fd")).unwrap().count() }
    }

    fn ended_well(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[derive(Clone, Copy, Debug)]
struct Measure {
    megabytes: f64,
    handles: usize,
}

fn median(measures: &[Measure], of: impl Fn(&Measure) -> f64) -> f64 {
    let mut values: Vec<f64> = measures.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_year_of_scheduled_syncs_leaves_nothing_out_and_nothing_behind() {
    let minutes = wanted("SOAK_MINUTES", 0.5);
    let folder = tempfile::tempdir().unwrap();
    let anchor = unix_now();
    let first_day = common::at(BEGINNING).day(Tz::UTC).plus(-HISTORY);
    let config = Config { consent: Consent::Allow, ..Config::new(5, first_day, clock(anchor)) };
    let simulator = Simulator::start(config, ([127, 0, 0, 1], 0).into()).await.unwrap();
    log_in(folder.path(), &simulator, first_day, clock(anchor)).await;
    everyday_faults().into_iter().for_each(|fault| simulator.faults().add(fault));

    let watched = Watched::start(folder.path(), &simulator.origin(), anchor);
    let mut measures = Vec::new();
    let begun = std::time::Instant::now();
    while begun.elapsed().as_secs_f64() < minutes * 60.0 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        measures.push(watched.measure());
    }
    // The last hour in peace: what the faults took comes with the next sync.
    simulator.faults().clear();
    tokio::time::sleep(Duration::from_secs_f64(12.0 * 3600.0 / RATE)).await;
    watched.ended_well();

    let quarter = measures.len() / 4;
    let (early, late) = (&measures[quarter..2 * quarter], &measures[3 * quarter..]);
    let memory = |part: &[Measure]| median(part, |measure| measure.megabytes);
    let handles = |part: &[Measure]| part.iter().map(|measure| measure.handles).max().unwrap();
    let database = database(folder.path());
    let ended = clock(anchor).now();
    let runs = common::select(&database, "SELECT count(*), sum(state = 'done'), sum(requests) FROM sync_runs");
    let journal = simulator.requests();
    println!(
        "{} simulated days; {} syncs, {} of them without a fault to the end; {} requests, {} answers spoilt, {} refreshes of the token",
        (ended.seconds() - common::at(BEGINNING).seconds()) / 86_400,
        runs[0][0],
        runs[0][1],
        runs[0][2],
        journal.log().iter().filter(|request| request.spoilt).count(),
        journal.count("/oauth/token"),
    );
    println!(
        "resident memory {:.1} MB in the second quarter, {:.1} MB in the last; file handles at most {} and {}; database {:.1} MB",
        memory(early),
        memory(late),
        handles(early),
        handles(late),
        std::fs::metadata(&database).unwrap().len() as f64 / 1e6,
    );
    assert_eq!(journal.violations(Violation::RefreshTokenReused), 0);
    assert_held(&database, &simulator, &(first_day..=ended.day(Tz::UTC).plus(-UNSETTLED)), &[]);
    assert!(memory(late) < 1.1 * memory(early) + 4.0, "memory grows");
    assert!(handles(late) <= handles(early) + 2, "file handles grow");
}

/// Logs in and remembers the settings; the history is left to the schedule.
async fn log_in(folder: &Path, simulator: &Simulator, first_day: Day, clock: Clock) {
    let accounts = Accounts::open(environment(folder, &simulator.origin(), clock, false)).unwrap();
    let settings = Settings { client_id: "simulated-client".to_owned(), history_start: Some(first_day), ..Settings::default() };
    let account = accounts.account(&DatasourceKey::single(), &settings, &Secret::new(SECRET_MARK)).await.unwrap();
    connect(&account, "anna").await;
    accounts.shutdown().await;
}
