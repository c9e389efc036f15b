//! Queries of dashboard panels, with macros and limits, but without gRPC.

use std::fmt::{Display, Formatter};
use std::time::Duration;

use divan::Bencher;
use ringside::query::{Format, QueryContext, SqlQuery};

use super::DATABASE;

const YEAR: i64 = 365 * 86_400;
/// The width of a panel on a common screen.
const PIXELS: i64 = 1_000;

/// A panel's query.
struct Panel {
    title: &'static str,
    sql: &'static str,
    /// The time range, up to the last heart rate.
    years: i64,
    /// The interval in seconds.
    interval: u64,
}

impl Display for Panel {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.title)
    }
}

const HOURS: u64 = 3_600;

#[rustfmt::skip]
const DAILY: [Panel; 4] = [
    Panel { title: "scores", years: 1, interval: 6 * HOURS,
        sql: "SELECT time, sleep_score, readiness_score, activity_score FROM days \
              WHERE $__timeFilter(time) ORDER BY time" },
    Panel { title: "nights", years: 1, interval: 6 * HOURS,
        sql: "SELECT time, average_hrv, lowest_heart_rate, total_sleep_duration FROM nights \
              WHERE $__timeFilter(time) ORDER BY time" },
    Panel { title: "baseline", years: 1, interval: 6 * HOURS,
        sql: "SELECT time, value, mean, mean - deviation, mean + deviation FROM baselines
              WHERE metric = 'average_hrv' AND $__timeFilter(time) ORDER BY time" },
    Panel { title: "last night", years: 1, interval: 6 * HOURS,
        sql: "SELECT time, code FROM hypnogram WHERE day = (SELECT max(day) FROM nights \
              WHERE $__timeFilter(time)) ORDER BY time" },
];

#[rustfmt::skip]
const HEART_RATE: [Panel; 3] = [
    Panel { title: "a year of rows", years: 1, interval: 6 * HOURS,
        sql: "SELECT $__timeGroup(time, $__interval) AS time, avg(bpm), min(bpm), max(bpm)
              FROM heartrate WHERE $__timeFilter(time) GROUP BY 1 ORDER BY 1" },
    Panel { title: "a year by hours", years: 1, interval: 6 * HOURS,
        sql: "SELECT $__timeGroup(time, $__interval) AS time,
                     sum(sum) / sum(count), min(minimum), max(maximum)
              FROM heartrate_1h WHERE $__timeFilter(time) GROUP BY 1 ORDER BY 1" },
    Panel { title: "ten years by days", years: 10, interval: 24 * HOURS,
        sql: "SELECT $__timeGroup(time, $__interval) AS time,
                     sum(sum) / sum(count), min(minimum), max(maximum)
              FROM heartrate_1d WHERE $__timeFilter(time) GROUP BY 1 ORDER BY 1" },
];

#[divan::bench(args = DAILY)]
fn daily(bencher: Bencher, panel: &Panel) {
    run(bencher, panel);
}

#[divan::bench(args = HEART_RATE)]
fn heart_rate(bencher: Bencher, panel: &Panel) {
    run(bencher, panel);
}

fn run(bencher: Bencher, panel: &Panel) {
    let runtime = tokio::runtime::Runtime::new().expect("threads start");
    let query = SqlQuery {
        raw_sql: panel.sql.to_owned(),
        format: Format::TimeSeries,
        ..SqlQuery::default()
    };
    let context = QueryContext {
        from_ms: (DATABASE.end - panel.years * YEAR) * 1_000,
        to_ms: DATABASE.end * 1_000,
        interval: Duration::from_secs(panel.interval),
        max_data_points: PIXELS as u64,
    };
    bencher.bench_local(|| {
        let result =
            runtime.block_on(DATABASE.engine.run(&query, &context)).expect("the query is valid");
        super::encoded(&result, Format::TimeSeries)
    });
}
