//! Identity, time, cells and samples of documents, valid and invalid.

use std::sync::LazyLock;

use ringside::catalog::{Catalog, Cell, Collection, DocumentError, SamplePoint, Storage};
use ringside::time::{Day, Instant, Stamp, Tz};
use serde_json::{Value, json};

use super::newest;
use crate::common::external_fixture;

static VIENNA: LazyLock<Tz> = LazyLock::new(|| Tz::named("Europe/Vienna"));

fn at(text: &str) -> Instant {
    Stamp::parse(text, *VIENNA).unwrap().at
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn cell(collection: &Collection, document: &Value, column: &str) -> Cell {
    let place = collection
        .columns
        .iter()
        .position(|one| one.name == column)
        .unwrap_or_else(|| panic!("no column {column}"));
    collection.cells(document, *VIENNA)[place].clone()
}

/// The fields that the columns of `document` lose.
fn extra(collection: &Collection, document: &Value) -> Cell {
    collection.extra(document, &collection.cells(document, *VIENNA))
}

/// The points of one series.
fn points(collection: &Collection, document: &Value, series: &str) -> Vec<(Instant, f64)> {
    let index = collection.series.iter().position(|one| one.name == series).unwrap();
    let start = collection.read(document, *VIENNA).unwrap().start_at;
    collection
        .samples(document, start, *VIENNA)
        .into_iter()
        .filter(|point| point.series == index)
        .map(|point| (point.at, point.value))
        .collect()
}

fn night() -> Value {
    json!({
        "id": "2-5daccc", "day": "2026-03-29",
        "bedtime_start": "2026-03-28T23:10:00.000+01:00",
        "bedtime_end": "2026-03-29T07:40:00+02:00",
        "average_breath": 14.875, "average_hrv": null, "lowest_heart_rate": 255,
        "low_battery_alert": false, "efficiency": 91,
        "readiness": {
            "score": 80, "temperature_deviation": -0.2,
            "contributors": {"body_temperature": 0, "previous_night": 77},
        },
        "hrv": {
            "interval": 300.0, "items": [null, null, 31.0, 40, null, 52],
            "timestamp": "2026-03-28T23:10:00.000+01:00",
        },
        "sleep_phase_5_min": "442?1"
    })
}

#[test]
fn sleep_has_its_day_and_bedtimes() {
    let reading = newest("sleep").read(&night(), *VIENNA).unwrap();
    assert_eq!((reading.id.as_str(), reading.day), ("2-5daccc", Some(day("2026-03-29"))));
    assert_eq!(reading.start_at, Some(at("2026-03-28T22:10:00Z")));
    assert_eq!(reading.end_at, Some(at("2026-03-29T05:40:00Z")));
    assert_eq!(reading.utc_offset, Some(3600));
}

#[test]
fn sentinels_and_missing_values_are_null() {
    let (sleep, night) = (newest("sleep"), night());
    for missing in [
        "lowest_heart_rate",
        "average_hrv",
        "readiness_contributors_body_temperature",
        "readiness_contributors_sleep_balance",
    ] {
        assert_eq!(cell(&sleep, &night, missing), Cell::Null, "{missing}");
    }
    assert_eq!(cell(&sleep, &night, "readiness_contributors_previous_night"), Cell::Integer(77));
    assert_eq!(cell(&sleep, &night, "average_breath"), Cell::Real(14.875));
    assert_eq!(cell(&sleep, &night, "low_battery_alert"), Cell::Integer(0));
    assert_eq!(
        cell(&sleep, &night, "bedtime_end"),
        Cell::Integer(at("2026-03-29T05:40:00Z").seconds())
    );
}

#[test]
fn null_items_of_a_series_are_gaps() {
    let start = at("2026-03-28T22:10:00Z");
    assert_eq!(
        points(&newest("sleep"), &night(), "sleep.hrv"),
        [(start.plus(600), 31.0), (start.plus(900), 40.0), (start.plus(1500), 52.0)]
    );
}

#[test]
fn digits_start_with_the_document() {
    let start = at("2026-03-28T22:10:00Z");
    let expected =
        [(start, 4.0), (start.plus(300), 4.0), (start.plus(600), 2.0), (start.plus(1200), 1.0)];
    assert_eq!(points(&newest("sleep"), &night(), "sleep.sleep_phase_5_min"), expected);
}

#[test]
fn activity_classes_start_at_four() {
    let document = json!({
        "id": "a", "day": "2026-03-29",
        "timestamp": "2026-03-29T04:00:00.000+02:00", "class_5_min": "05",
    });
    let activity = newest("daily_activity");
    let reading = activity.read(&document, *VIENNA).unwrap();
    assert_eq!((reading.start_at, reading.utc_offset), (Some(at("2026-03-28T23:00:00Z")), None));
    let four = at("2026-03-29T02:00:00Z");
    assert_eq!(
        points(&activity, &document, "daily_activity.class_5_min"),
        [(four, 0.0), (four.plus(300), 5.0)]
    );
}

#[test]
fn missing_id_falls_back_to_day_then_start() {
    let read = |name: &str, document: Value| {
        newest(name).read(&document, *VIENNA).map(|reading| reading.id)
    };
    assert_eq!(
        read("daily_cardiovascular_age", json!({"day": "2024-12-01", "vascular_age": 35})).unwrap(),
        "2024-12-01"
    );
    assert_eq!(
        read("daily_cardiovascular_age", json!({"id": "", "day": "2024-12-01"})).unwrap(),
        "2024-12-01"
    );
    assert_eq!(
        read("workout", json!({"start_datetime": "2024-12-01T10:00:00+01:00"})).unwrap(),
        "2024-12-01T09:00:00Z"
    );
    assert_eq!(read("workout", json!({"id": 77})).unwrap(), "77");
    assert_eq!(read("personal_info", json!({"age": 42})).unwrap(), "personal_info");
    assert_eq!(read("workout", json!({"activity": "walking"})), Err(DocumentError::NoKey));
    assert_eq!(read("workout", json!(["walking"])), Err(DocumentError::NotAnObject));
}

#[test]
fn period_without_day_gets_its_start_day() {
    let tag = json!({
        "id": "t", "start_time": "2024-08-05T20:15:01+02:00",
        "start_day": "2024-08-05", "end_time": null,
    });
    assert_eq!(newest("enhanced_tag").read(&tag, *VIENNA).unwrap().day, Some(day("2024-08-05")));
    let tag = json!({"id": "t", "start_time": "2024-08-05T23:30:00Z"});
    assert_eq!(newest("enhanced_tag").read(&tag, *VIENNA).unwrap().day, Some(day("2024-08-06")));
}

#[test]
fn setup_date_of_1970_is_null() {
    let ring = newest("ring_configuration");
    let old = json!({"id": "r", "set_up_at": "1970-01-01T00:00:00+00:00", "size": 11});
    assert_eq!(
        (ring.read(&old, *VIENNA).unwrap().start_at, cell(&ring, &old, "set_up_at")),
        (None, Cell::Null)
    );
    let new = json!({"id": "r", "set_up_at": "2024-10-03T08:00:00+00:00"});
    assert_eq!(ring.read(&new, *VIENNA).unwrap().day, Some(day("2024-10-03")));
}

#[test]
fn timestamp_format_does_not_change_row_keys() {
    let key = |timestamp: &str, source: &str| {
        newest("heartrate")
            .read(&json!({"bpm": 60, "source": source, "timestamp": timestamp}), *VIENNA)
            .unwrap()
            .id
    };
    assert_eq!(key("2024-12-14T10:00:00+00:00", "rest"), key("2024-12-14T10:00:00.000Z", "rest"));
    assert_ne!(key("2024-12-14T10:00:00+00:00", "rest"), key("2024-12-14T10:00:00+00:00", "awake"));
    assert_ne!(key("2024-12-14T10:00:00+00:00", "rest"), key("2024-12-14T10:00:05+00:00", "rest"));
}

#[test]
fn row_without_timestamp_has_no_key() {
    for row in [
        json!({"bpm": 60, "source": "rest"}),
        json!({"timestamp": "soon", "source": "rest"}),
        json!({"timestamp": null}),
    ] {
        assert_eq!(newest("heartrate").read(&row, *VIENNA), Err(DocumentError::NoKey), "{row}");
    }
}

#[test]
fn unknown_fields_are_stored_in_extra() {
    let heartrate = newest("heartrate");
    let row = json!({
        "bpm": 60, "source": "rest", "timestamp": "2026-01-01T00:00:00Z", "timestamp_unix": 1,
        "confidence": 0.5, "note": [1],
    });
    assert_eq!(extra(&heartrate, &row), Cell::Text(r#"{"confidence":0.5,"note":[1]}"#.to_owned()));
    assert_eq!(extra(&heartrate, &json!({"bpm": 60, "producer_timestamp": null})), Cell::Null);
}

#[test]
fn what_the_columns_of_a_row_lose_is_in_extra() {
    let heartrate = newest("heartrate");
    let row = |field: &str, value: Value| json!({"timestamp": "2026-01-01T00:00:00.25Z", "source": "rest", "bpm": 60, field: value});
    for (field, value, is_lost) in [
        ("producer_timestamp", json!("2026-01-01T00:00:00Z"), false),
        ("producer_timestamp", json!("2026-01-01T01:00:00.25+01:00"), false),
        ("producer_timestamp", json!("2026-01-01T00:00:01.25Z"), true),
        ("producer_timestamp", json!("2026-01-01T00:00:00.5Z"), true),
        ("producer_timestamp", json!(1_767_225_600_250_i64), false),
        ("producer_timestamp", json!(1_767_225_600_001_i64), true),
        ("producer_timestamp", json!("soon"), true),
        ("bpm", json!("60"), false),
        ("bpm", json!("high"), true),
        ("bpm", json!(null), false),
    ] {
        let lost = extra(&heartrate, &row(field, value.clone()));
        let expected = Cell::Text(json!({ field: value }).to_string());
        assert_eq!(lost, if is_lost { expected } else { Cell::Null }, "{field}");
    }

    // Columns of nested objects, as a later version of the API may have them.
    let mut readiness = newest("daily_readiness");
    readiness.storage = Storage::Rows;
    for (contributors, is_lost) in [
        (json!({"body_temperature": 80, "hrv_balance": null}), false),
        (json!({"body_temperature": "80"}), false),
        (json!({"body_temperature": "high"}), true),
        (json!({"body_temperature": 80, "new": 1}), true),
        (json!("high"), true),
        (json!(null), false),
    ] {
        let document = json!({"contributors": contributors});
        let expected = if is_lost { Cell::Text(document.to_string()) } else { Cell::Null };
        assert_eq!(extra(&readiness, &document), expected);
    }
}

#[test]
fn producer_timestamp_can_be_text_or_number() {
    let battery = newest("ring_battery_level");
    for written in
        [json!("2026-01-01T00:00:00Z"), json!(1_767_225_600), json!(1_767_225_600_000_i64)]
    {
        assert_eq!(
            cell(&battery, &json!({"producer_timestamp": written}), "producer_timestamp"),
            Cell::Integer(1_767_225_600),
            "{written}"
        );
    }
}

#[test]
fn values_of_another_type_are_numbers_or_null() {
    let sleep = newest("sleep");
    let text = |text: &str| Cell::Text(text.to_owned());
    for (column, value, expected) in [
        ("efficiency", json!(90.5), Cell::Real(90.5)),
        ("efficiency", json!("high"), Cell::Null),
        ("efficiency", json!("NaN"), Cell::Null),
        ("efficiency", json!("inf"), Cell::Null),
        ("efficiency", json!(""), Cell::Null),
        ("efficiency", json!("85"), Cell::Integer(85)),
        ("efficiency", json!(" 85.5 "), Cell::Real(85.5)),
        ("efficiency", json!(true), Cell::Null),
        ("efficiency", json!([1, 2]), Cell::Null),
        ("efficiency", json!({"value": 85}), Cell::Null),
        ("average_breath", json!("15"), Cell::Real(15.0)),
        ("average_breath", json!("1e999"), Cell::Null),
        ("efficiency", json!(u64::MAX), Cell::Real(u64::MAX as f64)),
        ("average_breath", json!(15), Cell::Real(15.0)),
        ("type", json!(7), text("7")),
        ("low_battery_alert", json!(1), Cell::Integer(1)),
        ("low_battery_alert", json!("true"), Cell::Integer(1)),
        ("low_battery_alert", json!("0"), Cell::Integer(0)),
        ("low_battery_alert", json!(7), Cell::Null),
        ("low_battery_alert", json!("maybe"), Cell::Null),
        ("bedtime_end", json!("whenever"), Cell::Null),
        ("lowest_heart_rate", json!(255.0), Cell::Null),
        ("lowest_heart_rate", json!("255"), Cell::Null),
        ("bedtime_end", json!("1767225600"), Cell::Integer(1_767_225_600)),
    ] {
        assert_eq!(cell(&sleep, &json!({column: value}), column), expected, "{column} {value}");
    }
}

#[test]
fn times_and_days_can_be_unix_numbers() {
    let sleep = newest("sleep");
    let start = at("2026-03-28T22:10:00Z");
    let mut counted = night();
    counted["bedtime_start"] = json!(start.seconds());
    counted["bedtime_end"] = json!(at("2026-03-29T05:40:00Z").seconds() * 1000);
    counted["day"] = json!(at("2026-03-29T00:00:00Z").seconds());
    counted["hrv"]["timestamp"] = json!(start.seconds());
    let (reading, written) =
        (sleep.read(&counted, *VIENNA).unwrap(), sleep.read(&night(), *VIENNA).unwrap());
    assert_eq!(
        (reading.day, reading.start_at, reading.end_at),
        (written.day, written.start_at, written.end_at)
    );
    assert_eq!(points(&sleep, &counted, "sleep.hrv"), points(&sleep, &night(), "sleep.hrv"));
    let key = |timestamp: Value| {
        newest("heartrate")
            .read(&json!({"bpm": 60, "source": "rest", "timestamp": timestamp}), *VIENNA)
    };
    assert_eq!(
        key(json!(start.seconds())).unwrap().id,
        key(json!("2026-03-28T22:10:00Z")).unwrap().id
    );
    for number in
        [json!(0), json!(255), json!(20_260_329), json!(-1), json!(u64::MAX), json!(1e300)]
    {
        assert_eq!(key(number.clone()), Err(DocumentError::NoKey), "{number}");
    }
}

#[test]
fn key_order_does_not_change_cells() {
    let heartrate = newest("heartrate");
    let rest_mode = newest("rest_mode_period");
    for text in [
        r#"{"zeta": {"b": 1, "a": [{"d": 2, "c": 3}]}, "alpha": 1}"#,
        r#"{"alpha": 1, "zeta": {"a": [{"c": 3, "d": 2}], "b": 1}}"#,
    ] {
        let document: Value = serde_json::from_str(text).unwrap();
        let sorted = r#"{"alpha":1,"zeta":{"a":[{"c":3,"d":2}],"b":1}}"#;
        assert_eq!(extra(&heartrate, &document), Cell::Text(sorted.to_owned()));
        let episodes = cell(&rest_mode, &json!({ "episodes": document }), "episodes");
        assert_eq!(episodes, Cell::Text(sorted.to_owned()));
    }
}

#[test]
fn lists_are_json() {
    assert_eq!(
        cell(&newest("tag"), &json!({"tags": ["tag_sleep_nap"]}), "tags"),
        Cell::Text(r#"["tag_sleep_nap"]"#.to_owned())
    );
}

#[test]
fn series_with_invalid_interval_has_no_points() {
    let session = newest("session");
    for interval in [json!(0), json!(-5), json!(1e300), json!("often"), json!(null)] {
        let document = json!({"id": "s", "motion_count": {
            "interval": interval, "items": [1, 2], "timestamp": "2026-01-01T00:00:00Z",
        }});
        assert_eq!(points(&session, &document, "session.motion_count"), [], "{interval}");
    }
}

#[test]
fn series_is_cut_after_the_maximum() {
    let items = vec![1; 150_000];
    let document = json!({"id": "s", "motion_count": {
        "interval": 1, "items": items, "timestamp": "2026-01-01T00:00:00Z",
    }});
    assert_eq!(points(&newest("session"), &document, "session.motion_count").len(), 100_000);
}

#[test]
#[ignore = "needs the recordings in ../shared/oura"]
fn recorded_documents_are_read_completely() {
    let folder = external_fixture("recorded");
    let mut seen = 0;
    for collection in Catalog::bundled().collections {
        let Ok(answer) = std::fs::read(folder.join(format!("{}.json", collection.name))) else {
            continue;
        };
        let body = &serde_json::from_slice::<Value>(&answer).unwrap()["body"];
        let documents = body["data"].as_array().cloned().unwrap_or_else(|| vec![body.clone()]);
        for document in documents {
            seen += 1;
            let reading = collection.read(&document, *VIENNA).unwrap();
            if collection.name != "personal_info" {
                assert!(
                    reading.day.is_some() || collection.name == "ring_configuration",
                    "{}: {}",
                    collection.name,
                    reading.id
                );
                assert!(
                    reading.start_at.is_some() || collection.name == "ring_configuration",
                    "{}: {}",
                    collection.name,
                    reading.id
                );
            }
            assert_eq!(
                extra(&collection, &document),
                Cell::Null,
                "{}: {}",
                collection.name,
                reading.id
            );
            let samples: Vec<SamplePoint> =
                collection.samples(&document, reading.start_at, *VIENNA);
            let nested =
                collection.series.iter().any(|series| document[&series.path[0]].is_string());
            assert!(
                !samples.is_empty() || !nested,
                "{}: {} has no samples",
                collection.name,
                reading.id
            );
            for (column, cell) in
                collection.columns.iter().zip(collection.cells(&document, *VIENNA))
            {
                let written = column.path.iter().fold(&document, |value, name| &value[name]);
                let absent = written.is_null() || column.sentinel.is_some();
                assert!(
                    cell != Cell::Null || absent,
                    "{}.{} lost {written}",
                    collection.name,
                    column.name
                );
            }
        }
    }
    assert!(seen > 1000, "only {seen} documents were recorded");
}

#[test]
fn a_year_of_more_than_four_digits_is_no_time() {
    for written in ["+262142-12-31T23:59:59", "-262143-01-01T00:00:00Z"] {
        assert_eq!(
            newest("workout")
                .read(&json!({"start_datetime": written}), Tz::named("America/New_York")),
            Err(DocumentError::NoKey),
            "{written}"
        );
    }
    assert_eq!(
        newest("workout").read(&json!({"day": "+262142-12-31"}), *VIENNA),
        Err(DocumentError::NoKey)
    );
}
