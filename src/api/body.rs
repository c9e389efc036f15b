//! JSON in and out, and parameters that may come in the address or in the body; what cannot be read is an [`ApiError`].

use std::error::Error;

use axum::async_trait;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::ApiError;

/// As an argument, the body; no body reads as `{}`. As an answer, JSON.
///
/// A body of another type is refused: a page of another site can make a browser post a form, but not JSON.
pub(super) struct Json<T>(pub T);

#[async_trait]
impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Json<T>, ApiError> {
        let typed = is_json(request.headers());
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| ApiError::from(rejection.status()))?;
        let text: &[u8] = match (typed, body.as_ref()) {
            (Some(false), _) | (None, [_, ..]) => {
                return Err(not_json());
            }
            (_, []) => b"{}",
            (Some(true), body) => body,
        };
        let hint = "Send one JSON object; the README lists what each route takes.";
        let malformed = |error: serde_json::Error| {
            ApiError::new(400, "bad_body", format!("the body cannot be read: {error}"), hint)
        };
        Ok(Json(serde_json::from_slice(text).map_err(malformed)?))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// An answer that is JSON already: one that borrows, or that is long enough to be written where it holds up nobody.
pub(super) struct Written(Vec<u8>);

impl Written {
    pub(super) fn of(answer: &impl Serialize) -> Result<Written, ApiError> {
        let failed = |error: serde_json::Error| {
            ApiError::new(500, "unwritable", format!("the answer cannot be written: {error}"), "")
        };
        serde_json::to_vec(answer).map(Written).map_err(failed)
    }
}

impl IntoResponse for Written {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}

/// Refuses a change that does not claim to be JSON, a body or not: the door of a caller who is known by a cookie asks for this, since a
/// page of another site can make a browser send whatever else.
pub fn check_change(method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    if method.is_safe() || is_json(headers) == Some(true) { Ok(()) } else { Err(not_json()) }
}

fn not_json() -> ApiError {
    ApiError::new(
        415,
        "content_type",
        "the body is not JSON",
        "Send Content-Type: application/json.",
    )
}

/// Whether the body claims to be JSON; nothing if it claims nothing.
fn is_json(headers: &HeaderMap) -> Option<bool> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().unwrap_or_default();
    Some(kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json"))
}

/// The parameters in the address.
pub(super) struct Parameters<T>(pub T);

#[async_trait]
impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Parameters<T>, ApiError> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(parameters)) => Ok(Parameters(parameters)),
            Err(rejection) => Err(bad_parameters::<T>(&parts.uri, rejection.source())),
        }
    }
}

/// Names the first parameter that cannot be read by itself; what is wrong between several has its names in `reason`.
fn bad_parameters<T: DeserializeOwned>(uri: &Uri, reason: Option<&dyn Error>) -> ApiError {
    let hint =
        "Write numbers with digits and days as 2026-01-31; the README lists what each route takes.";
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let wrong = pairs.into_iter().find_map(|(name, value)| {
        let alone = form_urlencoded::Serializer::new(String::from("/?"))
            .append_pair(&name, &value)
            .finish();
        let rejection = Query::<T>::try_from_uri(&alone.parse().ok()?).err()?;
        Some(format!("the parameter {name}={value} cannot be read: {}", said(rejection.source())))
    });
    ApiError::new(
        400,
        "bad_parameters",
        wrong.unwrap_or_else(|| format!("the parameters cannot be read: {}", said(reason))),
        hint,
    )
}

fn said(reason: Option<&dyn Error>) -> String {
    reason.map_or_else(|| "they are malformed".to_owned(), ToString::to_string)
}

/// A body from which nothing is read.
#[derive(serde::Deserialize)]
pub(super) struct Nothing {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Wanted {
        #[expect(dead_code)]
        days: Option<u32>,
        #[expect(dead_code)]
        from: Option<crate::time::Day>,
    }

    async fn refused(address: &str) -> ApiError {
        let (mut parts, ()) = axum::http::Request::get(address).body(()).unwrap().into_parts();
        Parameters::<Wanted>::from_request_parts(&mut parts, &()).await.err().unwrap()
    }

    #[tokio::test]
    async fn a_parameter_that_cannot_be_read_is_named_with_its_value_and_a_remedy() {
        for (address, named) in [
            ("/?from=2026-01-31&days=abc", "days=abc cannot be read: invalid digit"),
            ("/?days=-1", "days=-1 cannot"),
            ("/?days=3&from=yesterday", "from=yesterday cannot"),
            ("/?days=3&days=4", "duplicate field `days`"),
        ] {
            let error = refused(address).await;
            assert!(error.message.contains(named) && !error.hint.is_empty(), "{error:?}");
        }
    }

    #[test]
    fn a_change_must_claim_to_be_json_and_a_question_need_not() {
        let headers =
            |kind: &'static str| HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]);
        assert!(check_change(&Method::POST, &headers("application/json; charset=utf-8")).is_ok());
        assert!(check_change(&Method::GET, &HeaderMap::new()).is_ok());
        for headers in
            [HeaderMap::new(), headers("text/plain"), headers("application/x-www-form-urlencoded")]
        {
            assert_eq!(check_change(&Method::POST, &headers).unwrap_err().status, 415);
        }
    }
}
