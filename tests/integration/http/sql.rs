//! `POST sql` in every form of rows and times, and with malformed input.

use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, TimestampNanosecondType};
use arrow::ipc::reader::StreamReader;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::common::serve::{READ_TOKEN, Server, data_folder};

const NIGHTS: &str = "SELECT time, day, average_hrv, total_sleep_duration FROM nights ORDER BY day";

#[tokio::test]
async fn accept_selects_the_form_of_the_same_rows() {
    let folder = data_folder();
    let server = Server::start(folder.path(), &[]).await;
    let post = async |accept: &str, body: Value| {
        let request = server.request("POST", "/api/sql").bearer_auth(READ_TOKEN);
        let answer = server.send(request.header("Accept", accept).json(&body)).await;
        assert_eq!(answer.status, 200, "{accept}: {}", answer.text());
        assert_eq!(answer.header("x-ringside-truncated"), Some("false"));
        answer
    };

    let arrays = post("*/*", json!({"sql": NIGHTS})).await.json();
    let rows = arrays["rows"].as_array().unwrap();
    assert!(rows.len() >= 3, "{arrays}");
    assert_eq!(arrays["columns"][0], json!({"name": "time", "type": "time", "unit": null}));
    assert_eq!((&arrays["truncated"], arrays["elapsedMs"].is_number()), (&json!(false), true));

    let objects = post("application/json", json!({"sql": NIGHTS, "rows": "objects"})).await.json();
    assert_eq!(objects["rows"], Value::Null);
    let results = objects["results"].as_array().unwrap();
    let values = |object: &Value| object.as_object().unwrap().values().cloned().collect();
    assert_eq!(&results.iter().map(values).collect::<Vec<Value>>(), rows);
    assert!(results[0]["average_hrv"].is_number(), "{objects}");

    let lines = post("application/x-ndjson", json!({"sql": NIGHTS})).await;
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    let read: Vec<Value> =
        lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(&read, results);

    let csv = post("text/csv", json!({"sql": NIGHTS})).await.text();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(reader.headers().unwrap().len(), 4);
    for (record, result) in reader.records().map(Result::unwrap).zip(results) {
        assert_eq!(record[0], *result["time"].as_str().unwrap());
        assert_eq!(record[3], result["total_sleep_duration"].to_string());
    }
    assert_eq!(csv.lines().count(), rows.len() + 1);

    let arrow = post("application/vnd.apache.arrow.stream", json!({"sql": NIGHTS})).await;
    let reader = StreamReader::try_new(arrow.body.as_slice(), None).unwrap();
    assert_eq!(reader.schema().field(2).metadata()["unit"], "ms");
    let batches: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), rows.len());
    let sleep = batches[0].column(3).as_primitive::<Int64Type>();
    assert_eq!(json!(sleep.value(0)), results[0]["total_sleep_duration"]);
    let _times = batches[0].column(0).as_primitive::<TimestampNanosecondType>();
}

#[tokio::test]
async fn times_come_as_iso_text_seconds_or_milliseconds() {
    let folder = data_folder();
    let server = Server::start(folder.path(), &[]).await;
    let sql = "SELECT 1700000000 AS time, 1700000000250 AS timeEnd";
    for (parameters, expected) in [
        ("", json!(["2023-11-14T22:13:20Z", "2023-11-14T22:13:20.250Z"])),
        ("?times=seconds", json!([1_700_000_000, 1_700_000_000.25])),
        ("?times=milliseconds&rows=arrays", json!([1_700_000_000_000_i64, 1_700_000_000_250_i64])),
    ] {
        let path = format!("/api/sql{parameters}");
        let answer = server.post(&path, READ_TOKEN, &json!({ "sql": sql })).await.json();
        assert_eq!(answer["rows"][0], expected, "{parameters}");
    }
    // The form of a worker that this product replaces: Infinity reads it by name.
    let path = "/api/sql?rows=objects&times=milliseconds";
    let answer = server.post(path, READ_TOKEN, &json!({ "sql": sql })).await.json();
    let expected = json!([{"time": 1_700_000_000_000_i64, "timeEnd": 1_700_000_000_250_i64}]);
    assert_eq!(answer["results"], expected);
    // The body takes precedence.
    let body = json!({"sql": sql, "times": "seconds"});
    let answer = server.post(path, READ_TOKEN, &body).await.json();
    assert_eq!(answer["results"][0]["time"], 1_700_000_000);
}

#[tokio::test]
async fn special_values_survive_every_form() {
    let folder = data_folder();
    let server = Server::start(folder.path(), &[]).await;
    let body = json!({
        "sql": "SELECT ?1 AS text, NULL AS missing, 9007199254740993 AS big, 0.1 AS fraction",
        "params": ["comma, \"quote\"\nline ☺"],
    });
    let post = async |accept: &str| {
        let request = server.request("POST", "/api/sql").bearer_auth(READ_TOKEN);
        server.send(request.header("Accept", accept).json(&body)).await.text()
    };
    let lines = post("application/x-ndjson").await;
    let expected = "{\"text\":\"comma, \\\"quote\\\"\\nline ☺\",\"missing\":null,\
                    \"big\":9007199254740993,\"fraction\":0.1}\n";
    assert_eq!(lines, expected);
    let csv = post("text/csv").await;
    assert_eq!(
        csv,
        "text,missing,big,fraction\n\"comma, \"\"quote\"\"\nline ☺\",,9007199254740993,0.1\n"
    );
}

/// The requests of Grafana's Infinity data source with its backend parser (version 3), and its way
/// of reading: the root selector `results`, then the fields of each object by name.
#[tokio::test]
async fn infinity_reads_rows_by_name() {
    let folder = data_folder();
    let server = Server::start(folder.path(), &[]).await;
    let sql = "SELECT time, average_hrv, day FROM nights WHERE $__timeFilter(time) ORDER BY time";
    // Grafana replaces ${__from} and ${__to} in the body.
    let body = format!("{{\"sql\": \"{sql}\", \"from\": 0, \"to\": 4102444800000}}\n");
    let ask = async |accept: &str| {
        let request = server
            .request("POST", "/api/sql?rows=objects")
            .header("Authorization", format!("Bearer {READ_TOKEN}"))
            .header("User-Agent", "Grafana/12.4.0")
            .header("Content-Type", "application/json")
            .header("Accept", accept)
            .body(body.clone());
        server.send(request).await
    };
    let json = ask("application/json;q=0.9,text/plain").await;
    assert_eq!((json.status, json.header("content-type")), (200, Some("application/json")));
    let json = json.json();
    let results = json["results"].as_array().unwrap();
    assert!(results.len() >= 3, "{json}");
    for row in results {
        let fields: Vec<&String> = row.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["time", "average_hrv", "day"]);
        assert!(row["average_hrv"].is_number());
        let time: ringside::time::Stamp =
            ringside::time::Stamp::parse(row["time"].as_str().unwrap(), ringside::time::Tz::UTC)
                .unwrap();
        assert!(time.at.seconds() > 1_700_000_000);
    }
    let csv = ask("text/csv; charset=utf-8").await;
    assert_eq!(csv.text().lines().count(), results.len() + 1);
    assert!(csv.text().starts_with("time,average_hrv,day\n"));
    // Its type XML has no form here.
    assert_eq!(ask("text/xml;q=0.9,text/plain").await.code(), "not_acceptable");
}

/// A statement with `count` heart rates. All columns have a declared type.
fn heart_rates(count: usize) -> Value {
    let sql = format!(
        "SELECT rate.time, rate.bpm, rate.source FROM heartrate rate JOIN heartrate LIMIT {count}"
    );
    json!({ "sql": sql })
}

/// Rows are sent while they are read: the memory does not grow with their number.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn memory_of_every_form_is_flat_in_the_number_of_rows() {
    let folder = data_folder();
    for accept in FORMS {
        // A server of its own: its memory has a peak only once.
        let server = Server::start(folder.path(), &[]).await;
        let mut peaks = Vec::new();
        let mut sizes = Vec::new();
        for rows in [100_000, 800_000] {
            let request = server.request("POST", "/api/sql").bearer_auth(READ_TOKEN);
            let request = request.header("Accept", accept).json(&heart_rates(rows));
            let mut response = request.send().await.unwrap();
            let mut size = 0;
            while let Some(chunk) = response.chunk().await.unwrap() {
                size += chunk.len();
            }
            sizes.push(size);
            peaks.push(server.peak_memory());
        }
        println!("{accept}: peaks {peaks:?}, sizes {sizes:?}");
        assert!(sizes[1] > sizes[0] * 15 / 2, "{accept}: {sizes:?}");
        assert!(peaks[1] - peaks[0] < 12 << 20, "{accept}: {peaks:?}");
    }
}

/// The media types of the four forms.
const FORMS: [&str; 4] =
    ["application/json", "application/x-ndjson", "text/csv", "application/vnd.apache.arrow.stream"];

#[tokio::test]
async fn limits_are_those_of_json_and_of_types_that_the_values_decide() {
    let folder = data_folder();
    let limit = [("GF_PLUGIN_QUERY_MAX_ROWS", "20000")];
    let server = Server::start_with(folder.path(), &[], &limit).await;
    let ask = async |accept: &str, body: &Value| {
        let request = server.request("POST", "/api/sql").bearer_auth(READ_TOKEN);
        server.send(request.header("Accept", accept).json(body)).await
    };
    let arrow_rows = |body: &[u8]| {
        let batches = StreamReader::try_new(body, None).unwrap();
        batches.map(|batch| batch.unwrap().num_rows()).sum::<usize>()
    };

    // The rows of tables: JSON reports after them that they are cut off.
    let stored = heart_rates(50_000);
    let json = ask("application/json", &stored).await;
    assert_eq!(json.header("x-ringside-truncated"), None);
    let json = json.json();
    assert_eq!(
        (json["rows"].as_array().unwrap().len(), &json["truncated"]),
        (20_000, &json!(true))
    );
    let notice = "The first 20,000 of 50,000 rows are shown. Narrow the time range or aggregate.";
    assert_eq!(json["notices"], json!([notice]));
    assert_eq!(json["columns"][1], json!({"name": "bpm", "type": "integer", "unit": "suffix:bpm"}));
    let arrow = ask("application/vnd.apache.arrow.stream", &stored).await;
    assert_eq!(arrow.header("x-ringside-truncated"), Some("false"));
    assert_eq!(arrow_rows(&arrow.body), 50_000);

    // An expression with a text in a late row: all values are texts.
    let decided = json!({"sql": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 50000)
        SELECT iif(i < 19000, i, 'many') AS v FROM n"});
    let json = ask("application/json", &decided).await;
    assert_eq!(json.header("x-ringside-truncated"), Some("true"));
    let json = json.json();
    assert_eq!((&json["columns"][0]["type"], &json["rows"][0]), (&json!("string"), &json!(["1"])));
    assert_eq!(
        (json["rows"].as_array().unwrap().len(), &json["truncated"]),
        (20_000, &json!(true))
    );
    assert_eq!(json["notices"], json!([notice]));
    let arrow = ask("application/vnd.apache.arrow.stream", &decided).await;
    assert_eq!(arrow.header("x-ringside-truncated"), Some("true"));
    assert_eq!(arrow_rows(&arrow.body), 20_000);
    let csv = ask("text/csv", &decided).await;
    assert_eq!(
        (csv.header("x-ringside-truncated"), csv.text().lines().count()),
        (Some("false"), 50_001)
    );
}

/// Each statement has its rows at first and then runs on without any, in one of three slow slots.
#[tokio::test]
async fn client_that_goes_away_stops_its_query_between_two_batches() {
    let folder = data_folder();
    let limit = [("GF_PLUGIN_QUERY_TIMEOUT", "300s")];
    let server = Server::start_with(folder.path(), &[], &limit).await;
    let endless = json!({"sql": "SELECT bpm
        FROM (SELECT one.bpm, row_number() OVER () AS i
              FROM heartrate one JOIN heartrate LIMIT 40000)
        WHERE i < 34000 OR (SELECT count(*) FROM heartrate one, heartrate two, heartrate three
                            WHERE one.bpm + two.bpm + three.bpm > i) > 0"});
    // The pieces of 64 KiB that are sent of two batches. Then the server has nothing to send.
    for (accept, pieces) in
        [("application/json", 2), ("application/vnd.apache.arrow.stream", 3), ("text/csv", 1)]
    {
        let request = server.request("POST", "/api/sql").bearer_auth(READ_TOKEN);
        let request = request.header("Accept", accept).json(&endless);
        let mut response = request.send().await.unwrap();
        let mut missing = pieces * (64 << 10);
        while missing > 0 {
            missing -= response.chunk().await.unwrap().unwrap().len().min(missing);
        }
    }
    // Else the slots would be free at the time limit.
    let body = heart_rates(20_000);
    let answer =
        timeout(Duration::from_secs(120), server.post("/api/sql", READ_TOKEN, &body)).await;
    assert_eq!(answer.unwrap().status, 200);
}

#[tokio::test]
async fn failure_after_the_first_rows_breaks_the_transfer() {
    let folder = data_folder();
    let server = Server::start(folder.path(), &[]).await;
    // The condition fails in a late row, and the column has a declared type.
    let sql = "WITH n AS (SELECT row_number() OVER () AS i, bpm FROM (
                   SELECT rate.bpm FROM heartrate rate JOIN heartrate LIMIT 90000))
               SELECT bpm FROM n WHERE iif(i < 80000, '[]', '{') -> '$' IS NOT NULL";
    for accept in FORMS {
        let request = server.request("POST", "/api/sql").bearer_auth(READ_TOKEN);
        let request = request.header("Accept", accept).json(&json!({ "sql": sql }));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.bytes().await.is_err(), "{accept}: the response looks complete");
    }
    // Before the first row, the failure has a status.
    let body = json!({"sql": "SELECT json('{')"});
    let request = server.request("POST", "/api/sql").bearer_auth(READ_TOKEN);
    let answer = server.send(request.header("Accept", "text/csv").json(&body)).await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "failed"));
}

#[tokio::test]
async fn malformed_requests_have_a_status_a_code_and_a_hint() {
    let folder = data_folder();
    let server = Server::start(folder.path(), &[]).await;
    let one = json!({"sql": "SELECT 1"});
    for (path, accept, body, status, code) in [
        ("/api/sql", "image/png", one.clone(), 406, "not_acceptable"),
        ("/api/sql", "text/csv;q=x", one.clone(), 406, "not_acceptable"),
        ("/api/sql?rows=columns", "*/*", one.clone(), 400, "bad_parameters"),
        ("/api/sql?times=years", "*/*", one.clone(), 400, "bad_parameters"),
        ("/api/sql", "*/*", json!({"sql": "SELECT 1", "rows": 3}), 400, "bad_body"),
        ("/api/sql", "*/*", json!({"sql": "SELECT 1", "params": [[1]]}), 400, "bad_body"),
        ("/api/sql", "*/*", json!({"sql": "SELECT ?1"}), 400, "parameters"),
        ("/api/sql", "*/*", json!({}), 400, "empty_query"),
        (
            "/api/sql?rows=objects",
            "*/*",
            json!({"sql": "SELECT 1 AS a, 2 AS a"}),
            400,
            "duplicate_column",
        ),
        (
            "/api/sql",
            "application/x-ndjson",
            json!({"sql": "SELECT 1 AS a, 2 AS a"}),
            400,
            "duplicate_column",
        ),
        ("/api/sqll", "*/*", one, 404, "not_found"),
    ] {
        let request = server.request("POST", path).bearer_auth(READ_TOKEN);
        let answer = server.send(request.header("Accept", accept).json(&body)).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path} {body}");
    }
    // Other requests go on.
    let answer = server.post("/api/sql", READ_TOKEN, &json!({"sql": "SELECT 1"})).await;
    assert_eq!(answer.status, 200);
}
