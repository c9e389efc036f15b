//! Converts query results to Grafana data frames.
//!
//! A frame is an Arrow IPC file. Its schema metadata carries labels, units, frame type and notices.
//! The encoding follows grafana-plugin-sdk-go `data/arrow.go`. Frame types and versions follow
//! Grafana's data plane contract, so that alert rules and expressions use the typed path.

mod budget;
mod columnar;
mod config;
mod downsample;
mod encode;
mod rows;
mod series;
mod tabular;

use std::collections::BTreeMap;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use serde::Serialize;

use crate::catalog::Catalog;
use crate::query::{FieldDisplay, Format, QueryResult, Reader};
use crate::store::ResultColumn;
use budget::FrameBudget;
use config::Config;

pub use columnar::{ParquetFailure, ParquetTable, write_parquet};
pub use rows::{RowForm, TimeForm, json_type, write_json, write_objects};
pub use tabular::{ARROW_MEDIA_TYPES, write_arrow, write_csv, write_lines};

/// Maximum length of the text of a label, in bytes.
const MAX_LABEL: usize = 1 << 10;

/// Maximum size of the labels of all series of a result, in bytes.
const MAX_LABELS: usize = 16 << 20;

/// Bytes by which frames may exceed the limit of a result: its last row, and the metadata.
const MAX_OVERRUN: usize = 64 << 20;

/// An encoded data frame: an Arrow IPC *file* (with footer), as Grafana expects.
pub type EncodedFrame = Vec<u8>;

/// Why a result cannot become a time series frame. `Display` includes how to fix the query.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// No column contains times. The text lists the column names.
    #[error(
        "a time series needs a time column: name one column \"time\", or use the format Table \
         (columns: {0})"
    )]
    NoTime(String),
    /// No column contains values. The text lists the column names.
    #[error("a time series needs a number column: add one, or use the format Table (columns: {0})")]
    NoValues(String),
    /// The time of this row, counted from 1, is null.
    #[error(
        "a time series needs a time in every row, but the time in row {0} is null: add \
         WHERE … IS NOT NULL, or use the format Table"
    )]
    NullTime(usize),
    /// Two label columns have this name.
    #[error("two label columns are named {0:?}: rename one")]
    DuplicateLabel(String),
    /// The wide frame would have too many fields or cells.
    #[error(
        "too many series ({series} series over {times} times): narrow the time range, filter the \
         rows, or select fewer text columns"
    )]
    TooWide {
        /// Number of series.
        series: usize,
        /// Number of distinct times.
        times: usize,
    },
    /// A text in a label column is too long.
    #[error(
        "the text in column {column:?} is too long for a label ({bytes} bytes, at most \
         {MAX_LABEL}): shorten it with substr(), or use the format Table"
    )]
    LongLabel {
        /// The label column.
        column: String,
        /// The length of the text in bytes.
        bytes: usize,
    },
    /// All labels together are too large.
    #[error("the labels of all series exceed {} MiB: select fewer text columns", MAX_LABELS >> 20)]
    TooManyLabels,
    /// The frames exceed the limit of the query's result.
    #[error("the frames exceed {} MiB: narrow the time range, or aggregate", .0 >> 20)]
    TooLarge(usize),
    /// Other queries use the memory that all queries of the process share.
    #[error("other queries use the memory for queries: retry in a moment")]
    MemoryInUse,
    /// Arrow cannot encode the frame.
    #[error("cannot encode the frame: {0}")]
    Arrow(#[from] ArrowError),
}

/// One column of a frame.
#[derive(Clone)]
struct Field {
    name: String,
    /// `None` for a plain column. A series from labelled rows always has labels, possibly empty.
    labels: Option<BTreeMap<String, String>>,
    config: Option<Config>,
    values: ArrayRef,
}

impl Field {
    fn is_number(&self) -> bool {
        matches!(self.values.data_type(), DataType::Int64 | DataType::Float64)
    }

    fn is_time(&self) -> bool {
        matches!(self.values.data_type(), DataType::Timestamp(..))
    }

    fn is_text(&self) -> bool {
        self.values.data_type() == &DataType::Utf8
    }
}

/// The fields of Grafana's FrameMeta that frames use.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Meta<'a> {
    #[serde(rename = "type")]
    frame_type: FrameType,
    /// Missing for tables. The contract defines no version for them, and Grafana logs a warning
    /// about an unknown version.
    #[serde(skip_serializing_if = "Option::is_none")]
    type_version: Option<[u32; 2]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notices: Vec<Notice>,
    #[serde(skip_serializing_if = "str::is_empty")]
    executed_query_string: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<&'a serde_json::Value>,
    preferred_visualisation_type: &'static str,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum FrameType {
    #[serde(rename = "timeseries-wide")]
    TimeSeriesWide,
    #[serde(rename = "timeseries-multi")]
    TimeSeriesMulti,
    NumericLong,
    NumericWide,
    Table,
}

#[derive(Debug, Serialize)]
struct Notice {
    severity: &'static str,
    text: String,
}

/// Encodes a query result as frames under `ref_id`.
///
/// As a time series, rows are sorted and converted from long to wide form with labels. Sparse
/// series become one frame each. As a table, rows remain in their order.
pub fn frames(
    result: &QueryResult,
    format: Format,
    ref_id: &str,
    catalog: &Catalog,
) -> Result<Vec<EncodedFrame>, FrameError> {
    let displays = result.displays.iter().map(Some).chain(std::iter::repeat(None));
    let fields: Vec<_> = result
        .batch
        .columns
        .iter()
        .zip(displays)
        .map(|(column, display)| field(column, display, catalog))
        .collect();
    let mut notices: Vec<_> = result
        .notices
        .iter()
        .map(|text| Notice { severity: "warning", text: text.clone() })
        .collect();
    let mut budget = FrameBudget::new(result.max_bytes);
    let (frame_type, parts) = match format {
        Format::TimeSeries => {
            let has_metric_labels = result.reader != Reader::Panel;
            let fill = result.fill.as_ref();
            series::series(fields, fill, has_metric_labels, &mut budget)?.into_parts()
        }
        Format::Table => table(fields, result.reader, &mut budget),
    };
    let is_series = matches!(frame_type, FrameType::TimeSeriesWide | FrameType::TimeSeriesMulti);
    let is_table = matches!(frame_type, FrameType::Table);
    let max_bytes = result.max_bytes.saturating_add(MAX_OVERRUN);
    let mut bytes = 0;
    let mut frames = Vec::with_capacity(parts.len());
    for mut fields in parts {
        if is_series {
            let (reduced, notice) = downsample::reduce(fields, result.downsample)?;
            fields = reduced;
            notices.extend(notice.map(|text| Notice { severity: "info", text }));
        }
        // In the contract, a typed frame without fields means "no data". Alert rules would read
        // empty columns as a normal series.
        if result.batch.rows == 0 && !is_table {
            fields.clear();
        }
        // Only the first frame carries the metadata of the whole result.
        let is_first = frames.is_empty();
        let meta = Meta {
            frame_type,
            type_version: (!is_table).then_some([0, 1]),
            notices: std::mem::take(&mut notices),
            executed_query_string: if is_first { &result.executed_sql } else { "" },
            custom: result.custom.as_ref().filter(|_| is_first),
            preferred_visualisation_type: if is_series { "graph" } else { "table" },
        };
        let size = encode::size(&fields);
        if size > max_bytes.saturating_sub(bytes) {
            return Err(FrameError::TooLarge(result.max_bytes));
        }
        budget.take(size)?;
        let frame = encode::encode(&fields, &meta, ref_id)?;
        bytes += frame.len();
        frames.push(frame);
    }
    Ok(frames)
}

/// Shapes a table for its reader. A rule gets numbers or series with labels: of a table with
/// several number columns, it finds the first one only.
fn table(
    fields: Vec<Field>,
    reader: Reader,
    budget: &mut FrameBudget,
) -> (FrameType, Vec<Vec<Field>>) {
    let is_rule = reader == Reader::Rule;
    if is_numeric_long(&fields) {
        return match series::numbers(&fields).filter(|_| is_rule) {
            Some(numbers) => (FrameType::NumericWide, vec![numbers]),
            None => (FrameType::NumericLong, vec![fields]),
        };
    }
    if is_rule && fields.iter().filter(|field| field.is_time()).count() == 1 {
        // Rows that lack a time, for example, stay a table.
        if let Ok(series) = series::series(fields.clone(), None, true, budget) {
            return series.into_parts();
        }
    }
    (FrameType::Table, vec![fields])
}

fn field(column: &ResultColumn, display: Option<&FieldDisplay>, catalog: &Catalog) -> Field {
    let mut config = config::of_column(column, catalog);
    if let Some(title) = display.and_then(|display| display.title.clone()) {
        config.get_or_insert_default().title = Some(title);
    }
    if let Some(line) = display.and_then(|display| display.line.as_ref()) {
        config.get_or_insert_default().custom = Some(line.into());
    }
    let labels =
        display.filter(|display| !display.labels.is_empty()).map(|display| display.labels.clone());
    Field { name: column.name.clone(), labels, config, values: column.values.clone() }
}

/// Whether a table has numbers and text, but no times. Alert rules read it as one number per label
/// set.
fn is_numeric_long(fields: &[Field]) -> bool {
    fields.iter().any(Field::is_number)
        && fields.iter().all(|field| field.is_number() || field.is_text())
}

#[cfg(test)]
mod tests;
