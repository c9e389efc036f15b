//! `vault rotate`: another encryption key, without connecting again.

use std::path::PathBuf;

use super::Failure;
use crate::account::rotate_vault;
use crate::oura::Secret;

/// The present key, as the plugin reads it, and the one to come. Only from the environment: a command line can be seen by every user.
const PRESENT: &str = "GF_PLUGIN_ENCRYPTION_KEY";
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
    let key = |name: &str| std::env::var(name).ok().filter(|key| !key.is_empty()).map(Secret::new);
    let new = key(NEW).ok_or_else(|| format!("{NEW} must hold the new key; `openssl rand -hex 32` makes a good one"))?;
    if !data_dir.join("vault.db").exists() {
        return Err(format!("there is no vault in {}; --data-dir says where to look", data_dir.display()).into());
    }
    let audit = rotate_vault(&data_dir, key(PRESENT).as_ref(), &new)?;
    println!("{} entries are sealed with the new key. Set encryption_key to it before the plugin starts again.", audit.readable);
    match audit.unreadable {
        0 => Ok(()),
        count => Err(format!("{count} entries open with neither key; connect those data sources again").into()),
    }
}
