//! Oura over HTTP: where it lives, how to log in, how to fetch a page of a collection. Knows the catalogue; nothing of SQLite or Grafana.

mod answer;
mod client;
#[cfg(test)]
mod fake;
mod meaning;
pub mod oauth;
mod pace;
mod pages;
mod reach;
mod redirect;
pub mod specification;
mod tokens;

pub use client::{Client, FetchError, Page, Range};
pub use pace::{AnswerCount, RequestCounts};
pub use pages::Pages;
pub use reach::reach;
pub use redirect::{RedirectProblem, RedirectScope, RedirectUri, RedirectUriError};
pub use specification::BadVersion;
pub use tokens::{AccessTokens, BoxFuture, GrantStore, GrantStoreError, TokenError, Tokens};

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

/// Sent with every request, login included: Oura refuses requests without one since 1.43.
pub const USER_AGENT: &str = concat!("ringside-oura-datasource/", env!("CARGO_PKG_VERSION"));

/// How long an answer may take from the request to its last byte: the largest page over a slow line.
pub const MAX_ANSWER: Duration = Duration::from_secs(300);

/// The HTTP client for everything that is Oura's, login and API. It follows no redirect: a redirect would carry a client secret or a
/// token to an address that nobody chose. A read that brings nothing for 30 seconds ends, and so does an answer that drips for longer than
/// [`MAX_ANSWER`].
pub fn http_client() -> reqwest::Result<reqwest::Client> {
    http_client_within(MAX_ANSWER)
}

/// [`http_client`] with another end to an answer that drips.
pub fn http_client_within(longest_answer: Duration) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(Duration::from_secs(30))
        .timeout(longest_answer)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

/// Where Oura's API and its two login back ends are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins {
    pub api: Url,
    /// `authorize` at cloud.ouraring.com, `token` and `revoke` at api.ouraring.com.
    pub legacy: LoginUrls,
    /// moi.ouraring.com, for applications registered at the new developer portal.
    pub portal: LoginUrls,
    /// The folder of the published specifications, at cloud.ouraring.com.
    pub specification: Url,
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
        let [api, cloud, portal] =
            ["https://api.ouraring.com", "https://cloud.ouraring.com", "https://moi.ouraring.com"]
                .map(|url| Url::parse(url).expect("valid"));
        Origins::of(&api, &cloud, &portal)
    }

    /// Everything at `origin` (a simulator, a proxy), paths kept. `origin` may have a path of its own, which then comes first.
    pub fn at(origin: &Url) -> Origins {
        Origins::of(origin, origin, origin)
    }

    fn of(api: &Url, cloud: &Url, portal: &Url) -> Origins {
        Origins {
            api: api.clone(),
            legacy: LoginUrls {
                authorize: below(cloud, "/oauth/authorize"),
                token: below(api, "/oauth/token"),
                revoke: below(api, "/oauth/revoke"),
            },
            portal: LoginUrls {
                authorize: below(portal, "/oauth/v2/ext/oauth-authorize"),
                token: below(portal, "/oauth/v2/ext/oauth-token"),
                revoke: below(portal, "/oauth/v2/ext/oauth-revoke"),
            },
            specification: below(cloud, "/v2/static/json"),
        }
    }

    pub fn login(&self, backend: LoginBackend) -> &LoginUrls {
        match backend {
            LoginBackend::Legacy => &self.legacy,
            LoginBackend::Portal => &self.portal,
        }
    }
}

/// `path` below `origin`, whose own path stays.
fn below(origin: &Url, path: &str) -> Url {
    let mut url = origin.clone();
    url.set_path(&format!("{}{path}", origin.path().trim_end_matches('/')));
    url.set_query(None);
    url.set_fragment(None);
    url
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ouras_own_addresses_are_those_of_its_two_login_back_ends() {
        let oura = Origins::oura();
        assert_eq!(oura.legacy.authorize.as_str(), "https://cloud.ouraring.com/oauth/authorize");
        assert_eq!(oura.legacy.token.as_str(), "https://api.ouraring.com/oauth/token");
        assert_eq!(oura.legacy.revoke.as_str(), "https://api.ouraring.com/oauth/revoke");
        assert_eq!(oura.portal.token.as_str(), "https://moi.ouraring.com/oauth/v2/ext/oauth-token");
    }

    #[test]
    fn another_origin_keeps_the_paths_and_its_own_prefix() {
        let origins = Origins::at(&Url::parse("http://127.0.0.1:9/oura/?x=1").unwrap());
        assert_eq!(origins.legacy.token.as_str(), "http://127.0.0.1:9/oura/oauth/token");
        assert_eq!(
            origins.portal.revoke.as_str(),
            "http://127.0.0.1:9/oura/oauth/v2/ext/oauth-revoke"
        );
        assert_eq!(
            below(&origins.api, "/v2/usercollection/vO2_max").as_str(),
            "http://127.0.0.1:9/oura/v2/usercollection/vO2_max"
        );
    }

    #[test]
    fn a_secret_prints_as_secret() {
        assert_eq!(format!("{0} {0:?}", Secret::new("hunter2")), "[secret] [secret]");
    }
}
