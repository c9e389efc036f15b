//! Damaged database files: every message names the remedy, and a repair fetches everything again.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use ringside::api::{self, Caller, Role, Target};
use ringside::datasource::vault::Vault;
use ringside::datasource::{ConnectionState, DataSourceKey, DataSources, Environment, read_record};
use ringside::oura::Secret;
use ringside::simulator::SECRET_MARK;
use ringside::time::Clock;
use serde_json::Value;

use crate::common::wait::poll_until;
use crate::common::world::{World, first_cell, synced};
use crate::common::{database, secret_scanner, select};

const NIGHTS: &str = "SELECT count(*) FROM nights";

/// The part of a database that is overwritten, as by a dying memory card.
#[derive(Clone, Copy)]
enum Part {
    /// The first page, without which nothing can be read.
    Header,
    /// Pages of tables.
    Middle,
}

fn damage(folder: &Path, part: Part) {
    let path = database(folder);
    // Pages in the write-ahead log replace those of the file.
    let _ = rusqlite::Connection::open(&path).and_then(|connection| {
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    });
    let mut bytes = std::fs::read(&path).unwrap();
    let pages = bytes.len() / 4096;
    let damaged = match part {
        Part::Header => 0..4096,
        Part::Middle => pages / 2 * 4096..pages * 3 / 4 * 4096,
    };
    bytes[damaged].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
}

fn target(world: &World, datasources: &DataSources) -> Target {
    Target {
        datasources: datasources.clone(),
        key: DataSourceKey::single(),
        settings: world.settings.clone(),
        client_secret: Secret::new(SECRET_MARK),
    }
}

/// The response to a call of an admin.
async fn call(target: &Target, method: &str, path: &str, role: Role) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("Content-Type", "application/json")
        .extension(Caller { user: "ann".to_owned(), role })
        .body(Body::from(if method == "GET" { "" } else { "{}" }))
        .unwrap();
    let response = api::respond(target.clone(), request).await;
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 1 << 24).await.unwrap();
    secret_scanner::scan(&body);
    (status, serde_json::from_slice(&body).unwrap())
}

fn run(folder: &Path, command: &[&str]) -> (Output, String) {
    run_with(folder, command, &[])
}

fn run_with(folder: &Path, command: &[&str], settings: &[(&str, &str)]) -> (Output, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_gpx_oura"));
    let output = program
        .arg(command[0])
        .arg("--data-dir")
        .arg(folder)
        .args(&command[1..])
        .env("GF_PLUGIN_OURA_URL", "http://127.0.0.1:1/")
        .envs(settings.iter().copied())
        .output()
        .unwrap();
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    secret_scanner::scan(&text);
    (output, String::from_utf8(text).unwrap())
}

/// A folder with a login and some nights, and the number of nights.
async fn connected_folder(world: &World) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let datasources = DataSources::open(world.environment(folder.path())).unwrap();
    let datasource = world.connected(&datasources).await;
    let nights = first_cell(&datasource, NIGHTS).await;
    assert!(nights.parse::<u32>().unwrap() > 5, "{nights} nights");
    drop(datasource);
    datasources.shutdown().await;
    (folder, nights)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_pages_are_reported_and_repaired() {
    let world = World::new(20, Clock::system()).await;
    let (folder, nights) = connected_folder(&world).await;
    damage(folder.path(), Part::Middle);

    let datasources = DataSources::open(world.environment(folder.path())).unwrap();
    let target = target(&world, &datasources);
    let datasource = world.datasource(&datasources).await;
    datasource.check_database().await;
    drop(datasource);
    let (status, body) = call(&target, "GET", "/status", Role::Reader).await;
    assert_eq!(status, 200, "{body}");
    assert!(body["damage"].is_string(), "{body}");
    let (status, body) = call(&target, "GET", "/export", Role::Admin).await;
    assert_eq!((status, body["error"]["code"].as_str()), (503, Some("damaged")), "{body}");
    assert!(body["error"]["hint"].as_str().unwrap().contains("Press Repair"), "{body}");

    let (status, body) = call(&target, "POST", "/data/repair", Role::Reader).await;
    assert_eq!((status, body["error"]["code"].as_str()), (403, Some("admin_only")), "{body}");
    let (status, body) = call(&target, "POST", "/data/repair", Role::Admin).await;
    assert_eq!((status, body["state"].as_str()), (200, Some("repaired")), "{body}");
    assert!(Path::new(body["aside"].as_str().unwrap()).exists(), "{body}");
    let datasource = world.datasource(&datasources).await;
    let status = datasource.status().unwrap();
    assert_eq!((status.state, status.damage), (ConnectionState::Connected, None));
    datasource.start_sync(ringside::datasource::Trigger::Manual).unwrap();
    synced(&datasource).await;
    assert_eq!(first_cell(&datasource, NIGHTS).await, nights);
    drop(datasource);
    let (status, body) = call(&target, "POST", "/data/repair", Role::Admin).await;
    assert_eq!((status, body["error"]["code"].as_str()), (409, Some("not_damaged")), "{body}");
    datasources.shutdown().await;
}

/// No request and no sync reads the damaged pages.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn daily_check_finds_damaged_pages() {
    let clock = Clock::starting_at(Clock::system().now(), 1.0);
    let mut world = World::new(20, clock.clone()).await;
    let (folder, _) = connected_folder(&world).await;
    // A sync would find the damage first.
    world.settings.sync_interval_minutes = 7 * 24 * 60;
    let environment = Environment { scheduled: true, ..world.environment(folder.path()) };
    let datasources = DataSources::open(environment).unwrap();
    let datasource = world.datasource(&datasources).await;
    datasource.check_database().await;
    assert_eq!(datasource.status().unwrap().damage, None);
    damage(folder.path(), Part::Middle);
    let vault = Arc::new(Vault::open(folder.path(), None).unwrap());
    let is_found = || read_record(&vault, &DataSourceKey::single()).damage.is_some();
    assert!(!is_found());
    clock.advance(86_400);
    poll_until("the daily check", is_found).await;
    drop(datasource);
    datasources.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn query_on_a_damaged_page_turns_the_status_red() {
    let world = World::new(20, Clock::system()).await;
    let (folder, _) = connected_folder(&world).await;
    damage(folder.path(), Part::Middle);
    let datasources = DataSources::open(world.environment(folder.path())).unwrap();
    let target = target(&world, &datasources);
    let datasource = world.datasource(&datasources).await;
    let query = ringside::query::SqlQuery {
        // The order of the sync's windows decides on the tables in the middle of the file.
        raw_sql: "SELECT (SELECT max(payload || hash) FROM oura_raw_documents),
                      (SELECT sum(bpm + length(source)) FROM heartrate),
                      (SELECT sum(value) FROM samples)"
            .to_owned(),
        ..Default::default()
    };
    let context = ringside::query::QueryContext {
        from_ms: 0,
        to_ms: 1,
        interval: std::time::Duration::from_secs(1),
        max_data_points: 1,
    };
    let error = datasource.query(&query, &context).await.unwrap_err();
    assert_eq!(error.code(), "damaged", "{error}");
    assert!(error.hint().contains("Press Repair"), "{}", error.hint());
    let (_, status) = call(&target, "GET", "/status", Role::Reader).await;
    assert!(status["damage"].is_string(), "{status}");
    datasources.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreadable_file_is_repaired_by_route_and_command() {
    let world = World::new(20, Clock::system()).await;
    let (folder, nights) = connected_folder(&world).await;
    damage(folder.path(), Part::Header);
    let datasources = DataSources::open(world.environment(folder.path())).unwrap();
    let target = target(&world, &datasources);
    let (status, body) = call(&target, "GET", "/status", Role::Reader).await;
    assert_eq!((status, body["error"]["code"].as_str()), (503, Some("damaged")), "{body}");
    let (status, body) = call(&target, "POST", "/data/repair", Role::Admin).await;
    assert_eq!(status, 200, "{body}");
    let datasource = world.datasource(&datasources).await;
    datasource.start_sync(ringside::datasource::Trigger::Manual).unwrap();
    synced(&datasource).await;
    drop(datasource);
    datasources.shutdown().await;
    drop((target, datasources));

    for part in [Part::Header, Part::Middle] {
        damage(folder.path(), part);
        let (output, text) = run(folder.path(), &["doctor"]);
        assert!(!output.status.success() && text.contains("gpx_oura repair --data-dir"), "{text}");
        let copy = folder.path().join("copy.db");
        let (output, text) = run(folder.path(), &["export", copy.to_str().unwrap()]);
        assert!(!output.status.success() && text.contains("gpx_oura repair"), "{text}");
        let (output, text) = run(folder.path(), &["repair"]);
        assert!(output.status.success() && text.contains("gpx_oura sync"), "{text}");
        let aside = std::fs::read_dir(database(folder.path()).parent().unwrap())
            .unwrap()
            .filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                let name = name.to_string_lossy();
                name.starts_with("oura.db.damaged-") && !name.ends_with("-wal")
            })
            .count();
        assert_eq!(aside, 1, "only the last damaged file stays");
        let datasources = DataSources::open(world.environment(folder.path())).unwrap();
        let datasource = world.datasource(&datasources).await;
        datasource.start_sync(ringside::datasource::Trigger::Manual).unwrap();
        synced(&datasource).await;
        assert_eq!(first_cell(&datasource, NIGHTS).await, nights, "the login is kept");
        drop(datasource);
        datasources.shutdown().await;
    }
    let (output, text) = run(folder.path(), &["repair"]);
    assert!(!output.status.success() && text.contains("intact"), "{text}");
    assert_eq!(select(&database(folder.path()), NIGHTS)[0][0].to_string(), nights);
}

/// Creates a table of its own in the database, as Litestream does, without page checksums. The
/// first page changes, which all programs read.
fn write_as_another_program(folder: &Path) {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE;
    rusqlite::Connection::open_with_flags_and_vfs(database(folder), flags, "unix")
        .unwrap()
        .execute_batch("DROP TABLE IF EXISTS other; CREATE TABLE other (x)")
        .unwrap();
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_programs_may_write_without_page_checksums() {
    const UNCHECKED: &[(&str, &str)] = &[("GF_PLUGIN_PAGE_CHECKSUMS", "false")];
    let world = World::new(20, Clock::system()).await;
    let (folder, nights) = connected_folder(&world).await;
    let folder = folder.path();
    let is_readable = || {
        let (_, text) = run(folder, &["query", NIGHTS]);
        assert!(text.contains(&nights) || text.contains("damaged"), "{text}");
        !text.contains("damaged")
    };
    // Oura is out of reach. `sync` opens the database for writing, nevertheless.
    let open_with = |settings| run_with(folder, &["sync"], settings);

    write_as_another_program(folder);
    assert!(!is_readable());
    // The setting helps a database that is already written by another program.
    open_with(UNCHECKED);
    assert!(is_readable());
    write_as_another_program(folder);
    assert!(is_readable());
    open_with(UNCHECKED);
    assert!(is_readable());
    // Without the setting, all pages get checksums again.
    open_with(&[]);
    assert!(is_readable());
    write_as_another_program(folder);
    assert!(!is_readable());
}
