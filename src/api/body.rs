//! JSON in and out, and parameters that may come in the address or in the body; what cannot be read is an [`ApiError`].

use axum::async_trait;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

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
        let body = Bytes::from_request(request, state).await.map_err(|rejection| ApiError::from(rejection.status()))?;
        let text: &[u8] = match (typed, body.as_ref()) {
            (Some(false), _) | (None, [_, ..]) => {
                return Err(ApiError::new(415, "content_type", "the body is not JSON", "Send Content-Type: application/json."));
            }
            (_, []) => b"{}",
            (Some(true), body) => body,
        };
        let malformed = |error: serde_json::Error| ApiError::new(400, "bad_body", format!("the body cannot be read: {error}"), "");
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
        let failed = |error: serde_json::Error| ApiError::new(500, "unwritable", format!("the answer cannot be written: {error}"), "");
        serde_json::to_vec(answer).map(Written).map_err(failed)
    }
}

impl IntoResponse for Written {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], self.0).into_response()
    }
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
            Err(rejection) => Err(ApiError::new(400, "bad_parameters", rejection.body_text(), "")),
        }
    }
}

/// A body from which nothing is read.
#[derive(serde::Deserialize)]
pub(super) struct Nothing {}
