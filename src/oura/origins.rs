//! Addresses of Oura's API, login back ends and published specifications.

use serde::{Deserialize, Serialize};
use url::Url;

/// The addresses that this crate sends requests to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins {
    /// The data API, at api.ouraring.com.
    pub api: Url,
    /// `authorize` at cloud.ouraring.com, `token` and `revoke` at api.ouraring.com.
    pub legacy: LoginUrls,
    /// moi.ouraring.com, for applications registered at the new developer portal.
    pub portal: LoginUrls,
    /// The folder of the published specifications, at cloud.ouraring.com.
    pub specification: Url,
}

/// The endpoints of one login back end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginUrls {
    /// The page where a person grants access.
    pub authorize: Url,
    /// Exchanges a code or a refresh token for tokens.
    pub token: Url,
    /// Revokes a grant.
    pub revoke: Url,
}

/// The login back end that an application is registered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginBackend {
    /// cloud.ouraring.com and api.ouraring.com.
    Legacy,
    /// moi.ouraring.com, the new developer portal.
    Portal,
}

impl Origins {
    /// Oura's own addresses.
    pub fn oura() -> Origins {
        let [api, cloud, portal] =
            ["https://api.ouraring.com", "https://cloud.ouraring.com", "https://moi.ouraring.com"]
                .map(|url| Url::parse(url).expect("constant URLs are valid"));
        Origins::from_hosts(&api, &cloud, &portal)
    }

    /// Moves all addresses to one `origin` (a simulator or a proxy) and keeps their paths. A path
    /// in `origin` becomes their prefix.
    pub fn at(origin: &Url) -> Origins {
        Origins::from_hosts(origin, origin, origin)
    }

    fn from_hosts(api: &Url, cloud: &Url, portal: &Url) -> Origins {
        Origins {
            api: api.clone(),
            legacy: LoginUrls {
                authorize: join_path(cloud, "/oauth/authorize"),
                token: join_path(api, "/oauth/token"),
                revoke: join_path(api, "/oauth/revoke"),
            },
            portal: LoginUrls {
                authorize: join_path(portal, "/oauth/v2/ext/oauth-authorize"),
                token: join_path(portal, "/oauth/v2/ext/oauth-token"),
                revoke: join_path(portal, "/oauth/v2/ext/oauth-revoke"),
            },
            specification: join_path(cloud, "/v2/static/json"),
        }
    }

    /// Returns the endpoints of `backend`.
    pub fn login(&self, backend: LoginBackend) -> &LoginUrls {
        match backend {
            LoginBackend::Legacy => &self.legacy,
            LoginBackend::Portal => &self.portal,
        }
    }
}

/// Appends `path` to the path of `origin`, without query and fragment.
pub(super) fn join_path(origin: &Url, path: &str) -> Url {
    let mut url = origin.clone();
    url.set_path(&format!("{}{path}", origin.path().trim_end_matches('/')));
    url.set_query(None);
    url.set_fragment(None);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_origins_are_ouras_endpoints() {
        let oura = Origins::oura();
        assert_eq!(oura.legacy.authorize.as_str(), "https://cloud.ouraring.com/oauth/authorize");
        assert_eq!(oura.legacy.token.as_str(), "https://api.ouraring.com/oauth/token");
        assert_eq!(oura.legacy.revoke.as_str(), "https://api.ouraring.com/oauth/revoke");
        assert_eq!(oura.portal.token.as_str(), "https://moi.ouraring.com/oauth/v2/ext/oauth-token");
    }

    #[test]
    fn custom_origin_keeps_paths_and_its_own_prefix() {
        let origins = Origins::at(&Url::parse("http://127.0.0.1:9/oura/?x=1").unwrap());
        assert_eq!(origins.legacy.token.as_str(), "http://127.0.0.1:9/oura/oauth/token");
        assert_eq!(
            origins.portal.revoke.as_str(),
            "http://127.0.0.1:9/oura/oauth/v2/ext/oauth-revoke"
        );
        assert_eq!(
            join_path(&origins.api, "/v2/usercollection/vO2_max").as_str(),
            "http://127.0.0.1:9/oura/v2/usercollection/vO2_max"
        );
    }
}
