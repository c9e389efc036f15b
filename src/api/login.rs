//! `POST oauth/start`, `oauth/callback`, `oauth/disconnect`: the way to Oura and back, for an admin.

use axum::Extension;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::ApiError;
use super::body::Json;
use super::caller::Admin;
use crate::datasource::{DataSource, LoginStart};
use crate::oura::oauth::is_redirect_error;
use crate::oura::{RedirectScope, RedirectUri, Secret};

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
    let page = format!("/connections/datasources/edit/{}", datasource.key().uid());
    let scope = match page_only {
        Some(_) => RedirectScope::Page(&page),
        None => RedirectScope::SecureOrLocalhost,
    };
    let redirect = RedirectUri::parse(&start.redirect_uri, scope)?;
    Ok(Json(super::blocking(move || datasource.start_login(&redirect, &caller.user)).await?))
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
