//! The one place that refreshes tokens: one refresh at a time, the new pair durable before its first use.
//!
//! Oura's refresh tokens are single use, so a pair can be lost between two computers, and no order of writes here can prevent that
//! entirely. What holds:
//!
//! - A refresh is sent only right after the vault has proved that it can be written, by storing the present pair again.
//! - Once Oura's answer has arrived, nobody sees the new pair before it is durable. If it cannot be stored it waits in memory, and each
//!   later call tries to store it again.
//! - Whoever asked for a token may go away: the refresh runs in a task of its own, and [`Tokens::settle`] waits for it.
//! - If the process is killed after Oura has handled the request and before the answer is stored (one round trip), the stored refresh
//!   token is dead. Its access token serves until it expires; then one refresh fails with `invalid_grant`, and a person must connect again.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::Secret;
use super::oauth::{Grant, OAuth, OAuthError};
use crate::time::{Clock, Instant};

/// A failure to read or write the stored grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantStoreError {
    /// The process lacks permission to read or write the file.
    #[error("The stored login cannot be accessed: {detail}")]
    NotAccessible {
        /// The file and the system's error.
        detail: String,
    },
    /// The disk is full. The previous grant is still stored.
    #[error("The login cannot be stored because the disk is full: {detail}")]
    DiskFull {
        /// The file.
        detail: String,
    },
    /// Any other failure of the storage.
    #[error("The stored login cannot be used: {detail}")]
    Failed {
        /// The cause.
        detail: String,
    },
}

/// Storage for one grant. Each call blocks on the disk, and is durable when it returns.
pub trait GrantStore: Send + Sync {
    /// Returns the stored grant. A grant that cannot be decrypted counts as missing.
    fn load(&self) -> Result<Option<Grant>, GrantStoreError>;
    /// Stores `grant` in place of the previous one.
    fn save(&self, grant: &Grant) -> Result<(), GrantStoreError>;
    /// Deletes the grant and its end reason.
    fn clear(&self) -> Result<(), GrantStoreError>;
    /// Returns the reason passed to [`GrantStore::mark_ended`] for the stored grant.
    fn end_reason(&self) -> Result<Option<String>, GrantStoreError>;
    /// Marks the stored grant as ended, so that its dead token is not sent again, even after a
    /// restart. The mark does not apply to later grants.
    fn mark_ended(&self, reason: &str) -> Result<(), GrantStoreError>;
}

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Hands out access tokens to a [`super::Client`].
pub trait AccessTokens: Send + Sync {
    /// A token that is valid for at least another minute, refreshed if needed. While Oura's login cannot be reached: the old one,
    /// as long as it is valid at all.
    fn access_token(&self) -> BoxFuture<'_, Result<Secret, TokenError>>;
    /// A token other than `rejected`, which Oura answered with 401.
    fn replace(&self, rejected: Secret) -> BoxFuture<'_, Result<Secret, TokenError>>;
    /// `token` is fresh, and opens nothing at all: whoever keeps logins keeps that this one is over. Returns it as an error.
    fn end(&self, token: Secret, reason: String) -> BoxFuture<'_, TokenError> {
        Box::pin(async move {
            drop(token);
            TokenError::ReconnectNeeded { reason }
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("not connected; press Connect to log in to Oura")]
    NotConnected,
    /// The refresh token is gone for good.
    #[error(
        "the login at Oura has ended ({reason}); press Connect to log in again. The data so far stays"
    )]
    ReconnectNeeded { reason: String },
    /// Oura will not refresh for this client id and secret; the login itself may be good.
    #[error("Oura does not renew the login: {detail}")]
    Refused { detail: String },
    #[error("Oura's login could not be reached: {detail}")]
    Network { detail: String },
    /// The stored login cannot be read or written.
    #[error(transparent)]
    Store(#[from] GrantStoreError),
}

/// A token is refreshed when it has less than this left, in seconds.
const AHEAD: i64 = 60;

/// [`AccessTokens`] over OAuth and a vault. Cheap to clone; clones share the one refresh.
#[derive(Clone)]
pub struct Tokens {
    inner: Arc<Inner>,
}

struct Inner {
    oauth: OAuth,
    vault: Arc<dyn GrantStore>,
    clock: Clock,
    held: Arc<AsyncMutex<Held>>,
    /// How many refreshes have ended. Who waits for one takes its outcome, even a bad one, instead of starting the next.
    ended: AtomicU64,
    /// `Some` once the login is over; kept apart from `held` so that it can be read during a refresh.
    over: Mutex<Option<TokenError>>,
}

/// What this process knows of the grant.
#[derive(Default)]
struct Held {
    grant: Option<Grant>,
    /// A new pair that could not be stored yet; not to be used before it is.
    unsaved: Option<Grant>,
    /// How the last refresh failed.
    failure: Option<TokenError>,
}

impl Tokens {
    pub fn new(oauth: OAuth, vault: Arc<dyn GrantStore>, clock: Clock) -> Tokens {
        let (held, ended, over) = (Arc::default(), AtomicU64::new(0), Mutex::new(None));
        Tokens { inner: Arc::new(Inner { oauth, vault, clock, held, ended, over }) }
    }

    /// A new login: stored, and used from now on. Waits for a refresh under way, whose outcome it replaces.
    pub async fn set(&self, grant: Grant) -> Result<(), TokenError> {
        let mut held = self.inner.lock().await;
        let stored = grant.clone();
        self.inner.vault(move |vault| vault.save(&stored)).await?;
        *held = Held { grant: Some(grant), ..Held::default() };
        self.inner.declare_over(None);
        Ok(())
    }

    /// Forgets the grant, here and in the vault. Waits for a refresh under way.
    pub async fn clear(&self) -> Result<(), TokenError> {
        let mut held = self.inner.lock().await;
        self.inner.vault(|vault| vault.clear()).await?;
        *held = Held::default();
        self.inner.declare_over(None);
        Ok(())
    }

    /// The grant as the vault has it. Asks Oura nothing.
    pub fn current(&self) -> Result<Option<Grant>, TokenError> {
        Ok(self.inner.vault.load()?)
    }

    /// The newest pair, even one that could not be stored yet. Waits for a refresh under way.
    pub async fn newest(&self) -> Result<Option<Grant>, TokenError> {
        let held = self.inner.lock().await;
        match &held.unsaved {
            Some(unsaved) => Ok(Some(unsaved.clone())),
            None => self.inner.vault(|vault| vault.load()).await,
        }
    }

    /// Whether there is a login, as far as is known without asking Oura.
    pub fn standing(&self) -> Result<(), TokenError> {
        if let Some(over) = self.inner.over() {
            return Err(over);
        }
        match self.inner.vault.end_reason()? {
            Some(reason) => Err(TokenError::ReconnectNeeded { reason }),
            None => self.current()?.map(drop).ok_or(TokenError::NotConnected),
        }
    }

    /// Waits for a refresh under way. A process that ends before may lose the login.
    pub async fn settle(&self) {
        drop(self.inner.lock().await);
    }

    async fn token(&self, rejected: Option<Secret>) -> Result<Secret, TokenError> {
        let seen = self.inner.ended.load(Ordering::Acquire);
        let held = self.inner.lock().await;
        if let Some(over) = self.inner.over() {
            return Err(over);
        }
        if let Some(token) = held.usable(rejected.as_ref(), self.inner.clock.now().plus(AHEAD)) {
            return Ok(token);
        }
        if let Some(failure) =
            held.failure.clone().filter(|_| self.inner.ended.load(Ordering::Acquire) != seen)
        {
            return held.usable(rejected.as_ref(), self.inner.clock.now()).ok_or(failure);
        }
        // A task of its own: if the caller goes away, the pair that is on its way must still be stored.
        let task = tokio::spawn(Arc::clone(&self.inner).renewed(held, rejected));
        task.await.unwrap_or_else(|error| {
            Err(TokenError::Network { detail: format!("the refresh was broken off: {error}") })
        })
    }
}

impl AccessTokens for Tokens {
    fn access_token(&self) -> BoxFuture<'_, Result<Secret, TokenError>> {
        Box::pin(self.token(None))
    }

    fn replace(&self, rejected: Secret) -> BoxFuture<'_, Result<Secret, TokenError>> {
        Box::pin(self.token(Some(rejected)))
    }

    fn end(&self, token: Secret, reason: String) -> BoxFuture<'_, TokenError> {
        Box::pin(async move {
            let over = TokenError::ReconnectNeeded { reason };
            let held = self.inner.lock().await;
            // A person may have connected again meanwhile.
            if held.grant.as_ref().is_some_and(|grant| grant.access_token == token) {
                self.inner.end(over.clone()).await;
            }
            over
        })
    }
}

impl Held {
    /// The token, unless it is `rejected` or ends before `until`.
    fn usable(&self, rejected: Option<&Secret>, until: Instant) -> Option<Secret> {
        let grant = self.grant.as_ref().filter(|_| self.unsaved.is_none())?;
        (grant.expires_at > until && Some(&grant.access_token) != rejected)
            .then(|| grant.access_token.clone())
    }
}

impl Inner {
    async fn lock(&self) -> OwnedMutexGuard<Held> {
        Arc::clone(&self.held).lock_owned().await
    }

    fn over(&self) -> Option<TokenError> {
        self.over.lock().clone()
    }

    fn declare_over(&self, over: Option<TokenError>) {
        *self.over.lock() = over;
    }

    /// The login is over. If that cannot be kept, it will be found out again.
    async fn end(&self, over: TokenError) {
        self.declare_over(Some(over.clone()));
        if let TokenError::ReconnectNeeded { reason } = over
            && let Err(error) = self.vault(move |vault| vault.mark_ended(&reason)).await
        {
            tracing::warn!(%error, "that the login is over could not be kept");
        }
    }

    /// Runs a call of the vault where blocking is allowed.
    async fn vault<T: Send + 'static>(
        &self,
        call: impl FnOnce(Arc<dyn GrantStore>) -> Result<T, GrantStoreError> + Send + 'static,
    ) -> Result<T, TokenError> {
        let vault = Arc::clone(&self.vault);
        match tokio::task::spawn_blocking(move || call(vault)).await {
            Ok(outcome) => Ok(outcome?),
            Err(error) => Err(GrantStoreError::Failed { detail: error.to_string() }.into()),
        }
    }

    /// Makes the held grant usable, and hands out its token.
    async fn renewed(
        self: Arc<Self>,
        mut held: OwnedMutexGuard<Held>,
        rejected: Option<Secret>,
    ) -> Result<Secret, TokenError> {
        let outcome = self.renew(&mut held, rejected.as_ref()).await;
        held.failure = outcome.as_ref().err().cloned();
        self.ended.fetch_add(1, Ordering::AcqRel);
        match outcome {
            Ok(token) => Ok(token),
            Err(over @ TokenError::ReconnectNeeded { .. }) => {
                self.end(over.clone()).await;
                Err(over)
            }
            Err(failure) => held.usable(rejected.as_ref(), self.clock.now()).ok_or(failure),
        }
    }

    async fn renew(
        &self,
        held: &mut Held,
        rejected: Option<&Secret>,
    ) -> Result<Secret, TokenError> {
        let soon = self.clock.now().plus(AHEAD);
        if let Some(unsaved) = held.unsaved.clone() {
            return self.keep(held, unsaved).await;
        }
        // Another process on the same vault may have been here first.
        held.grant = self.vault(|vault| vault.load()).await?;
        if let Some(reason) = self.vault(|vault| vault.end_reason()).await? {
            return Err(TokenError::ReconnectNeeded { reason });
        }
        if let Some(token) = held.usable(rejected, soon) {
            return Ok(token);
        }
        let grant = held.grant.clone().ok_or(TokenError::NotConnected)?;
        if grant.refresh_token.is_none() {
            return Err(TokenError::ReconnectNeeded {
                reason: "Oura gave no refresh token".to_owned(),
            });
        }
        let again = grant.clone();
        self.vault(move |vault| vault.save(&again)).await?;
        match self.oauth.refresh(&grant).await {
            Ok(renewed) => self.keep(held, renewed).await,
            Err(error @ OAuthError::InvalidGrant { .. }) => {
                held.grant = self.vault(|vault| vault.load()).await?;
                held.usable(rejected, soon).ok_or_else(|| error.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Stores a new pair, then makes it the present one.
    async fn keep(&self, held: &mut Held, renewed: Grant) -> Result<Secret, TokenError> {
        held.unsaved = Some(renewed.clone());
        let stored = renewed.clone();
        self.vault(move |vault| vault.save(&stored)).await?;
        held.unsaved = None;
        let token = renewed.access_token.clone();
        held.grant = Some(renewed);
        Ok(token)
    }
}

impl From<OAuthError> for TokenError {
    fn from(error: OAuthError) -> TokenError {
        match error {
            OAuthError::InvalidGrant { .. } => TokenError::ReconnectNeeded {
                reason: "Oura no longer accepts its refresh token".to_owned(),
            },
            OAuthError::Network { detail } | OAuthError::Malformed { detail } => {
                TokenError::Network { detail }
            }
            OAuthError::InvalidClient
            | OAuthError::RedirectNotRegistered
            | OAuthError::ClockSkew { .. }
            | OAuthError::Rejected { .. } => TokenError::Refused { detail: error.to_string() },
        }
    }
}
