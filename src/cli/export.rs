//! `export`: all data, as a copy of the database or as CSV files. Only this user may read them.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Failure;
use super::local::Folder;
use super::output::stdout;
use super::query::write_csv;
use crate::memory;
use crate::query::{Engine, Limits, QueryContext, SqlQuery};
use crate::store::{Store, create_private_file, create_private_folder};

#[derive(Args, Debug)]
pub struct ExportArgs {
    #[command(flatten)]
    folder: Folder,
    /// The file (sqlite) or folder (csv) to write. It must not exist
    to: PathBuf,
    /// The format of the export
    #[arg(long, value_enum, default_value_t = Format::Sqlite)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A consistent copy of the database
    Sqlite,
    /// A folder with one file per table and view
    Csv,
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
    let store = args.folder.store()?;
    // The only query of this process.
    memory::set_process_limit(usize::MAX);
    if args.to.exists() {
        return Err(format!("{} already exists; choose a new name", args.to.display()).into());
    }
    match args.format {
        Format::Sqlite => store.copy_to(&args.to)?,
        Format::Csv => csv(&store, &args.to).await?,
    }
    writeln!(stdout(), "{}", args.to.display())?;
    Ok(())
}

async fn csv(store: &Store, folder: &Path) -> Result<(), Failure> {
    create_private_folder(folder).map_err(|error| not_writable(folder, error))?;
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
        let result = engine.run(&query, &context).await?;
        let path = folder.join(format!("{table}.csv"));
        let mut file =
            BufWriter::new(create_private_file(&path).map_err(|error| not_writable(&path, error))?);
        write_csv(&result.batch, &mut file)?;
        file.flush()?;
        eprintln!("{table}: {} rows", result.batch.rows);
    }
    Ok(())
}

fn not_writable(path: &Path, error: std::io::Error) -> String {
    format!("{} cannot be written: {error}. Choose a new, writable folder", path.display())
}
