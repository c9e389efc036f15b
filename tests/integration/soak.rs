//! An unattended data source over a simulated year. Its schedule runs against an Oura with everyday
//! faults and outages, in a separate process, and the test measures the memory and the file handles
//! of that process. By default the test takes half a minute; `SOAK_MINUTES=20` covers the year.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::common::truth::assert_stored;
use crate::common::world::connect;
use crate::common::{database, env_or, secret_scanner};
use ringside::datasource::{DataSourceKey, DataSources, Environment, Settings};
use ringside::oura::{Origins, Secret};
use ringside::simulator::{
    Config, Consent, Fault, Misbehaviour, SECRET_MARK, Simulator, Target, Violation,
};
use ringside::time::{Clock, Day, Tz};

/// Simulated seconds per real second.
const RATE: f64 = 365.0 * 86_400.0 / (20.0 * 60.0);
const BEGINNING: &str = "2025-11-24T06:00:00Z";
/// Days of history before the beginning.
const HISTORY: i64 = 30;
/// Days that may still change at the end.
const UNSETTLED: i64 = 8;
/// The time between two measurements: nearly two simulated hours.
const MEASUREMENT_INTERVAL: Duration = Duration::from_millis(250);
/// Measurements from one outage to the next: three days. An outage lasts until the next
/// measurement.
const OUTAGE_INTERVAL: usize = 40;

/// A clock that showed `BEGINNING` when the system's clock showed `anchor`, in seconds since 1970.
/// Two processes with the same anchor have the same clock.
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

/// Sets the faults of an ordinary day.
fn set_everyday_faults(simulator: &Simulator) {
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

/// The watched process: resumes the data source and runs until its standard input ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process that the soak test starts"]
async fn watched_data_source() {
    secret_scanner::install();
    let variable = |name: &str| std::env::var(name).unwrap();
    let clock = clock(variable("SOAK_ANCHOR").parse().unwrap());
    let environment = environment(
        variable("SOAK_FOLDER").as_ref(),
        &variable("SOAK_ORIGIN").parse().unwrap(),
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

/// The watched process.
struct Watched {
    process: Child,
    /// Its standard error, complete once it has ended.
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Watched {
    fn start(folder: &Path, origin: &url::Url, anchor: f64) -> Watched {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["soak::watched_data_source", "--exact", "--ignored", "--nocapture"]);
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
        let stderr = Some(secret_scanner::scan_stream(process.stderr.take().unwrap()));
        Watched { process, stderr }
    }

    /// Measures the resident memory in MB and the open file handles.
    fn measure(&self) -> Measurement {
        let proc = Path::new("/proc").join(self.process.id().to_string());
        let status = std::fs::read_to_string(proc.join("status")).unwrap();
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .expect("the process has ended");
        let kilobytes: f64 = resident.trim().trim_end_matches("kB").trim().parse().unwrap();
        Measurement {
            megabytes: kilobytes / 1024.0,
            handles: std::fs::read_dir(proc.join("fd")).unwrap().count(),
        }
    }

    /// Ends the process, which must succeed.
    fn end(mut self) {
        drop(self.process.stdin.take());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Both fail if the process has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let stderr = self.stderr.take().and_then(|stderr| stderr.join().ok()).unwrap_or_default();
        if std::thread::panicking() {
            eprintln!("the process wrote: {}", String::from_utf8_lossy(&stderr));
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Measurement {
    megabytes: f64,
    handles: usize,
}

fn median(measurements: &[Measurement], of: impl Fn(&Measurement) -> f64) -> f64 {
    let mut values: Vec<f64> = measurements.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scheduled_syncs_of_a_year_are_complete_and_leak_nothing() {
    secret_scanner::install();
    let minutes = env_or("SOAK_MINUTES", 0.5);
    let folder = tempfile::tempdir().unwrap();
    let anchor = unix_now();
    let first_day = crate::common::at(BEGINNING).day(Tz::UTC).plus(-HISTORY);
    let config = Config { consent: Consent::Allow, ..Config::new(5, first_day, clock(anchor)) };
    let simulator = Simulator::start(config, ([127, 0, 0, 1], 0).into()).await.unwrap();
    log_in(folder.path(), &simulator, first_day, clock(anchor)).await;
    set_everyday_faults(&simulator);

    let watched = Watched::start(folder.path(), &simulator.origin(), anchor);
    let mut measurements = Vec::new();
    let begun = std::time::Instant::now();
    while begun.elapsed().as_secs_f64() < minutes * 60.0 {
        let out = measurements.len() % OUTAGE_INTERVAL == OUTAGE_INTERVAL - 1;
        if out {
            simulator.faults().add(Fault::new(Target::Everything, status(503, None)));
        }
        tokio::time::sleep(MEASUREMENT_INTERVAL).await;
        if out {
            set_everyday_faults(&simulator);
        }
        measurements.push(watched.measure());
    }
    // The last half day has no faults, so that the next sync fetches the rest.
    simulator.faults().clear();
    tokio::time::sleep(Duration::from_secs_f64(12.0 * 3600.0 / RATE)).await;
    watched.end();

    let quarter = measurements.len() / 4;
    let (early, late) = (&measurements[quarter..2 * quarter], &measurements[3 * quarter..]);
    let memory = |part: &[Measurement]| median(part, |measure| measure.megabytes);
    let handles = |part: &[Measurement]| part.iter().map(|measure| measure.handles).max().unwrap();
    let database = database(folder.path());
    let ended = clock(anchor).now();
    let runs = crate::common::select(
        &database,
        "SELECT count(*), sum(state = 'done'), sum(requests) FROM sync_runs",
    );
    let journal = simulator.requests();
    println!(
        "{} simulated days; {} syncs, {} of them complete; {} requests, {} responses spoilt, \
         {} renewals of the token",
        (ended.seconds() - crate::common::at(BEGINNING).seconds()) / 86_400,
        runs[0][0],
        runs[0][1],
        runs[0][2],
        journal.log().iter().filter(|request| request.spoilt).count(),
        journal.count("/oauth/token"),
    );
    println!(
        "resident memory {:.1} MB in the second quarter, {:.1} MB in the last; \
         file handles at most {} and {}; database {:.1} MB",
        memory(early),
        memory(late),
        handles(early),
        handles(late),
        std::fs::metadata(&database).unwrap().len() as f64 / 1e6,
    );
    assert_eq!(journal.violations(Violation::RefreshTokenReused), 0);
    assert_stored(&database, &simulator, &(first_day..=ended.day(Tz::UTC).plus(-UNSETTLED)), &[]);
    assert!(memory(late) < 1.1 * memory(early) + 4.0, "memory grows");
    assert!(handles(late) <= handles(early) + 2, "file handles grow");
}

/// Logs in and stores the settings. The schedule loads the history.
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
    // The ten minutes of a state and a code are 23 milliseconds here. A busy machine sometimes
    // takes longer.
    let mut tries = 0;
    while let Err(error) = connect(&datasource, "anna").await {
        tries += 1;
        assert!(tries < 100, "{error}");
    }
    datasources.shutdown().await;
}
