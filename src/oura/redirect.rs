//! Redirect addresses: parsed and validated once, where a login request enters.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// A valid address for Oura to send a browser back to after a login.
///
/// It is absolute, uses `http` or `https`, and contains no credentials and no fragment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RedirectUri(Url);

/// Further limits on redirect addresses, set by the entry point of a login request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectScope<'a> {
    /// Only addresses without a query and with a path that ends with this one, on any host.
    Page(&'a str),
    /// Only `https` on any host, or `http` on `localhost`.
    SecureOrLocalhost,
}

/// An invalid redirect address, and the rule that it breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid redirect address {address:?}: {problem}")]
pub struct RedirectUriError {
    /// The rejected address.
    pub address: String,
    /// The broken rule.
    pub problem: RedirectProblem,
}

/// A rule for redirect addresses that an address breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectProblem {
    /// The text cannot be parsed as an absolute address.
    #[error("{0}")]
    Unparsable(#[from] url::ParseError),
    /// The scheme is neither `http` nor `https`.
    #[error("it must start with http:// or https://")]
    UnsupportedScheme,
    /// The address contains a user name or a password.
    #[error("it must not contain a user name or a password")]
    Credentials,
    /// The address contains a fragment.
    #[error("it must not contain a #")]
    Fragment,
    /// The address uses `http` with the IP address of this machine, which Oura rejects.
    #[error("Oura accepts http only for the host name localhost")]
    LoopbackIp {
        /// The same address on `localhost`.
        instead: Url,
    },
    /// The address is not the page that [`RedirectScope::Page`] demands.
    #[error("it must end with {path}")]
    OtherPage {
        /// The demanded end of the path.
        path: String,
    },
    /// The address uses `http` on a host other than `localhost`.
    #[error("http is only allowed on localhost")]
    Insecure,
}

impl RedirectUri {
    /// Parses `text` and checks it against the rules of every redirect address and of `scope`.
    pub fn parse(text: &str, scope: RedirectScope<'_>) -> Result<RedirectUri, RedirectUriError> {
        let uri: RedirectUri = text.parse()?;
        match scope.check(&uri.0) {
            Ok(()) => Ok(uri),
            Err(problem) => Err(RedirectUriError { address: text.to_owned(), problem }),
        }
    }

    /// The address as Oura receives it.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The parsed address.
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for RedirectUri {
    type Err = RedirectUriError;

    fn from_str(text: &str) -> Result<RedirectUri, RedirectUriError> {
        match parse_valid(text) {
            Ok(url) => Ok(RedirectUri(url)),
            Err(problem) => Err(RedirectUriError { address: text.to_owned(), problem }),
        }
    }
}

impl TryFrom<String> for RedirectUri {
    type Error = RedirectUriError;

    fn try_from(text: String) -> Result<RedirectUri, RedirectUriError> {
        text.parse()
    }
}

impl From<RedirectUri> for String {
    fn from(uri: RedirectUri) -> String {
        uri.0.into()
    }
}

impl RedirectScope<'_> {
    fn check(self, url: &Url) -> Result<(), RedirectProblem> {
        match self {
            RedirectScope::Page(path) if !url.path().ends_with(path) || url.query().is_some() => {
                Err(RedirectProblem::OtherPage { path: path.to_owned() })
            }
            RedirectScope::SecureOrLocalhost if url.scheme() == "http" && !is_localhost(url) => {
                Err(RedirectProblem::Insecure)
            }
            RedirectScope::Page(_) | RedirectScope::SecureOrLocalhost => Ok(()),
        }
    }
}

impl RedirectUriError {
    /// How to correct the address.
    pub fn hint(&self) -> String {
        let hint = match &self.problem {
            RedirectProblem::LoopbackIp { instead } => {
                return format!("Use {instead} instead, and register that address with Oura.");
            }
            RedirectProblem::Unparsable(_) | RedirectProblem::UnsupportedScheme => {
                "Send a complete address, for example \
                 https://grafana.example/connections/datasources/edit/oura."
            }
            RedirectProblem::Credentials | RedirectProblem::Fragment => {
                "Remove that part, and register exactly the remaining address with Oura."
            }
            RedirectProblem::OtherPage { .. } => {
                "Send the address of the data source's settings page, as the browser shows it."
            }
            RedirectProblem::Insecure => "Use https, or http://localhost with port and path.",
        };
        hint.to_owned()
    }
}

fn parse_valid(text: &str) -> Result<Url, RedirectProblem> {
    let url = Url::parse(text)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(RedirectProblem::UnsupportedScheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(RedirectProblem::Credentials);
    }
    if url.fragment().is_some() {
        return Err(RedirectProblem::Fragment);
    }
    if url.scheme() == "http" && is_loopback_ip(&url) {
        let mut instead = url;
        instead.set_host(Some("localhost")).expect("localhost is a valid host name");
        return Err(RedirectProblem::LoopbackIp { instead });
    }
    Ok(url)
}

fn is_loopback_ip(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    }
}

fn is_localhost(url: &Url) -> bool {
    url.host_str().is_some_and(|name| name == "localhost" || name.ends_with(".localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: RedirectScope<'_> = RedirectScope::Page("/connections/datasources/edit/oura");

    #[test]
    fn valid_addresses_are_accepted_unchanged() {
        for (address, scope) in [
            ("https://grafana.example/connections/datasources/edit/oura", PAGE),
            ("http://grafana.lan:3000/sub/path/connections/datasources/edit/oura", PAGE),
            ("http://localhost:3000/connections/datasources/edit/oura", PAGE),
            ("http://localhost:8787/callback", RedirectScope::SecureOrLocalhost),
            ("http://ring.localhost/callback", RedirectScope::SecureOrLocalhost),
            ("https://ring.example/callback?from=oura", RedirectScope::SecureOrLocalhost),
            ("https://127.0.0.1/callback", RedirectScope::SecureOrLocalhost),
        ] {
            let uri = RedirectUri::parse(address, scope).unwrap();
            assert_eq!(uri.as_str(), address);
        }
    }

    #[test]
    fn invalid_addresses_are_rejected_with_reason_and_hint() {
        let any = RedirectScope::SecureOrLocalhost;
        for (address, scope, reason, hint) in [
            ("", any, "relative URL without a base", "complete address"),
            ("/callback", any, "relative URL without a base", "complete address"),
            ("https://", any, "empty host", "complete address"),
            ("ftp://ring.example/", any, "must start with http:// or https://", "complete"),
            ("javascript:alert(1)", any, "must start with http:// or https://", "complete"),
            ("https://ann@ring.example/", any, "user name or a password", "Remove that part"),
            ("https://:pass@ring.example/", any, "user name or a password", "Remove that part"),
            ("https://ring.example/#top", any, "must not contain a #", "Remove that part"),
            ("https://ring.example/#", any, "must not contain a #", "Remove that part"),
            (
                "http://127.0.0.1:8787/callback",
                any,
                "only for the host name localhost",
                "Use http://localhost:8787/callback instead",
            ),
            ("http://[::1]:9/", any, "only for the host name", "Use http://localhost:9/ instead"),
            (
                "http://127.0.0.1:3000/connections/datasources/edit/oura",
                PAGE,
                "only for the host name localhost",
                "Use http://localhost:3000/connections/datasources/edit/oura instead",
            ),
            ("http://ring.example/callback", any, "only allowed on localhost", "Use https"),
            ("https://grafana.example/", PAGE, "must end with /connections/", "settings page"),
            (
                "https://grafana.example/connections/datasources/edit/other",
                PAGE,
                "must end with /connections/datasources/edit/oura",
                "settings page",
            ),
            (
                "https://evil.example/?x=/connections/datasources/edit/oura",
                PAGE,
                "must end with",
                "settings page",
            ),
            (
                "https://evil.example/connections/datasources/edit/oura?next=evil",
                PAGE,
                "must end with",
                "settings page",
            ),
            (
                "https://evil.example/#/connections/datasources/edit/oura",
                PAGE,
                "must not contain a #",
                "Remove that part",
            ),
        ] {
            let error = RedirectUri::parse(address, scope).unwrap_err();
            assert_eq!(error.address, address);
            assert!(error.to_string().contains(reason), "{address}: {error}");
            assert!(error.hint().contains(hint), "{address}: {}", error.hint());
        }
    }

    #[test]
    fn an_address_survives_serialisation() {
        let stored = r#""https://ring.example/callback?a=b""#;
        let uri: RedirectUri = serde_json::from_str(stored).unwrap();
        assert_eq!(serde_json::to_string(&uri).unwrap(), stored);
        assert!(serde_json::from_str::<RedirectUri>(r#""ftp://ring.example/""#).is_err());
    }
}
