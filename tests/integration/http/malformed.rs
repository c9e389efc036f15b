//! Malformed requests of every kind, byte by byte: each has a status, and from the routes on a code
//! and a hint. They change nothing, and other requests go on.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::serve::{ADMIN_TOKEN, READ_TOKEN, Server, data_folder};
use crate::common::{database, select};
use crate::documents::{blocks, section, table_rows};

/// A request, byte by byte.
struct Raw {
    head: String,
    body: Vec<u8>,
}

/// A request with a read token and a body of JSON.
fn post(path: &str, body: impl Into<Vec<u8>>) -> Raw {
    with(
        path,
        &format!("Authorization: Bearer {READ_TOKEN}\r\nContent-Type: application/json"),
        body,
    )
}

/// The same with an admin token.
fn change(path: &str, body: impl Into<Vec<u8>>) -> Raw {
    with(
        path,
        &format!("Authorization: Bearer {ADMIN_TOKEN}\r\nContent-Type: application/json"),
        body,
    )
}

/// A POST request with these headers.
fn with(path: &str, headers: &str, body: impl Into<Vec<u8>>) -> Raw {
    let body = body.into();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\
         {headers}\r\n\r\n"
    );
    Raw { head, body }
}

/// A GET request with an admin token.
fn get(path: &str) -> Raw {
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer \
         {ADMIN_TOKEN}\r\n\r\n"
    );
    Raw { head, body: Vec::new() }
}

/// Sends a request. Returns the status, and the body as JSON if it is JSON.
async fn send(server: &Server, request: &Raw) -> (u16, Value) {
    let address = server.origin.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(request.head.as_bytes()).await;
    let _ = stream.write_all(&request.body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let text = String::from_utf8_lossy(&answer);
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// The first bytes of a compressed body.
const GZIP: &[u8] = b"\x1f\x8b\x08\x00";

/// Requests, with the status and the code of their error.
fn table() -> Vec<(Raw, u16, &'static str)> {
    let one = r#"{"sql": "SELECT 1"}"#;
    let nested =
        format!("{{\"sql\": \"SELECT 1\", \"params\": {}1{}}}", "[".repeat(500), "]".repeat(500));
    let token = format!("Authorization: Bearer {READ_TOKEN}");
    let typed = format!("{token}\r\nContent-Type: application/json");
    let accepting = |accept: &str| with("/api/sql", &format!("{typed}\r\nAccept: {accept}"), one);
    let authorized = |value: &str| {
        with("/api/sql", &format!("Authorization: {value}\r\nContent-Type: application/json"), one)
    };
    vec![
        // Tokens
        (with("/api/sql", "Content-Type: application/json", one), 401, "unauthenticated"),
        (authorized(""), 401, "unauthenticated"),
        (authorized("Bearer"), 401, "unauthenticated"),
        (authorized("Bearer "), 401, "unauthenticated"),
        (authorized(&format!("Basic {READ_TOKEN}")), 401, "unauthenticated"),
        (authorized(&format!("Bearer {READ_TOKEN}x")), 401, "unauthenticated"),
        (authorized(&format!("Bearer {READ_TOKEN}, Bearer {ADMIN_TOKEN}")), 401, "unauthenticated"),
        (authorized("Bearer \u{e4}\u{f6}\u{fc}"), 401, "unauthenticated"),
        (authorized(&format!("Bearer {}", "x".repeat(8_000))), 401, "unauthenticated"),
        (
            with(&format!("/api/sql?token={ADMIN_TOKEN}"), "Content-Type: application/json", one),
            401,
            "unauthenticated",
        ),
        // Headers
        (accepting("image/png"), 406, "not_acceptable"),
        (accepting("text/csv;q=-1"), 406, "not_acceptable"),
        (accepting("\u{e4}/\u{f6}"), 406, "not_acceptable"),
        (accepting(";;;"), 406, "not_acceptable"),
        (with("/api/sql", &token, one), 415, "content_type"),
        (
            with("/api/sql", &format!("{token}\r\nContent-Type: text/plain"), one),
            415,
            "content_type",
        ),
        (with("/api/sql", &format!("{token}\r\nContent-Type: \u{e4}"), one), 415, "content_type"),
        // Bodies
        (post("/api/sql", ""), 400, "empty_query"),
        (post("/api/sql", "{"), 400, "bad_body"),
        (post("/api/sql", "[]"), 400, "bad_body"),
        (post("/api/sql", "null"), 400, "bad_body"),
        (post("/api/sql", "\"SELECT 1\""), 400, "bad_body"),
        (post("/api/sql", b"{\"sql\": \"\xff\xfe\"}".to_vec()), 400, "bad_body"),
        (post("/api/sql", format!("{one} {one}")), 400, "bad_body"),
        (post("/api/sql", nested), 400, "bad_body"),
        (post("/api/sql", r#"{"sql": 1}"#), 400, "bad_body"),
        (post("/api/sql", r#"{"sql": "SELECT 1", "sql": "SELECT 2"}"#), 400, "bad_body"),
        (post("/api/sql", r#"{"sql": "SELECT 1", "from": "yesterday"}"#), 400, "bad_body"),
        (post("/api/sql", r#"{"sql": "SELECT 1", "from": 1e300}"#), 400, "bad_body"),
        (post("/api/sql", r#"{"sql": "SELECT 1", "maxDataPoints": -1}"#), 400, "bad_body"),
        (post("/api/sql", r#"{"sql": "SELECT 1", "rows": "columns"}"#), 400, "bad_body"),
        (post("/api/sql", vec![b' '; (1 << 20) + 1]), 413, "too_large"),
        (with("/api/sql", &format!("{typed}\r\nContent-Encoding: gzip"), GZIP), 400, "bad_body"),
        (post("/api/sql", r#"{"sql": "SELECT 1", "params": {"a": 1}}"#), 400, "bad_body"),
        (post("/api/sql", r#"{"sql": "SELECT 1", "intervalMs": -1}"#), 400, "bad_body"),
        // Statements
        (post("/api/sql", r#"{"sql": "SELECT 1; SELECT 2"}"#), 400, "several_statements"),
        (post("/api/sql", r#"{"sql": "DELETE FROM sleep"}"#), 400, "not_select"),
        (post("/api/sql", r#"{"sql": "SELECT \u0000"}"#), 400, "syntax"),
        (post("/api/sql", r#"{"sql": "SELECT 1", "params": [1]}"#), 400, "parameters"),
        // Parameters and ranges
        (post("/api/sql?rows=", one), 400, "bad_parameters"),
        (post("/api/sql?times=iso&times=iso", one), 400, "bad_parameters"),
        (post("/api/sql?row=objects", one), 400, "bad_parameters"),
        (post("/api/sql", r#"{"sql": "SELECT 1", "from": 2, "to": 1}"#), 400, "reversed_range"),
        (get("/api/coverage?from=2026-02-01&to=2026-01-31"), 400, "reversed_range"),
        (get("/api/coverage?collections=sleep"), 400, "bad_parameters"),
        (get("/api/coverage?collection=sleeep"), 404, "unknown_collection"),
        (get("/api/coverage?from=yesterday"), 400, "bad_parameters"),
        (get("/api/coverage?from=2026-02-30"), 400, "bad_parameters"),
        (get("/api/export?format=csv&table=../../vault.db"), 400, "unknown_name"),
        (get("/api/export?format=csv&table=%00"), 400, "syntax"),
        (get("/api/export?format=zip"), 400, "bad_parameters"),
        (get("/api/export?tables=nights"), 400, "bad_parameters"),
        (get("/api/export?since=2026-01-01"), 400, "bad_parameters"),
        (change("/api/backfill?days=-1", "{}"), 400, "bad_parameters"),
        (change("/api/backfill?days=99999999999", "{}"), 400, "bad_parameters"),
        (change("/api/backfill?days=1.5", "{}"), 400, "bad_parameters"),
        (change("/api/backfill?day=3", "{}"), 400, "bad_parameters"),
        (change("/api/backfill?days=3&resources=,", "{}"), 400, "no_resources"),
        (change("/api/data/delete", r#"{"confirm": "../oura"}"#), 400, "not_confirmed"),
        (change("/api/data/delete", "{}"), 400, "bad_body"),
        // Rights, routes and methods
        (post("/api/data/delete", r#"{"confirm": "oura"}"#), 403, "admin_only"),
        (post("/api/sync", "{}"), 403, "admin_only"),
        (get("/api/sql"), 405, "method"),
        (get("/api/../vault.db"), 404, "not_found"),
        (get("/api/%2e%2e/vault.key"), 404, "not_found"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_change_nothing() {
    let folder = data_folder();
    let server = Server::start(folder.path(), &[]).await;
    let facts = || {
        let count = "SELECT (SELECT count(*) FROM oura_raw_documents),
                            (SELECT count(*) FROM heartrate), (SELECT count(*) FROM sync_runs)";
        select(&database(folder.path()), count)
    };
    let before = facts();
    let mut wrong = Vec::new();
    for (request, status, code) in table() {
        let (found, body) = send(&server, &request).await;
        let error = &body["error"];
        let is_filled = |field: &str| error[field].as_str().is_some_and(|text| !text.is_empty());
        if (found, &error["code"]) != (status, &json!(code))
            || !is_filled("message")
            || !is_filled("hint")
        {
            let shown: String = String::from_utf8_lossy(&request.body).chars().take(60).collect();
            let head = request.head.lines().next().unwrap_or_default().to_owned();
            wrong.push(format!("{head} {shown}: {found} {body}, expected {status} {code}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // Requests that are not HTTP end before the routes: they have a status, or none.
    for head in [
        "GET\r\n\r\n",
        "GET /api/status HTTP/9.9\r\n\r\n",
        "\u{0}\u{1}\u{2}\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "POST /api/sql HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        "POST /api/sql HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        "POST /api/sql HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        "GET /api/status HTTP/1.1\r\nHost: a\r\nBroken Header\r\n\r\n",
        &format!("GET /api/status HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(1 << 20)),
        &format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(1 << 20)),
    ] {
        let request = Raw { head: head.to_owned(), body: Vec::new() };
        let (status, _) = send(&server, &request).await;
        assert!([0, 400, 401, 414, 431, 505].contains(&status), "{head:?}: {status}");
    }
    assert_eq!(facts(), before);
    let request = server.request("GET", "/api/export?format=csv&table=days");
    let ranged = request.bearer_auth(ADMIN_TOKEN).header("Range", "bytes=9-2,x");
    let whole = server.get("/api/export?format=csv&table=days", ADMIN_TOKEN).await;
    assert_eq!(server.send(ranged).await.body, whole.body);
    let answer = server.post("/api/sql", READ_TOKEN, &json!({"sql": "SELECT 1"})).await;
    assert_eq!(answer.json()["rows"], json!([[1]]));
    let log = std::fs::read_to_string(folder.path().join("audit.jsonl")).unwrap();
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log}");
    assert!(!log.contains(READ_TOKEN) && !log.contains(ADMIN_TOKEN), "a token in the audit log");
}

/// docs/http-api.md lists every status of the table, and quotes an error as it is sent.
#[tokio::test]
async fn documents_describe_these_errors() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/http-api.md");
    let text = std::fs::read_to_string(path).unwrap();
    let errors = section(&text, "Errors");
    let documented: BTreeSet<u16> = table_rows(errors)
        .iter()
        .flat_map(|row| row[0].split(", ").filter_map(|status| status.parse().ok()))
        .collect();
    for (_, status, code) in table() {
        assert!(documented.contains(&status), "{code}: the documents lack {status}");
    }
    let quoted: Value = serde_json::from_str(&blocks(errors, "json")[0]).unwrap();
    let folder = data_folder();
    let server = Server::start(folder.path(), &[]).await;
    let answer = server.send(server.request("GET", "/api/status")).await;
    assert_eq!((answer.status, answer.json()), (401, quoted));
}

/// The sender of a large body sees the error, not a broken connection.
#[tokio::test]
async fn large_body_is_read_before_it_is_rejected() {
    let folder = data_folder();
    let server = Server::start(folder.path(), &[]).await;
    for length in [1 << 20, 3 << 20, 12 << 20] {
        for _ in 0..5 {
            let body = json!({ "sql": "x".repeat(length) });
            let answer = server.post("/api/sql", READ_TOKEN, &body).await;
            assert_eq!((answer.status, answer.code().as_str()), (413, "too_large"), "{length}");
        }
    }
}
