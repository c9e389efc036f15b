//! Errors of a fetch from the data API.

use super::{NetworkError, TokenError};

/// Why a page could not be fetched. `Display` names the reason and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// 401 or 403 that names a scope. Other collections are not affected.
    #[error("Missing scope {scope:?}: connect again and leave it checked")]
    MissingScope {
        /// The scope's name without the `extapi:` prefix.
        scope: String,
    },
    /// 403 that mentions the membership. Oura closes most data without one.
    #[error(
        "Oura membership inactive ({detail}). Syncing resumes automatically once it is renewed"
    )]
    MembershipInactive {
        /// Oura's explanation, or its status.
        detail: String,
    },
    /// Any other 403, or a 401 that a fresh token does not resolve.
    #[error("Oura denied access: {detail}. The next sync tries again")]
    Forbidden {
        /// Oura's explanation, or its status.
        detail: String,
    },
    /// 404: Oura does not offer this collection for this account at present.
    #[error("Oura does not offer this collection for this account. The next sync checks again")]
    NotAvailable,
    /// 426: the person's mobile app is too old for this collection.
    #[error("The Oura app on the phone is too old for this collection: update the app")]
    AppTooOld,
    /// 400 or 422: invalid parameters, most likely the range.
    #[error("Oura rejected the request: {detail}. The next sync tries again")]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// Oura's explanation, or its status.
        detail: String,
    },
    /// No valid login. Fetches of every collection fail until the person connects again.
    #[error(transparent)]
    Login(#[from] TokenError),
    /// Still 429 after the last retry.
    #[error("Oura's rate limit is exhausted. The next sync tries again")]
    RateLimited,
    /// Still 408 or 5xx after the last retry.
    #[error("Oura returned HTTP status {status}. The next sync tries again")]
    Server {
        /// The HTTP status.
        status: u16,
    },
    /// No response, or an incomplete one, after the last retry.
    #[error("Could not reach Oura: {0}. The next sync tries again")]
    Network(NetworkError),
    /// A response that is not a page of documents, or pagination without an end.
    #[error("Invalid response from Oura: {detail}. The next sync tries again")]
    Malformed {
        /// The defect and its position, without health data.
        detail: String,
    },
}

/// The variants of [`FetchError`] without their details, as a key for tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FetchErrorKind {
    /// [`FetchError::MissingScope`].
    MissingScope,
    /// [`FetchError::MembershipInactive`].
    MembershipInactive,
    /// [`FetchError::Forbidden`].
    Forbidden,
    /// [`FetchError::NotAvailable`].
    NotAvailable,
    /// [`FetchError::AppTooOld`].
    AppTooOld,
    /// [`FetchError::Rejected`].
    Rejected,
    /// [`FetchError::Login`].
    Login,
    /// [`FetchError::RateLimited`].
    RateLimited,
    /// [`FetchError::Server`].
    Server,
    /// [`FetchError::Network`].
    Network,
    /// [`FetchError::Malformed`].
    Malformed,
}

impl FetchErrorKind {
    /// Every kind once.
    pub const ALL: [FetchErrorKind; 11] = [
        FetchErrorKind::MissingScope,
        FetchErrorKind::MembershipInactive,
        FetchErrorKind::Forbidden,
        FetchErrorKind::NotAvailable,
        FetchErrorKind::AppTooOld,
        FetchErrorKind::Rejected,
        FetchErrorKind::Login,
        FetchErrorKind::RateLimited,
        FetchErrorKind::Server,
        FetchErrorKind::Network,
        FetchErrorKind::Malformed,
    ];
}

impl FetchError {
    /// Returns the variant without its details.
    pub fn kind(&self) -> FetchErrorKind {
        match self {
            FetchError::MissingScope { .. } => FetchErrorKind::MissingScope,
            FetchError::MembershipInactive { .. } => FetchErrorKind::MembershipInactive,
            FetchError::Forbidden { .. } => FetchErrorKind::Forbidden,
            FetchError::NotAvailable => FetchErrorKind::NotAvailable,
            FetchError::AppTooOld => FetchErrorKind::AppTooOld,
            FetchError::Rejected { .. } => FetchErrorKind::Rejected,
            FetchError::Login(_) => FetchErrorKind::Login,
            FetchError::RateLimited => FetchErrorKind::RateLimited,
            FetchError::Server { .. } => FetchErrorKind::Server,
            FetchError::Network(_) => FetchErrorKind::Network,
            FetchError::Malformed { .. } => FetchErrorKind::Malformed,
        }
    }

    /// Maps a 403 without a scope in its body, by Oura's explanation.
    pub(super) fn from_forbidden(detail: String) -> FetchError {
        let text = detail.to_lowercase();
        if text.contains("membership") || text.contains("subscription") {
            FetchError::MembershipInactive { detail }
        } else {
            FetchError::Forbidden { detail }
        }
    }
}
