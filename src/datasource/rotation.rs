//! Replacement of the vault's key.

use std::path::Path;

use super::error::DataSourceError;
use super::folder_lock::FolderLock;
use super::vault::{Audit, Vault, check_key_length};
use crate::oura::Secret;

/// Seals the entries of the vault in `data_dir` with the key `new`.
///
/// `present` is the operator's present key. Without it, the present key is the key file, which is
/// deleted. Fails if another process uses the folder. Returns the numbers of entries that open and
/// do not open with `new`.
pub fn rotate_vault(
    data_dir: &Path,
    present: Option<&Secret>,
    new: &Secret,
) -> Result<Audit, DataSourceError> {
    check_key_length(new)?;
    let _lock = FolderLock::acquire(data_dir)?;
    let vault = Vault::open(data_dir, present)?;
    vault.rotate(new)?;
    drop(vault);
    // Opening with an operator's key also deletes the key file.
    Ok(Vault::open(data_dir, Some(new))?.audit()?)
}
