//! `POST data/repair`: sets a damaged database aside. Works without an open database.

use std::path::PathBuf;

use axum::extract::State;
use serde::Serialize;

use super::ApiError;
use super::body::{EmptyBody, Json};
use super::caller::Admin;
use super::target::Target;

/// The response of `POST data/repair`.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Repaired {
    state: &'static str,
    /// The new path of the damaged file.
    #[cfg_attr(test, schema(value_type = String))]
    aside: PathBuf,
}

/// Repairs the data source and opens it again, so that its schedule fetches everything.
pub(super) async fn repair(
    _: Admin,
    State(target): State<Target>,
    _: Json<EmptyBody>,
) -> Result<Json<Repaired>, ApiError> {
    let aside = target.datasources.repair(&target.key, false).await?;
    target.open().await?;
    Ok(Json(Repaired { state: "repaired", aside }))
}
