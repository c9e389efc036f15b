//! The tokens of `serve`: roles, tables, expiry, changes while it runs, limits, and the audit log.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::common::serve::{ADMIN_TOKEN, READ_TOKEN, Server, data_folder};
use crate::common::wait::must_finish;

/// Runs `gpx_oura token` on a data folder. Returns standard output, or standard error of a failure.
fn token(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_gpx_oura"))
        .arg("token")
        .args(arguments)
        .arg("--data-dir")
        .arg(folder)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn audit(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("audit.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn tokens_are_added_and_revoked_without_a_restart() {
    let folder = data_folder();
    let none = [("RINGSIDE_READ_TOKEN", ""), ("RINGSIDE_ADMIN_TOKEN", "")];
    let server = Server::start_with(folder.path(), &[], &none).await;
    assert_eq!(server.get("/api/status", "anything").await.code(), "unauthenticated");

    let reader = token(folder.path(), &["add", "grafana"]).unwrap();
    let admin = token(folder.path(), &["add", "ops", "--role", "admin"]).unwrap();
    assert_eq!(server.get("/api/status", &reader).await.status, 200);
    assert_eq!(server.get("/status", &reader).await.status, 200);
    assert_eq!(server.post("/api/sync", &reader, &json!({})).await.code(), "admin_only");
    assert_eq!(server.get("/api/export", &admin).await.status, 200);
    let list = token(folder.path(), &["list"]).unwrap();
    assert!(list.contains("grafana\tread\tall tables\tnever expires"), "{list}");
    assert!(!list.contains(&reader), "{list}");

    token(folder.path(), &["revoke", "grafana"]).unwrap();
    assert_eq!(server.get("/api/status", &reader).await.status, 401);
    assert_eq!(server.get("/api/status", &admin).await.status, 200);

    for (arguments, error) in [
        (&["add", "ops"][..], "a token named ops exists"),
        (&["add", "a b"], "invalid name"),
        (&["add", "b", "--role", "admin", "--tables", "days"], "--role read"),
        (&["add", "b", "--expires", "2020-01-01"], "has passed"),
        (&["add", "b", "--expires", "tomorrow"], "tomorrow"),
        (&["revoke", "b"], "no token named b"),
    ] {
        let found = token(folder.path(), arguments).unwrap_err();
        assert!(found.contains(error), "{arguments:?}: {found}");
    }
}

#[tokio::test]
async fn read_token_reads_its_tables_only() {
    let folder = data_folder();
    let reader = token(folder.path(), &["add", "a", "--tables", "days,Nights"]).unwrap();
    let server = Server::start(folder.path(), &[]).await;
    for (sql, expected) in [
        ("SELECT count(*) FROM days", 200),
        ("SELECT n.day FROM nights AS n JOIN days USING (day)", 200),
        ("WITH a AS (SELECT steps FROM days) SELECT max(steps) FROM a", 200),
        ("SELECT count(*) FROM heartrate", 403),
        ("SELECT * FROM oura_raw_documents", 403),
        ("WITH nights AS (SELECT * FROM sleep) SELECT * FROM nights", 403),
        ("SELECT (SELECT max(bpm) FROM heartrate) FROM days", 403),
    ] {
        let answer = server.post("/api/sql", &reader, &json!({ "sql": sql })).await;
        assert_eq!(answer.status, expected, "{sql}: {}", answer.text());
        if expected == 403 {
            assert_eq!(answer.code(), "table_not_listed");
        }
    }
    assert_eq!(server.get("/api/coverage", &reader).await.status, 403);
    assert_eq!(server.get("/api/coverage", READ_TOKEN).await.status, 200);
}

#[tokio::test]
async fn expired_token_is_rejected() {
    let folder = data_folder();
    let reader = token(folder.path(), &["add", "a", "--expires", "2999-01-01"]).unwrap();
    let server = Server::start(folder.path(), &[]).await;
    assert_eq!(server.get("/api/status", &reader).await.status, 200);
    let path = folder.path().join("tokens.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("2999-01-01", "2020-01-01 ".trim_end())).unwrap();
    // The size is the same: a change within one tick of the clock would go unnoticed.
    std::fs::File::open(&path)
        .unwrap()
        .set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(5))
        .unwrap();
    let answer = server.get("/api/status", &reader).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "unauthenticated"));
    assert!(answer.text().contains("expired"), "{}", answer.text());
}

#[tokio::test]
async fn tokens_come_from_files_and_systemd_credentials() {
    let folder = data_folder();
    let secrets = tempfile::tempdir().unwrap();
    let admin = secrets.path().join("admin");
    std::fs::write(&admin, "admin-token-from-a-file\n").unwrap();
    let credentials = secrets.path().join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    std::fs::write(credentials.join("ringside-read-token"), "read-token-of-systemd").unwrap();
    let server = Server::start_with(
        folder.path(),
        &[],
        &[
            ("RINGSIDE_READ_TOKEN", ""),
            ("RINGSIDE_ADMIN_TOKEN", ""),
            ("RINGSIDE_ADMIN_TOKEN_FILE", admin.to_str().unwrap()),
            ("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap()),
        ],
    )
    .await;
    assert_eq!(server.get("/api/export", "admin-token-from-a-file").await.status, 200);
    assert_eq!(server.get("/api/status", "read-token-of-systemd").await.status, 200);
    assert_eq!(server.get("/api/export", "read-token-of-systemd").await.status, 403);
}

#[test]
fn address_that_others_can_reach_needs_a_flag() {
    let folder = data_folder();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8787"] {
        let output = Command::new(env!("CARGO_BIN_EXE_gpx_oura"))
            .args(["serve", "--listen", address, "--data-dir"])
            .arg(folder.path())
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains("--expose"), "{address}: {error}");
    }
}

#[tokio::test]
async fn rates_and_failed_attempts_are_limited() {
    let folder = data_folder();
    let server = Server::start(folder.path(), &["--max-requests", "1"]).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(server.get("/api/status", READ_TOKEN).await);
    }
    assert_eq!(statuses[0].status, 200);
    let refused = statuses.iter().find(|answer| answer.status == 429).unwrap();
    assert_eq!(refused.code(), "too_many_requests");
    assert_eq!(refused.header("retry-after"), Some("1"));

    // One process at a time uses the folder.
    let folder = data_folder();
    let server = Server::start(folder.path(), &[]).await;
    let mut codes = Vec::new();
    for _ in 0..60 {
        codes.push(server.get("/api/status", "wrong").await.code());
    }
    assert_eq!(codes[0], "unauthenticated");
    assert!(codes.contains(&"too_many_requests".to_owned()), "{codes:?}");
    // A valid token of the same address still works.
    assert_eq!(server.get("/api/status", READ_TOKEN).await.status, 200);
}

/// A response that is not read to its end keeps its place.
#[tokio::test]
async fn requests_at_the_same_time_are_limited() {
    let folder = data_folder();
    let server = Server::start(folder.path(), &["--max-concurrent", "1"]).await;
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000000)
                SELECT i FROM n";
    let request = server.request("POST", "/api/sql").bearer_auth(READ_TOKEN);
    let request = request.header("Accept", "text/csv").json(&json!({ "sql": rows }));
    let held = request.send().await.unwrap();
    assert_eq!(held.status(), 200);
    // Another token has the same address.
    for token in [READ_TOKEN, ADMIN_TOKEN] {
        let refused = server.get("/api/status", token).await;
        assert_eq!((refused.status, refused.code().as_str()), (429, "too_many_at_once"));
        assert_eq!(refused.header("retry-after"), Some("1"));
    }
    drop(held);
    let is_admitted = async {
        while server.get("/api/status", READ_TOKEN).await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    must_finish("the place of an abandoned response is free", is_admitted).await;
    let refused = audit(folder.path()).into_iter().find(|line| line["status"] == 429).unwrap();
    assert_eq!((&refused["outcome"], &refused["name"]), (&json!("refused"), &json!("reader")));
}

#[tokio::test]
async fn audit_log_names_callers_of_changes_exports_and_refused_calls() {
    let folder = data_folder();
    let server = Server::start(folder.path(), &[]).await;
    server.post("/api/sql", READ_TOKEN, &json!({"sql": "SELECT 1"})).await;
    server.get("/api/status", READ_TOKEN).await;
    server.get("/api/export", READ_TOKEN).await;
    server.get("/api/export", ADMIN_TOKEN).await;
    server.post("/api/oauth/callback?code=secret", ADMIN_TOKEN, &json!({})).await;
    server.get("/api/status?x=1", "wrong-token-of-a-stranger").await;
    let log = audit(folder.path());
    let lines: Vec<Value> = log
        .iter()
        .map(|line| {
            json!([line["outcome"], line["name"], line["method"], line["path"], line["status"]])
        })
        .collect();
    assert_eq!(
        lines,
        [
            json!(["refused", "reader", "GET", "/export", 403]),
            json!(["allowed", "admin", "GET", "/export", 200]),
            json!(["allowed", "admin", "POST", "/oauth/callback", 400]),
            json!(["refused", null, "GET", "/status", 401]),
        ]
    );
    assert_eq!(log[0]["address"], "127.0.0.1");
    assert!(log[0]["time"].as_str().unwrap().ends_with('Z'));
    let text = std::fs::read_to_string(folder.path().join("audit.jsonl")).unwrap();
    assert!(!text.contains("secret") && !text.contains("stranger"), "{text}");
}

#[tokio::test]
async fn other_sites_read_nothing_unless_named() {
    let folder = data_folder();
    let site = "https://notes.example.com";
    let preflight = async |server: &Server, origin: &str| {
        let request = server
            .request("OPTIONS", "/api/sql")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "authorization,content-type");
        let answer = server.send(request).await;
        answer.header("access-control-allow-origin").map(str::to_owned)
    };
    let server = Server::start(folder.path(), &[]).await;
    assert_eq!(preflight(&server, site).await, None);
    // One process at a time uses the folder.
    let folder = data_folder();
    let server = Server::start(folder.path(), &["--allow-origin", site]).await;
    assert_eq!(preflight(&server, site).await.as_deref(), Some(site));
    assert_eq!(preflight(&server, "https://evil.example.com").await, None);
    let request = server.request("GET", "/api/status").bearer_auth(READ_TOKEN);
    let answer = server.send(request.header("Origin", site)).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(site)));
}
