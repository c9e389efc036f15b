//! JSON bodies and URL parameters. Unreadable input becomes an [`ApiError`].

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

/// A JSON body, of a request or a response. An absent request body reads as `{}`.
///
/// Other content types are rejected: a page of another site can make a browser post a form, but
/// not JSON.
pub(super) struct Json<T>(pub T);

#[async_trait]
impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Json<T>, ApiError> {
        let declares_json = declares_json(request.headers());
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| ApiError::from(rejection.status()))?;
        let text: &[u8] = match (declares_json, body.as_ref()) {
            (Some(false), _) | (None, [_, ..]) => return Err(not_json()),
            (_, []) => b"{}",
            (Some(true), body) => body,
        };
        let value = serde_json::from_slice(text).map_err(|error| {
            ApiError::new(
                400,
                "bad_body",
                format!("invalid request body: {error}"),
                "Send one JSON object. The README lists the fields of each route.",
            )
        })?;
        Ok(Json(value))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// A response that is serialized already: one that borrows its data, or a long one that was
/// serialized on a blocking thread.
pub(super) struct JsonBytes(Vec<u8>);

impl JsonBytes {
    pub(super) fn serialize(value: &impl Serialize) -> Result<JsonBytes, ApiError> {
        serde_json::to_vec(value).map(JsonBytes).map_err(|error| {
            let message = format!("could not serialize the response: {error}");
            ApiError::new(500, "unwritable", message, "")
        })
    }
}

impl IntoResponse for JsonBytes {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}

/// Rejects a change without the content type JSON, with or without a body.
///
/// Grafana identifies callers by a cookie, and a page of another site can make a browser send any
/// request except one that declares JSON.
pub fn check_change(method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    if method.is_safe() || declares_json(headers) == Some(true) { Ok(()) } else { Err(not_json()) }
}

fn not_json() -> ApiError {
    ApiError::new(
        415,
        "content_type",
        "the request body must be JSON",
        "Send Content-Type: application/json.",
    )
}

/// Whether the content type is JSON, if the request has one.
fn declares_json(headers: &HeaderMap) -> Option<bool> {
    let content_type = headers.get(CONTENT_TYPE)?.to_str().unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    Some(essence.eq_ignore_ascii_case("application/json"))
}

/// The parameters of the URL.
pub(super) struct Parameters<T>(pub T);

#[async_trait]
impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Parameters<T>, ApiError> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(parameters)) => Ok(Parameters(parameters)),
            Err(rejection) => Err(invalid_parameters::<T>(&parts.uri, rejection.source())),
        }
    }
}

/// Returns an error that contains the first invalid parameter. An error about several parameters,
/// such as a duplicate, has their names in `reason`.
fn invalid_parameters<T: DeserializeOwned>(uri: &Uri, reason: Option<&dyn Error>) -> ApiError {
    let query = uri.query().unwrap_or_default();
    let message = form_urlencoded::parse(query.as_bytes())
        .find_map(|(name, value)| {
            let reason = parse_alone::<T>(&name, &value)?;
            Some(format!("invalid parameter {name}={value}: {reason}"))
        })
        .unwrap_or_else(|| format!("invalid parameters: {}", describe(reason)));
    ApiError::new(
        400,
        "bad_parameters",
        message,
        "Write numbers as digits and days as 2026-01-31. The README lists the parameters.",
    )
}

/// Parses one parameter without the others. Returns the reason if that fails.
fn parse_alone<T: DeserializeOwned>(name: &str, value: &str) -> Option<String> {
    let uri =
        form_urlencoded::Serializer::new(String::from("/?")).append_pair(name, value).finish();
    let rejection = Query::<T>::try_from_uri(&uri.parse().ok()?).err()?;
    Some(describe(rejection.source()))
}

fn describe(reason: Option<&dyn Error>) -> String {
    reason.map_or_else(|| "malformed".to_owned(), ToString::to_string)
}

/// A body without fields of interest.
#[derive(serde::Deserialize)]
pub(super) struct EmptyBody {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Fields {
        #[expect(dead_code, reason = "the test only parses")]
        days: Option<u32>,
        #[expect(dead_code, reason = "the test only parses")]
        from: Option<crate::time::Day>,
    }

    async fn rejection(uri: &str) -> ApiError {
        let (mut parts, ()) = axum::http::Request::get(uri).body(()).unwrap().into_parts();
        Parameters::<Fields>::from_request_parts(&mut parts, &()).await.err().unwrap()
    }

    #[tokio::test]
    async fn invalid_parameter_is_named_with_value_and_hint() {
        for (uri, expected) in [
            ("/?from=2026-01-31&days=abc", "invalid parameter days=abc: invalid digit"),
            ("/?days=-1", "invalid parameter days=-1:"),
            ("/?days=3&from=yesterday", "invalid parameter from=yesterday:"),
            ("/?days=3&days=4", "duplicate field `days`"),
        ] {
            let error = rejection(uri).await;
            assert!(error.message.contains(expected) && !error.hint.is_empty(), "{error:?}");
        }
    }

    #[test]
    fn change_must_declare_json_and_read_need_not() {
        fn headers(content_type: &'static str) -> HeaderMap {
            HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())])
        }
        assert!(check_change(&Method::POST, &headers("application/json; charset=utf-8")).is_ok());
        assert!(check_change(&Method::GET, &HeaderMap::new()).is_ok());
        for headers in
            [HeaderMap::new(), headers("text/plain"), headers("application/x-www-form-urlencoded")]
        {
            assert_eq!(check_change(&Method::POST, &headers).unwrap_err().status, 415);
        }
    }
}
