//! The one place that refreshes tokens: one refresh at a time, the new pair durable before its first use.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::Secret;
use super::oauth::{Grant, OAuth};
use crate::time::Clock;

/// Where a grant is kept. Each call is durable when it returns.
pub trait GrantVault: Send + Sync {
    fn load(&self) -> Result<Option<Grant>, String>;
    fn save(&self, grant: &Grant) -> Result<(), String>;
}

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Hands out access tokens to a [`super::Client`].
pub trait AccessTokens: Send + Sync {
    /// A token that is valid for at least another minute, refreshed if needed.
    fn access_token(&self) -> BoxFuture<'_, Result<Secret, TokenError>>;
    /// A token other than `rejected`, which Oura answered with 401.
    fn replace(&self, rejected: Secret) -> BoxFuture<'_, Result<Secret, TokenError>>;
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum TokenError {
    #[error("not connected; press Connect to log in to Oura")]
    NotConnected,
    /// The refresh token is gone for good.
    #[error("the login at Oura has ended ({reason}); press Connect to log in again. The data so far stays")]
    ReconnectNeeded { reason: String },
    #[error("Oura's login could not be reached: {detail}")]
    Network { detail: String },
    #[error("the vault cannot be used: {detail}")]
    Vault { detail: String },
}

/// [`AccessTokens`] over OAuth and a vault.
pub struct Tokens {
    _oauth: OAuth,
    _vault: Arc<dyn GrantVault>,
    _clock: Clock,
}
