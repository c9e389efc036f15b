//! `sync` and `backfill`: once, with progress, without Grafana.

use clap::Args;

use super::Failure;
use super::local::Application;
use super::progress::follow;
use crate::datasource::{Backfill, DataSource, Trigger};
use crate::format::grouped;
use crate::store::CollectionState;

#[derive(Args, Debug)]
pub struct SyncArgs {
    #[command(flatten)]
    application: Application,
}

#[derive(Args, Debug)]
pub struct BackfillArgs {
    #[command(flatten)]
    application: Application,
    /// How many days
    #[arg(long)]
    days: u32,
    /// How many days before today the last of them is
    #[arg(long, default_value_t = 0)]
    offset_days: u32,
    /// Collections, separated by commas; those of the settings if not given
    #[arg(long, value_delimiter = ',')]
    resources: Vec<String>,
}

pub async fn sync(args: SyncArgs) -> Result<(), Failure> {
    let (datasources, datasource) = args.application.open(false).await?;
    let run = datasource.start_sync(Trigger::Manual)?;
    let ended = watch(&datasource, run).await;
    datasources.shutdown().await;
    ended
}

pub async fn backfill(args: BackfillArgs) -> Result<(), Failure> {
    let (datasources, datasource) = args.application.open(false).await?;
    let request =
        Backfill { days: args.days, offset_days: args.offset_days, resources: args.resources };
    let run = datasource.backfill(&request)?;
    let ended = watch(&datasource, run).await;
    datasources.shutdown().await;
    ended
}

/// Follows the run, then says which collections did not come and why.
async fn watch(datasource: &DataSource, run: i64) -> Result<(), Failure> {
    let progress = follow(datasource, run).await?;
    let status = datasource.status()?;
    println!(
        "{} documents and rows with {} requests",
        grouped(progress.documents),
        grouped(progress.requests)
    );
    let unwell: Vec<_> = status
        .collections
        .iter()
        .filter(|collection| collection.state != CollectionState::Ok)
        .collect();
    for collection in &unwell {
        println!(
            "{}: {}",
            collection.name,
            collection.reason.as_deref().unwrap_or(collection.state.as_str())
        );
    }
    // What Oura refuses is nobody's failure; what went wrong is.
    match unwell.iter().filter(|collection| collection.state == CollectionState::Error).count() {
        0 => Ok(()),
        1 => Err("one collection could not be fetched whole; the next sync tries again".into()),
        count => Err(format!(
            "{count} collections could not be fetched whole; the next sync tries again"
        )
        .into()),
    }
}
