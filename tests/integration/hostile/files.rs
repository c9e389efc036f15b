//! The files of the running program under hostile circumstances: an open umask, leftovers of killed
//! commands, and a deletion after them.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::json;

use crate::common::database;
use crate::common::serve::{ADMIN_TOKEN, Server, data_folder};

const PROGRAM: &str = env!("CARGO_BIN_EXE_gpx_oura");

/// A text in a document, which no other file of the program contains.
const MARK: &str = "planted-comment-of-a-person";

/// All files and folders below `folder`, which is the first.
fn tree(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    let mut next = 0;
    while next < found.len() {
        if found[next].is_dir() {
            let entries = std::fs::read_dir(&found[next]).unwrap();
            found.extend(entries.map(|entry| entry.unwrap().path()));
        }
        next += 1;
    }
    found
}

fn files_with_mark(folder: &Path) -> Vec<PathBuf> {
    let has_mark = |path: &PathBuf| {
        let content = std::fs::read(path).unwrap();
        content.windows(MARK.len()).any(|bytes| bytes == MARK.as_bytes())
    };
    tree(folder).into_iter().filter(|path| path.is_file()).filter(has_mark).collect()
}

/// Runs a command of the program under a umask that lets everybody read and write new files.
fn run(data: &Path, arguments: &[&str]) -> Output {
    Command::new("sh")
        .args(["-c", "umask 0; exec \"$0\" \"$@\"", PROGRAM])
        .args(arguments)
        .env("RINGSIDE_DATA_DIR", data)
        .env("GF_PLUGIN_OURA_URL", "http://127.0.0.1:9/")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[tokio::test]
async fn files_of_every_command_are_private() {
    let source = data_folder();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (sqlite, csv, parquet, lake) = (path("all.db"), path("csv"), path("parquet"), path("lake"));
    // A database of an older version, open to everybody, as is the data folder of the operator.
    let copy = database(&data);
    let own_folder = copy.parent().unwrap();
    std::fs::create_dir_all(own_folder).unwrap();
    std::fs::copy(database(source.path()), &copy).unwrap();
    for path in tree(&data) {
        let mode = if path.is_dir() { 0o755 } else { 0o644 };
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    let of_the_operator: Vec<PathBuf> = own_folder.ancestors().skip(1).map(PathBuf::from).collect();

    let server = Server::start(&data, &[]).await;
    for route in ["/api/status", "/api/export"] {
        assert_eq!(server.get(route, ADMIN_TOKEN).await.status, 200, "{route}");
    }
    assert_eq!(server.get("/api/export", "a wrong token").await.status, 401);
    drop(server);
    let commands: &[&[&str]] = &[
        &["token", "add", "reader"],
        &["export", &sqlite],
        &["export", "--format", "csv", &csv],
        &["export", "--format", "parquet", &parquet],
        &["lake", "init", "--lake", &lake],
        &["lake", "publish", "--lake", &lake],
        &["repair", "--force"],
        &["import", &sqlite],
    ];
    for command in commands {
        let output = run(&data, command);
        assert!(
            output.status.success(),
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    let everything = tree(folder.path());
    for expected in ["oura.db", "vault.db", "tokens.json", "audit.jsonl", "lake.json"] {
        assert!(everything.iter().any(|path| path.ends_with(expected)), "no {expected}");
    }
    for path in everything.into_iter().filter(|path| !of_the_operator.contains(path)) {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, expected, "{} has mode {mode:o}", path.display());
    }
}

/// The leftovers are those of a killed export, of a migration, of a killed migration, and of a
/// repair.
#[tokio::test]
async fn nothing_of_a_person_is_left_after_a_deletion() {
    let folder = data_folder();
    let path = database(folder.path());
    let connection = rusqlite::Connection::open(&path).unwrap();
    let planted = format!(r#"{{"id":"t","day":"2026-06-01","comment":"{MARK}"}}"#);
    let sql = "UPDATE oura_raw_documents SET payload = ?1
               WHERE document = (SELECT min(document) FROM oura_raw_documents)";
    assert_eq!(connection.execute(sql, [planted]).unwrap(), 1);
    drop(connection);

    let server = Server::start(folder.path(), &[]).await;
    let leftovers = [
        "export-0123.db",
        "export-0123.db-journal",
        "oura.db.backup-of-format-1",
        "oura.db.backup-of-format-1.incomplete",
        "oura.db.damaged-1",
        "oura.db.damaged-1-wal",
    ];
    for name in leftovers {
        std::fs::write(path.with_file_name(name), MARK).unwrap();
    }
    assert!(files_with_mark(folder.path()).len() > leftovers.len(), "the database has the mark");
    let body = json!({ "confirm": "oura" });
    let answer = server.post("/api/data/delete", ADMIN_TOKEN, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(files_with_mark(folder.path()), Vec::<PathBuf>::new());
}
