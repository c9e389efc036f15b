//! The consent page and the endpoints of both logins (RFC 6749, RFC 7636, RFC 7009).

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::{Json, Router, routing};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use url::{Host, Url};

use super::journal::Violation;
use super::login::{Authorization, Challenge, Refusal, SCOPE_PREFIX, SCOPES, known_scopes};
use super::{Consent, Oura, Registration};

/// The paths of one login.
struct Paths {
    login: Registration,
    authorize: &'static str,
    token: &'static str,
    revoke: &'static str,
}

const LOGINS: [Paths; 2] = [
    Paths {
        login: Registration::Legacy,
        authorize: "/oauth/authorize",
        token: "/oauth/token",
        revoke: "/oauth/revoke",
    },
    Paths {
        login: Registration::Portal,
        authorize: "/oauth/v2/ext/oauth-authorize",
        token: "/oauth/v2/ext/oauth-token",
        revoke: "/oauth/v2/ext/oauth-revoke",
    },
];

/// The page's style. Follows the system's light or dark theme.
const STYLE: &str = "
:root {
  color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif;
  background: light-dark(#f4f5f7, #16181d)
}
body { margin: 0; min-height: 100vh; display: grid; place-items: center }
main {
  max-width: 26rem; margin: 1rem; padding: 2rem; border-radius: 12px;
  background: light-dark(#fff, #22252b); box-shadow: 0 1px 8px #0003
}
h1 { margin: 0; font-size: 1.4rem }
fieldset { border: 0; margin: 1rem 0; padding: 0 }
label { display: block; padding: 0.2rem 0 }
input, button { accent-color: #5b5fc7; font: inherit }
button {
  padding: 0.5rem 1.5rem; border: 1px solid #8886; border-radius: 8px; background: none;
  cursor: pointer
}
button[value=allow] { border-color: #5b5fc7; background: #5b5fc7; color: #fff }
";

/// The routes of both logins.
pub(super) fn routes() -> Router<Arc<Oura>> {
    LOGINS.iter().fold(Router::new(), |router, paths| {
        let login = paths.login;
        router
            .route(paths.authorize, routing::get(show_page).post(decide))
            .route(
                paths.token,
                routing::post(move |state, headers, body| token(login, state, headers, body)),
            )
            .route(paths.revoke, routing::post(revoke))
    })
}

/// Parameters of a query string or a form, in order. Names may repeat.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Parses a query string or a form.
    pub fn parse(text: &str) -> Parameters {
        Parameters(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The first non-empty value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).find(|value| !value.is_empty())
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// An OAuth error response.
fn refused(status: StatusCode, error: &str, description: &str) -> Response {
    (status, Json(json!({ "error": error, "error_description": description }))).into_response()
}

/// Shows the consent page, or responds at once if the settings decide.
async fn show_page(State(oura): State<Arc<Oura>>, RawQuery(query): RawQuery) -> Response {
    let parameters = Parameters::parse(&query.unwrap_or_default());
    if let Some(error) = invalid_request(&oura, &parameters) {
        return error;
    }
    // Without the parameter, the application requests all scopes.
    let scopes = parameters.get("scope").map_or(SCOPES.to_vec(), |asked| {
        known_scopes(&asked.split_whitespace().collect::<Vec<_>>())
    });
    match &oura.config.consent {
        Consent::Ask if parameters.get("auto").is_none() => {
            Html(page(&parameters, &scopes)).into_response()
        }
        Consent::Ask | Consent::Allow => allow(&oura, &parameters, scopes),
        Consent::AllowOnly(only) => {
            let granted = scopes
                .into_iter()
                .filter(|scope| only.iter().any(|allowed| allowed == scope))
                .collect();
            allow(&oura, &parameters, granted)
        }
        Consent::Cancel => send_back(&oura, &parameters, &[("error", "access_denied")]),
    }
}

/// Handles a button of the consent page.
async fn decide(State(oura): State<Arc<Oura>>, body: String) -> Response {
    let form = Parameters::parse(&body);
    if let Some(error) = invalid_request(&oura, &form) {
        return error;
    }
    if form.get("decision") != Some("allow") {
        return send_back(&oura, &form, &[("error", "access_denied")]);
    }
    let ticked: Vec<&str> = form.all("granted").collect();
    allow(&oura, &form, known_scopes(&ticked))
}

/// Checks an authorization request. Returns the error response if it is invalid.
///
/// An unknown client or redirect URI is shown to the person. Other errors go to the application
/// (RFC 6749 §4.1.2.1).
fn invalid_request(oura: &Oura, parameters: &Parameters) -> Option<Response> {
    let bad = |description| Some(refused(StatusCode::BAD_REQUEST, "invalid_request", description));
    if parameters.get("client_id") != Some(&oura.config.client_id) {
        return Some(refused(StatusCode::BAD_REQUEST, "invalid_client", "The client is unknown."));
    }
    let Some(redirect) = parameters.get("redirect_uri") else {
        return bad("The parameter redirect_uri is missing.");
    };
    let registered = &oura.config.redirect_uris;
    let is_allowed =
        Url::parse(redirect).is_ok_and(|url| can_be_registered(&url, oura.config.registered_at));
    if !is_allowed || !(registered.is_empty() || registered.iter().any(|uri| uri == redirect)) {
        return bad("The redirect URI is not registered for the application.");
    }
    let code = parameters.get("response_type") == Some("code");
    (!code).then(|| send_back(oura, parameters, &[("error", "unsupported_response_type")]))
}

/// Whether a redirect URI can be registered.
///
/// Without TLS, the portal accepts only the name `localhost`. The legacy login accepts any host
/// except loopback addresses.
fn can_be_registered(address: &Url, at: Registration) -> bool {
    match (address.scheme(), address.host()) {
        ("https", Some(_)) | ("http", Some(Host::Domain("localhost"))) => true,
        ("http", Some(host)) => {
            let loopback = match host {
                Host::Domain(_) => false,
                Host::Ipv4(address) => address.is_loopback(),
                Host::Ipv6(address) => address.is_loopback(),
            };
            at == Registration::Legacy && !loopback
        }
        _ => false,
    }
}

fn allow(oura: &Oura, parameters: &Parameters, scopes: Vec<&'static str>) -> Response {
    let challenge = parameters.get("code_challenge").map(str::to_owned).map(|challenge| {
        match parameters.get("code_challenge_method") {
            Some("S256") => Challenge::S256(challenge),
            _ => Challenge::Plain(challenge),
        }
    });
    let redirect_uri = parameters.get("redirect_uri").unwrap_or_default().to_owned();
    let scope = prefixed(&scopes);
    let code = oura
        .login()
        .authorize(Authorization { redirect_uri, scopes, challenge }, oura.config.clock.now());
    send_back(oura, parameters, &[("code", &code), ("scope", &scope)])
}

fn prefixed(scopes: &[&str]) -> String {
    scopes.iter().map(|scope| format!("{SCOPE_PREFIX}{scope}")).collect::<Vec<_>>().join(" ")
}

/// The issuer of the portal's responses (RFC 9207).
const ISSUER: &str = "https://moi.ouraring.com/oauth/v2/ext/oauth-anonymous";

/// Redirects to the application with its state. The portal adds its issuer.
fn send_back(oura: &Oura, parameters: &Parameters, result: &[(&str, &str)]) -> Response {
    let Some(Ok(mut address)) = parameters.get("redirect_uri").map(Url::parse) else {
        return refused(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "The redirect URI is not a URL.",
        );
    };
    address
        .query_pairs_mut()
        .extend_pairs(result)
        .extend_pairs(parameters.get("state").map(|state| ("state", state)));
    if oura.config.registered_at == Registration::Portal {
        address.query_pairs_mut().append_pair("iss", ISSUER);
    }
    (StatusCode::FOUND, [(header::LOCATION, address.to_string())]).into_response()
}

fn page(parameters: &Parameters, scopes: &[&str]) -> String {
    let escape =
        |text: &str| text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    let hidden = |(name, value): &(String, String)| {
        format!(r#"<input type="hidden" name="{}" value="{}">"#, escape(name), escape(value))
    };
    let checkbox = |scope: &&str| {
        format!(
            r#"<label><input type="checkbox" name="granted" value="{scope}" checked>
 {scope}</label>"#
        )
    };
    format!(
        r#"<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Allow access</title><style>{STYLE}</style>
<main><h1>Simulated ring</h1>
<p>An application requests access to the data of a synthetic person.</p>
<form method="post">{}<fieldset>{}</fieldset>
<button name="decision" value="allow">Allow</button>
<button name="decision" value="cancel">Cancel</button></form></main></html>"#,
        parameters.0.iter().map(hidden).collect::<String>(),
        scopes.iter().map(checkbox).collect::<String>(),
    )
}

/// The token endpoint of one of the logins.
async fn token(
    login: Registration,
    State(oura): State<Arc<Oura>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let form = Parameters::parse(&body);
    let grant_type = form.get("grant_type").unwrap_or_default();
    if login != oura.config.registered_at {
        // Oura rejects an application of its other login with these errors.
        return match (login, grant_type) {
            (Registration::Legacy, "refresh_token") => {
                refused(StatusCode::BAD_REQUEST, "invalid_request", "The request is invalid.")
            }
            _ => refused(StatusCode::UNAUTHORIZED, "invalid_client", "The client is unknown."),
        };
    }
    let (id, secret) = client(&headers, &form);
    if id != oura.config.client_id || secret != oura.config.client_secret {
        return refused(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "The client ID or secret is wrong.",
        );
    }
    let now = oura.config.clock.now();
    let expires_at = now.plus(oura.config.token_lifetime);
    let outcome = match grant_type {
        "authorization_code" => {
            let code = form.get("code").unwrap_or_default();
            let redirect = form.get("redirect_uri").unwrap_or_default();
            let outcome =
                oura.login().exchange(code, redirect, form.get("code_verifier"), expires_at, now);
            outcome.map_err(|refusal| (refusal, Violation::CodeReused))
        }
        "refresh_token" => {
            let outcome = oura.login().refresh(
                form.get("refresh_token").unwrap_or_default(),
                expires_at,
                oura.config.renewal_ends_access,
            );
            outcome.map_err(|refusal| (refusal, Violation::RefreshTokenReused))
        }
        _ => {
            return refused(
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "The grant type is not supported.",
            );
        }
    };
    match outcome {
        Ok(pair) => {
            let body = json!({
                "token_type": "bearer",
                "access_token": pair.access,
                "refresh_token": pair.refresh,
                "expires_in": oura.config.token_lifetime,
                "scope": prefixed(&pair.scopes),
            });
            ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
        }
        Err((refusal, violation)) => {
            if refusal == Refusal::Reused {
                oura.journal().violated(violation);
            }
            refused(
                StatusCode::BAD_REQUEST,
                "invalid_grant",
                "The code or token is invalid, already used, or expired.",
            )
        }
    }
}

/// The client ID and secret, from the header (HTTP Basic) or from the form.
fn client(headers: &HeaderMap, form: &Parameters) -> (String, String) {
    let basic = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Basic "));
    let decoded = basic
        .and_then(|value| STANDARD.decode(value).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded.as_deref().and_then(|text| text.split_once(':')) {
        // RFC 6749 §2.3.1: both are form-encoded before they are joined.
        Some((id, secret)) => {
            let decode = |text: &str| {
                url::form_urlencoded::parse(text.as_bytes())
                    .next()
                    .map_or(String::new(), |(key, _)| key.into_owned())
            };
            (decode(id), decode(secret))
        }
        None => (
            form.get("client_id").unwrap_or_default().to_owned(),
            form.get("client_secret").unwrap_or_default().to_owned(),
        ),
    }
}

/// Revokes a token. It is in the URL (`access_token`, as at Oura) or in the form (`token`).
async fn revoke(
    State(oura): State<Arc<Oura>>,
    RawQuery(query): RawQuery,
    body: String,
) -> Response {
    let query = Parameters::parse(&query.unwrap_or_default());
    let form = Parameters::parse(&body);
    match query.get("access_token").or(form.get("token")).or(form.get("access_token")) {
        Some(token) => {
            oura.login().revoke(token);
            StatusCode::OK.into_response()
        }
        None => refused(StatusCode::BAD_REQUEST, "invalid_request", "The token is missing."),
    }
}
