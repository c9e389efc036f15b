//! Connecting and disconnecting: a person is sent to Oura and comes back with a code, which becomes a grant.

use serde::Serialize;

use super::pending::LOGIN_SECONDS;
use super::vault::PendingLogin;
use super::{DataSource, DataSourceError};
use crate::oura::oauth::{Grant, OAuthError};
use crate::oura::{RedirectUri, Secret};
use crate::store::Trigger;
use crate::time::Instant;

/// `POST oauth/start`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LoginStart {
    pub authorize_url: String,
    #[serde(serialize_with = "crate::time::as_rfc3339")]
    #[cfg_attr(test, ts(type = "string"))]
    pub expires_at: Instant,
}

impl DataSource {
    /// Begins a login for `user`, who must be the one to finish it.
    pub fn start_login(
        &self,
        redirect: &RedirectUri,
        user: &str,
    ) -> Result<LoginStart, DataSourceError> {
        let inner = &self.inner;
        inner.writable()?;
        if !self.is_configured() {
            return Err(DataSourceError::NotConfigured);
        }
        let authorization = inner.oauth.authorize(redirect, &inner.settings.scopes());
        let expires_at = inner.environment.clock.now().plus(LOGIN_SECONDS);
        let pending = PendingLogin {
            user: user.to_owned(),
            redirect: redirect.clone(),
            pkce_verifier: authorization.pkce_verifier,
            expires_at,
        };
        self.store_pending(&authorization.state, &pending)?;
        Ok(LoginStart { authorize_url: authorization.url.into(), expires_at })
    }

    /// Finishes the login that `state` belongs to, and starts the first sync.
    pub async fn finish_login(
        &self,
        code: &Secret,
        state: &Secret,
        user: &str,
    ) -> Result<(), DataSourceError> {
        let inner = &self.inner;
        inner.writable()?;
        let pending = self.take_pending(state, user)?;
        let grant =
            match inner.oauth.exchange(code, &pending.redirect, &pending.pkce_verifier).await {
                Err(OAuthError::RedirectNotRegistered) => {
                    return Err(DataSourceError::RedirectNotRegistered {
                        redirect: Some(pending.redirect),
                    });
                }
                outcome => outcome?,
            };
        if let Err(refused) = self.check_person(&grant).await {
            self.revoke_quietly(&grant).await;
            return Err(refused);
        }
        inner.tokens.set(grant).await?;
        let datasource = self.clone();
        super::blocking(move || datasource.inner.start_schedule(Some(Trigger::Login))).await?;
        tracing::info!(datasource = %inner.key, "connected to Oura");
        Ok(())
    }

    /// What to say when Oura does not know the address that `user`'s login with `state` was to come back to.
    pub fn redirect_not_registered(&self, state: &Secret, user: &str) -> DataSourceError {
        DataSourceError::RedirectNotRegistered { redirect: self.pending_redirect(state, user) }
    }

    /// Revokes and forgets the tokens; keeps the data.
    pub async fn disconnect(&self) -> Result<(), DataSourceError> {
        let inner = &self.inner;
        inner.writable()?;
        let sync = inner.sync.lock().take();
        if let Some(sync) = sync {
            sync.stop().await;
        }
        // A refresh under way would leave a pair that nobody gives back.
        if let Some(grant) = inner.tokens.newest().await? {
            self.revoke_quietly(&grant).await;
        }
        // One that nobody can read would come back with its key.
        Ok(inner.tokens.clear().await?)
    }

    /// Tells Oura that the grant is used no more.
    async fn revoke_quietly(&self, grant: &Grant) {
        if let Err(error) = self.inner.oauth.revoke(grant).await {
            tracing::warn!(datasource = %self.inner.key, %error, "Oura could not be told that a grant is used no more; it will expire");
        }
    }

    pub(super) fn is_configured(&self) -> bool {
        !self.inner.settings.client_id.is_empty() && !self.inner.client_secret.is_empty()
    }
}
