//! Every error as `{"error": {"code", "message", "hint"}}`, with the HTTP status that fits.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::body::Json;
use crate::datasource::DataSourceError;
use crate::oura::RedirectUriError;
use crate::query::QueryError;

/// What goes to the caller. `code` is stable and for programs; `message` says what happened, `hint` what to do (may be empty).
#[derive(Clone, Debug, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    #[serde(skip)]
    pub status: u16,
    pub code: &'static str,
    pub message: String,
    pub hint: String,
}

impl ApiError {
    pub fn new(
        status: u16,
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> ApiError {
        ApiError { status, code, message: message.into(), hint: hint.into() }
    }

    /// Message and hint as one text, for places that have only one.
    pub fn in_words(&self) -> String {
        if self.hint.is_empty() {
            self.message.clone()
        } else {
            format!("{}. {}", self.message, self.hint)
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            error: ApiError,
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(Body { error: self })).into_response()
    }
}

impl From<DataSourceError> for ApiError {
    fn from(error: DataSourceError) -> ApiError {
        ApiError::from(&error)
    }
}

impl From<&DataSourceError> for ApiError {
    fn from(error: &DataSourceError) -> ApiError {
        ApiError::new(error.status(), error.code(), error.to_string(), error.hint())
    }
}

impl From<RedirectUriError> for ApiError {
    fn from(error: RedirectUriError) -> ApiError {
        ApiError::new(400, "bad_redirect", error.to_string(), error.hint())
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> ApiError {
        ApiError::from(&error)
    }
}

impl From<&QueryError> for ApiError {
    fn from(error: &QueryError) -> ApiError {
        ApiError::new(error.status(), error.code(), error.to_string(), error.hint())
    }
}

impl From<StatusCode> for ApiError {
    fn from(status: StatusCode) -> ApiError {
        let (code, message, hint) = match status {
            StatusCode::NOT_FOUND => {
                ("not_found", "there is no such route", "GET status, for example, is one.")
            }
            StatusCode::METHOD_NOT_ALLOWED => (
                "method",
                "this route takes another method",
                "What changes something is a POST, the rest a GET.",
            ),
            StatusCode::PAYLOAD_TOO_LARGE => {
                ("too_large", "the body is larger than 1 MiB", "Send less.")
            }
            _ => ("request", "the request cannot be read", ""),
        };
        ApiError::new(status.as_u16(), code, message, hint)
    }
}
