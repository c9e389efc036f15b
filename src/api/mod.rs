//! The resource routes, as one router: the plugin calls it in memory, `serve` mounts it on a port under `/api/`.

use axum::Router;

use crate::account::Account;

/// Who calls. The door (plugin or `serve`) decides it and puts it into the request's extensions.
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

/// Every route, for one data source.
pub fn router(account: Account) -> Router {
    let _ = account;
    todo!()
}
