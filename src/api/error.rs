//! Every error as `{"error": {"code", "message", "hint", "source"}}` with a matching HTTP status.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::datasource::DataSourceError;
use crate::error_source::ErrorSource;
use crate::format::is_invisible;
use crate::oura::RedirectUriError;
use crate::query::QueryError;

/// The longest message and hint, in characters.
const MAX_TEXT_CHARS: usize = 4_000;

/// An error as the caller receives it.
#[derive(Clone, Debug, Serialize, thiserror::Error)]
#[error("{message}")]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub struct ApiError {
    /// The HTTP status.
    #[serde(skip)]
    pub status: u16,
    /// The party at fault, for Grafana's metrics.
    #[serde(rename = "source")]
    pub error_source: ErrorSource,
    /// A stable name for programs, such as `expired_state`.
    #[cfg_attr(test, ts(type = "string"))]
    pub code: &'static str,
    /// The failure and its reason, without a full stop at the end.
    pub message: String,
    /// A remedy, in full sentences. May be empty.
    pub hint: String,
}

/// The body of an error response.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(super) struct ErrorBody {
    error: ApiError,
}

impl ApiError {
    /// Creates an error with the usual source of its status. Statuses below 500 are the caller's
    /// mistake, 502 is a failure at Oura, and all others are failures of this plugin.
    pub fn new(
        status: u16,
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> ApiError {
        let error_source = match status {
            ..500 | 502 => ErrorSource::Downstream,
            _ => ErrorSource::Plugin,
        };
        let message = shorten(&message.into());
        ApiError { status, error_source, code, message, hint: shorten(&hint.into()) }
    }

    fn with_source(self, error_source: ErrorSource) -> ApiError {
        ApiError { error_source, ..self }
    }

    /// Returns the body of the error's response.
    pub fn to_json(&self) -> Vec<u8> {
        let body = ErrorBody { error: self.clone() };
        serde_json::to_vec(&body).expect("an error is plain data")
    }

    /// Message and hint in one text, for protocols with a single text field.
    pub fn full_text(&self) -> String {
        if self.hint.is_empty() {
            self.message.clone()
        } else {
            format!("{}. {}", self.message, self.hint)
        }
    }
}

/// Returns a text that may quote strangers, without characters that change how it is shown.
fn shorten(text: &str) -> String {
    let visible = text.replace(is_invisible, "");
    match visible.char_indices().nth(MAX_TEXT_CHARS) {
        Some((end, _)) => format!("{}…", &visible[..end]),
        None => visible,
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, axum::Json(ErrorBody { error: self })).into_response()
    }
}

impl From<DataSourceError> for ApiError {
    fn from(error: DataSourceError) -> ApiError {
        ApiError::from(&error)
    }
}

impl From<&DataSourceError> for ApiError {
    fn from(error: &DataSourceError) -> ApiError {
        let api_error =
            ApiError::new(error.status(), error.code(), error.to_string(), error.hint());
        match error {
            // Oura did not return the person's identity.
            DataSourceError::PersonUnknown => api_error.with_source(ErrorSource::Downstream),
            _ => api_error,
        }
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
            .with_source(error.error_source())
    }
}

impl From<StatusCode> for ApiError {
    fn from(status: StatusCode) -> ApiError {
        let (code, message, hint) = match status {
            StatusCode::NOT_FOUND => (
                "not_found",
                "unknown route",
                "Check the path, for example GET status. The reference lists all routes.",
            ),
            StatusCode::METHOD_NOT_ALLOWED => (
                "method",
                "method not allowed for this route",
                "Use POST for routes that change something, and GET for all others.",
            ),
            StatusCode::PAYLOAD_TOO_LARGE => {
                ("too_large", "the request body is larger than 1 MiB", "Send a smaller body.")
            }
            StatusCode::REQUEST_TIMEOUT => {
                ("slow_request", "the request body took too long", "Send it again.")
            }
            _ => (
                "request",
                "invalid request",
                "Check its headers and its length, and send it again.",
            ),
        };
        ApiError::new(status.as_u16(), code, message, hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oura::oauth::OAuthError;

    #[test]
    fn source_follows_the_party_at_fault() {
        let oura_outage = OAuthError::Malformed { detail: "502 Bad Gateway".to_owned() };
        for (error, source) in [
            (ApiError::new(400, "bad_query", "", ""), ErrorSource::Downstream),
            (ApiError::new(500, "internal", "", ""), ErrorSource::Plugin),
            (DataSourceError::NotConnected.into(), ErrorSource::Downstream),
            (DataSourceError::PersonUnknown.into(), ErrorSource::Downstream),
            (DataSourceError::OAuth(oura_outage).into(), ErrorSource::Downstream),
            (DataSourceError::ReadOnly { reason: String::new() }.into(), ErrorSource::Plugin),
            (QueryError::Empty.into(), ErrorSource::Downstream),
            (QueryError::Busy.into(), ErrorSource::Downstream),
            (QueryError::Unavailable(String::new()).into(), ErrorSource::Plugin),
        ] {
            assert_eq!(error.error_source, source, "{error:?}");
        }
    }
}
