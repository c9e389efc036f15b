//! Compares the store with the simulated Oura's documents.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path;

use ringside::catalog::{Catalog, Collection, Storage};
use ringside::simulator::Simulator;
use ringside::time::{Day, Tz};
use serde_json::{Value, json};

use super::{at, select};

/// Asserts that `database` contains Oura's documents of `days` (UTC) and none of the days before.
/// It compares documents by their values and rows by their keys and values. Each document needs a
/// typed row, and each day must be fetched. Days after `days` may still change and are not
/// compared, nor are the `excluded` collections.
#[track_caller]
pub fn assert_stored(
    database: &Path,
    simulator: &Simulator,
    days: &RangeInclusive<Day>,
    excluded: &[&str],
) {
    let catalog = Catalog::bundled();
    for collection in catalog
        .collections
        .iter()
        .filter(|collection| !excluded.contains(&collection.name.as_str()))
    {
        let (stored, truth) = match collection.storage {
            Storage::Documents => documents(database, simulator, days, collection),
            Storage::Rows => rows(database, simulator, days, collection),
        };
        let surplus: Vec<&String> = stored.difference(&truth).take(3).collect();
        let missing: Vec<&String> = truth.difference(&stored).take(3).collect();
        let name = &collection.name;
        assert!(
            surplus.is_empty() && missing.is_empty(),
            "{name}: stored, but not Oura's: {surplus:?}; missing: {missing:?}"
        );
        assert!(
            collection.storage == Storage::Documents || stored.len() > 100,
            "{name}: {} rows are too few for a comparison",
            stored.len()
        );
    }
    assert_typed(database, &catalog);
    let gaps = format!(
        "SELECT collection, day FROM coverage
         WHERE state = 'not_fetched' AND day BETWEEN '{}' AND '{}'",
        days.start(),
        days.end()
    );
    let mut gaps = select(database, &gaps);
    gaps.retain(|gap| !excluded.iter().any(|name| gap[0] == *name));
    assert_eq!(gaps, Vec::<Vec<Value>>::new(), "days that were not fetched");
}

/// Oura's documents of `collection` as text: documents by their day, rows by their UTC date.
pub fn truth(
    simulator: &Simulator,
    days: &RangeInclusive<Day>,
    collection: &str,
) -> BTreeSet<String> {
    simulator.truth(collection, *days.start(), *days.end()).iter().map(Value::to_string).collect()
}

/// The stored documents, and Oura's documents. A document without a day is always compared.
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
    let stored = select(database, &payloads)
        .iter()
        .map(payload)
        .filter(settled)
        .map(|document| document.to_string())
        .collect();
    (stored, truth(simulator, days, &collection.name))
}

/// The stored rows, and Oura's rows. Of Oura's rows with the same key, only the last one counts.
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
    let stored = select(
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
    (stored.iter().map(text).collect(), by_key.values().map(text).collect())
}

/// Asserts that there are as many typed rows as documents.
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
    let different = select(
        database,
        &format!(
            "SELECT name, rows FROM ({})
             WHERE rows <> (SELECT count(*) FROM oura_raw_documents
                            WHERE resource = name AND deleted_at IS NULL)",
            typed.join(" UNION ALL ")
        ),
    );
    assert_eq!(
        different,
        Vec::<Vec<Value>>::new(),
        "tables with more or fewer typed rows than documents"
    );
}
