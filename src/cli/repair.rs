//! `repair`: sets a damaged database aside. The next sync fetches everything again.

use std::io::Write;

use clap::Args;

use super::Failure;
use super::local::Folder;
use super::output::stdout;
use crate::datasource::{DataSources, Environment};
use crate::oura::Origins;
use crate::plugin::{ENCRYPTION_KEY, key_from};

#[derive(Args, Debug)]
pub struct RepairArgs {
    #[command(flatten)]
    folder: Folder,
    /// Set the database aside even if it is intact
    #[arg(long)]
    force: bool,
}

pub async fn run(args: RepairArgs) -> Result<(), Failure> {
    let Folder { data_dir, datasource } = args.folder;
    if !datasource.database(&data_dir).exists() {
        let path = datasource.database(&data_dir);
        return Err(format!(
            "no database found at {}; set --data-dir and --datasource",
            path.display()
        )
        .into());
    }
    let environment = Environment {
        encryption_key: key_from(ENCRYPTION_KEY),
        ..Environment::at(&data_dir, Origins::oura())?
    };
    let datasources = DataSources::open(environment)?;
    let aside = datasources.repair(&datasource, args.force).await?;
    datasources.shutdown().await;
    writeln!(
        stdout(),
        "{}\nThe damaged file is set aside under this name. The login is kept. Start Grafana, or \
         run gpx_oura sync, to fetch everything again.",
        aside.display()
    )?;
    Ok(())
}
