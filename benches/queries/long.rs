//! Conversion of long rows to a wide series: 200,000 times, five series with a label each.

use std::sync::Arc;

use arrow::array::{Float64Array, StringArray, TimestampNanosecondArray};
use divan::Bencher;
use ringside::query::{Format, QueryResult};
use ringside::store::{ColumnBatch, ResultColumn};

const TIMES: i64 = 200_000;
const SERIES: [&str; 5] = ["awake", "rest", "sleep", "session", "workout"];

#[divan::bench(sample_count = 20)]
fn long_to_wide_and_encoded(bencher: Bencher) {
    let long = long();
    bencher.bench_local(|| super::encoded(&long, Format::TimeSeries));
}

fn long() -> QueryResult {
    let rows = || (0..TIMES).flat_map(|time| SERIES.iter().map(move |series| (time, *series)));
    let times = TimestampNanosecondArray::from_iter_values(
        rows().map(|(time, _)| (1_600_000_000 + 300 * time) * 1_000_000_000),
    );
    let labels = StringArray::from_iter_values(rows().map(|(_, series)| series));
    let values = Float64Array::from_iter_values(
        rows().map(|(time, series)| (time % 97) as f64 + series.len() as f64),
    );
    let column = |name: &str, values| ResultColumn { name: name.to_owned(), origin: None, values };
    let columns = vec![
        column("time", Arc::new(times)),
        column("source", Arc::new(labels)),
        column("bpm", Arc::new(values)),
    ];
    let batch = ColumnBatch {
        rows: columns[0].values.len(),
        columns,
        truncation: None,
        charge: Default::default(),
    };
    QueryResult::of(batch, String::new())
}
