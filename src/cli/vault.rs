//! `vault rotate`: another encryption key, without connecting again.

use std::path::PathBuf;

use super::Failure;
use crate::datasource::rotate_vault;
use crate::datasource::vault::Vault;
use crate::plugin::{ENCRYPTION_KEY, key_from};

/// The key to come. Only from the environment, as the present one: a command line can be seen by every user.
const NEW: &str = "RINGSIDE_NEW_ENCRYPTION_KEY";

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Seal tokens and secrets with the key in RINGSIDE_NEW_ENCRYPTION_KEY instead of GF_PLUGIN_ENCRYPTION_KEY or the key file
    Rotate {
        /// The folder that holds the data
        #[arg(long, env = "RINGSIDE_DATA_DIR", default_value = "ringside-data")]
        data_dir: PathBuf,
    },
}

pub fn run(command: Command) -> Result<(), Failure> {
    let Command::Rotate { data_dir } = command;
    let new = key_from(NEW).ok_or_else(|| {
        format!("{NEW} must hold the new key; `openssl rand -hex 32` makes a good one")
    })?;
    if !Vault::exists(&data_dir) {
        return Err(format!(
            "there is no vault in {}; --data-dir says where to look",
            data_dir.display()
        )
        .into());
    }
    let audit = rotate_vault(&data_dir, key_from(ENCRYPTION_KEY).as_ref(), &new)?;
    println!(
        "{} entries are sealed with the new key. Set encryption_key to it before the plugin starts again.",
        audit.readable
    );
    match audit.unreadable {
        0 => Ok(()),
        count => {
            Err(format!("{count} entries open with neither key; connect those data sources again")
                .into())
        }
    }
}
