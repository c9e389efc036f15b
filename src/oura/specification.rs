//! The API specifications that Oura publishes: one OpenAPI document per version, with the version
//! in the file name. Oura has no index, so a search requests the possible next versions.

use std::fmt;
use std::str::FromStr;

use super::response::{self, BodyError};
use super::{NetworkError, Origins, join_path};

/// A version of Oura's API, for example `1.43`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The part before the dot.
    pub major: u32,
    /// The part after the dot.
    pub minor: u32,
}

/// A published specification.
#[derive(Debug)]
pub struct PublishedSpecification {
    /// The version in the file name.
    pub version: Version,
    /// The document as published: valid JSON, otherwise unchecked.
    pub document: Vec<u8>,
}

/// Why a search for newer versions failed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecificationError {
    /// No response, or an incomplete or too long one.
    #[error("Could not fetch Oura's API specification: {0}")]
    Network(NetworkError),
    /// A status other than "published" or "not found".
    #[error("Could not fetch Oura's API specification: HTTP status {status}")]
    Status {
        /// The HTTP status.
        status: u16,
    },
}

/// The longest document. Version 1.43 has 450 KiB.
const MAX_DOCUMENT_BYTES: usize = 8 << 20;
/// The largest step between minor versions: 1.43 followed 1.37.
const MAX_MINOR_STEP: u32 = 10;
/// The most requests of one search.
const MAX_REQUESTS: usize = 40;

/// Finds the newest published version after `current`, if one exists.
pub async fn find_newer(
    http: &reqwest::Client,
    origins: &Origins,
    current: Version,
) -> Result<Option<PublishedSpecification>, SpecificationError> {
    let mut newest: Option<PublishedSpecification> = None;
    let mut requests_left = MAX_REQUESTS;
    loop {
        let base = newest.as_ref().map_or(current, |published| published.version);
        let mut found = None;
        for version in base.successors() {
            if requests_left == 0 {
                return Ok(newest);
            }
            requests_left -= 1;
            found = fetch(http, origins, version).await?;
            if found.is_some() {
                break;
            }
        }
        match found {
            Some(_) => newest = found,
            None => return Ok(newest),
        }
    }
}

/// Fetches the document of `version`, if it is published.
async fn fetch(
    http: &reqwest::Client,
    origins: &Origins,
    version: Version,
) -> Result<Option<PublishedSpecification>, SpecificationError> {
    let url = join_path(&origins.specification, &format!("/openapi-{version}.json"));
    let response =
        http.get(url).send().await.map_err(|error| SpecificationError::Network(error.into()))?;
    match response.status().as_u16() {
        200 => {}
        // File stores answer 403 for missing files, and web servers may redirect to an error page.
        300..=399 | 403 | 404 | 410 => return Ok(None),
        status => return Err(SpecificationError::Status { status }),
    }
    match response::read_body(response, MAX_DOCUMENT_BYTES).await {
        Ok(document) => {
            // A "not found" page with status 200 is not JSON.
            let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&document).is_ok();
            Ok(is_json.then_some(PublishedSpecification { version, document }))
        }
        Err(BodyError::Incomplete { error, .. }) => Err(SpecificationError::Network(error)),
        Err(BodyError::TooLong { limit }) => {
            let error = NetworkError::new(format!("more than {limit} bytes"));
            Err(SpecificationError::Network(error))
        }
    }
}

impl Version {
    /// Returns the versions that may follow this one.
    fn successors(self) -> impl Iterator<Item = Version> {
        (1..=MAX_MINOR_STEP)
            .map(move |step| Version { major: self.major, minor: self.minor + step })
            .chain([Version { major: self.major + 1, minor: 0 }])
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A text that is not a [`Version`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid API version {0:?}: use two numbers, for example 1.43")]
pub struct InvalidVersion(String);

impl FromStr for Version {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Version, InvalidVersion> {
        let invalid = || InvalidVersion(text.to_owned());
        let (major, minor) = text.split_once('.').ok_or_else(invalid)?;
        Ok(Version {
            major: major.parse().map_err(|_| invalid())?,
            minor: minor.parse().map_err(|_| invalid())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oura::fake_server::{FakeServer, respond};
    use crate::oura::http_client;

    const CURRENT: Version = Version { major: 1, minor: 43 };

    async fn find_version(server: &FakeServer) -> Result<Option<String>, SpecificationError> {
        let published = find_newer(&http_client().unwrap(), &server.origins(), CURRENT).await?;
        Ok(published.map(|published| published.version.to_string()))
    }

    #[tokio::test]
    async fn newest_version_is_found_across_gaps() {
        let server = FakeServer::new(|request| match request.path.as_str() {
            "/v2/static/json/openapi-1.49.json" | "/v2/static/json/openapi-1.52.json" => {
                respond(200, "{}")
            }
            "/v2/static/json/openapi-1.45.json" => respond(200, "<html>not found</html>"),
            _ => respond(403, ""),
        })
        .await;
        assert_eq!(find_version(&server).await, Ok(Some("1.52".to_owned())));
    }

    #[tokio::test]
    async fn failing_server_is_an_error() {
        let server = FakeServer::new(|_| respond(503, "")).await;
        assert_eq!(find_version(&server).await, Err(SpecificationError::Status { status: 503 }));
    }

    #[tokio::test]
    async fn search_is_bounded() {
        let server = FakeServer::new(|_| respond(200, "{}")).await;
        assert_eq!(find_version(&server).await, Ok(Some("1.83".to_owned())));
    }
}
