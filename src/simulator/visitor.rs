//! Consent without a browser, for tests and the demo.

use url::Url;

/// Opens `authorize_url`, allows all scopes, and returns `(code, state)` from the redirect.
///
/// Works only with a simulator. Oura's page requires a person.
pub async fn consent(
    http: &reqwest::Client,
    authorize_url: &str,
) -> Result<(String, String), String> {
    let mut url = Url::parse(authorize_url).map_err(|error| error.to_string())?;
    url.query_pairs_mut().append_pair("auto", "1");
    let response = http.get(url).send().await.map_err(|error| error.to_string())?;
    let location = response
        .headers()
        .get(reqwest::header::LOCATION)
        .and_then(|location| location.to_str().ok());
    let redirect = location
        .and_then(|location| Url::parse(location).ok())
        .ok_or_else(|| format!("the simulator did not redirect: {}", response.status()))?;
    let parameter = |name: &str| {
        redirect.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    match (parameter("code"), parameter("state")) {
        (Some(code), Some(state)) => Ok((code, state)),
        _ => Err(parameter("error")
            .unwrap_or_else(|| "the redirect contains no code and state".to_owned())),
    }
}
