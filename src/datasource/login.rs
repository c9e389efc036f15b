//! The login of a data source: connecting, disconnecting, and the state of the connection.

mod grant;
mod pending;
mod person;

pub(crate) use self::grant::SealedGrant;
pub use self::grant::{StoredLogin, stored_login};
pub use self::pending::PendingLogin;

use std::sync::Arc;

use serde::Serialize;

use self::pending::{LOGIN_SECONDS, PendingLogins};
use self::person::PersonCheck;
use super::error::DataSourceError;
use super::key::DataSourceKey;
use super::settings::Settings;
use super::vault::Vault;
use crate::oura::oauth::{Grant, OAuth, OAuthError};
use crate::oura::{AccessTokens, RedirectUri, Secret, TokenError, Tokens};
use crate::store::{ConnectionState, Store};
use crate::time::{Clock, Instant};

/// The response of `POST oauth/start`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub struct LoginStart {
    /// The page at Oura to open in the browser.
    pub authorize_url: String,
    /// The end of the login's lifetime.
    #[serde(serialize_with = "crate::time::as_rfc3339")]
    #[cfg_attr(test, ts(type = "string"), schema(value_type = String))]
    pub expires_at: Instant,
}

/// The login part of a data source: OAuth, tokens, pending logins and the person check.
///
/// It starts and stops no syncs.
pub(super) struct Login {
    key: DataSourceKey,
    settings: Arc<Settings>,
    clock: Clock,
    vault: Arc<Vault>,
    oauth: OAuth,
    tokens: Arc<Tokens>,
    pending: PendingLogins,
    person: PersonCheck,
}

impl Login {
    pub(super) fn new(
        key: DataSourceKey,
        settings: Arc<Settings>,
        vault: Arc<Vault>,
        oauth: OAuth,
        store: Store,
    ) -> Login {
        let clock = oauth.clock.clone();
        let grant = SealedGrant::new(Arc::clone(&vault), key.clone()).recorded_in(store.clone());
        let grant = Arc::new(grant);
        Login {
            tokens: Arc::new(Tokens::new(oauth.clone(), grant, clock.clone())),
            pending: PendingLogins::new(Arc::clone(&vault), key.clone(), clock.clone()),
            person: PersonCheck {
                key: key.clone(),
                settings: Arc::clone(&settings),
                vault: Arc::clone(&vault),
                store,
                http: oauth.http.clone(),
                origins: oauth.origins.clone(),
                clock: clock.clone(),
            },
            key,
            settings,
            clock,
            vault,
            oauth,
        }
    }

    /// Returns the source of access tokens for the client of Oura's API.
    pub(super) fn access_tokens(&self) -> Arc<dyn AccessTokens> {
        Arc::clone(&self.tokens) as Arc<dyn AccessTokens>
    }

    /// Returns why the data folder is read-only, if it is.
    pub(super) fn read_only_reason(&self) -> Option<&str> {
        self.vault.read_only_reason()
    }

    /// Starts a login, which the same `user` must complete.
    pub(super) fn start(
        &self,
        redirect: &RedirectUri,
        user: &str,
    ) -> Result<LoginStart, DataSourceError> {
        if !self.is_configured() {
            return Err(DataSourceError::NotConfigured);
        }
        let authorization = self.oauth.authorize(redirect, &self.settings.scopes());
        let expires_at = self.clock.now().plus(LOGIN_SECONDS);
        let pending = PendingLogin {
            user: user.to_owned(),
            redirect: redirect.clone(),
            pkce_verifier: authorization.pkce_verifier,
            expires_at,
        };
        self.pending.store(&authorization.state, &pending)?;
        Ok(LoginStart { authorize_url: authorization.url.into(), expires_at })
    }

    /// Completes the login behind `state`: exchanges the code, checks the person, stores the grant.
    pub(super) async fn finish(
        &self,
        code: &Secret,
        state: &Secret,
        user: &str,
    ) -> Result<(), DataSourceError> {
        let pending = self.pending.consume(state, user)?;
        let exchanged = self.oauth.exchange(code, &pending.redirect, &pending.pkce_verifier).await;
        let grant = match exchanged {
            Err(OAuthError::RedirectNotRegistered) => {
                let redirect = Some(pending.redirect);
                return Err(DataSourceError::RedirectNotRegistered { redirect });
            }
            outcome => outcome?,
        };
        if let Err(error) = self.person.check(&grant).await {
            self.revoke(&grant).await;
            return Err(error);
        }
        self.tokens.set_grant(grant).await?;
        tracing::info!(datasource = %self.key, "connected to Oura");
        Ok(())
    }

    /// Returns the error for a redirect address that Oura rejected. It contains the address if
    /// `user` started the login behind `state`.
    pub(super) fn redirect_not_registered(&self, state: &Secret, user: &str) -> DataSourceError {
        DataSourceError::RedirectNotRegistered { redirect: self.pending.redirect(state, user) }
    }

    /// Returns whether `user` started the login behind `state`, and has not completed it.
    pub(super) fn has_pending(&self, state: &Secret, user: &str) -> bool {
        self.pending.redirect(state, user).is_some()
    }

    /// Revokes the grant at Oura and deletes it.
    pub(super) async fn disconnect(&self) -> Result<(), DataSourceError> {
        // The newest pair: a refresh in progress has replaced the stored one.
        if let Some(grant) = self.tokens.newest_grant().await? {
            self.revoke(&grant).await;
        }
        // Also without a readable grant, which a restored key would make readable again.
        Ok(self.tokens.clear().await?)
    }

    /// Deletes the record of the person of the stored data.
    pub(super) fn forget_person(&self) -> Result<(), DataSourceError> {
        self.person.forget()
    }

    /// Revokes a grant at Oura. A failure is only logged, because the grant expires anyway.
    async fn revoke(&self, grant: &Grant) {
        if let Err(error) = self.oauth.revoke(grant).await {
            tracing::warn!(
                datasource = %self.key,
                %error,
                "could not revoke a grant at Oura. It will expire"
            );
        }
    }

    /// Waits for a token refresh in progress.
    pub(super) async fn settle(&self) {
        self.tokens.wait_for_refresh().await;
    }

    /// Returns the stored grant, without a request to Oura.
    pub(super) fn grant(&self) -> Result<Option<Grant>, DataSourceError> {
        Ok(self.tokens.stored_grant()?)
    }

    /// Returns the state of the connection, and its reason if more is known.
    pub(super) fn connection(&self) -> Result<(ConnectionState, Option<String>), DataSourceError> {
        if let Some(reason) = self.read_only_reason() {
            return Ok((ConnectionState::NotConnected, Some(reason.to_owned())));
        }
        if self.tokens.stored_grant()?.is_none() {
            return Ok(self.missing_grant_state());
        }
        Ok(match self.tokens.check_login() {
            Err(error @ TokenError::ReconnectNeeded { .. }) => {
                (ConnectionState::ReconnectNeeded, Some(error.to_string()))
            }
            _ => (ConnectionState::Connected, None),
        })
    }

    /// Writes the state of the connection into the store, for `sync_status`. Blocks for a write.
    pub(super) fn record_connection(&self) -> Result<(), DataSourceError> {
        let (state, _) = self.connection()?;
        Ok(self.person.store.writer().set_connection(state)?)
    }

    fn missing_grant_state(&self) -> (ConnectionState, Option<String>) {
        let stored = SealedGrant::new(Arc::clone(&self.vault), self.key.clone());
        if let Some(error) = stored.unreadable_reason() {
            return (ConnectionState::ReconnectNeeded, Some(error.to_string()));
        }
        if self.is_configured() {
            (ConnectionState::NotConnected, None)
        } else {
            (ConnectionState::NotConfigured, None)
        }
    }

    fn is_configured(&self) -> bool {
        let application = &self.oauth.application;
        !application.client_id.is_empty() && !application.client_secret.is_empty()
    }
}
