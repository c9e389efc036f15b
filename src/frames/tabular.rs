//! Query results as CSV, as newline-delimited JSON and as an Arrow stream, written part by part.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, TimestampNanosecondType};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::config::arrow_field;
use super::rows::{OneRow, RowForm, Time, TimeForm, time};
use crate::catalog::Catalog;
use crate::query::RowStream;
use crate::store::ColumnBatch;

/// The media types of an Arrow IPC stream. The first one is registered.
pub const ARROW_MEDIA_TYPES: &[&str] =
    &["application/vnd.apache.arrow.stream", "application/vnd.apache.arrow"];

/// The number of rows in one record batch of an Arrow stream.
const BATCH_ROWS: usize = 16 << 10;

/// Writes CSV (RFC 4180) with a header row, while the rows are read. Nulls are empty fields. Returns
/// the number of rows.
pub fn write_csv(mut rows: RowStream, times: TimeForm, out: impl Write) -> io::Result<usize> {
    let mut csv = CsvWriter::new(out, times);
    for batch in &mut rows {
        csv.write(&batch?)?;
    }
    csv.flush()?;
    Ok(rows.rows())
}

/// Writes batches of the same columns as CSV.
struct CsvWriter<W: Write> {
    csv: csv::Writer<W>,
    times: TimeForm,
    has_header: bool,
}

impl<W: Write> CsvWriter<W> {
    fn new(out: W, times: TimeForm) -> CsvWriter<W> {
        CsvWriter { csv: csv::WriterBuilder::new().from_writer(out), times, has_header: false }
    }

    /// Writes the rows of `batch`, after the header if they are the first.
    fn write(&mut self, batch: &ColumnBatch) -> io::Result<()> {
        if batch.columns.is_empty() {
            return Ok(());
        }
        if !self.has_header {
            self.csv.write_record(batch.columns.iter().map(|column| &column.name))?;
            self.has_header = true;
        }
        let options = FormatOptions::default();
        let columns = batch
            .columns
            .iter()
            .map(|column| CsvColumn::new(column.values.as_ref(), self.times, &options))
            .collect::<Result<Vec<_>, _>>()
            .map_err(io::Error::other)?;
        let mut cell = String::new();
        for row in 0..batch.rows {
            for column in &columns {
                cell.clear();
                column.write(row, &mut cell).map_err(io::Error::other)?;
                self.csv.write_field(&cell)?;
            }
            self.csv.write_record(None::<&[u8]>)?;
        }
        Ok(())
    }

    /// Writes the buffered rest.
    fn flush(&mut self) -> io::Result<()> {
        self.csv.flush()
    }
}

/// The values of a column, and the form of their texts.
struct CsvColumn<'a> {
    values: &'a dyn Array,
    times: TimeForm,
    formatter: ArrayFormatter<'a>,
}

impl<'a> CsvColumn<'a> {
    fn new(
        values: &'a dyn Array,
        times: TimeForm,
        options: &FormatOptions<'a>,
    ) -> Result<CsvColumn<'a>, ArrowError> {
        Ok(CsvColumn { values, times, formatter: ArrayFormatter::try_new(values, options)? })
    }

    fn write(&self, row: usize, cell: &mut String) -> Result<(), ArrowError> {
        if self.values.is_null(row) {
            return Ok(());
        }
        if !matches!(self.values.data_type(), DataType::Timestamp(..)) {
            return self.formatter.value(row).write(cell);
        }
        match time(self.values.as_primitive::<TimestampNanosecondType>().value(row), self.times) {
            Time::Text(text) => cell.push_str(&text),
            Time::Whole(number) => cell.push_str(&number.to_string()),
            Time::Fraction(number) => cell.push_str(&number.to_string()),
        }
        Ok(())
    }
}

/// Writes one JSON value a line for each row, while the rows are read.
pub fn write_lines(
    rows: RowStream,
    form: RowForm,
    times: TimeForm,
    mut out: impl Write,
) -> io::Result<()> {
    for batch in rows {
        let batch = batch?;
        for row in 0..batch.rows {
            OneRow { columns: &batch.columns, row, times }.write(form, &mut out)?;
            out.write_all(b"\n")?;
        }
    }
    Ok(())
}

/// Writes an Arrow IPC stream, while the rows are read. The metadata of a field has its unit and
/// its description. All batches must have the types of the first one.
pub fn write_arrow(rows: RowStream, catalog: &Catalog, out: impl Write) -> io::Result<()> {
    let columns = rows.head.batch.columns.iter();
    let fields: Vec<Field> =
        columns.map(|column| arrow_field(column, column.values.data_type(), catalog)).collect();
    let schema = Arc::new(Schema::new(fields));
    let mut writer = StreamWriter::try_new(out, &schema).map_err(io::Error::other)?;
    for batch in rows {
        for part in parts(&batch?, &schema) {
            part.and_then(|part| writer.write(&part)).map_err(io::Error::other)?;
        }
    }
    writer.finish().map_err(io::Error::other)
}

/// Returns the rows of `batch` as record batches of at most [`BATCH_ROWS`] rows.
fn parts(
    batch: &ColumnBatch,
    schema: &Arc<Schema>,
) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
    (0..batch.rows).step_by(BATCH_ROWS).map(|first| {
        let rows = BATCH_ROWS.min(batch.rows - first);
        let columns: Vec<ArrayRef> =
            batch.columns.iter().map(|column| column.values.slice(first, rows)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
    })
}
