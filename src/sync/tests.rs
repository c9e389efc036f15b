//! The policy together with a real store.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::policy;
use crate::catalog::Catalog;
use crate::store::{RunEnd, Store, Trigger, Window, WindowReason};
use crate::time::{Day, Instant, Tz};

fn open(folder: &Path) -> Store {
    Store::open(&folder.join("oura.db"), Arc::new(Catalog::bundled()), Tz::UTC).unwrap()
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn now() -> Instant {
    day("2026-11-24").midnight(Tz::UTC).plus(12 * 3600)
}

fn readiness(day: &str) -> Value {
    json!({"id": day, "day": day, "score": 70, "timestamp": format!("{day}T00:00:00+00:00")})
}

/// Queues a window and stores `documents` as its response.
fn put(store: &Store, collection: &str, from: &str, to: &str, documents: &[Value]) {
    let window = Window {
        collection: collection.to_owned(),
        from: day(from),
        to: day(to),
        reason: WindowReason::History,
    };
    store.writer().enqueue(std::slice::from_ref(&window), now()).unwrap();
    let waiting = store.writer().waiting().unwrap();
    let queued = waiting.into_iter().find(|queued| queued.window == window).unwrap();
    let documents: Vec<Box<[u8]>> =
        documents.iter().map(|document| document.to_string().into_bytes().into()).collect();
    store.writer().put_window(&queued, &documents, now(), policy::settled_after).unwrap();
}

/// The complete days of a collection for a run that begins at `now`.
fn complete(store: &Store, collection: &str, now: Instant) -> Vec<(Day, Day)> {
    let resumed = policy::resumed_since(store.inspector().interrupted_since().unwrap(), now);
    let coverage = store.writer().coverage(now, resumed).unwrap();
    coverage.complete.get(collection).cloned().unwrap_or_default()
}

#[test]
fn days_stay_open_until_the_phone_has_synced_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let open_from_november = [(day("2026-10-01"), day("2026-10-31"))];
    // The ring is worn, but the phone has not synced since November 5.
    put(&store, "daily_readiness", "2026-11-18", "2026-11-24", &[]);
    put(&store, "daily_readiness", "2026-10-01", "2026-11-17", &[readiness("2026-11-05")]);
    put(&store, "workout", "2026-10-01", "2026-11-24", &[]);
    assert_eq!(complete(&store, "daily_readiness", now()), open_from_november);
    assert_eq!(
        complete(&store, "workout", now()),
        open_from_november,
        "occasional collections follow the daily ones"
    );

    // The phone syncs. It may sync in parts, so the days are fetched once more.
    let late = ["2026-11-10", "2026-11-24"].map(readiness);
    put(&store, "daily_readiness", "2026-11-01", "2026-11-24", &late);
    assert_eq!(complete(&store, "daily_readiness", now()), open_from_november);
    put(&store, "daily_readiness", "2026-11-01", "2026-11-24", &late);
    assert_eq!(
        complete(&store, "daily_readiness", now()),
        [(day("2026-10-01"), day("2026-11-17"))]
    );
}

#[test]
fn interrupted_run_is_continued_and_ended_run_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let run = store.inspector().next_run().unwrap();
    store.writer().begin_run(run, Trigger::Manual, now()).unwrap();
    put(&store, "daily_sleep", "2026-11-18", "2026-11-24", &[]);
    put(&store, "personal_info", "2026-11-24", "2026-11-24", &[json!({"id": "p"})]);
    assert_eq!(complete(&store, "daily_sleep", now()), [], "these days can still change");
    drop(store);

    let store = open(folder.path());
    let (soon, later) = (now().plus(60), now().plus(3 * 3600));
    let week = [(day("2026-11-18"), day("2026-11-24"))];
    assert_eq!(complete(&store, "daily_sleep", soon), week);
    let resumed = policy::resumed_since(store.inspector().interrupted_since().unwrap(), soon);
    let coverage = store.writer().coverage(soon, resumed).unwrap();
    assert!(coverage.fresh.contains("personal_info"));
    assert_eq!(complete(&store, "daily_sleep", later), [], "too long ago");

    store.writer().end_run(run, &RunEnd::Done, 2, 2, soon).unwrap();
    assert_eq!(complete(&store, "daily_sleep", soon), []);
}
