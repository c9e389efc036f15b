//! Oura over HTTP: addresses, login, access tokens, and pages of the data API's collections. And the
//! files that its account page exports.

mod access_tokens;
mod account_export;
mod backoff;
mod client;
mod counters;
#[cfg(test)]
mod fake_server;
mod fetch_error;
mod grant_store;
mod http;
mod network_error;
pub mod oauth;
mod origins;
mod page;
mod pages;
mod probe;
mod range;
mod rate_gate;
mod redirect;
mod response;
mod scope;
mod secret;
pub mod specification;
mod status;
mod tokens;

pub use access_tokens::{AccessTokens, TokenError};
pub use account_export::{AccountExport, AccountExportError, ExportedFile};
pub use client::Client;
pub use counters::{RequestCounts, ResponseCount};
pub use fetch_error::{FetchError, FetchErrorKind};
pub use grant_store::{GrantStore, GrantStoreError};
pub use http::{
    BoxFuture, CA_FILE, HttpClientError, REQUEST_TIMEOUT, USER_AGENT, http_client,
    http_client_with_timeout,
};
pub use network_error::{NetworkError, TlsFault};
use origins::join_path;
pub use origins::{LoginBackend, LoginUrls, Origins};
pub use page::Page;
pub use pages::Pages;
pub use probe::{ProbeError, probe};
pub use range::Range;
pub use rate_gate::{RateGate, RateGates};
pub use redirect::{RedirectProblem, RedirectScope, RedirectUri, RedirectUriError};
pub use secret::Secret;
pub use specification::InvalidVersion;
pub use status::StatusClass;
pub use tokens::Tokens;
