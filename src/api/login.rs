//! `POST oauth/start`, `oauth/callback`, `oauth/disconnect`: the way to Oura and back, for an admin.

use axum::Extension;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::ApiError;
use super::body::Json;
use super::caller::Admin;
use crate::datasource::{DataSource, LoginStart};
use crate::oura::Secret;
use crate::oura::oauth::is_redirect_error;

/// In a request's extensions: a login comes back to the data source's page in Grafana and nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct ConfigurationPageOnly;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Start {
    redirect_uri: String,
}

pub(super) async fn start(
    Admin(caller): Admin,
    page_only: Option<Extension<ConfigurationPageOnly>>,
    State(datasource): State<DataSource>,
    Json(start): Json<Start>,
) -> Result<Json<LoginStart>, ApiError> {
    check_redirect(&start.redirect_uri, page_only.is_some().then(|| datasource.key().uid()))?;
    Ok(Json(
        super::blocking(move || datasource.start_login(&start.redirect_uri, &caller.user)).await?,
    ))
}

/// Where this door lets a login come back to, beyond what the data source itself demands: with `uid`, to that data source's page, wherever
/// Grafana is mounted; else over TLS or to this machine.
fn check_redirect(redirect: &str, uid: Option<&str>) -> Result<(), ApiError> {
    let bad = |reason: &str, hint: &str| {
        ApiError::new(
            400,
            "bad_redirect",
            format!("{redirect:?} cannot be a redirect address: {reason}"),
            hint,
        )
    };
    let whole =
        "Send a whole address, such as https://grafana.example/connections/datasources/edit/oura.";
    let url = Url::parse(redirect).map_err(|error| bad(&error.to_string(), whole))?;
    let insecure = url.scheme() == "http";
    let is_loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    };
    let is_localhost =
        url.host_str().is_some_and(|name| name == "localhost" || name.ends_with(".localhost"));
    match uid {
        Some(uid)
            if !url.path().ends_with(&format!("/connections/datasources/edit/{uid}"))
                || url.query().is_some() =>
        {
            let reason = format!("it must end with /connections/datasources/edit/{uid}");
            Err(bad(
                &reason,
                "Send the address of the data source's settings page, as the browser shows it.",
            ))
        }
        _ if insecure && is_loopback => {
            let mut named = url;
            // `localhost` is always a host's name.
            let _ = named.set_host(Some("localhost"));
            let hint = format!("Use {named} instead, and register that with Oura.");
            Err(bad("Oura takes http for localhost only, by that name", &hint))
        }
        None if insecure && !is_localhost => Err(bad(
            "without https it must be on this machine",
            "Use https, or http://localhost with port and path.",
        )),
        _ => Ok(()),
    }
}

/// What Oura appended to the redirect address: `code` and `state`, or `error`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Callback {
    code: Secret,
    state: Secret,
    error: String,
    error_description: String,
}

#[derive(Serialize)]
pub(super) struct Connection {
    state: &'static str,
}

pub(super) async fn callback(
    Admin(caller): Admin,
    State(datasource): State<DataSource>,
    Json(callback): Json<Callback>,
) -> Result<Json<Connection>, ApiError> {
    match callback.error.as_str() {
        "" => {}
        "access_denied" => {
            return Err(ApiError::new(
                400,
                "consent_cancelled",
                "the consent at Oura was cancelled",
                "Press Connect and then Allow.",
            ));
        }
        // An answer that Oura sends back at all names no parameter unless it is this one.
        error
            if error == "invalid_request"
                || is_redirect_error(error, &callback.error_description) =>
        {
            return Err(datasource.redirect_not_registered(&callback.state, &caller.user).into());
        }
        error => {
            let said = if callback.error_description.is_empty() {
                error
            } else {
                &callback.error_description
            };
            return Err(ApiError::new(
                400,
                "login_refused",
                format!("Oura refused the login: {said}"),
                "Press Connect again.",
            ));
        }
    }
    if callback.code.is_empty() || callback.state.is_empty() {
        return Err(ApiError::new(
            400,
            "bad_body",
            "code and state are needed",
            "Send both as Oura appended them to the redirect address.",
        ));
    }
    datasource.finish_login(&callback.code, &callback.state, &caller.user).await?;
    Ok(Json(Connection { state: "connected" }))
}

pub(super) async fn disconnect(
    _: Admin,
    State(datasource): State<DataSource>,
    _: Json<super::body::Nothing>,
) -> Result<Json<Connection>, ApiError> {
    datasource.disconnect().await?;
    Ok(Json(Connection { state: "not_connected" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_from_grafana_comes_back_to_its_data_source_and_nowhere_else() {
        let allowed = |redirect| check_redirect(redirect, Some("oura")).is_ok();
        assert!(allowed("https://grafana.example/connections/datasources/edit/oura"));
        assert!(allowed("http://grafana.lan:3000/sub/path/connections/datasources/edit/oura"));
        assert!(!allowed("https://grafana.example/connections/datasources/edit/other"));
        assert!(!allowed("https://evil.example/?x=/connections/datasources/edit/oura"));
        assert!(!allowed("https://evil.example/#/connections/datasources/edit/oura"));
    }

    #[test]
    fn a_login_without_grafana_comes_back_over_tls_or_to_this_machine() {
        let allowed = |redirect| check_redirect(redirect, None).is_ok();
        assert!(
            allowed("http://localhost:8787/callback") && allowed("https://ring.example/callback")
        );
        assert!(!allowed("http://ring.example/callback") && !allowed("/callback"));
    }

    #[test]
    fn an_address_that_cannot_be_used_comes_with_one_that_can() {
        let page = "connections/datasources/edit/oura";
        let hint = |redirect: &str, uid| check_redirect(redirect, uid).unwrap_err().hint;
        assert!(
            hint("http://127.0.0.1:8787/callback", None).contains("http://localhost:8787/callback")
        );
        assert!(hint("http://[::1]:9/", None).contains("http://localhost:9/"));
        assert!(
            hint(&format!("http://127.0.0.1:3000/{page}"), Some("oura"))
                .contains(&format!("http://localhost:3000/{page}"))
        );
        for (redirect, uid) in [
            ("/callback", None),
            ("http://ring.example/", None),
            ("https://grafana.example/", Some("oura")),
        ] {
            assert!(!hint(redirect, uid).is_empty(), "{redirect}");
        }
    }
}
