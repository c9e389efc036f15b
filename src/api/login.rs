//! `POST oauth/start`, `oauth/callback`, `oauth/disconnect`: the login at Oura, for an admin.

use axum::Extension;
use serde::{Deserialize, Serialize};

use super::ApiError;
use super::body::{EmptyBody, Json};
use super::caller::Admin;
use crate::datasource::{ConnectionState, DataSource, LoginStart};
use crate::format::one_line;
use crate::oura::oauth::is_redirect_error;
use crate::oura::{RedirectScope, RedirectUri, Secret};

/// A request extension: logins may only return to the data source's page in Grafana.
#[derive(Clone, Copy, Debug)]
pub struct ConfigurationPageOnly;

/// The longest description of a refused login, in characters.
const MAX_REASON_CHARS: usize = 200;

/// The body of `POST oauth/start`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(super) struct LoginRequest {
    /// The address that Oura sends the browser back to.
    redirect_uri: String,
}

pub(super) async fn start(
    Admin(caller): Admin,
    page_only: Option<Extension<ConfigurationPageOnly>>,
    Extension(datasource): Extension<DataSource>,
    Json(request): Json<LoginRequest>,
) -> Result<Json<LoginStart>, ApiError> {
    let page = format!("/connections/datasources/edit/{}", datasource.key().uid());
    let scope = match page_only {
        Some(_) => RedirectScope::Page(&page),
        None => RedirectScope::SecureOrLocalhost,
    };
    let redirect = RedirectUri::parse(&request.redirect_uri, scope)?;
    Ok(Json(super::blocking(move || datasource.start_login(&redirect, &caller.user)).await?))
}

/// The parameters that Oura appended to the redirect address: `code` and `state`, or `error`.
#[derive(Default, Deserialize)]
#[serde(default)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(super) struct LoginCallback {
    #[cfg_attr(test, ts(as = "Option<String>", optional), schema(value_type = String))]
    code: Secret,
    #[cfg_attr(test, ts(as = "Option<String>", optional), schema(value_type = String))]
    state: Secret,
    #[cfg_attr(test, ts(as = "Option<String>", optional))]
    error: String,
    #[cfg_attr(test, ts(as = "Option<String>", optional))]
    error_description: String,
}

/// The response of `oauth/callback` and `oauth/disconnect`.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Connection {
    state: ConnectionState,
}

pub(super) async fn callback(
    Admin(caller): Admin,
    Extension(datasource): Extension<DataSource>,
    Json(callback): Json<LoginCallback>,
) -> Result<Json<Connection>, ApiError> {
    if !callback.error.is_empty() {
        return Err(callback.refusal(&datasource, &caller.user));
    }
    if callback.code.is_empty() || callback.state.is_empty() {
        return Err(ApiError::new(
            400,
            "bad_body",
            "missing code or state",
            "Send both as Oura appended them to the redirect address.",
        ));
    }
    datasource.finish_login(&callback.code, &callback.state, &caller.user).await?;
    Ok(Json(Connection { state: ConnectionState::Connected }))
}

impl LoginCallback {
    /// The error for a login that Oura did not complete.
    fn refusal(&self, datasource: &DataSource, user: &str) -> ApiError {
        if self.error == "access_denied" {
            return ApiError::new(
                400,
                "consent_cancelled",
                "the consent at Oura was cancelled",
                "Press Connect and then Allow.",
            );
        }
        // Oura uses `invalid_request` in a redirect only for an unregistered redirect address.
        if self.error == "invalid_request"
            || is_redirect_error(&self.error, &self.error_description)
        {
            return datasource.redirect_not_registered(&self.state, user).into();
        }
        // Anybody can send an administrator a link with a description of their own.
        let message = if datasource.has_pending_login(&self.state, user) {
            let reason = [&self.error_description, &self.error]
                .into_iter()
                .find(|reason| !reason.is_empty())
                .map_or("", String::as_str);
            format!("Oura refused the login: {}", one_line(reason, MAX_REASON_CHARS))
        } else {
            "Oura refused a login that was not started here".to_owned()
        };
        ApiError::new(400, "login_refused", message, "Press Connect again.")
    }
}

pub(super) async fn disconnect(
    _: Admin,
    Extension(datasource): Extension<DataSource>,
    _: Json<EmptyBody>,
) -> Result<Json<Connection>, ApiError> {
    datasource.disconnect().await?;
    Ok(Json(Connection { state: ConnectionState::NotConnected }))
}
