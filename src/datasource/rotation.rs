//! Another key for the vault.

use std::path::Path;

use super::DataSourceError;
use super::folder_lock::FolderLock;
use super::vault::{Audit, Vault};
use crate::oura::Secret;

/// Seals everything in the vault of `data_dir` with `new` instead of `present` (without one: of the key file, which is removed). No other
/// process may use the folder. The answer says what opens with `new` afterwards.
pub fn rotate_vault(
    data_dir: &Path,
    present: Option<&Secret>,
    new: &Secret,
) -> Result<Audit, DataSourceError> {
    let _lock = FolderLock::take(data_dir)?;
    let vault = Vault::open(data_dir, present)?;
    vault.rotate(new)?;
    drop(vault);
    // Opening with the new key also takes the key file away.
    Ok(Vault::open(data_dir, Some(new))?.audit()?)
}
