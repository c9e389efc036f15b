//! Property tests: no input panics, and the catalogue's guarantees hold for all of them.

use std::collections::HashSet;

use proptest::prelude::*;
use proptest::sample::Index;
use ringside::catalog::{Catalog, Collection, Contract, KeyRule, Storage, reduce};
use ringside::time::{Instant, Tz};
use serde_json::{Map, Value, json};

use super::{VERSIONS, json, reduced};

/// Any JSON, with a preference for typical values of document fields.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![
            "2026-03-29",
            "2026-02-30",
            "+262142-12-31",
            "+262142-12-31T23:59:59",
            "-262143-01-01",
            "2026-03-29T02:30:00",
            "2026-03-29T02:30:00+99:99",
            "9999-12-31T23:59:59-12:00",
            "0000-01-01T00:00:00+14:00",
            "1970-01-01T00:00:00Z",
            "string",
            "",
        ])
        .prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::from),
        "[0-9]{0,300}".prop_map(Value::from),
    ];
    let name = prop_oneof![
        prop::sample::select(vec![
            "interval",
            "items",
            "timestamp",
            "contributors",
            "score",
            "$ref",
            "type",
            "properties",
            "anyOf"
        ])
        .prop_map(str::to_owned),
        "[a-z_]{0,10}",
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A document with some of the collection's own fields and any values.
fn any_document(collection: &Collection) -> impl Strategy<Value = Value> + use<> {
    let own = collection
        .columns
        .iter()
        .map(|column| column.path.clone())
        .chain(collection.series.iter().map(|series| series.path.clone()));
    let times = collection
        .time
        .day
        .iter()
        .chain(collection.time.start)
        .chain(collection.time.end)
        .map(|name| vec![(*name).to_owned()]);
    let nested = collection.series.iter().flat_map(|series| {
        ["interval", "items", "timestamp"]
            .map(|part| series.path.iter().cloned().chain([part.to_owned()]).collect::<Vec<_>>())
    });
    let paths: Vec<Vec<String>> = own.chain(times).chain(nested).collect();
    let fields = prop::collection::vec((prop::sample::select(paths), any_json()), 0..12);
    prop_oneof![
        1 => any_json(),
        4 => fields.prop_map(|fields| {
            let mut document = json!({});
            for (path, value) in fields {
                put(&mut document, &path, value);
            }
            document
        }),
    ]
}

fn put(document: &mut Value, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else { return *document = value };
    if !document.is_object() {
        *document = json!({});
    }
    put(&mut document[first.as_str()], rest, value);
}

fn a_collection_and_a_document() -> impl Strategy<Value = (Collection, Value)> {
    prop::sample::select(Catalog::bundled().collections).prop_flat_map(|collection| {
        let document = any_document(&collection);
        (Just(collection), document)
    })
}

/// Renders `value` with the entries of all objects in reverse order.
fn reordered(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let entries: Vec<String> = fields
                .iter()
                .rev()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), reordered(value)))
                .collect();
            format!("{{{}}}", entries.join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(reordered).collect::<Vec<_>>().join(","))
        }
        value => value.to_string(),
    }
}

proptest! {
    #[test]
    fn reading_a_document_never_panics_and_flattening_is_total(
        (collection, document) in a_collection_and_a_document(),
        start in proptest::option::of(any::<i64>().prop_map(Instant)),
        zone in prop::sample::select(Tz::names()),
    ) {
        let zone = zone.parse().unwrap();
        let _ = collection.read(&document, zone);
        let _ = collection.extra(&document, &collection.cells(&document, zone));
        prop_assert_eq!(collection.cells(&document, zone).len(), collection.columns.len());
        let samples = collection.samples(&document, start, zone);
        for pair in samples.windows(2) {
            let [first, second] = pair else { unreachable!("windows of two") };
            prop_assert!((first.series, first.at) <= (second.series, second.at));
        }
        for point in &samples {
            prop_assert!(point.series < collection.series.len() && point.value.is_finite());
        }
    }

    #[test]
    fn key_order_does_not_matter(
        (collection, document) in a_collection_and_a_document()
    ) {
        let other: Value = serde_json::from_str(&reordered(&document)).unwrap();
        prop_assert_eq!(collection.read(&document, Tz::UTC), collection.read(&other, Tz::UTC));
        prop_assert_eq!(collection.cells(&document, Tz::UTC), collection.cells(&other, Tz::UTC));
    }

    #[test]
    fn random_bytes_are_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..200)
    ) {
        prop_assert!(Catalog::from_openapi(&bytes).is_err());
    }
}

proptest! {
    // Each case reads three documents of 50 kB.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_openapi_document_gives_a_sound_catalogue_or_an_error(
        version in prop::sample::select(VERSIONS.to_vec()),
        damage in prop::collection::vec((any::<Index>(), proptest::option::of(any_json())), 1..12),
    ) {
        let mut document = json(&reduced(version));
        for (place, replacement) in damage {
            let mut target = place.index(count(&document));
            damage_at(&mut document, &mut target, &replacement);
        }
        let text = document.to_string();
        let read = Catalog::from_openapi(text.as_bytes());
        if let Ok(catalog) = &read {
            sound(catalog)?;
        }
        let contract = Contract::from_openapi(text.as_bytes());
        prop_assert_eq!(contract.is_ok(), read.is_ok());
        let _ = contract.map(|contract| contract.diff(&contract));
        match (read, reduce(text.as_bytes(), None)) {
            (Ok(catalog), Ok(reduced)) => {
                prop_assert_eq!(Catalog::from_openapi(&reduced).unwrap(), catalog)
            }
            (Ok(_), Err(error)) => prop_assert!(false, "can be read but not reduced: {}", error),
            (Err(_), _) => {}
        }
    }
}

/// Counts the values in `value`, including itself.
fn count(value: &Value) -> usize {
    1 + children(value).map(count).sum::<usize>()
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Object(fields) => Box::new(fields.values()),
        Value::Array(items) => Box::new(items.iter()),
        _ => Box::new(std::iter::empty()),
    }
}

/// Replaces value number `target` in depth-first order, or removes it. A removed root becomes null.
fn damage_at(value: &mut Value, target: &mut usize, replacement: &Option<Value>) -> bool {
    if *target == 0 {
        *value = replacement.clone().unwrap_or_default();
        return true;
    }
    *target -= 1;
    match value {
        Value::Object(fields) => {
            let hit = fields.iter_mut().find_map(|(name, inner)| {
                let exact = *target == 0;
                damage_at(inner, target, replacement).then(|| (name.clone(), exact))
            });
            if let Some((name, true)) = &hit
                && replacement.is_none()
            {
                fields.remove(name);
            }
            hit.is_some()
        }
        Value::Array(items) => items.iter_mut().any(|inner| damage_at(inner, target, replacement)),
        _ => false,
    }
}

/// Checks the guarantees that the store depends on.
fn sound(catalog: &Catalog) -> Result<(), TestCaseError> {
    let mut tables = HashSet::new();
    for collection in &catalog.collections {
        prop_assert!(tables.insert(collection.table.clone()), "two tables {}", collection.table);
        let own: &[&str] = if collection.storage == Storage::Rows {
            &["time", "extra"]
        } else {
            &["document", "time", "day", "utc_offset"]
        };
        let mut names: HashSet<String> = own.iter().map(|name| (*name).to_owned()).collect();
        for column in &collection.columns {
            prop_assert!(
                names.insert(column.name.to_ascii_lowercase()),
                "two columns {}.{}",
                collection.table,
                column.name
            );
            prop_assert!(
                column.name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
            );
        }
        if let KeyRule::Fields(fields) = &collection.key {
            for field in fields {
                let there = collection.time.start.contains(field)
                    || collection.columns.iter().any(|column| column.name == *field);
                prop_assert!(
                    there,
                    "{} is keyed by {field}, which it does not have",
                    collection.name
                );
            }
        }
    }
    Ok(())
}

/// A document with `collections` of `fields` numbers each.
fn wide(collections: usize, fields: usize, name: &str) -> Result<Catalog, String> {
    let properties: Map<String, Value> =
        (0..fields).map(|field| (format!("{name}{field}"), json!({"type": "number"}))).collect();
    let item = json!({"type": "object", "properties": properties});
    let page = json!({"properties": {"data": {"type": "array", "items": item}}});
    let get = json!({"get": {"responses": {"200":
        {"content": {"application/json": {"schema": page}}}}}});
    let paths: Map<String, Value> = (0..collections)
        .map(|number| (format!("/v2/usercollection/c{number}"), get.clone()))
        .collect();
    let document = json!({"openapi": "3.1.0", "info": {"version": "1"}, "paths": paths});
    Catalog::from_openapi(document.to_string().as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn collections_columns_and_names_are_bounded() {
    assert_eq!(wide(200, 3, "x").unwrap().collections.len(), 200);
    assert_eq!(wide(201, 3, "x").unwrap_err(), "the document has more than 200 collections");
    assert_eq!(wide(1, 600, "x").unwrap().collections[0].columns.len(), 500);
    assert_eq!(wide(1, 3, &"x".repeat(300)).unwrap().collections[0].columns.len(), 0);
}
