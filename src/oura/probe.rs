//! A connectivity check against Oura's API that needs no login.

use super::{NetworkError, Origins, join_path, response};
use crate::time::Clock;

/// Why Oura's API is not usable at present.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// No response.
    #[error("{}", .0.detail())]
    Network(NetworkError),
    /// A 5xx response.
    #[error("HTTP status {status}")]
    Server {
        /// The HTTP status.
        status: u16,
    },
}

/// Requests the API without a token; any response below 500 is a success. Returns how many
/// seconds the local clock is ahead of Oura's, or `None` if the response has no valid `Date`.
pub async fn probe(
    http: &reqwest::Client,
    origins: &Origins,
    clock: &Clock,
) -> Result<Option<i64>, ProbeError> {
    let response = http
        .get(join_path(&origins.api, "/v2/usercollection/personal_info"))
        .send()
        .await
        .map_err(|error| ProbeError::Network(error.into()))?;
    match response.status().as_u16() {
        status @ 500.. => Err(ProbeError::Server { status }),
        _ => Ok(response::clock_skew(response.headers(), clock.now())),
    }
}
