//! The vault as the token refresher sees it: one grant, of one data source.

use std::sync::Arc;

use super::DatasourceKey;
use super::vault::{Purpose, Vault, VaultError};
use crate::oura::GrantVault;
use crate::oura::oauth::Grant;

/// The grant of one data source, sealed.
pub(super) struct SealedGrant {
    vault: Arc<Vault>,
    key: DatasourceKey,
}

/// The vault's name of the grant.
const OURA: &str = "oura";

impl SealedGrant {
    pub(super) fn new(vault: Arc<Vault>, key: DatasourceKey) -> SealedGrant {
        SealedGrant { vault, key }
    }
}

impl SealedGrant {
    /// There is a grant, but the key that opens it is gone.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.vault.get(&self.key, Purpose::Grant, OURA), Err(VaultError::WrongKey))
    }
}

impl GrantVault for SealedGrant {
    fn load(&self) -> Result<Option<Grant>, String> {
        match self.vault.get(&self.key, Purpose::Grant, OURA) {
            // Sealed with a key that is lost: the login is lost with it, the data is not.
            Err(VaultError::WrongKey) => Ok(None),
            Err(error) => Err(error.to_string()),
            Ok(None) => Ok(None),
            Ok(Some(sealed)) => serde_json::from_slice(&sealed).map(Some).map_err(|error| error.to_string()),
        }
    }

    fn save(&self, grant: &Grant) -> Result<(), String> {
        let plain = serde_json::to_vec(grant).map_err(|error| error.to_string())?;
        self.vault.put(&self.key, Purpose::Grant, OURA, &plain).map_err(|error| error.to_string())
    }

    fn clear(&self) -> Result<(), String> {
        self.vault.delete(&self.key, Purpose::Grant, OURA).map_err(|error| error.to_string())
    }
}
