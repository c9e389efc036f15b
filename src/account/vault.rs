//! Sealed secrets and state that must outlive a restart: `vault.db`, beside the health data, reachable by no query.

use std::path::Path;

use super::DatasourceKey;
use crate::oura::Secret;

/// What an entry is for; part of what the seal is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The token pair.
    Grant,
    /// Settings and client secret, so that a schedule can go on after a restart.
    Account,
    /// A login under way, named by its state.
    Login,
}

/// One file for all data sources of a data folder.
pub struct Vault {
    _private: (),
}

/// A login under way, as kept between `oauth/start` and `oauth/callback`.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct PendingLogin {
    pub user: String,
    pub redirect: String,
    pub pkce_verifier: Secret,
    pub expires_at: crate::time::Instant,
}

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("placeholder")]
    Placeholder,
}

impl Vault {
    /// Opens or creates `vault.db` and, without `operator_key`, `vault.key` (0600) in `folder`.
    pub fn open(folder: &Path, operator_key: Option<&Secret>) -> Result<Vault, VaultError> {
        let _ = (folder, operator_key);
        todo!()
    }

    /// Seals and stores `value`; durable when it returns.
    pub fn put(&self, key: &DatasourceKey, purpose: Purpose, name: &str, value: &[u8]) -> Result<(), VaultError> {
        let _ = (key, purpose, name, value);
        todo!()
    }

    pub fn get(&self, key: &DatasourceKey, purpose: Purpose, name: &str) -> Result<Option<Vec<u8>>, VaultError> {
        let _ = (key, purpose, name);
        todo!()
    }

    /// Reads and deletes in one transaction: of two takers, one gets it.
    pub fn take(&self, key: &DatasourceKey, purpose: Purpose, name: &str) -> Result<Option<Vec<u8>>, VaultError> {
        let _ = (key, purpose, name);
        todo!()
    }

    pub fn delete(&self, key: &DatasourceKey, purpose: Purpose, name: &str) -> Result<(), VaultError> {
        let _ = (key, purpose, name);
        todo!()
    }

    /// Every data source with an entry for `purpose`.
    pub fn keys(&self, purpose: Purpose) -> Result<Vec<DatasourceKey>, VaultError> {
        let _ = purpose;
        todo!()
    }
}
