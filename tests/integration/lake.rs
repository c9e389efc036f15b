//! The lake with the real program: published, killed, read by other engines, and kept current by
//! `serve`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use ringside::catalog::Catalog;
use ringside::store::{Store, Window, WindowReason};
use ringside::sync::settled_after;
use ringside::time::{Clock, Day, Tz};

use crate::common::serve::{Server, data_folder};
use crate::common::wait::poll_until;
use crate::common::{database, env_or, report_skip, seeded_rng};

/// A data folder, and a folder for a lake.
struct Place {
    data: tempfile::TempDir,
    lake: tempfile::TempDir,
}

impl Place {
    /// A data folder with five days of two people, and an empty lake.
    fn new() -> Place {
        Place::with(&["home/1/second"])
    }

    /// A data folder with five days of one person and of `others`, and an empty lake.
    fn with(others: &[&str]) -> Place {
        let data = data_folder();
        for key in others {
            let folder = data.path().join(key);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::copy(database(data.path()), folder.join("oura.db")).unwrap();
        }
        let place = Place { data, lake: tempfile::tempdir().unwrap() };
        place.run(&["init"]);
        place
    }

    fn lake(&self) -> PathBuf {
        self.lake.path().join("lake")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gpx_oura"));
        command
            .arg("lake")
            .args(arguments)
            .env("RINGSIDE_DATA_DIR", self.data.path())
            .env("RINGSIDE_LAKE", self.lake());
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed. Returns its output.
    fn run(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "lake {arguments:?}: {text}{error}");
        text
    }

    fn is_equal(&self) -> bool {
        self.output(&["check"]).status.success()
    }
}

/// Adds a night to the database of a data source, or revises it.
fn add_night(database: &Path, day: &str) {
    put_night(database, day, 20_000);
}

fn put_night(database: &Path, day: &str, slept: u32) {
    let store = Store::open(database, Arc::new(Catalog::bundled()), Tz::UTC).unwrap();
    let document = serde_json::json!({
        "id": format!("late-{day}"), "day": day, "type": "long_sleep", "period": 0,
        "bedtime_start": format!("{day}T01:00:00+00:00"),
        "bedtime_end": format!("{day}T07:00:00+00:00"),
        "time_in_bed": 21600, "total_sleep_duration": slept, "low_battery_alert": false,
        "heart_rate": {"interval": 300.0, "items": [50.0, null, 52.0],
                       "timestamp": format!("{day}T01:00:00+00:00")},
    });
    let documents: [Box<[u8]>; 1] = [document.to_string().into_bytes().into()];
    store.writer().add_documents("sleep", &documents, Clock::system().now()).unwrap();
}

/// Deletes the nights of a day, as Oura does.
fn delete_nights(database: &Path, day: Day) {
    let store = Store::open(database, Arc::new(Catalog::bundled()), Tz::UTC).unwrap();
    let now = Clock::system().now();
    let window = Window {
        collection: "sleep".to_owned(),
        from: day,
        to: day,
        reason: WindowReason::Backfill,
    };
    store.writer().enqueue(std::slice::from_ref(&window), now).unwrap();
    let waiting = store.writer().waiting().unwrap();
    let queued = waiting.iter().find(|queued| queued.window == window).unwrap();
    store.writer().put_window(queued, &[], now, settled_after).unwrap();
}

#[test]
fn publication_is_complete_and_repeats_nothing() {
    let place = Place::new();
    let first = place.run(&["publish"]);
    assert!(first.contains("rows") && !first.contains(" 0 files"), "{first}");
    let checked = place.run(&["check"]);
    assert!(checked.contains("rows are equal"), "{checked}");
    assert!(place.run(&["publish"]).contains(" 0 commits, 0 files"));

    add_night(&database(place.data.path()), "2026-02-03");
    assert!(!place.is_equal(), "the check sees the late night");
    place.run(&["publish"]);
    place.run(&["check"]);

    let forgotten = place.run(&["forget", "home/1/second"]);
    assert!(forgotten.contains("files are deleted"), "{forgotten}");
    place.run(&["check"]);
    for engine in ["duckdb", "spark", "trino", "clickhouse", "athena", "bigquery"] {
        let statements = place.run(&["ddl", "--for", engine]);
        for table in ["heartrate", "samples", "days", "nights", "daily_sleep"] {
            assert!(statements.contains(table), "{engine}: {statements}");
        }
    }
}

#[test]
fn forgotten_data_source_leaves_the_lake_or_the_command_is_named() {
    for (lake, expected) in [(None, "gpx_oura lake forget home/1/second"), (Some(""), "PLACE`")] {
        let place = Place::new();
        let text = forget(&place, lake);
        assert!(text.contains("all data is erased") && text.contains(expected), "{text}");
    }
    let place = Place::new();
    place.run(&["publish"]);
    let before = counts(&place.lake());
    let lake = place.lake();
    let text = forget(&place, lake.to_str());
    assert!(text.contains("removed from"), "{text}");
    assert_eq!(counts(&lake)["heartrate"] * 2, before["heartrate"]);
    place.run(&["check"]);

    let place = Place::new();
    std::fs::remove_dir_all(place.lake()).unwrap();
    let text = forget(&place, place.lake().to_str());
    assert!(text.contains("may still be in the lake") && text.contains("Afterwards run"), "{text}");
}

/// Forgets the second data source. Returns the output.
fn forget(place: &Place, lake: Option<&str>) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gpx_oura"));
    command.args(["forget", "home/1/second"]).env("RINGSIDE_DATA_DIR", place.data.path());
    command.env_remove("RINGSIDE_LAKE");
    if let Some(lake) = lake {
        command.env("RINGSIDE_LAKE", lake);
    }
    let output = command.output().unwrap();
    [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat()
}

/// The number of rows by table, as the last commits have them.
fn counts(lake: &Path) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for table in std::fs::read_dir(lake).unwrap().map(|entry| entry.unwrap()) {
        let Ok(log) = std::fs::read_dir(table.path().join("_delta_log")) else { continue };
        let mut files = BTreeMap::new();
        let mut commits: Vec<PathBuf> = log.map(|entry| entry.unwrap().path()).collect();
        commits.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        commits.sort();
        for line in commits.iter().map(|path| std::fs::read_to_string(path).unwrap()) {
            for action in line.lines() {
                let action: serde_json::Value = serde_json::from_str(action).unwrap();
                let path = |kind: &str| action[kind]["path"].as_str().map(str::to_owned);
                if let Some(path) = path("remove") {
                    files.remove(&path);
                }
                if let Some(path) = path("add") {
                    let stats = action["add"]["stats"].as_str().unwrap();
                    let stats: serde_json::Value = serde_json::from_str(stats).unwrap();
                    files.insert(path, stats["numRecords"].as_u64().unwrap());
                }
            }
        }
        for path in files.keys() {
            assert!(table.path().join(path).exists(), "{path} is missing");
        }
        if !commits.is_empty() {
            counts.insert(table.file_name().into_string().unwrap(), files.values().sum());
        }
    }
    counts
}

#[test]
fn killed_publication_is_absent_or_complete() {
    let complete = Place::new();
    complete.run(&["publish"]);
    let whole = counts(&complete.lake());
    let (_, mut rng) = seeded_rng();
    let mut place = Place::new();
    let mut longest = Duration::from_secs(2);
    for kill in 0..env_or("LAKE_KILLS", 8) {
        if kill % 4 == 0 {
            place = Place::new();
        }
        let started = std::time::Instant::now();
        let mut publishing = place.command(&["publish"]).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(longest.mul_f64(rng.random_range(0.0..1.0)));
        publishing.kill().unwrap();
        if publishing.wait().unwrap().success() {
            longest = started.elapsed();
            place = Place::new();
            continue;
        }
        for (table, rows) in counts(&place.lake()) {
            assert!(rows == whole[&table] || rows == 0, "{table}: {rows} of {}", whole[&table]);
        }
    }
    place.run(&["publish"]);
    assert_eq!(counts(&place.lake()), whole);
    place.run(&["check"]);
}

#[test]
fn publishers_at_the_same_time_publish_each_row_once() {
    let place = Place::new();
    let publishers: Vec<_> = (0..3)
        .map(|_| place.command(&["publish"]).stdout(Stdio::null()).spawn().unwrap())
        .collect();
    for mut publisher in publishers {
        assert!(publisher.wait().unwrap().success());
    }
    place.run(&["check"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_publishes_changes_by_itself() {
    let place = Place::new();
    let lake = place.lake();
    let arguments = ["--lake", lake.to_str().unwrap(), "--lake-interval", "0"];
    let _server = Server::start(place.data.path(), &arguments).await;
    poll_until("the first publication", || place.is_equal()).await;
    add_night(&place.data.path().join("home/1/second/oura.db"), "2026-02-04");
    poll_until("the late night", || place.is_equal()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_runs_without_its_lake() {
    let place = Place::new();
    let nowhere = place.lake.path().join("nowhere");
    let arguments = ["--lake", nowhere.to_str().unwrap(), "--lake-interval", "0"];
    let server = Server::start(place.data.path(), &arguments).await;
    let health = server.get("/healthz", "").await;
    assert_eq!(health.status, 200, "{}", health.text());
}

#[test]
fn changes_of_twenty_people_reach_other_engines() {
    let names: Vec<String> = (1..20).map(|number| format!("home/{number}/person")).collect();
    let place = Place::with(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut databases = vec![database(place.data.path())];
    databases.extend(names.iter().map(|key| place.data.path().join(key).join("oura.db")));
    place.run(&["publish"]);
    // Late nights, revisions and deletions, with a checkpoint and commits after it.
    let (_, mut rng) = seeded_rng();
    for publication in 0..25 {
        for _ in 0..4 {
            let database = &databases[rng.random_range(0..databases.len())];
            let day = Day::new(2026, 3, rng.random_range(1..=5)).unwrap();
            match rng.random_range(0..3) {
                0 => delete_nights(database, day),
                _ => put_night(database, &day.to_string(), rng.random_range(10_000..20_000)),
            }
        }
        if publication == 20 {
            place.run(&["forget", "home/7/person"]);
            databases.remove(7);
        }
        place.run(&["publish"]);
    }
    place.run(&["check"]);
    let libraries = "import duckdb, deltalake, pyarrow";
    let python = Command::new("python3").args(["-c", libraries]).output();
    if !python.is_ok_and(|output| output.status.success()) {
        report_skip("python3 with duckdb, deltalake and pyarrow is missing");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lake/compare.py");
    let compared = Command::new("python3")
        .arg(script)
        .arg(place.lake())
        .args(&databases)
        .args(["--engines", "deltalake,duckdb"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&compared.stdout);
    let error = String::from_utf8_lossy(&compared.stderr);
    assert!(compared.status.success() && text.contains(" 0 differences"), "{text}{error}");
    println!("{text}");
}
