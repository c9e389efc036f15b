//! The values of views over a hand-made person. Each expected value is computed by hand, with its
//! working in a comment.

use std::ops::RangeInclusive;

use rusqlite::types::Value as Cell;

use super::*;
use crate::store::functions;

/// Days with a difference from the next one, in January 2026. The 1st is a Thursday.
const CALM: RangeInclusive<i64> = 1..=26;

fn january(number: i64) -> String {
    format!("2026-01-{number:02}")
}

fn is_weekend(number: i64) -> bool {
    matches!(number % 7, 3 | 4)
}

/// A night at an offset of two hours from UTC: from 23:00 to 7:00, and an hour later on weekends.
/// `changes` replaces fields.
fn night_of(number: i64, asleep: i64, changes: Value) -> Value {
    let (start, end) = if is_weekend(number) {
        (
            format!("{}T00:00:00+02:00", january(number)),
            format!("{}T08:00:00+02:00", january(number)),
        )
    } else {
        let evening = day(&january(number)).plus(-1);
        (format!("{evening}T23:00:00+02:00"), format!("{}T07:00:00+02:00", january(number)))
    };
    // A cycle of five values: its median is the middle one, its median absolute deviation one step.
    let cycle = (number % 5) as f64;
    let mut document = json!({
        "id": format!("night-{number}"), "day": january(number), "type": "long_sleep",
        "bedtime_start": start, "bedtime_end": end, "time_in_bed": 28_800, "latency": 0,
        "total_sleep_duration": asleep, "efficiency": 90,
        "average_hrv": 48.0 + cycle, "lowest_heart_rate": 50.0 + cycle,
        "average_breath": 14.0 + cycle / 10.0,
        "readiness": {"temperature_deviation": (cycle - 2.0) / 10.0},
        "sleep_phase_5_min": "2".repeat(96),
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        document[name] = value.clone();
    }
    document
}

/// 26 nights of 7.5 hours, and four others.
fn nights() -> Vec<Value> {
    let strained = json!({
        "average_hrv": 44, "lowest_heart_rate": 56, "average_breath": 14.2,
        "readiness": {"temperature_deviation": 0.2},
    });
    let feverish = json!({
        "average_hrv": 50, "lowest_heart_rate": 54, "average_breath": 14.2,
        "readiness": {"temperature_deviation": 0.6},
    });
    let unknown = json!({
        "average_hrv": 50, "lowest_heart_rate": null, "average_breath": null,
        "readiness": {"temperature_deviation": 0.0},
    });
    CALM.map(|number| night_of(number, 27_000, json!({})))
        .chain([
            night_of(27, 23_400, strained.clone()),
            night_of(28, 25_200, strained),
            night_of(29, 28_800, feverish),
            night_of(30, 27_000, unknown),
        ])
        .collect()
}

fn person_with_nights() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    put(&store, "sleep", &january(1), &january(31), &nights());
    store.writer().refresh_views().unwrap();
    (folder, store)
}

/// All rows of the materialized views.
fn materialized(store: &Store) -> Vec<Vec<Cell>> {
    let inspector = store.inspector();
    let connection = inspector.lock();
    let mut rows = Vec::new();
    for table in ["baselines", "sleep_regularity"] {
        let mut statement =
            connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
        let columns = statement.column_count();
        let row = |row: &rusqlite::Row| (0..columns).map(|column| row.get(column)).collect();
        rows.extend(statement.query_map([], row).unwrap().map(Result::unwrap));
    }
    rows
}

#[test]
fn refresh_after_changes_equals_a_rebuild() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    let night = |number, asleep, changes| night_of(number, asleep, changes);
    let awake = json!({"sleep_phase_5_min": "4".repeat(96), "average_hrv": 20});
    let steps = |number: i64, steps| json!({"id": format!("day-{number}"), "day": january(number), "steps": steps});
    let all: Vec<Value> = (1..=31).map(|number| night(number, 27_000, json!({}))).collect();
    let activity: Vec<Value> = (1..=31).map(|number| steps(number, 9_000 + number)).collect();
    let windows: [(&str, i64, i64, Vec<Value>); 7] = [
        // History arrives from the newest days to the oldest ones.
        ("sleep", 20, 31, all[19..].to_vec()),
        ("sleep", 1, 19, all[..19].to_vec()),
        ("daily_activity", 1, 31, activity),
        // Revisions of one night, and of one day.
        ("sleep", 10, 10, vec![night(10, 20_000, awake)]),
        ("daily_activity", 12, 12, vec![steps(12, 30_000)]),
        // A night and a day that Oura no longer returns.
        ("sleep", 15, 15, vec![]),
        ("daily_activity", 31, 31, vec![]),
    ];
    let mut before = Vec::new();
    for (collection, first, last, documents) in windows {
        put(&store, collection, &january(first), &january(last), &documents);
        store.writer().refresh_views().unwrap();
        let refreshed = materialized(&store);
        assert_ne!(refreshed, before, "{collection} {first}");
        store.writer().rebuild().unwrap();
        assert_eq!(refreshed, materialized(&store), "{collection} {first}");
        before = refreshed;
    }
}

#[test]
fn views_of_an_imported_database_follow_its_changes() {
    let (folder, store) = person_with_nights();
    let export = folder.path().join("export.db");
    store.copy_to(&export).unwrap();
    let other = tempfile::tempdir().unwrap();
    crate::store::import(&export, &other.path().join("oura.db")).unwrap();
    let store = open(other.path(), Tz::UTC);
    let imported = materialized(&store);
    let revised = night_of(10, 20_000, json!({"average_hrv": 20}));
    put(&store, "sleep", &january(10), &january(10), &[revised]);
    store.writer().refresh_views().unwrap();
    let refreshed = materialized(&store);
    assert_ne!(refreshed, imported);
    store.writer().rebuild().unwrap();
    assert_eq!(refreshed, materialized(&store));
}

#[test]
fn opening_refreshes_what_an_interrupted_run_changed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    put(&store, "sleep", &january(1), &january(31), &nights());
    assert_eq!(materialized(&store), Vec::<Vec<Cell>>::new());
    drop(store);
    let store = open(folder.path(), Tz::UTC);
    let opened = materialized(&store);
    store.writer().rebuild().unwrap();
    assert_eq!(opened, materialized(&store));
    assert!(opened.len() > 100, "{}", opened.len());
}

/// Compares rows, floating-point numbers up to a relative difference of 1e-3.
fn check(store: &Store, sql: &str, expected: &[&[Value]]) {
    let inspector = store.inspector();
    let connection = inspector.lock();
    // The inspector has no functions, because the program's own reads need none.
    functions::register(&connection).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let found: Vec<Vec<Cell>> = statement
        .query_map([], |row| (0..columns).map(|column| row.get(column)).collect())
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(found.len(), expected.len(), "{sql}: {found:?}");
    for (row, wanted) in found.iter().zip(expected) {
        let agrees = row.iter().zip(*wanted).all(|(cell, value)| match (cell, value) {
            (Cell::Null, Value::Null) => true,
            (Cell::Text(text), Value::String(wanted)) => text == wanted,
            (Cell::Integer(number), wanted) => is_near(*number as f64, wanted),
            (Cell::Real(number), wanted) => is_near(*number, wanted),
            _ => false,
        });
        assert!(agrees && row.len() == wanted.len(), "{sql}: {row:?} instead of {wanted:?}");
    }
}

fn is_near(number: f64, wanted: &Value) -> bool {
    wanted.as_f64().is_some_and(|wanted| (number - wanted).abs() <= 1e-3 * wanted.abs().max(1e-3))
}

macro_rules! row {
    ($($cell:expr),* $(,)?) => { &[$(json!($cell)),*][..] };
}

#[test]
fn sleep_times_follow_the_clock_of_the_wearer() {
    let (_folder, store) = person_with_nights();
    let nap = json!({
        "id": "nap", "day": january(6), "type": "late_nap", "total_sleep_duration": 1_800,
        "bedtime_start": "2026-01-06T14:00:00+02:00", "bedtime_end": "2026-01-06T14:40:00+02:00",
    });
    let slow = night_of(6, 27_000, json!({"latency": 600}));
    put(&store, "sleep", &january(6), &january(6), &[slow, nap]);
    // To bed an hour before midnight, asleep ten minutes later, up at 7:00. The middle between
    // -3000 and 25,200 is 11,100. A Saturday is free.
    check(
        &store,
        "SELECT utc_offset, bedtime, onset, wake, midpoint, naps, slept, free FROM sleep_times
         WHERE day IN ('2026-01-06', '2026-01-10') ORDER BY day",
        &[
            row![7_200, -3_600, -3_000, 25_200, 11_100, 1, 28_800, 0],
            row![7_200, 0, 0, 28_800, 14_400, 0, 27_000, 1],
        ],
    );
}

#[test]
fn sleep_debt_weighs_recent_nights_more() {
    let (_folder, store) = person_with_nights();
    // The need is 7.5 hours: the median of the free nights. Nights of 6.5, 7 and 8 hours:
    // -0.5 + 0.8 * 0.5 + 0.64 * 1 = 0.54 h = 1944 s.
    check(
        &store,
        "SELECT need, missing, debt, nights FROM sleep_debt
         WHERE day BETWEEN '2026-01-26' AND '2026-01-29' ORDER BY day",
        &[
            row![27_000, 0, 0, 26],
            row![27_000, 3_600, 3_600, 27],
            row![27_000, 1_800, 4_680, 28],
            row![27_000, -1_800, 1_944, 29],
        ],
    );
}

#[test]
fn sleep_timing_has_the_spread_and_the_jet_lag() {
    let (_folder, store) = person_with_nights();
    // The middle is 3:00, and 4:00 on weekends: a jet lag of an hour. Four of the 14 nights up to
    // the 26th are free: 3600 * sqrt(4/14 * 10/14) = 1626.3 s.
    check(
        &store,
        "SELECT midpoint_spread, nights, social_jet_lag, free_nights FROM sleep_timing
         WHERE day = '2026-01-26'",
        &[row![1_626.3, 14, 3_600, 8]],
    );
}

#[test]
fn sleep_regularity_compares_consecutive_days() {
    let (_folder, store) = person_with_nights();
    // An hour later: 24 of 288 steps differ, so the pair agrees by 0.916667. Seven pairs up to the
    // 19th with two of those: 200 * (5 + 2 * 0.916667) / 7 - 100 = 95.238. 25 pairs up to the 26th
    // with eight of those: 94.667.
    check(
        &store,
        "SELECT seven, month FROM sleep_regularity WHERE day IN ('2026-01-05', '2026-01-19',
         '2026-01-26') ORDER BY day",
        &[row![(), ()], row![95.238, ()], row![95.238, 94.667]],
    );
}

#[test]
fn baselines_are_medians_with_absolute_deviations() {
    let (_folder, store) = person_with_nights();
    // HRV: median 50, spread 1.4826 * 1. (44 - 50) / 1.4826 = -4.0469. Heart rate: median 52,
    // 4 / 1.4826 = 2.6980. The mean of 26 values of HRV is (5 * 250 + 49) / 26 = 49.962.
    check(
        &store,
        "SELECT metric, value, mean, nights, middle, spread, z FROM baselines
         WHERE day = '2026-01-27' AND metric IN ('average_hrv', 'lowest_heart_rate')
         ORDER BY metric",
        &[
            row!["average_hrv", 44, 49.962, 26, 50, 1.4826, -4.0469],
            row!["lowest_heart_rate", 56, 51.962, 26, 52, 1.4826, 2.6980],
        ],
    );
    // 14 values are needed: the 14th night has 13 before it.
    check(
        &store,
        "SELECT nights, middle IS NULL, z IS NULL FROM baselines
         WHERE metric = 'average_hrv' AND day IN ('2026-01-14', '2026-01-15') ORDER BY day",
        &[row![13, 1, 1], row![14, 0, 0]],
    );
    // The spread of a constant is the resolution of the metric: one percent.
    check(
        &store,
        "SELECT spread FROM baselines WHERE metric = 'efficiency' AND day = '2026-01-27'",
        &[row![1]],
    );
}

#[test]
fn signs_need_two_nights_or_a_fever() {
    let (_folder, store) = person_with_nights();
    // The 27th has two signs, HRV and heart rate, and so has the 28th. The 29th is 0.6 °C warmer,
    // with a heart rate 2 / 1.4826 = 1.349 spreads above usual. The 30th has two values only.
    check(
        &store,
        "SELECT day, signs, known, level FROM signs WHERE day >= '2026-01-26' ORDER BY day",
        &[
            row!["2026-01-26", 0, 4, "none"],
            row!["2026-01-27", 2, 4, "some"],
            row!["2026-01-28", 2, 4, "clear"],
            row!["2026-01-29", 1, 4, "clear"],
            row!["2026-01-30", 0, 2, ()],
        ],
    );
    // Temperature: median 0, spread 1.4826 * 0.1. 0.6 / 0.14826 = 4.0469.
    check(
        &store,
        "SELECT temperature, heart, hrv, breath, deviation FROM signs WHERE day = '2026-01-29'",
        &[row![4.0469, 1.3490, 0, 0, 0.6]],
    );
}

#[test]
fn tag_counts_once_for_the_night_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    let tag = |id: &str, code: Value, name: Value| {
        json!({"id": id, "tag_type_code": code, "custom_name": name, "start_day": january(5),
               "start_time": "2026-01-05T20:00:00+00:00"})
    };
    let tags = [
        tag("a", json!("tag_generic_alcohol"), json!(null)),
        tag("b", json!("tag_generic_alcohol"), json!("")),
        tag("c", json!("custom"), json!("Late dinner")),
        tag("d", json!("tag_sleep_mask"), json!(null)),
        tag("e", json!(null), json!(null)),
    ];
    put(&store, "enhanced_tag", &january(1), &january(31), &tags);
    check(
        &store,
        "SELECT day, night, tag FROM tag_days ORDER BY tag",
        &[
            row!["2026-01-05", "2026-01-06", "Late dinner"],
            row!["2026-01-05", "2026-01-06", "alcohol"],
            row!["2026-01-05", "2026-01-06", "sleep mask"],
        ],
    );
}

/// An hour of 140 bpm on the 25th.
fn put_workout(store: &Store) {
    let workout = json!({
        "id": "run", "day": january(25), "activity": "running", "intensity": "hard",
        "calories": 500.0, "distance": 9_000.0,
        "start_datetime": "2026-01-25T10:00:00+02:00", "end_datetime": "2026-01-25T11:00:00+02:00",
    });
    put(store, "workout", &january(25), &january(25), &[workout]);
    let beats: Vec<Value> = (0..60)
        .map(|minute| {
            json!({"bpm": 140, "source": "workout",
                   "timestamp": format!("2026-01-25T08:{minute:02}:00+00:00")})
        })
        .collect();
    put(store, "heartrate", &january(25), &january(25), &beats);
}

#[test]
fn workout_load_is_the_training_impulse() {
    let (_folder, store) = person_with_nights();
    put_workout(&store);
    // Rest is the mean of 25 lowest heart rates, 52. Without an age, the maximum is 185.
    // r = 88 / 133 = 0.66165, and 60 * r * 0.64 * exp(1.92 * r) = 90.50.
    check(
        &store,
        "SELECT day, minutes, average, highest, reserve, trimp FROM workout_load",
        &[row!["2026-01-25", 60, 140, 140, 0.66165, 90.505]],
    );
    check(&store, "SELECT age, biological_sex, maximum FROM person", &[row![(), (), 185]]);

    // A woman of 40 years: the maximum is 208 - 28 = 180, r = 88 / 128 = 0.6875, and
    // 60 * r * 0.86 * exp(1.67 * r) = 111.83.
    let info = json!({"id": "me", "age": 40, "biological_sex": "female", "email": "a@example.org"});
    put(&store, "personal_info", &january(1), &january(31), &[info]);
    check(&store, "SELECT reserve, trimp FROM workout_load", &[row![0.6875, 111.83]]);
    check(&store, "SELECT age, biological_sex, maximum FROM person", &[row![40, "female", 180]]);
}

fn activity(on: Day, high: i64, medium: i64) -> Value {
    json!({"id": format!("activity-{on}"), "day": on.to_string(), "steps": 5_000,
           "high_activity_met_minutes": high, "medium_activity_met_minutes": medium,
           "timestamp": format!("{on}T04:00:00+00:00")})
}

#[test]
fn training_load_leaves_out_the_newest_day() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Tz::UTC);
    let first = day("2026-01-01");
    let all: Vec<Value> = (0..32)
        .map(|number| {
            let high = if number < 28 { 20 } else { 90 };
            activity(first.plus(number), high, 30)
        })
        .collect();
    put(&store, "daily_activity", "2026-01-01", "2026-02-01", &all);
    // After 28 days of 50, three of 120. 50 + 70 * (1 - 0.75³) = 90.469, and
    // 50 + 70 * (1 - (27/29)³) = 63.506.
    check(
        &store,
        "SELECT day, load, acute, chronic, since FROM training_load ORDER BY day DESC LIMIT 1",
        &[row!["2026-01-31", 120, 90.469, 63.506, 31]],
    );
}

#[test]
fn causes_and_outcomes_name_their_day() {
    let (_folder, store) = person_with_nights();
    let activities: Vec<Value> =
        (24..=25).map(|number| activity(day(&january(number)), 30, 20)).collect();
    put(&store, "daily_activity", &january(24), &january(25), &activities);
    let stress = json!({"id": "s", "day": january(24), "stress_high": 3_600, "recovery_high": 0});
    put(&store, "daily_stress", &january(24), &january(24), &[stress]);
    // The night of the 25th, a Sunday, begins at midnight of the 24th. The activity of the 25th is
    // the newest one, so it is left out.
    check(
        &store,
        "SELECT cause, value FROM causes WHERE day = '2026-01-24' ORDER BY cause",
        &[
            row!["High stress", 3_600],
            row!["Late to bed", 0],
            row!["Steps", 5_000],
            row!["Time asleep", 27_000],
            row!["Training", 50],
        ],
    );
    check(&store, "SELECT count(*) FROM causes WHERE cause = 'Steps'", &[row![1]]);
    // The 27th: 27 % 5 = 2 is replaced by the strained night.
    check(
        &store,
        "SELECT outcome, value FROM outcomes WHERE day = '2026-01-27' ORDER BY outcome",
        &[
            row!["Efficiency", 90],
            row!["HRV", 44],
            row!["Lowest heart rate", 56],
            row!["Temperature", 0.2],
            row!["Time asleep", 23_400],
        ],
    );
}
