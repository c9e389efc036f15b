//! Oura over HTTP: where it lives, how to log in, how to fetch a page of a collection. Knows the catalogue; nothing of SQLite or Grafana.

mod client;
pub mod oauth;
mod tokens;

pub use client::{Client, FetchError, Page, Range};
pub use tokens::{AccessTokens, GrantVault, TokenError, Tokens};

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

/// Sent with every request, login included: Oura refuses requests without one since 1.43.
pub const USER_AGENT: &str = concat!("ringside-oura-datasource/", env!("CARGO_PKG_VERSION"));

/// Where Oura's API and its two login back ends are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins {
    pub api: Url,
    /// `authorize` at cloud.ouraring.com, `token` and `revoke` at api.ouraring.com.
    pub legacy: LoginUrls,
    /// moi.ouraring.com, for applications registered at the new developer portal.
    pub portal: LoginUrls,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginUrls {
    pub authorize: Url,
    pub token: Url,
    pub revoke: Url,
}

/// Which login back end answered for an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginBackend {
    Legacy,
    Portal,
}

impl Origins {
    /// Oura's own.
    pub fn oura() -> Origins {
        todo!()
    }

    /// Everything at `origin` (a simulator, a proxy), paths kept.
    pub fn at(origin: &Url) -> Origins {
        let _ = origin;
        todo!()
    }

    pub fn login(&self, backend: LoginBackend) -> &LoginUrls {
        match backend {
            LoginBackend::Legacy => &self.legacy,
            LoginBackend::Portal => &self.portal,
        }
    }
}

/// Text that must never be seen: printing it, with `Display` or `Debug`, gives `[secret]`.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
