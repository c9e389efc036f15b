//! The commands. Without a command, and with Grafana's handshake cookie in the environment, the
//! process is the plugin.

pub mod catalog;
pub mod dashboard;
mod demo;
mod doctor;
mod export;
mod forget;
mod import;
mod lake;
mod local;
mod log;
mod memory;
mod output;
mod progress;
mod query;
mod repair;
mod restore;
mod serve;
mod simulate;
mod sync;
mod token;
mod tokens;
mod vault;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::api::ApiError;
use crate::datasource::DataSourceError;
use crate::os::{self, RAISE_FILE_LIMIT};
use crate::plugin;
use crate::query::QueryError;
use crate::store::{REPAIR, StoreError};

/// Your Oura ring's history in Grafana.
///
/// Grafana starts this program as a data source plugin. The commands work without Grafana.
#[derive(Debug, Parser)]
#[command(name = "gpx_oura", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try everything with a synthetic person: login, history, and the dashboard's queries
    Demo(demo::Args),
    /// Serve the API over HTTP, and sync on a schedule
    Serve(serve::Args),
    /// Run a simulated Oura API and login, for tests and trials
    Simulate(simulate::Args),
    /// Fetch missing data once
    Sync(sync::SyncArgs),
    /// Fetch a range of days again
    Backfill(sync::BackfillArgs),
    /// Run one SELECT statement
    Query(query::QueryArgs),
    /// Export all data to a SQLite file or to CSV files
    Export(export::ExportArgs),
    /// Import the SQLite file of an earlier export into an empty data source
    Import(import::ImportArgs),
    /// Show, compare or reduce descriptions of Oura's API
    #[command(subcommand)]
    Catalog(catalog::Command),
    /// Revoke the login of a data source and erase its data
    Forget(forget::ForgetArgs),
    /// Set a damaged database aside, so that the next sync fetches everything again
    Repair(repair::RepairArgs),
    /// Return to the copy that the last migration made, for an older version
    Restore(restore::RestoreArgs),
    /// Diagnose the data folder, the login and the network
    Doctor(doctor::Args),
    /// Publish the data of many people as Delta tables, for other engines
    #[command(subcommand)]
    Lake(lake::Command),
    /// Create, list or revoke the tokens of serve
    #[command(subcommand)]
    Token(token::Command),
    /// Change the encryption key of stored tokens and secrets
    #[command(subcommand)]
    Vault(vault::Command),
}

/// Returns the definition of all commands and options.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command of the command line, or the plugin.
pub fn main() -> ExitCode {
    memory::configure_allocator();
    os::prepare_process();
    // Grafana passes no arguments. The definition of all commands would stay in the memory.
    if plugin::is_started_by_grafana() && std::env::args_os().len() <= 1 {
        return plugin::run();
    }
    let Some(command) = Cli::parse().command else {
        // The exit code is the same if the help cannot be printed.
        let _ = Cli::command().print_help();
        return ExitCode::from(2);
    };
    let runtime = match os::start_runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("gpx_oura: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(run(command));
    // Work on blocking threads does not delay the end: reads may stop at any time.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("gpx_oura: {}", describe(&error));
            ExitCode::FAILURE
        }
    }
}

/// Why a command failed, as text for the user.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Returns the message, with a hint if there is one.
fn describe(failure: &Failure) -> String {
    let datasource = failure.downcast_ref::<DataSourceError>().map(ApiError::from);
    let query = failure.downcast_ref::<QueryError>().map(ApiError::from);
    match failure.downcast_ref::<StoreError>() {
        Some(error) if error.is_damage() => return format!("{error}. {REPAIR}"),
        Some(error @ StoreError::TooManyFiles) => return format!("{error}. {RAISE_FILE_LIMIT}"),
        _ => {}
    }
    datasource.or(query).map_or_else(|| failure.to_string(), |error| error.full_text())
}

async fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Doctor(args) => return Ok(doctor::run(args).await),
        Command::Demo(args) => demo::run(args).await?,
        Command::Serve(args) => serve::run(args).await?,
        Command::Simulate(args) => simulate::run(args).await?,
        Command::Sync(args) => sync::sync(args).await?,
        Command::Backfill(args) => sync::backfill(args).await?,
        Command::Query(args) => query::run(args).await?,
        Command::Export(args) => export::run(args).await?,
        Command::Import(args) => import::run(args).await?,
        Command::Forget(args) => forget::run(args).await?,
        Command::Repair(args) => repair::run(args).await?,
        Command::Restore(args) => restore::run(args).await?,
        Command::Lake(command) => lake::run(command).await?,
        Command::Catalog(command) => catalog::run(command)?,
        Command::Token(command) => token::run(command)?,
        Command::Vault(command) => vault::run(command)?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_oura_url_is_rejected_by_every_command() {
        for command in ["serve", "sync", "doctor"] {
            for address in ["ftp://x/", "file:///etc", "oura"] {
                let error = Cli::try_parse_from(["gpx_oura", command, "--oura-url", address])
                    .unwrap_err()
                    .to_string();
                assert!(
                    error.contains(address) && error.contains("http://127.0.0.1:8080"),
                    "{error}"
                );
            }
            assert!(
                Cli::try_parse_from(["gpx_oura", command, "--oura-url", "http://127.0.0.1:1/"])
                    .is_ok()
            );
        }
    }
}
