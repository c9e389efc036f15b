//! The write side: windows in, tables and views out.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{
    CollectionState, GapReason, QueuedWindow, ROLLUPS, Refused, Rollup, Store, StoreError, Window,
    WindowReason, WriteStats, find_damage,
};
use crate::catalog::{Catalog, MAX_DOCUMENT_BYTES};
use crate::time::{Day, Instant, Tz};

mod views;

fn open(folder: &Path, zone: Tz) -> Store {
    Store::open(&folder.join("oura.db"), Arc::new(Catalog::bundled()), zone).unwrap()
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn now() -> Instant {
    day("2026-11-24").midnight(Tz::UTC).plus(12 * 3600)
}

/// A window of a single day.
fn window(collection: &str, on: &str, reason: WindowReason) -> Window {
    Window { collection: collection.to_owned(), from: day(on), to: day(on), reason }
}

/// Queues a window and stores `documents` as its response.
fn put(store: &Store, collection: &str, from: &str, to: &str, documents: &[Value]) -> WriteStats {
    let window = Window {
        collection: collection.to_owned(),
        from: day(from),
        to: day(to),
        reason: WindowReason::History,
    };
    store.writer().enqueue(std::slice::from_ref(&window), now()).unwrap();
    let queued: QueuedWindow = store
        .writer()
        .waiting()
        .unwrap()
        .into_iter()
        .find(|queued| queued.window == window)
        .unwrap();
    let documents: Vec<Box<[u8]>> =
        documents.iter().map(|document| document.to_string().into_bytes().into()).collect();
    store
        .writer()
        .put_window(&queued, &documents, now(), |arrivals| arrivals.today.plus(-7))
        .unwrap()
}

fn text(store: &Store, sql: &str) -> String {
    store
        .inspector()
        .lock()
        .query_row(sql, [], |row| row.get::<_, rusqlite::types::Value>(0))
        .map_or_else(
            |error| error.to_string(),
            |value| match value {
                rusqlite::types::Value::Null => "null".to_owned(),
                rusqlite::types::Value::Integer(value) => value.to_string(),
                rusqlite::types::Value::Real(value) => value.to_string(),
                rusqlite::types::Value::Text(value) => value,
                rusqlite::types::Value::Blob(_) => "blob".to_owned(),
            },
        )
}

fn readiness(id: &str, day: &str, score: i64) -> Value {
    json!({"id": id, "day": day, "score": score, "timestamp": format!("{day}T00:00:00+00:00"),
           "contributors": {"hrv_balance": 80, "body_temperature": 0},
           "temperature_deviation": -0.1})
}

fn night(id: &str, day: &str, start: &str, hrv: &[Option<f64>]) -> Value {
    json!({"id": id, "day": day, "bedtime_start": start, "bedtime_end": start, "type": "long_sleep",
           "time_in_bed": 3600, "total_sleep_duration": 3000, "lowest_heart_rate": 255, "period": 0,
           "low_battery_alert": false,
           "hrv": {"interval": 300.0, "items": hrv, "timestamp": start}})
}

#[test]
fn writes_are_counted_as_changes_and_reads_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    let before = store.changes();
    text(&store, "SELECT 'read'");
    store.inspector().collections().unwrap();
    assert_eq!(store.changes(), before);
    put(&store, "daily_readiness", "2026-11-20", "2026-11-20", &[]);
    assert_ne!(store.changes(), before);
}

#[test]
fn only_changed_documents_get_a_revision() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    let first = put(
        &store,
        "daily_readiness",
        "2026-01-01",
        "2026-01-31",
        &[readiness("a", "2026-01-05", 70)],
    );
    assert_eq!(first, WriteStats { documents: 1, changed: 1, ..WriteStats::default() });
    let reordered: Value =
        serde_json::from_str(&readiness("a", "2026-01-05", 70).to_string()).unwrap();
    assert_eq!(put(&store, "daily_readiness", "2026-01-01", "2026-01-31", &[reordered]).changed, 0);
    assert_eq!(
        put(
            &store,
            "daily_readiness",
            "2026-01-01",
            "2026-01-31",
            &[readiness("a", "2026-01-05", 71)]
        )
        .changed,
        1
    );
    assert_eq!(text(&store, "SELECT revision FROM oura_raw_documents"), "2");
    assert_eq!(text(&store, "SELECT score FROM daily_readiness"), "71");
}

#[test]
fn missing_document_is_marked_deleted_until_it_returns() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    let (a, b) = (readiness("a", "2026-01-05", 70), readiness("b", "2026-01-06", 80));
    put(&store, "daily_readiness", "2026-01-01", "2026-01-31", &[a.clone(), b.clone()]);
    assert_eq!(
        put(&store, "daily_readiness", "2026-01-01", "2026-01-31", std::slice::from_ref(&b))
            .deleted,
        1
    );
    assert_eq!(text(&store, "SELECT group_concat(score) FROM daily_readiness"), "80");
    assert_eq!(text(&store, "SELECT count(*) FROM oura_raw_documents"), "2", "raw documents stay");
    put(&store, "daily_readiness", "2026-01-01", "2026-01-31", &[a, b]);
    assert_eq!(
        text(
            &store,
            "SELECT group_concat(score) FROM (SELECT score FROM daily_readiness ORDER BY day)"
        ),
        "70,80"
    );
    assert_eq!(
        text(&store, "SELECT count(*) FROM oura_raw_documents WHERE deleted_at IS NOT NULL"),
        "0"
    );
}

#[test]
fn documents_outside_the_window_stay() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    put(&store, "daily_readiness", "2026-01-01", "2026-01-31", &[readiness("a", "2026-02-01", 70)]);
    assert_eq!(put(&store, "daily_readiness", "2026-01-01", "2026-01-31", &[]).deleted, 0);
    assert_eq!(text(&store, "SELECT score FROM daily_readiness"), "70");
}

#[test]
fn samples_follow_their_document() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    let start = "2026-01-04T23:00:00+01:00";
    put(
        &store,
        "sleep",
        "2026-01-01",
        "2026-01-31",
        &[night("n", "2026-01-05", start, &[None, Some(40.0), Some(42.0)])],
    );
    let all = "SELECT group_concat((time - 1767564000) || '=' || value) FROM samples
               WHERE series = 'sleep.hrv'";
    assert_eq!(text(&store, all), "300=40.0,600=42.0");
    put(
        &store,
        "sleep",
        "2026-01-01",
        "2026-01-31",
        &[night("n", "2026-01-05", start, &[Some(39.0)])],
    );
    assert_eq!(text(&store, all), "0=39.0");
}

#[test]
fn sentinels_are_null_only_in_typed_tables() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    put(&store, "daily_readiness", "2026-01-01", "2026-01-31", &[readiness("a", "2026-01-05", 70)]);
    assert_eq!(text(&store, "SELECT contributors_body_temperature FROM daily_readiness"), "null");
    assert_eq!(text(&store, "SELECT contributors_hrv_balance FROM daily_readiness"), "80");
    assert_eq!(
        text(
            &store,
            "SELECT payload ->> '$.contributors.body_temperature' FROM oura_raw_documents"
        ),
        "0"
    );
}

#[test]
fn heart_rate_has_one_value_per_time_and_source() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    fn row(bpm: i64, source: Value, time: &str) -> Value {
        json!({"bpm": bpm, "source": source, "timestamp": time, "mood": "new"})
    }
    let rows = [
        row(60, json!("awake"), "2026-01-05T10:00:00+00:00"),
        row(90, json!("workout"), "2026-01-05T10:00:00Z"),
        row(61, json!("awake"), "2026-01-05T10:00:00.000Z"),
        row(70, Value::Null, "2026-01-05T10:00:05Z"),
        row(99, json!("awake"), "2026-03-05T10:00:00Z"),
    ];
    assert_eq!(
        put(&store, "heartrate", "2026-01-01", "2026-01-28", &rows).documents,
        4,
        "the last row lies outside the window"
    );
    assert_eq!(
        text(&store, "SELECT group_concat(source || bpm) FROM heartrate"),
        "awake61,workout90,70"
    );
    assert_eq!(text(&store, "SELECT DISTINCT extra ->> 'mood' FROM heartrate"), "new");
    assert_eq!(put(&store, "heartrate", "2026-01-01", "2026-01-28", &rows[1..3]).changed, 0);
}

#[test]
fn invalid_documents_are_stored_as_received() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    put(
        &store,
        "daily_sleep",
        "2026-01-01",
        "2026-01-31",
        &[json!("garbage"), json!({"score": 5}), json!({"id": "x", "day": 7})],
    );
    put(&store, "heartrate", "2026-01-01", "2026-01-28", &[json!({"bpm": 60})]);
    assert_eq!(
        text(&store, "SELECT count(*) FROM oura_raw_documents WHERE deleted_at IS NULL"),
        "4"
    );
}

#[test]
fn coverage_separates_empty_partial_and_unfetched_days() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    put(
        &store,
        "daily_readiness",
        "2026-11-10",
        "2026-11-24",
        &[readiness("a", "2026-11-12", 70), readiness("b", "2026-11-23", 70)],
    );
    put(&store, "daily_sleep", "2026-11-12", "2026-11-13", &[]);
    let state = |collection: &str, day: &str| {
        text(
            &store,
            &format!(
                "SELECT state FROM coverage WHERE collection = '{collection}' AND day = '{day}'"
            ),
        )
    };
    assert_eq!(state("daily_readiness", "2026-11-12"), "complete");
    assert_eq!(state("daily_readiness", "2026-11-13"), "empty");
    assert_eq!(state("daily_readiness", "2026-11-23"), "partial");
    assert_eq!(state("daily_readiness", "2026-11-24"), "partial", "today can still change");
    assert_eq!(state("daily_sleep", "2026-11-12"), "empty");
    assert_eq!(state("daily_sleep", "2026-11-10"), "not_fetched");
    let held = store.writer().coverage(now(), None).unwrap();
    assert_eq!(held.complete["daily_readiness"], [(day("2026-11-10"), day("2026-11-17"))]);
    assert_eq!(held.first_day, Some(day("2026-11-12")));
}

#[test]
fn coverage_has_the_reason_for_each_gap() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    fn level(time: &str, level: i64) -> Value {
        json!({"timestamp": time, "level": level, "charging": false, "in_charger": false})
    }
    let levels = [
        level("2026-11-10T08:00:00Z", 40),
        level("2026-11-11T08:00:00Z", 4),
        level("2026-11-14T08:00:00Z", 90),
    ];
    put(&store, "ring_battery_level", "2026-11-01", "2026-11-24", &levels);
    let days = [
        readiness("a", "2026-11-10", 70),
        readiness("b", "2026-11-14", 70),
        readiness("c", "2026-11-22", 70),
    ];
    put(&store, "daily_readiness", "2026-11-01", "2026-11-24", &days);
    put(&store, "workout", "2026-11-01", "2026-11-24", &[]);
    put(&store, "daily_sleep", "2026-11-14", "2026-11-14", &[]);
    let reason = |collection: &str, day: &str| {
        text(
            &store,
            &format!(
                "SELECT reason FROM coverage WHERE collection = '{collection}' AND day = '{day}'"
            ),
        )
    };
    assert_eq!(reason("daily_readiness", "2026-11-10"), "null", "the day has a document");
    assert_eq!(reason("daily_readiness", "2026-11-12"), "battery_empty");
    assert_eq!(reason("daily_readiness", "2026-11-20"), "ring_off");
    assert_eq!(reason("daily_sleep", "2026-11-14"), "empty", "the ring sent a battery level");
    assert_eq!(reason("daily_readiness", "2026-11-09"), "no_ring_yet");
    assert_eq!(
        reason("daily_readiness", "2026-11-24"),
        "not_synced",
        "no collection has data after November 22"
    );
    assert_eq!(reason("workout", "2026-11-12"), "empty", "a day without a workout is normal");
    assert_eq!(reason("daily_sleep", "2026-11-10"), "not_fetched");
    for (state, said, expected) in [
        (CollectionState::ScopeMissing, "the scope daily is missing", "scope_missing"),
        (
            CollectionState::MembershipEnded,
            "The subscription to Oura has expired.",
            "membership_ended",
        ),
        (CollectionState::Forbidden, "No permission.", "refused"),
    ] {
        store.writer().refuse("daily_sleep", state, said).unwrap();
        assert_eq!(reason("daily_sleep", "2026-11-10"), expected);
    }
    let windows = ["2026-11-10", "2026-11-13"].map(|from| Window {
        collection: "daily_sleep".to_owned(),
        from: day(from),
        to: day(from),
        reason: WindowReason::History,
    });
    store.writer().enqueue(&windows, now()).unwrap();
    for (queued, said) in store
        .writer()
        .waiting()
        .unwrap()
        .iter()
        .zip(["2026-11-13: Oura", "2 days from 2026-11-10 to 2026-11-13: Oura"])
    {
        store.writer().fail_window(queued, true, "Oura answers 500").unwrap();
        assert_eq!(
            text(&store, "SELECT reason FROM collections WHERE name = 'daily_sleep'"),
            format!("{said} answers 500")
        );
    }
    assert_eq!(
        (reason("daily_sleep", "2026-11-10"), reason("daily_sleep", "2026-11-11")),
        ("failed".to_owned(), "not_fetched".to_owned())
    );
    let gaps = store.inspector().gaps(day("2026-11-22"), day("2026-11-24")).unwrap();
    let readiness =
        gaps.iter().filter(|gap| gap.collection == "daily_readiness").collect::<Vec<_>>();
    assert_eq!(
        (readiness[0].reason, readiness[0].days, readiness[0].last),
        (GapReason::NotSynced, 2, day("2026-11-24"))
    );
}

#[test]
fn days_since_the_last_sync_count_as_not_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::named("Europe/Vienna"));
    put(&store, "workout", "2026-11-20", "2026-11-24", &[json!({"id": "w", "day": "2026-11-24"})]);
    put(&store, "personal_info", "2026-11-24", "2026-11-24", &[json!({"id": "p"})]);
    let unseen = |store: &Store| {
        let gaps = store.inspector().gaps(day("2026-11-24"), day("2026-12-06")).unwrap();
        gaps.into_iter()
            .map(|gap| (gap.collection, gap.reason, gap.days, gap.last))
            .collect::<Vec<_>>()
    };
    let expected = [("workout".to_owned(), GapReason::NotFetched, 12, day("2026-12-06"))];
    assert_eq!(unseen(&store), expected);
    let read = Store::open_existing(store.path(), Arc::new(Catalog::bundled())).unwrap();
    assert_eq!(unseen(&read), expected, "also in a read-only store");

    store
        .writer()
        .begin_run(
            1,
            super::Trigger::Schedule,
            day("2026-12-06").midnight(Tz::named("Europe/Vienna")),
        )
        .unwrap();
    let rows = "SELECT count(*) || ' ' || min(day) || ' ' || max(day) || ' ' || max(time)
                FROM coverage WHERE state = 'not_fetched'";
    assert_eq!(text(&store, rows), "12 2026-11-25 2026-12-06 1796511600");
    assert_eq!(unseen(&store), expected, "each day counts once");
    store.writer().rebuild().unwrap();
    assert_eq!(unseen(&store), expected);
    assert_eq!(text(&store, rows), "12 2026-11-25 2026-12-06 1796511600");

    // Days that a wrong clock added are removed.
    store
        .writer()
        .begin_run(
            2,
            super::Trigger::Schedule,
            day("2036-01-01").midnight(Tz::named("Europe/Vienna")),
        )
        .unwrap();
    store
        .writer()
        .begin_run(
            3,
            super::Trigger::Schedule,
            day("2026-12-06").midnight(Tz::named("Europe/Vienna")),
        )
        .unwrap();
    assert_eq!(text(&store, rows), "12 2026-11-25 2026-12-06 1796511600");
}

#[test]
fn names_of_the_stores_tables_are_reserved() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    let names = text(
        &store,
        "SELECT group_concat(lower(name)) FROM sqlite_schema WHERE type IN ('table', 'view')",
    );
    let catalog = Catalog::bundled();
    let own = names
        .split(',')
        .filter(|name| !catalog.collections.iter().any(|collection| collection.table == *name));
    let free: Vec<&str> = own
        .filter(|name| {
            !crate::catalog::STORE_TABLES.contains(name)
                && !name.starts_with("oura_")
                && !name.starts_with("sqlite_")
        })
        .collect();
    assert_eq!(free, Vec::<&str>::new());
}

#[test]
fn missing_row_becomes_a_deleted_document_and_can_return() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    fn beat(time: &str, source: &str, bpm: i64) -> Value {
        json!({"timestamp": time, "bpm": bpm, "source": source, "strap": "left"})
    }
    let [awake, workout] =
        ["awake", "workout"].map(|source| beat("2026-01-05T10:00:00Z", source, 120));
    let other = beat("2026-01-05T10:05:00Z", "awake", 80);
    put(&store, "heartrate", "2026-01-01", "2026-01-09", &[awake.clone(), other.clone()]);
    // Oura files the beat under another source.
    let stored = put(&store, "heartrate", "2026-01-01", "2026-01-09", &[workout, other.clone()]);
    assert_eq!((stored.changed, stored.deleted), (1, 1));
    assert_eq!(
        text(
            &store,
            "SELECT group_concat(source || ' ' || bpm, ', ')
             FROM (SELECT * FROM heartrate ORDER BY time)"
        ),
        "workout 120, awake 80"
    );
    assert_eq!(text(&store, "SELECT max(maximum) FROM heartrate_1d WHERE source = 'awake'"), "80");
    let kept = text(
        &store,
        "SELECT payload FROM oura_raw_documents
         WHERE resource = 'heartrate' AND deleted_at IS NOT NULL",
    );
    assert_eq!(serde_json::from_str::<Value>(&kept).unwrap(), awake);

    assert_eq!(put(&store, "heartrate", "2026-01-01", "2026-01-09", &[awake, other]).deleted, 1);
    assert_eq!(text(&store, "SELECT group_concat(source, ' ') FROM heartrate"), "awake awake");
    assert_eq!(
        put(&store, "heartrate", "2026-01-01", "2026-01-09", &[]).deleted,
        0,
        "an empty response proves no deletion"
    );
}

#[test]
fn neighbouring_days_are_counted_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    let documents = |day: &str| {
        text(&store, &format!("SELECT documents || ' ' || state FROM coverage WHERE day = '{day}'"))
    };
    put(&store, "daily_readiness", "2026-01-01", "2026-01-10", &[readiness("a", "2026-01-09", 70)]);
    assert_eq!(documents("2026-01-10"), "0 empty");
    put(&store, "daily_readiness", "2026-01-11", "2026-01-20", &[readiness("b", "2026-01-10", 70)]);
    assert_eq!(documents("2026-01-10"), "1 complete");
    assert_eq!(documents("2026-01-09"), "1 complete", "the previous day stays as it was");
}

#[test]
fn backfill_and_failed_windows_survive_planning() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    let windows = [
        window("sleep", "2026-01-01", WindowReason::History),
        window("sleep", "2026-01-02", WindowReason::History),
        window("sleep", "2026-01-03", WindowReason::Backfill),
        window("workout", "2026-01-04", WindowReason::History),
    ];
    store.writer().enqueue(&windows, now()).unwrap();
    for queued in
        store.writer().waiting().unwrap().iter().filter(|queued| queued.window != windows[0])
    {
        store.writer().fail_window(queued, true, "Oura answers 500").unwrap();
    }
    store.writer().clear_queue(&["sleep".to_owned()]).unwrap();
    let left: Vec<Window> =
        store.writer().waiting().unwrap().into_iter().map(|queued| queued.window).collect();
    assert_eq!(left, [windows[2].clone(), windows[1].clone()]);
    assert_eq!(text(&store, "SELECT state FROM collections WHERE name = 'sleep'"), "error");
    put(&store, "sleep", "2026-01-09", "2026-01-09", &[]);
    assert_eq!(
        text(&store, "SELECT state FROM collections WHERE name = 'sleep'"),
        "error",
        "another failed window waits"
    );
}

#[test]
fn refused_collection_keeps_only_backfill_windows() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    let asked_for = window("daily_spo2", "2026-01-03", WindowReason::Backfill);
    let [trailing, history] = [WindowReason::Trailing, WindowReason::History]
        .map(|reason| window("daily_spo2", "2026-01-02", reason));
    store.writer().begin_run(1, super::Trigger::Manual, now()).unwrap();
    store
        .writer()
        .enqueue(
            &[trailing, asked_for.clone(), window("sleep", "2026-01-02", WindowReason::History)],
            now(),
        )
        .unwrap();
    let refused = store
        .writer()
        .refuse("daily_spo2", CollectionState::ScopeMissing, "the scope spo2 is not granted")
        .unwrap();
    assert_eq!(refused, Refused { windows: 2, is_news: true });
    let waiting: Vec<Window> =
        store.writer().waiting().unwrap().into_iter().map(|queued| queued.window).collect();
    assert_eq!(waiting, [asked_for, Window { collection: "sleep".to_owned(), ..history }]);
    assert_eq!(
        store.inspector().queue_lengths().unwrap().into_values().collect::<Vec<_>>(),
        [0, 0, 1],
        "trailing, backfill, history"
    );
    assert_eq!(store.inspector().last_run().unwrap().unwrap().windows, 1);
    assert!(
        !store
            .writer()
            .refuse("daily_spo2", CollectionState::ScopeMissing, "the scope spo2 is not granted")
            .unwrap()
            .is_news
    );
}

#[test]
fn closing_store_rejects_rebuilds_until_the_next_opening() {
    let folder = tempfile::tempdir().unwrap();
    let before = open(folder.path(), Tz::UTC);
    put(
        &before,
        "daily_readiness",
        "2026-01-01",
        "2026-01-31",
        &[readiness("a", "2026-01-05", 70)],
    );
    drop(before);
    let closing = open(folder.path(), Tz::named("America/New_York"));
    closing.writer().stop_rebuilds();
    assert!(matches!(closing.writer().rebuild(), Err(StoreError::RebuildsStopped)));
    closing.writer().wait();
    assert_eq!(text(&closing, "SELECT count(*) FROM days"), "1", "the old tables stay intact");
    let next = open(folder.path(), Tz::named("America/New_York"));
    assert!(next.is_outdated().unwrap());
    next.writer().rebuild().unwrap();
    assert!(!next.is_outdated().unwrap());
}

#[test]
fn new_view_exists_before_the_rebuild() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path(), Tz::UTC));
    // As a former version of the program leaves it.
    let former = rusqlite::Connection::open(folder.path().join("oura.db")).unwrap();
    former
        .execute_batch("DROP VIEW signs; UPDATE meta SET value = '1' WHERE name = 'derived_by'")
        .unwrap();
    drop(former);
    let store = open(folder.path(), Tz::UTC);
    assert!(store.is_outdated().unwrap());
    let views = "SELECT count(*) FROM sqlite_schema WHERE type = 'view' AND name = 'signs'";
    assert_eq!(text(&store, views), "1");
}

#[test]
fn new_rules_of_the_time_zone_rebuild_the_tables() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path(), Tz::named("America/Vancouver")));
    let former = rusqlite::Connection::open(folder.path().join("oura.db")).unwrap();
    let stored: String = former
        .query_row("SELECT value FROM meta WHERE name = 'derived_by'", [], |row| row.get(0))
        .unwrap();
    let (rest, rules) = stored.rsplit_once(' ').unwrap();
    let other = format!("{rest} {}", rules.chars().rev().collect::<String>());
    former.execute("UPDATE meta SET value = ?1 WHERE name = 'derived_by'", [other]).unwrap();
    drop(former);
    let store = open(folder.path(), Tz::named("America/Vancouver"));
    assert!(store.is_outdated().unwrap());
    store.writer().rebuild().unwrap();
    assert!(!store.is_outdated().unwrap());
}

#[test]
fn new_time_zone_moves_midnights_and_keeps_all_data() {
    let folder = tempfile::tempdir().unwrap();
    let before = open(folder.path(), Tz::UTC);
    put(
        &before,
        "daily_readiness",
        "2026-01-01",
        "2026-01-31",
        &[readiness("a", "2026-01-05", 70)],
    );
    put(
        &before,
        "sleep",
        "2026-01-01",
        "2026-01-31",
        &[night("n", "2026-01-05", "2026-01-04T23:00:00+01:00", &[Some(40.0)])],
    );
    assert!(!before.is_outdated().unwrap());
    drop(before);

    let after = open(folder.path(), Tz::named("America/New_York"));
    assert!(after.is_outdated().unwrap());
    assert_eq!(
        text(&after, "SELECT time FROM days WHERE day = '2026-01-05'"),
        "1767571200",
        "the old midnights until the rebuild"
    );
    after.writer().rebuild().unwrap();
    assert!(!after.is_outdated().unwrap());
    assert_eq!(text(&after, "SELECT time FROM days WHERE day = '2026-01-05'"), "1767589200");
    assert_eq!(text(&after, "SELECT score FROM daily_readiness"), "70");
    assert_eq!(text(&after, "SELECT value FROM samples WHERE series = 'sleep.hrv'"), "40");
}

#[test]
fn new_time_zone_reopens_incomplete_days() {
    let folder = tempfile::tempdir().unwrap();
    let before = open(folder.path(), Tz::named("Pacific/Kiritimati"));
    let beats: Vec<Value> =
        ["2026-01-08T09:00:00Z", "2026-01-08T11:00:00Z", "2026-01-11T12:30:00Z"]
            .map(|time| json!({"timestamp": time, "bpm": 60, "source": "awake"}))
            .into();
    // 14 hours ahead of UTC: from the 7th, 10:00, to the 20th, 10:00.
    put(&before, "heartrate", "2026-01-08", "2026-01-20", &beats);
    put(&before, "heartrate", "2026-02-01", "2026-02-01", &[]);
    put(&before, "daily_sleep", "2026-01-08", "2026-01-20", &[]);
    let covered = |store: &Store, collection: &str| {
        store
            .writer()
            .coverage(now(), None)
            .unwrap()
            .complete
            .get(collection)
            .cloned()
            .unwrap_or_default()
    };
    let counted = "SELECT group_concat(day || ' ' || documents) FROM coverage
                   WHERE collection = 'heartrate' AND documents > 0";
    assert_eq!(text(&before, counted), "2026-01-08 1,2026-01-09 1,2026-01-12 1");
    drop(before);

    let after = open(folder.path(), Tz::named("Etc/GMT+12"));
    let left = [(day("2026-01-08"), day("2026-01-18"))];
    assert_eq!(covered(&after, "heartrate"), left, "before the rebuild");
    assert_eq!(
        covered(&after, "daily_sleep"),
        [(day("2026-01-08"), day("2026-01-20"))],
        "documents contain their day"
    );
    after.writer().rebuild().unwrap();
    assert_eq!(covered(&after, "heartrate"), left);
    assert_eq!(
        text(&after, counted),
        "2026-01-11 1",
        "the first two lie on January 7, which is not covered"
    );
    assert_eq!(
        text(
            &after,
            "SELECT state FROM coverage WHERE collection = 'heartrate' AND day = '2026-01-19'"
        ),
        "partial"
    );
    let row = text(
        &after,
        "SELECT documents || ' ' || first_day || ' ' || last_day FROM collections
         WHERE name = 'heartrate'",
    );
    assert_eq!(row, "1 2026-01-11 2026-01-11");
    drop(after);
    assert_eq!(
        covered(&open(folder.path(), Tz::named("Etc/GMT+12")), "heartrate"),
        left,
        "reopening happens once"
    );
}

/// Merges the log into the file without the layer that writes checksums.
fn merge_log_as_another_program(path: &Path) {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE;
    let other = Connection::open_with_flags_and_vfs(path, flags, "unix").unwrap();
    let merged: (i64, i64) = other
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(merged, (0, 0));
}

#[cfg(unix)]
#[test]
fn another_program_may_merge_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    for scores in [[70, 71], [80, 81]] {
        let nights: Vec<Value> = scores
            .iter()
            .zip(["2026-11-01", "2026-11-02"])
            .map(|(score, day)| json!({"id": day, "day": day, "score": score}))
            .collect();
        put(&store, "daily_sleep", "2026-11-01", "2026-11-02", &nights);
        merge_log_as_another_program(store.path());
    }
    let path = store.path().to_owned();
    drop(store);
    assert_eq!(find_damage(&path).unwrap(), None);
    let store = open(folder.path(), Tz::UTC);
    let sum: i64 = store
        .inspector()
        .lock()
        .query_row("SELECT sum(score) FROM daily_sleep", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sum, 161);
}

#[test]
fn bundled_catalogue_has_every_view() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    let published = store.inspector().published().unwrap();
    for view in [
        "baselines",
        "causes",
        "coverage",
        "days",
        "hypnogram",
        "nights",
        "outcomes",
        "person",
        "samples",
        "signs",
        "sleep_debt",
        "sleep_regularity",
        "sleep_times",
        "sleep_timing",
        "sync_status",
        "tag_days",
        "training_load",
        "workout_load",
    ] {
        assert!(published.iter().any(|name| name == view), "{view}");
    }
    assert!(!published.iter().any(|name| name.ends_with("_data") || name == "meta"));
}

#[test]
fn removed_collection_keeps_its_documents() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    put(
        &store,
        "daily_stress",
        "2026-01-01",
        "2026-01-31",
        &[json!({"id": "s", "day": "2026-01-05", "stress_high": 900})],
    );
    drop(store);
    let mut catalog = Catalog::bundled();
    catalog.collections.retain(|collection| collection.name != "daily_stress");
    let store = Store::open(&folder.path().join("oura.db"), Arc::new(catalog), Tz::UTC).unwrap();
    store.writer().rebuild().unwrap();
    assert_eq!(text(&store, "SELECT stress_high FROM daily_stress"), "900");
    assert_eq!(text(&store, "SELECT count(*) FROM oura_raw_documents"), "1");
}

#[test]
fn odd_days_are_not_the_first_or_last_of_a_collection_without_windows() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::named("Europe/Vienna"));
    let rings: Vec<Value> =
        ["0001-01-01T00:00:00Z", "2024-02-03T10:00:00Z", "9999-12-31T23:59:59Z"]
            .iter()
            .map(|at| json!({"id": at, "set_up_at": at}))
            .collect();
    put(&store, "ring_configuration", "2026-11-24", "2026-11-24", &rings);
    let known = "SELECT documents || ' ' || first_day || ' ' || last_day FROM collections
                 WHERE name = 'ring_configuration'";
    assert_eq!(text(&store, known), "3 2024-02-03 2024-02-03");
}

#[test]
fn document_that_is_too_long_keeps_its_identity_in_a_rebuild() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    let long = json!({"vascular_age": 36, "note": "y".repeat(MAX_DOCUMENT_BYTES)});
    let long = [long];
    let put = || put(&store, "daily_cardiovascular_age", "2026-01-01", "2026-01-31", &long);
    put();
    let stored = "SELECT document_id || hex(hash) || fault || revision FROM oura_raw_documents";
    let before = text(&store, stored);
    assert!(before.starts_with("sha256:"), "{before}");
    store.writer().rebuild().unwrap();
    assert_eq!(text(&store, stored), before);
    put();
    assert_eq!(text(&store, stored), before, "no revision after the rebuild");
}

#[test]
fn pieces_of_a_cut_window_inherit_its_attempts() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    let window = Window {
        collection: "sleep".to_owned(),
        from: day("2026-01-01"),
        to: day("2026-01-05"),
        reason: WindowReason::History,
    };
    store.writer().enqueue(&[window], now()).unwrap();
    store
        .writer()
        .fail_window(&store.writer().waiting().unwrap()[0], true, "Oura answers 500")
        .unwrap();
    store.writer().cut_windows(&store.writer().waiting().unwrap(), 3, now()).unwrap();
    let pieces: Vec<_> = store
        .writer()
        .waiting()
        .unwrap()
        .into_iter()
        .map(|queued| (queued.window.from, queued.window.to, queued.attempts))
        .collect();
    assert_eq!(
        pieces,
        [(day("2026-01-04"), day("2026-01-05"), 1), (day("2026-01-01"), day("2026-01-03"), 1)]
    );
    store
        .writer()
        .lock()
        .execute("UPDATE sync_windows SET from_day = '-0001-03-07' WHERE to_day = '2026-01-05'", [])
        .unwrap();
    assert_eq!(store.writer().waiting().unwrap().len(), 1, "an unreadable window is skipped");
}

#[test]
fn deleted_data_is_overwritten_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    let secret = "a deleted secret comment";
    put(
        &store,
        "tag",
        "2026-01-01",
        "2026-01-31",
        &[json!({"id": "t", "day": "2026-01-05", "text": secret})],
    );
    store.writer().delete_all().unwrap();
    assert_eq!(text(&store, "SELECT count(*) FROM oura_raw_documents"), "0");
    assert_eq!(text(&store, "SELECT count(*) FROM tag"), "0");
    drop(store);
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}

#[test]
fn foreign_and_newer_files_are_rejected_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("oura.db");
    std::fs::write(&path, "this is a letter to my grandmother, not a database\n".repeat(100))
        .unwrap();
    let error = Store::open(&path, Arc::new(Catalog::bundled()), Tz::UTC).err().unwrap();
    assert!(matches!(error, StoreError::NotADatabase { .. }), "{error}");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("this is a letter"));

    std::fs::remove_file(&path).unwrap();
    drop(Store::open(&path, Arc::new(Catalog::bundled()), Tz::UTC).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 999).unwrap();
    let error = Store::open(&path, Arc::new(Catalog::bundled()), Tz::UTC).err().unwrap();
    assert!(matches!(error, StoreError::Newer { found: 999, .. }), "{error}");
}

/// The number of buckets that differ between the rows and the stored rollups.
fn differing_buckets(store: &Store) -> String {
    let differing = ROLLUPS.iter().map(|Rollup { table, of, value, key, seconds }| {
        let fresh = format!(
            "SELECT {key}, time / {seconds} * {seconds}, min({value}), max({value}),
                    total({value}), count({value}) FROM {of} GROUP BY 1, 2"
        );
        let kept = format!("SELECT {key}, time, minimum, maximum, sum, count FROM {table}");
        format!(
            "SELECT * FROM ({fresh} EXCEPT {kept}) UNION ALL SELECT * FROM ({kept} EXCEPT {fresh})"
        )
    });
    text(
        store,
        &format!("SELECT count(*) FROM ({})", differing.collect::<Vec<_>>().join(" UNION ALL ")),
    )
}

#[test]
fn rollups_agree_with_the_rows_after_every_change() {
    fn beat(time: &str, bpm: i64, source: &str) -> Value {
        json!({"timestamp": time, "bpm": bpm, "source": source})
    }
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::named("Europe/Vienna"));
    let rows = [
        beat("2026-03-28T22:58:00+00:00", 50, "rest"),
        beat("2026-03-28T23:01:00+00:00", 60, "rest"),
        beat("2026-03-29T00:59:59+00:00", 70, "awake"),
    ];
    put(&store, "heartrate", "2026-03-28", "2026-03-28", &rows);
    put(&store, "heartrate", "2026-03-29", "2026-03-29", &rows);
    assert_eq!(
        text(&store, "SELECT sum(count) || ' ' || max(maximum) FROM heartrate_1d"),
        "3 70.0"
    );
    assert_eq!(differing_buckets(&store), "0");

    let changed = beat("2026-03-28T23:01:00+00:00", 66, "rest");
    put(
        &store,
        "heartrate",
        "2026-03-28",
        "2026-03-29",
        &[rows[0].clone(), changed.clone(), rows[2].clone()],
    );
    assert_eq!(text(&store, "SELECT sum(sum) FROM heartrate_1h WHERE source = 'rest'"), "116");
    assert_eq!(differing_buckets(&store), "0");
    put(&store, "heartrate", "2026-03-28", "2026-03-29", &[changed]);
    assert_eq!(text(&store, "SELECT sum(sum) || ' ' || count(*) FROM heartrate_1h"), "66.0 1");
    assert_eq!(differing_buckets(&store), "0");

    let start = "2026-03-28T22:58:00+01:00";
    put(
        &store,
        "sleep",
        "2026-03-28",
        "2026-03-29",
        &[night("n", "2026-03-29", start, &[Some(40.0), None, Some(44.0)])],
    );
    assert_eq!(
        text(&store, "SELECT group_concat(sum) FROM samples_1h WHERE series = 'sleep.hrv'"),
        "40.0,44.0"
    );
    assert_eq!(differing_buckets(&store), "0");
    put(
        &store,
        "sleep",
        "2026-03-28",
        "2026-03-29",
        &[night("n", "2026-03-29", start, &[Some(41.0)])],
    );
    assert_eq!(
        text(&store, "SELECT group_concat(sum) FROM samples_1h WHERE series = 'sleep.hrv'"),
        "41.0"
    );
    assert_eq!(differing_buckets(&store), "0");
    put(&store, "sleep", "2026-03-28", "2026-03-29", &[]);
    assert_eq!(text(&store, "SELECT count(*) FROM samples_1h"), "0");

    store.writer().rebuild().unwrap();
    assert_eq!(text(&store, "SELECT sum(sum) FROM heartrate_5m WHERE source = 'rest'"), "66");
    assert_eq!(differing_buckets(&store), "0");
}

#[test]
fn coarsest_rollup_that_divides_a_step_is_chosen() {
    let table = |step| Rollup::for_step("heartrate", step).map(|rollup| rollup.table);
    assert_eq!(table(60), None);
    assert_eq!(table(600), Some("heartrate_5m"));
    assert_eq!(table(7_200), Some("heartrate_1h"));
    assert_eq!(table(7 * 86_400), Some("heartrate_1d"));
    assert_eq!(Rollup::for_step("ring_battery_level", 3_600), None);
}
