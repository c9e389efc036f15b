//! Connecting and disconnecting: a state that is single use, ten minutes long and bound to data source and user; then a grant.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::vault::{PendingLogin, Purpose};
use super::{Account, AccountError, lock};
use crate::oura::Secret;
use crate::oura::oauth::Grant;
use crate::store::Trigger;
use crate::time::Instant;

/// How long a person may take at Oura.
const LOGIN_SECONDS: i64 = 600;

/// `POST oauth/start`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginStart {
    pub authorize_url: String,
    #[serde(serialize_with = "crate::time::as_rfc3339")]
    pub expires_at: Instant,
}

impl Account {
    /// Begins a login for `user`, who must be the one to finish it.
    pub fn start_login(&self, redirect: &str, user: &str) -> Result<LoginStart, AccountError> {
        let inner = &self.inner;
        inner.writable()?;
        if !self.is_configured() {
            return Err(AccountError::NotConfigured);
        }
        let redirect = redirect_address(redirect)?;
        let authorization = inner.oauth.authorize(&redirect, &inner.settings.scopes());
        let now = inner.environment.clock.now();
        inner.vault.sweep(now.plus(-LOGIN_SECONDS))?;
        let expires_at = now.plus(LOGIN_SECONDS);
        let pending =
            PendingLogin { user: user.to_owned(), redirect: redirect.to_string(), pkce_verifier: authorization.pkce_verifier, expires_at };
        let sealed = serde_json::to_vec(&pending).expect("a pending login is plain data");
        inner.vault.put_until(&inner.key, Purpose::Login, &name_of(&authorization.state), &sealed, expires_at)?;
        Ok(LoginStart { authorize_url: authorization.url.into(), expires_at })
    }

    /// Finishes the login that `state` belongs to, and starts the first sync.
    pub async fn finish_login(&self, code: &Secret, state: &Secret, user: &str) -> Result<(), AccountError> {
        let inner = &self.inner;
        inner.writable()?;
        let name = name_of(state);
        let sealed = inner.vault.get(&inner.key, Purpose::Login, &name)?.ok_or(AccountError::UnknownState)?;
        let pending: PendingLogin = serde_json::from_slice(&sealed).map_err(|_| AccountError::UnknownState)?;
        // Before the state is spent: a stranger's attempt takes nothing from the one who began.
        if pending.user != user {
            return Err(AccountError::OtherUser);
        }
        inner.vault.take(&inner.key, Purpose::Login, &name)?.ok_or(AccountError::UnknownState)?;
        if pending.expires_at < inner.environment.clock.now() {
            return Err(AccountError::ExpiredState);
        }
        let redirect = redirect_address(&pending.redirect)?;
        let grant = inner.oauth.exchange(code, &redirect, &pending.pkce_verifier).await?;
        if let Err(refused) = self.check_person(&grant).await {
            self.give_back(&grant).await;
            return Err(refused);
        }
        inner.tokens.set(grant).await?;
        let account = self.clone();
        super::blocking(move || account.inner.start_schedule()).await?;
        self.start_sync(Trigger::Login)?;
        tracing::info!(datasource = %inner.key, "connected to Oura");
        Ok(())
    }

    /// Revokes and forgets the tokens; keeps the data.
    pub async fn disconnect(&self) -> Result<(), AccountError> {
        let inner = &self.inner;
        inner.writable()?;
        let sync = lock(&inner.sync).take();
        if let Some(sync) = sync {
            sync.stop().await;
        }
        // A refresh under way would leave a pair that nobody gives back.
        if let Some(grant) = inner.tokens.newest().await? {
            self.give_back(&grant).await;
            inner.tokens.clear().await?;
        }
        Ok(())
    }

    /// Tells Oura that the grant is used no more.
    async fn give_back(&self, grant: &Grant) {
        if let Err(error) = self.inner.oauth.revoke(grant).await {
            tracing::warn!(datasource = %self.inner.key, %error, "Oura could not be told that a grant is used no more; it will expire");
        }
    }

    pub(super) fn is_configured(&self) -> bool {
        !self.inner.settings.client_id.is_empty() && !self.inner.client_secret.is_empty()
    }
}

/// A pending login's name in the vault: its state's hash, so that the file does not hold a state that could still be used.
fn name_of(state: &Secret) -> String {
    Sha256::digest(state.reveal()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn redirect_address(text: &str) -> Result<url::Url, AccountError> {
    let bad = |reason| AccountError::BadRedirect { redirect: text.to_owned(), reason };
    let url = url::Url::parse(text).map_err(|_| bad("it is not an address"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("it must begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it must not hold a user name or a password"));
    }
    if url.fragment().is_some() {
        return Err(bad("it must not hold a #"));
    }
    Ok(url)
}
