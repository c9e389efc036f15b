//! Errors of a login, a refresh or a revocation.

use std::fmt;

use crate::oura::NetworkError;

/// Why Oura issued or revoked no tokens. `Display` names the reason and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// `invalid_client` from both back ends.
    #[error(
        "Oura rejected the client ID or the client secret. \
         Copy both again from the application's page at Oura"
    )]
    InvalidClient,
    /// `invalid_grant`: used, expired, or issued to another application.
    #[error(
        "Oura rejected the {credential} as expired or already used. Press Connect to log in again"
    )]
    InvalidGrant {
        /// The credential of the request.
        credential: Credential,
    },
    /// `invalid_grant` for a code, while the local clock is more than a minute off.
    #[error(
        "The clock of this machine is {}. Correct it, then press Connect again",
        describe_skew(*.seconds)
    )]
    ClockSkew {
        /// Seconds ahead of Oura's clock; negative if behind.
        seconds: i64,
    },
    /// The application is registered without the address that the login redirects to.
    #[error(
        "The redirect URL is not registered with the application at Oura. \
         Register it there, character by character"
    )]
    RedirectNotRegistered,
    /// Any other 4xx.
    #[error("Oura rejected the login: {detail}")]
    Rejected {
        /// Oura's explanation, or its status.
        detail: String,
    },
    /// No response, an incomplete one, 429 or 5xx.
    #[error("Could not reach Oura's login: {0}")]
    Network(NetworkError),
    /// A response without valid tokens.
    #[error("Invalid response from Oura's login: {detail}")]
    Malformed {
        /// The defect, without tokens.
        detail: String,
    },
}

/// A credential that is exchanged for tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The code of a redirect from the authorize page. It expires within minutes.
    Code,
    /// The refresh token of a stored login.
    RefreshToken,
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credential::Code => "authorization code",
            Credential::RefreshToken => "refresh token",
        })
    }
}

/// Describes a clock skew, for example `5 minutes ahead of Oura's`.
fn describe_skew(seconds: i64) -> String {
    let (count, unit) = match seconds.abs() {
        seconds @ 0..120 => (seconds, "seconds"),
        seconds @ 120..7200 => (seconds / 60, "minutes"),
        seconds => (seconds / 3600, "hours"),
    };
    let direction = if seconds > 0 { "ahead of" } else { "behind" };
    format!("{count} {unit} {direction} Oura's")
}
