//! OAuth2 authorization code with PKCE against Oura's two login back ends. No state of its own: what must outlive a call is returned.

use serde::{Deserialize, Serialize};

use super::{LoginBackend, Origins, Secret};
use crate::time::{Clock, Instant};

/// What a person can be asked for; the default request.
pub const SCOPES: &[&str] =
    &["email", "personal", "daily", "heartrate", "workout", "tag", "session", "spo2", "stress", "heart_health", "ring_configuration"];

/// The application as registered with Oura.
#[derive(Clone, Debug)]
pub struct Application {
    pub client_id: String,
    pub client_secret: Secret,
}

/// The address to send the person to, and what must be kept until they come back.
#[derive(Clone, Debug)]
pub struct Authorization {
    pub url: url::Url,
    /// 256 random bits, base64url.
    pub state: Secret,
    pub pkce_verifier: Secret,
}

/// A token pair and what is known about it. Serialised only into the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub access_token: Secret,
    pub refresh_token: Option<Secret>,
    pub expires_at: Instant,
    /// As granted, without the `extapi:` prefix; empty when Oura did not say.
    pub scopes: Vec<String>,
    pub backend: LoginBackend,
}

#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// `invalid_client` from both back ends.
    #[error("Oura does not accept the client id and secret; copy both again from the application's page at Oura")]
    WrongClient,
    /// `invalid_grant`: the code or the refresh token is used, expired or of another application.
    #[error("Oura no longer accepts this {what}; press Connect to log in again")]
    InvalidGrant { what: &'static str },
    #[error("Oura refused the login: {detail}")]
    Refused { detail: String },
    #[error("Oura's login could not be reached: {detail}")]
    Network { detail: String },
    #[error("Oura's login answered something that makes no sense: {detail}")]
    Malformed { detail: String },
}

/// The protocol, for one application.
#[derive(Clone, Debug)]
pub struct OAuth {
    pub http: reqwest::Client,
    pub origins: Origins,
    pub application: Application,
    pub clock: Clock,
}

impl OAuth {
    /// A new login at `backend`'s authorize page (the legacy one knows both kinds of applications).
    pub fn authorize(&self, redirect: &url::Url, scopes: &[String]) -> Authorization {
        let _ = (redirect, scopes);
        todo!()
    }

    /// Exchanges a code; tries the legacy back end first, on 400/401 the portal, and remembers in the grant which answered.
    pub async fn exchange(&self, code: &Secret, redirect: &url::Url, pkce_verifier: &Secret) -> Result<Grant, OAuthError> {
        let _ = (code, redirect, pkce_verifier);
        todo!()
    }

    /// A new pair for an old one, at the back end that issued it. The old refresh token is dead once this was sent.
    pub async fn refresh(&self, grant: &Grant) -> Result<Grant, OAuthError> {
        let _ = grant;
        todo!()
    }

    /// Ends the grant at Oura. An error leaves it to expire.
    pub async fn revoke(&self, grant: &Grant) -> Result<(), OAuthError> {
        let _ = grant;
        todo!()
    }
}
