//! Consent without a browser, for tests and the demo.

use url::Url;

/// Why consent without a browser failed.
#[derive(Debug, thiserror::Error)]
pub enum ConsentError {
    /// The authorization address is invalid.
    #[error("the authorization address is invalid: {0}")]
    Address(#[from] url::ParseError),
    /// The simulator is not reachable.
    #[error("the simulator is not reachable: {0}")]
    Unreachable(#[from] reqwest::Error),
    /// The simulator answered without a redirect.
    #[error("the simulator did not redirect: {0}")]
    NoRedirect(reqwest::StatusCode),
    /// The redirect has an OAuth error, such as `access_denied`.
    #[error("the simulator refused the login: {0}")]
    Refused(String),
    /// The redirect has no code, no state and no error.
    #[error("the redirect contains no code and state")]
    NoCode,
}

/// Opens `authorize_url`, allows all scopes, and returns `(code, state)` from the redirect.
///
/// Works only with a simulator. Oura's page requires a person.
pub async fn consent(
    http: &reqwest::Client,
    authorize_url: &str,
) -> Result<(String, String), ConsentError> {
    let mut url = Url::parse(authorize_url)?;
    url.query_pairs_mut().append_pair("auto", "1");
    let response = http.get(url).send().await?;
    let redirect = response
        .headers()
        .get(reqwest::header::LOCATION)
        .and_then(|location| location.to_str().ok())
        .and_then(|location| Url::parse(location).ok())
        .ok_or(ConsentError::NoRedirect(response.status()))?;
    match (parameter(&redirect, "code"), parameter(&redirect, "state")) {
        (Some(code), Some(state)) => Ok((code, state)),
        _ => Err(parameter(&redirect, "error").map_or(ConsentError::NoCode, ConsentError::Refused)),
    }
}

/// Returns the value of the query parameter `name` in `url`.
fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
