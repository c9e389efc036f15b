//! The worked examples of `docs/insights.md` for definitions that only panels have. The statements
//! are those of the panels.

use super::*;

/// A panel's statement over all rows, without macros.
fn statement(panel: &str) -> String {
    panel
        .replace("$__timeFilter(time)", "TRUE")
        .replace("$__timeFilter(nights.time)", "TRUE")
        .replace("$__timeFrom()", "0")
        .replace("$__timeTo()", "4e9")
        .replace("$tag", "alcohol")
}

/// Returns columns of the last row of a panel.
fn last(database: &Connection, panel: &str, columns: &str) -> Vec<f64> {
    let sql = format!("SELECT {columns} FROM ({})", statement(panel));
    let mut statement = database.prepare(&sql).unwrap();
    let count = statement.column_count();
    let rows = statement
        .query_map([], |row| (0..count).map(|column| row.get::<_, f64>(column)).collect())
        .unwrap();
    rows.last().unwrap().unwrap()
}

fn assert_near(found: &[f64], expected: &[f64]) {
    let is_near = found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 0.01);
    assert!(is_near, "{found:?} instead of {expected:?}");
}

#[test]
fn geometric_mean_and_variation_of_seven_nights() {
    let database = database();
    database
        .execute_batch(
            "CREATE TABLE nights (day TEXT, time INTEGER, average_hrv REAL);
             INSERT INTO nights
             SELECT date('2026-01-01', key || ' days'), 86400 * key, value
             FROM json_each('[42, 39, 45, 50, 41, 38, 44]')",
        )
        .unwrap();
    let panel = include_str!("../../../../provisioning/generate/sql/heart/geometric_mean.sql");
    assert_near(&last(&database, panel, r#""Mean of 7 nights", "Variation""#), &[42.55, 2.49]);
}

#[test]
fn dip_of_the_night_below_the_day_before() {
    let database = database();
    database
        .execute_batch(
            "CREATE TABLE nights (day TEXT, time INTEGER, average_heart_rate REAL);
             INSERT INTO nights VALUES ('2026-01-02', 1767308400, 52);
             CREATE TABLE heartrate_1h (time INTEGER, source TEXT, sum REAL, count INTEGER);
             -- Noon of the first of January, and a workout that does not count.
             INSERT INTO heartrate_1h VALUES (1767265200, 'awake', 72 * 60, 60),
                                             (1767268800, 'workout', 150 * 60, 60)",
        )
        .unwrap();
    let panel = include_str!("../../../../provisioning/generate/sql/heart/dip.sql");
    assert_near(&last(&database, panel, r#""Dip""#), &[27.78]);
}

#[test]
fn nights_around_a_tag_are_averaged_by_their_distance() {
    let database = database();
    // Five nights after each night of the tag comes an untagged one. Four nights are too few.
    database
        .execute_batch(
            "CREATE TABLE tag_days (day TEXT, tag TEXT, night TEXT);
             CREATE TABLE baselines (metric TEXT, day TEXT, time INTEGER, z REAL);
             CREATE TABLE nights_of_the_tag (night TEXT, z REAL);
             INSERT INTO nights_of_the_tag VALUES
                 ('2026-01-10', -1.5), ('2026-01-20', -2.5), ('2026-01-30', -2), ('2026-02-09', -1),
                 ('2026-02-19', -3);
             INSERT INTO tag_days SELECT date(night, '-1 day'), 'alcohol', night
                                  FROM nights_of_the_tag;
             INSERT INTO tag_days VALUES ('2026-01-14', 'sauna', '2026-01-15');
             INSERT INTO baselines SELECT 'average_hrv', night, 0, z FROM nights_of_the_tag;
             INSERT INTO baselines SELECT 'average_hrv', date(night, '5 days'), 0, 3
                                   FROM nights_of_the_tag;
             INSERT INTO baselines SELECT 'average_hrv', date(night, '1 day'), 0, -0.5
                                   FROM nights_of_the_tag LIMIT 4",
        )
        .unwrap();
    let panel = include_str!("../../../../provisioning/generate/sql/insights/around.sql");
    let sql = format!("SELECT \"Nights since\", \"HRV\", \"Nights\" FROM ({})", statement(panel));
    let mut prepared = database.prepare(&sql).unwrap();
    let rows = prepared.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    let found: Vec<(String, f64, i64)> = rows.collect::<Result<_, _>>().unwrap();
    assert_eq!(found, [("0".to_owned(), -2.0, 5), ("+5".to_owned(), 3.0, 5)]);
}

#[test]
fn rhythm_of_the_day_is_a_cosine_through_the_hours() {
    let database = database();
    database
        .execute_batch(
            "CREATE TABLE sleep_timing (day TEXT, time INTEGER, social_jet_lag REAL,
                                        free_nights INTEGER);
             CREATE TABLE heartrate_1h (time INTEGER, source TEXT, sum REAL, count INTEGER);
             -- In winter, Vienna is an hour ahead of UTC: its day begins at 23:00.
             WITH RECURSIVE hours(hour) AS (
                 SELECT 0 UNION ALL SELECT hour + 1 FROM hours WHERE hour < 23
             )
             INSERT INTO heartrate_1h
             SELECT 1767222000 + 3600 * hour, 'rest', 64 + 14.6 * cos((hour - 13.075) * pi() / 12), 1
             FROM hours",
        )
        .unwrap();
    let panel = include_str!("../../../../provisioning/generate/sql/insights/clock.sql");
    assert_near(&last(&database, panel, r#""Swing""#), &[29.2]);
    let sql = format!("SELECT \"Peak of the day\" FROM ({})", statement(panel));
    let peak: String = database.query_row(&sql, [], |row| row.get(0)).unwrap();
    assert_eq!(peak, "13:04");
}
