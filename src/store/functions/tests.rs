use rusqlite::types::Value;

use super::*;
use crate::store::meter::Meter;
use crate::store::prepare_sqlite;

mod chance;
mod examples;

fn database() -> Connection {
    prepare_sqlite().unwrap();
    let database = Connection::open_in_memory().unwrap();
    register(&database).unwrap();
    register_local(&database, Tz::named("Europe/Vienna")).unwrap();
    WallClock::new(Tz::named("Europe/Vienna")).register(&database).unwrap();
    database
}

fn value(database: &Connection, expression: &str) -> Result<Value, String> {
    database
        .query_row(&format!("SELECT {expression}"), [], |row| row.get(0))
        .map_err(|error| error.to_string())
}

#[test]
fn functions_return_null_for_undefined_results() {
    let database = database();
    let group = "FROM (VALUES (4), (1), (NULL), (3.0), (2))";
    for (sql, expected) in [
        ("sqrt(9)", Value::Real(3.0)),
        ("sqrt(-1)", Value::Null),
        ("sqrt('nine')", Value::Null),
        ("floor(-1.5)", Value::Real(-2.0)),
        ("ceil(7)", Value::Integer(7)),
        ("pow(2, 10)", Value::Real(1024.0)),
        (&format!("median(column1) {group}"), Value::Real(2.5)),
        (&format!("mad(column1) {group}"), Value::Real(1.0)),
        (&format!("percentile(column1, 75) {group}"), Value::Real(3.25)),
        (&format!("variance(column1) {group}"), Value::Real(5.0 / 3.0)),
        ("stddev(1)", Value::Null),
        ("median(1) WHERE 0", Value::Null),
    ] {
        assert_eq!(value(&database, sql), Ok(expected), "{sql}");
    }
    assert_eq!(
        value(&database, "percentile(1, 101)"),
        Err("the second argument of percentile() must be from 0 to 100".to_owned())
    );
}

#[test]
fn two_columns_have_a_correlation_and_a_regression() {
    let database = database();
    let line = "FROM (VALUES (1, 5), (2, 7), (NULL, 9), (3, 9))";
    assert_eq!(value(&database, &format!("corr(column1, column2) {line}")), Ok(Value::Real(1.0)));
    assert_eq!(value(&database, &format!("corr(column1, -column2) {line}")), Ok(Value::Real(-1.0)));
    assert_eq!(
        value(&database, &format!("regr_slope(column2, column1) {line}")),
        Ok(Value::Real(2.0))
    );
    assert_eq!(
        value(&database, &format!("regr_intercept(column2, column1) {line}")),
        Ok(Value::Real(3.0))
    );
    assert_eq!(value(&database, "corr(1, 2)"), Ok(Value::Null));
}

#[test]
fn rank_correlation_shares_ranks_of_equal_values() {
    let database = database();
    for (rows, expected) in [
        ("(1, 10), (2, 20), (3, 9000)", 1.0),
        ("(1, 3), (2, 2), (3, -1)", -1.0),
        // Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4.
        ("(1, 1), (2, 5), (2, 7), (3, 8), (NULL, 1)", 0.9_f64.sqrt()),
    ] {
        let sql = format!("round(spearman(column1, column2), 9) FROM (VALUES {rows})");
        let expected = (expected * 1e9).round() / 1e9;
        assert_eq!(value(&database, &sql), Ok(Value::Real(expected)), "{rows}");
    }
    for sql in ["spearman(1, 2)", "spearman(column1, 1) FROM (VALUES (1), (2))"] {
        assert_eq!(value(&database, sql), Ok(Value::Null), "{sql}");
    }
}

#[test]
fn window_statistics_match_separate_queries() {
    let database = database();
    let rows = "(VALUES (1, 5), (2, 1), (3, NULL), (4, 9), (5, 2), (6, 9), (7, 4))";
    for name in ["median", "mad", "stddev", "clock_mean"] {
        let slid = format!(
            "SELECT {name}(column2)
                    OVER (ORDER BY column1 ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING)
             FROM {rows}"
        );
        let alone = format!(
            "SELECT (SELECT {name}(p.column2) FROM {rows} AS p
                     WHERE p.column1 BETWEEN r.column1 - 3 AND r.column1 - 1)
             FROM {rows} AS r"
        );
        let all = |sql: &str| -> Vec<Value> {
            database
                .prepare(sql)
                .unwrap()
                .query_map([], |row| row.get(0))
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap()
        };
        assert_eq!(all(&slid), all(&alone), "{name}");
    }
}

#[test]
fn long_windows_stop_with_their_statement() {
    let database = database();
    let means = "max(m) FROM (
                     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1500)
                     SELECT clock_mean(i)
                            OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS m
                     FROM n)";
    let meter = Meter::start(std::time::Instant::now(), Default::default(), usize::MAX);
    assert!(value(&database, means).is_err());
    drop(meter);
    assert_eq!(value(&database, means), Ok(Value::Real(750.5)));
}

#[test]
fn weighted_mean_follows_row_order() {
    let database = database();
    let mut means = database
        .prepare(
            "SELECT ewma(column2, 0.5) OVER (ORDER BY column1)
             FROM (VALUES (1, 10), (2, 20), (3, NULL), (4, 0))",
        )
        .unwrap();
    let means: Vec<f64> =
        means.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(means, [10.0, 15.0, 15.0, 7.5]);
    assert!(value(&database, "ewma(1, 2)").unwrap_err().contains("above 0 and at most 1"));
}

#[test]
fn times_of_day_are_averaged_around_midnight() {
    let database = database();
    assert_eq!(
        value(&database, "clock_mean(column1) FROM (VALUES (84600), (1800))"),
        Ok(Value::Real(0.0))
    );
    assert_eq!(value(&database, "clock_mean(column1) FROM (VALUES (0), (43200))"), Ok(Value::Null));
    assert_eq!(
        value(&database, "clock_mean(column1) FROM (VALUES (-3600), (-1800))"),
        Ok(Value::Real(83_700.0))
    );
}

#[test]
fn first_and_last_use_time_not_row_order() {
    let database = database();
    let rows = "FROM (VALUES (7, 20), (5, 10), (NULL, 30), (6, 20))";
    assert_eq!(value(&database, &format!("first(column1, column2) {rows}")), Ok(Value::Real(5.0)));
    assert_eq!(value(&database, &format!("last(column1, column2) {rows}")), Ok(Value::Real(6.0)));
}

#[test]
fn local_time_follows_daylight_saving() {
    let database = database();
    for (sql, expected) in [
        // 2026-03-29: clocks in Vienna go from 2:00 to 3:00 at 01:00 UTC.
        ("local_time(1774745999)", "2026-03-29T01:59:59"),
        ("local_time(1774746000)", "2026-03-29T03:00:00"),
        ("local_day(1774738799)", "2026-03-28"),
        ("local_day(1774738800)", "2026-03-29"),
        ("hms(27000)", "7:30:00"),
        ("hms(-1800)", "-0:30:00"),
        ("hms(100000.6)", "27:46:41"),
    ] {
        assert_eq!(value(&database, sql), Ok(Value::Text(expected.to_owned())), "{sql}");
    }
    for (sql, expected) in [
        ("local_hour(1774746000)", 3),
        ("local_clock(1774746000)", 10_800),
        ("local_midnight('2026-03-29')", 1_774_738_800),
        ("local_midnight('2026-03-30') - local_midnight('2026-03-29')", 23 * 3_600),
        ("local_midnight(1774746000)", 1_774_738_800),
    ] {
        assert_eq!(value(&database, sql), Ok(Value::Integer(expected)), "{sql}");
    }
    for sql in [
        "local_time(1e300)",
        "local_day(NULL)",
        "local_midnight('soon')",
        "local_hour('x')",
        "hms(NULL)",
    ] {
        assert_eq!(value(&database, sql), Ok(Value::Null), "{sql}");
    }
}

#[test]
fn listed_functions_match_registered_functions() {
    let database = database();
    let bare = Connection::open_in_memory().unwrap();
    let names = |database: &Connection| -> std::collections::BTreeSet<String> {
        let mut names = database.prepare("SELECT DISTINCT name FROM pragma_function_list").unwrap();
        names.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let ours: Vec<String> = names(&database).difference(&names(&bare)).cloned().collect();
    let mut listed: Vec<_> = FUNCTIONS.iter().map(|function| function.name).collect();
    listed.sort();
    assert_eq!(ours, listed);
}

proptest::proptest! {
    #[test]
    fn text_functions_match_sqlite(
        whole in "[abä ]{0,12}", part in "[abä]{0,3}", by in "[xä]{0,2}",
    ) {
        let (own, bounded) = (Connection::open_in_memory().unwrap(), database());
        register_bounded(&bounded, 1_000).unwrap();
        for expression in [
            "instr(?1, ?2)", "replace(?1, ?2, ?3)", "trim(?1, ?2)", "ltrim(?1, ?2)",
            "rtrim(?1, ?2)", "instr(?1, NULL)",
        ] {
            let answer = |database: &Connection| {
                let sql = format!("SELECT {expression}, typeof({expression}), ?1 || ?2 || ?3");
                database
                    .query_row(&sql, [&whole, &part, &by], |row| {
                        Ok((row.get::<_, Value>(0)?, row.get::<_, String>(1)?))
                    })
                    .unwrap()
            };
            proptest::prop_assert_eq!(answer(&own), answer(&bounded), "{}", expression);
        }
    }
}

proptest::proptest! {
    #[test]
    fn patterns_match_as_in_sqlite(
        pattern in r"[aBäÄ%_*?\\\[\]^-]{0,12}",
        text in r"[aAbBäÄ%_*\[\]^-]{0,12}",
        escape in r"[\\aÄ%]",
    ) {
        let (sqlite, ours) = (Connection::open_in_memory().unwrap(), database());
        register_bounded(&ours, 1 << 10).unwrap();
        for expression in ["?2 LIKE ?1", "?2 LIKE ?1 ESCAPE ?3", "?2 GLOB ?1"] {
            let matches = |database: &Connection| {
                let sql = format!("SELECT {expression}, length(?3)");
                database
                    .query_row(&sql, [&pattern, &text, &escape], |row| row.get::<_, bool>(0))
                    .unwrap()
            };
            proptest::prop_assert_eq!(matches(&ours), matches(&sqlite), "{}", expression);
        }
    }
}
