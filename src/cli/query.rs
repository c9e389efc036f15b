//! `query`: runs one SELECT on the data folder. Another process may write to it at the same
//! time.

use std::io::{self, BufWriter, Write};
use std::time::Duration;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use clap::{Args, ValueEnum};

use super::Failure;
use super::local::Folder;
use super::output::stdout;
use crate::blocking::blocking;
use crate::frames::{RowForm, TimeForm, write_csv, write_json};
use crate::query::{Engine, Limits, QueryContext, SqlQuery};
use crate::store::{Batches, ColumnBatch};
use crate::time::{Clock, Day};

#[derive(Args, Debug)]
pub struct QueryArgs {
    #[command(flatten)]
    folder: Folder,
    /// One SELECT statement. Grafana's macros are allowed
    sql: String,
    /// First day of the time range for macros [default: 30 days ago]
    #[arg(long)]
    from: Option<Day>,
    /// Last day of the time range for macros [default: today]
    #[arg(long)]
    to: Option<Day>,
    /// Output format
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    /// Aligned columns
    Table,
    /// CSV (RFC 4180) with a header row
    Csv,
    /// One JSON object, as POST sql returns it
    Json,
}

pub async fn run(args: QueryArgs) -> Result<(), Failure> {
    let store = args.folder.store()?;
    if store.is_outdated()? {
        eprintln!(
            "The tables come from another version of this program. Start Grafana or \
             `gpx_oura serve` once to rebuild them."
        );
    }
    let zone = store.zone();
    let today = Clock::system().now().day(zone);
    let from = args.from.unwrap_or(today.plus(-30));
    let to = args.to.unwrap_or(today);
    let context = QueryContext {
        from_ms: from.midnight(zone).seconds() * 1000,
        to_ms: to.plus(1).midnight(zone).seconds() * 1000,
        interval: Duration::from_secs(60),
        max_data_points: 1000,
    };
    let engine = Engine::new(store.clone(), zone, Limits::default());
    let query = SqlQuery { raw_sql: args.sql, ..SqlQuery::default() };
    let mut out = BufWriter::new(stdout());
    let notices = match args.output {
        Output::Csv => {
            let rows = engine.stream(&query, &context, Batches::Untyped).await?;
            let notices = rows.head.notices.clone();
            out = blocking(move || write_csv(rows, TimeForm::Iso, &mut out).map(|_| out)).await?;
            notices
        }
        Output::Table => {
            let result = engine.run(&query, &context).await?;
            write_table(&result.batch, &mut out)?;
            result.notices
        }
        Output::Json => {
            let rows = engine.stream(&query, &context, Batches::TypedWithinLimits).await?;
            let catalog = store.catalog();
            let written = blocking(move || {
                let (form, times) = (RowForm::Arrays, TimeForm::Iso);
                let notices = write_json(rows, &catalog, form, times, &mut out)?;
                writeln!(out)?;
                io::Result::Ok((notices, out))
            });
            let (notices, written_out) = written.await?;
            out = written_out;
            notices
        }
    };
    out.flush()?;
    for notice in notices {
        eprintln!("{notice}");
    }
    Ok(())
}

/// Writes aligned columns, each as wide as its widest cell.
fn write_table(batch: &ColumnBatch, out: &mut impl Write) -> Result<(), Failure> {
    let header: Vec<String> = batch.columns.iter().map(|column| column.name.clone()).collect();
    let mut lines = vec![header];
    for_each_row(batch, |cells| {
        lines.push(cells.to_vec());
        Ok(())
    })?;
    let widths: Vec<usize> = (0..batch.columns.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    for line in &lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

fn for_each_row(
    batch: &ColumnBatch,
    mut write: impl FnMut(&[String]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let options = FormatOptions::default().with_timestamp_format(Some("%Y-%m-%dT%H:%M:%SZ"));
    let columns = batch
        .columns
        .iter()
        .map(|column| ArrayFormatter::try_new(column.values.as_ref(), &options))
        .collect::<Result<Vec<_>, _>>()?;
    let mut cells = Vec::new();
    for row in 0..batch.rows {
        cells.clear();
        for column in &columns {
            cells.push(column.value(row).try_to_string()?);
        }
        write(&cells)?;
    }
    Ok(())
}
