//! Failures of one login back end, before they become an [`OAuthError`].

use serde::Deserialize;

use super::{Credential, OAuthError};
use crate::oura::NetworkError;

/// A clock skew below this does not explain a rejected code, in seconds.
const MAX_HARMLESS_SKEW: u64 = 60;

/// Why one back end returned no tokens.
#[derive(Debug, thiserror::Error)]
#[error("no token")]
pub(super) enum TokenFailure {
    /// A status other than 2xx.
    ErrorResponse {
        status: u16,
        /// The code of RFC 6749 §5.2; empty if the response has no code.
        code: String,
        /// The message of the response; empty if it has no message.
        detail: String,
        /// Seconds that the local clock is ahead of Oura's, if the response has a date.
        clock_skew: Option<i64>,
    },
    /// No response, or an incomplete one.
    NoResponse(NetworkError),
    /// A 2xx response that ended early, with the bytes that arrived.
    Incomplete { received: Vec<u8>, error: NetworkError },
    /// A 2xx response without valid tokens.
    Malformed { detail: String },
}

/// The order in which failures are reported, when both back ends failed and only one failure can be
/// reported.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ReportPriority {
    /// A back end answers the same to an application of the other back end: `invalid_client`,
    /// `invalid_request`, a 400 or 401 without a code.
    Ambiguous,
    /// A code that describes the cause.
    Specific,
    /// The back end could not answer: it may know the application.
    Unavailable,
    /// `invalid_grant`: the back end knows the application, and the code or token is invalid.
    Conclusive,
}

impl TokenFailure {
    /// Whether the legacy back end may not know the application. It answers 401 to a code and 400
    /// to a refresh token of a portal application.
    ///
    /// `invalid_grant` goes only to its own applications. A token that is invalid there is not sent
    /// to the portal.
    pub(super) fn is_unknown_application(&self) -> bool {
        match self {
            TokenFailure::ErrorResponse { status: 400 | 401, code, .. } => code != "invalid_grant",
            _ => false,
        }
    }

    /// Returns the rank of this failure among those of both back ends.
    pub(super) fn report_priority(&self) -> ReportPriority {
        let TokenFailure::ErrorResponse { status, code, detail, .. } = self else {
            return ReportPriority::Unavailable;
        };
        let is_ambiguous = matches!(status, 400 | 401)
            && matches!(code.as_str(), "" | "invalid_client" | "invalid_request");
        if code == "invalid_grant" {
            ReportPriority::Conclusive
        } else if is_redirect_error(code, detail) {
            ReportPriority::Specific
        } else if is_ambiguous {
            ReportPriority::Ambiguous
        } else if (400..500).contains(status) {
            ReportPriority::Specific
        } else {
            ReportPriority::Unavailable
        }
    }

    /// Converts the failure of a request with `credential`.
    pub(super) fn into_error(self, credential: Credential) -> OAuthError {
        let (status, code, detail, clock_skew) = match self {
            TokenFailure::NoResponse(error) | TokenFailure::Incomplete { error, .. } => {
                return OAuthError::Network(error);
            }
            TokenFailure::Malformed { detail } => return OAuthError::Malformed { detail },
            TokenFailure::ErrorResponse { status, code, detail, clock_skew } => {
                (status, code, detail, clock_skew)
            }
        };
        let status_detail = format!("HTTP status {status}");
        if code == "invalid_grant" {
            // Only codes expire within minutes. A skewed clock does not explain a refresh token.
            return match clock_skew {
                Some(seconds)
                    if credential == Credential::Code
                        && seconds.unsigned_abs() > MAX_HARMLESS_SKEW =>
                {
                    OAuthError::ClockSkew { seconds }
                }
                _ => OAuthError::InvalidGrant { credential },
            };
        }
        if is_redirect_error(&code, &detail) {
            return OAuthError::RedirectNotRegistered;
        }
        if status == 401 || code == "invalid_client" {
            return OAuthError::InvalidClient;
        }
        if status == 429 || status >= 500 {
            return OAuthError::Network(NetworkError::new(status_detail));
        }
        let detail = if detail.is_empty() { status_detail } else { detail };
        OAuthError::Rejected { detail }
    }
}

/// Whether an OAuth error response is about the redirect URL. RFC 6749 defines no code for that.
///
/// `invalid_grant` is not such an error, although its usual text mentions the URL.
pub fn is_redirect_error(code: &str, detail: &str) -> bool {
    code == "redirect_uri_mismatch"
        || (code == "invalid_request" && detail.to_lowercase().contains("redirect"))
}

/// The error response of RFC 6749 §5.2.
#[derive(Deserialize)]
struct ErrorBody {
    #[serde(default)]
    error: String,
}

/// Returns the `error` of an error response; empty if there is none.
pub(super) fn parse_error_code(body: &[u8]) -> String {
    serde_json::from_slice::<ErrorBody>(body).map(|body| body.error).unwrap_or_default()
}
