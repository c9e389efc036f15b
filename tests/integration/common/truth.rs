//! What is held, compared with what the simulated Oura has.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path;

use ringside::catalog::{Catalog, Collection, Storage};
use ringside::simulator::Simulator;
use ringside::time::{Day, Tz};
use serde_json::{Value, json};

use super::{at, select};

/// Asserts that `database` holds of `days`, UTC, what Oura has of them, and nothing of the days before: every document by its values, every
/// row by its key and its values, a typed row for every document, and no day that was not fetched. What comes after `days` may still change
/// and is not looked at; neither are the collections `but`.
#[track_caller]
pub fn assert_held(
    database: &Path,
    simulator: &Simulator,
    days: &RangeInclusive<Day>,
    but: &[&str],
) {
    let catalog = Catalog::bundled();
    for collection in
        catalog.collections.iter().filter(|collection| !but.contains(&collection.name.as_str()))
    {
        let (held, truth) = match collection.storage {
            Storage::Documents => documents(database, simulator, days, collection),
            Storage::Rows => rows(database, simulator, days, collection),
        };
        let strange: Vec<&String> = held.difference(&truth).take(3).collect();
        let lacking: Vec<&String> = truth.difference(&held).take(3).collect();
        let name = &collection.name;
        assert!(
            strange.is_empty() && lacking.is_empty(),
            "{name}: held, but not Oura's: {strange:?}; missing: {lacking:?}"
        );
        assert!(
            collection.storage == Storage::Documents || held.len() > 100,
            "{name}: {} rows prove nothing",
            held.len()
        );
    }
    assert_typed(database, &catalog);
    let gaps = format!(
        "SELECT collection, day FROM coverage WHERE state = 'not_fetched' AND day BETWEEN '{}' AND '{}'",
        days.start(),
        days.end()
    );
    let mut gaps = select(database, &gaps);
    gaps.retain(|gap| !but.iter().any(|name| gap[0] == *name));
    assert_eq!(gaps, Vec::<Vec<Value>>::new(), "days that were not fetched");
}

/// What Oura has of `collection`, as text: by days the documents, rows by their UTC date.
pub fn truth(
    simulator: &Simulator,
    days: &RangeInclusive<Day>,
    collection: &str,
) -> BTreeSet<String> {
    simulator.truth(collection, *days.start(), *days.end()).iter().map(Value::to_string).collect()
}

/// Documents as they are held, and as they should be. One that belongs to no day is always compared.
fn documents(
    database: &Path,
    simulator: &Simulator,
    days: &RangeInclusive<Day>,
    collection: &Collection,
) -> (BTreeSet<String>, BTreeSet<String>) {
    let payloads = format!(
        "SELECT payload FROM oura_raw_documents WHERE resource = '{}' AND deleted_at IS NULL",
        collection.name
    );
    let payload =
        |row: &Vec<Value>| serde_json::from_str::<Value>(row[0].as_str().unwrap()).unwrap();
    let day = |document: &Value| {
        document["day"].as_str().or(document["start_day"].as_str()).map(super::day)
    };
    let settled = |document: &Value| day(document).is_none_or(|day| day <= *days.end());
    let held = select(database, &payloads)
        .iter()
        .map(payload)
        .filter(settled)
        .map(|document| document.to_string())
        .collect();
    (held, truth(simulator, days, &collection.name))
}

/// Rows as they are held, and as they should be: of those with the same key the last.
fn rows(
    database: &Path,
    simulator: &Simulator,
    days: &RangeInclusive<Day>,
    collection: &Collection,
) -> (BTreeSet<String>, BTreeSet<String>) {
    let (key, values): (&[&str], &[&str]) = match collection.name.as_str() {
        "heartrate" => (&["source"], &["bpm"]),
        _ => (&[], &["level", "charging", "in_charger"]),
    };
    let names: Vec<&str> = key.iter().chain(values).copied().collect();
    let before = days.end().plus(1).midnight(Tz::UTC).seconds();
    let held = select(
        database,
        &format!(
            "SELECT time, {} FROM {} WHERE time < {before}",
            names.join(", "),
            collection.table
        ),
    );
    let plain = |value: &Value| {
        value.as_bool().map_or_else(|| value.clone(), |value| i64::from(value).into())
    };
    let by_key: BTreeMap<String, Vec<Value>> = simulator
        .truth(&collection.name, *days.start(), *days.end())
        .iter()
        .map(|row| {
            let time = Value::from(at(row["timestamp"].as_str().unwrap()).seconds());
            let row: Vec<Value> =
                std::iter::once(time).chain(names.iter().map(|name| plain(&row[*name]))).collect();
            (json!(row[..=key.len()]).to_string(), row)
        })
        .collect();
    let text = |row: &Vec<Value>| json!(row).to_string();
    (held.iter().map(text).collect(), by_key.values().map(text).collect())
}

/// Typed rows are as many as documents.
#[track_caller]
fn assert_typed(database: &Path, catalog: &Catalog) {
    let typed: Vec<String> = catalog
        .collections
        .iter()
        .filter(|collection| collection.storage == Storage::Documents)
        .map(|collection| {
            format!(
                "SELECT '{}' AS name, count(*) AS rows FROM {}",
                collection.name, collection.table
            )
        })
        .collect();
    let unlike = select(
        database,
        &format!(
            "SELECT name, rows FROM ({}) WHERE rows <> (SELECT count(*) FROM oura_raw_documents WHERE resource = name AND deleted_at IS NULL)",
            typed.join(" UNION ALL ")
        ),
    );
    assert_eq!(unlike, Vec::<Vec<Value>>::new(), "typed rows are as many as documents");
}
