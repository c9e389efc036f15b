//! `POST sync` and `POST backfill`: 202 with the number of the run that does it.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::ApiError;
use super::body::{Json, Nothing, Parameters};
use super::caller::Admin;
use crate::account::{Account, Backfill, Trigger};

/// A row of `sync_runs`.
#[derive(Serialize)]
pub(super) struct Started {
    run: i64,
}

type Accepted = (StatusCode, Json<Started>);

fn accepted(run: i64) -> Accepted {
    (StatusCode::ACCEPTED, Json(Started { run }))
}

pub(super) async fn sync(_: Admin, State(account): State<Account>, _: Json<Nothing>) -> Result<Accepted, ApiError> {
    Ok(accepted(super::blocking(move || account.start_sync(Trigger::Manual)).await?))
}

/// A backfill as it is asked for, in the address or in the body; the body counts where both name something.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    days: Option<u32>,
    offset_days: Option<u32>,
    resources: Option<Names>,
}

/// `a,b` or `["a", "b"]`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    Text(String),
    List(Vec<String>),
}

impl Wanted {
    fn or(self, other: Wanted) -> Backfill {
        let names = match self.resources.or(other.resources) {
            None => Vec::new(),
            Some(Names::List(names)) => names,
            Some(Names::Text(text)) => text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect(),
        };
        Backfill {
            days: self.days.or(other.days).unwrap_or_default(),
            offset_days: self.offset_days.or(other.offset_days).unwrap_or_default(),
            resources: names,
        }
    }
}

pub(super) async fn backfill(
    _: Admin,
    State(account): State<Account>,
    Parameters(address): Parameters<Wanted>,
    Json(body): Json<Wanted>,
) -> Result<Accepted, ApiError> {
    let request = body.or(address);
    Ok(accepted(super::blocking(move || account.backfill(&request)).await?))
}
