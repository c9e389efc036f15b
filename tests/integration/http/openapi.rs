//! The OpenAPI document against real responses: every route, with its schemas.

use std::collections::BTreeSet;

use ringside::simulator;
use ringside::time::Clock;
use serde_json::{Value, json};

use crate::common::serve::{ADMIN_TOKEN, Answer, READ_TOKEN, Server};
use crate::common::wait::must_finish;
use crate::common::world::World;

/// A server with its document, and the routes and errors that matched it.
struct Described {
    server: Server,
    document: Value,
    successes: BTreeSet<(String, String)>,
    errors: BTreeSet<u16>,
}

impl Described {
    async fn start(world: &World, folder: &std::path::Path) -> Described {
        let origin = world.simulator.origin();
        let variables = [
            ("GF_PLUGIN_OURA_URL", origin.as_str()),
            ("OURA_CLIENT_ID", world.settings.client_id.as_str()),
            ("OURA_CLIENT_SECRET", world.secret.reveal()),
        ];
        let server = Server::start_with(folder, &[], &variables).await;
        let document = server.send(server.request("GET", "/openapi.json")).await.json();
        Described { server, document, successes: BTreeSet::new(), errors: BTreeSet::new() }
    }

    /// Sends a request and checks its response. A body makes it a POST request.
    async fn ask(&mut self, accept: &str, path: &str, token: &str, body: Option<Value>) -> Answer {
        let method = if body.is_some() { "post" } else { "get" };
        let request = self.server.request(&method.to_uppercase(), path).bearer_auth(token);
        let request = request.header("Accept", accept);
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = self.server.send(request).await;
        self.check(method, path, &answer);
        answer
    }

    fn check(&mut self, method: &str, path: &str, answer: &Answer) {
        let place = format!("{method} {path}: {}", answer.status);
        let route = path.split('?').next().unwrap();
        let responses = &self.document["paths"][route][method]["responses"];
        let status = answer.status.to_string();
        let mut response = responses.get(&status).or(responses.get("default"));
        if let Some(reference) = response.and_then(|response| response["$ref"].as_str()) {
            response = self.document.pointer(reference.trim_start_matches('#'));
        }
        let response = response.unwrap_or_else(|| panic!("{place} is not in the document"));
        let form = answer.header("content-type").unwrap().split(';').next().unwrap();
        let content = response["content"].get(form);
        let content = content.unwrap_or_else(|| panic!("{place}: {form} is not in the document"));
        if form == "application/json" {
            let found = difference(&self.document, &content["schema"], &answer.json(), "");
            assert_eq!(found, None, "{place}: {}", answer.text());
        }
        if answer.status < 300 {
            self.successes.insert((route.to_owned(), method.to_owned()));
        } else {
            self.errors.insert(answer.status);
        }
    }
}

/// Returns the first difference between `value` and its schema. Fields that the schema lacks are a
/// difference, too. Panics at a keyword of JSON Schema that it does not know.
fn difference(document: &Value, schema: &Value, value: &Value, place: &str) -> Option<String> {
    for (keyword, rule) in schema.as_object().unwrap() {
        let found = match keyword.as_str() {
            // The rule for properties reads those that are required. Names are any text.
            "description" | "format" | "minimum" | "default" | "required" | "propertyNames" => {
                continue;
            }
            // Unknown fields are a difference without this rule.
            "additionalProperties" if rule.is_boolean() => continue,
            "additionalProperties" => {
                let mut fields = value.as_object().into_iter().flatten();
                fields.find_map(|(name, field)| {
                    difference(document, rule, field, &format!("{place}/{name}"))
                })
            }
            "$ref" => {
                let target = document.pointer(rule.as_str().unwrap().trim_start_matches('#'));
                difference(document, target.expect("a target"), value, place)
            }
            "type" => {
                let kinds = rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()]);
                let is_kind = kinds.iter().any(|kind| has_kind(value, kind.as_str().unwrap()));
                (!is_kind).then(|| format!("{place} is {value}, not {rule}"))
            }
            "enum" => {
                let is_known = rule.as_array().unwrap().contains(value);
                (!is_known).then(|| format!("{place} is {value}, none of {rule}"))
            }
            "oneOf" => {
                let matches = |rule| difference(document, rule, value, place).is_none();
                let count = rule.as_array().unwrap().iter().filter(|rule| matches(rule)).count();
                (count != 1).then(|| format!("{place} matches {count} of {rule}"))
            }
            "items" => {
                let items = value.as_array().into_iter().flatten().enumerate();
                let mut items = items.map(|(index, item)| (format!("{place}/{index}"), item));
                items.find_map(|(place, item)| difference(document, rule, item, &place))
            }
            "properties" => {
                let rules = rule.as_object().unwrap();
                let required = schema["required"].as_array().into_iter().flatten();
                let missing = required
                    .map(|name| name.as_str().unwrap())
                    .find(|name| value.get(name).is_none())
                    .map(|name| format!("{place} lacks {name}"));
                let fields = value.as_object().into_iter().flatten();
                let mut fields =
                    fields.map(|(name, field)| (format!("{place}/{name}"), name, field));
                missing.or_else(|| {
                    fields.find_map(|(place, name, field)| match rules.get(name) {
                        Some(rule) => difference(document, rule, field, &place),
                        None => Some(format!("{place} is not in the document")),
                    })
                })
            }
            other => panic!("{place}: the test does not know {other}"),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn has_kind(value: &Value, kind: &str) -> bool {
    match kind {
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("no kind {other}"),
    }
}

#[tokio::test]
async fn responses_of_every_route_match_the_document() {
    let world = World::new(5, Clock::system()).await;
    let folder = tempfile::tempdir().unwrap();
    let mut api = Described::start(&world, folder.path()).await;
    for path in ["/healthz", "/openapi.json", "/docs", "/oauth/start", "/oauth/callback"] {
        api.ask("*/*", path, "", None).await;
    }

    // The login, as the page does it.
    let redirect = json!({"redirectUri": "http://localhost:8787/oauth/callback"});
    let start = api.ask("*/*", "/oauth/start", ADMIN_TOKEN, Some(redirect)).await.json();
    let http = ringside::oura::http_client().unwrap();
    let address = start["authorizeUrl"].as_str().unwrap();
    let (code, state) = simulator::consent(&http, address).await.unwrap();
    let callback = json!({"code": code, "state": state});
    let connected = api.ask("*/*", "/oauth/callback", ADMIN_TOKEN, Some(callback)).await;
    assert_eq!(connected.json()["state"], "connected");
    let run = api.ask("*/*", "/sync", ADMIN_TOKEN, Some(json!({}))).await.json()["run"].clone();
    let statement = format!("SELECT state FROM sync_runs WHERE run = {run}");
    let sync = json!({"sql": statement, "rows": "objects"});
    must_finish("the sync", async {
        while api.ask("*/*", "/sql", READ_TOKEN, Some(sync.clone())).await.json()["results"][0]
            != json!({"state": "done"})
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
    api.ask("*/*", "/backfill?days=2&resources=sleep", ADMIN_TOKEN, Some(json!({}))).await;

    for path in ["/status", "/schema", "/coverage", "/metrics"] {
        api.ask("*/*", path, READ_TOKEN, None).await;
    }
    let query = json!({"sql": "SELECT day, time, sleep_score, ? AS a FROM days", "params": [1.5]});
    for accept in [
        "application/json",
        "application/x-ndjson",
        "text/csv",
        "application/vnd.apache.arrow.stream",
    ] {
        for parameters in ["", "?rows=objects&times=seconds"] {
            let path = format!("/sql{parameters}");
            let answer = api.ask(accept, &path, READ_TOKEN, Some(query.clone())).await;
            assert_eq!(answer.header("content-type").unwrap().split(';').next(), Some(accept));
        }
    }
    for format in ["sqlite", "csv&table=nights", "parquet&table=nights"] {
        api.ask("*/*", &format!("/export?format={format}"), ADMIN_TOKEN, None).await;
    }

    // An error of each kind.
    let select = |sql: &str| Some(json!({"sql": sql}));
    api.ask("*/*", "/sql", READ_TOKEN, select("SELECT")).await;
    api.ask("*/*", "/sql", "unknown", select("SELECT 1")).await;
    api.ask("*/*", "/sync", READ_TOKEN, select("SELECT 1")).await;
    api.ask("image/png", "/sql", READ_TOKEN, select("SELECT 1")).await;
    api.ask("*/*", "/sql", READ_TOKEN, select("SELECT json('{')")).await;
    api.ask("*/*", "/coverage?collection=none", READ_TOKEN, None).await;
    api.ask("*/*", "/data/delete", ADMIN_TOKEN, Some(json!({"confirm": "other"}))).await;
    api.ask("*/*", "/data/repair", ADMIN_TOKEN, Some(json!({}))).await;

    api.ask("*/*", "/oauth/disconnect", ADMIN_TOKEN, Some(json!({}))).await;
    api.ask("*/*", "/status", READ_TOKEN, None).await;
    api.ask("*/*", "/data/delete", ADMIN_TOKEN, Some(json!({"confirm": "oura"}))).await;

    let mut routes = BTreeSet::new();
    for (path, methods) in api.document["paths"].as_object().unwrap() {
        routes.extend(methods.as_object().unwrap().keys().map(|key| (path.clone(), key.clone())));
    }
    // Only a damaged database can be repaired.
    routes.remove(&("/data/repair".to_owned(), "post".to_owned()));
    assert_eq!(api.successes, routes);
    let errors: Vec<u16> = api.errors.into_iter().collect();
    assert_eq!(errors, [400, 401, 403, 404, 406, 409, 422]);
}

/// A value of another type for a field that the server does not know would be ignored.
#[tokio::test]
async fn server_reads_every_field_of_the_bodies_in_the_document() {
    let world = World::new(1, Clock::system()).await;
    let folder = tempfile::tempdir().unwrap();
    let api = Described::start(&world, folder.path()).await;
    let mut count = 0;
    for (path, methods) in api.document["paths"].as_object().unwrap() {
        let body = &methods["post"]["requestBody"]["content"]["application/json"]["schema"];
        let Some(reference) = body["$ref"].as_str() else { continue };
        let schema = api.document.pointer(reference.trim_start_matches('#')).unwrap();
        for field in schema["properties"].as_object().unwrap().keys() {
            let answer = api.server.post(path, ADMIN_TOKEN, &json!({field: 0.5})).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (400, "bad_body"),
                "{path} {field}"
            );
            let message = answer.text();
            let is_known = message.contains("invalid type") || message.contains("expected value");
            assert!(is_known, "{path} {field}: {message}");
            count += 1;
        }
    }
    assert!(count >= 15, "only {count} fields");
}

#[test]
fn check_of_the_test_finds_differences() {
    let document = json!({"schema": {
        "type": "object",
        "properties": {"a": {"type": ["integer", "null"]}, "b": {"enum": ["x"], "type": "string"}},
        "required": ["a"],
    }});
    let schema = json!({"type": "array", "items": {"$ref": "#/schema"}});
    let check = |value: Value| difference(&document, &schema, &json!([value]), "");
    for right in [json!({"a": 1}), json!({"a": null, "b": "x"})] {
        assert_eq!(check(right), None);
    }
    for (wrong, message) in [
        (json!({"b": "x"}), "/0 lacks a"),
        (json!({"a": 1.5}), "/0/a is 1.5"),
        (json!({"a": 1, "b": "y"}), "/0/b is \"y\""),
        (json!({"a": 1, "c": 1}), "/0/c is not in the document"),
        (json!(1), "/0 is 1"),
    ] {
        let found = check(wrong.clone());
        assert!(
            found.clone().is_some_and(|found| found.starts_with(message)),
            "{wrong}: {found:?}"
        );
    }
}
