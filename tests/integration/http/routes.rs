//! The routes of `serve` outside of the API: pages, health, metrics, and its description.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::common::database;
use crate::common::serve::{ADMIN_TOKEN, READ_TOKEN, Server, data_folder};

#[tokio::test]
async fn routes_work_below_the_root_and_below_api() {
    let folder = data_folder();
    let server = Server::start(folder.path(), &[]).await;
    for prefix in ["", "/api"] {
        for path in ["/status", "/coverage?collection=sleep", "/schema", "/metrics"] {
            let answer = server.get(&format!("{prefix}{path}"), READ_TOKEN).await;
            assert_eq!(answer.status, 200, "{prefix}{path}: {}", answer.text());
        }
        // Without a login, both reach the data source and fail there.
        let backfill = format!("{prefix}/backfill?days=3&offset_days=1&resources=sleep");
        let answer = server.post(&backfill, ADMIN_TOKEN, &json!({})).await;
        assert_eq!((answer.status, answer.code().as_str()), (409, "not_connected"));
        let answer = server.post(&format!("{prefix}/oauth/start"), ADMIN_TOKEN, &json!({})).await;
        assert_eq!(answer.code(), "bad_body");
        assert_eq!(server.get(&format!("{prefix}/nothing"), READ_TOKEN).await.status, 404);
    }
    let metrics = server.get("/metrics", READ_TOKEN).await;
    assert!(metrics.text().contains("\nringside_up 1\n"), "{}", metrics.text());
    assert_eq!(server.send(server.request("GET", "/metrics")).await.status, 401);
    assert_eq!(server.send(server.request("GET", "/healthz")).await.status, 200);
}

#[tokio::test]
async fn pages_need_no_token_and_run_only_their_own_script() {
    let folder = data_folder();
    let server = Server::start(folder.path(), &[]).await;
    for path in ["/oauth/start", "/oauth/callback?code=c&state=s", "/docs"] {
        let answer = server.send(server.request("GET", path)).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("text/html; charset=utf-8"))
        );
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("script-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    }
}

/// Answers of routes, of pages, of the gate and of the layer for other sites, in every form.
#[tokio::test]
async fn every_answer_forbids_caching_and_guessing() {
    let folder = data_folder();
    let site = "https://notes.example.com";
    let server = Server::start(folder.path(), &["--allow-origin", site]).await;
    let one = json!({"sql": "SELECT 1"});
    let read = |method: &str, path: &str| server.request(method, path).bearer_auth(READ_TOKEN);
    let ask = |accept: &str| read("POST", "/api/sql").header("Accept", accept).json(&one);
    let preflight = |origin: &str| {
        server
            .request("OPTIONS", "/api/sql")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
    };
    let requests = [
        (server.request("GET", "/healthz"), 200),
        (server.request("GET", "/docs"), 200),
        (server.request("GET", "/openapi.json"), 200),
        (server.request("GET", "/oauth/callback?code=c&state=s"), 200),
        (read("GET", "/metrics"), 200),
        (read("GET", "/api/status"), 200),
        (read("HEAD", "/api/status"), 200),
        (read("GET", "/api/coverage"), 200),
        (ask("application/json"), 200),
        (ask("text/csv"), 200),
        (ask("application/x-ndjson"), 200),
        (ask("application/vnd.apache.arrow.stream"), 200),
        (server.request("GET", "/api/export").bearer_auth(ADMIN_TOKEN), 200),
        (preflight(site), 200),
        (preflight("https://evil.example.com"), 200),
        (server.request("GET", "/api/status"), 401),
        (read("GET", "/api/export"), 403),
        (read("GET", "/nothing"), 404),
        (read("GET", "/api/sql"), 405),
        (ask("image/png"), 406),
        (read("POST", "/api/sql").json(&json!({"sql": "x".repeat(1 << 20)})), 413),
        (read("POST", "/api/sql").body("SELECT 1"), 415),
    ];
    for (number, (request, status)) in requests.into_iter().enumerate() {
        let answer = server.send(request).await;
        let context = format!("request {number}: {}", answer.text());
        assert_eq!(answer.status, status, "{context}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{context}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{context}");
    }
}

/// The document has the routes of the router, each in both directions.
#[tokio::test]
async fn openapi_document_has_every_route() {
    let routes = |file: &str| {
        let code =
            std::fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        code.lines()
            .filter_map(|line| {
                let (path, handler) = line.trim().strip_prefix(".route(\"")?.split_once("\", ")?;
                Some((path.to_owned(), handler.split('(').next()?.to_owned()))
            })
            .collect::<BTreeSet<_>>()
    };
    let mut expected = routes("src/api/mod.rs");
    expected.extend(routes("src/cli/serve.rs").into_iter().filter(|(path, _)| path != "/caller"));
    let folder = data_folder();
    let server = Server::start(folder.path(), &[]).await;
    let document = server.send(server.request("GET", "/openapi.json")).await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut found = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, route) in methods.as_object().unwrap() {
            assert!(route["summary"].is_string() && route["responses"].is_object(), "{path}");
            found.insert((path.clone(), method.clone()));
        }
    }
    assert_eq!(found, expected);
    // Routes without a token in the document need none, and the others one.
    for (path, method) in &found {
        let is_open = document["paths"][path][method]["security"] == Value::Array(Vec::new());
        let request = server.request(&method.to_uppercase(), path);
        let status = server.send(request).await.status;
        assert_eq!(status != 401, is_open, "{method} {path}: {status}");
    }
}

/// The document has the parameters of the code, and their values. The error for an unknown one lists
/// those that are known.
#[tokio::test]
async fn openapi_document_has_every_parameter() {
    let folder = data_folder();
    let server = Server::start(folder.path(), &[]).await;
    let known = async |method: &str, path: &str, parameter: &str| -> BTreeSet<String> {
        let path = format!("/api{path}?{parameter}");
        let request = server.request(&method.to_uppercase(), &path).bearer_auth(ADMIN_TOKEN);
        let request = if method == "post" { request.json(&json!({})) } else { request };
        let answer = server.send(request).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_parameters"), "{path}");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        message.split('`').skip(3).step_by(2).map(str::to_owned).collect()
    };
    let document = server.send(server.request("GET", "/openapi.json")).await.json();
    let mut count = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, route) in methods.as_object().unwrap() {
            let Some(parameters) = route["parameters"].as_array() else { continue };
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let names = parameters.iter().map(|parameter| text(&parameter["name"])).collect();
            assert_eq!(known(method, path, "unknown=1").await, names, "{method} {path}");
            for parameter in parameters {
                let Some(values) = parameter["schema"]["enum"].as_array() else { continue };
                let name = text(&parameter["name"]);
                let values: BTreeSet<String> = values.iter().map(text).collect();
                assert_eq!(known(method, path, &format!("{name}=unknown")).await, values, "{name}");
                count += 1;
            }
        }
    }
    assert!(count >= 3, "only {count} parameters with values");
}

/// As after an upgrade, until the tables are rebuilt.
#[tokio::test]
async fn schema_leaves_out_a_missing_view() {
    let folder = data_folder();
    let server = Server::start(folder.path(), &[]).await;
    let tables = async || {
        let answer = server.get("/api/schema", READ_TOKEN).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let json = answer.json();
        let tables = json["tables"].as_array().unwrap();
        tables.iter().map(|table| table["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let before = tables().await;
    let writer = rusqlite::Connection::open(database(folder.path())).unwrap();
    writer.execute_batch("DROP VIEW signs").unwrap();
    let after = tables().await;
    assert!(before.contains(&"signs".to_owned()));
    assert_eq!(before.into_iter().filter(|name| name != "signs").collect::<Vec<_>>(), after);
}
