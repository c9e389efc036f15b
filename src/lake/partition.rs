//! The files of one month and shard.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{max, min, partition};
use arrow::datatypes::{Date32Type, TimestampMicrosecondType};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::error::LakeError;
use super::log::{Add, Snapshot};
use super::table::LakeTable;
use crate::frames::write_parquet;
use crate::time::{Day, Month};

/// The month of rows without a day.
const UNKNOWN: &str = "unknown";

/// A month of a shard. Ordered by shard, so that the databases of its people are opened once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Partition {
    pub shard: u8,
    pub month: Option<Month>,
}

impl Partition {
    /// The partition of a file. `None` if another program wrote the file.
    pub fn of(file: &Add) -> Option<Partition> {
        let month = match file.partition_values.get("month")?.as_str() {
            UNKNOWN => None,
            month => Some(month.parse().ok()?),
        };
        Some(Partition { shard: file.partition_values.get("shard")?.parse().ok()?, month })
    }

    /// The values of the partition's columns.
    pub fn values(&self) -> BTreeMap<String, String> {
        let month = self.month_name();
        BTreeMap::from([("month".to_owned(), month), ("shard".to_owned(), self.shard.to_string())])
    }

    /// The month, or `unknown`.
    pub fn month_name(&self) -> String {
        self.month.map_or_else(|| UNKNOWN.to_owned(), |month| month.to_string())
    }

    /// The path of a new file below the table's folder.
    pub fn new_file(&self) -> String {
        let id = uuid::Uuid::new_v4();
        format!("month={}/shard={}/part-{id}.parquet", self.month_name(), self.shard)
    }

    /// The files of this partition.
    pub fn files(&self, snapshot: &Snapshot) -> Vec<Add> {
        let in_partition = |file: &&Add| Partition::of(file) == Some(*self);
        snapshot.files.values().filter(in_partition).cloned().collect()
    }
}

/// Returns whether a file may contain rows of `person`, by its statistics.
pub(super) fn may_contain(file: &Add, person: &str) -> bool {
    let stats = file.stats.as_deref().and_then(|stats| serde_json::from_str::<Value>(stats).ok());
    let bound = |kind: &str| stats.as_ref().and_then(|stats| stats[kind]["person"].as_str());
    match (bound("minValues"), bound("maxValues")) {
        (Some(least), Some(greatest)) => least <= person && person <= greatest,
        _ => true,
    }
}

/// Reads the files of a partition: the rows of each person, sorted by time.
pub(super) fn read_people(
    table: &LakeTable,
    files: Vec<Bytes>,
) -> Result<BTreeMap<String, Vec<RecordBatch>>, LakeError> {
    let mut people: BTreeMap<String, Vec<RecordBatch>> = BTreeMap::new();
    for content in files {
        for batch in ParquetRecordBatchReaderBuilder::try_new(content)?.build()? {
            let batch = table.align(&batch?)?;
            let Some(names) = batch.column_by_name("person") else { continue };
            for range in partition(std::slice::from_ref(names))?.ranges() {
                let name = names.as_string::<i32>().value(range.start).to_owned();
                let rows = batch.slice(range.start, range.len());
                people.entry(name).or_default().push(rows);
            }
        }
    }
    Ok(people)
}

/// The outcome of rewriting a partition.
pub(super) enum Rewritten {
    /// The files contain these rows already: none of the people, and no new ones.
    Unchanged,
    /// No rows are left.
    Empty,
    /// A new file.
    File {
        content: Bytes,
        /// Delta's statistics, as JSON.
        stats: String,
        rows: usize,
    },
}

/// Replaces the rows of some people in the files of a partition. `fresh` has the present rows of
/// those people, which may be none.
pub(super) fn rewrite(
    table: &LakeTable,
    files: Vec<Bytes>,
    fresh: BTreeMap<String, RecordBatch>,
) -> Result<Rewritten, LakeError> {
    let mut people = read_people(table, files)?;
    let replaced: BTreeSet<&String> =
        fresh.keys().filter(|person| people.contains_key(*person)).collect();
    if replaced.is_empty() && fresh.values().all(|rows| rows.num_rows() == 0) {
        return Ok(Rewritten::Unchanged);
    }
    for (person, rows) in fresh {
        people.insert(person, vec![rows]);
    }
    let batches: Vec<RecordBatch> = people.into_values().flatten().collect();
    let rows = table.concat(&batches)?;
    if rows.num_rows() == 0 {
        return Ok(Rewritten::Empty);
    }
    let mut content = Vec::new();
    write_parquet(&rows, &mut content)?;
    Ok(Rewritten::File {
        content: content.into(),
        stats: statistics(&rows).to_string(),
        rows: rows.num_rows(),
    })
}

/// Delta's statistics of a file, by which engines skip it.
fn statistics(rows: &RecordBatch) -> Value {
    let mut least = serde_json::Map::new();
    let mut greatest = serde_json::Map::new();
    let mut nulls = serde_json::Map::new();
    let mut put = |name: &str, bounds: Option<(String, String)>, column: &dyn Array| {
        if let Some((low, high)) = bounds {
            least.insert(name.to_owned(), low.into());
            greatest.insert(name.to_owned(), high.into());
        }
        nulls.insert(name.to_owned(), column.null_count().into());
    };
    if let Some(column) = rows.column_by_name("person") {
        // Sorted by person.
        let people = column.as_string::<i32>();
        let bounds = (people.value(0).to_owned(), people.value(people.len() - 1).to_owned());
        put("person", Some(bounds), column);
    }
    if let Some(column) = rows.column_by_name("day") {
        let days = column.as_primitive::<Date32Type>();
        let text = |day: i32| Day::new(1970, 1, 1).map(|epoch| epoch.plus(day.into()).to_string());
        put("day", min(days).and_then(text).zip(max(days).and_then(text)), column);
    }
    if let Some(column) = rows.column_by_name("time") {
        let times = column.as_primitive::<TimestampMicrosecondType>();
        let text = |time: i64| {
            let at = DateTime::from_timestamp_micros(time)?;
            Some(at.to_rfc3339_opts(SecondsFormat::Millis, true))
        };
        put("time", min(times).and_then(text).zip(max(times).and_then(text)), column);
    }
    json!({
        "numRecords": rows.num_rows(),
        "minValues": least,
        "maxValues": greatest,
        "nullCount": nulls,
    })
}
