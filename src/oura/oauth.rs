//! OAuth 2.0 authorization code flow with PKCE against Oura's two login back ends. Stateless:
//! callers store everything that must outlive a call.
//!
//! An application is registered with one back end, and no request reveals which one. Token requests
//! therefore try the legacy back end first. If it does not know the application (400 or 401), they
//! try the portal once. The grant records the back end that issued it.

mod error;
mod token_failure;
mod token_response;

#[cfg(test)]
mod tests;

use std::time::Duration;

use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};
use reqwest::header;
use serde::{Deserialize, Serialize};

pub use self::error::{Credential, OAuthError};
use self::token_failure::TokenFailure;
pub use self::token_failure::is_redirect_error;
pub use self::token_response::TokenResponse;
use super::response::{self, BodyError};
pub use super::scope::SCOPES;
use super::{LoginBackend, Origins, RedirectUri, Secret, USER_AGENT};
use crate::time::{Clock, Instant};

/// The time limit from a login request to the last byte of its response.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest login response. A token of the portal is a JWT of a few KiB.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;
/// The longest time before its expiry at which a token is refreshed, in seconds.
const MAX_REFRESH_MARGIN: i64 = 60;
/// The lifetime of tokens stored by version 0.1.0, in seconds. The margin is then the longest one.
const STORED_LIFETIME: i64 = 86_400;

/// The application as registered with Oura.
#[derive(Clone, Debug)]
pub struct Application {
    /// The client ID.
    pub client_id: String,
    /// The client secret.
    pub client_secret: Secret,
}

/// A started login. `state` and `pkce_verifier` must be stored until the redirect.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// The page at Oura where the person grants access.
    pub url: url::Url,
    /// 256 random bits as base64url, returned in the redirect.
    pub state: Secret,
    /// The PKCE verifier for [`OAuth::exchange`].
    pub pkce_verifier: Secret,
}

/// A pair of tokens with its metadata. Serialized only into the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The bearer token for the data API.
    pub access_token: Secret,
    /// The single-use token for the next pair.
    pub refresh_token: Option<Secret>,
    /// When the access token expires, by the local clock.
    pub expires_at: Instant,
    /// The lifetime that Oura gave the access token, in seconds.
    #[serde(default = "stored_lifetime")]
    pub lifetime: i64,
    /// The granted scopes without the `extapi:` prefix. Empty if Oura did not report them.
    pub scopes: Vec<String>,
    /// The back end that issued the tokens.
    pub backend: LoginBackend,
}

fn stored_lifetime() -> i64 {
    STORED_LIFETIME
}

impl Grant {
    /// Returns when to refresh the access token: a minute before it expires, or after three
    /// quarters of a shorter lifetime.
    pub fn refresh_at(&self) -> Instant {
        self.expires_at.plus(-(self.lifetime / 4).clamp(0, MAX_REFRESH_MARGIN))
    }
}

/// The OAuth protocol for one application.
#[derive(Clone, Debug)]
pub struct OAuth {
    /// The client from [`super::http_client`].
    pub http: reqwest::Client,
    /// The addresses of the login back ends.
    pub origins: Origins,
    /// The application that logs in.
    pub application: Application,
    /// The clock that `expires_at` refers to.
    pub clock: Clock,
}

/// The credential that a token request exchanges for a new pair.
#[derive(Clone, Copy)]
enum TokenRequest<'a> {
    AuthorizationCode { code: &'a Secret, redirect: &'a RedirectUri, pkce_verifier: &'a Secret },
    RefreshToken(&'a Secret),
}

impl TokenRequest<'_> {
    fn secrets(&self) -> Vec<&Secret> {
        match self {
            TokenRequest::AuthorizationCode { code, pkce_verifier, .. } => {
                vec![code, pkce_verifier]
            }
            TokenRequest::RefreshToken(token) => vec![token],
        }
    }

    /// The parameters of RFC 6749 §4.1.3 and §6, without those of the application.
    fn parameters(&self) -> Vec<(&'static str, &str)> {
        match self {
            TokenRequest::AuthorizationCode { code, redirect, pkce_verifier } => vec![
                ("grant_type", "authorization_code"),
                ("code", code.reveal()),
                ("redirect_uri", redirect.as_str()),
                ("code_verifier", pkce_verifier.reveal()),
            ],
            TokenRequest::RefreshToken(token) => {
                vec![("grant_type", "refresh_token"), ("refresh_token", token.reveal())]
            }
        }
    }

    fn credential(&self) -> Credential {
        match self {
            TokenRequest::AuthorizationCode { .. } => Credential::Code,
            TokenRequest::RefreshToken(_) => Credential::RefreshToken,
        }
    }
}

impl OAuth {
    /// Starts a login at the legacy authorize page, which accepts applications of both back ends.
    /// Without `scopes` Oura offers all scopes of the application.
    pub fn authorize(&self, redirect: &RedirectUri, scopes: &[String]) -> Authorization {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state) = BasicClient::new(ClientId::new(self.application.client_id.clone()))
            .set_auth_uri(AuthUrl::from_url(self.origins.legacy.authorize.clone()))
            .set_redirect_uri(RedirectUrl::from_url(redirect.as_url().clone()))
            .authorize_url(|| CsrfToken::new_random_len(32))
            .add_scopes(scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge)
            .url();
        Authorization {
            url,
            state: Secret::new(state.into_secret()),
            pkce_verifier: Secret::new(verifier.into_secret()),
        }
    }

    /// Exchanges an authorization code for tokens. Every outcome uses up the code.
    /// `redirect` and `pkce_verifier` are those of [`OAuth::authorize`].
    pub async fn exchange(
        &self,
        code: &Secret,
        redirect: &RedirectUri,
        pkce_verifier: &Secret,
    ) -> Result<Grant, OAuthError> {
        let request = TokenRequest::AuthorizationCode { code, redirect, pkce_verifier };
        let grant = self.request_grant(request, LoginBackend::Legacy).await?;
        if grant.access_token.is_empty() { self.refresh(&grant).await } else { Ok(grant) }
    }

    /// Exchanges the refresh token for a new pair, at the back end that issued it. The old refresh
    /// token may be used up once the request is sent, even without a response. Store the new pair
    /// before its first use.
    ///
    /// If the response leaves out the refresh token or the scopes, the old ones remain valid
    /// (RFC 6749 §6) and are copied into the result. Without a readable access token, the result
    /// is expired, and its refresh token gets another one.
    pub async fn refresh(&self, grant: &Grant) -> Result<Grant, OAuthError> {
        let Some(refresh_token) = &grant.refresh_token else {
            return Err(OAuthError::InvalidGrant { credential: Credential::RefreshToken });
        };
        let request = TokenRequest::RefreshToken(refresh_token);
        let mut renewed = self.request_grant(request, grant.backend).await?;
        renewed.refresh_token = renewed.refresh_token.or_else(|| grant.refresh_token.clone());
        if renewed.scopes.is_empty() {
            renewed.scopes.clone_from(&grant.scopes);
        }
        Ok(renewed)
    }

    /// Revokes the grant at Oura. After an error the grant stays valid until it expires.
    ///
    /// The legacy back end takes the access token in the query. The portal follows RFC 7009, where
    /// revoking the refresh token revokes the whole grant.
    pub async fn revoke(&self, grant: &Grant) -> Result<(), OAuthError> {
        let url = self.origins.login(grant.backend).revoke.clone();
        let request = match grant.backend {
            LoginBackend::Legacy => {
                self.http.post(url).query(&[("access_token", grant.access_token.reveal())])
            }
            LoginBackend::Portal => {
                let (token, hint) = match &grant.refresh_token {
                    Some(refresh_token) => (refresh_token, "refresh_token"),
                    None => (&grant.access_token, "access_token"),
                };
                self.http.post(url).form(&[
                    ("token", token.reveal()),
                    ("token_type_hint", hint),
                    ("client_id", &self.application.client_id),
                    ("client_secret", self.application.client_secret.reveal()),
                ])
            }
        };
        let mut secrets = vec![&grant.access_token];
        secrets.extend(&grant.refresh_token);
        match self.send(request, &secrets).await {
            Ok(_) => Ok(()),
            Err(failure) => Err(failure.into_error(Credential::RefreshToken)),
        }
    }

    /// Requests a grant, first from `backend`, then by the rule in the module documentation.
    async fn request_grant(
        &self,
        request: TokenRequest<'_>,
        backend: LoginBackend,
    ) -> Result<Grant, OAuthError> {
        let first = match self.request_grant_from(backend, request).await {
            Ok(grant) => return Ok(grant),
            Err(failure) => failure,
        };
        if backend == LoginBackend::Portal || !first.is_unknown_application() {
            return Err(first.into_error(request.credential()));
        }
        let second = match self.request_grant_from(LoginBackend::Portal, request).await {
            Ok(grant) => return Ok(grant),
            Err(failure) => failure,
        };
        let reported =
            if second.report_priority() >= first.report_priority() { second } else { first };
        Err(reported.into_error(request.credential()))
    }

    async fn request_grant_from(
        &self,
        backend: LoginBackend,
        request: TokenRequest<'_>,
    ) -> Result<Grant, TokenFailure> {
        let mut form = request.parameters();
        form.push(("client_id", &self.application.client_id));
        form.push(("client_secret", self.application.client_secret.reveal()));
        let url = self.origins.login(backend).token.clone();
        let post = self.http.post(url).header(header::ACCEPT, "application/json").form(&form);
        let body = match self.send(post, &request.secrets()).await {
            // The tokens may have arrived before the connection broke.
            Err(TokenFailure::Incomplete { received, error }) => {
                return match TokenResponse::parse(&received) {
                    Some(tokens) => Ok(self.grant(tokens, backend)),
                    None => Err(TokenFailure::NoResponse(error)),
                };
            }
            outcome => outcome?,
        };
        match TokenResponse::parse(&body) {
            Some(tokens) => Ok(self.grant(tokens, backend)),
            None => Err(TokenFailure::Malformed {
                detail: "the token response contains no token".to_owned(),
            }),
        }
    }

    fn grant(&self, tokens: TokenResponse, backend: LoginBackend) -> Grant {
        let lifetime = if tokens.access_token.is_some() { tokens.lifetime } else { 0 };
        Grant {
            access_token: tokens.access_token.unwrap_or_default(),
            refresh_token: tokens.refresh_token,
            expires_at: self.clock.now().plus(lifetime),
            lifetime,
            scopes: tokens.scopes,
            backend,
        }
    }

    /// Sends a login request and returns the body of a successful response. Errors contain none of
    /// `secrets`.
    async fn send(
        &self,
        request: reqwest::RequestBuilder,
        secrets: &[&Secret],
    ) -> Result<Vec<u8>, TokenFailure> {
        let response =
            request.header(header::USER_AGENT, USER_AGENT).timeout(LOGIN_TIMEOUT).send().await?;
        let status = response.status();
        let clock_skew = response::clock_skew(response.headers(), self.clock.now());
        let body = match response::read_body(response, MAX_RESPONSE_BYTES).await {
            Err(BodyError::Incomplete { error, received }) if status.is_success() => {
                return Err(TokenFailure::Incomplete { error, received });
            }
            outcome => outcome?,
        };
        if status.is_success() {
            return Ok(body);
        }
        let mut secrets = secrets.to_vec();
        secrets.push(&self.application.client_secret);
        Err(TokenFailure::ErrorResponse {
            status: status.as_u16(),
            code: token_failure::parse_error_code(&body),
            detail: response::error_detail(&body, &secrets),
            clock_skew,
        })
    }
}

impl From<reqwest::Error> for TokenFailure {
    fn from(error: reqwest::Error) -> TokenFailure {
        TokenFailure::NoResponse(error.into())
    }
}

impl From<BodyError> for TokenFailure {
    fn from(error: BodyError) -> TokenFailure {
        match error {
            BodyError::Incomplete { error, .. } => TokenFailure::NoResponse(error),
            BodyError::TooLong { limit } => {
                TokenFailure::Malformed { detail: format!("more than {limit} bytes") }
            }
        }
    }
}
