//! The error rates of the panels on *Insights*: unrelated values must not look related more often
//! than the panels state. The statements are those of the panels.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

/// Days of each series.
const DAYS: i64 = 300;
/// The number of synthetic persons.
const PERSONS: u64 = 60;
/// The panels mark findings with q up to 0.1, so that one person in ten may have a mark. The
/// probability of more than 12 of 60 is below one percent (binomial distribution).
const MAX_MARKED: usize = 12;

const CORRELATIONS: &str =
    include_str!("../../../../provisioning/generate/sql/insights/correlations.sql");
const TAGS: &str = include_str!("../../../../provisioning/generate/sql/insights/tags.sql");

/// A panel's statement over all days, without macros.
fn statement(panel: &str) -> String {
    panel
        .replace("$__dayFrom()", "'2025-01-01'")
        .replace("$__dayTo()", "'2025-12-31'")
        .replace("$__timeFilter(tagged.time)", "TRUE")
}

/// A normal number, by Box and Muller.
fn normal(random: &mut StdRng) -> f64 {
    let (first, second): (f64, f64) = (random.random(), random.random());
    (-2.0 * (1.0 - first).ln()).sqrt() * (std::f64::consts::TAU * second).cos()
}

/// The first day, 2025-01-01, is a Wednesday. Days before a free day, and free days.
const BEFORE_FREE: [i64; 2] = [2, 3];
const FREE: [i64; 2] = [3, 4];

/// An autoregressive series with a trend over the year and an effect of two days of the week. `phi`
/// is the correlation of consecutive days.
fn series(random: &mut StdRng, phi: f64, higher: [i64; 2]) -> Vec<f64> {
    let mut value = normal(random);
    (0..DAYS)
        .map(|number| {
            value = phi * value + (1.0 - phi * phi).sqrt() * normal(random);
            let weekend = if higher.contains(&(number % 7)) { 1.5 } else { 0.0 };
            value + weekend + 2.0 * number as f64 / DAYS as f64
        })
        .collect()
}

fn insert(database: &Connection, table: &str, name: &str, values: &[f64]) {
    let sql =
        format!("INSERT INTO {table} VALUES (date('2025-01-01', '+' || ?1 || ' days'), ?2, ?3)");
    let mut statement = database.prepare(&sql).unwrap();
    for (number, value) in values.iter().enumerate() {
        statement.execute((number, name, value)).unwrap();
    }
}

/// The number of rows that a panel marks as more than chance, and of all rows.
fn marks(database: &Connection, statement: &str) -> (usize, usize) {
    let sql = format!("SELECT count(*) FILTER (WHERE q <= 0.1), count(*) FROM ({statement})");
    database.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

#[test]
fn unrelated_series_are_marked_within_the_error_rate() {
    let database = database();
    database
        .execute_batch(
            "CREATE TABLE causes (day TEXT, cause TEXT, value REAL);
             CREATE TABLE outcomes (day TEXT, outcome TEXT, value REAL)",
        )
        .unwrap();
    let correlations = statement(CORRELATIONS);
    let mut marked = 0;
    for seed in 0..PERSONS {
        let random = &mut StdRng::seed_from_u64(seed);
        let phi = 0.3 + 0.5 * (seed % 6) as f64 / 5.0;
        database.execute_batch("DELETE FROM causes; DELETE FROM outcomes").unwrap();
        insert(&database, "causes", "Steps", &series(random, phi, BEFORE_FREE));
        insert(&database, "causes", "Training", &series(random, phi, BEFORE_FREE));
        insert(&database, "outcomes", "HRV", &series(random, phi, FREE));
        let (marks, rows) = marks(&database, &correlations);
        assert_eq!(rows, 6, "two values of the day, three lags");
        marked += usize::from(marks > 0);
    }
    println!("{marked} of {PERSONS} persons have a mark");
    assert!(marked <= MAX_MARKED, "{marked} of {PERSONS} persons have a mark");
}

#[test]
fn tags_without_effect_are_marked_within_the_error_rate() {
    let database = database();
    database
        .execute_batch(
            "CREATE TABLE nights (day TEXT, time INTEGER, average_hrv REAL);
             CREATE TABLE tag_days (day TEXT, tag TEXT, night TEXT)",
        )
        .unwrap();
    let tags = statement(TAGS);
    let mut marked = 0;
    for seed in 0..PERSONS {
        let random = &mut StdRng::seed_from_u64(seed);
        let phi = 0.3 + 0.5 * (seed % 6) as f64 / 5.0;
        database.execute_batch("DELETE FROM nights; DELETE FROM tag_days").unwrap();
        let mut night = database
            .prepare("INSERT INTO nights VALUES (date('2025-01-01', '+' || ?1 || ' days'), 0, ?2)")
            .unwrap();
        for (number, value) in series(random, phi, FREE).iter().enumerate() {
            night.execute((number, 50.0 + 5.0 * value)).unwrap();
        }
        let mut tagged = database
            .prepare(
                "INSERT INTO tag_days VALUES (date('2025-01-01', '+' || ?1 || ' days'), ?2,
                                              date('2025-01-02', '+' || ?1 || ' days'))",
            )
            .unwrap();
        for name in ["coffee", "sauna", "travel"] {
            for number in 0..DAYS - 1 {
                if random.random_bool(0.1) {
                    tagged.execute((number, name)).unwrap();
                }
            }
        }
        let (marks, rows) = marks(&database, &tags);
        assert_eq!(rows, 3);
        marked += usize::from(marks > 0);
    }
    println!("{marked} of {PERSONS} persons have a mark");
    assert!(marked <= MAX_MARKED, "{marked} of {PERSONS} persons have a mark");
}

/// A real effect of a whole standard deviation is found, so that the panels do not mark nothing.
#[test]
fn real_correlation_is_found_at_its_lag() {
    let database = database();
    database
        .execute_batch(
            "CREATE TABLE causes (day TEXT, cause TEXT, value REAL);
             CREATE TABLE outcomes (day TEXT, outcome TEXT, value REAL)",
        )
        .unwrap();
    let random = &mut StdRng::seed_from_u64(1);
    let (cause, noise) = (series(random, 0.3, BEFORE_FREE), series(random, 0.5, FREE));
    // The night of two days later falls with the value of the day.
    let outcome: Vec<f64> = noise
        .iter()
        .enumerate()
        .map(|(day, noise)| noise - if day >= 2 { cause[day - 2] } else { 0.0 })
        .collect();
    insert(&database, "causes", "Training", &cause);
    insert(&database, "outcomes", "HRV", &outcome);
    let sql = format!(
        "SELECT \"Nights later\", \"Correlation\", q FROM ({}) LIMIT 1",
        statement(CORRELATIONS)
    );
    let (lag, r, q): (i64, f64, f64) =
        database.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    assert!(lag == 1 && r < -0.4 && q < 0.001, "lag {lag}, r {r}, q {q}");
}
