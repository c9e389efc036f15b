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
    Ok(accepted(account.start_sync(Trigger::Manual)?))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(json: &str) -> Wanted {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_backfill_reads_the_same_from_the_address_and_from_the_body() {
        let expected = Backfill { days: 30, offset_days: 7, resources: vec!["sleep".to_owned(), "workout".to_owned()] };
        assert_eq!(wanted(r#"{"days":30,"offset_days":7,"resources":["sleep","workout"]}"#).or(Wanted::default()), expected);
        let address = axum::extract::Query::try_from_uri(&"/backfill?days=30&offset_days=7&resources=sleep,%20workout".parse().unwrap());
        assert_eq!(Wanted::default().or(address.unwrap().0), expected);
    }

    #[test]
    fn the_body_counts_where_both_say_something() {
        let backfill = wanted(r#"{"days":3}"#).or(wanted(r#"{"days":9,"resources":"sleep"}"#));
        assert_eq!(backfill, Backfill { days: 3, offset_days: 0, resources: vec!["sleep".to_owned()] });
    }
}
