//! Documents that Oura revises, deletes and restores.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ringside::time::{Clock, Instant};
use serde_json::{Value, json};

use crate::common::{at, day, executor, number, rows, sync};

/// Serves Oura's responses, which may change while it runs, and 404 for other collections.
async fn oura(answers: Arc<Mutex<BTreeMap<&'static str, Value>>>) -> url::Url {
    let route =
        axum::routing::get(move |axum::extract::Path(name): axum::extract::Path<String>| {
            let answer = answers.lock().unwrap().get(name.as_str()).cloned();
            let status = if answer.is_some() { 200 } else { 404 };
            let answer = answer.map_or(
                json!({ "detail": "Not Found" }),
                |data| json!({ "data": data, "next_token": null }),
            );
            async move { (axum::http::StatusCode::from_u16(status).unwrap(), axum::Json(answer)) }
        });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let router = axum::Router::new().route("/v2/usercollection/:name", route);
    tokio::spawn(async move { axum::serve(listener, router).await });
    origin
}

fn now() -> Instant {
    at("2026-06-15T09:00:00Z")
}

/// A night on 14 June with one heart rate every five minutes.
fn night(average_hrv: i64, rates: &[i64]) -> Value {
    json!({
        "id": "night", "day": "2026-06-14", "type": "long_sleep", "average_hrv": average_hrv,
        "bedtime_start": "2026-06-13T23:00:00+02:00", "bedtime_end": "2026-06-14T07:00:00+02:00",
        "heart_rate": {
            "interval": 300, "items": rates, "timestamp": "2026-06-13T23:00:00.000+02:00"
        },
    })
}

#[tokio::test]
async fn revised_deleted_and_restored_document_has_one_history() {
    let answers =
        Arc::new(Mutex::new(BTreeMap::from([("sleep", json!([night(40, &[50, 51, 52])]))])));
    let folder = tempfile::tempdir().unwrap();
    let origin = oura(answers.clone()).await;
    let executor = executor(
        folder.path(),
        &origin,
        "token",
        Clock::starting_at(now(), 0.0),
        Some(day("2026-06-01")),
    );
    let store = executor.store.clone();
    let raw = || {
        rows(
            &store,
            "SELECT revision, deleted_at IS NULL FROM oura_raw_documents WHERE resource = 'sleep'",
        )
    };
    let samples =
        || number(&store, "SELECT count(*) FROM samples WHERE series = 'sleep.heart_rate'");
    let answer = |documents: Value| answers.lock().unwrap().insert("sleep", documents);

    sync(&executor).await;
    assert_eq!(raw(), [[json!(1), json!(1)]]);
    assert_eq!(samples(), 3.0);

    // Another order of the keys is not a revision.
    let text = night(40, &[50, 51, 52]).to_string();
    let reversed: serde_json::Map<String, Value> = serde_json::from_str::<Value>(&text)
        .unwrap()
        .as_object()
        .unwrap()
        .clone()
        .into_iter()
        .rev()
        .collect();
    answer(json!([reversed]));
    sync(&executor).await;
    assert_eq!(raw(), [[json!(1), json!(1)]]);

    answer(json!([night(42, &[60, 61])]));
    sync(&executor).await;
    assert_eq!(raw(), [[json!(2), json!(1)]]);
    assert_eq!(rows(&store, "SELECT average_hrv FROM sleep"), [[json!(42)]]);
    assert_eq!(samples(), 2.0, "samples of the former revision are deleted");

    answer(json!([]));
    sync(&executor).await;
    assert_eq!(raw(), [[json!(2), json!(0)]], "the document is stored as deleted");
    assert_eq!(number(&store, "SELECT count(*) FROM sleep"), 0.0);
    assert_eq!(samples(), 0.0);
    assert_eq!(
        rows(&store, "SELECT documents, first_day FROM collections WHERE name = 'sleep'"),
        [[json!(0), Value::Null]]
    );
    assert_eq!(
        rows(
            &store,
            "SELECT documents FROM coverage WHERE collection = 'sleep' AND day = '2026-06-14'"
        ),
        [[json!(0)]]
    );

    // Restored unchanged: no revision. Restored with a change: one revision.
    answer(json!([night(42, &[60, 61])]));
    sync(&executor).await;
    assert_eq!(raw(), [[json!(2), json!(1)]]);
    assert_eq!((number(&store, "SELECT count(*) FROM sleep"), samples()), (1.0, 2.0));
    answer(json!([]));
    sync(&executor).await;
    answer(json!([night(45, &[70])]));
    sync(&executor).await;
    assert_eq!(raw(), [[json!(3), json!(1)]]);
    assert_eq!(rows(&store, "SELECT average_hrv FROM sleep"), [[json!(45)]]);
    assert_eq!(samples(), 1.0);
}

#[tokio::test]
async fn document_that_moves_to_another_day_stays_one_document() {
    let document = |day: &str| {
        let timestamp = format!("{day}T00:00:00+02:00");
        json!({ "id": "one", "day": day, "score": 80, "timestamp": timestamp })
    };
    let answers =
        Arc::new(Mutex::new(BTreeMap::from([("daily_sleep", json!([document("2026-06-12")]))])));
    let folder = tempfile::tempdir().unwrap();
    let origin = oura(answers.clone()).await;
    let executor = executor(
        folder.path(),
        &origin,
        "token",
        Clock::starting_at(now(), 0.0),
        Some(day("2026-06-01")),
    );
    sync(&executor).await;
    answers.lock().unwrap().insert("daily_sleep", json!([document("2026-06-13")]));
    sync(&executor).await;
    assert_eq!(
        rows(
            &executor.store,
            "SELECT day, revision FROM oura_raw_documents JOIN daily_sleep USING (document, day)"
        ),
        [[json!("2026-06-13"), json!(2)]]
    );
    let documents =
        "SELECT day, documents FROM coverage WHERE collection = 'daily_sleep' AND documents > 0";
    assert_eq!(rows(&executor.store, documents), [[json!("2026-06-13"), json!(1)]]);
}

#[tokio::test]
async fn incomplete_pages_delete_no_document() {
    // A window that fails after some pages must not delete the documents of the other pages.
    let world = super::world::World::connected().await;
    let before = world.select("SELECT count(*) FROM oura_raw_documents WHERE deleted_at IS NULL");
    for name in ["sleep", "daily_sleep", "workout", "tag"] {
        world.simulator.faults().add(ringside::simulator::Fault::on_collection(
            name,
            ringside::simulator::Misbehaviour::EndlessPages,
        ));
    }
    super::world::sync(&world.datasource).await;
    assert_eq!(world.failing().len(), 4);
    assert_eq!(
        world.select("SELECT count(*) FROM oura_raw_documents WHERE deleted_at IS NULL"),
        before
    );
    world.assert_whole();
}
