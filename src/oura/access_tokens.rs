//! The interface between [`super::Client`] and the owner of a login, and its errors.

use super::oauth::OAuthError;
use super::{BoxFuture, GrantStoreError, NetworkError, Secret};

/// A source of access tokens for a [`super::Client`].
pub trait AccessTokens: Send + Sync {
    /// Returns a valid token, and refreshes it if it expires soon. While Oura's login is not
    /// reachable, returns the old token until it expires.
    fn access_token(&self) -> BoxFuture<'_, Result<Secret, TokenError>>;
    /// Returns a token other than `rejected`, which the API answered with 401.
    fn replace(&self, rejected: Secret) -> BoxFuture<'_, Result<Secret, TokenError>>;
    /// Returns whether `token` is still in use: neither expired nor replaced by a refresh of a
    /// concurrent request. A rejection of any other token reveals nothing about the login.
    fn is_current<'a>(&'a self, token: &'a Secret) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let _ = token;
            true
        })
    }
    /// Ends the login because the API rejects `token` everywhere, although it is fresh. An
    /// implementation that stores logins records the end with its `reason`. Returns the error for
    /// the caller, or `None` if `token` is not current and the login continues.
    fn end_login(&self, token: Secret, reason: String) -> BoxFuture<'_, Option<TokenError>> {
        Box::pin(async move {
            drop(token);
            Some(TokenError::ReconnectNeeded { reason })
        })
    }
}

/// Why no access token is available. `Display` names the reason and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No login is stored.
    #[error("Not connected. Press Connect to log in to Oura")]
    NotConnected,
    /// The refresh token is invalid. Only a new login helps.
    #[error(
        "The login at Oura has ended ({reason}). \
         Press Connect to log in again. Stored data is kept"
    )]
    ReconnectNeeded {
        /// The reason for the end, as a clause.
        reason: String,
    },
    /// Oura does not refresh for this client ID and secret. The login itself may be valid.
    #[error("Oura did not renew the login: {detail}")]
    Refused {
        /// The text of the [`OAuthError`].
        detail: String,
    },
    /// No response from Oura's login.
    #[error("Could not reach Oura's login: {0}")]
    Network(NetworkError),
    /// A response of Oura's login without tokens.
    #[error("Invalid response from Oura's login: {detail}")]
    Malformed {
        /// The defect of the response.
        detail: String,
    },
    /// The stored login cannot be read or written.
    #[error(transparent)]
    Store(#[from] GrantStoreError),
}

impl From<OAuthError> for TokenError {
    fn from(error: OAuthError) -> TokenError {
        match error {
            OAuthError::InvalidGrant { .. } => TokenError::ReconnectNeeded {
                reason: "Oura no longer accepts the refresh token".to_owned(),
            },
            OAuthError::Network(error) => TokenError::Network(error),
            OAuthError::Malformed { detail } => TokenError::Malformed { detail },
            OAuthError::InvalidClient
            | OAuthError::RedirectNotRegistered
            | OAuthError::ClockSkew { .. }
            | OAuthError::Rejected { .. } => TokenError::Refused { detail: error.to_string() },
        }
    }
}
