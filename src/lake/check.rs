//! Comparing a lake with the databases.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;

use super::error::LakeError;
use super::log::{Log, Snapshot};
use super::partition::{Partition, read_people};
use super::publish::{Skipped, Source, partitions_of, stored_schema};
use super::table::LakeTable;
use super::{Lake, Person};
use crate::blocking::blocking;
use crate::catalog::Catalog;

/// The result of a check.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// The number of compared rows.
    pub rows: usize,
    /// The number of files of all tables.
    pub files: usize,
    /// Their size in bytes.
    pub bytes: u64,
    /// The differences.
    pub differences: Vec<Difference>,
    /// The data sources that were not compared.
    pub skipped: Vec<Skipped>,
}

/// A difference between a lake and a database, or within the lake.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// The month, or `unknown`.
    pub month: String,
    /// The data source, or the file.
    pub subject: String,
    /// The difference.
    pub detail: String,
}

impl Lake {
    /// Compares every row of `people` with the lake, and the files with the logs.
    pub async fn check(
        &self,
        people: &[Person],
        catalog: &Arc<Catalog>,
    ) -> Result<Verdict, LakeError> {
        let inventory = self.inventory(people, catalog, true).await?;
        let mut verdict = Verdict { skipped: inventory.skipped, ..Verdict::default() };
        for table in &inventory.tables {
            self.check_table(table, &inventory.sources, &mut verdict).await?;
        }
        Ok(verdict)
    }

    async fn check_table(
        &self,
        table: &LakeTable,
        sources: &[Arc<Source>],
        verdict: &mut Verdict,
    ) -> Result<(), LakeError> {
        let log = Log::new(&self.storage, &table.name);
        let snapshot = log.read().await?;
        let table = match &snapshot.meta_data {
            Some(stored) => table.with_columns_of(&stored_schema(&log, stored)?),
            None => table.clone(),
        };
        self.check_files(&table.name, &snapshot, verdict).await?;
        let mut work: BTreeMap<Partition, Vec<Arc<Source>>> = BTreeMap::new();
        for source in sources {
            let shard = source.pseudonym.shard;
            let months = table.changed_months(&source.changes);
            let partitions: BTreeSet<Partition> = months
                .into_keys()
                .map(|month| Partition { shard, month })
                .chain(partitions_of(&snapshot, &source.pseudonym))
                .collect();
            for partition in partitions {
                work.entry(partition).or_default().push(Arc::clone(source));
            }
        }
        for (partition, sources) in work {
            let mut contents = Vec::new();
            for file in partition.files(&snapshot) {
                let path = format!("{}/{}", table.name, file.path);
                // A missing file is reported already.
                contents.extend(self.storage.read(&path).await?);
            }
            let table = table.clone();
            let compared = blocking(move || compare(&table, partition, contents, &sources)).await?;
            verdict.rows += compared.0;
            verdict.differences.extend(compared.1);
        }
        Ok(())
    }

    /// Compares the files of a table with its log.
    async fn check_files(
        &self,
        table: &str,
        snapshot: &Snapshot,
        verdict: &mut Verdict,
    ) -> Result<(), LakeError> {
        let files = self.storage.list(table).await?;
        let sizes: BTreeMap<&str, u64> =
            files.iter().map(|file| (file.path.as_str(), file.size)).collect();
        for file in snapshot.files.values() {
            let expected = u64::try_from(file.size).unwrap_or_default();
            verdict.files += 1;
            verdict.bytes += expected;
            let detail = match sizes.get(format!("{table}/{}", file.path).as_str()) {
                Some(found) if *found == expected => continue,
                Some(found) => format!("{found} bytes instead of {expected}"),
                None => "the file is missing".to_owned(),
            };
            let month = file.partition_values.get("month").cloned().unwrap_or_default();
            let subject = file.path.clone();
            verdict.differences.push(Difference {
                table: table.to_owned(),
                month,
                subject,
                detail,
            });
        }
        Ok(())
    }
}

/// Compares the rows of people in one partition. Returns the number of rows, and the differences.
fn compare(
    table: &LakeTable,
    partition: Partition,
    contents: Vec<Bytes>,
    sources: &[Arc<Source>],
) -> Result<(usize, Vec<Difference>), LakeError> {
    let mut people = read_people(table, contents)?;
    let mut rows = 0;
    let mut differences = Vec::new();
    for source in sources {
        let parts = people.remove(&source.pseudonym.name).unwrap_or_default();
        let found: RecordBatch = table.concat(&parts)?;
        let expected = table.read(&source.open()?, partition.month, &source.pseudonym.name)?;
        rows += expected.num_rows();
        if found == expected {
            continue;
        }
        let detail = if found.num_rows() == expected.num_rows() {
            format!("{} rows with other values", found.num_rows())
        } else {
            format!("{} rows, and the database has {}", found.num_rows(), expected.num_rows())
        };
        differences.push(Difference {
            table: table.name.clone(),
            month: partition.month_name(),
            subject: source.key.clone(),
            detail,
        });
    }
    Ok((rows, differences))
}
