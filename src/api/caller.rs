//! The caller of a route and its role. The entry point (plugin or `serve`) puts both into the
//! request's extensions.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Extension;
use axum::async_trait;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::ApiError;

/// The sender of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user's login. A pending OAuth state is bound to it.
    pub user: String,
    /// The caller's permissions.
    pub role: Role,
}

/// The permissions of a caller: every role reads, only an admin changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads data, schema and status.
    Reader,
    /// Reads, changes and exports.
    Admin,
}

/// A request extension: the tables and views that the caller may read, in lower case. Without it, a
/// caller reads all of them.
#[derive(Clone, Debug)]
pub struct ReadableTables(pub Arc<BTreeSet<String>>);

/// Returns the tables of the extension.
pub(super) fn readable_tables(
    Extension(ReadableTables(tables)): Extension<ReadableTables>,
) -> Arc<BTreeSet<String>> {
    tables
}

/// A response extension: facts for the audit log.
#[derive(Clone, Debug)]
pub struct AuditDetail(pub serde_json::Value);

/// A caller with the role [`Role::Admin`]. For any other caller, extraction fails with 403.
pub(super) struct Admin(pub Caller);

#[async_trait]
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, ApiError> {
        parts.extensions.get::<Caller>().cloned().ok_or_else(|| {
            ApiError::new(401, "unauthenticated", "missing credentials", "Send a token.")
        })
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
                "this action requires the role Admin",
                "Ask an admin of this organization, or send the admin token.",
            )),
        }
    }
}
