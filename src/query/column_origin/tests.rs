use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::DataType;

use super::*;
use crate::query::{Engine, Limits, QueryContext, SqlQuery};
use crate::store::Store;
use crate::time::Tz;

/// Returns the origin of each of `count` columns for which SQLite reports none.
fn origins(sql: &str, count: usize) -> Vec<String> {
    let column = ResultColumn {
        name: "x".to_owned(),
        origin: None,
        is_mixed: false,
        values: Arc::new(Float64Array::from(vec![1.0])),
    };
    let mut columns = vec![column; count];
    assign_origins(&TokenizedSql::new(sql), &mut columns, &Catalog::bundled(), Tz::UTC);
    let text = |column: ResultColumn| {
        column
            .origin
            .map_or_else(|| "-".to_owned(), |origin| format!("{}.{}", origin.table, origin.column))
    };
    columns.into_iter().map(text).collect()
}

#[test]
fn aggregates_keep_the_unit_of_their_column() {
    for (sql, expected) in [
        (
            "SELECT day, avg(average_hrv), count(average_hrv) FROM nights GROUP BY 1",
            "- sleep.average_hrv -",
        ),
        ("SELECT round(max(n.average_hrv), 1) AS best FROM nights AS n", "sleep.average_hrv"),
        (
            "SELECT avg(bpm) OVER (ORDER BY time), percentile(bpm, 90) AS p FROM heartrate",
            "heartrate.bpm heartrate.bpm",
        ),
        ("SELECT sum(steps), corr(steps, score) FROM daily_activity", "daily_activity.steps -"),
        (
            "SELECT avg(d.readiness_score), avg(w.distance) FROM days d \
             JOIN workout w ON w.day = d.day",
            "daily_readiness.score workout.distance",
        ),
        (
            "SELECT (CAST(avg(efficiency) AS INTEGER)), max(latency) - min(latency) FROM sleep",
            "sleep.efficiency sleep.latency",
        ),
    ] {
        let count = expected.split(' ').count();
        assert_eq!(origins(sql, count).join(" "), expected, "{sql}");
    }
}

#[test]
fn sums_have_the_unit_in_which_all_inputs_agree() {
    let band = |expression: &str| {
        format!(
            "SELECT {expression} FROM (SELECT avg(average_hrv) OVER past AS mean, \
             stddev(average_hrv) OVER past AS deviation, total_sleep_duration, steps \
             FROM nights JOIN (SELECT day, steps FROM days) USING (day) \
             WINDOW past AS (ORDER BY time ROWS 60 PRECEDING))"
        )
    };
    for (expression, expected) in [
        ("mean - deviation", "sleep.average_hrv"),
        ("mean + 1.5 * deviation", "sleep.average_hrv"),
        ("mean - deviation * 2", "sleep.average_hrv"),
        ("round(-(mean - deviation / 2), 1)", "sleep.average_hrv"),
        ("max(mean - deviation, 0)", "sleep.average_hrv"),
        ("mean + 5", "sleep.average_hrv"),
        ("CASE WHEN mean > 0 THEN mean - deviation END", "sleep.average_hrv"),
        ("CASE WHEN mean > 0 THEN mean ELSE NULL END", "sleep.average_hrv"),
        ("CASE WHEN mean > 0 THEN mean ELSE steps END", "-"),
        ("mean - steps", "-"),
        ("total_sleep_duration / 3600.0", "-"),
        ("2 * mean", "-"),
        ("mean * deviation", "-"),
        ("mean / deviation", "-"),
        ("mean - total_sleep_duration", "-"),
        ("1 + 2", "-"),
    ] {
        assert_eq!(origins(&band(expression), 1), [expected], "{expression}");
    }
}

#[test]
fn sum_of_several_columns_has_no_description() {
    let mut columns = [ResultColumn {
        name: "x".to_owned(),
        origin: None,
        is_mixed: false,
        values: Arc::new(Float64Array::from(vec![1.0])),
    }];
    let sql = "SELECT deep_sleep_duration + rem_sleep_duration FROM sleep";
    assign_origins(&TokenizedSql::new(sql), &mut columns, &Catalog::bundled(), Tz::UTC);
    let [column] = columns;
    assert!(column.is_mixed);
    assert_eq!(column.origin.unwrap().column, "deep_sleep_duration");
}

#[test]
fn an_ambiguous_column_has_no_origin() {
    for sql in [
        // Both tables have a score.
        "SELECT avg(score) FROM daily_sleep, daily_readiness",
        "WITH sleep AS (SELECT 1 AS average_hrv) SELECT avg(average_hrv) FROM sleep",
        "SELECT avg(average_hrv) FROM (SELECT 1 AS average_hrv)",
        "SELECT avg(average_hrv) FROM sleep UNION ALL SELECT 1",
        "SELECT average_hrv FROM nights UNION ALL SELECT steps FROM days",
        "SELECT sum(total_sleep_duration) / 3600.0 AS total_sleep_duration FROM nights",
        "WITH RECURSIVE n(average_hrv) AS (SELECT 1 UNION ALL SELECT average_hrv + 1 \
         FROM n) SELECT average_hrv FROM n",
        "WITH RECURSIVE n AS (SELECT average_hrv FROM n UNION ALL SELECT average_hrv \
         FROM n) SELECT average_hrv FROM n",
        "SELECT avg(average_hrv",
        "SELECT 1",
    ] {
        assert_eq!(origins(sql, 1), ["-"], "{sql}");
    }
}

#[test]
fn subqueries_and_stars_are_followed() {
    for (sql, expected) in [
        (
            "WITH x AS (SELECT day, average_hrv FROM nights) SELECT day, avg(average_hrv) AS h \
             FROM x GROUP BY 1",
            "- sleep.average_hrv",
        ),
        (
            "SELECT max(best) FROM (SELECT min(n.average_hrv) AS best FROM nights AS n \
             GROUP BY day)",
            "sleep.average_hrv",
        ),
        (
            "SELECT average_hrv FROM nights UNION ALL SELECT average_hrv FROM sleep",
            "sleep.average_hrv",
        ),
        (
            "SELECT max(average_hrv) FROM sleep UNION ALL SELECT min(average_hrv) FROM sleep",
            "sleep.average_hrv",
        ),
        (
            "WITH a AS (SELECT steps FROM days), b AS (SELECT * FROM a) SELECT avg(b.steps) FROM b",
            "daily_activity.steps",
        ),
        (
            "SELECT avg(x.steps), avg(average_hrv) FROM (SELECT day, steps FROM days) AS x \
             JOIN nights USING (day)",
            "daily_activity.steps sleep.average_hrv",
        ),
        ("SELECT avg(average_hrv), * FROM sleep", "sleep.average_hrv -"),
        (
            "SELECT * FROM (SELECT average_hrv AS a, steps AS b FROM days)",
            "sleep.average_hrv daily_activity.steps",
        ),
    ] {
        let count = expected.split(' ').count();
        assert_eq!(origins(sql, count).join(" "), expected, "{sql}");
    }
}

#[test]
fn columns_of_a_compound_match_by_position() {
    let many = vec!["SELECT steps FROM days"; 50].join(" UNION ALL ");
    let doubled: Vec<_> = (1..12)
        .map(|number| {
            format!("a{number} AS (SELECT v FROM a{0} UNION ALL SELECT v FROM a{0})", number - 1)
        })
        .collect();
    let doubled = format!(
        "WITH a0 AS (SELECT steps AS v FROM days), {} SELECT v FROM a11",
        doubled.join(", ")
    );
    for (sql, expected) in [
        (
            "SELECT avg(v) FROM (SELECT average_hrv AS v FROM sleep UNION ALL \
             SELECT average_hrv FROM sleep)",
            "sleep.average_hrv",
        ),
        (
            "SELECT v FROM (SELECT average_hrv AS v, steps AS w FROM days UNION ALL \
             SELECT steps, average_hrv AS v FROM days)",
            "-",
        ),
        (
            "SELECT * FROM (SELECT average_hrv AS v, steps AS w FROM days) UNION SELECT * \
             FROM (SELECT steps AS w, average_hrv AS v FROM days)",
            "- -",
        ),
        (
            "SELECT average_hrv, NULL AS steps FROM nights UNION ALL SELECT NULL, steps FROM days",
            "sleep.average_hrv daily_activity.steps",
        ),
        ("SELECT NULL UNION ALL SELECT NULL", "-"),
        ("SELECT steps FROM days EXCEPT SELECT 1000", "daily_activity.steps"),
        ("SELECT steps FROM days INTERSECT SELECT 1000 UNION SELECT average_hrv FROM nights", "-"),
        (&many, "daily_activity.steps"),
        // Too many subqueries to follow.
        (&doubled, "-"),
    ] {
        assert_eq!(origins(sql, expected.split(' ').count()).join(" "), expected, "{sql}");
    }
}

#[tokio::test]
async fn a_compound_has_a_unit_only_if_all_parts_agree() {
    let (store, _folder) = store();
    let unpivot = "SELECT time, 'hrv' AS metric, average_hrv AS value FROM nights \
                   UNION ALL SELECT time, 'steps', steps FROM days";
    let same_unit = &unpivot.replace("steps FROM days", "average_hrv FROM days");
    let subquery = &format!("SELECT metric, value FROM ({unpivot})");
    let same_unit_subquery = &format!("SELECT metric, value FROM ({same_unit})");
    let common_table = &format!("WITH u AS ({unpivot}) SELECT value FROM u WHERE metric = 'hrv'");
    for (sql, expected) in [
        (
            "SELECT day, bedtime_start AS v FROM nights \
             UNION ALL SELECT day, steps FROM days ORDER BY 1",
            "Utf8 - | Int64 -",
        ),
        ("SELECT steps AS v FROM days UNION ALL SELECT bedtime_start FROM nights", "Int64 -"),
        (
            "SELECT bedtime_start AS v FROM nights UNION ALL SELECT bedtime_end FROM nights",
            "time -",
        ),
        ("SELECT bedtime_start AS v FROM nights UNION SELECT NULL", "time -"),
        ("SELECT bedtime_start AS v FROM sleep UNION SELECT bedtime_start FROM nights", "time -"),
        (
            "SELECT bedtime_start FROM sleep EXCEPT SELECT steps FROM days",
            "time sleep.bedtime_start",
        ),
        (unpivot, "time - | Utf8 - | Int64 -"),
        (subquery, "Utf8 - | Int64 -"),
        (common_table, "Int64 -"),
        (same_unit, "time - | Utf8 - | Int64 sleep.average_hrv"),
        (same_unit_subquery, "Utf8 - | Int64 sleep.average_hrv"),
        (
            "SELECT bedtime_start FROM sleep WHERE day IN \
             (SELECT day FROM (SELECT day FROM days UNION SELECT day FROM nights))",
            "time sleep.bedtime_start",
        ),
        ("SELECT value FROM baselines WHERE metric = 'average_hrv'", "Int64 -"),
        ("SELECT avg(value) FROM baselines", "Float64 -"),
    ] {
        assert_eq!(types_and_origins(&store, sql).await, expected, "{sql}");
    }
}

/// SQLite reports the origin of one arm of a UNION, and the parser does not see inside views.
#[tokio::test]
async fn views_with_a_union_have_no_unit() {
    let (store, _folder) = store();
    let views: Vec<String> = rusqlite::Connection::open(store.path())
        .unwrap()
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'view' AND sql LIKE '% UNION %'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(views.len() >= 2, "{views:?}");
    for view in views {
        let columns = types_and_origins(&store, &format!("SELECT * FROM {view}")).await;
        assert!(columns.split(" | ").all(|column| column.ends_with(" -")), "{view}: {columns}");
    }
}

/// Returns a store with one night and the steps of one day.
fn store() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(
        &folder.path().join("oura.db"),
        Arc::new(Catalog::bundled()),
        Tz::named("Europe/Vienna"),
    )
    .unwrap();
    let midnight = 1_773_097_200;
    rusqlite::Connection::open(store.path())
        .unwrap()
        .execute_batch(&format!(
            "INSERT INTO calendar (day, time) VALUES ('2026-03-10', {midnight});
             INSERT INTO sleep
                 (document, time, day, type, bedtime_start, bedtime_end, average_hrv,
                  total_sleep_duration)
                 VALUES (1, {midnight}, '2026-03-10', 'long_sleep', {midnight},
                         {midnight} + 28800, 40, 28000);
             INSERT INTO daily_activity (document, time, day, steps)
                 VALUES (2, {midnight}, '2026-03-10', 9000)"
        ))
        .unwrap();
    store.writer().refresh_views().unwrap();
    (store, folder)
}

/// Returns type and origin of each column of `sql`, separated by ` | `.
async fn types_and_origins(store: &Store, sql: &str) -> String {
    let engine = Engine::new(store.clone(), store.zone(), Limits::default());
    let context = QueryContext {
        from_ms: 0,
        to_ms: 1,
        interval: Duration::from_secs(60),
        max_data_points: 100,
    };
    let query = SqlQuery { raw_sql: sql.to_owned(), ..SqlQuery::default() };
    let result = engine.run(&query, &context).await.unwrap();
    let catalog = store.catalog();
    let mut columns = Vec::new();
    for column in result.batch.columns {
        let kind = match column.values.data_type() {
            DataType::Timestamp(..) => "time".to_owned(),
            other => other.to_string(),
        };
        // A day has an origin outside of the catalogue, and no unit.
        let origin = match column.origin.filter(|origin| catalog.get(&origin.table).is_some()) {
            Some(origin) => format!("{}.{}", origin.table, origin.column),
            None => "-".to_owned(),
        };
        columns.push(format!("{kind} {origin}"));
    }
    columns.join(" | ")
}

#[test]
fn times_stay_times_in_functions_that_keep_them() {
    let kind = |sql: &str| {
        let values: ArrayRef =
            Arc::new(arrow::array::Int64Array::from(vec![Some(1_700_000_000), None]));
        let mut columns =
            [ResultColumn { name: "x".to_owned(), origin: None, is_mixed: false, values }];
        assign_origins(&TokenizedSql::new(sql), &mut columns, &Catalog::bundled(), Tz::UTC);
        columns[0].values.data_type().clone()
    };
    for sql in [
        "SELECT max(bedtime_end) AS x FROM nights",
        "SELECT coalesce(min(bedtime_start), 0) FROM sleep",
        "SELECT max(time) FROM heartrate",
        "SELECT last_sync FROM sync_status",
        "WITH w AS (SELECT max(start_datetime) AS begun FROM workout) SELECT begun FROM w",
    ] {
        assert!(matches!(kind(sql), DataType::Timestamp(..)), "{sql}");
    }
    for sql in [
        "SELECT sum(bedtime_end) FROM sleep",
        "SELECT max(bedtime_end) - 1 FROM sleep",
        "SELECT max(steps) FROM days",
    ] {
        assert_eq!(kind(sql), DataType::Int64, "{sql}");
    }
}
