//! An Oura, or a proxy in its place, that sends as much as it can: `serve` syncs from it.

use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ringside::datasource::DataSources;
use ringside::time::{Clock, Tz};
use serde_json::{Value, json};

use super::targets::{is_full, memory, peak_memory, reset_peak};
use crate::common::serve::{ADMIN_TOKEN, READ_TOKEN, Server};
use crate::common::world::World;
use crate::common::{database, select};

/// The size of a hostile body in bytes. The longest page of a real account has some megabytes.
fn body_length() -> usize {
    if is_full() { 60 << 20 } else { 16 << 20 }
}

/// The bound of the memory for four bodies at once, in bytes: windows are fetched four at a time.
fn max_memory() -> u64 {
    24 * body_length() as u64
}

/// The bound of every time, which a busy machine keeps.
const MAX_TIME: Duration = Duration::from_secs(10);

/// `{"data": […]}` with one long document, most of it from `filler`.
fn document(filler: &str) -> String {
    let content = filler.repeat(body_length() / filler.len());
    let today = Clock::system().now().day(Tz::UTC);
    format!(r#"{{"data":[{{"id":"big","day":"{today}","x":[{content}0]}}],"next_token":null}}"#)
}

/// The hostile body of a collection.
fn hostile_body(collection: &str) -> Option<String> {
    match collection {
        // One long text, which was read again and again at every start.
        "sleep" => Some(document(r#""aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","#)),
        // Structures, which take a hundred times their text when they are parsed.
        "daily_sleep" => Some(document(r#"{"":0},"#)),
        // Nesting, beyond every stack.
        "workout" => Some(document("[")),
        // Millions of documents.
        "session" => Some(format!(r#"{{"data":[{}{{}}]}}"#, "{},".repeat(body_length() / 3))),
        // Rows with long unknown fields.
        "heartrate" => {
            let row = format!(
                r#"{{"timestamp":"2026-11-24T00:00:00+00:00","bpm":1,"x":"{}"}},"#,
                "y".repeat(100_000)
            );
            Some(format!(r#"{{"data":[{}{{}}]}}"#, row.repeat(body_length() / row.len())))
        }
        // A token that fills the body.
        "daily_stress" => {
            Some(format!(r#"{{"data":[],"next_token":"{}"}}"#, "t".repeat(body_length())))
        }
        _ => None,
    }
}

/// Serves the simulator's responses, apart from hostile ones.
async fn hostile_oura(simulator: url::Url) -> String {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let router = axum::Router::new().fallback(move |request: Request| {
        let (http, simulator) = (http.clone(), simulator.clone());
        async move { respond(&http, &simulator, request).await }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    origin
}

async fn respond(http: &reqwest::Client, simulator: &url::Url, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let collection = head.uri.path().strip_prefix("/v2/usercollection/").unwrap_or_default();
    if let Some(body) = hostile_body(collection) {
        return ([("content-type", "application/json")], body).into_response();
    }
    let url = simulator.join(head.uri.path_and_query().unwrap().as_str()).unwrap();
    let mut forwarded = http.request(head.method, url);
    for name in ["authorization", "content-type"] {
        if let Some(value) = head.headers.get(name) {
            forwarded = forwarded.header(name, value.as_bytes());
        }
    }
    let body = to_bytes(body, 1 << 20).await.unwrap();
    match forwarded.body(body).send().await {
        Ok(response) => {
            let status = StatusCode::from_u16(response.status().as_u16()).unwrap();
            (status, Body::from(response.bytes().await.unwrap_or_default())).into_response()
        }
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

async fn status(server: &Server) -> Value {
    server.get("/api/status", READ_TOKEN).await.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_oura_fills_neither_memory_nor_time() {
    let world = World::new(3, Clock::system()).await;
    let folder = tempfile::tempdir().unwrap();
    let datasources = DataSources::open(world.environment(folder.path())).unwrap();
    drop(world.connected(&datasources).await);
    datasources.shutdown().await;
    // Another process may use the folder now.
    drop(datasources);
    let known = "SELECT resource, count(*) FROM oura_raw_documents GROUP BY 1 ORDER BY 1";
    let before = select(&database(folder.path()), known);

    let origin = hostile_oura(world.simulator.origin()).await;
    let variables = [("GF_PLUGIN_OURA_URL", origin.as_str())];
    let server = Server::start_with(folder.path(), &[], &variables).await;
    let last_run = status(&server).await["sync"]["run"].as_i64();
    let idle = memory(server.pid());
    reset_peak(server.pid());
    let started = server.post("/api/backfill?days=2", ADMIN_TOKEN, &json!({})).await;
    assert!(started.status < 300, "{}", started.text());
    let mut slowest = Duration::ZERO;
    let mut ended: Value;
    loop {
        let asked = Instant::now();
        ended = status(&server).await;
        slowest = slowest.max(asked.elapsed());
        if ended["sync"]["running"] == false && ended["sync"]["run"].as_i64() > last_run {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let peak = peak_memory(server.pid()).saturating_sub(idle);
    println!("M3: {} MB, others {} ms", peak >> 20, slowest.as_millis());
    assert!(peak <= max_memory(), "{} MB", peak >> 20);
    assert!(slowest <= MAX_TIME, "{slowest:?}");
    // All stored data stay, and the long document is a stub.
    let after = select(&database(folder.path()), known);
    for row in &before {
        let kept = after.iter().find(|other| other[0] == row[0]).unwrap();
        assert!(kept[1].as_i64() >= row[1].as_i64(), "{row:?} {kept:?}");
    }
    // Long texts and ids do not break the queries that touch their columns.
    for table in ["sleep", "daily_sleep", "workout", "session", "heartrate", "daily_stress"] {
        let query = json!({ "rawSql": format!("SELECT * FROM {table}") });
        let answer = server.post("/api/sql", READ_TOKEN, &query).await;
        assert_eq!(answer.status, 200, "{table}: {}", answer.text());
    }
    let stubs = "SELECT count(*) FROM oura_raw_documents
                 WHERE fault = 'too_long' AND length(payload) < 1000";
    assert!(select(&database(folder.path()), stubs)[0][0].as_i64() >= Some(1), "{ended}");
}
