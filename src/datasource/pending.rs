//! Logins under way: each behind a state that is single use, ten minutes long, and bound to data source and user.

use sha2::{Digest, Sha256};

use super::vault::{PendingLogin, Purpose};
use super::{DataSource, DataSourceError};
use crate::format::hex;
use crate::oura::{RedirectUri, Secret};

/// How long a person may take at Oura.
pub(super) const LOGIN_SECONDS: i64 = 600;

impl DataSource {
    pub(super) fn store_pending(
        &self,
        state: &Secret,
        pending: &PendingLogin,
    ) -> Result<(), DataSourceError> {
        let inner = &self.inner;
        inner.vault.sweep(inner.environment.clock.now().plus(-LOGIN_SECONDS))?;
        let plain = serde_json::to_vec(pending).expect("a pending login is plain data");
        Ok(inner.vault.put_until(
            &inner.key,
            Purpose::Login,
            &name_of(state),
            &plain,
            pending.expires_at,
        )?)
    }

    /// The login that `state` stands for, which it does no more afterwards.
    pub(super) fn take_pending(
        &self,
        state: &Secret,
        user: &str,
    ) -> Result<PendingLogin, DataSourceError> {
        let inner = &self.inner;
        let Some(pending) = self.pending(state)? else { return Err(self.why_unknown(state, user)) };
        // Before the state is spent: a stranger's attempt takes nothing from the one who began.
        if pending.user != user {
            return Err(DataSourceError::OtherUser);
        }
        // Before it is taken: of two who come together, the second finds it used.
        inner.vault.put_until(
            &inner.key,
            Purpose::Login,
            &used(state),
            user.as_bytes(),
            pending.expires_at,
        )?;
        inner
            .vault
            .take(&inner.key, Purpose::Login, &name_of(state))?
            .ok_or(DataSourceError::UsedState)?;
        match pending.expires_at < inner.environment.clock.now() {
            true => Err(DataSourceError::ExpiredState),
            false => Ok(pending),
        }
    }

    /// The address that Oura was to send `user` back to, if this is their login.
    pub(super) fn pending_redirect(&self, state: &Secret, user: &str) -> Option<RedirectUri> {
        let pending = self.pending(state).ok().flatten()?;
        (pending.user == user).then_some(pending.redirect)
    }

    fn pending(&self, state: &Secret) -> Result<Option<PendingLogin>, DataSourceError> {
        let sealed = self.inner.vault.get(&self.inner.key, Purpose::Login, &name_of(state))?;
        Ok(sealed.and_then(|sealed| serde_json::from_slice(&sealed).ok()))
    }

    /// Why `state` stands for no login here. Only who began one is told what became of it; to everybody else all states are alike.
    fn why_unknown(&self, state: &Secret, user: &str) -> DataSourceError {
        let (vault, key) = (&self.inner.vault, &self.inner.key);
        let entry = |key, name: &str| vault.get(key, Purpose::Login, name).ok().flatten();
        if entry(key, &used(state)).is_some_and(|by| by == user.as_bytes()) {
            return DataSourceError::UsedState;
        }
        let name = name_of(state);
        let elsewhere = vault.holders(Purpose::Login, &name).unwrap_or_default();
        let begun = elsewhere
            .iter()
            .filter_map(|key| serde_json::from_slice::<PendingLogin>(&entry(key, &name)?).ok());
        match begun.into_iter().any(|pending| pending.user == user) {
            true => DataSourceError::OtherDatasource,
            false => DataSourceError::UnknownState,
        }
    }
}

/// A pending login's name in the vault: its state's hash, so that the file does not hold a state that could still be used.
fn name_of(state: &Secret) -> String {
    hex(&Sha256::digest(state.reveal()))
}

/// The name of the mark that a state was used, which holds by whom.
fn used(state: &Secret) -> String {
    format!("used {}", name_of(state))
}
