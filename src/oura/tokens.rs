//! Access tokens of a stored login, refreshed one at a time. Only this module refreshes tokens.
//!
//! Oura's refresh tokens are single use, so a pair can be lost between two computers. No order of
//! writes prevents that entirely. These guarantees hold:
//!
//! - A refresh is sent only after the current pair was stored again, which proves that the storage
//!   is writable.
//! - A new pair is used only after it is stored. If it cannot be stored it waits in memory, and
//!   each later call tries to store it again.
//! - A refresh runs in a task of its own and continues if its caller is dropped.
//!   [`Tokens::wait_for_refresh`] waits for it.
//! - If the process is killed between Oura's response and its storage, the stored refresh token is
//!   invalid. The access token is used until it expires. Then one refresh fails with
//!   `invalid_grant`, and a person must connect again.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::oauth::{Grant, OAuth, OAuthError};
use super::{
    AccessTokens, BoxFuture, GrantStore, GrantStoreError, NetworkError, Secret, TokenError,
};
use crate::time::{Clock, Instant};

/// [`AccessTokens`] from a stored login. Cheap to clone; clones share one refresh at a time.
#[derive(Clone)]
pub struct Tokens {
    inner: Arc<Inner>,
}

struct Inner {
    oauth: OAuth,
    store: Arc<dyn GrantStore>,
    clock: Clock,
    state: Arc<AsyncMutex<TokenState>>,
    /// The number of finished refreshes. A caller that waited for one shares its outcome, even a
    /// failure, instead of starting another.
    finished_refreshes: AtomicU64,
    /// The reason for the end of the login, if it has ended. Outside of `state`, so that it can be
    /// read during a refresh.
    end_reason: Mutex<Option<String>>,
}

/// The login in memory.
#[derive(Default)]
struct TokenState {
    grant: Option<Grant>,
    /// A new pair that could not be stored yet, and must not be used before.
    unsaved: Option<Grant>,
    /// The error of the last refresh.
    failure: Option<TokenError>,
}

impl Tokens {
    /// Creates a token source for the login in `store`.
    pub fn new(oauth: OAuth, store: Arc<dyn GrantStore>, clock: Clock) -> Tokens {
        let inner = Inner {
            oauth,
            store,
            clock,
            state: Arc::default(),
            finished_refreshes: AtomicU64::new(0),
            end_reason: Mutex::new(None),
        };
        Tokens { inner: Arc::new(inner) }
    }

    /// Stores a new login and uses it from now on. Waits for a running refresh, and replaces its
    /// outcome.
    pub async fn set_grant(&self, grant: Grant) -> Result<(), TokenError> {
        let mut state = self.inner.lock().await;
        let stored = grant.clone();
        self.inner.call_store(move |store| store.save(&stored)).await?;
        *state = TokenState { grant: Some(grant), ..TokenState::default() };
        *self.inner.end_reason.lock() = None;
        Ok(())
    }

    /// Deletes the login from memory and storage. Waits for a running refresh.
    pub async fn clear(&self) -> Result<(), TokenError> {
        let mut state = self.inner.lock().await;
        self.inner.call_store(|store| store.clear()).await?;
        *state = TokenState::default();
        *self.inner.end_reason.lock() = None;
        Ok(())
    }

    /// Returns the stored grant, without a request to Oura.
    pub fn stored_grant(&self) -> Result<Option<Grant>, TokenError> {
        Ok(self.inner.store.load()?)
    }

    /// Returns the newest pair, including one that could not be stored yet. Waits for a running
    /// refresh.
    pub async fn newest_grant(&self) -> Result<Option<Grant>, TokenError> {
        let state = self.inner.lock().await;
        match &state.unsaved {
            Some(unsaved) => Ok(Some(unsaved.clone())),
            None => self.inner.call_store(|store| store.load()).await,
        }
    }

    /// Checks that a login is stored and has not ended, without a request to Oura.
    pub fn check_login(&self) -> Result<(), TokenError> {
        self.inner.check_not_ended()?;
        if let Some(reason) = self.inner.store.end_reason()? {
            return Err(TokenError::ReconnectNeeded { reason });
        }
        match self.stored_grant()? {
            Some(_) => Ok(()),
            None => Err(TokenError::NotConnected),
        }
    }

    /// Waits for a running refresh. A process that exits before may lose the login.
    pub async fn wait_for_refresh(&self) {
        drop(self.inner.lock().await);
    }

    async fn token(&self, rejected: Option<Secret>) -> Result<Secret, TokenError> {
        let inner = &self.inner;
        let refreshes_before = inner.finished_refreshes.load(Ordering::Acquire);
        let state = inner.lock().await;
        inner.check_not_ended()?;
        if let Some(token) = state.fresh_token(rejected.as_ref(), inner.clock.now()) {
            return Ok(token);
        }
        let waited_for_refresh =
            inner.finished_refreshes.load(Ordering::Acquire) != refreshes_before;
        if waited_for_refresh && let Some(failure) = &state.failure {
            return state
                .valid_token(rejected.as_ref(), inner.clock.now())
                .ok_or_else(|| failure.clone());
        }
        // A task of its own, because the new pair must be stored even if the caller is dropped.
        let task = tokio::spawn(Arc::clone(inner).refresh_and_record(state, rejected));
        match task.await {
            Ok(outcome) => outcome,
            Err(error) => {
                let detail = format!("the refresh task failed: {error}");
                Err(TokenError::Network(NetworkError::new(detail)))
            }
        }
    }
}

impl AccessTokens for Tokens {
    fn access_token(&self) -> BoxFuture<'_, Result<Secret, TokenError>> {
        Box::pin(self.token(None))
    }

    fn replace(&self, rejected: Secret) -> BoxFuture<'_, Result<Secret, TokenError>> {
        Box::pin(self.token(Some(rejected)))
    }

    fn end_login(&self, token: Secret, reason: String) -> BoxFuture<'_, Option<TokenError>> {
        Box::pin(async move {
            let mut state = self.inner.lock().await;
            // Another process with the same storage may have refreshed, too. Without the storage,
            // memory decides.
            if let Ok(stored) = self.inner.call_store(|store| store.load()).await {
                state.grant = stored;
            }
            if !state.is_current(&token, self.inner.clock.now()) {
                return None;
            }
            self.inner.record_end(reason.clone()).await;
            Some(TokenError::ReconnectNeeded { reason })
        })
    }

    fn is_current<'a>(&'a self, token: &'a Secret) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let state = self.inner.lock().await;
            state.is_current(token, self.inner.clock.now())
        })
    }
}

impl TokenState {
    /// Returns the access token, unless it is `rejected` or due for a refresh.
    fn fresh_token(&self, rejected: Option<&Secret>, now: Instant) -> Option<Secret> {
        let grant = self.usable_grant(rejected)?;
        (grant.refresh_at() > now).then(|| grant.access_token.clone())
    }

    /// Returns the access token, unless it is `rejected` or expired.
    fn valid_token(&self, rejected: Option<&Secret>, now: Instant) -> Option<Secret> {
        let grant = self.usable_grant(rejected)?;
        (grant.expires_at > now).then(|| grant.access_token.clone())
    }

    fn usable_grant(&self, rejected: Option<&Secret>) -> Option<&Grant> {
        let grant = self.grant.as_ref().filter(|_| self.unsaved.is_none())?;
        (Some(&grant.access_token) != rejected).then_some(grant)
    }

    /// Whether `token` is the access token, and has not expired.
    fn is_current(&self, token: &Secret, now: Instant) -> bool {
        self.valid_token(None, now).as_ref() == Some(token)
    }
}

impl Inner {
    async fn lock(&self) -> OwnedMutexGuard<TokenState> {
        Arc::clone(&self.state).lock_owned().await
    }

    fn check_not_ended(&self) -> Result<(), TokenError> {
        match self.end_reason.lock().clone() {
            Some(reason) => Err(TokenError::ReconnectNeeded { reason }),
            None => Ok(()),
        }
    }

    /// Records the end of the login. If it cannot be stored, the next process finds it out again.
    async fn record_end(&self, reason: String) {
        *self.end_reason.lock() = Some(reason.clone());
        if let Err(error) = self.call_store(move |store| store.mark_ended(&reason)).await {
            tracing::warn!(%error, "the end of the login could not be stored");
        }
    }

    /// Calls the storage on a thread where blocking is allowed.
    async fn call_store<T: Send + 'static>(
        &self,
        call: impl FnOnce(Arc<dyn GrantStore>) -> Result<T, GrantStoreError> + Send + 'static,
    ) -> Result<T, TokenError> {
        let store = Arc::clone(&self.store);
        match tokio::task::spawn_blocking(move || call(store)).await {
            Ok(outcome) => Ok(outcome?),
            Err(error) => Err(GrantStoreError::Failed { detail: error.to_string() }.into()),
        }
    }

    /// Refreshes the token and records the outcome for callers that wait for it.
    async fn refresh_and_record(
        self: Arc<Self>,
        mut state: OwnedMutexGuard<TokenState>,
        rejected: Option<Secret>,
    ) -> Result<Secret, TokenError> {
        let outcome = self.refresh(&mut state, rejected.as_ref()).await;
        state.failure = outcome.as_ref().err().cloned();
        self.finished_refreshes.fetch_add(1, Ordering::AcqRel);
        match outcome {
            Ok(token) => Ok(token),
            Err(TokenError::ReconnectNeeded { reason }) => {
                self.record_end(reason.clone()).await;
                Err(TokenError::ReconnectNeeded { reason })
            }
            Err(failure) => state.valid_token(rejected.as_ref(), self.clock.now()).ok_or(failure),
        }
    }

    async fn refresh(
        &self,
        state: &mut TokenState,
        rejected: Option<&Secret>,
    ) -> Result<Secret, TokenError> {
        if let Some(unsaved) = state.unsaved.clone() {
            return self.store_pair(state, unsaved).await;
        }
        // Another process with the same storage may have refreshed first.
        state.grant = self.call_store(|store| store.load()).await?;
        if let Some(reason) = self.call_store(|store| store.end_reason()).await? {
            return Err(TokenError::ReconnectNeeded { reason });
        }
        if let Some(token) = state.fresh_token(rejected, self.clock.now()) {
            return Ok(token);
        }
        let grant = state.grant.clone().ok_or(TokenError::NotConnected)?;
        if grant.refresh_token.is_none() {
            let reason = "Oura issued no refresh token".to_owned();
            return Err(TokenError::ReconnectNeeded { reason });
        }
        let current = grant.clone();
        self.call_store(move |store| store.save(&current)).await?;
        match self.oauth.refresh(&grant).await {
            Ok(renewed) => self.store_pair(state, renewed).await,
            Err(error @ OAuthError::InvalidGrant { .. }) => {
                state.grant = self.call_store(|store| store.load()).await?;
                state.valid_token(rejected, self.clock.now()).ok_or_else(|| error.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Stores a new pair, then makes it the current one.
    async fn store_pair(&self, state: &mut TokenState, pair: Grant) -> Result<Secret, TokenError> {
        state.unsaved = Some(pair.clone());
        let stored = pair.clone();
        self.call_store(move |store| store.save(&stored)).await?;
        state.unsaved = None;
        let token = pair.access_token.clone();
        state.grant = Some(pair);
        Ok(token)
    }
}
