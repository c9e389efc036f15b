//! `import`: the database of an earlier export, with its history, revisions and coverage.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::local::Folder;
use super::output::stdout;
use crate::datasource::{DataSources, Environment};
use crate::format::grouped;
use crate::oura::Origins;
use crate::plugin::{ENCRYPTION_KEY, key_from};
use crate::store;

#[derive(Args, Debug)]
pub struct ImportArgs {
    #[command(flatten)]
    folder: Folder,
    /// A SQLite file that `gpx_oura export` or GET export wrote
    file: PathBuf,
}

pub async fn run(args: ImportArgs) -> Result<(), Failure> {
    let Folder { data_dir, datasource } = args.folder;
    let environment = Environment {
        encryption_key: key_from(ENCRYPTION_KEY),
        ..Environment::at(&data_dir, Origins::oura())?
    };
    // Locks the folder, so that no other process has the database open.
    let datasources = DataSources::open(environment)?;
    let imported = store::import(&args.file, &datasource.database(&data_dir));
    datasources.shutdown().await;
    let imported = imported?;
    writeln!(
        stdout(),
        "{} documents and the coverage of {} days are imported. Start Grafana or gpx_oura serve, \
         and connect to Oura.",
        grouped(imported.documents),
        grouped(imported.days)
    )?;
    Ok(())
}
