//! `vault rotate`: changes the encryption key. The logins stay.

use std::io::Write;
use std::path::PathBuf;

use super::Failure;
use super::output::stdout;
use crate::datasource::rotate_vault;
use crate::datasource::vault::Vault;
use crate::plugin::{ENCRYPTION_KEY, key_from};

/// The variable with the new key. Keys come only from the environment: every user of the machine
/// can see a command line.
const NEW_KEY: &str = "RINGSIDE_NEW_ENCRYPTION_KEY";

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Encrypt tokens and secrets with the key in RINGSIDE_NEW_ENCRYPTION_KEY.
    ///
    /// The current key comes from GF_PLUGIN_ENCRYPTION_KEY or the key file.
    Rotate {
        /// The data folder
        #[arg(long, env = "RINGSIDE_DATA_DIR", default_value = "ringside-data")]
        data_dir: PathBuf,
    },
}

pub fn run(command: Command) -> Result<(), Failure> {
    let Command::Rotate { data_dir } = command;
    let new = key_from(NEW_KEY).ok_or_else(|| {
        format!("{NEW_KEY} must contain the new key; `openssl rand -hex 32` creates one")
    })?;
    if !Vault::exists(&data_dir) {
        return Err(format!(
            "no vault found in {}; set --data-dir to the data folder",
            data_dir.display()
        )
        .into());
    }
    let audit = rotate_vault(&data_dir, key_from(ENCRYPTION_KEY).as_ref(), &new)?;
    writeln!(
        stdout(),
        "{} entries are encrypted with the new key. Set encryption_key to it before you start the \
         plugin again.",
        audit.readable
    )?;
    match audit.unreadable {
        0 => Ok(()),
        count => {
            Err(format!("{count} entries could not be decrypted; connect those data sources again")
                .into())
        }
    }
}
