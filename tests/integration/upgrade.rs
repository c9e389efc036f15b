//! Databases of earlier versions, opened by this one.
//!
//! `tests/fixtures/databases/` has one file for each released format: `format-<number>.db.gz`. A
//! new format adds the database of `gpx_oura demo --days 5 --seed 1`, after `VACUUM`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use ringside::catalog::Catalog;
use ringside::datasource::{DataSources, Trigger};
use ringside::store::Store;
use ringside::time::{Clock, Tz};
use serde_json::{Value, json};

use crate::common::wait::poll_until;
use crate::common::world::{World, connect, query, synced};
use crate::common::{at, database, secret_scanner, select};

/// The facts that an upgrade must keep: they cannot be derived again, or other rows depend on them.
const FACTS: &[&str] = &[
    "SELECT document, resource, document_id, day, payload, hash, revision, first_seen_at
     FROM oura_raw_documents ORDER BY document",
    "SELECT count(*), sum(bpm), min(time), max(time) FROM heartrate",
    "SELECT count(*), sum(level) FROM ring_battery_level",
    "SELECT series, count(*), round(sum(value), 3) FROM samples GROUP BY 1 ORDER BY 1",
    "SELECT collection, day, state, documents FROM coverage WHERE documents > 0 ORDER BY 1, 2",
    "SELECT run, started_at, state, documents FROM sync_runs ORDER BY run",
];

/// The views for queries of users. Each has rows for the days in the fixtures.
const VIEWS: &[&str] = &["days", "nights", "hypnogram", "sleep_times", "coverage", "samples_1d"];

/// The databases of earlier formats, the oldest first.
pub fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/databases");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The bytes of such a database.
pub fn content_of(fixture: &Path) -> Vec<u8> {
    let mut content = Vec::new();
    let file = std::fs::File::open(fixture).unwrap();
    flate2::read::GzDecoder::new(file).read_to_end(&mut content).unwrap();
    content
}

/// A data folder with the database of an earlier version.
fn folder_with(fixture: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = database(folder.path());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content_of(fixture)).unwrap();
    folder
}

fn facts(folder: &Path) -> Vec<Vec<Vec<Value>>> {
    FACTS.iter().map(|sql| select(&database(folder), sql)).collect()
}

fn format_of(path: &Path) -> i64 {
    select(path, "PRAGMA user_version")[0][0].as_i64().unwrap()
}

#[tokio::test]
async fn upgrade_keeps_everything_and_syncs_on() {
    let fixtures = fixtures();
    assert!(!fixtures.is_empty(), "no database of an earlier version");
    for fixture in fixtures {
        println!("{}", fixture.display());
        let folder = folder_with(&fixture);
        let path = database(folder.path());
        let name = fixture.file_name().unwrap().to_str().unwrap();
        assert_eq!(name, format!("format-{}.db.gz", format_of(&path)));
        let before = facts(folder.path());
        assert!(before.iter().all(|rows| !rows.is_empty()), "a fact without rows");

        // The fixture's person, four days after its newest day, in the same time zone.
        let clock = Clock::starting_at(at("2026-11-29T20:00:00Z"), 0.0);
        let mut world = World::with(8, clock, |config| config.seed = 1).await;
        world.settings.timezone = "Europe/Vienna".to_owned();
        let derived_by = || select(&path, "SELECT value FROM meta WHERE name = 'derived_by'");
        let former = derived_by();
        let datasources = DataSources::open(world.environment(folder.path())).unwrap();
        let datasource = world.datasource(&datasources).await;
        for view in VIEWS {
            let rows = query(&datasource, &format!("SELECT * FROM {view}")).await.batch.rows;
            assert!(rows > 0, "{view} has no rows");
        }
        poll_until("the rebuild", || derived_by() != former).await;
        assert_eq!(facts(folder.path()), before);

        connect(&datasource, "ann").await.unwrap();
        synced(&datasource).await;
        datasource.start_sync(Trigger::Manual).unwrap();
        synced(&datasource).await;
        let newest = "SELECT max(day) FROM daily_activity";
        assert!(select(&path, newest)[0][0].as_str().unwrap() > "2026-11-26");
        datasources.shutdown().await;

        let mut program = Command::new(env!("CARGO_BIN_EXE_gpx_oura"));
        program.args(["query", "--output", "csv", "SELECT day, sleep_score FROM days"]);
        let output = program.arg("--data-dir").arg(folder.path()).output().unwrap();
        secret_scanner::scan(&output.stdout);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.split(|byte| *byte == b'\n').count() > 7);
    }
}

/// Before a migration, the database is copied. `restore` returns to the copy, which the older
/// version opens, and an older version that meets the newer file names it.
#[tokio::test]
async fn copy_of_the_former_format_can_be_restored() {
    let fixture = &fixtures()[0];
    let folder = folder_with(fixture);
    let path = database(folder.path());
    let (format, before) = (format_of(&path), facts(folder.path()));
    let backup = path.with_file_name(format!("oura.db.backup-of-format-{format}"));
    let restore = |folder: &Path| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_gpx_oura"));
        let output = program.args(["restore", "--data-dir"]).arg(folder).output().unwrap();
        let text = [output.stdout.as_slice(), &output.stderr].concat();
        secret_scanner::scan(&text);
        (output.status.success(), String::from_utf8(text).unwrap())
    };
    let (succeeded, text) = restore(folder.path());
    assert!(!succeeded && text.contains("No copy of a former format"), "{text}");

    // A copy that a power failure cut short, and one of a migration long ago.
    let draft = path.with_file_name("oura.db.backup-of-format-1.incomplete");
    std::fs::write(&draft, "half a file").unwrap();
    let world = World::new(8, Clock::system()).await;
    for _ in 0..2 {
        let datasources = DataSources::open(world.environment(folder.path())).unwrap();
        drop(world.datasource(&datasources).await);
        datasources.shutdown().await;
    }
    assert!(!draft.exists());
    assert!(format_of(&path) > format);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&backup).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 999).unwrap();
    drop(newer);
    let catalog = std::sync::Arc::new(ringside::catalog::Catalog::bundled());
    let zone = ringside::time::Tz::UTC;
    let refused = ringside::store::Store::open(&path, catalog, zone).err().unwrap().to_string();
    assert!(refused.contains(backup.to_str().unwrap()), "{refused}");
    assert!(refused.contains("gpx_oura restore"), "{refused}");

    let (succeeded, text) = restore(folder.path());
    assert!(succeeded && text.contains(&format!("format {format} again")), "{text}");
    assert!(!backup.exists());
    assert_eq!((format_of(&path), facts(folder.path())), (format, before));
}

#[test]
fn copies_that_are_left_behind_are_swept_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("oura.db");
    let copies =
        [1, 2].map(|format| folder.path().join(format!("oura.db.backup-of-format-{format}")));
    for (copy, days) in copies.iter().zip([31, 29]) {
        let file = std::fs::File::create(copy).unwrap();
        let age = std::time::Duration::from_secs(days * 86_400);
        file.set_modified(std::time::SystemTime::now() - age).unwrap();
    }
    // Of a download that was killed.
    let download = folder.path().join("export-0123.db");
    std::fs::write(&download, "all data").unwrap();
    let catalog = std::sync::Arc::new(ringside::catalog::Catalog::bundled());
    let store = ringside::store::Store::open(&path, catalog, ringside::time::Tz::UTC).unwrap();
    assert_eq!(copies.each_ref().map(|copy| copy.exists()), [false, true]);
    assert!(!download.exists());
    std::fs::write(&download, "all data").unwrap();
    store.delete_all().unwrap();
    assert!(!copies[1].exists() && !download.exists(), "a copy holds deleted data");
}

/// Former versions stored each document that they could not read under the same id, and texts in
/// numeric columns.
#[test]
fn upgrade_repairs_what_former_versions_could_not_read() {
    let folder = folder_with(&fixtures()[0]);
    let path = database(folder.path());
    let documents = "SELECT count(*) FROM oura_raw_documents";
    let before = select(&path, documents);
    let payload = r#"{"id":"t-1","start_day":"2026-11-24","tag_type_code":"tag_generic_party",
                      "comment":"half \ud83d"}"#;
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute(
            "INSERT INTO oura_raw_documents (resource, document_id, payload, hash, revision,
                 first_seen_at, changed_at, last_seen_at)
             VALUES ('enhanced_tag', 'sha256:74234e98afe7498fb5daf1f36ac2d78a', ?1, x'00', 1,
                 0, 0, 0)",
            [payload],
        )
        .unwrap();
    let odd_row =
        "UPDATE heartrate SET bpm = 'high' WHERE time = (SELECT min(time) FROM heartrate)";
    connection.execute(odd_row, []).unwrap();
    drop(connection);

    let store = Store::open(&path, Arc::new(Catalog::bundled()), Tz::UTC).unwrap();
    store.writer().rebuild().unwrap();
    let tags = "SELECT raw.document_id, raw.fault, tag.comment, tag.day
                FROM enhanced_tag AS tag JOIN oura_raw_documents AS raw USING (document)
                WHERE raw.document_id = 't-1'";
    assert_eq!(
        select(&path, tags),
        [[json!("t-1"), json!("text"), json!("half \u{fffd}"), json!("2026-11-24")]]
    );
    let after = select(&path, documents);
    assert_eq!(after[0][0].as_i64(), before[0][0].as_i64().map(|count| count + 1));
    // The others of this kind come back with the next sync.
    let covered = "SELECT DISTINCT resource = 'enhanced_tag' FROM coverage_data";
    assert_eq!(select(&path, covered), [[json!(0)]]);
    let row = "SELECT bpm, extra ->> '$.bpm' FROM heartrate ORDER BY time LIMIT 1";
    assert_eq!(select(&path, row), [[Value::Null, json!("high")]]);
}

/// A command that only reads does not migrate. It names the command that does.
#[test]
fn reader_names_the_remedy_for_an_old_format() {
    let folder = folder_with(&fixtures()[0]);
    let path = database(folder.path());
    ringside::store::prepare_sqlite().unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    drop(connection);
    let mut program = Command::new(env!("CARGO_BIN_EXE_gpx_oura"));
    program.args(["query", "SELECT 1", "--data-dir"]).arg(folder.path());
    let output = program.output().unwrap();
    secret_scanner::scan(&output.stderr);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains(path.to_str().unwrap()), "{error}");
    assert_eq!(format_of(&path), 1);
}
