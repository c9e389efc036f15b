//! `restore`: the copy that the last migration made, for the way back to an older version.

use std::io::Write;

use clap::Args;

use super::Failure;
use super::local::Folder;
use super::output::stdout;
use crate::datasource::{DataSources, Environment};
use crate::oura::Origins;
use crate::plugin::{ENCRYPTION_KEY, key_from};
use crate::store;
use crate::time::Clock;

#[derive(Args, Debug)]
pub struct RestoreArgs {
    #[command(flatten)]
    folder: Folder,
}

pub async fn run(args: RestoreArgs) -> Result<(), Failure> {
    let Folder { data_dir, datasource } = args.folder;
    let environment = Environment {
        encryption_key: key_from(ENCRYPTION_KEY),
        ..Environment::at(&data_dir, Origins::oura())?
    };
    // Locks the folder, so that no other process has the database open.
    let datasources = DataSources::open(environment)?;
    let restored = store::restore(&datasource.database(&data_dir), Clock::system().now());
    datasources.shutdown().await;
    let (aside, format) = restored?;
    writeln!(
        stdout(),
        "{}\nThe database has format {format} again. The newer file is set aside under this name. \
         Start the older version: this one would migrate the database once more. Documents that \
         were fetched since the migration are fetched again.",
        aside.display()
    )?;
    Ok(())
}
