//! `export`: all data, as a copy of the database, as CSV or as Parquet. Only this user may read the
//! files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::Failure;
use super::local::Folder;
use super::output::stdout;
use crate::blocking::blocking;
use crate::frames::{ParquetTable, TimeForm, write_csv};
use crate::memory;
use crate::query::{Engine, Limits, QueryContext, QueryResult, columns_query, export_query};
use crate::store::{Batches, Store, create_private_file, create_private_folder};
use crate::time::{Clock, Day};

#[derive(Args, Debug)]
pub struct ExportArgs {
    #[command(flatten)]
    folder: Folder,
    /// The file (sqlite) or folder (csv, parquet) to write. It must not exist
    to: PathBuf,
    /// The format of the export
    #[arg(long, value_enum, default_value_t = Format::Sqlite)]
    format: Format,
    /// Only rows of this day or later, and documents that changed since (csv, parquet)
    #[arg(long)]
    since: Option<Day>,
    /// Split each table into one file a month (parquet)
    #[arg(long, value_enum)]
    partition: Option<Partition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A consistent copy of the database
    Sqlite,
    /// A folder with one file per table and view
    Csv,
    /// A folder with one file per table and view, typed and compressed
    Parquet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Partition {
    /// A folder per table with `month=2026-01/data.parquet`
    Month,
}

/// The content of `export.json`: a description of the files.
#[derive(Serialize)]
struct Manifest {
    /// The day of the export by the clock of the wearer. The next export may begin with it.
    day: Day,
    since: Option<Day>,
    /// Rows by table.
    rows: serde_json::Map<String, serde_json::Value>,
}

/// Limits for one whole table in memory.
const LIMITS: Limits = Limits {
    timeout: Duration::from_secs(3600),
    max_rows: usize::MAX,
    max_bytes: 4 << 30,
    max_memory: 1 << 30,
    concurrency: 1,
};

pub async fn run(args: ExportArgs) -> Result<(), Failure> {
    if args.partition.is_some() && args.format != Format::Parquet {
        return Err("--partition needs --format parquet".into());
    }
    if args.since.is_some() && args.format == Format::Sqlite {
        return Err("--since needs --format csv or parquet".into());
    }
    let store = args.folder.store()?;
    // The only query of this process.
    memory::set_process_limit(usize::MAX);
    if args.to.exists() {
        return Err(format!("{} already exists; choose a new name", args.to.display()).into());
    }
    match args.format {
        Format::Sqlite => store.copy_to(&args.to)?,
        Format::Csv | Format::Parquet => tables(&store, &args).await?,
    }
    writeln!(stdout(), "{}", args.to.display())?;
    Ok(())
}

/// Writes each table and view, and `export.json`.
async fn tables(store: &Store, args: &ExportArgs) -> Result<(), Failure> {
    create_private_folder(&args.to).map_err(|error| not_writable(&args.to, error))?;
    let engine = Engine::new(store.clone(), store.zone(), LIMITS);
    let context = QueryContext {
        from_ms: 0,
        to_ms: i64::MAX,
        interval: Duration::from_secs(60),
        max_data_points: 1000,
    };
    let mut rows = serde_json::Map::new();
    for table in store.inspector().published()? {
        let head = engine.run(&columns_query(&table), &context).await?;
        let columns: Vec<String> =
            head.batch.columns.into_iter().map(|column| column.name).collect();
        let query = export_query(&table, &columns, args.since, store.zone());
        let count = match args.format {
            Format::Parquet => {
                let result = engine.run(&query, &context).await?;
                parquet(store, &table, &result, args)?;
                result.batch.rows
            }
            _ => {
                let stream = engine.stream(&query, &context, Batches::Untyped).await?;
                let mut file = create(&args.to.join(format!("{table}.csv")))?;
                blocking(move || {
                    let count = write_csv(stream, TimeForm::Iso, &mut file)?;
                    file.flush().map(|()| count)
                })
                .await?
            }
        };
        eprintln!("{table}: {count} rows");
        rows.insert(table, count.into());
    }
    let manifest =
        Manifest { day: Clock::system().now().day(store.zone()), since: args.since, rows };
    let mut file = create(&args.to.join("export.json"))?;
    serde_json::to_writer_pretty(&mut file, &manifest)?;
    Ok(file.flush()?)
}

fn parquet(
    store: &Store,
    name: &str,
    result: &QueryResult,
    args: &ExportArgs,
) -> Result<(), Failure> {
    let table = ParquetTable::new(result, &store.catalog())?;
    let parts = match args.partition {
        Some(Partition::Month) => table.by_month()?,
        None => None,
    };
    let Some(parts) = parts else {
        return write_parquet(&table, &args.to.join(format!("{name}.parquet")));
    };
    for (month, part) in parts {
        let folder = args.to.join(name).join(format!("month={month}"));
        create_private_folder(&folder).map_err(|error| not_writable(&folder, error))?;
        write_parquet(&part, &folder.join("data.parquet"))?;
    }
    Ok(())
}

fn write_parquet(table: &ParquetTable, path: &Path) -> Result<(), Failure> {
    let mut file = create(path)?;
    table.write(&mut file)?;
    Ok(file.flush()?)
}

fn create(path: &Path) -> Result<BufWriter<File>, Failure> {
    Ok(BufWriter::new(create_private_file(path).map_err(|error| not_writable(path, error))?))
}

fn not_writable(path: &Path, error: std::io::Error) -> String {
    format!("{} cannot be written: {error}. Choose a new, writable folder", path.display())
}
