//! `token add`, `list` and `revoke`: the tokens of `serve`.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::Failure;
use super::output::stdout;
use super::tokens::{FILE_NAME, Restrictions, Token, TokenFile, TokenRole, grant};
use crate::datasource::DataSourceKey;
use crate::doors::Cap;
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
        /// The most that callers behind a door may do
        #[arg(long, default_value = "admin", value_parser = cap_parser())]
        cap: Cap,
        /// A data source of another door that this one shows read-only, under the organization and
        /// uid in its own Grafana. May be repeated
        #[arg(long, value_name = "ORG/UID=DATASOURCE", value_parser = grant)]
        grant: Vec<(DataSourceKey, DataSourceKey)>,
        #[command(flatten)]
        location: Location,
    },
    /// Let a door show a data source of another door, read-only
    Grant {
        /// The name of the door
        name: String,
        /// The organization and uid in the door's Grafana, and the data source, for example
        /// 1/ann=home/1/oura
        #[arg(value_name = "ORG/UID=DATASOURCE", value_parser = grant)]
        grant: (DataSourceKey, DataSourceKey),
        #[command(flatten)]
        location: Location,
    },
    /// End a grant. A running server applies it immediately
    Ungrant {
        /// The name of the door
        name: String,
        /// The organization and uid in the door's Grafana
        #[arg(value_name = "ORG/UID")]
        local: DataSourceKey,
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
        Command::Add { name, role, tables, expires, cap, grant, location } => {
            let tables = tables.map(|names| {
                let names = names.iter().map(|name| name.trim().to_lowercase());
                names.filter(|name| !name.is_empty()).collect::<BTreeSet<String>>()
            });
            let grants = grant.into_iter().collect();
            let restrictions = Restrictions { tables, expires, cap, grants };
            let token = location.file().add(&name, role, restrictions, now)?;
            writeln!(stdout(), "{}", token.reveal())?;
            eprintln!("Store it now: it is not shown again.");
        }
        Command::Grant { name, grant: (local, granted), location } => {
            location.file().set_grant(&name, local.clone(), Some(granted.clone()))?;
            writeln!(stdout(), "{name} shows {granted} as {local}.")?;
        }
        Command::Ungrant { name, local, location } => {
            location.file().set_grant(&name, local.clone(), None)?;
            writeln!(stdout(), "{name} shows nothing as {local}.")?;
        }
        Command::List { location } => {
            for token in location.file().read()? {
                let expiry = match token.expires {
                    None => "never expires".to_owned(),
                    Some(day) if token.is_expired(now) => format!("expired {day}"),
                    Some(day) => format!("expires {day}"),
                };
                let (name, role) = (&token.name, token.role.name());
                writeln!(stdout(), "{name}\t{role}\t{}\t{expiry}", describe_rights(&token))?;
            }
        }
        Command::Revoke { name, location } => {
            location.file().revoke(&name)?;
            writeln!(stdout(), "{name} is revoked.")?;
        }
    }
    Ok(())
}

fn cap_parser() -> impl TypedValueParser<Value = Cap> {
    PossibleValuesParser::new(["reader", "admin"])
        .map(|name| if name == "reader" { Cap::Reader } else { Cap::Admin })
}

/// The tables of a token, or the cap and the grants of a door.
fn describe_rights(token: &Token) -> String {
    if token.role != TokenRole::Door {
        return token.tables.as_ref().map_or("all tables".to_owned(), |tables| {
            tables.iter().map(String::as_str).collect::<Vec<_>>().join(",")
        });
    }
    let cap = match token.cap {
        Cap::Reader => "cap reader",
        Cap::Admin => "cap admin",
    };
    let grants = token.grants.iter().map(|(local, granted)| format!("{local}={granted}"));
    std::iter::once(cap.to_owned()).chain(grants).collect::<Vec<_>>().join(",")
}
