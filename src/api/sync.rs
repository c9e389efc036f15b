//! `POST sync` and `POST backfill`: 202 with the number of the run that does it.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::ApiError;
use super::body::{Json, Nothing, Parameters};
use super::caller::Admin;
use crate::datasource::{Backfill, DataSource, Trigger};

/// A row of `sync_runs`.
#[derive(Serialize)]
pub(super) struct Started {
    run: i64,
}

type Accepted = (StatusCode, Json<Started>);

fn accepted(run: i64) -> Accepted {
    (StatusCode::ACCEPTED, Json(Started { run }))
}

pub(super) async fn sync(
    _: Admin,
    State(datasource): State<DataSource>,
    _: Json<Nothing>,
) -> Result<Accepted, ApiError> {
    Ok(accepted(datasource.start_sync(Trigger::Manual)?))
}

/// A backfill as it is asked for, in the address or in the body; the body counts where both name something.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Wanted {
    days: Option<u32>,
    offset_days: Option<u32>,
    resources: Option<Names>,
}

/// `a,b` or `["a", "b"]`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Names {
    Text(String),
    List(Vec<String>),
}

impl Names {
    /// Nothing at all names those of the settings.
    fn each(self) -> Result<Vec<String>, ApiError> {
        let text = match self {
            Names::List(names) => return Ok(names),
            Names::Text(text) if text.trim().is_empty() => return Ok(Vec::new()),
            Names::Text(text) => text,
        };
        let names: Vec<String> = text
            .split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        if names.is_empty() {
            let hint =
                "For example resources=sleep,workout; leave it out for those of the settings.";
            return Err(ApiError::new(
                400,
                "no_resources",
                format!("resources={text} names no collection"),
                hint,
            ));
        }
        Ok(names)
    }
}

impl Wanted {
    fn or(self, other: Wanted) -> Result<Backfill, ApiError> {
        Ok(Backfill {
            days: self.days.or(other.days).unwrap_or_default(),
            offset_days: self.offset_days.or(other.offset_days).unwrap_or_default(),
            resources: self.resources.or(other.resources).map_or(Ok(Vec::new()), Names::each)?,
        })
    }
}

pub(super) async fn backfill(
    _: Admin,
    State(datasource): State<DataSource>,
    Parameters(address): Parameters<Wanted>,
    Json(body): Json<Wanted>,
) -> Result<Accepted, ApiError> {
    let request = body.or(address)?;
    Ok(accepted(super::blocking(move || datasource.backfill(&request)).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(json: &str) -> Wanted {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_backfill_reads_the_same_from_the_address_and_from_the_body() {
        let expected = Backfill {
            days: 30,
            offset_days: 7,
            resources: vec!["sleep".to_owned(), "workout".to_owned()],
        };
        assert_eq!(
            wanted(r#"{"days":30,"offset_days":7,"resources":["sleep","workout"]}"#)
                .or(Wanted::default())
                .unwrap(),
            expected
        );
        let address = axum::extract::Query::try_from_uri(
            &"/backfill?days=30&offset_days=7&resources=sleep,%20workout".parse().unwrap(),
        );
        assert_eq!(Wanted::default().or(address.unwrap().0).unwrap(), expected);
    }

    #[test]
    fn the_body_counts_where_both_say_something() {
        let backfill =
            wanted(r#"{"days":3}"#).or(wanted(r#"{"days":9,"resources":"sleep"}"#)).unwrap();
        assert_eq!(
            backfill,
            Backfill { days: 3, offset_days: 0, resources: vec!["sleep".to_owned()] }
        );
    }

    #[test]
    fn what_names_nothing_is_not_taken_for_everything() {
        for nothing in ["{}", r#"{"resources":""}"#, r#"{"resources":[]}"#] {
            assert_eq!(
                wanted(nothing).or(Wanted::default()).unwrap().resources,
                Vec::<String>::new(),
                "{nothing}"
            );
        }
        let refused = wanted(r#"{"resources":" , "}"#).or(Wanted::default()).unwrap_err();
        assert!(
            refused.message.contains("names no collection")
                && refused.hint.contains("resources=sleep,workout"),
            "{refused:?}"
        );
        let misspelt =
            serde_json::from_str::<Wanted>(r#"{"days":3,"offset":4}"#).unwrap_err().to_string();
        assert!(
            misspelt.contains("`offset`")
                && misspelt.contains("`days`, `offset_days`, `resources`"),
            "{misspelt}"
        );
    }
}
