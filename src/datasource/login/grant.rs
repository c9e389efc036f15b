//! The grant of a data source in the vault.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::datasource::key::DataSourceKey;
use crate::datasource::vault::{Purpose, Vault, VaultError};
use crate::oura::oauth::Grant;
use crate::oura::{GrantStore, GrantStoreError};
use crate::store::{ConnectionState, Store};

/// The name of the grant in the vault.
const GRANT: &str = "oura";
/// The name of [`EndMark`] in the vault.
const END_MARK: &str = "oura ended";

/// The stored grant of one data source.
pub(crate) struct SealedGrant {
    vault: Arc<Vault>,
    key: DataSourceKey,
    /// The store with the state of the connection, unless this grant is only read.
    store: Option<Store>,
}

/// Marks a grant as ended. It does not apply to later grants.
#[derive(Serialize, Deserialize)]
struct EndMark {
    /// The SHA-256 hash of the serialised grant.
    grant: Vec<u8>,
    reason: String,
}

/// A stored login.
pub struct StoredLogin {
    /// The token pair.
    pub grant: Grant,
    /// Why the login has ended, if it is known to have.
    pub end_reason: Option<String>,
}

/// Returns the stored login of a data source, without a request to Oura.
///
/// Fails if the vault's key does not open it.
pub fn stored_login(
    vault: &Arc<Vault>,
    key: &DataSourceKey,
) -> Result<Option<StoredLogin>, VaultError> {
    let sealed = SealedGrant::new(Arc::clone(vault), key.clone());
    let Some(grant) = sealed.open()? else { return Ok(None) };
    Ok(Some(StoredLogin { grant, end_reason: sealed.read_end_reason() }))
}

impl SealedGrant {
    pub(crate) fn new(vault: Arc<Vault>, key: DataSourceKey) -> SealedGrant {
        SealedGrant { vault, key, store: None }
    }

    /// Records each change of the connection in `store` as well.
    pub(super) fn recorded_in(self, store: Store) -> SealedGrant {
        SealedGrant { store: Some(store), ..self }
    }

    /// Writes `state` in the background. A rebuild can occupy the writer for minutes. The next
    /// start of the data source writes the state again.
    fn record(&self, state: ConnectionState) {
        let Some(store) = self.store.clone() else { return };
        let key = self.key.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = store.writer().set_connection(state) {
                tracing::warn!(datasource = %key, %error, "could not record the login's state");
            }
        });
    }

    /// Returns why the stored grant does not open, if it exists and does not.
    pub(super) fn unreadable_reason(&self) -> Option<VaultError> {
        self.open().err().filter(is_unreadable)
    }

    /// Opens the grant. Unlike [`GrantStore::load`], fails if the key does not open it.
    fn open(&self) -> Result<Option<Grant>, VaultError> {
        let Some(plain) = self.vault.get(&self.key, Purpose::Grant, GRANT)? else {
            return Ok(None);
        };
        serde_json::from_slice(&plain).map(Some).map_err(|_| VaultError::Tampered)
    }

    fn hash(&self) -> Option<Vec<u8>> {
        let plain = self.vault.get(&self.key, Purpose::Grant, GRANT).ok().flatten()?;
        Some(Sha256::digest(plain).to_vec())
    }

    /// Reads the end mark of the stored grant. An unreadable mark counts as missing: the next
    /// refresh fails at Oura and writes the mark again.
    fn read_end_reason(&self) -> Option<String> {
        let plain = self.vault.get(&self.key, Purpose::Grant, END_MARK).ok().flatten()?;
        let mark: EndMark = serde_json::from_slice(&plain).ok()?;
        (Some(mark.grant) == self.hash()).then_some(mark.reason)
    }
}

impl GrantStore for SealedGrant {
    fn load(&self) -> Result<Option<Grant>, GrantStoreError> {
        match self.open() {
            // The login is lost with its key. The health data is not.
            Err(error) if is_unreadable(&error) => Ok(None),
            outcome => Ok(outcome?),
        }
    }

    fn save(&self, grant: &Grant) -> Result<(), GrantStoreError> {
        let plain = serde_json::to_vec(grant).expect("a grant is plain data");
        self.vault.put(&self.key, Purpose::Grant, GRANT, &plain)?;
        self.record(ConnectionState::Connected);
        Ok(())
    }

    fn clear(&self) -> Result<(), GrantStoreError> {
        self.vault.delete(&self.key, Purpose::Grant, GRANT)?;
        self.vault.delete(&self.key, Purpose::Grant, END_MARK)?;
        self.record(ConnectionState::NotConnected);
        Ok(())
    }

    fn end_reason(&self) -> Result<Option<String>, GrantStoreError> {
        Ok(self.read_end_reason())
    }

    fn mark_ended(&self, reason: &str) -> Result<(), GrantStoreError> {
        let Some(grant) = self.hash() else { return Ok(()) };
        let mark = EndMark { grant, reason: reason.to_owned() };
        let plain = serde_json::to_vec(&mark).expect("an end mark is plain data");
        self.vault.put(&self.key, Purpose::Grant, END_MARK, &plain)?;
        self.record(ConnectionState::ReconnectNeeded);
        Ok(())
    }
}

/// Whether the entry exists but does not open.
fn is_unreadable(error: &VaultError) -> bool {
    matches!(error, VaultError::WrongKey | VaultError::Tampered)
}

impl From<VaultError> for GrantStoreError {
    fn from(error: VaultError) -> GrantStoreError {
        let detail = error.to_string();
        match error {
            VaultError::NotWritable { .. } => GrantStoreError::NotAccessible { detail },
            VaultError::TooManyFiles { .. } => GrantStoreError::TooManyFiles { detail },
            VaultError::DiskFull { .. } => GrantStoreError::DiskFull { detail },
            VaultError::NotAVault { .. }
            | VaultError::InUse { .. }
            | VaultError::NoLocks { .. }
            | VaultError::NewerVersion { .. }
            | VaultError::NotAKey { .. }
            | VaultError::Link { .. }
            | VaultError::ShortKey { .. }
            | VaultError::WrongKey
            | VaultError::Tampered
            | VaultError::Storage { .. } => GrantStoreError::Failed { detail },
        }
    }
}
