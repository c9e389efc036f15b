//! Who calls, and what they may do. The door (plugin or `serve`) decides both and puts them into the request's extensions.

use axum::async_trait;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::ApiError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The login; a pending OAuth state is bound to it.
    pub user: String,
    pub role: Role,
}

/// What a caller may do: everyone reads, only an admin changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Reader,
    Admin,
}

/// A caller who may change things: extracting it from anyone else's request answers 403.
pub(super) struct Admin(pub Caller);

#[async_trait]
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, ApiError> {
        let unknown = || {
            ApiError::new(
                401,
                "unauthenticated",
                "this request says not who sends it",
                "Send a token.",
            )
        };
        parts.extensions.get::<Caller>().cloned().ok_or_else(unknown)
    }
}

#[async_trait]
impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Admin, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        match caller.role {
            Role::Admin => Ok(Admin(caller)),
            Role::Reader => Err(ApiError::new(
                403,
                "admin_only",
                "only an admin may do this",
                "Ask someone with the role Admin in this organisation, or send the admin token.",
            )),
        }
    }
}
