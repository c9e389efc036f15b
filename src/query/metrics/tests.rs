use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, TimestampNanosecondType};
use serde_json::json;

use super::planner::MAX_METRICS;
use super::*;
use crate::catalog::Catalog;
use crate::query::{
    Engine, FieldDisplay, Format, Limits, QueryContext, QueryError, QueryResult, SqlQuery,
};
use crate::store::Store;
use crate::time::{Day, Tz};

static VIENNA: LazyLock<Tz> = LazyLock::new(|| Tz::named("Europe/Vienna"));

fn day(day: u32) -> Day {
    Day::new(2026, 3, 1).unwrap().plus(i64::from(day) - 1)
}

/// Returns the local midnight of a day in March 2026, in Unix seconds.
fn midnight(number: u32) -> i64 {
    day(number).midnight(*VIENNA).seconds()
}

/// The second week of March 2026, in a panel with an hour per point.
fn context() -> QueryContext {
    let at = |number| midnight(number) * 1_000;
    QueryContext {
        from_ms: at(9),
        to_ms: at(16) - 1_000,
        interval: Duration::from_secs(3_600),
        max_data_points: 100,
    }
}

fn query(json: serde_json::Value) -> MetricsQuery {
    serde_json::from_value(json).unwrap()
}

fn plan(json: serde_json::Value) -> Result<Plan, QueryError> {
    query(json).plan(&Catalog::bundled(), &context(), *VIENNA)
}

fn sql(json: serde_json::Value) -> String {
    let Plan { query, .. } = plan(json).unwrap();
    if query.params.is_empty() {
        query.raw_sql
    } else {
        format!("{}\n-- {}", query.raw_sql, json!(query.params))
    }
}

#[test]
fn each_kind_of_metric_becomes_readable_sql() {
    let queries = [
        json!({ "metrics": ["heartrate.bpm"] }),
        json!({ "metrics": ["heartrate.bpm"], "every": "raw" }),
        json!({ "metrics": ["heartrate.bpm"], "every": "5m", "aggregate": "max" }),
        json!({ "metrics": ["heartrate.bpm"], "every": "day", "aggregate": "p90" }),
        json!({ "metrics": ["days.steps"], "aggregate": "sum", "every": "week" }),
        json!({ "metrics": ["nights.average_hrv"] }),
        json!({ "metrics": ["sleep.hrv"], "every": "1h", "aggregate": "median" }),
        json!({ "metrics": ["sleep.heart_rate"], "every": "month", "aggregate": "min" }),
        json!({ "metrics": ["ring_battery_level.level"], "every": "1h", "aggregate": "last" }),
    ];
    insta::assert_snapshot!(
        queries.map(|query| format!("-- {query}\n{}", sql(query.clone()))).join("\n\n")
    );
}

#[test]
fn the_panels_interval_chooses_the_step_and_the_source() {
    const DAY: u64 = 86_400;
    for (interval, heart_rate, steps) in [
        (30, ("heartrate", "$__timeGroup(time, '30s')"), "local_midnight(day)"),
        (900, ("heartrate_5m", "$__timeGroup(time, '15m')"), "local_midnight(day)"),
        (12 * 3_600, ("heartrate_1h", "$__timeGroup(time, '12h')"), "local_midnight(day)"),
        (DAY, ("heartrate_1h", "local_midnight(time)"), "local_midnight(day)"),
        (
            7 * DAY,
            ("heartrate_1h", "$__dayGroup(local_day(time), 'week')"),
            "$__dayGroup(day, 'week')",
        ),
        (
            30 * DAY,
            ("heartrate_1h", "$__dayGroup(local_day(time), 'month')"),
            "$__dayGroup(day, 'month')",
        ),
    ] {
        let context = QueryContext { interval: Duration::from_secs(interval), ..context() };
        let plan = |name| {
            query(json!({ "metrics": [name] }))
                .plan(&Catalog::bundled(), &context, *VIENNA)
                .unwrap()
        };
        let (source, step) = heart_rate;
        assert_eq!(plan("heartrate.bpm").sources, [source], "{interval} s");
        assert!(plan("heartrate.bpm").query.raw_sql.contains(step), "{interval} s");
        assert!(plan("days.steps").query.raw_sql.contains(steps), "{interval} s");
    }
}

#[test]
fn filters_are_parameters_of_metrics_with_the_column() {
    let queries = [
        json!({ "metrics": ["heartrate.bpm"], "filters": [
            { "column": "source", "operator": "in", "values": ["awake", "rest"] },
        ] }),
        json!({ "metrics": ["sleep.average_hrv", "days.steps"], "filters": [
            { "key": "sleep.type", "operator": "!=", "value": "rest'; DROP TABLE sleep; --" },
            { "column": "day", "operator": ">=", "value": "2026-03-10" },
            { "column": "latency", "operator": "is not null" },
        ] }),
        json!({ "metrics": ["sleep.hrv"], "filters": [
            { "column": "type", "value": "long_sleep" },
        ] }),
    ];
    insta::assert_snapshot!(queries.map(sql).join("\n\n"));
}

#[test]
fn averages_baselines_and_shifts_read_beyond_the_range() {
    let queries = [
        json!({ "metrics": ["nights.average_hrv"], "movingAverage": 7 }),
        json!({ "metrics": ["nights.average_hrv"], "movingAverage": 7, "baseline": 60 }),
        json!({ "metrics": ["heartrate.bpm"], "every": "1h", "baseline": 14 }),
        json!({ "metrics": [
            "nights.average_hrv",
            { "name": "days.steps", "aggregate": "sum", "shift": 1 },
        ] }),
        json!({ "metrics": ["sleep.hrv"], "every": "day", "shift": -2 }),
        json!({ "metrics": ["heartrate.bpm", "sleep.hrv"], "every": "raw", "shift": 1 }),
    ];
    insta::assert_snapshot!(queries.map(sql).join("\n\n"));
}

#[test]
fn an_invalid_query_has_a_message_and_a_hint() {
    let mut table = String::new();
    for json in [
        json!({}),
        json!({ "metrics": ["sleep.averge_hrv"] }),
        json!({ "metrics": ["average_hrv"] }),
        json!({ "metrics": ["sleep.type"] }),
        json!({ "metrics": ["days.steps", "days.steps"] }),
        json!({ "metrics": ["heartrate.bpm"], "filters": [
            { "column": "sorce", "value": "awake" },
        ] }),
        json!({ "metrics": ["heartrate.bpm"], "filters": [
            { "column": "\"; DROP", "value": "awake" },
        ] }),
        json!({ "metrics": ["days.steps"], "baseline": 5_000 }),
    ] {
        let error = plan(json.clone()).expect_err("an error");
        table +=
            &format!("{json}\n  {} {}: {error}. {}\n", error.status(), error.code(), error.hint());
    }
    insta::assert_snapshot!(table);
    for json in [
        json!({ "shift": "a week" }),
        json!({ "baseline": "-1" }),
        json!({ "movingAverage": "$days" }),
        json!({ "metrics": [{ "name": "days.steps", "shift": "1.5" }] }),
        json!({ "every": "0s" }),
        json!({ "every": "soon" }),
        json!({ "aggregate": "mode" }),
        json!({ "filters": [{ "column": "a", "operator": "=~" }] }),
    ] {
        assert!(serde_json::from_value::<MetricsQuery>(json.clone()).is_err(), "{json}");
    }
}

#[test]
fn days_can_be_the_text_of_a_variable() {
    let text = json!({ "metrics": ["nights.average_hrv", { "name": "days.steps", "shift": " 7 " }],
                       "movingAverage": "7", "baseline": "60", "shift": "-28" });
    let number = json!({ "metrics": ["nights.average_hrv", { "name": "days.steps", "shift": 7 }],
                         "movingAverage": 7, "baseline": 60, "shift": -28 });
    assert_eq!(sql(text), sql(number));
    let empty =
        json!({ "metrics": ["days.steps"], "movingAverage": "", "baseline": "", "shift": "" });
    assert_eq!(sql(empty), sql(json!({ "metrics": ["days.steps"] })));
}

/// Returns a store with a night, steps and three heart rates an hour for each day of March 2026 and
/// of the 59 days before.
fn store() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store =
        Store::open(&folder.path().join("oura.db"), Arc::new(Catalog::bundled()), *VIENNA).unwrap();
    let days = || {
        (1_i64..)
            .zip(day(1).plus(-59).through(day(31)))
            .map(|(number, day)| (number, day.midnight(*VIENNA).seconds(), day.to_string()))
    };
    write(&store, |writer| {
        for (_, midnight, _) in days() {
            for third in 0..24 * 3 {
                let source = if third % 2 == 0 { "awake" } else { "rest" };
                let row = (midnight + third * 1_200, 50 + third % 3, source);
                insert(
                    writer,
                    "INSERT INTO heartrate (time, bpm, source) \
                     VALUES (?1, ?2, ?3)",
                    row,
                );
            }
        }
    });
    // Derives the rollups. It also clears the document tables, so their rows follow.
    store.writer().rebuild().unwrap();
    write(&store, |writer| {
        for (number, midnight, day) in days() {
            insert(writer, "INSERT INTO calendar (day, time) VALUES (?1, ?2)", (&day, midnight));
            let night = (number, midnight - 3_600, &day, 40 + number % 7);
            insert(
                writer,
                "INSERT INTO sleep (document, time, day, type, average_hrv, \
                 total_sleep_duration) VALUES (?1, ?2, ?3, 'long_sleep', ?4, 28000)",
                night,
            );
            let steps = (1_000 + number, midnight, &day, number * 100);
            insert(
                writer,
                "INSERT INTO daily_activity (document, time, day, steps) \
                 VALUES (?1, ?2, ?3, ?4)",
                steps,
            );
        }
        writer
            .execute_batch(
                "INSERT INTO oura_raw_documents
                     (document, resource, document_id, day, payload, hash, revision,
                      first_seen_at, changed_at, last_seen_at)
                 VALUES (1, 'sleep', 'a', '2026-03-10', '{}', x'', 1, 0, 0, 0)",
            )
            .unwrap();
        let series: i64 = writer
            .query_row("SELECT series FROM series WHERE name = 'sleep.hrv'", [], |row| row.get(0))
            .unwrap();
        for point in 0..60 {
            let at = midnight(10) - 3_600 + point * 300;
            insert(
                writer,
                "INSERT INTO samples_data (series, time, document, value) \
                 VALUES (?1, ?2, 1, ?3)",
                (series, at, point),
            );
        }
    });
    (store, folder)
}

fn insert(writer: &rusqlite::Connection, sql: &str, values: impl rusqlite::Params) {
    assert_eq!(writer.execute(sql, values), Ok(1), "{sql}");
}

fn write(store: &Store, change: impl FnOnce(&rusqlite::Connection)) {
    let mut writer = rusqlite::Connection::open(store.path()).unwrap();
    let transaction = writer.transaction().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}

async fn run(store: &Store, json: serde_json::Value) -> QueryResult {
    run_in(store, json, &context()).await
}

async fn run_in(store: &Store, json: serde_json::Value, context: &QueryContext) -> QueryResult {
    let engine = Engine::new(store.clone(), store.zone(), Limits::default());
    let plan = query(json.clone()).plan(&Catalog::bundled(), context, *VIENNA).unwrap();
    let mut result = engine.run(&plan.query, context).await.unwrap_or_else(|error| {
        panic!("{json}: {error}. {}\n{}", error.hint(), plan.query.raw_sql)
    });
    plan.describe(&mut result);
    result
}

fn times(result: &QueryResult) -> Vec<i64> {
    result.batch.columns[0]
        .values
        .as_primitive::<TimestampNanosecondType>()
        .values()
        .iter()
        .map(|at| at / 1_000_000_000)
        .collect()
}

fn values(result: &QueryResult, column: usize) -> Vec<f64> {
    let values = arrow::compute::cast(
        &result.batch.columns[column].values,
        &arrow::datatypes::DataType::Float64,
    )
    .unwrap();
    values.as_primitive::<Float64Type>().iter().map(|value| value.unwrap_or(f64::NAN)).collect()
}

#[tokio::test]
async fn every_step_and_aggregate_works_for_every_kind_of_metric() {
    let (store, _folder) = store();
    for name in [
        "heartrate.bpm",
        "sleep.average_hrv",
        "nights.average_hrv",
        "days.steps",
        "sleep.hrv",
        "daily_activity.met",
        "ring_battery_level.level",
    ] {
        for every in ["auto", "raw", "5m", "1h", "day", "week", "month", "year"] {
            for aggregate in ["avg", "min", "max", "sum", "count", "median", "p10", "p90", "last"] {
                for (shift, moving_average, baseline) in [(0, 0, 0), (1, 7, 30)] {
                    let asked = json!({
                        "metrics": [name], "every": every, "aggregate": aggregate, "shift": shift,
                        "movingAverage": moving_average, "baseline": baseline,
                    });
                    let by_day =
                        ["sleep.average_hrv", "nights.average_hrv", "days.steps"].contains(&name);
                    if baseline > 0 && ["raw", "5m"].contains(&every) && !by_day {
                        let error = plan(asked.clone()).expect_err("too many points");
                        assert!(error.to_string().contains("choose 1h"), "{asked}: {error}");
                        continue;
                    }
                    let result = run(&store, asked.clone()).await;
                    assert_eq!(
                        result.batch.columns.len(),
                        if baseline > 0 { 5 } else { 2 },
                        "{asked}"
                    );
                    assert!(times(&result).is_sorted(), "{asked}");
                }
            }
        }
    }
}

#[tokio::test]
async fn every_metric_of_the_schema_is_readable() {
    let (store, _folder) = store();
    for metric in metrics(&store.catalog()) {
        let result = run(&store, json!({ "metrics": [&metric.name], "every": "raw" })).await;
        assert_eq!(result.batch.columns[1].name, metric.name);
        assert!(!metric.title().is_empty());
    }
}

#[tokio::test]
async fn booleans_are_drawn_as_one_and_zero() {
    let (store, _folder) = store();
    write(&store, |writer| {
        for (time, charging) in [(midnight(10), true), (midnight(10) + 600, false)] {
            insert(
                writer,
                "INSERT INTO ring_battery_level (time, level, charging) \
                 VALUES (?1, 50, ?2)",
                (time, charging),
            );
        }
    });
    for metrics in [
        json!(["ring_battery_level.charging"]),
        json!(["ring_battery_level.charging", "heartrate.bpm"]),
    ] {
        let result = run(&store, json!({ "metrics": metrics, "every": "raw" })).await;
        assert_eq!(
            values(&result, 1).into_iter().filter(|value| !value.is_nan()).collect::<Vec<_>>(),
            [1.0, 0.0]
        );
        assert!(result.batch.columns[1].values.data_type().is_numeric());
    }
    for metric in metrics(&store.catalog()) {
        let result = run(&store, json!({ "metrics": [&metric.name], "every": "raw" })).await;
        crate::frames::frames(&result, Format::TimeSeries, "A", &store.catalog())
            .expect(&metric.name);
    }
}

#[tokio::test]
async fn steps_of_a_day_or_more_begin_at_local_midnight() {
    let (store, _folder) = store();
    let engine = Engine::new(store.clone(), store.zone(), Limits::default());
    let context = QueryContext { interval: Duration::from_secs(86_400), ..context() };
    for name in ["heartrate.bpm", "sleep.hrv"] {
        let plan =
            query(json!({ "metrics": [name] })).plan(&store.catalog(), &context, *VIENNA).unwrap();
        let found = times(&engine.run(&plan.query, &context).await.unwrap());
        assert!(
            !found.is_empty() && found.iter().all(|time| (9..16).any(|of| midnight(of) == *time)),
            "{name}"
        );
    }
}

#[tokio::test]
async fn the_maximum_number_of_metrics_works() {
    let (store, _folder) = store();
    let catalog = store.catalog();
    let names: Vec<_> = metrics(&catalog).into_iter().map(|metric| metric.name).collect();
    for (moving_average, baseline) in [(0, 0), (7, 60)] {
        let asked = |count: usize| {
            json!({
                "metrics": names[..count], "every": "day", "shift": 1,
                "movingAverage": moving_average, "baseline": baseline,
            })
        };
        let result = run(&store, asked(MAX_METRICS)).await;
        assert_eq!(result.batch.columns.len(), 1 + MAX_METRICS * if baseline > 0 { 4 } else { 1 });
        let error = plan(asked(MAX_METRICS + 1)).expect_err("one too many").to_string();
        assert_eq!(error, "Too many metrics (51): split the query, it can show at most 50");
    }
}

#[tokio::test]
async fn too_many_points_are_read_in_longer_steps() {
    let (store, _folder) = store();
    let engine =
        Engine::new(store.clone(), store.zone(), Limits { max_rows: 100, ..Limits::default() });
    let asked = query(
        json!({ "metrics": ["heartrate.bpm", "sleep.hrv"], "every": "raw", "aggregate": "max" }),
    );
    let run_limited = async |query: &MetricsQuery| {
        engine
            .run(&query.plan(&store.catalog(), &context(), *VIENNA).unwrap().query, &context())
            .await
            .unwrap()
    };
    let cut = run_limited(&asked).await;
    assert!(cut.batch.truncation.is_some() && *times(&cut).last().unwrap() < midnight(12));
    let CoveringQuery { query: covering, notice } =
        asked.covering(&context(), cut.batch.rows).unwrap();
    assert!(notice.contains("the max of 6h"), "{notice}");
    let whole = run_limited(&covering).await;
    assert!(whole.batch.truncation.is_none() && *times(&whole).last().unwrap() > midnight(15));
    for every in ["12h", "day", "month"] {
        assert!(
            query(json!({ "every": every }))
                .covering(&context(), 10)
                .is_none_or(|covering| covering.query.every == Every::Calendar(CalendarUnit::Day)),
            "{every}"
        );
    }
    assert!(query(json!({ "every": "month" })).covering(&context(), 1_000).is_none());
}

#[tokio::test]
async fn a_band_is_not_titled_as_a_mean() {
    let (store, _folder) = store();
    let asked = json!({
        "metrics": ["nights.average_hrv"], "movingAverage": 7, "baseline": 35, "shift": 1,
    });
    let titles: Vec<_> =
        run(&store, asked).await.displays.into_iter().filter_map(|display| display.title).collect();
    let [own, baseline, ..] = titles.as_slice() else { panic!("{titles:?}") };
    assert!(own.ends_with(", mean of 7 days, 1 day before"), "{own}");
    assert!(
        baseline.ends_with(", 1 day before, baseline") && !baseline.contains("mean"),
        "{baseline}"
    );
}

#[tokio::test]
async fn view_columns_have_the_origin_that_sqlite_reports() {
    let (store, _folder) = store();
    let engine = Engine::new(store.clone(), store.zone(), Limits::default());
    for metric in
        metrics(&store.catalog()).iter().filter(|metric| ["nights", "days"].contains(&metric.table))
    {
        let (_, column) = metric.name.split_once('.').unwrap();
        let asked = SqlQuery {
            raw_sql: format!("SELECT {column} FROM {} LIMIT 0", metric.table),
            ..SqlQuery::default()
        };
        let read = engine.run(&asked, &context()).await.unwrap().batch.columns.remove(0).origin;
        assert!(read.is_none() || read == metric.origin, "{}: {read:?}", metric.name);
        for known in metric.filter_columns(&store.catalog()) {
            let asked = SqlQuery {
                raw_sql: format!("SELECT \"{known}\" FROM {} LIMIT 0", metric.table),
                ..SqlQuery::default()
            };
            assert_eq!(engine.run(&asked, &context()).await.unwrap().batch.columns[0].name, known);
        }
    }
}

#[tokio::test]
async fn days_begin_at_local_midnight_and_weeks_are_whole() {
    let (store, _folder) = store();
    let days = run(&store, json!({ "metrics": ["days.steps"] })).await;
    assert_eq!(times(&days), (9..16).map(midnight).collect::<Vec<_>>());
    // From 03-11 to 03-18. Both weeks begin on a Monday before, and the first is complete.
    let at = |number| midnight(number) * 1_000;
    let context = QueryContext { from_ms: at(11), to_ms: at(18), ..context() };
    let plan = query(json!({ "metrics": ["days.steps"], "aggregate": "count", "every": "week" }))
        .plan(&store.catalog(), &context, *VIENNA)
        .unwrap();
    let engine = Engine::new(store.clone(), store.zone(), Limits::default());
    let weeks = engine.run(&plan.query, &context).await.unwrap();
    assert_eq!(times(&weeks), [midnight(9), midnight(16)]);
    assert_eq!(values(&weeks, 1), [7.0, 3.0]);
}

/// Vienna changes its clocks on 2026-03-29 and 2026-10-25.
#[tokio::test]
async fn a_window_over_raw_daily_values_counts_days() {
    let (store, _folder) = store();
    let autumn = Day::new(2026, 10, 20).unwrap();
    write(&store, |writer| {
        for number in 0..12 {
            let day = autumn.plus(number);
            let midnight = day.midnight(*VIENNA).seconds();
            writer
                .execute(
                    "INSERT INTO calendar (day, time) VALUES (?1, ?2)",
                    (day.to_string(), midnight),
                )
                .unwrap();
            let steps = (2_000 + number, midnight, day.to_string(), number * number * 100);
            insert(
                writer,
                "INSERT INTO daily_activity (document, time, day, steps) \
                 VALUES (?1, ?2, ?3, ?4)",
                steps,
            );
        }
    });
    for (first, last) in [(day(28), day(31)), (autumn.plus(4), autumn.plus(10))] {
        let at = |day: Day| day.midnight(*VIENNA).seconds() * 1_000;
        let context = QueryContext { from_ms: at(first), to_ms: at(last), ..context() };
        for (moving_average, baseline, shift) in
            [(0, 1, 0), (1, 0, 0), (2, 3, 0), (0, 0, 1), (0, 0, -1), (2, 1, 1)]
        {
            let asked = |every| {
                json!({
                    "metrics": ["days.steps"], "movingAverage": moving_average,
                    "baseline": baseline, "shift": shift, "every": every,
                })
            };
            let raw = run_in(&store, asked("raw"), &context).await;
            let by_day = run_in(&store, asked("day"), &context).await;
            assert_eq!(times(&raw), times(&by_day), "{}", asked("raw"));
            for column in 1..raw.batch.columns.len() {
                // As text, since NaN differs from NaN.
                assert_eq!(
                    format!("{:?}", values(&raw, column)),
                    format!("{:?}", values(&by_day, column)),
                    "{}",
                    asked("raw")
                );
            }
            assert_eq!(raw.batch.columns.len(), by_day.batch.columns.len());
        }
    }
}

#[tokio::test]
async fn daily_metrics_are_grouped_by_calendar_days() {
    let (store, _folder) = store();
    let asked =
        |every: &str| json!({ "metrics": ["days.steps"], "aggregate": "sum", "every": every });
    let by_day = run(&store, asked("day")).await;
    for every in ["5m", "6h", "12h", "24h"] {
        let result = run(&store, asked(every)).await;
        assert_eq!(
            (times(&result), values(&result, 1)),
            (times(&by_day), values(&by_day, 1)),
            "{every}"
        );
    }
    // The 8th of March 2026 is day 20,520 since 1970.
    let midnights = |days: &[u32]| days.iter().map(|number| midnight(*number)).collect::<Vec<_>>();
    for every in ["2d", "48h", "36h"] {
        let result = run(&store, asked(every)).await;
        assert_eq!(times(&result), midnights(&[8, 10, 12, 14]), "{every}");
        assert_eq!(values(&result, 1), [13_500.0, 13_900.0, 14_300.0, 14_700.0], "{every}");
    }
    let mut windowed = asked("2d");
    windowed["movingAverage"] = json!(4);
    windowed["baseline"] = json!(2);
    let windowed = run(&store, windowed).await;
    assert_eq!(
        (times(&windowed), values(&windowed, 1)[1]),
        (midnights(&[8, 10, 12, 14]), 13_700.0)
    );
    assert_eq!(values(&windowed, 2)[1], 13_500.0);
}

/// Grafana's ad-hoc filters send all values as text.
#[tokio::test]
async fn a_filter_accepts_numbers_and_booleans_as_text() {
    let (store, _folder) = store();
    write(&store, |writer| {
        let day = day(10).to_string();
        let midnight = midnight(10);
        insert(
            writer,
            "INSERT INTO vo2_max (document, time, day, vo2_max) \
             VALUES (5000, ?1, ?2, 41.5)",
            (midnight, &day),
        );
        insert(
            writer,
            "INSERT INTO sleep (document, time, day, type, total_sleep_duration) \
             VALUES (5001, ?1, ?2, 'late_nap', 1200)",
            (midnight, &day),
        );
        for row in [(midnight, true), (midnight + 600, false)] {
            insert(
                writer,
                "INSERT INTO ring_battery_level (time, level, charging) VALUES (?1, 50, ?2)",
                row,
            );
        }
    });
    for (metric, column, operator, value, rows) in [
        ("nights.average_hrv", "naps", "=", json!(0), 6),
        ("nights.average_hrv", "naps", "in", json!(1), 1),
        ("nights.average_hrv", "naps", "!=", json!(1), 6),
        ("nights.average_hrv", "nap_duration", ">=", json!(0), 7),
        ("nights.average_hrv", "nap_duration", ">", json!(1_199), 1),
        ("days.steps", "vo2_max", "=", json!(41.5), 1),
        ("days.steps", "steps", "=", json!(6_900), 1),
        ("ring_battery_level.level", "charging", "=", json!(true), 1),
        ("ring_battery_level.level", "charging", "!=", json!(true), 1),
        ("ring_battery_level.level", "charging", "not in", json!(true), 1),
    ] {
        for value in [json!(value.to_string()), value] {
            let filter = json!({ "key": column, "operator": operator, "value": value });
            let asked = json!({ "metrics": [metric], "every": "raw", "filters": [filter] });
            assert_eq!(run(&store, asked.clone()).await.batch.rows, rows, "{asked}");
        }
    }
}

#[tokio::test]
async fn null_differs_from_every_value() {
    let (store, _folder) = store();
    write(&store, |writer| {
        let update = "UPDATE daily_activity SET score = 80 \
                      WHERE day IN ('2026-03-10', '2026-03-11')";
        assert_eq!(writer.execute(update, ()), Ok(2));
    });
    for (filter, rows) in [
        (json!({ "operator": "!=", "value": 1 }), 7),
        (json!({ "operator": "not in", "values": [1] }), 7),
        (json!({ "operator": "not in", "value": 80 }), 5),
        (json!({ "operator": "not in" }), 7),
        (json!({ "operator": "not in", "values": [80, null] }), 0),
        (json!({ "operator": "not in", "values": [1, null] }), 2),
        (json!({ "operator": "in", "values": [80, null] }), 7),
        (json!({ "operator": "in", "values": [80] }), 2),
    ] {
        let mut filter = filter;
        filter["column"] = json!("score");
        let any_day = json!({ "column": "day", "operator": ">", "value": "" });
        let asked = json!({
            "metrics": ["daily_activity.steps"], "every": "raw", "filters": [filter, any_day],
        });
        assert_eq!(run(&store, asked.clone()).await.batch.rows, rows, "{asked}");
    }
}

#[tokio::test]
async fn a_filter_excludes_other_rows() {
    let (store, _folder) = store();
    let count = async |filters: serde_json::Value| {
        let asked = json!({
            "metrics": ["heartrate.bpm"], "every": "day", "aggregate": "count",
            "filters": filters,
        });
        values(&run(&store, asked).await, 1)[0]
    };
    assert_eq!(count(json!([])).await, 72.0);
    assert_eq!(count(json!([{ "column": "source", "value": "rest" }])).await, 36.0);
    let source = json!({ "column": "source", "operator": "in", "values": ["rest", "awake"] });
    let bpm = json!({ "column": "bpm", "operator": ">", "value": 51 });
    assert_eq!(count(json!([source, bpm])).await, 24.0);
}

#[tokio::test]
async fn rollups_give_the_same_result_as_rows() {
    let (store, _folder) = store();
    for (every, source) in [
        ("5m", "heartrate_5m"),
        ("2h", "heartrate_1h"),
        ("day", "heartrate_1h"),
        ("week", "heartrate_1h"),
        ("90s", "heartrate"),
    ] {
        for aggregate in ["avg", "min", "max", "sum", "count"] {
            for filters in [json!([]), json!([{ "column": "source", "value": "rest" }])] {
                let asked = |filters: &serde_json::Value| {
                    json!({
                        "metrics": ["heartrate.bpm"], "every": every, "aggregate": aggregate,
                        "filters": filters,
                    })
                };
                let quick = run(&store, asked(&filters)).await;
                // Rollups lack single values.
                let mut and_value = filters.clone();
                and_value
                    .as_array_mut()
                    .unwrap()
                    .push(json!({ "column": "bpm", "operator": ">", "value": 0 }));
                let slow = run(&store, asked(&and_value)).await;
                assert_eq!(quick.custom.as_ref().unwrap()["sources"], json!([source]));
                assert_eq!(slow.custom.as_ref().unwrap()["sources"], json!(["heartrate"]));
                assert!(quick.batch.rows > 0);
                assert_eq!(
                    (times(&quick), values(&quick, 1)),
                    (times(&slow), values(&slow, 1)),
                    "{every} {aggregate}"
                );
            }
        }
    }
    let median =
        run(&store, json!({ "metrics": ["heartrate.bpm"], "every": "day", "aggregate": "median" }))
            .await;
    assert_eq!(median.custom.unwrap()["sources"], json!(["heartrate"]), "rollups lack medians");
}

#[tokio::test]
async fn a_moving_average_and_a_baseline_use_earlier_days() {
    let (store, _folder) = store();
    let plain = values(&run(&store, json!({ "metrics": ["nights.average_hrv"] })).await, 1);
    // Values repeat every seven days, so a mean of seven days is the same on every day.
    let result = run(
        &store,
        json!({ "metrics": ["nights.average_hrv"], "movingAverage": 7, "baseline": 35 }),
    )
    .await;
    assert_eq!(plain.len(), 7);
    assert_eq!(values(&result, 1), [43.0; 7]);
    assert_eq!(
        (values(&result, 2), values(&result, 3), values(&result, 4)),
        (vec![43.0; 7], vec![43.0 - 2.9652; 7], vec![43.0 + 2.9652; 7])
    );
}

#[tokio::test]
async fn a_shift_draws_yesterdays_value_today() {
    let (store, _folder) = store();
    let both = run(
        &store,
        json!({ "metrics": ["days.steps", { "name": "days.steps", "shift": 1 }], "every": "day" }),
    )
    .await;
    let today = values(&both, 1);
    assert_eq!(today.len(), 7);
    assert!(
        today.iter().zip(values(&both, 2)).all(|(today, yesterday)| today - yesterday == 100.0)
    );
}

#[tokio::test]
async fn columns_have_an_origin_a_title_and_labels() {
    let (store, _folder) = store();
    let one =
        run(&store, json!({ "metrics": ["sleep.hrv"], "every": "1h", "aggregate": "max" })).await;
    assert_eq!(
        one.displays[1],
        FieldDisplay {
            title: Some("Heart rate variability, max".to_owned()),
            ..FieldDisplay::default()
        }
    );
    assert_eq!(
        one.batch.columns[1].origin.as_ref().map(|origin| origin.column.as_str()),
        Some("hrv")
    );
    assert_eq!(one.custom.as_ref().unwrap()["sources"], json!(["samples_1h"]));

    let several = run(
        &store,
        json!({ "metrics": ["nights.average_hrv", "days.steps"], "aggregate": "count" }),
    )
    .await;
    assert_eq!(several.displays[2].labels["metric"], "days.steps");
    assert_eq!(several.batch.columns[2].origin, None, "a count has no unit");
}
