//! The person at the consent page, pressing *Allow*.

use url::Url;

/// Opens `authorize_url` as a browser would, allows everything, and returns `(code, state)` from where the browser is sent back to.
/// Works only at a simulator: nobody else consents without being asked.
pub async fn consent(
    http: &reqwest::Client,
    authorize_url: &str,
) -> Result<(String, String), String> {
    let mut url = Url::parse(authorize_url).map_err(|error| error.to_string())?;
    url.query_pairs_mut().append_pair("auto", "1");
    let answer = http.get(url).send().await.map_err(|error| error.to_string())?;
    let location =
        answer.headers().get(reqwest::header::LOCATION).and_then(|location| location.to_str().ok());
    let back = location
        .and_then(|location| Url::parse(location).ok())
        .ok_or_else(|| format!("no way back: {}", answer.status()))?;
    let parameter = |name: &str| {
        back.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    match (parameter("code"), parameter("state")) {
        (Some(code), Some(state)) => Ok((code, state)),
        _ => {
            Err(parameter("error").unwrap_or_else(|| "neither code nor state came back".to_owned()))
        }
    }
}
