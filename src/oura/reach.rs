//! Whether Oura answers at all, and what time it is there. No login needed.

use super::{Origins, answer, below};
use crate::time::Clock;

/// Asks the API without a token. `Ok` holds how far the clock here is ahead of Oura's, in seconds, if Oura says what time it is; `Err` why
/// no answer came.
pub async fn reach(
    http: &reqwest::Client,
    origins: &Origins,
    clock: &Clock,
) -> Result<Option<i64>, String> {
    let response = http
        .get(below(&origins.api, "/v2/usercollection/personal_info"))
        .send()
        .await
        .map_err(answer::network)?;
    match response.status().as_u16() {
        status @ 500.. => Err(format!("it answers {status}")),
        _ => Ok(answer::skew(response.headers(), clock.now())),
    }
}
