//! Tests with every version: the catalogue is complete, and reduction keeps exactly the facts.

use std::collections::BTreeSet;

use ringside::catalog::{
    Catalog, CatalogError, Collection, Contract, Encoding, KeyRule, Kind, Series, Storage, Style,
    path_skip_reason, reduce,
};
use serde_json::{Value, json};

use super::{VERSIONS, catalog, documents, json, newest, published, reduced};

#[test]
fn version_1_43_has_nineteen_collections_in_four_styles() {
    let catalog = catalog("1.43");
    let named = |style| -> Vec<&str> {
        catalog
            .collections
            .iter()
            .filter(|one| one.style == style)
            .map(|one| one.name.as_str())
            .collect()
    };
    assert_eq!(catalog.collections.len(), 19);
    assert_eq!(named(Style::Datetimes), ["heartrate", "ring_battery_level"]);
    assert_eq!(named(Style::TokenOnly), ["ring_configuration"]);
    assert_eq!(named(Style::Singleton), ["personal_info"]);
    let mut dates = named(Style::Dates);
    dates.sort_unstable();
    assert_eq!(
        dates,
        [
            "daily_activity",
            "daily_cardiovascular_age",
            "daily_readiness",
            "daily_resilience",
            "daily_sleep",
            "daily_spo2",
            "daily_stress",
            "enhanced_tag",
            "rest_mode_period",
            "session",
            "sleep",
            "sleep_time",
            "tag",
            "vO2_max",
            "workout"
        ]
    );
}

#[test]
fn bundled_catalogue_is_the_newest() {
    assert!(
        include_bytes!("../../src/catalog/openapi.json")[..] == reduced(VERSIONS.last().unwrap())
    );
    insta::assert_snapshot!(Catalog::bundled().to_string());
}

#[test]
fn versions_differ_in_known_changes() {
    let mut lines = String::new();
    for pair in VERSIONS.windows(2) {
        lines.push_str(&format!("{} → {}\n", pair[0], pair[1]));
        let changes = contract(pair[0]).diff(&contract(pair[1]));
        if changes.is_empty() {
            lines.push_str("  no differences\n");
        }
        for change in changes {
            lines.push_str(&format!("  {change}\n"));
        }
    }
    insta::assert_snapshot!(lines);
}

fn contract(version: &str) -> Contract {
    Contract::from_openapi(&reduced(version)).unwrap()
}

#[test]
fn reduction_keeps_the_contract() {
    for version in VERSIONS {
        let Some(published) = published(version) else { continue };
        let changes = Contract::from_openapi(&published).unwrap().diff(&contract(version));
        assert!(changes.is_empty(), "{version}: {changes:?}");
    }
}

#[test]
fn parameters_values_and_presence_are_compared() {
    let properties = |score: Value| {
        json!({
            "id": {"type": "string"},
            "mood": {"type": "string", "enum": ["good", "bad"]},
            "score": score,
        })
    };
    let mut old = json(&with_collection(
        "aura",
        &["start_date", "end_date"],
        properties(json!({"type": "integer"})),
    ));
    let mut new = json(&with_collection(
        "aura",
        &["start_date", "latest"],
        properties(json!({"anyOf": [{"type": "integer"}, {"type": "null"}]})),
    ));
    fn items(document: &mut Value) -> &mut Value {
        let get = &mut document["paths"]["/v2/usercollection/aura"]["get"];
        &mut get["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["data"]
            ["items"]
    }
    items(&mut old)["required"] = json!(["id", "score"]);
    items(&mut new)["required"] = json!(["score"]);
    items(&mut new)["properties"]["mood"]["enum"] = json!(["good", "splendid"]);
    new["paths"]["/v2/usercollection/aura"]["get"]["parameters"][0]["required"] = json!(true);
    let read = |document: &Value| Contract::from_openapi(document.to_string().as_bytes()).unwrap();
    let lines: Vec<String> = read(&old).diff(&read(&new)).iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "~ aura?start_date: now required",
            "- aura?end_date",
            "+ aura?latest",
            "~ aura.id: required → optional",
            "~ aura.mood: + splendid - bad",
            "~ aura.score: required → required, nullable",
        ]
    );
}

#[test]
fn reversed_diff_has_reversed_changes() {
    let (old, new) = (contract("1.29"), contract("1.43"));
    let lines = |from: &Contract, to: &Contract| -> BTreeSet<String> {
        from.diff(to).iter().map(ToString::to_string).collect()
    };
    assert!(lines(&old, &new).contains("- interbeat_interval"));
    assert!(lines(&new, &old).contains("+ interbeat_interval"));
    assert!(lines(&new, &old).contains("- daily_cardiovascular_age.pulse_wave_velocity"));
    assert!(old.diff(&old).is_empty());
}

#[test]
fn reduction_keeps_the_catalogue() {
    for version in VERSIONS {
        let Some(published) = published(version) else { continue };
        let before = Catalog::from_openapi(&published).unwrap();
        assert_eq!(Catalog::from_openapi(&reduce(&published, None).unwrap()).unwrap(), before);
        assert!(
            reduce(&published, Some(version)).unwrap() == reduced(version),
            "the fixture of {version} differs from the reduced document"
        );
    }
}

#[test]
fn reduction_is_idempotent() {
    for version in VERSIONS {
        let once = reduced(version);
        assert!(reduce(&once, None).unwrap() == once, "{version}");
    }
}

#[test]
fn reduced_document_has_no_prose() {
    fn walk(value: &Value, names_are_data: bool, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (name, inner) in fields {
                    if !names_are_data {
                        found.insert(name.clone());
                    }
                    walk(inner, name == "properties" && !names_are_data, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, false, found)),
            _ => {}
        }
    }
    for version in VERSIONS {
        let mut keys = BTreeSet::new();
        walk(&json(&reduced(version)), false, &mut keys);
        for prose in [
            "title",
            "description",
            "summary",
            "example",
            "examples",
            "x-codeSamples",
            "externalDocs",
        ] {
            assert!(!keys.contains(prose), "{version} has {prose}");
        }
    }
}

#[test]
fn all_paths_and_fields_are_mapped_or_skipped() {
    for (which, document) in documents() {
        let (catalog, document) = (Catalog::from_openapi(&document).unwrap(), json(&document));
        for (path, item) in document["paths"].as_object().unwrap() {
            if path_skip_reason(path).is_some_and(|reason| !reason.is_empty()) {
                continue;
            }
            let Some(collection) =
                catalog.collections.iter().find(|collection| collection.path == *path)
            else {
                panic!("{which}: {path} is neither a collection nor skipped with a reason");
            };
            let mut leaves = Vec::new();
            fields(
                &document,
                &item["get"]["responses"]["200"]["content"]["application/json"]["schema"],
                &mut Vec::new(),
                &mut leaves,
            );
            let enveloped = collection.style != Style::Singleton;
            let leaves: Vec<&[String]> = leaves
                .iter()
                .filter_map(|leaf| if enveloped { below_data(leaf) } else { Some(leaf) })
                .collect();
            assert!(leaves.len() >= 2, "{which}: {path} has hardly any fields: {leaves:?}");
            for leaf in leaves {
                let mapped = collection.columns.iter().any(|column| column.path == leaf)
                    || collection.series.iter().any(|series| is_part_of(leaf, series));
                let skipped =
                    collection.field_skip_reason(&leaf[0]).is_some_and(|reason| !reason.is_empty());
                assert!(
                    mapped || skipped,
                    "{which}: {}.{} is neither mapped nor skipped with a reason",
                    collection.name,
                    leaf.join(".")
                );
            }
        }
    }
}

/// Whether the value at the end of `leaf` is the series, or one of the three fields of its points.
fn is_part_of(leaf: &[String], series: &Series) -> bool {
    match (&series.encoding, leaf.strip_prefix(&series.path[..])) {
        (Encoding::Sample, Some([part])) => {
            ["interval", "items", "timestamp"].contains(&part.as_str())
        }
        (Encoding::Digits { .. }, Some([])) => true,
        _ => false,
    }
}

/// Collects the paths of all values that `schema` allows, without the catalogue's own reader.
fn fields(document: &Value, schema: &Value, path: &mut Vec<String>, leaves: &mut Vec<Vec<String>>) {
    if let Some(reference) = schema["$ref"].as_str() {
        return fields(
            document,
            document.pointer(reference.trim_start_matches('#')).unwrap(),
            path,
            leaves,
        );
    }
    let alternatives =
        ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
    let mut inner = 0;
    for alternative in alternatives {
        inner += 1;
        fields(document, alternative, path, leaves);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        inner += 1;
        path.push(name.clone());
        // The envelope is a list. Lists in a document are values.
        let property =
            if path.len() == 1 && name == "data" { &property["items"] } else { property };
        fields(document, property, path, leaves);
        path.pop();
    }
    if inner == 0 && !path.is_empty() && schema["type"] != "null" && !leaves.contains(path) {
        leaves.push(path.clone());
    }
}

fn below_data(leaf: &[String]) -> Option<&[String]> {
    let (first, rest) = leaf.split_first()?;
    (first == "data" && !rest.is_empty()).then_some(rest)
}

#[test]
fn all_collections_and_fields_have_descriptions() {
    for version in VERSIONS {
        for collection in catalog(version).collections {
            assert!(!collection.description.is_empty(), "{version}: {}", collection.name);
            let columns =
                collection.columns.iter().map(|column| (&column.name, column.description));
            let series = collection.series.iter().map(|series| (&series.name, series.description));
            for (name, description) in columns.chain(series) {
                assert!(
                    !description.is_empty(),
                    "{version}: {}: {name} has no description",
                    collection.name
                );
            }
        }
    }
}

#[test]
fn every_collection_of_1_43_has_a_scope() {
    let without: Vec<String> = catalog("1.43")
        .collections
        .into_iter()
        .filter(|one| one.scope.is_none())
        .map(|one| one.name)
        .collect();
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn all_numbers_except_pure_ones_have_units() {
    const PURE: &[&str] = &[
        "score",
        "_score",
        "_score_delta",
        "inactivity_alerts",
        "steps",
        "breathing_disturbance_index",
        "period",
        "restless_periods",
        "size",
        "motion_count",
    ];
    for collection in catalog("1.43").collections {
        let numeric = |kind: Kind| matches!(kind, Kind::Integer | Kind::Real);
        let columns = collection
            .columns
            .iter()
            .filter(|column| numeric(column.kind))
            .map(|column| (&column.name, column.unit));
        let sampled = collection
            .series
            .iter()
            .filter(|series| series.encoding == Encoding::Sample)
            .map(|series| (&series.name, series.unit));
        for (name, unit) in columns.chain(sampled) {
            let pure = name.contains("contributors_")
                || PURE.iter().any(|pure| name == pure || name.ends_with(pure));
            assert!(unit.is_some() != pure, "{}: {name} has unit {unit:?}", collection.name);
        }
    }
}

#[test]
fn digit_texts_are_series_with_codes() {
    let sleep = newest("sleep");
    let stages =
        sleep.series.iter().find(|series| series.name == "sleep.sleep_phase_5_min").unwrap();
    assert_eq!(
        stages.encoding,
        Encoding::Digits {
            interval: 300,
            codes: &[(1, "deep"), (2, "light"), (3, "rem"), (4, "awake")]
        }
    );
    for collection in Catalog::bundled().collections {
        for series in collection.series {
            if let Encoding::Digits { codes, .. } = series.encoding {
                assert!(!codes.is_empty(), "{}", series.name);
            }
        }
    }
}

/// Returns a document with one collection with these parameters and properties.
fn with_collection(name: &str, parameters: &[&str], properties: Value) -> Vec<u8> {
    let parameters: Vec<Value> =
        parameters.iter().map(|name| json!({"name": name, "in": "query"})).collect();
    let items = json!({"type": "object", "properties": properties});
    let schema = json!({"properties": {"data": {"type": "array", "items": items}}});
    let content = json!({"application/json": {"schema": schema}});
    let get = json!({"parameters": parameters, "responses": {"200": {"content": content}}});
    let paths = json!({format!("/v2/usercollection/{name}"): {"get": get}});
    json!({"openapi": "3.1.0", "info": {"version": "9.9"}, "paths": paths}).to_string().into_bytes()
}

fn only(document: &[u8]) -> Collection {
    Catalog::from_openapi(document).unwrap().collections.remove(0)
}

#[test]
fn unknown_collection_is_ingested() {
    let properties = json!({
        "id": {"type": "string"},
        "day": {"type": "string", "format": "date"},
        "glow": {"type": ["number", "null"]},
        "glow_10_min": {"type": "string"},
        "aura": {"type": "object", "properties": {"hue": {"type": "integer"}}},
    });
    let shine = only(&with_collection("daily_shine", &["start_date", "end_date"], properties));
    assert_eq!(
        (shine.style, shine.storage, &shine.key, shine.scope),
        (Style::Dates, Storage::Documents, &KeyRule::Document, None)
    );
    let columns: BTreeSet<(&str, Kind)> =
        shine.columns.iter().map(|column| (column.name.as_str(), column.kind)).collect();
    assert_eq!(
        columns,
        BTreeSet::from([("aura_hue", Kind::Integer), ("glow", Kind::Real), ("id", Kind::Text)])
    );
    assert_eq!(shine.series[0].encoding, Encoding::Digits { interval: 600, codes: &[] });
}

#[test]
fn other_fields_of_a_series_are_columns() {
    let hrv = json!({"properties": {
        "interval": {"type": "number"}, "items": {"type": "array", "items": {"type": "number"}},
        "timestamp": {"type": "string", "format": "date-time"}, "quality": {"type": "integer"}
    }});
    let sleep = only(&with_collection(
        "sleep",
        &["start_date"],
        json!({"id": {"type": "string"}, "hrv": hrv}),
    ));
    let columns: BTreeSet<(&str, Kind)> =
        sleep.columns.iter().map(|column| (column.name.as_str(), column.kind)).collect();
    assert_eq!(columns, BTreeSet::from([("hrv_quality", Kind::Integer), ("id", Kind::Text)]));
    assert_eq!((sleep.series.len(), &sleep.series[0].encoding), (1, &Encoding::Sample));
}

#[test]
fn unknown_rows_without_id_are_rows() {
    let properties = json!({
        "timestamp": {"type": "string", "format": "date-time"},
        "level": {"type": "number"},
    });
    let glucose =
        only(&with_collection("blood_glucose", &["start_datetime", "end_datetime"], properties));
    assert_eq!((glucose.storage, glucose.key), (Storage::Rows, KeyRule::Fields(vec!["timestamp"])));
}

#[test]
fn row_key_contains_only_existing_fields() {
    let properties =
        json!({"timestamp": {"type": "string", "format": "date-time"}, "bpm": {"type": "integer"}});
    let heartrate = only(&with_collection("heartrate", &["start_datetime"], properties));
    assert_eq!(heartrate.key, KeyRule::Fields(vec!["timestamp"]));
}

#[test]
fn reserved_names_are_avoided() {
    let properties = json!({
        "time": {"type": "string"},
        "Document": {"type": "string"},
        "a": {"properties": {"b": {"type": "string"}}},
        "a_b": {"type": "string"},
    });
    let nights = only(&with_collection("Nights", &["start_date"], properties));
    assert_eq!(nights.table, "collection_nights");
    let names: BTreeSet<&str> = nights.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["Document_", "a_b", "a_b_", "time_"]));
}

#[test]
fn recursive_type_is_json() {
    let mut document = json(&with_collection(
        "tree",
        &["start_date"],
        json!({"root": {"$ref": "#/components/schemas/Node"}}),
    ));
    document["components"] = json!({"schemas": {"Node": {"properties": {
        "left": {"$ref": "#/components/schemas/Node"},
        "leaf": {"type": "integer"},
    }}}});
    let tree = only(document.to_string().as_bytes());
    let kinds: BTreeSet<(&str, Kind)> =
        tree.columns.iter().map(|column| (column.name.as_str(), column.kind)).collect();
    assert_eq!(kinds, BTreeSet::from([("root_left", Kind::Json), ("root_leaf", Kind::Integer)]));
}

#[test]
fn invalid_documents_are_rejected() {
    assert!(matches!(Catalog::from_openapi(b"<html>"), Err(CatalogError::Json(_))));
    for nothing in [
        "{}",
        "[]",
        "null",
        r#"{"paths": {"/v2/sandbox/usercollection/sleep": {"get": {}}}}"#,
        r#"{"paths": 1}"#,
    ] {
        assert!(
            matches!(Catalog::from_openapi(nothing.as_bytes()), Err(CatalogError::Empty)),
            "{nothing}"
        );
    }
}
