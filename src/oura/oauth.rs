//! OAuth2 authorization code with PKCE against Oura's two login back ends. No state of its own: what must outlive a call is returned.
//!
//! An application belongs to one back end, and nothing but trying tells to which. Rule for both kinds of requests for a token: the
//! legacy one first; if it does not know the application (400 or 401), the portal once; the grant remembers which one answered.

#[cfg(test)]
mod tests;

use std::time::Duration;

use oauth2::basic::{BasicClient, BasicTokenResponse};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RefreshToken, RequestTokenError, Scope, TokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};

use super::answer::{self, BodyError};
use super::{BoxFuture, LoginBackend, Origins, RedirectUri, Secret, USER_AGENT};
use crate::time::{Clock, Instant};

/// What a person can be asked for; the default request.
pub const SCOPES: &[&str] = &[
    "email",
    "personal",
    "daily",
    "heartrate",
    "workout",
    "tag",
    "session",
    "spo2",
    "stress",
    "heart_health",
    "ring_configuration",
];

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
    #[error(
        "Oura does not accept the client id and secret; copy both again from the application's page at Oura"
    )]
    WrongClient,
    /// `invalid_grant`: the code or the refresh token is used, expired or of another application.
    #[error("Oura no longer accepts this {what}; press Connect to log in again")]
    InvalidGrant { what: &'static str },
    /// A code that Oura finds expired, on a machine whose clock is more than a minute off.
    #[error("the clock of this machine is {}; set it right, and press Connect again", off(*.seconds))]
    ClockOff {
        /// Ahead of Oura's; negative: behind.
        seconds: i64,
    },
    /// The application was registered without the address that the login comes back to.
    #[error(
        "the redirect address is not registered with the application at Oura; register it there exactly as it is"
    )]
    RedirectNotRegistered,
    #[error("Oura refused the login: {detail}")]
    Refused { detail: String },
    #[error("Oura's login could not be reached: {detail}")]
    Network { detail: String },
    #[error("Oura's login answered something that makes no sense: {detail}")]
    Malformed { detail: String },
}

/// How long a login may take to answer, to the last byte.
const MAX_LOGIN: Duration = Duration::from_secs(60);
/// The longest answer a login gives; a token of the portal is a JWT of a few KiB.
const ANSWER_LIMIT: usize = 64 * 1024;

/// The protocol, for one application.
#[derive(Clone, Debug)]
pub struct OAuth {
    pub http: reqwest::Client,
    pub origins: Origins,
    pub application: Application,
    pub clock: Clock,
}

/// What a token request trades for a new pair.
#[derive(Clone, Copy)]
enum Offer<'a> {
    Code { code: &'a Secret, redirect: &'a RedirectUri, pkce_verifier: &'a Secret },
    RefreshToken(&'a Secret),
}

impl Offer<'_> {
    fn secrets(&self) -> Vec<&Secret> {
        match self {
            Offer::Code { code, pkce_verifier, .. } => vec![code, pkce_verifier],
            Offer::RefreshToken(token) => vec![token],
        }
    }

    fn what(&self) -> &'static str {
        match self {
            Offer::Code { .. } => "code",
            Offer::RefreshToken(_) => "login",
        }
    }
}

impl OAuth {
    /// A new login at the legacy authorize page, which knows both kinds of applications. Without scopes Oura asks for all it has.
    pub fn authorize(&self, redirect: &RedirectUri, scopes: &[String]) -> Authorization {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state) = self
            .client(LoginBackend::Legacy)
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

    /// Exchanges a code, which is dead afterwards whatever the outcome. `redirect` and `pkce_verifier` are those of `authorize`.
    pub async fn exchange(
        &self,
        code: &Secret,
        redirect: &RedirectUri,
        pkce_verifier: &Secret,
    ) -> Result<Grant, OAuthError> {
        self.obtain(Offer::Code { code, redirect, pkce_verifier }, LoginBackend::Legacy).await
    }

    /// A new pair for an old one, at the back end that issued it. The old refresh token may be dead once this was sent, even if no
    /// answer comes: save what it returns before using it.
    ///
    /// A new pair without a refresh token or without scopes keeps those of the old one (RFC 6749 §6).
    pub async fn refresh(&self, grant: &Grant) -> Result<Grant, OAuthError> {
        let Some(refresh_token) = &grant.refresh_token else {
            return Err(OAuthError::InvalidGrant { what: "login" });
        };
        let mut renewed = self.obtain(Offer::RefreshToken(refresh_token), grant.backend).await?;
        renewed.refresh_token = renewed.refresh_token.or_else(|| grant.refresh_token.clone());
        if renewed.scopes.is_empty() {
            renewed.scopes.clone_from(&grant.scopes);
        }
        Ok(renewed)
    }

    /// Ends the grant at Oura. An error leaves it to expire. The legacy back end wants the access token in the address; the portal
    /// follows RFC 7009, where the refresh token takes the whole grant with it.
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
        self.send(request, &secrets).await.map(drop).map_err(|failure| failure.in_words("login"))
    }

    /// A grant for `offer`, first from `backend`; see the rule at the top.
    async fn obtain(&self, offer: Offer<'_>, backend: LoginBackend) -> Result<Grant, OAuthError> {
        let failure = match self.request(offer, backend).await {
            Err(first) if backend == LoginBackend::Legacy && first.unknown_application() => {
                match self.request(offer, LoginBackend::Portal).await {
                    Err(second) if second.says() >= first.says() => second,
                    Err(_) => first,
                    Ok(grant) => return Ok(grant),
                }
            }
            Err(failure) => failure,
            Ok(grant) => return Ok(grant),
        };
        Err(failure.in_words(offer.what()))
    }

    async fn request(&self, offer: Offer<'_>, backend: LoginBackend) -> Result<Grant, Failure> {
        let secrets = offer.secrets();
        let carrier = Carrier { oauth: self, secrets: &secrets };
        let client = self.client(backend);
        let answer = match offer {
            Offer::Code { code, redirect, pkce_verifier } => {
                client
                    .set_redirect_uri(RedirectUrl::from_url(redirect.as_url().clone()))
                    .exchange_code(AuthorizationCode::new(code.reveal().to_owned()))
                    .set_pkce_verifier(PkceCodeVerifier::new(pkce_verifier.reveal().to_owned()))
                    .request_async(&carrier)
                    .await
            }
            Offer::RefreshToken(token) => {
                client
                    .exchange_refresh_token(&RefreshToken::new(token.reveal().to_owned()))
                    .request_async(&carrier)
                    .await
            }
        };
        match answer {
            Ok(answer) => Ok(self.grant(&answer, backend)),
            Err(RequestTokenError::Request(failure)) => Err(failure),
            // The parser's own message may quote a token: only the place is told.
            Err(RequestTokenError::Parse(error, _)) => Err(Failure::Malformed {
                detail: format!("the field {} of its token cannot be read", error.path()),
            }),
            Err(RequestTokenError::ServerResponse(_) | RequestTokenError::Other(_)) => {
                Err(Failure::Malformed { detail: "its token is empty".to_owned() })
            }
        }
    }

    fn grant(&self, answer: &BasicTokenResponse, backend: LoginBackend) -> Grant {
        let seconds = answer
            .expires_in()
            .map_or(0, |lifetime| i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX));
        Grant {
            access_token: Secret::new(answer.access_token().secret()),
            refresh_token: answer.refresh_token().map(|token| Secret::new(token.secret())),
            expires_at: self.clock.now().plus(seconds),
            scopes: answer
                .scopes()
                .into_iter()
                .flatten()
                .map(|scope| bare_scope(scope).to_owned())
                .collect(),
            backend,
        }
    }

    fn client(
        &self,
        backend: LoginBackend,
    ) -> BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>
    {
        BasicClient::new(ClientId::new(self.application.client_id.clone()))
            .set_client_secret(ClientSecret::new(
                self.application.client_secret.reveal().to_owned(),
            ))
            .set_auth_type(AuthType::RequestBody)
            .set_token_uri(TokenUrl::from_url(self.origins.login(backend).token.clone()))
    }

    /// The body of a successful answer.
    async fn send(
        &self,
        request: reqwest::RequestBuilder,
        secrets: &[&Secret],
    ) -> Result<Vec<u8>, Failure> {
        let response = request
            .header(reqwest::header::USER_AGENT, USER_AGENT)
            .timeout(MAX_LOGIN)
            .send()
            .await
            .map_err(|error| Failure::NoAnswer { detail: answer::network(error) })?;
        let status = response.status();
        let skew = answer::skew(response.headers(), self.clock.now());
        let body = answer::body(response, ANSWER_LIMIT).await.map_err(|error| match error {
            BodyError::Cut { detail } => Failure::NoAnswer { detail },
            BodyError::TooLong { limit } => {
                Failure::Malformed { detail: format!("more than {limit} bytes") }
            }
        })?;
        if status.is_success() {
            return Ok(body);
        }
        let mut secrets = secrets.to_vec();
        secrets.push(&self.application.client_secret);
        let code = serde_json::from_slice::<ErrorAnswer>(&body)
            .map(|answer| answer.error)
            .unwrap_or_default();
        Err(Failure::Answer {
            status: status.as_u16(),
            code,
            detail: answer::detail(&body, &secrets),
            skew,
        })
    }
}

/// Carries the requests of the `oauth2` crate over our HTTP client.
struct Carrier<'a> {
    oauth: &'a OAuth,
    /// What an error must not repeat.
    secrets: &'a [&'a Secret],
}

impl<'c> AsyncHttpClient<'c> for Carrier<'_> {
    type Error = Failure;
    type Future = BoxFuture<'c, Result<HttpResponse, Failure>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = reqwest::Request::try_from(request)
                .map_err(|error| Failure::NoAnswer { detail: answer::network(error) })?;
            let request = reqwest::RequestBuilder::from_parts(self.oauth.http.clone(), request);
            self.oauth.send(request, self.secrets).await.map(HttpResponse::new)
        })
    }
}

/// `5 minutes ahead of Oura's`.
fn off(seconds: i64) -> String {
    let (count, unit) = match seconds.abs() {
        seconds @ 0..120 => (seconds, "seconds"),
        seconds @ 120..7200 => (seconds / 60, "minutes"),
        seconds => (seconds / 3600, "hours"),
    };
    format!("{count} {unit} {}", if seconds > 0 { "ahead of Oura's" } else { "behind Oura's" })
}

/// `extapi:daily`, as the portal's tokens name it, is the scope `daily`.
pub(super) fn bare_scope(scope: &str) -> &str {
    scope.strip_prefix("extapi:").unwrap_or(scope)
}

/// Whether an error complains about the redirect address. RFC 6749 has no code of its own for that; `invalid_grant`, whose usual text
/// names the address among much else, is not one.
pub fn is_about_redirect(code: &str, detail: &str) -> bool {
    code == "redirect_uri_mismatch"
        || (code == "invalid_request" && detail.to_lowercase().contains("redirect"))
}

/// RFC 6749 §5.2.
#[derive(Deserialize)]
struct ErrorAnswer {
    #[serde(default)]
    error: String,
}

/// Why one back end gave no token, before it is put into words.
#[derive(Debug, thiserror::Error)]
#[error("no token")]
enum Failure {
    /// `code` is RFC 6749's, empty when the answer had none.
    Answer {
        status: u16,
        code: String,
        detail: String,
        /// How far the clock here is ahead of Oura's, in seconds, if Oura says what time it is.
        skew: Option<i64>,
    },
    NoAnswer {
        detail: String,
    },
    Malformed {
        detail: String,
    },
}

/// How much a failure says about the cause, when two back ends failed and only one can be reported.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Says {
    /// What a back end also answers to an application of the other: `invalid_client`, `invalid_request`, a bare 400 or 401.
    Little,
    /// A code of its own.
    Something,
    /// That it could not answer: the token may well be good there.
    NotNow,
    /// `invalid_grant`: it knows the application, and the code or token is dead.
    Everything,
}

impl Failure {
    /// The legacy back end's answers to an application of the portal: 401 to a code, 400 to a refresh token. `invalid_grant` it says to
    /// its own applications only: a token that is dead there is not shown to anybody else.
    fn unknown_application(&self) -> bool {
        matches!(self, Failure::Answer { status: 400 | 401, code, .. } if code != "invalid_grant")
    }

    fn says(&self) -> Says {
        match self {
            Failure::Answer { code, .. } if code == "invalid_grant" => Says::Everything,
            Failure::Answer { code, detail, .. } if is_about_redirect(code, detail) => {
                Says::Something
            }
            Failure::Answer { status: 400 | 401, code, .. }
                if matches!(code.as_str(), "" | "invalid_client" | "invalid_request") =>
            {
                Says::Little
            }
            Failure::Answer { status: 400..500, .. } => Says::Something,
            Failure::Answer { .. } | Failure::NoAnswer { .. } | Failure::Malformed { .. } => {
                Says::NotNow
            }
        }
    }

    fn in_words(self, what: &'static str) -> OAuthError {
        match self {
            // Only a code lives for minutes: how old a login is, no clock here decides.
            Failure::Answer { code, skew: Some(seconds @ (..-60 | 61..)), .. }
                if code == "invalid_grant" && what == "code" =>
            {
                OAuthError::ClockOff { seconds }
            }
            Failure::Answer { code, .. } if code == "invalid_grant" => {
                OAuthError::InvalidGrant { what }
            }
            Failure::Answer { code, detail, .. } if is_about_redirect(&code, &detail) => {
                OAuthError::RedirectNotRegistered
            }
            Failure::Answer { status, code, .. } if status == 401 || code == "invalid_client" => {
                OAuthError::WrongClient
            }
            Failure::Answer { status: status @ (429 | 500..), .. } => {
                OAuthError::Network { detail: format!("it answers {status}") }
            }
            Failure::Answer { status, detail, .. } if detail.is_empty() => {
                OAuthError::Refused { detail: format!("it answers {status}") }
            }
            Failure::Answer { detail, .. } => OAuthError::Refused { detail },
            Failure::NoAnswer { detail } => OAuthError::Network { detail },
            Failure::Malformed { detail } => OAuthError::Malformed { detail },
        }
    }
}
