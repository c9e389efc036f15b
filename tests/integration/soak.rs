//! A data source that nobody looks after, for a simulated year: its schedule runs against an Oura with its everyday faults and outages, in a
//! process of its own whose memory and file handles are watched. Every day half a minute of it; `SOAK_MINUTES=20` covers the year.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::common::truth::assert_held;
use crate::common::world::connect;
use crate::common::{database, secret_scanner, wanted};
use ringside::datasource::{DataSourceKey, DataSources, Environment, Settings};
use ringside::oura::{Origins, Secret};
use ringside::simulator::{
    Config, Consent, Fault, Misbehaviour, SECRET_MARK, Simulator, Target, Violation,
};
use ringside::time::{Clock, Day, Tz};

/// Seconds of the simulated year that pass in one.
const RATE: f64 = 365.0 * 86_400.0 / (20.0 * 60.0);
const BEGINNING: &str = "2025-11-24T06:00:00Z";
/// Days of history before it.
const HISTORY: i64 = 30;
/// Days that may still change at the end.
const UNSETTLED: i64 = 8;
/// How long from one measure to the next: nearly two simulated hours.
const BETWEEN: Duration = Duration::from_millis(250);
/// Measures from one outage to the next, which lasts until the next measure: three days.
const OUTAGES: usize = 40;

/// A clock that showed `BEGINNING` when the system's clock showed `anchor`, in seconds since 1970: the same in two processes.
fn clock(anchor: f64) -> Clock {
    Clock::starting_at(
        crate::common::at(BEGINNING).plus(((unix_now() - anchor) * RATE) as i64),
        RATE,
    )
}

fn unix_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn environment(folder: &Path, origin: &url::Url, clock: Clock, scheduled: bool) -> Environment {
    Environment { clock, scheduled, ..Environment::at(folder, Origins::at(origin)).unwrap() }
}

fn status(status: u16, retry_after: Option<u64>) -> Misbehaviour {
    Misbehaviour::Status { status, retry_after }
}

/// From now on goes wrong what goes wrong on any day.
fn everyday(simulator: &Simulator) {
    let on_api = |does, probability| Fault {
        probability,
        ..Fault::new(Target::Path("/v2/".to_owned()), does)
    };
    simulator.faults().clear();
    for fault in [
        on_api(status(500, None), 0.01),
        on_api(status(503, None), 0.01),
        on_api(status(429, Some(60)), 0.002),
        on_api(Misbehaviour::HalfBody, 0.005),
        Fault { probability: 0.1, ..Fault::on_path("/oauth/token", status(503, None)) },
    ] {
        simulator.faults().add(fault);
    }
}

/// The process that is watched: what was connected before goes on by itself, until its standard input ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of the soak, in a process of its own"]
async fn the_data_source() {
    secret_scanner::install();
    let told = |name: &str| std::env::var(name).unwrap();
    let clock = clock(told("SOAK_ANCHOR").parse().unwrap());
    let environment = environment(
        told("SOAK_FOLDER").as_ref(),
        &told("SOAK_ORIGIN").parse().unwrap(),
        clock,
        true,
    );
    let datasources = DataSources::open(environment).unwrap();
    assert_eq!(datasources.resume().await.unwrap(), 1);
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()))
        .await
        .unwrap()
        .unwrap();
    datasources.shutdown().await;
}

struct Watched {
    process: Child,
    /// All that it wrote on its standard error, once it has ended.
    said: Option<JoinHandle<Vec<u8>>>,
}

impl Watched {
    fn start(folder: &Path, origin: &url::Url, anchor: f64) -> Watched {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["soak::the_data_source", "--exact", "--ignored", "--nocapture"]);
        command
            .env("SOAK_FOLDER", folder)
            .env("SOAK_ORIGIN", origin.as_str())
            .env("SOAK_ANCHOR", anchor.to_string());
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        secret_scanner::scan_stream(process.stdout.take().unwrap());
        let said = Some(secret_scanner::scan_stream(process.stderr.take().unwrap()));
        Watched { process, said }
    }

    /// Resident memory in MB, and open file handles.
    fn measure(&self) -> Measure {
        let proc = Path::new("/proc").join(self.process.id().to_string());
        let status = std::fs::read_to_string(proc.join("status")).unwrap();
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .expect("the process has ended");
        let kilobytes: f64 = resident.trim().trim_end_matches("kB").trim().parse().unwrap();
        Measure {
            megabytes: kilobytes / 1024.0,
            handles: std::fs::read_dir(proc.join("fd")).unwrap().count(),
        }
    }

    fn ended_well(mut self) {
        drop(self.process.stdin.take());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let said = self.said.take().and_then(|said| said.join().ok()).unwrap_or_default();
        if std::thread::panicking() {
            eprintln!("it said: {}", String::from_utf8_lossy(&said));
        }
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
    secret_scanner::install();
    let minutes = wanted("SOAK_MINUTES", 0.5);
    let folder = tempfile::tempdir().unwrap();
    let anchor = unix_now();
    let first_day = crate::common::at(BEGINNING).day(Tz::UTC).plus(-HISTORY);
    let config = Config { consent: Consent::Allow, ..Config::new(5, first_day, clock(anchor)) };
    let simulator = Simulator::start(config, ([127, 0, 0, 1], 0).into()).await.unwrap();
    log_in(folder.path(), &simulator, first_day, clock(anchor)).await;
    everyday(&simulator);

    let watched = Watched::start(folder.path(), &simulator.origin(), anchor);
    let mut measures = Vec::new();
    let begun = std::time::Instant::now();
    while begun.elapsed().as_secs_f64() < minutes * 60.0 {
        let out = measures.len() % OUTAGES == OUTAGES - 1;
        if out {
            simulator.faults().add(Fault::new(Target::Everything, status(503, None)));
        }
        tokio::time::sleep(BETWEEN).await;
        if out {
            everyday(&simulator);
        }
        measures.push(watched.measure());
    }
    // The last half day in peace: what the faults took comes with the next sync.
    simulator.faults().clear();
    tokio::time::sleep(Duration::from_secs_f64(12.0 * 3600.0 / RATE)).await;
    watched.ended_well();

    let quarter = measures.len() / 4;
    let (early, late) = (&measures[quarter..2 * quarter], &measures[3 * quarter..]);
    let memory = |part: &[Measure]| median(part, |measure| measure.megabytes);
    let handles = |part: &[Measure]| part.iter().map(|measure| measure.handles).max().unwrap();
    let database = database(folder.path());
    let ended = clock(anchor).now();
    let runs = crate::common::select(
        &database,
        "SELECT count(*), sum(state = 'done'), sum(requests) FROM sync_runs",
    );
    let journal = simulator.requests();
    println!(
        "{} simulated days; {} syncs, {} of them without a fault to the end; {} requests, {} answers spoilt, {} refreshes of the token",
        (ended.seconds() - crate::common::at(BEGINNING).seconds()) / 86_400,
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
    let datasources =
        DataSources::open(environment(folder, &simulator.origin(), clock, false)).unwrap();
    let settings = Settings {
        client_id: "simulated-client".to_owned(),
        history_start: Some(first_day),
        ..Settings::default()
    };
    let datasource = datasources
        .datasource(&DataSourceKey::single(), &settings, &Secret::new(SECRET_MARK))
        .await
        .unwrap();
    // The ten minutes that a state and a code are good for are 23 milliseconds here: a busy machine takes longer now and then.
    let mut tries = 0;
    while let Err(error) = connect(&datasource, "anna").await {
        tries += 1;
        assert!(tries < 100, "{error}");
    }
    datasources.shutdown().await;
}
