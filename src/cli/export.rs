//! `export`: everything, as a copy of the database or as CSV files that this user alone may read.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Failure;
use super::local::Folder;
use super::query::write_csv;
use crate::query::{Engine, Limits, QueryContext, SqlQuery};
use crate::store::{Store, create_private_file, create_private_folder};

#[derive(Args, Debug)]
pub struct ExportArgs {
    #[command(flatten)]
    folder: Folder,
    /// The file (sqlite) or folder (csv) to write; it must not exist
    to: PathBuf,
    #[arg(long, value_enum, default_value_t = Form::Sqlite)]
    format: Form,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// A whole, consistent database
    Sqlite,
    /// A folder with one file for each table and view
    Csv,
}

/// A table that does not fit into memory as columns is not one of Oura's.
const LIMITS: Limits = Limits {
    timeout: Duration::from_secs(3600),
    max_rows: usize::MAX,
    max_bytes: 4 << 30,
    concurrency: 1,
};

pub async fn run(args: ExportArgs) -> Result<(), Failure> {
    let store = args.folder.store()?;
    if args.to.exists() {
        return Err(format!("{} exists already", args.to.display()).into());
    }
    match args.format {
        Form::Sqlite => store.copy_to(&args.to)?,
        Form::Csv => csv(&store, &args.to).await?,
    }
    println!("{}", args.to.display());
    Ok(())
}

async fn csv(store: &Store, folder: &Path) -> Result<(), Failure> {
    let unusable = |path: &Path, error: std::io::Error| {
        format!(
            "{} cannot be written: {error}. Name a new folder in a place that you may write",
            path.display()
        )
    };
    create_private_folder(folder).map_err(|error| unusable(folder, error))?;
    let engine = Engine::new(store.clone(), store.zone(), LIMITS);
    let context = QueryContext {
        from_ms: 0,
        to_ms: i64::MAX,
        interval: Duration::from_secs(60),
        max_data_points: 1000,
    };
    for table in store.inspector().published()? {
        let query =
            SqlQuery { raw_sql: format!("SELECT * FROM \"{table}\""), ..SqlQuery::default() };
        let answer = engine.run(&query, &context).await?;
        let path = folder.join(format!("{table}.csv"));
        let mut file =
            BufWriter::new(create_private_file(&path).map_err(|error| unusable(&path, error))?);
        write_csv(&answer.batch, &mut file)?;
        file.flush()?;
        eprintln!("{table}: {} rows", answer.batch.rows);
    }
    Ok(())
}
