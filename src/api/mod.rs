//! The resource routes as one router. The plugin calls it in memory, `serve` mounts it under
//! `/api/`.
//!
//! Every [`Caller`] reads. Only an admin changes anything or downloads the whole database.
//! Responses are JSON; errors are `{"error": {"code", "message", "hint"}}`.

mod body;
mod caller;
#[cfg(test)]
mod contract;
mod coverage;
mod data;
mod error;
mod login;
mod media_type;
mod repair;
mod schema;
mod sql;
mod sync;
mod target;

use std::sync::LazyLock;
use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use tower::ServiceExt;

pub use body::check_change;
pub use caller::{AuditDetail, Caller, ReadableTables, Role};
pub use error::ApiError;
pub use login::ConfigurationPageOnly;
pub use target::Target;

use crate::blocking::blocking;
use crate::datasource::{DataSource, Status};
use crate::query::QueryContext;
use body::Json;

/// Largest request body, in bytes.
const MAX_BODY: usize = 1 << 20;

/// The time range of a request without a panel: 1970 to the end of the year 9999.
const ALL_TIME: QueryContext = QueryContext {
    from_ms: 0,
    to_ms: 253_402_300_799_999,
    interval: Duration::from_secs(60),
    max_data_points: 1_000,
};

/// The routes of an open data source. Requests carry it and a [`Caller`] in their extensions, so
/// that one router serves all data sources.
static ROUTES: LazyLock<Router> = LazyLock::new(|| {
    Router::new()
        .route("/status", get(status))
        .route("/schema", get(schema::schema))
        .route("/coverage", get(coverage::coverage))
        .route("/sql", post(sql::sql))
        .route("/oauth/start", post(login::start))
        .route("/oauth/callback", post(login::callback))
        .route("/oauth/disconnect", post(login::disconnect))
        .route("/sync", post(sync::sync))
        .route("/backfill", post(sync::backfill))
        .route("/export", get(data::export))
        .route("/data/delete", post(data::delete))
        .method_not_allowed_fallback(async || ApiError::from(StatusCode::METHOD_NOT_ALLOWED))
        .fallback(async || ApiError::from(StatusCode::NOT_FOUND))
});

/// Returns every route, for one data source. Requests carry a [`Caller`] in their extensions.
pub fn router(datasource: DataSource) -> Router {
    Router::new().fallback(move |request| respond_from(datasource.clone(), request))
}

/// Returns the routes that work without an open database.
fn closed_router(target: Target) -> Router {
    Router::new()
        .route("/data/repair", post(repair::repair))
        .method_not_allowed_fallback(async || ApiError::from(StatusCode::METHOD_NOT_ALLOWED))
        .with_state(target)
}

/// Responds to a request to a data source, which is opened if necessary. The request carries a
/// [`Caller`] in its extensions.
pub async fn respond(target: Target, request: Request) -> Response {
    if request.uri().path() == "/data/repair" {
        let Ok(response) = closed_router(target).oneshot(request).await;
        return response;
    }
    match target.open().await {
        Ok(datasource) => respond_from(datasource, request).await,
        Err(error) => ApiError::from(error).into_response(),
    }
}

async fn respond_from(datasource: DataSource, mut request: Request) -> Response {
    request.extensions_mut().insert(datasource);
    let Ok(response) = ROUTES.clone().oneshot(request).await;
    response
}

async fn status(
    _: Caller,
    Extension(datasource): Extension<DataSource>,
) -> Result<Json<Status>, ApiError> {
    Ok(Json(blocking(move || datasource.status()).await?))
}
