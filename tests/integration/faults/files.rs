//! Unusable files and folders, and a full disk: the real program names them, and the stored data
//! stays complete.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use ringside::datasource::{DataSourceKey, DataSources};
use ringside::simulator::{Fault, Misbehaviour, SECRET_MARK, Simulator};
use ringside::time::Clock;

use super::world::*;
use crate::common::secret_scanner;
use crate::common::wait::poll_until;

const PROGRAM: &str = env!("CARGO_BIN_EXE_gpx_oura");

/// A person with data until now, because the program uses the system's clock.
pub(super) async fn oura_of_today(days: i64) -> Simulator {
    let now = Clock::system().now();
    let first_day = now.day(ringside::time::Tz::UTC).plus(-days);
    oura(ringside::simulator::Config::new(7, first_day, Clock::starting_at(now, 0.0))).await
}

/// A data folder with a login and without documents.
pub(super) async fn connected_folder(simulator: &Simulator) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(folder.path(), simulator, Clock::system());
    let datasources = DataSources::open(environment).unwrap();
    let settings = ringside::datasource::Settings {
        collections: vec!["no such collection".to_owned()],
        ..settings()
    };
    let datasource =
        datasources.datasource(&DataSourceKey::single(), &settings, &secret()).await.unwrap();
    log_in(&datasource).await;
    // From now on all collections are chosen.
    let settings =
        ringside::datasource::Settings { history_start: None, collections: Vec::new(), ..settings };
    datasources.datasource(&DataSourceKey::single(), &settings, &secret()).await.unwrap();
    datasources.shutdown().await;
    folder
}

/// A program that ends with the test, even if it fails.
pub(super) struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail if the program has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program with `command`. The shell code `before` runs first, in the same process.
fn program(
    before: &str,
    folder: &Path,
    simulator: &Simulator,
    command: &str,
    more: &[&str],
) -> Command {
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!(r#"{before} exec "$0" "$@""#))
        .arg(PROGRAM)
        .arg(command)
        .arg("--data-dir")
        .arg(folder)
        .args(more);
    shell
        .env("OURA_CLIENT_ID", "simulated-client")
        .env("OURA_CLIENT_SECRET", SECRET_MARK)
        .env("GF_PLUGIN_OURA_URL", simulator.origin().as_str());
    shell
}

pub(super) const READ_TOKEN: &str = "read-read-read-read";
pub(super) const ADMIN_TOKEN: &str = "admin-admin-admin-admin";

/// The program serving `folder`, and its URL.
pub(super) fn serve(before: &str, folder: &Path, simulator: &Simulator) -> (Child, String) {
    let (mut serve, origin) =
        serve_into(Stdio::piped(), program(before, folder, simulator, "serve", &[]));
    secret_scanner::scan_stream(serve.0.stderr.take().unwrap());
    (serve, origin)
}

/// The same with its log written to `stderr`.
fn serve_into(stderr: Stdio, mut serve: Command) -> (Child, String) {
    use std::io::{BufRead, BufReader};
    serve
        .args(["--listen", "127.0.0.1:0"])
        .env("RINGSIDE_READ_TOKEN", READ_TOKEN)
        .env("RINGSIDE_ADMIN_TOKEN", ADMIN_TOKEN);
    let mut serve = Child(serve.stdout(Stdio::piped()).stderr(stderr).spawn().unwrap());
    let mut listening = String::new();
    BufReader::new(serve.0.stdout.take().unwrap()).read_line(&mut listening).unwrap();
    assert_contains(&listening, &["listening on http://127.0.0.1:"]);
    (serve, listening.trim().trim_start_matches("listening on ").to_owned())
}

/// Runs a command to its end.
pub(super) async fn finished(mut command: Command) -> Output {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    secret_scanner::scan(&output.stdout);
    secret_scanner::scan(&output.stderr);
    output
}

/// The error output of a command that failed with exit code 1.
fn error_output(output: &Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(output.status.code(), Some(1), "neither a panic nor a signal: {output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn count(folder: &Path, sql: &str) -> i64 {
    crate::common::select(&folder.join("1/oura/oura.db"), sql)[0][0].as_i64().unwrap()
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disk_fails_the_sync_and_the_next_one_recovers() {
    let simulator = oura_of_today(40).await;
    let folder = connected_folder(&simulator).await;
    let first = format!("{}", Clock::system().now().day(ringside::time::Tz::UTC).plus(-40));
    // No file may grow beyond a number of blocks. The signal is ignored, so that the write fails
    // instead of the process.
    let size = std::fs::metadata(folder.path().join("1/oura/oura.db")).unwrap().len();
    let limit = format!("ulimit -f {}; trap '' XFSZ;", size / 512 + 1000);
    let output =
        finished(program(&limit, folder.path(), &simulator, "sync", &["--history-start", &first]))
            .await;
    assert_contains(&error_output(&output), &["disk", "Free some space", "Stored data is intact"]);
    assert_eq!(
        crate::common::select(&folder.path().join("1/oura/oura.db"), "PRAGMA integrity_check")[0]
            [0],
        "ok"
    );
    assert!(count(folder.path(), "SELECT count(*) FROM sync_windows WHERE done_at IS NULL") > 0);

    let output =
        finished(program("", folder.path(), &simulator, "sync", &["--history-start", &first]))
            .await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(count(folder.path(), "SELECT count(*) FROM sync_windows WHERE done_at IS NULL"), 0);
    assert_eq!(count(folder.path(), "SELECT count(*) FROM collections WHERE state <> 'ok'"), 0);
    assert_eq!(count(folder.path(), "SELECT count(*) FROM sync_runs WHERE state = 'running'"), 0);
    assert!(count(folder.path(), "SELECT count(*) FROM nights") > 30);
}

#[tokio::test]
async fn data_folder_that_is_a_file_is_named() {
    let simulator = oura_of_today(3).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data");
    std::fs::write(&file, "").unwrap();
    for place in [file.clone(), file.join("deeper")] {
        let output = finished(program("", &place, &simulator, "sync", &[])).await;
        assert_contains(
            &error_output(&output),
            &[place.to_str().unwrap(), "cannot be used", "folder that this process may write"],
        );
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn data_folder_that_accepts_no_files_is_named() {
    let simulator = oura_of_today(3).await;
    let output = finished(program("", Path::new("/proc/ringside"), &simulator, "sync", &[])).await;
    assert_contains(
        &error_output(&output),
        &["/proc/ringside", "cannot be used", "folder that this process may write"],
    );
}

/// Shell code for [`program`]: takes root's right to ignore file permissions away.
#[cfg(unix)]
const BOUND_BY_PERMISSIONS: &str = r#"[ "$(id -u)" != 0 ] ||
    exec setpriv --bounding-set -dac_override,-dac_read_search -- "$0" "$@";"#;

/// Makes `folder` and all files in it read-only, until dropped.
#[cfg(unix)]
struct ReadOnly<'a>(&'a Path);

#[cfg(unix)]
impl ReadOnly<'_> {
    fn make(folder: &Path) -> ReadOnly<'_> {
        ReadOnly::set(folder, "a-w");
        ReadOnly(folder)
    }

    fn set(folder: &Path, mode: &str) {
        assert!(Command::new("chmod").args(["-R", mode]).arg(folder).status().unwrap().success());
    }
}

#[cfg(unix)]
impl Drop for ReadOnly<'_> {
    fn drop(&mut self) {
        ReadOnly::set(self.0, "u+w");
    }
}

/// Whether `BOUND_BY_PERMISSIONS` works here.
#[cfg(unix)]
fn permissions_bind(folder: &Path) -> bool {
    let mut shell = Command::new("sh");
    let probe = shell
        .arg("-c")
        .arg(format!(r#"{BOUND_BY_PERMISSIONS} exec "$0" "$@""#))
        .args(["touch"])
        .arg(folder.join("probe"));
    !probe.stderr(Stdio::null()).status().unwrap().success()
}

#[cfg(unix)]
#[tokio::test]
async fn read_only_folder_is_named_and_stays_readable() {
    let simulator = oura_of_today(3).await;
    let folder = connected_folder(&simulator).await;
    let copies = tempfile::tempdir().unwrap();
    let read_only = ReadOnly::make(folder.path());
    if !permissions_bind(folder.path()) {
        return crate::common::report_skip("this user may ignore file permissions");
    }
    let bound = |command, more: &[&str]| {
        finished(program(BOUND_BY_PERMISSIONS, folder.path(), &simulator, command, more))
    };
    let output = bound("sync", &[]).await;
    assert_contains(
        &error_output(&output),
        &[folder.path().to_str().unwrap(), "cannot be used", "folder that this process may write"],
    );

    let output = bound("query", &["SELECT count(*) AS runs FROM sync_runs"]).await;
    assert!(output.status.success() && output.stdout.starts_with(b"runs"), "{output:?}");
    for (format, name) in [("sqlite", "copy.db"), ("csv", "copy")] {
        let to = copies.path().join(name);
        let output = bound("export", &[to.to_str().unwrap(), "--format", format]).await;
        assert!(output.status.success() && to.exists(), "{output:?}");
    }
    drop(read_only);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_only_folder_is_served_without_changes() {
    let simulator = oura_of_today(3).await;
    let folder = connected_folder(&simulator).await;
    let read_only = ReadOnly::make(folder.path());
    if !permissions_bind(folder.path()) {
        return crate::common::report_skip("this user may ignore file permissions");
    }
    let (_serve, origin) = serve(BOUND_BY_PERMISSIONS, folder.path(), &simulator);
    let ask = async |route: &str, token: &str, body: &str| {
        let request =
            reqwest::Client::new().post(format!("{origin}/api/{route}")).bearer_auth(token);
        let answer = request
            .header("Content-Type", "application/json")
            .body(body.to_owned())
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, rows) =
        ask("sql", READ_TOKEN, r#"{"sql": "SELECT count(*) FROM collections"}"#).await;
    assert_eq!(status, 200, "{rows}");
    let (status, refusal) = ask("sync", ADMIN_TOKEN, "").await;
    assert_eq!(status, 503, "{refusal}");
    assert_contains(
        &refusal,
        &[folder.path().to_str().unwrap(), "cannot be written", "own the folder"],
    );
    drop(read_only);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_while_serving_go_to_standard_error() {
    let simulator = oura_of_today(3).await;
    let folder = connected_folder(&simulator).await;
    let log = folder.path().join("log");
    // Another collection each time: an unchanged state is not logged again.
    let refuse = |collection: &str| {
        simulator.faults().add(Fault::on_collection(collection, Misbehaviour::ScopeMissing))
    };
    for (collection, level, logged, not_logged) in [
        (
            "sleep",
            None,
            vec!["WARN a window could not be fetched", "collection=\"sleep\"", "INFO sync ended"],
            "\u{1b}",
        ),
        ("workout", Some("warn"), vec!["WARN a window could not be fetched"], "INFO"),
    ] {
        refuse(collection);
        let mut serve = program("", folder.path(), &simulator, "serve", &[]);
        serve.envs(level.map(|level| ("RINGSIDE_LOG", level)));
        let (serve, origin) = serve_into(std::fs::File::create(&log).unwrap().into(), serve);
        let sync =
            reqwest::Client::new().post(format!("{origin}/api/sync")).bearer_auth(ADMIN_TOKEN);
        let answer = sync.header("Content-Type", "application/json").send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 202);
        let read_log = || std::fs::read_to_string(&log).unwrap();
        poll_until("logging the failure", || logged.iter().all(|words| read_log().contains(words)))
            .await;
        drop(serve);
        secret_scanner::scan(read_log().as_bytes());
        assert!(!read_log().contains(not_logged), "{level:?}: {}", read_log());
    }

    // Finishes the windows of the last run, so that the next sync fetches all collections again.
    assert!(finished(program("", folder.path(), &simulator, "sync", &[])).await.status.success());
    refuse("tag");
    let output = finished(program("", folder.path(), &simulator, "sync", &[])).await;
    let log = String::from_utf8_lossy(&output.stderr);
    assert_contains(&log, &["WARN a window could not be fetched", "100.0 %"]);
    assert!(!log.contains("INFO"), "{log}");
}

#[tokio::test]
async fn command_changes_only_the_given_settings() {
    let simulator = oura_of_today(3).await;
    let folder = connected_folder(&simulator).await;
    let chosen = ringside::datasource::Settings {
        timezone: "Pacific/Auckland".to_owned(),
        sync_interval_minutes: 45,
        collections: vec!["daily_sleep".to_owned(), "personal_info".to_owned()],
        scopes: "daily personal".to_owned(),
        ..settings()
    };
    let key = DataSourceKey::single();
    let datasources =
        DataSources::open(environment(folder.path(), &simulator, Clock::system())).unwrap();
    datasources.datasource(&key, &chosen, &secret()).await.unwrap();
    datasources.shutdown().await;
    drop(datasources);
    let remembered = || {
        let datasources =
            DataSources::open(environment(folder.path(), &simulator, Clock::system())).unwrap();
        let (settings, client_secret) = datasources.stored_settings(&key).unwrap().unwrap();
        (settings, client_secret == secret())
    };
    let zone = || {
        let derived_by = crate::common::select(
            &folder.path().join("1/oura/oura.db"),
            "SELECT value FROM meta WHERE name = 'derived_by'",
        );
        derived_by[0][0].as_str().unwrap().to_owned()
    };

    // Even the client ID and secret are remembered.
    let mut sync = program("", folder.path(), &simulator, "sync", &[]);
    sync.env_remove("OURA_CLIENT_ID").env_remove("OURA_CLIENT_SECRET");
    for command in [
        sync,
        program(
            "",
            folder.path(),
            &simulator,
            "backfill",
            &["--days", "2", "--resources", "daily_sleep"],
        ),
    ] {
        let output = finished(command).await;
        assert!(output.status.success(), "{output:?}");
        assert_eq!(remembered(), (chosen.clone(), true));
        assert_contains(&zone(), &["Pacific/Auckland"]);
    }
    assert_eq!(
        count(folder.path(), "SELECT count(*) FROM collections WHERE last_sync IS NOT NULL"),
        2
    );

    let output = finished(program(
        "",
        folder.path(),
        &simulator,
        "sync",
        &["--timezone", "Europe/Vienna", "--sync-interval", "60"],
    ))
    .await;
    assert!(output.status.success(), "{output:?}");
    let changed = ringside::datasource::Settings {
        timezone: "Europe/Vienna".to_owned(),
        sync_interval_minutes: 60,
        ..chosen
    };
    assert_eq!(remembered(), (changed, true));

    // The settings are lost with the vault, but the time zone of the stored days stays.
    for name in ["vault.db", "vault.key"] {
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    let output = finished(program("", folder.path(), &simulator, "sync", &[])).await;
    assert_contains(&error_output(&output), &["not connected"]);
    assert_eq!(remembered().0.timezone, "Europe/Vienna");
    assert_contains(&zone(), &["Europe/Vienna"]);
}

#[cfg(unix)]
#[tokio::test]
async fn write_ahead_log_is_read_from_a_read_only_folder() {
    let simulator = oura_of_today(3).await;
    let folder = connected_folder(&simulator).await;
    let database = folder.path().join("1/oura/oura.db");
    let writer = rusqlite::Connection::open(&database).unwrap();
    writer
        .execute_batch(
            "PRAGMA wal_autocheckpoint = 0; UPDATE collections SET reason = 'from the log'",
        )
        .unwrap();
    // A copy of the files while the writer has them open is the state after a kill.
    let killed = tempfile::tempdir().unwrap();
    let left = killed.path().join("1/oura");
    std::fs::create_dir_all(&left).unwrap();
    for name in ["oura.db", "oura.db-wal", "oura.db-shm"] {
        std::fs::copy(database.with_file_name(name), left.join(name)).unwrap();
    }
    let ask = || {
        let sql = "SELECT DISTINCT reason FROM collections";
        finished(program(BOUND_BY_PERMISSIONS, killed.path(), &simulator, "query", &[sql]))
    };
    let read_only = ReadOnly::make(killed.path());
    if !permissions_bind(killed.path()) {
        return crate::common::report_skip("this user may ignore file permissions");
    }
    let output = ask().await;
    assert!(
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains("from the log"),
        "{output:?}"
    );

    // Without its index, the log cannot be read, and the database alone lacks the last changes.
    drop(read_only);
    std::fs::remove_file(left.join("oura.db-shm")).unwrap();
    let read_only = ReadOnly::make(killed.path());
    assert_contains(&error_output(&ask().await), &["oura.db", "can write"]);
    drop(read_only);
}

#[cfg(unix)]
#[tokio::test]
async fn export_is_readable_by_its_user_only() {
    use std::os::unix::fs::PermissionsExt;
    let simulator = oura_of_today(3).await;
    let folder = connected_folder(&simulator).await;
    let copies = tempfile::tempdir().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for (format, name) in [("sqlite", "copy.db"), ("csv", "copy")] {
        let to = copies.path().join(name);
        let output = finished(program(
            "umask 022;",
            folder.path(),
            &simulator,
            "export",
            &[to.to_str().unwrap(), "--format", format],
        ))
        .await;
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!(mode(&copies.path().join("copy.db")), 0o600);
    assert_eq!(mode(&copies.path().join("copy")), 0o700);
    assert_eq!(mode(&copies.path().join("copy/nights.csv")), 0o600);
}

#[tokio::test]
async fn export_to_an_unusable_path_names_it() {
    let simulator = oura_of_today(3).await;
    let folder = connected_folder(&simulator).await;
    let missing = folder.path().join("missing/copy.db");
    let below_a_file = folder.path().join("lock/copy");
    for (format, to) in [("sqlite", &missing), ("csv", &below_a_file)] {
        let output = finished(program(
            "",
            folder.path(),
            &simulator,
            "export",
            &[to.to_str().unwrap(), "--format", format],
        ))
        .await;
        assert_contains(
            &error_output(&output),
            &[to.to_str().unwrap(), "cannot be written", "Choose a new"],
        );
    }
}

#[tokio::test]
async fn file_that_is_not_a_database_is_named_and_kept() {
    let simulator = oura_of_today(3).await;
    let folder = connected_folder(&simulator).await;
    for (name, remedy) in [
        ("1/oura/oura.db", "gpx_oura repair"),
        ("vault.db", "Move it away, and connect each data source again"),
    ] {
        let path = folder.path().join(name);
        let good = std::fs::read(&path).unwrap();
        let text = "Dear diary, today I slept well.\n".repeat(300);
        std::fs::write(&path, &text).unwrap();
        let output = finished(program("", folder.path(), &simulator, "sync", &[])).await;
        assert_contains(&error_output(&output), &[path.to_str().unwrap(), "not a", remedy]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "{name}");
        std::fs::write(&path, good).unwrap();
    }
    let output = finished(program("", folder.path(), &simulator, "sync", &[])).await;
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn database_of_a_newer_version_is_kept() {
    let simulator = oura_of_today(3).await;
    let folder = connected_folder(&simulator).await;
    for (name, remedy) in
        [("1/oura/oura.db", "Update the plugin"), ("vault.db", "install the newer version")]
    {
        let path = folder.path().join(name);
        let database = rusqlite::Connection::open(&path).unwrap();
        let version: i64 =
            database.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        database.pragma_update(None, "user_version", 999).unwrap();
        let output = finished(program("", folder.path(), &simulator, "sync", &[])).await;
        assert_contains(
            &error_output(&output),
            &[path.to_str().unwrap(), "newer version", "999", remedy],
        );
        if name != "vault.db" {
            let output =
                finished(program("", folder.path(), &simulator, "query", &["SELECT 1"])).await;
            assert_contains(&error_output(&output), &["newer version", "999", remedy]);
        }
        database.pragma_update(None, "user_version", version).unwrap();
    }
}

#[tokio::test]
async fn database_of_another_program_is_kept() {
    let simulator = oura_of_today(3).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1/oura/oura.db");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE collections (stamp TEXT)")
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    let output = finished(program("", folder.path(), &simulator, "sync", &[])).await;
    assert_contains(
        &error_output(&output),
        &[path.to_str().unwrap(), "another program", "Move it away"],
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_process_on_a_data_folder_is_rejected() {
    let simulator = oura_of_today(3).await;
    let folder = connected_folder(&simulator).await;
    let (mut serve, _) = serve("", folder.path(), &simulator);
    let output = finished(program("", folder.path(), &simulator, "sync", &[])).await;
    assert_contains(
        &error_output(&output),
        &[
            "another process",
            folder.path().to_str().unwrap(),
            "End the other process",
            "folder of its own",
        ],
    );
    // Reading the data folder at the same time is allowed.
    let output = finished(program(
        "",
        folder.path(),
        &simulator,
        "query",
        &["SELECT count(*) FROM sync_runs"],
    ))
    .await;
    assert!(output.status.success(), "{output:?}");

    let asked = Command::new("kill").args(["-TERM", &serve.0.id().to_string()]).status().unwrap();
    assert!(asked.success());
    let ended = tokio::task::spawn_blocking(move || serve.0.wait().unwrap()).await.unwrap();
    assert!(ended.success(), "{ended:?}");
    let output = finished(program("", folder.path(), &simulator, "sync", &[])).await;
    assert!(output.status.success(), "{output:?}");
}
