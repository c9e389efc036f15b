//! Odd surroundings of the process: few file handles, data sources that Grafana no longer names.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command};
use std::sync::Arc;
use std::time::Duration;

use ringside::datasource::vault::{Purpose, Vault};
use ringside::datasource::{DataSourceKey, DataSources, Environment};
use ringside::oura::Secret;
use ringside::plugin::host::{CallContext, Host, PanelQuery};
use ringside::simulator::SECRET_MARK;
use ringside::time::{Clock, Day, Tz};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::common::wait::poll_until;
use crate::common::world::{REDIRECT, World, connect, synced};
use crate::common::{ThreadLog, env_or, secret_scanner};
use crate::hostile::targets::{file_handles, memory};

const PROGRAM: &str = env!("CARGO_BIN_EXE_gpx_oura");

/// The memory in MB that an account may keep after its history has loaded: open connections with
/// their caches.
const MAX_ACCOUNT_MEMORY: u64 = 16;

/// A script that starts the plugin after `before`, as Grafana starts a program.
fn plugin_after(before: &str, folder: &Path) -> PathBuf {
    let script = folder.join("plugin.sh");
    std::fs::write(&script, format!("#!/bin/sh\n{before}\nexec {PROGRAM}\n")).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    script
}

fn environment(data: &Path) -> Vec<(String, String)> {
    [("PATH", "/usr/bin:/bin".to_owned()), ("GF_PLUGIN_DATA_DIR", data.display().to_string())]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

/// The environment of a plugin that reaches the simulator of `world`.
fn environment_of(world: &World, data: &Path) -> Vec<(String, String)> {
    let oura = ("GF_PLUGIN_OURA_URL".to_owned(), world.simulator.origin().to_string());
    environment(data).into_iter().chain([oura]).collect()
}

fn context(uid: &str) -> CallContext {
    CallContext {
        org: 1,
        uid: uid.to_owned(),
        json_data: json!({}),
        client_secret: Secret::default(),
        login: "ann".to_owned(),
        role: "Viewer".to_owned(),
    }
}

fn panel(sql: &str) -> PanelQuery {
    PanelQuery {
        ref_id: "A".to_owned(),
        json: json!({ "rawSql": sql, "format": "table" }),
        from_ms: 0,
        to_ms: 1,
        interval_ms: 1_000,
        max_data_points: 10,
    }
}

/// Starts the commands of this program on a data folder.
fn run(folder: &Path, simulator: &url::Url, command: &[&str]) -> (bool, String) {
    let output = Command::new(PROGRAM)
        .args(command)
        .arg("--data-dir")
        .arg(folder)
        .env("GF_PLUGIN_OURA_URL", simulator.as_str())
        .output()
        .unwrap();
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    secret_scanner::scan(&text);
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// The limit leaves room for ten open data sources. A longer proof has `DATA_SOURCES` and
/// `OPEN_FILES`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_file_handles_are_enough_for_many_data_sources() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let limit = env_or("OPEN_FILES", 400);
    let program = plugin_after(&format!("ulimit -n {limit}"), folder.path());
    let host = Arc::new(Host::launch(&program, &environment(&data)).await.unwrap());
    let contexts: Vec<_> =
        (0..env_or("DATA_SOURCES", 60)).map(|number| context(&format!("ds{number}"))).collect();
    for round in 0..2 {
        // Twenty requests at once are more than there are places.
        for batch in contexts.chunks(20) {
            let mut outcomes = JoinSet::new();
            for context in batch {
                let host = Arc::clone(&host);
                let context = context.clone();
                outcomes.spawn(async move {
                    let queries = [panel("SELECT count(*) FROM nights")];
                    host.query(&context, &queries).await.unwrap().remove("A").unwrap()
                });
            }
            for outcome in outcomes.join_all().await {
                assert_eq!((outcome.status, outcome.error), (200, None), "round {round}");
            }
        }
    }
    let handles = file_handles(host.pid().unwrap());
    println!("{} data sources answered twice with {handles} of {limit} handles", contexts.len());
    assert!(handles < limit, "{handles} handles");
    Arc::into_inner(host).unwrap().shutdown().await.unwrap();
}

/// The body of a successful response to a call of a data source's route.
async fn call(host: &Host, context: &CallContext, path: &str, body: Value) -> Value {
    let response = host.resource(context, "POST", path, Some(&body)).await.unwrap();
    let text = String::from_utf8(response.body).unwrap();
    assert!([200, 202].contains(&response.status), "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// Logs in the data source of an organization, which starts its first sync.
async fn log_in(host: &Host, http: &reqwest::Client, world: &World, org: i64) -> CallContext {
    log_in_since(host, http, world, org, world.settings.history_start.unwrap()).await
}

/// The same with a history since `first_day`.
async fn log_in_since(
    host: &Host,
    http: &reqwest::Client,
    world: &World,
    org: i64,
    first_day: Day,
) -> CallContext {
    let first_day = first_day.to_string();
    let context = CallContext {
        json_data: json!({ "clientId": world.settings.client_id, "historyStart": first_day }),
        client_secret: world.secret.clone(),
        role: "Admin".to_owned(),
        // The redirect URL contains the uid.
        org,
        ..context("oura")
    };
    let start = call(host, &context, "oauth/start", json!({ "redirectUri": REDIRECT })).await;
    let page = start["authorizeUrl"].as_str().unwrap();
    let (code, state) = ringside::simulator::consent(http, page).await.unwrap();
    call(host, &context, "oauth/callback", json!({ "code": code, "state": state })).await;
    context
}

/// The states of a data source's runs, oldest first.
async fn runs(host: &Host, context: &CallContext) -> Vec<String> {
    let sql = json!({ "sql": "SELECT state FROM sync_runs ORDER BY run" });
    let found = call(host, context, "sql", sql).await;
    let rows = found["rows"].as_array().unwrap();
    rows.iter().map(|row| row[0].as_str().unwrap().to_owned()).collect()
}

/// Whether a data source has its history. Fails if a run did.
async fn is_current(host: &Host, context: &CallContext) -> bool {
    let runs = runs(host, context).await;
    assert!(runs.iter().all(|run| run == "done" || run == "running"), "{runs:?}");
    runs.first().is_some_and(|run| run == "done")
}

/// A longer proof has `CONNECTED`, `CONNECTED_DAYS`, `RATE_REQUESTS` and `RATE_SECONDS`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connected_data_sources_share_a_rate_limit() {
    let connected: usize = env_or("CONNECTED", 8);
    let limit = (env_or("RATE_REQUESTS", 60), env_or("RATE_SECONDS", 2));
    let days = env_or("CONNECTED_DAYS", 3);
    let world = World::with(days, Clock::system(), |config| config.rate_limit = Some(limit)).await;
    let folder = tempfile::tempdir().unwrap();
    let environment = environment_of(&world, folder.path());
    let host = Host::launch(Path::new(PROGRAM), &environment).await.unwrap();
    let http = ringside::oura::http_client().unwrap();
    let started = std::time::Instant::now();
    let mut contexts = Vec::new();
    for org in 1..=connected {
        contexts.push(log_in(&host, &http, &world, org as i64).await);
    }
    // One after the other: a thousand that are asked all the time would be a load of their own.
    for context in &contexts {
        while !is_current(&host, context).await {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    let current = started.elapsed();
    let pid = host.pid().unwrap();
    let (megabytes, handles) = (memory(pid) >> 20, file_handles(pid));
    let refused = world.simulator.requests().count_status(429);
    let requests = world.simulator.requests().log().len();
    println!(
        "{connected} connected data sources with {days} days each: {requests} requests, {refused} \
         of them refused by the limit, no failed run, all current after {current:.0?}; {megabytes} \
         MB and {handles} handles"
    );
    host.shutdown().await.unwrap();

    let started = std::time::Instant::now();
    let host = Host::launch(Path::new(PROGRAM), &environment).await.unwrap();
    assert!(is_current(&host, contexts.last().unwrap()).await);
    println!("after a restart the last one answers in {:.1?}", started.elapsed());
    // On a busy machine, the requests may be slower than the limit.
    let rate = requests as f64 / current.as_secs_f64();
    let is_slow = rate < limit.0 as f64 / limit.1 as f64;
    assert!(refused > 0 || is_slow, "the limit has no effect on {rate:.0} requests a second");
    host.shutdown().await.unwrap();
}

/// A longer proof has `LONG_HISTORIES` data sources with `LONG_DAYS` each.
///
/// The first one loads its history from Oura. The others connect, and then get a copy of its
/// database. A file system with shared blocks keeps a thousand copies of a year.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_histories_share_memory_and_file_handles() {
    let connected: i64 = env_or("LONG_HISTORIES", 4);
    let days = env_or("LONG_DAYS", 30);
    let world = World::new(days, Clock::system()).await;
    let folder = tempfile::tempdir().unwrap();
    let environment = environment_of(&world, folder.path());
    let host = Host::launch(Path::new(PROGRAM), &environment).await.unwrap();
    let http = ringside::oura::http_client().unwrap();
    let first = log_in(&host, &http, &world, 1).await;
    while !is_current(&host, &first).await {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let yesterday = Clock::system().now().day(Tz::UTC).plus(-1);
    let mut contexts = vec![first];
    for org in 2..=connected {
        contexts.push(log_in_since(&host, &http, &world, org, yesterday).await);
    }
    for context in &contexts {
        while !is_current(&host, context).await {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    host.shutdown().await.unwrap();
    let database = |org: i64| folder.path().join(format!("{org}/oura/oura.db"));
    // A log that a shutdown left belongs to its database.
    let log = |org: i64| database(org).with_extension("db-wal");
    for org in 2..=connected {
        let _ = std::fs::remove_file(log(org));
        std::fs::copy(database(1), database(org)).unwrap();
        if log(1).exists() {
            std::fs::copy(log(1), log(org)).unwrap();
        }
    }

    let started = std::time::Instant::now();
    let host = Host::launch(Path::new(PROGRAM), &environment).await.unwrap();
    let nights = json!({ "sql": "SELECT count(*), min(day) FROM nights" });
    let last = call(&host, contexts.last().unwrap(), "sql", nights.clone()).await;
    let resumed = started.elapsed();
    for context in &contexts {
        assert_eq!(call(&host, context, "sql", nights.clone()).await["rows"], last["rows"]);
        call(&host, context, "sync", json!({})).await;
    }
    for context in &contexts {
        while !is_current(&host, context).await || runs(&host, context).await.len() < 2 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    let pid = host.pid().unwrap();
    let (megabytes, handles) = (memory(pid) >> 20, file_handles(pid));
    println!(
        "{connected} data sources with {days} days each ({} MB): the last one answers {resumed:.1?} \
         after the start; all current after {:.0?}; {megabytes} MB and {handles} handles",
        std::fs::metadata(database(connected)).unwrap().len() >> 20,
        started.elapsed(),
    );
    let connected = connected as u64;
    assert!(megabytes < 2_048.min(120 + 4 * connected), "{megabytes} MB");
    assert!((handles as u64) < 4_096.min(80 + 8 * connected), "{handles} handles");
    host.shutdown().await.unwrap();
}

/// Each account loads the history of `HISTORY_DAYS`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_of_a_history_load_is_released() {
    let days = env_or("HISTORY_DAYS", 60);
    let accounts = env_or("ACCOUNTS", 4);
    let world = World::new(days, Clock::system()).await;
    let folder = tempfile::tempdir().unwrap();
    let environment = environment_of(&world, folder.path());
    let host = Host::launch(Path::new(PROGRAM), &environment).await.unwrap();
    let pid = host.pid().unwrap();
    let http = ringside::oura::http_client().unwrap();
    let mut megabytes = vec![memory(pid) >> 20];
    for number in 0..accounts {
        let context = log_in(&host, &http, &world, number + 1).await;
        while runs(&host, &context).await != ["done"] {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let bound = megabytes.last().unwrap() + if number == 0 { 64 } else { MAX_ACCOUNT_MEMORY };
        poll_until("the release of memory", || memory(pid) >> 20 <= bound).await;
        megabytes.push(memory(pid) >> 20);
    }
    println!(
        "resident memory in MB at the start, and after each of {accounts} histories of {days} \
         days: {megabytes:?}"
    );
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limit_of_open_files_is_raised() {
    let folder = tempfile::tempdir().unwrap();
    let program = plugin_after("ulimit -S -n 128", folder.path());
    let host = Host::launch(&program, &environment(&folder.path().join("data"))).await.unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", host.pid().unwrap())).unwrap();
    let values = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let files = values("Max open files");
    assert_eq!(files[0], files[1], "{limits}");
    assert_eq!(values("Max core file size"), ["0", "0"]);
    host.shutdown().await.unwrap();
}

/// Each limit lets another step of a command fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_open_files_are_named_as_the_cause() {
    let world = World::new(3, Clock::system()).await;
    let folder = world.synced_folder().await;
    let run = |limit: u32, command: &str| {
        let script = format!("ulimit -n {limit}; exec {PROGRAM} {command}");
        let output = Command::new("sh")
            .args(["-c", &script])
            .env("RINGSIDE_DATA_DIR", folder.path())
            .env("GF_PLUGIN_OURA_URL", world.simulator.origin().as_str())
            .output()
            .unwrap();
        let text = [output.stdout.as_slice(), &output.stderr].concat();
        secret_scanner::scan(&text);
        (output.status.success(), String::from_utf8(text).unwrap())
    };
    for command in ["doctor", "query 'SELECT 1'"] {
        let (ok, text) = run(1_000, command);
        assert!(ok, "{text}");
        let mut failures = 0;
        for limit in 6..=24 {
            let (ok, text) = run(limit, command);
            if ok {
                continue;
            }
            failures += 1;
            assert!(!text.contains("panicked"), "{command} with {limit} files: {text}");
            let context = format!("{command} with {limit} files: {text}");
            assert!(text.contains("Raise the limit of open files"), "{context}");
            for other in ["Make the user", "Check the network", "Save a data source"] {
                assert!(!text.contains(other), "{context}");
            }
        }
        assert!(failures > 0, "{command}");
    }
}

/// A process with three places for data sources syncs eight on a schedule.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_data_sources_are_opened_for_their_syncs() {
    let clock = Clock::starting_at(Clock::system().now(), 600.0);
    let world = World::new(3, clock).await;
    let folder = tempfile::tempdir().unwrap();
    let environment =
        Environment { max_open: 3, scheduled: true, ..world.environment(folder.path()) };
    let datasources = DataSources::open(environment).unwrap();
    let keys: Vec<_> =
        (0..8).map(|number| DataSourceKey::new(1, &format!("ds{number}")).unwrap()).collect();
    for key in &keys {
        let secret = Secret::new(SECRET_MARK);
        let datasource = datasources.datasource(key, &world.settings, &secret).await.unwrap();
        connect(&datasource, "ann").await.unwrap();
        synced(&datasource).await;
    }
    assert!(datasources.all().await.len() <= 3);
    let runs = |key: &DataSourceKey| {
        let sql = "SELECT count(*) FROM sync_runs WHERE trigger = 'schedule' AND state = 'done'";
        let database = key.database(folder.path());
        crate::common::select(&database, sql)[0][0].as_i64().unwrap()
    };
    poll_until("a scheduled sync of every data source", || keys.iter().all(|key| runs(key) > 0))
        .await;
    assert!(datasources.all().await.len() <= 3);
    datasources.shutdown().await;
}

/// A required space above every disk stands for a nearly full disk.
#[tokio::test]
async fn nearly_full_disk_is_in_the_status() {
    let world = World::new(3, Clock::system()).await;
    for (min_free_bytes, nearly_full) in [(u64::MAX, true), (0, false)] {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment { min_free_bytes, ..world.environment(folder.path()) };
        let datasources = DataSources::open(environment).unwrap();
        let disk = world.datasource(&datasources).await.status().unwrap().disk.unwrap();
        assert_eq!(disk.nearly_full, nearly_full, "{disk:?}");
        assert!(disk.required_bytes >= min_free_bytes && disk.free_bytes > 0, "{disk:?}");
        datasources.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unnamed_data_source_stops_fetching_and_is_erased_by_command() {
    let clock = Clock::starting_at(Clock::system().now(), 600.0);
    let world = World::new(3, clock.clone()).await;
    let folder = tempfile::tempdir().unwrap();
    let environment = |forget_after| Environment {
        scheduled: true,
        forget_after: Some(forget_after),
        ..world.environment(folder.path())
    };
    let datasources = DataSources::open(environment(30)).unwrap();
    drop(world.connected(&datasources).await);
    clock.advance(31 * 86_400);
    // Maintenance closes it within a minute of the clock.
    loop {
        if datasources.all().await.is_empty() {
            break;
        }
        tokio::task::yield_now().await;
    }
    datasources.shutdown().await;
    drop(datasources);

    let datasources = DataSources::open(environment(30)).unwrap();
    assert_eq!(datasources.resume().await.unwrap(), 0, "also after a restart");
    let requests = world.simulator.requests().log().len();
    let datasource = world.datasource(&datasources).await;
    synced(&datasource).await;
    drop(datasource);
    let names = || world.simulator.requests().log().len() > requests;
    poll_until("a sync after Grafana names the data source again", names).await;
    datasources.shutdown().await;
    drop(datasources);

    // The stored time of the last use moves into the past of the program, which uses the system's
    // clock.
    let key = DataSourceKey::single();
    let vault = Vault::open(folder.path(), None).unwrap();
    let long_ago = Clock::system().now().plus(-40 * 86_400);
    let record = json!({ "named_at": long_ago, "checked_at": null, "damage": null });
    vault.put(&key, Purpose::DataSource, "record", record.to_string().as_bytes()).unwrap();
    drop(vault);
    let origin = world.simulator.origin();
    let (_, report) = run(folder.path(), &origin, &["doctor"]);
    assert!(report.contains("last named 40 days ago"), "{report}");
    assert!(report.contains("gpx_oura forget 1/oura --data-dir"), "{report}");

    let (ok, output) = run(folder.path(), &origin, &["forget", "1/other"]);
    assert!(!ok && output.contains("No data source 1/other"), "{output}");
    let (ok, output) = run(folder.path(), &origin, &["forget", "1/oura"]);
    assert!(ok && output.contains("login is revoked"), "{output}");
    assert_eq!(world.simulator.requests().count("/oauth/revoke"), 1);
    let left: BTreeSet<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(!folder.path().join("1/oura").exists(), "{left:?}");
    assert_eq!(Vault::open(folder.path(), None).unwrap().count(&key).unwrap(), 0);
}

/// The stored time of the last use decides after a restart, before any request.
#[tokio::test]
async fn restarted_plugin_leaves_an_unnamed_data_source_alone() {
    let world = World::new(3, Clock::system()).await;
    let folder = world.synced_folder().await;
    let environment = environment_of(&world, folder.path());
    let requests = || world.simulator.requests().log().len();
    for (setting, days, fetches) in
        [(None, 29, true), (None, 31, false), (Some("60"), 31, true), (Some("7"), 8, false)]
    {
        let named_at = Clock::system().now().plus(-days * 86_400);
        let vault = Vault::open(folder.path(), None).unwrap();
        let record = json!({ "named_at": named_at, "checked_at": null, "damage": null });
        let record = record.to_string();
        let key = DataSourceKey::single();
        vault.put(&key, Purpose::DataSource, "record", record.as_bytes()).unwrap();
        drop(vault);
        let limit = setting.map(|days| ("GF_PLUGIN_FORGET_AFTER_DAYS".to_owned(), days.to_owned()));
        let environment: Vec<_> = environment.iter().cloned().chain(limit).collect();
        // A sync that was interrupted days ago is due at once, and starts again.
        let interrupted = "UPDATE sync_runs SET state = 'interrupted',
                               started_at = started_at - 172800 RETURNING run";
        crate::common::select(&crate::common::database(folder.path()), interrupted);
        let before = requests();
        let log = ThreadLog::new();
        let host = Host::launch(Path::new(PROGRAM), &environment).await.unwrap();
        if fetches {
            poll_until("a sync without a request of Grafana", || requests() > before).await;
        } else {
            let mut lines = String::new();
            let is_logged = || {
                lines.push_str(&log.take());
                lines.contains("Grafana has not named this data source")
            };
            poll_until("a line in the log", is_logged).await;
            assert_eq!(requests(), before);
            let context = CallContext {
                json_data: json!({ "clientId": world.settings.client_id }),
                client_secret: world.secret.clone(),
                role: "Admin".to_owned(),
                ..context("oura")
            };
            host.health(&context).await.unwrap();
            poll_until("a sync after Grafana named it", || requests() > before).await;
        }
        host.shutdown().await.unwrap();
    }
}

/// Runs `sync` or another command on a data folder that behaves like one of a network.
fn run_on_network_folder(
    shim: &Path,
    fault: &str,
    folder: &Path,
    world: &World,
    command: &str,
) -> (bool, String) {
    let output = Command::new(PROGRAM)
        .arg(command)
        .arg("--data-dir")
        .arg(folder)
        .env("LD_PRELOAD", shim)
        .env("FAULT", fault)
        .env("FAULT_FOLDER", folder.canonicalize().unwrap())
        .env("GF_PLUGIN_OURA_URL", world.simulator.origin().as_str())
        .output()
        .unwrap();
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    secret_scanner::scan(&text);
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// Compiles the library that makes a folder behave like one of a network.
fn compile_shim(folder: &Path) -> Option<PathBuf> {
    let shim = folder.join("network_folder.so");
    let source =
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/surroundings/network_folder.c");
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&shim).arg(source).status();
    if compiled.is_ok_and(|status| status.success()) {
        return Some(shim);
    }
    crate::common::report_skip("no C compiler");
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn network_folders_work_or_are_named_as_the_cause() {
    let build = tempfile::tempdir().unwrap();
    let Some(shim) = compile_shim(build.path()) else { return };
    let world = World::new(3, Clock::system()).await;
    for (fault, works, journal, reports) in [
        ("memory", true, "delete", ["shared memory", "local disk"]),
        ("flock", true, "wal", ["no flock", "local disk"]),
        ("locks", false, "wal", ["no file locks", "local disk"]),
    ] {
        for begins_with_data in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            if begins_with_data {
                let datasources = DataSources::open(world.environment(folder.path())).unwrap();
                drop(world.connected(&datasources).await);
                datasources.shutdown().await;
                // An open write-ahead log cannot end.
                drop(datasources);
            }
            let run = |command| run_on_network_folder(&shim, fault, folder.path(), &world, command);
            let (ok, text) = run("sync");
            assert_eq!(ok, works && begins_with_data, "{fault}: {text}");
            if works {
                let database = crate::common::database(folder.path());
                let mode = &crate::common::select(&database, "PRAGMA journal_mode")[0][0];
                assert_eq!(mode, journal, "{fault}");
                assert!(ok || text.contains("Not connected"), "{fault}: {text}");
            } else {
                assert!(reports.iter().all(|word| text.contains(word)), "{fault}: {text}");
            }
            if works || begins_with_data {
                let (_, text) = run("doctor");
                assert!(reports.iter().all(|word| text.contains(word)), "{fault}: {text}");
            }
        }
    }
}

/// A process of another machine can have the files open, with a write-ahead log that cannot end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_that_holds_a_file_is_named_as_the_cause() {
    let build = tempfile::tempdir().unwrap();
    let Some(shim) = compile_shim(build.path()) else { return };
    let world = World::new(3, Clock::system()).await;
    let folder = world.synced_folder().await;
    let sync = || run_on_network_folder(&shim, "memory", folder.path(), &world, "sync");
    for file in ["vault.db", "1/oura/oura.db"] {
        let other = rusqlite::Connection::open(folder.path().join(file)).unwrap();
        other.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).unwrap();
        let (ok, text) = sync();
        assert!(!ok && text.contains(&format!("{file} is in use by another process")), "{text}");
        drop(other);
    }
    let (ok, text) = sync();
    assert!(ok, "{text}");
}

/// Starts the plugin with further variables. Returns the process, its standard output, and the
/// socket of its handshake.
fn plugin_with(
    data: &Path,
    variables: &[(&str, &Path)],
) -> (std::process::Child, BufReader<ChildStdout>, PathBuf) {
    let mut plugin = Command::new(PROGRAM)
        .env_clear()
        .env("grafana_plugin_type", "datasource")
        .env("GF_PLUGIN_DATA_DIR", data)
        .envs(variables.iter().copied())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(plugin.stdout.take().unwrap());
    let mut handshake = String::new();
    out.read_line(&mut handshake).unwrap();
    let socket = handshake.split('|').nth(3).unwrap_or_else(|| panic!("{handshake:?}"));
    let socket = PathBuf::from(socket);
    (plugin, out, socket)
}

/// A folder for temporary files that cannot be written, as in a hardened container.
#[test]
fn plugin_listens_in_its_data_folder_below_a_read_only_tmp() {
    let build = tempfile::tempdir().unwrap();
    let Some(shim) = compile_shim(build.path()) else { return };
    let data = tempfile::tempdir().unwrap();
    for temporary in [None, Some(build.path())] {
        let mut variables = vec![
            ("LD_PRELOAD", shim.as_path()),
            ("FAULT", Path::new("read-only")),
            ("FAULT_FOLDER", Path::new("/tmp")),
            ("WRITABLE_FOLDER", data.path()),
        ];
        variables.extend(temporary.map(|folder| ("TMPDIR", folder)));
        let (mut plugin, _out, socket) = plugin_with(data.path(), &variables);
        assert!(socket.starts_with(data.path()), "{}", socket.display());
        UnixStream::connect(&socket).unwrap();
        plugin.kill().unwrap();
        plugin.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plugin_uses_the_socket_folder_and_survives_its_removal() {
    let folder = tempfile::tempdir().unwrap();
    let sockets = folder.path().join("sockets");
    let variables = [("PLUGIN_UNIX_SOCKET_DIR", sockets.as_path())];
    let (mut plugin, _out, socket) = plugin_with(&folder.path().join("data"), &variables);
    assert!(socket.starts_with(&sockets), "{}", socket.display());
    UnixStream::connect(&socket).unwrap();
    std::fs::remove_dir_all(&sockets).unwrap();
    std::fs::create_dir(&sockets).unwrap();
    poll_until("listening again", || UnixStream::connect(&socket).is_ok()).await;
    // Without its parent folder, the plugin ends, and Grafana starts it again.
    std::fs::remove_dir_all(&sockets).unwrap();
    poll_until("the end of the plugin", || plugin.try_wait().unwrap().is_some()).await;
}
