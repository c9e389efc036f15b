use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::query::{Fill, FillMode, QueryContext};
use crate::sql::TokenKind;
use crate::time::Tz;

/// An hour and half a second from 2023-11-14T22:13:20Z, in intervals of five minutes.
fn context() -> QueryContext {
    QueryContext {
        from_ms: 1_700_000_000_000,
        to_ms: 1_700_003_600_500,
        interval: Duration::from_secs(300),
        max_data_points: 100,
    }
}

fn expand(sql: &str, context: &QueryContext, zone: Tz) -> Result<Expanded, MacroError> {
    super::expand(&tokenize(sql)?, context, zone)
}

/// Returns the expanded statement, or the error and its offset.
fn expanded(sql: &str) -> String {
    match expand(sql, &context(), Tz::named("Europe/Vienna")) {
        Ok(expanded) => expanded.sql.text().to_owned(),
        Err(error) => format!("{error} at {}", error.offset),
    }
}

#[test]
fn each_macro_has_the_meaning_of_postgresql() {
    for (sql, expansion) in [
        ("$__time(t)", "t AS \"time\""),
        ("$__timeEpoch(t)", "t AS \"time\""),
        ("$__timeFilter(t)", "t BETWEEN 1700000000 AND 1700003600.5"),
        ("$__timeFrom() $__timeFrom", "1700000000 1700000000"),
        ("$__timeTo()", "1700003600.5"),
        ("$__timeGroup(t, '5m')", "((t) - (((t) % 300) + 300) % 300)"),
        ("$__timeGroupAlias(t,5m)", "((t) - (((t) % 300) + 300) % 300) AS \"time\""),
        ("$__timeGroup(t, $__interval)", "((t) - (((t) % 300) + 300) % 300)"),
        ("$__timeGroup(t, '$__interval')", "((t) - (((t) % 300) + 300) % 300)"),
        ("$__timeGroup(t, '500ms')", "((t) - (((t) % 1) + 1) % 1)"),
        ("$__unixEpochFilter(t)", "t >= 1700000000 AND t <= 1700003600"),
        ("$__unixEpochFrom() $__unixEpochTo()", "1700000000 1700003600"),
        ("$__unixEpochNanoFilter(t)", "t >= 1700000000000000000 AND t <= 1700003600500000000"),
        ("$__unixEpochNanoFrom() $__unixEpochNanoTo()", "1700000000000000000 1700003600500000000"),
        ("$__unixEpochGroupAlias(t, '1h')", "((t) - (((t) % 3600) + 3600) % 3600) AS \"time\""),
        ("$__interval $__interval_ms", "5m 300000"),
        ("$__from ${__to}", "1700000000000 1700003600500"),
        ("'${__from:date:iso}' '${__to:date:seconds}'", "'2023-11-14T22:13:20.000Z' '1700003600'"),
        ("'${__from:date:YYYY-MM-DD}'", "'2023-11-14'"),
        ("$__dayFilter(day)", "day BETWEEN '2023-11-14' AND '2023-11-15'"),
        ("$__dayFrom() $__dayTo()", "'2023-11-14' '2023-11-15'"),
        ("$__dayGroup(day, 'week')", "date(day, 'weekday 0', '-6 days')"),
        ("$__localTime(t)", "local_time(t)"),
        ("name LIKE '$__searchFilter'", "name LIKE '%'"),
    ] {
        assert_eq!(expanded(sql), expansion, "{sql}");
    }
}

#[test]
fn arguments_nest_and_text_stays_text() {
    assert_eq!(
        expanded("$__timeFilter(coalesce(a, b))"),
        "coalesce(a, b) BETWEEN 1700000000 AND 1700003600.5"
    );
    assert_eq!(
        expanded("$__timeFilter(max(')', \"a)\" /* ) */, t))"),
        "max(')', \"a)\" /* ) */, t) BETWEEN 1700000000 AND 1700003600.5"
    );
    assert_eq!(
        expanded("$__timeGroup($__timeFrom(), '1h')"),
        "((1700000000) - (((1700000000) % 3600) + 3600) % 3600)"
    );
    for sql in [
        "'$__timeFilter(t)'",
        "-- $__nonsense\n1",
        "/* $__timeFrom() */",
        "\"$__timeTo\"",
        "[$__interval]",
        "$1 + :a + ?1",
    ] {
        assert_eq!(expanded(sql), sql);
    }
}

#[test]
fn columns_named_day_are_compared_as_days() {
    for (sql, expansion) in [
        ("$__timeFilter(day)", "day BETWEEN '2023-11-14' AND '2023-11-15'"),
        ("$__timeFilter(nights.\"day\")", "nights.\"day\" BETWEEN '2023-11-14' AND '2023-11-15'"),
        ("$__timeFilter(weekday)", "weekday BETWEEN 1700000000 AND 1700003600.5"),
        ("$__timeGroup(day, '1d')", "local_midnight(day)"),
        ("$__timeGroup(day, '1440m')", "local_midnight(day)"),
        (
            "$__timeGroup(d.day, '6h')",
            "((local_midnight(d.day)) - (((local_midnight(d.day)) % 21600) + 21600) % 21600)",
        ),
        (
            "$__dayGroup(time, 'month')",
            "date(coalesce(local_day(time), date(time)), 'start of month')",
        ),
    ] {
        assert_eq!(expanded(sql), expansion, "{sql}");
    }
}

#[test]
fn offsets_map_back_to_the_statement_as_written() {
    let sql = "SELECT $__timeGroup(time, '5m') AS time, avg(bpmm) \
               FROM heartrate WHERE $__timeFilter(tim)";
    let expanded = expand(sql, &context(), Tz::UTC).unwrap();
    for name in ["bpmm", "FROM"] {
        assert_eq!(
            expanded.source_offset(expanded.sql.text().find(name).unwrap()),
            sql.find(name).unwrap(),
            "{name}"
        );
    }
    assert_eq!(
        expanded.source_offset(expanded.sql.text().find("tim BETWEEN").unwrap()),
        sql.find("$__timeFilter").unwrap(),
        "a macro as a whole"
    );
}

#[test]
fn an_expansion_does_not_merge_with_the_text_before() {
    let before_1970 = QueryContext { from_ms: -1_000, ..context() };
    assert_eq!(
        expand("SELECT 1 -$__timeFrom()", &before_1970, Tz::UTC).unwrap().sql.text(),
        "SELECT 1 - -1"
    );
    assert_eq!(
        expanded("$__timeFilter(time -- in UTC\n)"),
        "time BETWEEN 1700000000 AND 1700003600.5"
    );
    assert_eq!(expanded("1/$__time(*)"), "1/ * AS \"time\"");
    assert_eq!(expanded("$$__time(a)"), "$ a AS \"time\"");
}

#[test]
fn a_time_group_is_named_only_in_a_list_of_columns() {
    let sql = expanded(
        "SELECT $__timeGroup(t, '1h'), source FROM heartrate \
         GROUP BY $__timeGroup(t, '1h'), source",
    );
    assert_eq!(sql.matches("AS \"time\"").count(), 1);
    assert!(sql.starts_with("SELECT ((t) - (((t) % 3600) + 3600) % 3600) AS \"time\", source"));
}

#[test]
fn an_invalid_macro_has_a_message_and_a_position() {
    for (sql, message) in [
        ("SELECT $__timeFliter(t)", "Unknown macro $__timeFliter at 7"),
        ("$__timeFilter()", "Wrong number of arguments, usage: $__timeFilter(column) at 0"),
        (
            "$__timeGroup(t)",
            "Wrong number of arguments, usage: $__timeGroup(column, '5m'[, NULL|previous|0]) at 0",
        ),
        ("$__timeFilter(t", "Missing closing bracket: $__timeFilter( at 0"),
        ("SELECT ${__from", "Missing closing bracket: ${__from at 7"),
        (
            "$__timeGroup(t, '0s')",
            "Invalid interval '0s': use a number and a unit, for example `5m` at 0",
        ),
        (
            "$__timeGroup(t, '-5m')",
            "Invalid interval '-5m': use a number and a unit, for example `5m` at 0",
        ),
        (
            "$__timeGroup(t, '5m', null)",
            "Invalid fill value null: use NULL, previous or a number at 0",
        ),
        (
            "$__dayGroup(day, 'hour')",
            "Invalid calendar unit hour: use 'day', 'week', 'month' or 'year' at 0",
        ),
        (
            "${__from:date:nonsense}",
            "Invalid time format date:nonsense: \
             use date, date:iso, date:seconds, or a pattern such as date:YYYY-MM-DD at 0",
        ),
    ] {
        assert_eq!(expanded(sql), message, "{sql}");
    }
    let deep = format!("{}1{}", "$__time(".repeat(10_000), ")".repeat(10_000));
    assert!(
        expanded(&deep).starts_with("Macros are nested too deeply: at most 8 levels are allowed")
    );
    assert!(expanded(&" ".repeat(200_000)).contains("longer than 128 KiB"));
    let year = QueryContext { from_ms: 1_700_000_000_000 - 31_536_000_000, ..context() };
    assert_eq!(
        expand("$__timeGroup(t, '1s', 0)", &year, Tz::UTC).unwrap_err().kind,
        MacroErrorKind::Grid
    );
}

#[test]
fn the_third_argument_requests_a_grid_of_whole_steps() {
    let fill = |sql: &str| expand(sql, &context(), Tz::UTC).unwrap().fill.unwrap();
    let grid = Fill::regular(FillMode::Null, 1_699_999_200, 1_700_003_600, 3_600);
    assert_eq!(*grid.times, [1_699_995_600, 1_699_999_200, 1_700_002_800]);
    assert_eq!(fill("$__timeGroup(t, '1h', NULL)"), grid);
    assert_eq!(
        fill("$__timeGroupAlias(t, '1h', previous)"),
        Fill { mode: FillMode::Previous, ..grid.clone() }
    );
    assert_eq!(
        fill("$__unixEpochGroup(t, '1h', -1.5)"),
        Fill { mode: FillMode::Value(-1.5), ..grid }
    );
}

#[test]
fn groups_round_down_on_both_sides_of_1970() {
    crate::store::prepare_sqlite().unwrap();
    let database = rusqlite::Connection::open_in_memory().unwrap();
    for (at, group) in [(0, 0), (299, 0), (300, 300), (-1, -300), (-300, -300), (-301, -600)] {
        let sql = format!("SELECT {}", expanded(&format!("$__timeGroup({at}, '5m')")));
        assert_eq!(
            database.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap(),
            group,
            "{at}"
        );
    }
}

#[test]
fn a_week_begins_on_monday() {
    crate::store::prepare_sqlite().unwrap();
    let database = rusqlite::Connection::open_in_memory().unwrap();
    for (day, monday) in
        [("2026-03-29", "2026-03-23"), ("2026-03-30", "2026-03-30"), ("2026-01-01", "2025-12-29")]
    {
        let sql = format!("SELECT {}", expanded(&format!("$__dayGroup('{day}', 'week')")));
        assert_eq!(database.query_row(&sql, [], |row| row.get::<_, String>(0)).unwrap(), monday);
    }
}

#[test]
fn a_filter_uses_the_index_of_its_column() {
    crate::store::prepare_sqlite().unwrap();
    let database = rusqlite::Connection::open_in_memory().unwrap();
    database
        .execute_batch(
            "CREATE TABLE heartrate (time TIMESTAMP, bpm INTEGER);
             CREATE INDEX by_time ON heartrate (time)",
        )
        .unwrap();
    let sql = expanded("EXPLAIN QUERY PLAN SELECT bpm FROM heartrate WHERE $__timeFilter(time)");
    let plan: String = database.query_row(&sql, [], |row| row.get("detail")).unwrap();
    assert_eq!(plan, "SEARCH heartrate USING INDEX by_time (time>? AND time<?)");
}

/// Fragments of macros, punctuation and text.
const FRAGMENTS: &str = concat!(
    r"(\$__[a-zA-Z_]{0,12}|\$__timeGroup\(|\$__timeFilter\(|\$\{__from|",
    "[(),'\"\\[\\]}:\\-/* \n0-9a-zä]){0,40}"
);

proptest! {
    #[test]
    fn expanding_never_panics(sql in FRAGMENTS, from in any::<i64>(), to in any::<i64>()) {
        let context = QueryContext { from_ms: from, to_ms: to, ..context() };
        let _ = expand(&sql, &context, Tz::named("Europe/Vienna"));
    }

    #[test]
    fn strings_and_comments_stay_unchanged(text in "[a-zA-Z_$(), 0-9]{0,30}") {
        let variables = ["$__searchFilter", "$__interval", "$__from", "$__to"];
        prop_assume!(!variables.iter().any(|variable| text.contains(variable)));
        for sql in [
            format!("SELECT '{text}'"),
            format!("SELECT 1 /* {text} */"),
            format!("SELECT \"{text}\" -- {text}"),
        ] {
            prop_assert_eq!(expanded(&sql), sql);
        }
    }

    #[test]
    fn an_expanded_statement_has_no_macros(
        name in prop::sample::select(MACROS.map(|known| known.name).to_vec()),
    ) {
        for sql in [
            format!("${name}"),
            format!("${name}()"),
            format!("${name}(a)"),
            format!("${name}(a, '1d')"),
        ] {
            if let Ok(done) = expand(&sql, &context(), Tz::UTC) {
                let has_macro = done.sql.tokens().any(|token| token.kind == TokenKind::Variable);
                prop_assert!(!has_macro, "{}", done.sql.text());
            }
        }
    }
}
