//! `query`: one SELECT on the data folder, beside whatever process writes it.

use arrow::util::display::{ArrayFormatter, FormatOptions};
use clap::{Args, ValueEnum};

use super::Failure;
use super::local::Folder;
use crate::catalog::Catalog;
use crate::query::{Engine, Limits, QueryContext, QueryResult, SqlQuery};
use crate::store::ColumnBatch;
use crate::time::{Clock, Day};

#[derive(Args, Debug)]
pub struct QueryArgs {
    #[command(flatten)]
    folder: Folder,
    /// One SELECT, with Grafana's macros if wanted
    sql: String,
    /// The range that the macros stand for: its first day
    #[arg(long)]
    from: Option<Day>,
    /// The range's last day
    #[arg(long)]
    to: Option<Day>,
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Table,
    Csv,
    Json,
}

pub async fn run(args: QueryArgs) -> Result<(), Failure> {
    let store = args.folder.store()?;
    let zone = store.zone();
    let today = Clock::system().now().day(zone);
    let (from, to) = (args.from.unwrap_or(today.plus(-30)), args.to.unwrap_or(today));
    let context = QueryContext {
        from_ms: from.midnight(zone).seconds() * 1000,
        to_ms: to.plus(1).midnight(zone).seconds() * 1000,
        interval: std::time::Duration::from_secs(60),
        max_data_points: 1000,
    };
    let engine = Engine::new(store.clone(), zone, Limits::default());
    let query = SqlQuery { raw_sql: args.sql, ..SqlQuery::default() };
    let answer = engine.run(&query, &context).await?;
    let mut out = std::io::stdout().lock();
    match args.output {
        Output::Table => write_table(&answer.batch, &mut out)?,
        Output::Csv => write_csv(&answer.batch, &mut out)?,
        Output::Json => print_json(&answer, &store.catalog())?,
    }
    for notice in &answer.notices {
        eprintln!("{notice}");
    }
    Ok(())
}

fn print_json(answer: &QueryResult, catalog: &Catalog) -> Result<(), Failure> {
    serde_json::to_writer(std::io::stdout().lock(), &crate::frames::rows_json(answer, catalog))?;
    println!();
    Ok(())
}

/// RFC 4180, with a header; nulls are empty.
pub fn write_csv(batch: &ColumnBatch, out: &mut impl std::io::Write) -> Result<(), Failure> {
    let names: Vec<String> = batch.columns.iter().map(|column| csv_field(&column.name)).collect();
    writeln!(out, "{}", names.join(","))?;
    for_each_row(batch, |cells| {
        let cells: Vec<String> = cells.iter().map(|cell| csv_field(cell)).collect();
        Ok(writeln!(out, "{}", cells.join(","))?)
    })
}

fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// Columns as wide as their widest cell.
fn write_table(batch: &ColumnBatch, out: &mut impl std::io::Write) -> Result<(), Failure> {
    let mut lines =
        vec![batch.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>()];
    for_each_row(batch, |cells| {
        lines.push(cells.to_vec());
        Ok(())
    })?;
    let widths: Vec<usize> = (0..batch.columns.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    for line in &lines {
        let padded = |(cell, width): (&String, &usize)| {
            format!("{cell}{}", " ".repeat(width - cell.chars().count()))
        };
        let cells: Vec<String> = line.iter().zip(&widths).map(padded).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

fn for_each_row(
    batch: &ColumnBatch,
    mut each: impl FnMut(&[String]) -> Result<(), Failure>,
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
        each(&cells)?;
    }
    Ok(())
}
