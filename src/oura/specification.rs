//! The specification that Oura publishes: one OpenAPI document for each version, which only the file's name tells. There is no index:
//! whether a newer one exists is found by asking for it.

use std::fmt;
use std::str::FromStr;

use super::answer::{self, BodyError};
use super::{Origins, below};

/// `1.43`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
}

/// A version and its document as published: JSON, not yet looked at.
#[derive(Debug)]
pub struct Published {
    pub version: Version,
    pub document: Vec<u8>,
}

/// Nothing is known of newer versions.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecificationError {
    #[error("Oura's specification could not be reached: {detail}")]
    Network { detail: String },
    #[error("Oura's specification cannot be read now: the server answers {status}")]
    Status { status: u16 },
}

/// The longest document; 1.43 has 450 KiB.
const LIMIT: usize = 8 << 20;
/// How many versions may be skipped: 1.43 followed 1.37.
const REACH: u32 = 10;
/// The most requests of one search.
const MAX_REQUESTS: usize = 40;

/// The newest version after `known` that is published, if there is one.
pub async fn newer(
    http: &reqwest::Client,
    origins: &Origins,
    known: Version,
) -> Result<Option<Published>, SpecificationError> {
    let mut newest: Option<Published> = None;
    let mut left = MAX_REQUESTS;
    loop {
        let from = newest.as_ref().map_or(known, |published| published.version);
        let mut found = None;
        for version in from.successors() {
            if left == 0 {
                return Ok(newest);
            }
            left -= 1;
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

/// The document of `version`, if it is published.
async fn fetch(
    http: &reqwest::Client,
    origins: &Origins,
    version: Version,
) -> Result<Option<Published>, SpecificationError> {
    let url = below(&origins.specification, &format!("/openapi-{version}.json"));
    let network = |error| SpecificationError::Network { detail: answer::network(error) };
    let response = http.get(url).send().await.map_err(network)?;
    match response.status().as_u16() {
        200 => {}
        // A file store says 403 of what it does not have, a web page may lead elsewhere.
        300..=399 | 403 | 404 | 410 => return Ok(None),
        status => return Err(SpecificationError::Status { status }),
    }
    match answer::body(response, LIMIT).await {
        Ok(document) => {
            // A page that says "not found" with a 200 is no JSON.
            let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&document).is_ok();
            Ok(is_json.then_some(Published { version, document }))
        }
        Err(BodyError::Cut { detail }) => Err(SpecificationError::Network { detail }),
        Err(BodyError::TooLong { limit }) => {
            Err(SpecificationError::Network { detail: format!("more than {limit} bytes") })
        }
    }
}

impl Version {
    fn successors(self) -> impl Iterator<Item = Version> {
        let Version { major, minor } = self;
        (1..=REACH)
            .map(move |step| Version { major, minor: minor + step })
            .chain([Version { major: major + 1, minor: 0 }])
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no version such as 1.43")]
pub struct BadVersion(String);

impl FromStr for Version {
    type Err = BadVersion;

    fn from_str(text: &str) -> Result<Version, BadVersion> {
        let read = || {
            let (major, minor) = text.split_once('.')?;
            Some(Version { major: major.parse().ok()?, minor: minor.parse().ok()? })
        };
        read().ok_or_else(|| BadVersion(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oura::fake::{Fake, answer};
    use crate::oura::http_client;

    const KNOWN: Version = Version { major: 1, minor: 43 };

    async fn found(fake: &Fake) -> Result<Option<String>, SpecificationError> {
        let published = newer(&http_client().unwrap(), &fake.origins(), KNOWN).await?;
        Ok(published.map(|published| published.version.to_string()))
    }

    #[tokio::test]
    async fn the_newest_version_is_found_across_those_that_were_skipped() {
        let fake = Fake::new(|request| match request.path.as_str() {
            "/v2/static/json/openapi-1.49.json" | "/v2/static/json/openapi-1.52.json" => {
                answer(200, "{}")
            }
            "/v2/static/json/openapi-1.45.json" => answer(200, "<html>not found</html>"),
            _ => answer(403, ""),
        })
        .await;
        assert_eq!(found(&fake).await, Ok(Some("1.52".to_owned())));
    }

    #[tokio::test]
    async fn a_server_that_is_unwell_says_nothing_about_versions() {
        let fake = Fake::new(|_| answer(503, "")).await;
        assert_eq!(found(&fake).await, Err(SpecificationError::Status { status: 503 }));
    }

    #[tokio::test]
    async fn a_server_that_has_every_version_is_not_asked_for_ever() {
        let fake = Fake::new(|_| answer(200, "{}")).await;
        assert_eq!(found(&fake).await, Ok(Some("1.83".to_owned())));
    }
}
