//! Days, times and clocks of queries, over a real store in several time zones.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, TimestampNanosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::calendar::CalendarStep;
use super::*;
use crate::catalog::Catalog;
use crate::store::Store;
use crate::time::{Day, Instant};

/// Zones with daylight saving, with offsets of 45 and 30 minutes, at the ends of the world, without
/// some midnights, and without a whole day.
static ZONES: LazyLock<[Tz; 9]> = LazyLock::new(|| {
    [
        Tz::named("Europe/Vienna"),
        Tz::named("America/New_York"),
        Tz::named("Asia/Kathmandu"),
        Tz::named("America/St_Johns"),
        Tz::named("Pacific/Kiritimati"),
        Tz::named("Pacific/Apia"),
        Tz::named("Australia/Lord_Howe"),
        Tz::named("America/Havana"),
        Tz::UTC,
    ]
});

struct World {
    store: Store,
    _folder: tempfile::TempDir,
}

impl World {
    fn new(zone: Tz) -> World {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("oura.db");
        let store = Store::open(&path, Arc::new(Catalog::bundled()), zone).unwrap();
        World { store, _folder: folder }
    }

    /// Runs `statements`, which change tables directly.
    fn write(&self, statements: &str) {
        let connection = rusqlite::Connection::open(self.store.path()).unwrap();
        connection.execute_batch(statements).unwrap();
    }

    async fn run(&self, sql: &str) -> Result<QueryResult, QueryError> {
        let engine = Engine::new(self.store.clone(), self.store.zone(), Limits::default());
        let day = |day| Day::new(2026, 11, day).unwrap().midnight(self.store.zone()).seconds();
        let context = QueryContext {
            from_ms: day(20) * 1_000,
            to_ms: day(25) * 1_000 + 1,
            interval: Duration::from_secs(3_600),
            max_data_points: 100,
        };
        let query = SqlQuery { raw_sql: sql.to_owned(), ..SqlQuery::default() };
        engine.run(&query, &context).await
    }

    /// The rows as text. Times are in UTC.
    async fn rows(&self, sql: &str) -> Vec<String> {
        let batch = self.run(sql).await.unwrap().batch;
        let options = FormatOptions::default().with_null("-").with_timestamp_format(Some("%F %T"));
        let columns: Vec<_> = batch
            .columns
            .iter()
            .map(|column| ArrayFormatter::try_new(&column.values, &options).unwrap())
            .collect();
        (0..batch.rows)
            .map(|row| {
                let values = columns.iter().map(|column| column.value(row).to_string());
                values.collect::<Vec<_>>().join(" | ")
            })
            .collect()
    }

    async fn data_type(&self, sql: &str) -> DataType {
        self.run(sql).await.unwrap().batch.columns[0].values.data_type().clone()
    }

    async fn error(&self, sql: &str) -> String {
        let error = self.run(sql).await.expect_err(sql);
        format!("{error}. {}", error.hint())
    }
}

fn seconds(result: &QueryResult, column: usize) -> Vec<i64> {
    let times = result.batch.columns[column].values.as_primitive::<TimestampNanosecondType>();
    times.values().iter().map(|nanoseconds| nanoseconds.div_euclid(1_000_000_000)).collect()
}

#[tokio::test]
async fn groups_of_whole_days_follow_the_calendar_in_every_zone() {
    let first = Day::new(2010, 12, 20).unwrap();
    let days: Vec<Day> = first.through(first.plus(1_300)).collect();
    for zone in *ZONES {
        let world = World::new(zone);
        let values: Vec<String> =
            days.iter().map(|day| format!("('{day}', {})", day.midnight(zone).seconds())).collect();
        world.write(&format!("INSERT INTO calendar (day, time) VALUES {}", values.join(", ")));
        for text in ["1d", "24h", "1440m", "1w", "7d", "1M", "3M", "1y"] {
            let step = CalendarStep::parse(text).unwrap();
            let result = world
                .run(&format!(
                    "WITH renamed AS (SELECT day AS d, time AS t FROM calendar)
                     SELECT $__timeGroup(d, '{text}') AS time,
                            max($__timeGroup(c.time, '{text}')) AS \"Time\",
                            max($__timeGroup(t, '{text}')) AS \"TIME\"
                     FROM calendar AS c JOIN renamed ON d = day GROUP BY day ORDER BY day"
                ))
                .await
                .unwrap();
            let expected: Vec<i64> =
                days.iter().map(|day| step.start(*day).unwrap().midnight(zone).seconds()).collect();
            for column in 0..3 {
                assert!(seconds(&result, column) == expected, "{zone} {text} column {column}");
            }
        }
    }
}

#[tokio::test]
async fn groups_of_instants_keep_the_meaning_of_postgresql() {
    for zone in *ZONES {
        let world = World::new(zone);
        let at: Vec<i64> = (0..200).map(|number| 1_790_000_000 + number * 7_919).collect();
        let values: Vec<String> = at.iter().map(|at| format!("({at}, 60, 'awake')")).collect();
        world.write(&format!(
            "INSERT INTO heartrate (time, bpm, source) VALUES {}",
            values.join(", ")
        ));
        for (text, step) in [("1d", 86_400), ("24h", 86_400), ("1w", 604_800), ("5m", 300)] {
            let sql = format!("SELECT $__timeGroup(time, '{text}') AS time FROM heartrate");
            let result = world.run(&sql).await.unwrap();
            let expected: Vec<i64> = at.iter().map(|at| at - at.rem_euclid(step)).collect();
            assert_eq!(seconds(&result, 0), expected, "{zone} {text}");
        }
    }
}

#[tokio::test]
async fn columns_of_midnights_are_found_through_the_statement() {
    let world = World::new(Tz::named("Europe/Vienna"));
    let midnight = Day::new(2026, 11, 25).unwrap().midnight(Tz::named("Europe/Vienna")).seconds();
    world.write(&format!(
        "INSERT INTO calendar (day, time) VALUES ('2026-11-25', {midnight});
         INSERT INTO daily_activity (document, time, day, steps)
             VALUES (1, {midnight}, '2026-11-25', 9000);
         INSERT INTO workout (document, time, day) VALUES (2, {midnight}, '2026-11-25')"
    ));
    let local = "2026-11-24 23:00:00";
    let utc = "2026-11-24 00:00:00";
    for (sql, expected) in [
        ("SELECT $__timeGroup(time, '1d') AS time FROM days", local),
        ("SELECT $__timeGroup(\"time\", '24h') AS time FROM daily_activity", local),
        ("SELECT $__timeGroupAlias(d.time, '1d') FROM days AS d JOIN workout AS w", local),
        ("SELECT $__timeGroupAlias(w.time, '1d') FROM days AS d JOIN workout AS w", utc),
        ("SELECT $__timeGroup(t, '1d') AS time FROM (SELECT max(time) AS t FROM days)", local),
        ("SELECT $__timeGroup(local_midnight(time), '1d') AS time FROM workout", local),
        ("SELECT $__timeGroup(local_midnight(day), '1d') AS time FROM workout", local),
        ("SELECT $__timeGroup(time, '1d') AS time FROM workout", utc),
        ("SELECT $__timeGroup(time, '1d') AS time FROM days UNION ALL SELECT 1 WHERE 0", local),
        (
            "SELECT max(time) AS time FROM days GROUP BY $__timeGroup(time, '1w') \
             ORDER BY $__timeGroup(time, '1w')",
            local,
        ),
        // Steps that are not whole days count from 1970, for every column.
        ("SELECT $__timeGroup(time, '36h') AS time FROM days", utc),
    ] {
        assert_eq!(world.rows(sql).await, [expected], "{sql}");
    }
}

#[tokio::test]
async fn every_view_with_the_calendars_midnights_is_known() {
    let world = World::new(Tz::named("Europe/Vienna"));
    let mut checked = 0;
    for table in world.store.inspector().published().unwrap() {
        let Ok(result) = world.run(&format!("SELECT time FROM \"{table}\"")).await else {
            continue;
        };
        let origin = &result.batch.columns[0].origin;
        if origin.as_ref().is_some_and(|origin| origin.table == "calendar") {
            let group = world.run(&format!("SELECT $__timeGroup(time, '1d') FROM {table}")).await;
            let sql = group.unwrap().executed_sql;
            assert!(sql.contains("local_midnight(time)"), "{table} is missing in DAY_TABLES");
            checked += 1;
        }
    }
    assert!(checked > 5, "{checked}");
}

#[tokio::test]
async fn filled_days_are_the_calendars_across_daylight_saving() {
    let world = World::new(Tz::named("Europe/Vienna"));
    let engine = Engine::new(world.store.clone(), Tz::named("Europe/Vienna"), Limits::default());
    let midnight =
        |day| Day::new(2026, 3, day).unwrap().midnight(Tz::named("Europe/Vienna")).seconds();
    let context = QueryContext {
        from_ms: midnight(28) * 1_000,
        to_ms: midnight(31) * 1_000 - 1,
        interval: Duration::from_secs(3_600),
        max_data_points: 100,
    };
    let raw_sql = "SELECT $__timeGroup(time, '1d', 0), steps FROM days".to_owned();
    let query = SqlQuery { raw_sql, ..SqlQuery::default() };
    let fill = engine.run(&query, &context).await.unwrap().fill.unwrap();
    assert_eq!(*fill.times, [midnight(27), midnight(28), midnight(29), midnight(30)]);
}

#[tokio::test]
async fn text_times_of_sqlite_are_in_utc() {
    let world = World::new(Tz::named("Europe/Vienna"));
    let at = "1782900000, 'unixepoch'";
    let (second, minute) = ("2026-07-01 10:00:00", "2026-07-01 10:00:00");
    for (value, expected) in [
        (format!("datetime({at})"), second),
        (format!("datetime({at}, 'subsec')"), second),
        (format!("strftime('%Y-%m-%d %H:%M', {at})"), minute),
        (format!("strftime('%Y-%m-%dT%H:%M', {at})"), minute),
        (format!("strftime('%Y-%m-%dT%H:%M:%S', {at})"), second),
        (format!("strftime('%Y-%m-%dT%H:%M:%fZ', {at})"), second),
        (format!("strftime('%Y-%m-%d %H:%M', {at}) || '+02:00'"), "2026-07-01 08:00:00"),
        (format!("julianday({at})"), second),
        (format!("unixepoch({at})"), second),
        // A day is the data source's day.
        (format!("date({at})"), "2026-06-30 22:00:00"),
        // The functions for local time are in the data source's zone.
        ("local_time(1782900000)".to_owned(), second),
        ("max(local_time(1782900000))".to_owned(), second),
        ("$__localTime(1782900000)".to_owned(), second),
    ] {
        for name in ["time", "Time", "timeEnd"] {
            let sql = format!("SELECT {value} AS \"{name}\"");
            assert!(matches!(world.data_type(&sql).await, DataType::Timestamp(..)), "{sql}");
            assert_eq!(world.rows(&sql).await, [expected], "{sql}");
        }
    }
}

#[tokio::test]
async fn titles_of_plain_numbers_are_not_times() {
    let world = World::new(Tz::named("Europe/Vienna"));
    for (sql, expected) in [
        ("SELECT count(*) * 300 AS \"Time\" FROM days", DataType::Int64),
        ("SELECT 7.5 AS TIME", DataType::Float64),
        ("SELECT column1 AS \"Time\" FROM (VALUES (NULL), (1700000000), (300))", DataType::Int64),
        ("SELECT '7:30' AS \"Time\"", DataType::Utf8),
        ("SELECT 'noon' AS time", DataType::Utf8),
    ] {
        assert_eq!(world.data_type(sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn zone_of_the_machine_is_refused_with_a_hint() {
    let world = World::new(Tz::named("Europe/Vienna"));
    let hint = "Use local_time(), local_day(), local_hour() or local_clock(): they take the time \
                itself, and follow the data source's time zone.";
    for expression in [
        "datetime(1782900000, 'unixepoch', 'localtime')",
        "date(1782900000, 'unixepoch', 'LocalTime')",
        "time(1782900000, 'unixepoch', 'localtime')",
        "strftime('%H', 1782900000, 'unixepoch', 'localtime')",
        "julianday('2026-07-01', 'localtime')",
        "unixepoch('2026-07-01 10:00', 'utc')",
        "datetime(1782900000, 'unixepoch', 'local' || 'time')",
    ] {
        let sql = format!("SELECT {expression}");
        let lower = sql.to_ascii_lowercase();
        let position = match lower.find("'localtime'").or_else(|| lower.find("'utc'")) {
            Some(offset) => format!(" (line 1, column {})", offset + 1),
            None => String::new(),
        };
        let message = format!(
            "The modifiers 'localtime' and 'utc' mean the time zone of the server{position}. {hint}"
        );
        assert_eq!(world.error(&sql).await, message, "{sql}");
    }
}

#[tokio::test]
async fn look_alike_characters_are_named() {
    let world = World::new(Tz::named("Europe/Vienna"));
    for (sql, message) in [
        (
            "SELECT\u{a0}day FROM days",
            "The statement contains a no-break space (U+00A0) (line 1, column 7). \
             Replace it with a space.",
        ),
        (
            "SELECT day\nFROM\u{202f}days",
            "The statement contains a narrow no-break space (U+202F) (line 2, column 5). \
             Replace it with a space.",
        ),
        (
            "SELECT day FROM days WHERE $__timeFilter\u{a0}(time)",
            "The statement contains a no-break space (U+00A0) (line 1, column 41). \
             Replace it with a space.",
        ),
        (
            "SELECT da\u{200b}y FROM days",
            "The statement contains a zero-width space (U+200B) (line 1, column 10). \
             Replace it with nothing: delete it.",
        ),
        (
            "SELECT day FROM days WHERE day > \u{2019}2026\u{2019}",
            "The statement contains a typographic quote (U+2019) (line 1, column 34). \
             Replace it with a straight quote (').",
        ),
        (
            "SELECT steps \u{2212} 1 FROM days",
            "The statement contains a typographic minus sign (U+2212) (line 1, column 14). \
             Replace it with a minus sign (-).",
        ),
    ] {
        assert_eq!(world.error(sql).await, message, "{sql}");
    }
    // They are letters where SQLite understands the statement.
    for sql in ["SELECT 1 AS a\u{a0}b", "SELECT '\u{a0}' -- \u{a0}"] {
        assert!(world.run(sql).await.is_ok(), "{sql}");
    }
    assert!(world.error("SELECT '\u{a0}' FROM nowhere").await.starts_with("Unknown table"));
}

#[tokio::test]
async fn bedtime_in_tokyo_is_at_the_wearers_clock() {
    let world = World::new(Tz::named("Europe/Vienna"));
    let tokyo = 9 * 3_600;
    for (number, day) in (1..).zip(["2026-11-20", "2026-11-21", "2026-11-22"]) {
        let morning = day.parse::<Day>().unwrap();
        // 23:00 in Tokyo on the evening before.
        let bedtime = morning.midnight(Tz::named("Asia/Tokyo")).seconds() - 3_600;
        let midnight = morning.midnight(Tz::named("Europe/Vienna")).seconds();
        world.write(&format!(
            "INSERT INTO calendar (day, time) VALUES ('{day}', {midnight});
             INSERT INTO sleep (document, time, day, utc_offset, type, bedtime_start, bedtime_end,
                                total_sleep_duration, time_in_bed)
             VALUES ({number}, {bedtime}, '{day}', {tokyo}, 'long_sleep', {bedtime},
                     {bedtime} + 28800, 27000, 28800)"
        ));
    }
    for (sql, expected) in [
        ("SELECT hms(clock_mean(wall_clock(bedtime_start))) FROM nights", "23:00:00"),
        ("SELECT hms(clock_mean(local_clock(bedtime_start))) FROM nights", "15:00:00"),
        (
            "SELECT wall_day(bedtime_start) || ' ' || wall_hour(bedtime_end) FROM nights LIMIT 1",
            "2026-11-19 7",
        ),
        ("SELECT DISTINCT utc_offset FROM nights", "32400"),
    ] {
        assert_eq!(world.rows(sql).await, [expected], "{sql}");
    }
    // A new document counts in the next statement.
    world.write(
        "INSERT INTO workout (document, time, day, utc_offset)
         VALUES (9, 1795000000, '2026-11-18', 3600)",
    );
    assert_eq!(world.rows("SELECT wall_hour(1795000000)").await, ["12"]);
}

#[test]
fn local_text_survives_the_way_through_utc() {
    for zone in *ZONES {
        for hour in 0..20_000 {
            let at = Instant(1_500_000_000 + hour * 13_001);
            let local = at.local(zone).naive_local().and_utc().timestamp();
            let read = Instant(local).read_as_local(zone);
            // At the end of daylight saving, an hour occurs twice. The first one counts.
            assert!(read == at || read < at && at.seconds() - read.seconds() <= 3_600, "{zone}");
        }
    }
}
