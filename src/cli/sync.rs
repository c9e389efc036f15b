//! `sync` and `backfill`: one sync run with progress, without Grafana.

use std::io::Write;

use clap::Args;

use super::Failure;
use super::local::Application;
use super::output::stdout;
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
    /// Number of days to fetch
    #[arg(long)]
    days: u32,
    /// Days between the last fetched day and today
    #[arg(long, default_value_t = 0)]
    offset_days: u32,
    /// Collections, separated by commas [default: those of the settings]
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

/// Follows the run, then prints the incomplete collections and their reasons.
async fn watch(datasource: &DataSource, run: i64) -> Result<(), Failure> {
    let progress = follow(datasource, run).await?;
    let status = datasource.status()?;
    writeln!(
        stdout(),
        "{} documents and rows with {} requests",
        grouped(progress.documents),
        grouped(progress.requests)
    )?;
    let incomplete: Vec<_> = status
        .collections
        .iter()
        .filter(|collection| collection.state != CollectionState::Ok)
        .collect();
    for collection in &incomplete {
        writeln!(
            stdout(),
            "{}: {}",
            collection.name,
            collection.reason.as_deref().unwrap_or(collection.state.as_str())
        )?;
    }
    // A collection that Oura refuses is not a failure.
    match incomplete.iter().filter(|collection| collection.state == CollectionState::Error).count()
    {
        0 => Ok(()),
        1 => Err("one collection could not be fetched completely; the next sync retries it".into()),
        count => Err(format!(
            "{count} collections could not be fetched completely; the next sync retries them"
        )
        .into()),
    }
}
