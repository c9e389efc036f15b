//! The cost of a panel's query on ten years of data, from SQL to the encoded frame.
//!
//! `docs/performance.md` has the figures.

mod database;
mod long;
mod panels;
mod step;

use std::sync::Arc;
use std::time::{Duration, Instant};

use divan::{AllocProfiler, Bencher};
use ringside::frames::{EncodedFrame, frames};
use ringside::query::{Format, QueryResult};
use ringside::sql::TokenizedSql;
use ringside::store::ReadLimits;

use database::DATABASE;

/// Counts allocations, so that the figures include the peak memory of a query. SQLite's own memory,
/// a few megabytes, is not counted.
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const ROWS: usize = 1_000_000;
const HEART_RATES: &str = "SELECT time, bpm, source FROM heartrate ORDER BY time LIMIT 1000000";

fn main() {
    divan::main();
}

fn limits() -> ReadLimits {
    ReadLimits {
        deadline: Instant::now() + Duration::from_secs(60),
        max_rows: ROWS,
        max_bytes: 1 << 30,
        max_memory: 256 << 20,
        tables: None,
        cancelled: Arc::default(),
    }
}

fn read(sql: &str) -> QueryResult {
    let sql = TokenizedSql::new(sql);
    let batch = DATABASE.store.read(&sql, &[], &limits()).expect("the query is valid");
    QueryResult::of(batch, sql.text().to_owned())
}

fn encoded(result: &QueryResult, format: Format) -> EncodedFrame {
    frames(result, format, "A", &DATABASE.catalog).expect("the rows are a frame").remove(0)
}

/// The lower bound: SQLite's own work on the same columns.
#[divan::bench(sample_count = 20)]
fn a_million_heart_rates_stepped_through(bencher: Bencher) {
    let connection = database::unguarded(DATABASE.store.path());
    bencher.bench_local(|| step::through(&connection, HEART_RATES));
}

#[divan::bench(sample_count = 20)]
fn a_million_heart_rates_read(bencher: Bencher) {
    let _ = &*DATABASE;
    bencher.bench_local(|| read(HEART_RATES).batch.rows);
}

#[divan::bench(sample_count = 20)]
fn a_million_heart_rates_read_and_encoded(bencher: Bencher) {
    let _ = &*DATABASE;
    bencher.bench_local(|| encoded(&read(HEART_RATES), Format::Table));
}

/// The materialized views after a rebuild.
#[divan::bench(sample_count = 5)]
fn views_of_ten_years_refreshed(bencher: Bencher) {
    refreshed(bencher, "(SELECT min(day) FROM calendar)");
}

/// The materialized views after a sync that brought a night: its day and the 60 days after it.
#[divan::bench(sample_count = 20)]
fn views_of_a_day_refreshed(bencher: Bencher) {
    refreshed(bencher, "(SELECT max(day) FROM calendar)");
}

fn refreshed(bencher: Bencher, first: &str) {
    let connection = rusqlite::Connection::open(DATABASE.store.path()).expect("the file opens");
    let changed =
        format!("UPDATE stale_days SET first = {first}, last = (SELECT max(day) FROM calendar)");
    bencher
        .with_inputs(|| connection.execute_batch(&changed).expect("the table exists"))
        .bench_local_values(|()| DATABASE.store.writer().refresh_views().expect("it succeeds"));
}
