//! The commands. With Grafana's handshake cookie in the environment and no command: the plugin.

pub mod catalog;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::plugin;

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
    /// Show what the program knows of Oura's API
    #[command(subcommand)]
    Catalog(catalog::Command),
}

pub fn main() -> ExitCode {
    let Some(command) = Cli::parse().command else {
        if plugin::is_wanted() {
            return plugin::run();
        }
        // Whether help can be printed changes nothing about the exit.
        let _ = Cli::command().print_help();
        return ExitCode::from(2);
    };
    let outcome: Result<(), Box<dyn std::error::Error>> = match command {
        Command::Catalog(command) => catalog::run(command).map_err(Into::into),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gpx_oura: {error}");
            ExitCode::FAILURE
        }
    }
}
