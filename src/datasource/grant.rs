//! The vault as the token refresher sees it: one grant, of one data source.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::DataSourceKey;
use super::vault::{Purpose, Vault, VaultError};
use crate::oura::oauth::Grant;
use crate::oura::{GrantStore, GrantStoreError};

/// The grant of one data source, sealed.
pub(crate) struct SealedGrant {
    vault: Arc<Vault>,
    key: DataSourceKey,
}

/// The vault's name of the grant.
const OURA: &str = "oura";
/// The vault's name of [`Ended`].
const ENDED: &str = "oura ended";

/// That a login is over, and which: a later one is another.
#[derive(Serialize, Deserialize)]
struct Ended {
    /// SHA-256 of the grant.
    grant: Vec<u8>,
    reason: String,
}

impl SealedGrant {
    pub(crate) fn new(vault: Arc<Vault>, key: DataSourceKey) -> SealedGrant {
        SealedGrant { vault, key }
    }
}

fn hash(plain: &[u8]) -> Vec<u8> {
    Sha256::digest(plain).to_vec()
}

impl SealedGrant {
    fn plain(&self) -> Option<Vec<u8>> {
        self.vault.get(&self.key, Purpose::Grant, OURA).ok().flatten()
    }

    /// Why there is a grant that nobody can read, if it is so.
    pub(super) fn lost(&self) -> Option<VaultError> {
        match self.vault.get(&self.key, Purpose::Grant, OURA) {
            Err(error @ (VaultError::WrongKey | VaultError::Tampered)) => Some(error),
            Ok(Some(plain)) if serde_json::from_slice::<Grant>(&plain).is_err() => {
                Some(VaultError::Tampered)
            }
            _ => None,
        }
    }
}

/// A login as it is kept.
pub struct KeptLogin {
    pub grant: Grant,
    /// Why it is over, if it is known to be.
    pub ended: Option<String>,
}

/// The login of `key`'s data source, if there is one that can be read. Asks Oura nothing.
pub fn kept_login(
    vault: &Arc<Vault>,
    key: &DataSourceKey,
) -> Result<Option<KeptLogin>, VaultError> {
    let sealed = SealedGrant::new(Arc::clone(vault), key.clone());
    if let Some(lost) = sealed.lost() {
        return Err(lost);
    }
    let storage = |error: GrantStoreError| VaultError::Storage { detail: error.to_string() };
    let Some(grant) = sealed.load().map_err(storage)? else { return Ok(None) };
    Ok(Some(KeptLogin { grant, ended: sealed.end_reason().map_err(storage)? }))
}

impl GrantStore for SealedGrant {
    fn load(&self) -> Result<Option<Grant>, GrantStoreError> {
        match self.vault.get(&self.key, Purpose::Grant, OURA) {
            // Sealed with a key that is lost, or damaged: the login is lost with it, the data is not.
            Err(VaultError::WrongKey | VaultError::Tampered) => Ok(None),
            Err(error) => Err(error.into()),
            Ok(plain) => Ok(plain.and_then(|plain| serde_json::from_slice(&plain).ok())),
        }
    }

    fn save(&self, grant: &Grant) -> Result<(), GrantStoreError> {
        let plain = serde_json::to_vec(grant).expect("a grant is plain data");
        Ok(self.vault.put(&self.key, Purpose::Grant, OURA, &plain)?)
    }

    fn end_reason(&self) -> Result<Option<String>, GrantStoreError> {
        let Some(grant) = self.plain() else { return Ok(None) };
        // One that cannot be read says nothing: the dead token is tried once more, and it is written anew.
        let ended = self.vault.get(&self.key, Purpose::Grant, ENDED).ok().flatten();
        let ended = ended.and_then(|plain| serde_json::from_slice::<Ended>(&plain).ok());
        Ok(ended.filter(|ended| ended.grant == hash(&grant)).map(|ended| ended.reason))
    }

    fn mark_ended(&self, reason: &str) -> Result<(), GrantStoreError> {
        let Some(grant) = self.plain() else { return Ok(()) };
        let ended = Ended { grant: hash(&grant), reason: reason.to_owned() };
        let plain = serde_json::to_vec(&ended).expect("an end mark is plain data");
        Ok(self.vault.put(&self.key, Purpose::Grant, ENDED, &plain)?)
    }

    fn clear(&self) -> Result<(), GrantStoreError> {
        self.vault.delete(&self.key, Purpose::Grant, OURA)?;
        Ok(self.vault.delete(&self.key, Purpose::Grant, ENDED)?)
    }
}

impl From<VaultError> for GrantStoreError {
    fn from(error: VaultError) -> GrantStoreError {
        let detail = error.to_string();
        match error {
            VaultError::NotWritable { .. } => GrantStoreError::NotAccessible { detail },
            VaultError::DiskFull { .. } => GrantStoreError::DiskFull { detail },
            VaultError::NotAVault { .. }
            | VaultError::NewerVersion { .. }
            | VaultError::NotAKey { .. }
            | VaultError::WrongKey
            | VaultError::Tampered
            | VaultError::Storage { .. } => GrantStoreError::Failed { detail },
        }
    }
}
