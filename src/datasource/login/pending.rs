//! Pending logins: each is identified by a state that is used once, expires, and is bound to one
//! data source and one user.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::datasource::error::DataSourceError;
use crate::datasource::key::DataSourceKey;
use crate::datasource::vault::{Purpose, Vault};
use crate::format::hex;
use crate::oura::{RedirectUri, Secret};
use crate::time::{Clock, Instant};

/// The lifetime of a pending login, in seconds.
pub(super) const LOGIN_SECONDS: i64 = 600;

/// A login between `oauth/start` and `oauth/callback`. Serialised only into the vault.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PendingLogin {
    /// The user who started the login, and must complete it.
    pub user: String,
    /// The address to which Oura sends the browser back.
    pub redirect: RedirectUri,
    /// The PKCE verifier for the exchange of the code.
    pub pkce_verifier: Secret,
    /// The end of the login's lifetime.
    pub expires_at: Instant,
}

/// The pending logins of one data source.
pub(super) struct PendingLogins {
    vault: Arc<Vault>,
    key: DataSourceKey,
    clock: Clock,
}

impl PendingLogins {
    pub(super) fn new(vault: Arc<Vault>, key: DataSourceKey, clock: Clock) -> PendingLogins {
        PendingLogins { vault, key, clock }
    }

    /// Stores a pending login under `state`. Also deletes logins that expired long ago, of all data
    /// sources: until then, their states get the error "expired" instead of "unknown".
    pub(super) fn store(
        &self,
        state: &Secret,
        pending: &PendingLogin,
    ) -> Result<(), DataSourceError> {
        self.vault.delete_expired(self.clock.now().plus(-LOGIN_SECONDS))?;
        let plain = serde_json::to_vec(pending).expect("a pending login is plain data");
        let name = entry_name(state);
        self.vault.put_until(&self.key, Purpose::Login, &name, &plain, pending.expires_at)?;
        Ok(())
    }

    /// Consumes `state` (single use) and returns its pending login.
    pub(super) fn consume(
        &self,
        state: &Secret,
        user: &str,
    ) -> Result<PendingLogin, DataSourceError> {
        let Some(pending) = self.get(state)? else {
            return Err(self.classify_unknown(state, user));
        };
        // Checked first, so that another user cannot consume the state.
        if pending.user != user {
            return Err(DataSourceError::OtherUser);
        }
        // Stored before the removal, so that the later of two concurrent calls finds the mark.
        self.vault.put_until(
            &self.key,
            Purpose::Login,
            &used_mark_name(state),
            user.as_bytes(),
            pending.expires_at,
        )?;
        self.vault
            .remove(&self.key, Purpose::Login, &entry_name(state))?
            .ok_or(DataSourceError::UsedState)?;
        if pending.expires_at < self.clock.now() {
            return Err(DataSourceError::ExpiredState);
        }
        Ok(pending)
    }

    /// Returns the redirect address of the login behind `state`, if `user` started it.
    pub(super) fn redirect(&self, state: &Secret, user: &str) -> Option<RedirectUri> {
        let pending = self.get(state).ok().flatten()?;
        (pending.user == user).then_some(pending.redirect)
    }

    fn get(&self, state: &Secret) -> Result<Option<PendingLogin>, DataSourceError> {
        let entry = self.vault.get(&self.key, Purpose::Login, &entry_name(state))?;
        Ok(entry.and_then(|entry| serde_json::from_slice(&entry).ok()))
    }

    /// Returns the error for a state without a pending login in this data source.
    ///
    /// Only the user who started a login gets details about it. For other users, every state is
    /// unknown.
    fn classify_unknown(&self, state: &Secret, user: &str) -> DataSourceError {
        if self.was_used_by(state, user) {
            return DataSourceError::UsedState;
        }
        let keys = self.vault.keys_with(Purpose::Login, &entry_name(state)).unwrap_or_default();
        if keys.iter().any(|key| self.was_started_by(key, state, user)) {
            DataSourceError::OtherDatasource
        } else {
            DataSourceError::UnknownState
        }
    }

    fn was_used_by(&self, state: &Secret, user: &str) -> bool {
        let mark = self.vault.get(&self.key, Purpose::Login, &used_mark_name(state));
        mark.ok().flatten().is_some_and(|mark| mark == user.as_bytes())
    }

    fn was_started_by(&self, key: &DataSourceKey, state: &Secret, user: &str) -> bool {
        let entry = self.vault.get(key, Purpose::Login, &entry_name(state)).ok().flatten();
        entry
            .and_then(|entry| serde_json::from_slice::<PendingLogin>(&entry).ok())
            .is_some_and(|pending| pending.user == user)
    }
}

/// Returns the name of a pending login in the vault: the hash of its state, because names are
/// stored in plain text.
fn entry_name(state: &Secret) -> String {
    hex(&Sha256::digest(state.reveal()))
}

/// Returns the name of the entry that marks a state as used and contains the user.
fn used_mark_name(state: &Secret) -> String {
    format!("used {}", entry_name(state))
}
