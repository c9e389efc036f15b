//! `POST sync` and `POST backfill`: both return 202 and the number of the sync run.

use axum::Extension;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::ApiError;
use super::body::{EmptyBody, Json, Parameters};
use super::caller::Admin;
use crate::datasource::{Backfill, DataSource, Trigger};

/// The response of both routes.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(super) struct SyncStart {
    /// The run's key in the table `sync_runs`.
    run: i64,
}

type Accepted = (StatusCode, Json<SyncStart>);

fn accepted(run: i64) -> Accepted {
    (StatusCode::ACCEPTED, Json(SyncStart { run }))
}

pub(super) async fn sync(
    _: Admin,
    Extension(datasource): Extension<DataSource>,
    _: Json<EmptyBody>,
) -> Result<Accepted, ApiError> {
    Ok(accepted(datasource.start_sync(Trigger::Manual)?))
}

/// A requested backfill, from the URL's parameters or the body. The body takes precedence.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct BackfillRequest {
    days: Option<u32>,
    offset_days: Option<u32>,
    resources: Option<Names>,
}

/// Collection names: `a,b` or `["a", "b"]`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Names {
    Text(String),
    List(Vec<String>),
}

impl Names {
    /// Returns the names. An empty list means the collections of the settings.
    fn into_list(self) -> Result<Vec<String>, ApiError> {
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
            return Err(ApiError::new(
                400,
                "no_resources",
                format!("resources={text} contains no collection name"),
                "List collections, for example resources=sleep,workout, or omit the parameter.",
            ));
        }
        Ok(names)
    }
}

impl BackfillRequest {
    /// Fills fields missing in this request with those of `fallback`.
    fn or(self, fallback: BackfillRequest) -> Result<Backfill, ApiError> {
        let resources = match self.resources.or(fallback.resources) {
            Some(names) => names.into_list()?,
            None => Vec::new(),
        };
        Ok(Backfill {
            days: self.days.or(fallback.days).unwrap_or_default(),
            offset_days: self.offset_days.or(fallback.offset_days).unwrap_or_default(),
            resources,
        })
    }
}

pub(super) async fn backfill(
    _: Admin,
    Extension(datasource): Extension<DataSource>,
    Parameters(parameters): Parameters<BackfillRequest>,
    Json(body): Json<BackfillRequest>,
) -> Result<Accepted, ApiError> {
    let request = body.or(parameters)?;
    Ok(accepted(super::blocking(move || datasource.backfill(&request)).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(json: &str) -> BackfillRequest {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn parameters_and_body_are_equivalent() {
        let expected = Backfill {
            days: 30,
            offset_days: 7,
            resources: vec!["sleep".to_owned(), "workout".to_owned()],
        };
        let body = request(r#"{"days":30,"offset_days":7,"resources":["sleep","workout"]}"#);
        assert_eq!(body.or(BackfillRequest::default()).unwrap(), expected);
        let parameters = axum::extract::Query::try_from_uri(
            &"/backfill?days=30&offset_days=7&resources=sleep,%20workout".parse().unwrap(),
        );
        assert_eq!(BackfillRequest::default().or(parameters.unwrap().0).unwrap(), expected);
    }

    #[test]
    fn body_takes_precedence_over_parameters() {
        let body = request(r#"{"days":3}"#);
        let parameters = request(r#"{"days":9,"resources":"sleep"}"#);
        assert_eq!(
            body.or(parameters).unwrap(),
            Backfill { days: 3, offset_days: 0, resources: vec!["sleep".to_owned()] }
        );
    }

    #[test]
    fn empty_resources_select_the_collections_of_the_settings() {
        for empty in ["{}", r#"{"resources":""}"#, r#"{"resources":[]}"#] {
            let backfill = request(empty).or(BackfillRequest::default()).unwrap();
            assert_eq!(backfill.resources, Vec::<String>::new(), "{empty}");
        }
    }

    #[test]
    fn resources_without_a_name_are_rejected() {
        let only_separators = request(r#"{"resources":" , "}"#);
        let error = only_separators.or(BackfillRequest::default()).unwrap_err();
        assert!(error.message.contains("contains no collection name"), "{error:?}");
        assert!(error.hint.contains("resources=sleep,workout"), "{error:?}");
    }

    #[test]
    fn unknown_field_is_rejected() {
        let error = serde_json::from_str::<BackfillRequest>(r#"{"days":3,"offset":4}"#)
            .unwrap_err()
            .to_string();
        assert!(error.contains("`offset`"), "{error}");
        assert!(error.contains("`days`, `offset_days`, `resources`"), "{error}");
    }
}
