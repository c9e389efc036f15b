//! The commands. With Grafana's handshake cookie in the environment and no command: the plugin.

pub mod catalog;
pub mod dashboard;
mod demo;
mod doctor;
mod export;
mod local;
mod log;
mod memory;
mod progress;
mod query;
mod serve;
mod simulate;
mod sync;
mod vault;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::api::ApiError;
use crate::datasource::DataSourceError;
use crate::plugin;
use crate::query::QueryError;

/// Your Oura ring's history in Grafana.
///
/// Grafana starts this program by itself, as a data source plugin; the commands work without Grafana.
#[derive(Debug, Parser)]
#[command(name = "gpx_oura", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See all of it work with a synthetic person: login, three years of history, Grafana's protocol, the dashboard's queries
    Demo(demo::Args),
    /// Serve SQL and everything else over HTTP, and keep the data current
    Serve(serve::Args),
    /// Pretend to be Oura, for tests and trials
    Simulate(simulate::Args),
    /// Fetch what is missing, once
    Sync(sync::SyncArgs),
    /// Fetch a piece of history again
    Backfill(sync::BackfillArgs),
    /// Run one SELECT
    Query(query::QueryArgs),
    /// Write everything to a SQLite file or to CSV files
    Export(export::ExportArgs),
    /// Show what the program knows of Oura's API
    #[command(subcommand)]
    Catalog(catalog::Command),
    /// Look for what is wrong, and say what to do about it
    Doctor(doctor::Args),
    /// Change the key that tokens and secrets are sealed with
    #[command(subcommand)]
    Vault(vault::Command),
}

pub fn main() -> ExitCode {
    memory::return_large_blocks();
    let Some(command) = Cli::parse().command else {
        if plugin::is_wanted() {
            return plugin::run();
        }
        // Whether help can be printed changes nothing about the exit.
        let _ = Cli::command().print_help();
        return ExitCode::from(2);
    };
    match run(command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("gpx_oura: {}", in_words(&error));
            ExitCode::FAILURE
        }
    }
}

/// What went wrong, in words that are printed as they are.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// With what can be done about it.
fn in_words(failure: &Failure) -> String {
    let datasource = failure.downcast_ref::<DataSourceError>().map(ApiError::from);
    let query = failure.downcast_ref::<QueryError>().map(ApiError::from);
    datasource.or(query).map_or_else(|| failure.to_string(), |error| error.full_text())
}

#[tokio::main]
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
        Command::Catalog(command) => catalog::run(command)?,
        Command::Vault(command) => vault::run(command)?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_where_oura_cannot_be_is_refused_by_every_command_that_takes_one() {
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
