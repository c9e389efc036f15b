//! Moving to another machine: an export is imported there. And deleting everything, with a list.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::common::serve::{ADMIN_TOKEN, READ_TOKEN, Server, data_folder};
use crate::common::{database, select};

/// Runs a command of the program on a data folder. Returns its output.
fn run(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_gpx_oura"))
        .args(arguments)
        .env("RINGSIDE_DATA_DIR", folder)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn facts(path: &Path) -> Vec<Vec<Vec<Value>>> {
    [
        "SELECT document, resource, document_id, payload, revision, first_seen_at, changed_at,
             last_seen_at, deleted_at FROM oura_raw_documents ORDER BY document",
        "SELECT resource, day, documents, partial, fetched_at FROM coverage_data ORDER BY 1, 2",
        "SELECT count(*), sum(bpm), min(time), max(time) FROM heartrate",
        "SELECT run, started_at, state FROM sync_runs ORDER BY run",
    ]
    .map(|sql| select(path, sql))
    .into()
}

#[tokio::test]
async fn import_keeps_history_revisions_and_coverage() {
    let old = data_folder();
    let writer = rusqlite::Connection::open(database(old.path())).unwrap();
    let revised = "UPDATE oura_raw_documents SET revision = 3, first_seen_at = first_seen_at - 9
                   WHERE document = (SELECT min(document) FROM oura_raw_documents)";
    assert_eq!(writer.execute(revised, []).unwrap(), 1);
    drop(writer);
    let server = Server::start(old.path(), &[]).await;
    let exported = old.path().join("export.db");
    std::fs::write(&exported, server.get("/api/export", ADMIN_TOKEN).await.body).unwrap();
    drop(server);

    let new = tempfile::tempdir().unwrap();
    let file = exported.to_str().unwrap();
    let output = run(new.path(), &["import", file]).unwrap();
    assert!(output.contains("documents and the coverage of"), "{output}");
    assert_eq!(facts(&database(new.path())), facts(&exported));
    let server = Server::start(new.path(), &[]).await;
    let answer =
        server.post("/api/sql", ADMIN_TOKEN, &json!({"sql": "SELECT count(*) FROM nights"})).await;
    assert!(answer.json()["rows"][0][0].as_i64().unwrap() >= 3, "{}", answer.text());
    drop(server);

    // A data source with data is not replaced.
    let error = run(new.path(), &["import", file]).unwrap_err();
    assert!(error.contains("contains data"), "{error}");
    run(new.path(), &["import", file, "--datasource", "1/second"]).unwrap();
}

#[test]
fn other_files_are_rejected_and_leave_nothing() {
    let old = data_folder();
    let good = std::fs::read(database(old.path())).unwrap();
    let files = tempfile::tempdir().unwrap();
    let with_sql = |name: &str, sql: &str, from: Option<&[u8]>| -> PathBuf {
        let path = files.path().join(name);
        if let Some(from) = from {
            std::fs::write(&path, from).unwrap();
        }
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        path
    };
    let write = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = files.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let zip = |name: &str, content: &[(&str, &[u8])]| write(name, &archive(content));
    let account = archive(&account_files());
    // A damaged byte in the compressed data of the first file.
    let mut broken = account.clone();
    broken[60] ^= 0xff;
    let zeros = files.path().join("zeros");
    std::fs::File::create(&zeros).unwrap().set_len(10 << 30).unwrap();
    let mut damaged = good.clone();
    for byte in &mut damaged[4096..20_480] {
        *byte = 0xa5;
    }
    let trigger = "CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM sync_runs; END";
    for (path, error) in [
        (files.path().join("missing"), "cannot be used"),
        (write("empty", b""), "not a SQLite file"),
        (write("text.csv", b"day,score\n"), "not a SQLite file"),
        (write("oura.zip", b"PK\x03\x04../../etc/passwd"), "not a complete ZIP file"),
        (zip("foreign.zip", &[("notes.txt", b"x"), ("a.csv", b"a;b\n1;2\n")]), "has no file such"),
        (zip("empty.zip", &[]), "not a SQLite file"),
        (zip("blank.zip", &[("App Data/dailysleep.csv", b"id;day;score\n")]), "no data"),
        (zip("long.zip", &[("App Data/dailysleep.csv", &vec![0; 8 << 20])]), "4 MiB"),
        (zip("binary.zip", &[("App Data/dailysleep.csv", b"id;day\n\xff;\xfe\n")]), "UTF-8"),
        (write("cut.zip", &account[..account.len() / 2]), "not a complete ZIP file"),
        (write("broken.zip", &broken), "Download"),
        (zeros, "not a SQLite file"),
        (write("cut.db", &good[..good.len() / 2]), "damaged or cut off"),
        (write("damaged.db", &damaged), "damaged"),
        (with_sql("other.db", "CREATE TABLE notes (text)", None), "another program"),
        (
            with_sql("versioned.db", "CREATE TABLE a (b); PRAGMA user_version = 1", None),
            "tables are missing",
        ),
        (with_sql("newer.db", "PRAGMA user_version = 9999", Some(&good)), "newer version"),
        (with_sql("trigger.db", trigger, Some(&good)), "triggers"),
        (files.path().to_owned(), "cannot be used"),
    ] {
        let new = tempfile::tempdir().unwrap();
        let found = run(new.path(), &["import", path.to_str().unwrap()]).unwrap_err();
        assert!(found.contains(error), "{}: {found}", path.display());
        let folder = database(new.path()).parent().unwrap().to_owned();
        let left = std::fs::read_dir(folder).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{}", path.display());
    }
}

/// A ZIP file with these names and contents.
pub fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The files of an account's export, after the form that programs which read it agree on.
pub fn account_files() -> Vec<(&'static str, &'static [u8])> {
    vec![
        (
            "App Data/dailysleep.csv",
            b"id;contributors;day;score;timestamp\n\
              s1;\"{\"\"deep_sleep\"\": 97, \"\"timing\"\": 40}\";2020-02-01;81;2020-02-01T00:00:00+00:00\n\
              ;{};2020-02-02;;2020-02-02T00:00:00+00:00\n",
        ),
        (
            "App Data/sleepmodel.csv",
            b"\xef\xbb\xbfid;average_hrv;bedtime_end;bedtime_start;day;sleep_phase_5_min;\
              total_sleep_duration;type\n\
              n1;41;2020-02-01T07:00:00+01:00;2020-01-31T23:00:00+01:00;2020-02-01;4433221133442211;\
              25200;long_sleep\n\
              n2;;2020-02-02T07:00:00+01:00;2020-02-01T23:00:00+01:00;2020-02-02;;21600;long_sleep\n",
        ),
        ("App Data/workout_2020-01-01_2020-12-31.csv", b"activity,day,id\nwalking,2020-02-01,w1\n"),
        ("App Data/temperature.csv", b"timestamp;skin_temp\n2020-02-01T00:00:00Z;35.1\n"),
        ("../../../evil.csv", b"a;b\n1;2\n"),
    ]
}

#[tokio::test]
async fn export_of_an_oura_account_is_imported() {
    let mut rows = String::from("timestamp;bpm;source\n");
    for number in 0..45_000 {
        let (hour, minute, second) = (number / 3600, number / 60 % 60, number % 60);
        let line = format!("2020-02-01T{hour:02}:{minute:02}:{second:02}.000Z;{};awake\n", 60);
        rows.push_str(&line);
    }
    let mut files = account_files();
    files.push(("App Data/heartrate.csv", rows.as_bytes()));
    let folder = tempfile::tempdir().unwrap();
    let zip = folder.path().join("account.zip");
    std::fs::write(&zip, archive(&files)).unwrap();
    let data = folder.path().join("data");
    let file = zip.to_str().unwrap();
    let output = run(&data, &["import", file]).unwrap();
    assert!(output.contains("45,005 documents"), "{output}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "{left:?}");

    let server = Server::start(&data, &[]).await;
    for (sql, expected) in [
        (
            "SELECT day, score, contributors_deep_sleep FROM daily_sleep ORDER BY day",
            json!([["2020-02-01", 81, 97], ["2020-02-02", null, null]]),
        ),
        (
            "SELECT day, average_hrv, total_sleep_duration FROM nights ORDER BY day",
            json!([["2020-02-01", 41, 25200], ["2020-02-02", null, 21600]]),
        ),
        (
            "SELECT day, sleep_score FROM days ORDER BY day",
            json!([["2020-02-01", 81], ["2020-02-02", null]]),
        ),
        (
            "SELECT count(*), sum(bpm), max(time) FROM heartrate",
            json!([[45_000, 45_000 * 60, "2020-02-01T12:29:59Z"]]),
        ),
        ("SELECT sum(count) FROM heartrate_1h", json!([[45_000]])),
        ("SELECT count(*) > 0 FROM hypnogram WHERE day = '2020-02-01'", json!([[1]])),
        ("SELECT activity FROM workout", json!([["walking"]])),
        ("SELECT DISTINCT state FROM coverage WHERE documents > 0", json!([["partial"]])),
    ] {
        let answer = server.post("/api/sql", READ_TOKEN, &json!({ "sql": sql })).await.json();
        assert_eq!(answer["rows"], expected, "{sql}: {answer}");
    }
    drop(server);
    let error = run(&data, &["import", file]).unwrap_err();
    assert!(error.contains("contains data"), "{error}");
}

#[tokio::test]
async fn deletion_lists_the_deleted_rows_and_is_audited() {
    let folder = data_folder();
    let documents = select(&database(folder.path()), "SELECT count(*) FROM oura_raw_documents");
    let server = Server::start(folder.path(), &[]).await;
    let refused = server.post("/api/data/delete", ADMIN_TOKEN, &json!({"confirm": "x"})).await;
    assert_eq!(refused.code(), "not_confirmed");
    let answer = server.post("/api/data/delete", ADMIN_TOKEN, &json!({"confirm": "oura"})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let rows = &answer.json()["rows"];
    assert_eq!(rows["oura_raw_documents"], documents[0][0]);
    assert!(rows["heartrate"].as_u64().unwrap() > 500, "{rows}");
    let count = json!({"sql": "SELECT count(*) FROM heartrate"});
    let left = server.post("/api/sql", ADMIN_TOKEN, &count).await.json();
    assert_eq!(left["rows"], json!([[0]]));
    let log = std::fs::read_to_string(folder.path().join("audit.jsonl")).unwrap();
    let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!((&last["path"], &last["name"]), (&json!("/data/delete"), &json!("admin")));
    assert_eq!(last["detail"]["deletedRows"], *rows);
}
