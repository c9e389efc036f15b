//! One test for each kind of odd document, with its siblings, through the executor.

use std::collections::BTreeMap;

use ringside::catalog::{Catalog, Storage};
use ringside::simulator::{Config, Simulator};
use ringside::store::Store;
use ringside::time::Clock;
use serde_json::{Value, json};

use super::{FIRST_DAY, LAST_DAY, Oura, hex, now, served, stored};
use crate::common::{ThreadLog, day, rows, sync};

/// The store in `folder` after a sync with these documents.
async fn store_of(folder: &tempfile::TempDir, documents: &[(&str, Vec<Vec<u8>>)]) -> Store {
    let mut all: BTreeMap<_, _> =
        documents.iter().map(|(name, documents)| ((*name).to_owned(), documents.clone())).collect();
    all.entry("personal_info".to_owned()).or_insert_with(|| vec![b"{\"id\":\"p\"}".to_vec()]);
    stored(folder.path(), Oura { served: all, page: 1000, last_token: "null" }).await.store
}

/// A tag of 10 June with the JSON text `comment`.
fn tag(id: &str, comment: &[u8]) -> Vec<u8> {
    let start = format!(
        "{{\"id\":\"{id}\",\"tag_type_code\":\"tag_generic_party\",\"start_day\":\"2026-06-10\",\
         \"start_time\":\"2026-06-10T20:00:00+02:00\",\"comment\":"
    );
    [start.as_bytes(), comment, b"}"].concat()
}

/// Odd contents of a text: JSON or something like it, the fault, and the text in the typed table.
fn odd_texts() -> Vec<(Vec<u8>, Option<&'static str>, Value)> {
    let long = "é".repeat(100_000);
    let shortened = "é".repeat(20_000);
    let deep = |depth| [b"[".repeat(depth), b"]".repeat(depth)].concat();
    let plain: [(&[u8], Option<&str>, Value); 14] = [
        (br#""half \ud83d""#, Some("text"), json!("half \u{fffd}")),
        (br#""\ude00 half""#, Some("text"), json!("\u{fffd} half")),
        (br#""\ud83d\ud83d\ude00""#, Some("text"), json!("\u{fffd}\u{1f600}")),
        (b"\"caf\xff\"", Some("encoding"), json!("caf\u{fffd}")),
        (b"\"caf\xe9\"", Some("encoding"), json!("caf\u{fffd}")),
        (b"\"\xed\xa0\xbd\"", Some("encoding"), json!("\u{fffd}\u{fffd}\u{fffd}")),
        (b"1e999", Some("number"), Value::Null),
        (b"-1e999", Some("number"), Value::Null),
        (b"NaN", Some("syntax"), Value::Null),
        (b"007", Some("syntax"), json!("7.0")),
        (b"'single'", Some("syntax"), Value::Null),
        (b"\"tab\there\"", Some("syntax"), json!("tab\there")),
        (b"\"first\",\"comment\":\"last\"", None, json!("last")),
        (b"{\"a\":true}", None, json!("{\"a\":true}")),
    ];
    let mut texts: Vec<_> =
        plain.into_iter().map(|(text, fault, typed)| (text.to_vec(), fault, typed)).collect();
    texts.push((
        deep(20_000),
        Some("nesting"),
        json!(format!("{}null{}", "[".repeat(99), "]".repeat(99))),
    ));
    texts.push((
        format!("\"{shortened}\"").into_bytes(),
        None,
        json!(format!("{}…", "é".repeat(8_190))),
    ));
    texts.push((format!("\"{long}\"").into_bytes(), Some("too_long"), Value::Null));
    texts
}

#[tokio::test]
async fn odd_text_spoils_neither_its_document_nor_others() {
    let log = ThreadLog::new();
    let folder = tempfile::tempdir().unwrap();
    let texts = odd_texts();
    let mut tags: Vec<Vec<u8>> = texts
        .iter()
        .enumerate()
        .map(|(number, (text, ..))| tag(&format!("t{number}"), text))
        .collect();
    tags.push(tag("good", b"\"good\""));
    let store = store_of(&folder, &[("enhanced_tag", tags.clone())]).await;
    let found = rows(
        &store,
        "SELECT raw.document_id, raw.fault, tag.comment, tag.day, tag.tag_type_code, raw.utc_offset,
                hex(CAST(coalesce(original, payload) AS BLOB)), payload ->> '$.truncated.bytes'
         FROM enhanced_tag AS tag JOIN oura_raw_documents AS raw USING (document)",
    );
    assert_eq!(found.len(), tags.len());
    let found: BTreeMap<&str, &Vec<Value>> =
        found.iter().map(|row| (row[0].as_str().unwrap(), row)).collect();
    for (number, (text, fault, typed)) in texts.iter().enumerate() {
        let row = found[format!("t{number}").as_str()];
        let context = String::from_utf8_lossy(&text[..text.len().min(40)]);
        assert_eq!(row[1], json!(fault), "{context}");
        assert_eq!(row[2], *typed, "{context}");
        assert_eq!(row[3..6], [json!("2026-06-10"), json!("tag_generic_party"), json!(7200)]);
        if *fault == Some("too_long") {
            assert_eq!(row[7], json!(tags[number].len()));
        } else {
            let bytes = row[6].as_str().unwrap().to_lowercase();
            assert_eq!(bytes, hex(&tags[number]), "{context}");
        }
    }
    let faults = texts.iter().filter(|(_, fault, _)| fault.is_some()).count();
    for counted in [
        "SELECT faulty FROM collections WHERE name = 'enhanced_tag'",
        "SELECT faulty FROM coverage WHERE collection = 'enhanced_tag' AND day = '2026-06-10'",
    ] {
        assert_eq!(rows(&store, counted), [[json!(faults)]], "{counted}");
    }
    let warning = format!("collection=\"enhanced_tag\" documents={faults}");
    assert!(log.take().contains(&warning));

    // Another sync changes no row: no revision, no deletion, no warning.
    let before = "SELECT document_id, revision, hash, deleted_at FROM oura_raw_documents";
    let before_sync = rows(&store, before);
    let store = store_of(&folder, &[("enhanced_tag", tags)]).await;
    assert_eq!(rows(&store, before), before_sync);
    assert_eq!(log.take(), "");
}

#[tokio::test]
async fn edit_into_an_unreadable_form_is_a_revision() {
    let folder = tempfile::tempdir().unwrap();
    let good = tag("edited", b"\"good\"");
    let mut revision = 1;
    store_of(&folder, &[("enhanced_tag", vec![good.clone()])]).await;
    let odd = odd_texts().into_iter().filter(|(_, fault, _)| fault.is_some());
    for (text, fault, _) in odd.step_by(2) {
        for (document, fault) in [(tag("edited", &text), fault), (good.clone(), None)] {
            let store = store_of(&folder, &[("enhanced_tag", vec![document])]).await;
            revision += 1;
            let found = rows(
                &store,
                "SELECT document_id, revision, fault, original IS NULL, deleted_at, tag_type_code
                 FROM oura_raw_documents LEFT JOIN enhanced_tag USING (document)
                 WHERE resource = 'enhanced_tag'",
            );
            assert_eq!(found.len(), 1, "{fault:?}");
            assert_eq!(found[0][..3], [json!("edited"), json!(revision), json!(fault)]);
            assert!(found[0][3] == json!(1) || fault.is_some(), "a good form has no original");
            assert_eq!(found[0][4..], [Value::Null, json!("tag_generic_party")]);
        }
    }
}

#[tokio::test]
async fn documents_without_a_readable_identity_stay_apart() {
    let folder = tempfile::tempdir().unwrap();
    let unreadable: Vec<Vec<u8>> = [
        &b"{\"comment\":\"a\xff\"}"[..],
        b"{\"comment\":\"a\xfe\"}",
        b"{\"comment\":\"half \\ud83d\"}",
        b"{\"comment\":\"half \\ud83c\"}",
        b"17",
        b"NaN",
        b"[]",
    ]
    .map(<[u8]>::to_vec)
    .into();
    let twins = [70, 71, 71, 72]
        .map(|score| json!({"day": "2026-06-10", "score": score}).to_string().into_bytes());
    let ids = [
        &br#"{"id":"a\ud83d","start_day":"2026-06-10"}"#[..],
        b"{\"id\":\"a\\ud83c\"}",
        b"{\"id\":\"a\xff\"}",
        b"{\"id\":\"a\xfe\"}",
        b"{\"id\":17}",
    ]
    .map(<[u8]>::to_vec);
    let documents = [
        ("tag", unreadable.clone()),
        ("daily_sleep", twins.to_vec()),
        ("enhanced_tag", ids.to_vec()),
    ];
    for _ in 0..2 {
        let store = store_of(&folder, &documents).await;
        let ids = |collection: &str| -> Vec<String> {
            let sql = format!(
                "SELECT document_id FROM oura_raw_documents
                 WHERE resource = '{collection}' AND deleted_at IS NULL ORDER BY 1"
            );
            rows(&store, &sql).iter().map(|row| row[0].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(ids("tag").len(), unreadable.len());
        assert!(ids("tag").iter().all(|id| id.starts_with("sha256:")));
        assert_eq!(ids("daily_sleep"), ["2026-06-10", "2026-06-10#2", "2026-06-10#3"]);
        assert_eq!(ids("enhanced_tag"), ["17", r"a\ud83c", r"a\ud83d", r"a\xfe", r"a\xff"]);
        let deleted = "SELECT count(*) FROM oura_raw_documents WHERE deleted_at IS NOT NULL";
        assert_eq!(rows(&store, deleted), [[json!(0)]]);
    }
}

#[tokio::test]
async fn odd_values_of_numbers_are_numbers_or_null() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        (json!(80), json!(80)),
        (json!("81"), json!(81)),
        (json!(" 82.5 "), json!(82.5)),
        (json!("1e2"), json!(100)),
        (json!(true), Value::Null),
        (json!("high"), Value::Null),
        (json!(""), Value::Null),
        (json!("NaN"), Value::Null),
        (json!("inf"), Value::Null),
        (json!([83]), Value::Null),
        (json!({"value": 84}), Value::Null),
        (Value::Null, Value::Null),
    ];
    let scores: Vec<Value> = cases
        .iter()
        .enumerate()
        .map(|(number, (score, _))| {
            json!({"id": format!("{number:02}"), "day": "2026-06-10", "score": score,
                   "contributors": {"deep_sleep": score}})
        })
        .collect();
    let beats: Vec<Value> = cases
        .iter()
        .enumerate()
        .map(|(number, (bpm, _))| {
            json!({"timestamp": format!("2026-06-10T10:00:{number:02}Z"), "bpm": bpm,
                   "source": "awake"})
        })
        .collect();
    let items: Vec<Value> = cases.iter().map(|(value, _)| value.clone()).collect();
    let night = json!({"id": "n", "day": "2026-06-10", "type": "long_sleep",
                       "bedtime_start": "2026-06-09T23:00:00+02:00",
                       "hrv": {"interval": "300", "items": items,
                               "timestamp": "2026-06-09T23:00:00+02:00"}});
    let store = store_of(
        &folder,
        &[
            ("daily_sleep", served(&scores)),
            ("heartrate", served(&beats)),
            ("sleep", served(&[night])),
        ],
    )
    .await;
    let expected: Vec<Vec<Value>> = cases.iter().map(|(_, typed)| vec![typed.clone()]).collect();
    for sql in [
        "SELECT score FROM daily_sleep ORDER BY id",
        "SELECT contributors_deep_sleep FROM daily_sleep ORDER BY id",
        "SELECT bpm FROM heartrate ORDER BY time",
    ] {
        assert_eq!(rows(&store, sql), expected, "{sql}");
    }
    let samples: Vec<f64> = rows(&store, "SELECT value FROM samples ORDER BY time")
        .iter()
        .map(|row| row[0].as_f64().unwrap())
        .collect();
    assert_eq!(samples, [80.0, 81.0, 82.5, 100.0], "quoted items count, others are gaps");
    // The raw documents, and the rows' extra, have the others.
    let raw = "SELECT payload -> '$.score' FROM oura_raw_documents WHERE resource = 'daily_sleep'
               ORDER BY document_id";
    let raw: Vec<Value> =
        rows(&store, raw).iter().map(|row| row[0].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(raw, items);
    let extra = "SELECT extra -> '$.bpm' FROM heartrate WHERE bpm IS NULL ORDER BY time";
    let extra: Vec<Value> = rows(&store, extra)
        .iter()
        .map(|row| row[0].as_str().map_or(Value::Null, |json| json.parse().unwrap()))
        .collect();
    assert_eq!(extra, items[4..]);
}

/// A series without a usable interval has no points. The other series and columns are as they were.
#[tokio::test]
async fn odd_intervals_spoil_their_series_only() {
    let folder = tempfile::tempdir().unwrap();
    let intervals = [
        json!(0),
        json!(-300),
        json!("five"),
        json!(""),
        json!("NaN"),
        json!([300]),
        json!({"seconds": 300}),
        json!(1e300),
        json!(true),
        Value::Null,
    ];
    let nights: Vec<Value> = intervals
        .iter()
        .enumerate()
        .map(|(hour, interval)| {
            let start = format!("2026-06-10T{hour:02}:00:00+02:00");
            json!({"id": format!("n{hour}"), "day": "2026-06-10", "type": "late_nap",
                   "bedtime_start": start, "average_hrv": 40,
                   "hrv": {"interval": interval, "items": [40, 41], "timestamp": start},
                   "heart_rate": {"interval": 300, "items": [50, 51], "timestamp": start}})
        })
        .collect();
    let store = store_of(&folder, &[("sleep", served(&nights))]).await;
    let count = intervals.len();
    for (sql, expected) in [
        ("SELECT count(*) FROM samples WHERE series = 'sleep.hrv'", 0),
        ("SELECT count(*) FROM samples WHERE series = 'sleep.heart_rate'", 2 * count),
        ("SELECT count(*) FROM sleep WHERE average_hrv = 40", count),
        ("SELECT count(*) FROM oura_raw_documents WHERE payload ->> '$.hrv.items[1]' = 41", count),
    ] {
        assert_eq!(rows(&store, sql), [[json!(expected)]], "{sql}");
    }
}

#[tokio::test]
async fn rows_within_a_second_are_all_kept() {
    let folder = tempfile::tempdir().unwrap();
    let times = ["10:00:00Z", "10:00:00.1Z", "10:00:00.100000001Z", "10:00:00.9Z", "10:00:01Z"];
    let times = times.map(|time| format!("2026-06-10T{time}"));
    let beats: Vec<Value> = ["awake", "rest"]
        .iter()
        .flat_map(|source| {
            times.iter().map(move |time| {
                json!({"timestamp": time, "bpm": 60, "source": source,
                       "producer_timestamp": "2026-06-10T09:59:59.125Z"})
            })
        })
        .collect();
    let levels = times.each_ref().map(
        |time| json!({"timestamp": time, "level": 50, "charging": false, "in_charger": false}),
    );
    let start = "2026-06-10T10:00:00Z";
    let night = json!({"id": "n", "day": "2026-06-10", "type": "long_sleep", "bedtime_start": start,
                       "hrv": {"interval": 0.4, "items": [40, 41, 42, 43], "timestamp": start}});
    let documents = [
        ("heartrate", served(&beats)),
        ("ring_battery_level", served(&levels)),
        ("sleep", served(&[night])),
    ];
    for _ in 0..2 {
        let store = store_of(&folder, &documents).await;
        for (sql, expected) in [
            ("SELECT count(*) FROM heartrate", 10),
            ("SELECT count(DISTINCT subsecond) FROM heartrate", 4),
            ("SELECT sum(count) FROM heartrate_1h", 10),
            (
                "SELECT count(*) FROM heartrate WHERE extra ->> 'producer_timestamp' GLOB '*.125Z'",
                10,
            ),
            ("SELECT count(*) FROM ring_battery_level", 5),
            ("SELECT count(*) FROM oura_raw_documents WHERE deleted_at IS NOT NULL", 0),
        ] {
            assert_eq!(rows(&store, sql), [[json!(expected)]], "{sql}");
        }
        // Of several points within a second, the last one counts. The document has all.
        let samples = "SELECT group_concat(value) FROM (SELECT value FROM samples ORDER BY time)";
        assert_eq!(rows(&store, samples), [[json!("42.0,43.0")]]);
    }
}

#[tokio::test]
async fn rows_that_their_table_cannot_hold_are_raw_documents() {
    let folder = tempfile::tempdir().unwrap();
    let note = "x".repeat(40_000);
    let beat = |time: &str, note: &str| json!({"timestamp": time, "bpm": 60, "source": "awake", "note": note});
    let beats = [
        beat("2026-06-10T10:00:00Z", &note),
        beat("9999-12-31T10:00:00Z", "future"),
        beat("0001-01-01T10:00:00Z", "past"),
        beat("midnight", "no time"),
    ];
    let good = beat("2026-06-10T10:00:01Z", "good");
    let mut documents = served(&beats);
    documents.push(good.to_string().into_bytes());
    documents.push(
        b"{\"timestamp\":\"2026-06-10T10:00:02Z\",\"bpm\":61,\"source\":\"rest\xff\"}".to_vec(),
    );
    for _ in 0..2 {
        let store = store_of(&folder, &[("heartrate", documents.clone())]).await;
        let times = "SELECT group_concat(time - 1781085600) FROM heartrate";
        assert_eq!(rows(&store, times), [[json!("0,1,2")]]);
        let raw = rows(
            &store,
            "SELECT fault, length(payload), original IS NULL FROM oura_raw_documents
             WHERE resource = 'heartrate' AND deleted_at IS NULL ORDER BY fault, payload",
        );
        let faults: Vec<&str> = raw.iter().map(|row| row[0].as_str().unwrap()).collect();
        assert_eq!(faults, ["encoding", "long_row", "no_time", "out_of_range", "out_of_range"]);
        assert_eq!(raw[1][1], json!(documents[0].len()), "the whole text");
        let last_day = "SELECT last_day FROM collections WHERE name = 'heartrate'";
        assert_eq!(rows(&store, last_day), [[json!("2026-06-10")]]);
    }
}

/// Documents without an id on one day, in other orders, with a new one and without an old one.
#[tokio::test]
async fn order_of_documents_without_an_id_is_no_revision() {
    let folder = tempfile::tempdir().unwrap();
    let all = |scores: &[i64]| -> Vec<Vec<u8>> {
        let scores = scores.iter().map(|score| json!({"day": "2026-06-10", "score": score}));
        served(&scores.collect::<Vec<_>>())
    };
    let stored = "SELECT document_id, payload ->> '$.score', revision, deleted_at IS NOT NULL
                  FROM oura_raw_documents WHERE resource = 'daily_sleep' ORDER BY document_id";
    let row = |number: &str, score: i64, revision: i64, is_deleted: i64| {
        let id = format!("2026-06-10{number}");
        vec![json!(id), json!(score), json!(revision), json!(is_deleted)]
    };
    let first = vec![row("", 72, 1, 0), row("#2", 71, 1, 0), row("#3", 70, 1, 0)];
    for scores in [[70, 71, 72], [72, 71, 70], [71, 72, 70]] {
        let store = store_of(&folder, &[("daily_sleep", all(&scores))]).await;
        assert_eq!(rows(&store, stored), first, "{scores:?}");
    }
    let store = store_of(&folder, &[("daily_sleep", all(&[72, 70, 73, 71]))]).await;
    let with_new = [first.clone(), vec![row("#4", 73, 1, 0)]].concat();
    assert_eq!(rows(&store, stored), with_new);
    // The second one is gone, and the third one is edited.
    let store = store_of(&folder, &[("daily_sleep", all(&[73, 72, 80]))]).await;
    let edited = [row("", 72, 1, 0), row("#2", 80, 2, 0), row("#3", 70, 1, 1), row("#4", 73, 1, 0)];
    assert_eq!(rows(&store, stored), edited);
}

/// Doubles and triples of each daily collection: other ids and values on the same days.
#[tokio::test]
async fn several_documents_of_a_day_are_one_row_in_days() {
    let catalog = Catalog::bundled();
    let config = Config::new(17, day("2026-05-01"), Clock::starting_at(now(), 0.0));
    let simulator = Simulator::start(config, ([127, 0, 0, 1], 0).into()).await.unwrap();
    let good: BTreeMap<&str, Vec<Value>> = catalog
        .collections
        .iter()
        .filter(|one| one.storage == Storage::Documents)
        .map(|one| (one.name.as_str(), simulator.truth(&one.name, day(FIRST_DAY), day(LAST_DAY))))
        .collect();
    let all = |changed: &str, documents: &[Value]| -> Vec<(&str, Vec<Vec<u8>>)> {
        good.iter()
            .map(|(name, good)| {
                (*name, if *name == changed { served(documents) } else { served(good) })
            })
            .collect()
    };
    let folder = tempfile::tempdir().unwrap();
    let store = store_of(&folder, &all("", &[])).await;
    let days = |store: &Store| rows(store, "SELECT day FROM days ORDER BY day");
    let nights = |store: &Store| rows(store, "SELECT day FROM nights ORDER BY day");
    let (days_before, nights_before) = (days(&store), nights(&store));
    assert!(days_before.len() >= 7);
    let mut doubled = 0;
    for (name, documents) in &good {
        let is_daily =
            name.starts_with("daily_") || ["sleep", "sleep_time", "vO2_max"].contains(name);
        if !is_daily || documents.is_empty() {
            continue;
        }
        doubled += 1;
        let copy = |suffix: &str| -> Vec<Value> {
            let mut copies = documents.clone();
            for document in &mut copies {
                match document["id"].as_str() {
                    Some(id) => document["id"] = format!("{id}{suffix}").into(),
                    // Without an id, the content distinguishes the documents.
                    None => document["suffix"] = suffix.into(),
                }
            }
            copies
        };
        let copies = [documents.clone(), copy("-b"), copy("-c")].concat();
        let reversed: Vec<Value> = copies.iter().rev().cloned().collect();
        let mut shown = Vec::new();
        for served in [&copies[..2 * documents.len()], &copies, &reversed] {
            let folder = tempfile::tempdir().unwrap();
            let store = store_of(&folder, &all(name, served)).await;
            assert_eq!(days(&store), days_before, "{name}");
            assert_eq!(nights(&store), nights_before, "{name}");
            let kept = format!(
                "SELECT count(*) FROM oura_raw_documents
                 WHERE resource = '{name}' AND deleted_at IS NULL"
            );
            assert_eq!(rows(&store, &kept), [[json!(served.len())]], "{name}");
            shown.push(rows(&store, "SELECT * FROM days ORDER BY day"));
        }
        // The choice does not depend on the order of arrival.
        assert_eq!(shown[1], shown[2], "{name}");
    }
    assert!(doubled >= 9, "{doubled} daily collections");
}

#[tokio::test]
async fn main_sleep_is_the_longest_period_that_counts() {
    let folder = tempfile::tempdir().unwrap();
    // Per day: type and hours of each period, the hours of the main sleep, naps and their hours.
    type Period = (Option<&'static str>, i64);
    let cases: [(&[Period], Option<i64>, i64, i64); 7] = [
        (&[(Some("sleep"), 3), (Some("late_nap"), 1)], Some(3), 1, 1),
        (&[(Some("late_nap"), 2), (Some("late_nap"), 1)], Some(2), 1, 1),
        (&[(None, 5), (Some("rest"), 9), (Some("deleted"), 8)], Some(5), 0, 0),
        (&[(Some("long_sleep"), 4), (Some("sleep"), 6), (None, 1)], Some(4), 2, 7),
        (&[(Some("long_sleep"), 4), (Some("long_sleep"), 5)], Some(5), 1, 4),
        (&[(Some("rest"), 5), (Some("sleep"), 0), (Some("late_nap"), 0)], None, 0, 0),
        (&[(Some("new_type"), 2), (Some("long_sleep"), 0)], Some(0), 1, 2),
    ];
    let mut periods = Vec::new();
    for (number, (of_day, ..)) in cases.iter().enumerate() {
        let day = day(FIRST_DAY).plus(number as i64);
        for (place, (kind, hours)) in of_day.iter().enumerate() {
            periods.push(json!({
                "id": format!("{number}-{place}"), "day": day.to_string(), "type": kind,
                "bedtime_start": format!("{day}T{place:02}:00:00+02:00"),
                "time_in_bed": hours * 3600, "total_sleep_duration": hours * 3600,
            }));
        }
    }
    let store = store_of(&folder, &[("sleep", served(&periods))]).await;
    let nights = rows(
        &store,
        "SELECT day, total_sleep_duration / 3600, naps, nap_duration / 3600 FROM nights ORDER BY day",
    );
    let expected: Vec<Vec<Value>> = cases
        .iter()
        .enumerate()
        .filter_map(|(number, (_, main, naps, hours))| {
            let day = day(FIRST_DAY).plus(number as i64).to_string();
            Some(vec![json!(day), json!((*main)?), json!(naps), json!(hours)])
        })
        .collect();
    assert_eq!(nights, expected);
    let durations = "SELECT day, total_sleep_duration / 3600 FROM days ORDER BY day";
    let shown: Vec<Vec<Value>> = expected.iter().map(|row| row[..2].to_vec()).collect();
    assert_eq!(rows(&store, durations), shown);
    assert_eq!(rows(&store, "SELECT count(*) FROM sleep"), [[json!(periods.len())]]);
}

/// Of equally long periods, the one with more time in bed counts, then the one with the smaller id.
/// Their order in the response does not matter.
#[tokio::test]
async fn equally_long_periods_have_one_main_sleep() {
    let period = |id: &str, hours_in_bed: i64| {
        json!({
            "id": id, "day": FIRST_DAY, "type": "long_sleep", "total_sleep_duration": 6 * 3600,
            "bedtime_start": format!("{FIRST_DAY}T00:00:00+02:00"),
            "time_in_bed": hours_in_bed * 3600,
        })
    };
    let periods = [period("b", 8), period("a", 8), period("0", 7)];
    for order in [[0, 1, 2], [1, 0, 2], [2, 0, 1], [2, 1, 0]] {
        let folder = tempfile::tempdir().unwrap();
        let arriving = order.map(|place| periods[place].clone());
        let store = store_of(&folder, &[("sleep", served(&arriving))]).await;
        assert_eq!(rows(&store, "SELECT id FROM main_sleep"), [[json!("a")]], "{order:?}");
        assert_eq!(rows(&store, "SELECT naps FROM nights"), [[json!(2)]], "{order:?}");
    }
}

/// The last of two forms of a document counts, also on another page, and later syncs change no row.
#[tokio::test]
async fn same_id_twice_is_one_document() {
    let folder = tempfile::tempdir().unwrap();
    let score = |score: i64| json!({"id": "twice", "day": "2026-06-10", "score": score});
    for page in [1, 2] {
        let all = BTreeMap::from([
            ("personal_info".to_owned(), vec![b"{\"id\":\"p\"}".to_vec()]),
            ("daily_sleep".to_owned(), served(&[score(70), score(71)])),
        ]);
        let oura = Oura { served: all, page, last_token: "\"\"" };
        let executor = stored(folder.path(), oura).await;
        sync(&executor).await;
        let found = "SELECT score, revision, (SELECT count(*) FROM oura_raw_documents
                                              WHERE resource = 'daily_sleep')
                     FROM daily_sleep JOIN oura_raw_documents USING (document)";
        assert_eq!(rows(&executor.store, found), [[json!(71), json!(1), json!(1)]], "{page}");
    }
}
