//! Columns → Grafana data frames: Arrow IPC files whose schema metadata carries labels, units, frame type and notices.
//!
//! The encoding is that of grafana-plugin-sdk-go `data/arrow.go`; frame types and versions follow Grafana's data plane contract, so that
//! alert rules and expressions take the typed path.

mod config;
mod downsample;
mod encode;
mod rows;
mod series;

use std::collections::BTreeMap;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use serde::Serialize;

use crate::catalog::Catalog;
use crate::query::{FieldDisplay, Format, QueryResult};
use crate::store::ResultColumn;
use config::Config;
use series::Series;

pub use rows::{Objects, Rows, json_type, objects_json, rows_json};

/// One data frame, encoded: an Arrow IPC *file* (with footer) as Grafana reads it.
pub type EncodedFrame = Vec<u8>;

/// Why rows are no frame. `Display` says what is missing, and how to supply it.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error(
        "a time series needs a column of times: name one \"time\", or choose the format Table (columns: {0})"
    )]
    NoTime(String),
    #[error(
        "a time series needs a column of numbers beside its time, or choose the format Table (columns: {0})"
    )]
    NoValues(String),
    #[error(
        "a time series needs a time in every row, row {0} has none: add WHERE … IS NOT NULL, or choose the format Table"
    )]
    NullTime(usize),
    #[error("two columns are both named {0:?} and would both label the series: rename one")]
    DuplicateLabel(String),
    #[error(
        "{series} series over {times} times are too many: narrow the time range, or filter or drop the columns of text that label them"
    )]
    TooWide { series: usize, times: usize },
    #[error("the frame cannot be encoded: {0}")]
    Arrow(#[from] ArrowError),
}

/// One column of a frame.
struct Field {
    name: String,
    /// `None` for columns that carry none by nature; series of long rows have some, even if empty.
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

/// Grafana's FrameMeta, as far as it is used.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Meta<'a> {
    #[serde(rename = "type")]
    kind: FrameType,
    /// Absent for tables: the contract knows no version of them, and an unread version is logged as a warning.
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
    Table,
}

#[derive(Debug, Serialize)]
struct Notice {
    severity: &'static str,
    text: String,
}

/// The frames of one answer under `ref_id`. `time_series`: sorted, long turned to wide with labels, or to a frame for each series if they
/// are sparse; `table`: rows as they came.
pub fn frames(
    answer: &QueryResult,
    format: Format,
    ref_id: &str,
    catalog: &Catalog,
) -> Result<Vec<EncodedFrame>, FrameError> {
    let displays = answer.displays.iter().map(Some).chain(std::iter::repeat(None));
    let fields: Vec<_> = answer
        .batch
        .columns
        .iter()
        .zip(displays)
        .map(|(column, display)| field(column, display, catalog))
        .collect();
    let mut notices: Vec<_> = answer
        .notices
        .iter()
        .map(|text| Notice { severity: "warning", text: text.clone() })
        .collect();
    let (kind, parts) = match format {
        Format::TimeSeries => match series::series(fields, answer.fill)? {
            Series::Wide(fields) => (FrameType::TimeSeriesWide, vec![fields]),
            Series::Multi(parts) => (FrameType::TimeSeriesMulti, parts),
        },
        Format::Table if is_numeric_long(&fields) => (FrameType::NumericLong, vec![fields]),
        Format::Table => (FrameType::Table, vec![fields]),
    };
    let is_series = matches!(kind, FrameType::TimeSeriesWide | FrameType::TimeSeriesMulti);
    let mut frames = Vec::with_capacity(parts.len());
    for mut fields in parts {
        if is_series {
            let (reduced, notice) = downsample::reduced(fields, answer.downsample)?;
            fields = reduced;
            notices.extend(notice.map(|text| Notice { severity: "info", text }));
        }
        // A typed frame without fields is how the contract says "no data"; empty columns would be a series that rules take for normal.
        if answer.batch.rows == 0 && !matches!(kind, FrameType::Table) {
            fields.clear();
        }
        // What is said of the whole answer is said once.
        let first = frames.is_empty();
        let meta = Meta {
            kind,
            type_version: (!matches!(kind, FrameType::Table)).then_some([0, 1]),
            notices: std::mem::take(&mut notices),
            executed_query_string: if first { &answer.executed_sql } else { "" },
            custom: answer.custom.as_ref().filter(|_| first),
            preferred_visualisation_type: if is_series { "graph" } else { "table" },
        };
        frames.push(encode::encode(&fields, &meta, ref_id)?);
    }
    Ok(frames)
}

fn field(column: &ResultColumn, display: Option<&FieldDisplay>, catalog: &Catalog) -> Field {
    let mut config = config::of_column(column, catalog);
    if let Some(title) = display.and_then(|display| display.title.clone()) {
        config.get_or_insert_default().title = Some(title);
    }
    let labels =
        display.filter(|display| !display.labels.is_empty()).map(|display| display.labels.clone());
    Field { name: column.name.clone(), labels, config, values: column.values.clone() }
}

/// Numbers told apart by columns of text, without times: what an alert rule on a table reads as one number per label set.
fn is_numeric_long(fields: &[Field]) -> bool {
    fields.iter().any(Field::is_number)
        && fields.iter().all(|field| field.is_number() || field.is_text())
}

#[cfg(test)]
mod tests;
