//! Power failures and flipped bits, on the files that the store's own code writes.
//!
//! A recording file system notes every write and sync of a store's life. The files are then built
//! as a power failure would leave them behind each of these operations: without the writes that no
//! sync followed, with them, and with random sectors of them. From each state, SQLite's content must
//! be one that the store had before, and the store must open.

mod cuts;
mod flips;
mod recorder;
mod vault;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use rand::Rng;
use rand::rngs::StdRng;
use ringside::catalog::Catalog;
use ringside::store::{Store, Trigger, Window, WindowReason, find_damage};
use ringside::time::{Instant, Tz};
use rusqlite::types::Value as SqlValue;
use serde_json::{Value, json};

use self::cuts::{FATES, Files, Unsynced, after_cut, write_files};
use self::recorder::{Operation, length, record, recorded};
use crate::common::{day, env_or, seeded_rng};

/// The mean number of operations between two cuts. `go tool mage soak` cuts behind each one.
const CUT_EVERY: usize = 24;

/// Of the states after cuts, every such many is also opened by the store, which takes longer.
const OPEN_EVERY: usize = 6;

pub fn open(folder: &Path) -> Store {
    Store::open(&folder.join("oura.db"), Arc::new(Catalog::bundled()), Tz::UTC).unwrap()
}

fn now() -> Instant {
    day("2026-11-24").midnight(Tz::UTC).plus(12 * 3600)
}

/// Stores the response to a window. Calls `note` after each transaction.
fn put(store: &Store, collection: &str, documents: &[Value], note: &mut dyn FnMut()) {
    let window = Window {
        collection: collection.to_owned(),
        from: day("2026-11-01"),
        to: day("2026-11-20"),
        reason: WindowReason::History,
    };
    store.writer().enqueue(std::slice::from_ref(&window), now()).unwrap();
    note();
    let queued = store.writer().waiting().unwrap();
    let queued = queued.iter().find(|queued| queued.window == window).unwrap();
    let documents: Vec<Box<[u8]>> =
        documents.iter().map(|document| document.to_string().into_bytes().into()).collect();
    store.writer().put_window(queued, &documents, now(), |_| day("2026-11-20")).unwrap();
    note();
}

/// A night with a document and samples that fill several pages.
fn night(date: &str, score: f64) -> Value {
    let start = format!("{date}T01:00:00+00:00");
    let items: Vec<f64> = (0..90).map(|n| score + f64::from(n % 7)).collect();
    json!({"id": date, "day": date, "bedtime_start": start, "bedtime_end": start,
           "type": "long_sleep", "time_in_bed": 27_000, "total_sleep_duration": 25_000,
           "sleep_phase_30_sec": "1234".repeat(1_500),
           "hrv": {"interval": 300.0, "items": items, "timestamp": start}})
}

fn beats(count: i64, bpm: i64) -> Vec<Value> {
    let start = day("2026-11-02").midnight(Tz::UTC);
    let beat = |n| {
        json!({"timestamp": start.plus(300 * n).to_string(), "bpm": bpm + n % 30,
                          "source": "awake"})
    };
    (0..count).map(beat).collect()
}

/// A hash of everything in a database: the rows of all tables, and the schema. Without the
/// generation of the derived tables, which is random.
fn content(path: &Path) -> u64 {
    ringside::store::prepare_sqlite().unwrap();
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut hasher = DefaultHasher::new();
    let mut rows = |sql: &str| {
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        let mut first = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<SqlValue> = (0..columns).map(|at| row.get(at).unwrap()).collect();
            format!("{values:?}").hash(&mut hasher);
            first.extend(values.into_iter().next());
        }
        first
    };
    let tables = rows("SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    rows("SELECT name, sql FROM sqlite_schema WHERE type <> 'table' ORDER BY name");
    for table in tables {
        let SqlValue::Text(table) = table else { panic!("a table without a name") };
        let condition = if table == "meta" { "WHERE name <> 'generation'" } else { "" };
        rows(&format!("SELECT '{table}', * FROM \"{table}\" {condition}"));
    }
    hasher.finish()
}

/// The contents that a store had, each with the number of operations after which it had it.
struct History {
    states: Vec<(usize, u64)>,
}

impl History {
    /// Whether a content may be found after a cut behind `operations`.
    fn allows(&self, content: u64, operations: usize, fate: Unsynced) -> bool {
        // The step in progress may have committed.
        let current = self.states.iter().take_while(|(end, _)| *end <= operations).count();
        let oldest = match fate {
            // Without a power failure, each commit stays.
            Unsynced::Kept => current.saturating_sub(1),
            Unsynced::Lost | Unsynced::Torn => 0,
        };
        self.states.iter().take(current + 1).skip(oldest).any(|(_, state)| *state == content)
    }
}

/// Lives through syncs, a revision, deletions, a rebuild, a restart and the end of all data.
fn live(folder: &Path) -> History {
    let path = folder.join("oura.db");
    let mut store = open(folder);
    let mut history = History { states: Vec::new() };
    let mut note = || history.states.push((length(folder), content(&path)));
    note();
    store.writer().begin_run(1, Trigger::Manual, now()).unwrap();
    note();
    let steps: [(&str, Vec<Value>); 5] = [
        ("sleep", vec![night("2026-11-03", 40.0), night("2026-11-04", 50.0)]),
        ("heartrate", beats(400, 50)),
        ("sleep", vec![night("2026-11-03", 41.0), night("2026-11-04", 50.0)]),
        ("heartrate", beats(300, 51)),
        ("sleep", vec![night("2026-11-04", 50.0)]),
    ];
    for (collection, documents) in steps {
        put(&store, collection, &documents, &mut note);
    }
    store.writer().rebuild().unwrap();
    note();
    drop(store);
    store = open(folder);
    note();
    store.delete_all().unwrap();
    note();
    put(&store, "sleep", &[night("2026-11-05", 60.0)], &mut note);
    drop(store);
    note();
    history
}

#[test]
fn every_power_failure_leaves_an_earlier_state() {
    let (_, mut random) = seeded_rng();
    let folder = tempfile::tempdir().unwrap();
    record(folder.path());
    let history = live(folder.path());
    let operations = recorded(folder.path());
    let every: usize = env_or("CUT_EVERY", CUT_EVERY);
    let (mut checked, mut opened) = (0, 0);
    for end in cuts_of(&operations, every, &mut random) {
        for fate in FATES {
            let files = after_cut(Files::new(), &operations[..end], fate, &mut random);
            let place = tempfile::tempdir().unwrap();
            write_files(&files, place.path());
            let path = place.path().join("oura.db");
            let found = content(&path);
            let is_in_creation = is_in_creation(&path);
            checked += 1;
            if is_in_creation {
                let may_be_new = fate != Unsynced::Kept || end < history.states[0].0;
                assert!(may_be_new, "cut {end} {fate:?}: the store is gone");
            } else {
                assert!(history.allows(found, end, fate), "cut {end} {fate:?}: unknown content");
            }
            if checked % OPEN_EVERY == 0 {
                write_files(&files, place.path());
                drop(open(place.path()));
                assert_eq!(find_damage(&path).unwrap(), None, "cut {end} {fate:?}");
                let is_new = content(&path) == history.states[0].1;
                assert!(is_new || !is_in_creation, "cut {end} {fate:?}: creation did not end");
                opened += 1;
            }
        }
    }
    println!("{} operations, {checked} states after cuts, {opened} opened", operations.len());
    assert!(checked > 0 && opened > 0);
}

/// Numbers of operations, on average each `every`th.
fn cuts_of(operations: &[Operation], every: usize, random: &mut StdRng) -> Vec<usize> {
    (0..=operations.len()).filter(|_| random.random_range(0..every) == 0).collect()
}

/// Whether the first opening of a store has not ended: the database has states that the history
/// lacks, and the next opening continues.
fn is_in_creation(path: &Path) -> bool {
    let connection = rusqlite::Connection::open(path).unwrap();
    let derived = "SELECT EXISTS (SELECT 1 FROM meta WHERE name = 'derived_by')";
    // Without tables, the statement fails.
    !connection.query_row(derived, [], |row| row.get(0)).unwrap_or(false)
}

/// A database of an earlier format: after each cut of its migration it opens with all its documents.
#[test]
fn power_failure_in_a_migration_loses_nothing() {
    let (_, mut random) = seeded_rng();
    let folder = tempfile::tempdir().unwrap();
    let fixture = crate::upgrade::content_of(&crate::upgrade::fixtures()[0]);
    let path = folder.path().join("oura.db");
    std::fs::write(&path, &fixture).unwrap();
    let documents = documents_of(&path);
    record(folder.path());
    drop(open(folder.path()));
    let operations = recorded(folder.path());
    let every: usize = env_or("CUT_EVERY", CUT_EVERY * 16);
    let mut checked = 0;
    for end in cuts_of(&operations, every, &mut random) {
        for fate in FATES {
            let before = Files::from([("oura.db".to_owned(), fixture.clone())]);
            let files = after_cut(before, &operations[..end], fate, &mut random);
            let place = tempfile::tempdir().unwrap();
            write_files(&files, place.path());
            drop(open(place.path()));
            let path = place.path().join("oura.db");
            assert_eq!(find_damage(&path).unwrap(), None, "cut {end} {fate:?}");
            assert_eq!(documents_of(&path), documents, "cut {end} {fate:?}");
            checked += 1;
        }
    }
    println!("{} operations, {checked} states after cuts", operations.len());
    assert!(checked > 0);
}

/// The documents of a database, of any format.
fn documents_of(path: &Path) -> Vec<Vec<Value>> {
    let sql = "SELECT document, resource, document_id, payload, hash, revision
               FROM oura_raw_documents ORDER BY document";
    crate::common::select(path, sql)
}
