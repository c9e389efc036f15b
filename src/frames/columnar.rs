//! Query results as Parquet files, whole or by month.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, Schema, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use chrono::DateTime;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::config::arrow_field;
use crate::catalog::Catalog;
use crate::query::QueryResult;
use crate::store::ColumnBatch;

/// The number of rows of a row group: the memory of the writer.
const ROW_GROUP: usize = 128 << 10;

/// A result in Parquet's types. Clones share the columns.
#[derive(Clone)]
pub struct ParquetTable {
    batch: RecordBatch,
}

/// Why a Parquet file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write Parquet: {0}")]
pub struct ParquetFailure(#[from] ParquetError);

impl From<ArrowError> for ParquetFailure {
    fn from(error: ArrowError) -> ParquetFailure {
        ParquetFailure(error.into())
    }
}

impl ParquetTable {
    /// Converts a result. Times are UTC in microseconds, which every reader has. The metadata of a
    /// field has its unit and its description.
    pub fn new(result: &QueryResult, catalog: &Catalog) -> Result<ParquetTable, ParquetFailure> {
        let ColumnBatch { columns, rows, .. } = &result.batch;
        let mut fields = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for column in columns {
            let array = match column.values.data_type() {
                DataType::Timestamp(..) => {
                    let times =
                        cast(&column.values, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
                    let times = times.as_primitive::<TimestampMicrosecondType>().clone();
                    Arc::new(times.with_timezone("UTC")) as ArrayRef
                }
                _ => Arc::clone(&column.values),
            };
            fields.push(arrow_field(column, array.data_type(), catalog));
            arrays.push(array);
        }
        let schema = Arc::new(Schema::new(fields));
        let options = RecordBatchOptions::new().with_row_count(Some(*rows));
        Ok(ParquetTable { batch: RecordBatch::try_new_with_options(schema, arrays, &options)? })
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// Writes one file.
    pub fn write(&self, out: impl Write + Send) -> Result<(), ParquetFailure> {
        write_parquet(&self.batch, out)
    }

    /// Splits the rows by month (`2026-01`), of their day or of their time in UTC. Rows without
    /// either are in the part with the key `unknown`. Returns `None` if no column has days or
    /// times.
    pub fn by_month(&self) -> Result<Option<BTreeMap<String, ParquetTable>>, ParquetFailure> {
        let named = |name: &str| self.batch.column_by_name(name);
        let month: Box<dyn Fn(usize) -> Option<String>> = match (named("day"), named("time")) {
            (Some(days), _) if days.data_type() == &DataType::Utf8 => {
                let days = days.as_string::<i32>();
                Box::new(|row| {
                    days.is_valid(row).then(|| days.value(row).get(..7))?.map(str::to_owned)
                })
            }
            (_, Some(times)) if matches!(times.data_type(), DataType::Timestamp(..)) => {
                let times = times.as_primitive::<TimestampMicrosecondType>();
                Box::new(|row| {
                    let time = times.is_valid(row).then(|| times.value(row))?;
                    Some(DateTime::from_timestamp_micros(time)?.format("%Y-%m").to_string())
                })
            }
            _ => return Ok(None),
        };
        let mut rows: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (row, number) in (0..self.rows()).zip(0_u32..) {
            rows.entry(month(row).unwrap_or_else(|| "unknown".to_owned()))
                .or_default()
                .push(number);
        }
        let part = |(month, rows)| {
            let batch = take_record_batch(&self.batch, &UInt32Array::from(rows))?;
            Ok((month, ParquetTable { batch }))
        };
        rows.into_iter().map(part).collect::<Result<_, ParquetFailure>>().map(Some)
    }
}

/// Writes rows as one Parquet file: compressed, with times as differences.
pub fn write_parquet(rows: &RecordBatch, out: impl Write + Send) -> Result<(), ParquetFailure> {
    let schema = rows.schema();
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(6)?))
        .set_max_row_group_row_count(Some(ROW_GROUP));
    for field in schema.fields() {
        if matches!(field.data_type(), DataType::Timestamp(..)) {
            // Times differ in every row, by nearly the same amount.
            let path = ColumnPath::new(vec![field.name().clone()]);
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        }
    }
    let mut writer = ArrowWriter::try_new(out, schema, Some(properties.build()))?;
    writer.write(rows)?;
    writer.close()?;
    Ok(())
}
