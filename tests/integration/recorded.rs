//! Recorded responses of a real account through the real client, executor and store. The recordings
//! are not part of the repository, so these tests are ignored by default. `go tool mage test` runs
//! them where the recordings are.

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::{at, day, executor, external_fixture, number, replay, report_skip, rows, sync};
use ringside::cli::dashboard::{DASHBOARDS, OVERVIEW, Target, targets, title};
use ringside::datasource::DataSourceKey;
use ringside::oura::Secret;
use ringside::plugin::host::{CallContext, Host, PanelQuery};
use ringside::store::RunEnd;
use ringside::time::Clock;
use serde_json::Value;

/// The recorded responses of the list routes, by collection.
fn recorded_responses() -> BTreeMap<String, Value> {
    let mut responses = BTreeMap::new();
    for file in std::fs::read_dir(external_fixture("recorded")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let recording: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        if recording["status"] == 200 && !name.starts_with("one_") {
            responses.insert(name, recording["body"].clone());
        }
    }
    responses
}

#[test]
fn skipped_test_is_reported_by_a_passing_run() {
    const INSIDE: &str = "RINGSIDE_TEST_THAT_SKIPS";
    if std::env::var_os(INSIDE).is_some() {
        return report_skip("on request");
    }
    let mut run = std::process::Command::new(std::env::current_exe().unwrap());
    run.args(["--exact", "recorded::skipped_test_is_reported_by_a_passing_run"]).env(INSIDE, "1");
    let output = run.output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("SKIPPED: on request"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the recordings in ../shared/oura"]
async fn every_recorded_document_is_stored_and_typed() {
    let responses = recorded_responses();
    let folder = tempfile::tempdir().unwrap();
    let origin = replay(responses.clone()).await;
    let clock = Clock::starting_at(at("2024-12-14T13:00:00Z"), 1.0);
    let executor = executor(folder.path(), &origin, "token", clock, Some(day("2024-06-01")));
    let (end, progress) = sync(&executor).await;
    assert_eq!(end, RunEnd::Done);
    assert!(progress.documents > 0);

    for (name, body) in &responses {
        let Some(documents) = body["data"].as_array() else { continue };
        let table = name.to_ascii_lowercase();
        if name == "heartrate" {
            let mut keys: Vec<(&Value, &Value)> =
                documents.iter().map(|row| (&row["timestamp"], &row["source"])).collect();
            keys.sort_by_key(|(time, source)| (time.to_string(), source.to_string()));
            keys.dedup();
            assert_eq!(
                number(&executor.store, "SELECT count(*) FROM heartrate") as usize,
                keys.len(),
                "{name}"
            );
            continue;
        }
        let stored = rows(
            &executor.store,
            &format!(
                "SELECT payload FROM oura_raw_documents
                 WHERE resource = '{name}' AND deleted_at IS NULL"
            ),
        );
        let stored: Vec<Value> = stored
            .iter()
            .map(|row| serde_json::from_str(row[0].as_str().unwrap()).unwrap())
            .collect();
        assert_eq!(stored.len(), documents.len(), "{name}");
        for document in documents {
            assert!(stored.contains(document), "{name} lost a document");
        }
        assert_eq!(
            number(&executor.store, &format!("SELECT count(*) FROM {table}")) as usize,
            documents.len(),
            "{name}"
        );
    }

    // Two collections were not recorded: only their states report the 404.
    let states = rows(
        &executor.store,
        "SELECT name, state FROM collections WHERE state <> 'ok' ORDER BY name",
    );
    assert_eq!(states, [["ring_battery_level", "not_available"], ["tag", "not_available"]]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the recordings in ../shared/oura"]
async fn real_account_has_one_main_sleep_a_night() {
    let responses = recorded_responses();
    let folder = tempfile::tempdir().unwrap();
    let nights = responses["sleep"]["data"].as_array().unwrap();
    let long = nights.iter().filter(|sleep| sleep["type"] == "long_sleep").count();
    let origin = replay(responses).await;
    let clock = Clock::starting_at(at("2024-12-14T13:00:00Z"), 1.0);
    let executor = executor(folder.path(), &origin, "token", clock, Some(day("2024-10-01")));
    sync(&executor).await;

    let store = &executor.store;
    assert_eq!(number(store, "SELECT count(*) FROM nights") as usize, long);
    assert_eq!(number(store, "SELECT count(*) - count(DISTINCT day) FROM nights"), 0.0);
    assert_eq!(number(store, "SELECT count(*) FROM sleep WHERE lowest_heart_rate = 255"), 0.0);
    assert!(
        number(
            store,
            "SELECT count(*) FROM oura_raw_documents
             WHERE payload LIKE '%\"lowest_heart_rate\":255%'"
        ) > 0.0
    );
    assert!(
        number(
            store,
            "SELECT max(deep_sleep_duration + light_sleep_duration + rem_sleep_duration
                        - total_sleep_duration) FROM nights"
        )
        .abs()
            < 1.0
    );
    assert!(number(store, "SELECT count(*) FROM samples WHERE series = 'sleep.hrv'") > 100.0);
    assert!(number(store, "SELECT count(*) FROM hypnogram WHERE stage = 'deep'") > 100.0);
    let stages = rows(store, "SELECT DISTINCT stage FROM hypnogram ORDER BY stage");
    assert_eq!(stages, [["awake"], ["deep"], ["light"], ["rem"]]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the recordings in ../shared/oura"]
async fn dashboards_work_with_a_real_account() {
    let responses = recorded_responses();
    let data_dir = tempfile::tempdir().unwrap();
    let origin = replay(responses).await;
    let clock = Clock::starting_at(at("2024-12-14T13:00:00Z"), 1.0);
    let folder = DataSourceKey::single().folder(data_dir.path());
    sync(&executor(&folder, &origin, "token", clock, Some(day("2024-10-01")))).await;

    let environment =
        [("GF_PLUGIN_DATA_DIR".to_owned(), data_dir.path().to_str().unwrap().to_owned())];
    let host = Host::launch(Path::new(env!("CARGO_BIN_EXE_gpx_oura")), &environment).await.unwrap();
    let datasource = CallContext {
        org: 1,
        uid: "oura".to_owned(),
        json_data: serde_json::json!({"timezone": "Europe/Vienna"}),
        client_secret: Secret::default(),
        login: "viewer".to_owned(),
        role: "Viewer".to_owned(),
    };
    for dashboard in DASHBOARDS {
        let page = title(dashboard).unwrap();
        let mut rows_of = BTreeMap::<String, usize>::new();
        for Target { panel, query } in targets(dashboard).unwrap() {
            let is_annotation = query["refId"] == panel.as_str();
            let query = PanelQuery {
                ref_id: "A".to_owned(),
                json: query,
                from_ms: at("2024-10-01T00:00:00Z").seconds() * 1000,
                to_ms: at("2024-12-15T00:00:00Z").seconds() * 1000,
                interval_ms: 3_600_000,
                max_data_points: 1000,
            };
            let queries = std::slice::from_ref(&query);
            let answer = host.query(&datasource, queries).await.unwrap().remove("A").unwrap();
            assert_eq!(answer.error, None, "{page}: {panel}");
            if !is_annotation {
                let rows: usize = answer.frames.iter().map(|frame| frame.rows()).sum();
                *rows_of.entry(panel).or_default() += rows;
            }
        }
        // The recordings lack some collections, but none of the overview's panels.
        let empty: Vec<_> = rows_of.iter().filter(|(_, rows)| **rows == 0).collect();
        assert!(empty.is_empty() || dashboard != OVERVIEW, "panels without rows: {empty:?}");
    }
    host.shutdown().await.unwrap();
}
