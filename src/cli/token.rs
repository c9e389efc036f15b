//! `token add`, `list` and `revoke`: the tokens of `serve`.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use super::Failure;
use super::output::stdout;
use super::tokens::{FILE_NAME, TokenFile, TokenRole};
use crate::time::{Clock, Day};

/// The token file.
#[derive(clap::Args, Debug)]
pub struct Location {
    /// The data folder
    #[arg(long, env = "RINGSIDE_DATA_DIR", default_value = "ringside-data")]
    data_dir: PathBuf,
    /// The token file [default: tokens.json in the data folder]
    #[arg(long, env = "RINGSIDE_TOKENS")]
    tokens: Option<PathBuf>,
}

impl Location {
    fn file(self) -> TokenFile {
        TokenFile::at(self.tokens.unwrap_or_else(|| self.data_dir.join(FILE_NAME)))
    }
}

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Create a token and print it once. Only its hash is stored.
    ///
    /// A running server accepts it immediately.
    Add {
        /// A unique name, which the audit log shows
        name: String,
        /// The rights of the token
        #[arg(long, value_enum, default_value = "read")]
        role: TokenRole,
        /// The only tables and views that it may read, separated by commas
        #[arg(long, value_delimiter = ',')]
        tables: Option<Vec<String>>,
        /// The first day on which it is invalid, in UTC
        #[arg(long)]
        expires: Option<Day>,
        #[command(flatten)]
        location: Location,
    },
    /// List the tokens by name
    List {
        #[command(flatten)]
        location: Location,
    },
    /// Remove a token. A running server rejects it immediately
    Revoke {
        /// The name of the token
        name: String,
        #[command(flatten)]
        location: Location,
    },
}

pub fn run(command: Command) -> Result<(), Failure> {
    let now = Clock::system().now();
    match command {
        Command::Add { name, role, tables, expires, location } => {
            let tables = tables.map(|names| {
                let names = names.iter().map(|name| name.trim().to_lowercase());
                names.filter(|name| !name.is_empty()).collect::<BTreeSet<String>>()
            });
            let token = location.file().add(&name, role, tables, expires, now)?;
            writeln!(stdout(), "{}", token.reveal())?;
            eprintln!("Store it now: it is not shown again.");
        }
        Command::List { location } => {
            for token in location.file().read()? {
                let role = match token.role {
                    TokenRole::Read => "read",
                    TokenRole::Admin => "admin",
                };
                let tables = token.tables.as_ref().map_or("all tables".to_owned(), |tables| {
                    tables.iter().map(String::as_str).collect::<Vec<_>>().join(",")
                });
                let expiry = match token.expires {
                    None => "never expires".to_owned(),
                    Some(day) if token.is_expired(now) => format!("expired {day}"),
                    Some(day) => format!("expires {day}"),
                };
                writeln!(stdout(), "{}\t{role}\t{tables}\t{expiry}", token.name)?;
            }
        }
        Command::Revoke { name, location } => {
            location.file().revoke(&name)?;
            writeln!(stdout(), "{name} is revoked.")?;
        }
    }
    Ok(())
}
