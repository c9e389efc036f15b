//! `lake`: publishes the data of all data sources as Delta tables, for other engines.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::Failure;
use super::output::stdout;
use crate::catalog::Catalog;
use crate::datasource::{DataSourceKey, specification};
use crate::lake::{Engine, Lake, Owner, Person, Skipped};
use crate::memory;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Create a lake, or check that it belongs to this data folder
    Init(Location),
    /// Publish all changes once, and delete files that no reader needs
    Publish(Location),
    /// Compare every row of the lake with the databases
    Check(Location),
    /// Remove a data source from the lake, and exclude it from later publications
    Forget {
        #[command(flatten)]
        location: Location,
        /// Organization and uid of the data source, as in its folder's path
        #[arg(value_name = "ORG/UID")]
        datasource: DataSourceKey,
    },
    /// Publish a data source that was forgotten, from the next publication on
    Readmit {
        #[command(flatten)]
        location: Location,
        /// Organization and uid of the data source, as in its folder's path
        #[arg(value_name = "ORG/UID")]
        datasource: DataSourceKey,
    },
    /// Print the statements that register the tables in an engine
    Ddl {
        #[command(flatten)]
        location: Location,
        /// The engine
        #[arg(long = "for", value_enum)]
        engine: EngineName,
    },
}

/// The lake and its owner.
#[derive(Args, Clone, Debug)]
pub struct Location {
    /// The data folder
    #[arg(long, env = "RINGSIDE_DATA_DIR", default_value = "ringside-data")]
    data_dir: PathBuf,
    /// The lake: a folder, or s3://bucket/prefix with the usual variables AWS_…
    #[arg(long, env = "RINGSIDE_LAKE", value_name = "PLACE")]
    lake: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    Duckdb,
    Spark,
    Trino,
    Clickhouse,
    Athena,
    Bigquery,
}

impl From<EngineName> for Engine {
    fn from(name: EngineName) -> Engine {
        match name {
            EngineName::Duckdb => Engine::Duckdb,
            EngineName::Spark => Engine::Spark,
            EngineName::Trino => Engine::Trino,
            EngineName::Clickhouse => Engine::Clickhouse,
            EngineName::Athena => Engine::Athena,
            EngineName::Bigquery => Engine::Bigquery,
        }
    }
}

impl Location {
    async fn open(&self) -> Result<Lake, Failure> {
        Ok(Lake::open(&self.lake, Owner::open(&self.data_dir)?).await?)
    }

    fn people(&self) -> Result<Vec<Person>, Failure> {
        Ok(people(&self.data_dir).map_err(|error| {
            format!("{} cannot be read: {error}; set --data-dir", self.data_dir.display())
        })?)
    }

    fn catalog(&self) -> Arc<Catalog> {
        specification::catalog(&self.data_dir, Arc::new(Catalog::bundled()))
    }
}

pub async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Init(location) => init(&location).await,
        Command::Publish(location) => publish(&location).await,
        Command::Check(location) => check(&location).await,
        Command::Forget { location, datasource } => {
            forget(&location.data_dir, &location.lake, &datasource).await
        }
        Command::Readmit { location, datasource } => {
            let mut lake = location.open().await?;
            lake.readmit(&datasource.to_string())?;
            writeln!(stdout(), "{datasource}: the next publication contains it")?;
            Ok(())
        }
        Command::Ddl { location, engine } => {
            let text = location.open().await?.ddl(engine.into()).await?;
            if text.is_empty() {
                return Err("the lake has no tables. Run `gpx_oura lake publish` first".into());
            }
            Ok(write!(stdout(), "{text}")?)
        }
    }
}

/// Removes a data source from the lake at `place`.
pub(super) async fn forget(
    data_dir: &Path,
    place: &str,
    datasource: &DataSourceKey,
) -> Result<(), Failure> {
    let mut lake = Lake::open(place, Owner::open(data_dir)?).await?;
    let deleted = lake.forget(&datasource.to_string()).await?;
    writeln!(stdout(), "{datasource}: removed from {}; {deleted} files are deleted", lake.place())?;
    Ok(())
}

async fn init(location: &Location) -> Result<(), Failure> {
    if !location.data_dir.is_dir() {
        let folder = location.data_dir.display();
        return Err(format!("{folder} does not exist; set --data-dir").into());
    }
    let owner = Owner::create(&location.data_dir)?;
    let salt = owner.path().to_owned();
    let (lake, is_new) = Lake::create(&location.lake, owner).await?;
    let state = if is_new { "created" } else { "exists already" };
    writeln!(
        stdout(),
        "{}: {state}. Keep a copy of {}: without it, all people get other pseudonyms",
        lake.place(),
        salt.display()
    )?;
    Ok(())
}

async fn publish(location: &Location) -> Result<(), Failure> {
    // The only reader of this process.
    memory::set_process_limit(usize::MAX);
    let lake = location.open().await?;
    let published = lake.publish(&location.people()?, &location.catalog(), true).await?;
    report(&published.skipped);
    let deleted = lake.vacuum().await?;
    writeln!(
        stdout(),
        "{}: {} commits, {} files with {} rows; {deleted} old files are deleted",
        lake.place(),
        published.commits,
        published.files,
        published.rows
    )?;
    Ok(())
}

async fn check(location: &Location) -> Result<(), Failure> {
    memory::set_process_limit(usize::MAX);
    let lake = location.open().await?;
    let verdict = lake.check(&location.people()?, &location.catalog()).await?;
    report(&verdict.skipped);
    for difference in &verdict.differences {
        writeln!(
            stdout(),
            "{} {} {}: {}",
            difference.table,
            difference.month,
            difference.subject,
            difference.detail
        )?;
    }
    if !verdict.differences.is_empty() {
        return Err(format!(
            "{} differences. After a sync, run `gpx_oura lake publish` first",
            verdict.differences.len()
        )
        .into());
    }
    writeln!(
        stdout(),
        "{}: {} rows are equal in {} files, {} bytes",
        lake.place(),
        verdict.rows,
        verdict.files,
        verdict.bytes
    )?;
    Ok(())
}

/// Prints the data sources that are left out.
fn report(skipped: &[Skipped]) {
    for Skipped { key, reason } in skipped {
        eprintln!("gpx_oura: {key} is left out: {reason}");
    }
}

/// Returns the data sources of a data folder that have a database, sorted.
pub(super) fn people(data_dir: &Path) -> std::io::Result<Vec<Person>> {
    let mut found = Vec::new();
    collect(data_dir, data_dir, 3, &mut found)?;
    found.sort_by(|one: &Person, other| one.key.cmp(&other.key));
    Ok(found)
}

/// Collects the databases up to `depth` folders below `folder`.
fn collect(
    data_dir: &Path,
    folder: &Path,
    depth: usize,
    found: &mut Vec<Person>,
) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        let relative: Vec<String> = path
            .strip_prefix(data_dir)
            .unwrap_or(&path)
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        if let Ok(key) = relative.join("/").parse::<DataSourceKey>() {
            let database = key.database(data_dir);
            if database.is_file() {
                found.push(Person { key: key.to_string(), database });
            }
        }
        if depth > 1 {
            collect(data_dir, &path, depth - 1, found)?;
        }
    }
    Ok(())
}
