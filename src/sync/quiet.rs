//! Quiet polling: a scheduled run first asks for new heart rates, and ends if there are none.
//!
//! A ring that is worn measures the heart rate every few minutes. So an upload brings new heart
//! rates, and one small request stands for all collections. It does not show changes without
//! new heart rates: a tag, a workout of another device, a revision, a ring in its charger. The next
//! full run fetches these.

use tokio::sync::watch;

use super::executor::Executor;
use super::planner::wants;
use super::policy;
use crate::oura::Range;
use crate::store::{Store, StoreError};
use crate::time::Instant;

/// The collection with new rows after each upload.
const PROBED: &str = "heartrate";

/// The longest range of the request, in seconds. Oura rejects ranges above 30 days.
const MAX_RANGE: i64 = 28 * 86_400;

/// How far the request reaches beyond the clock, in seconds, because the clock can be slow.
const AHEAD: i64 = 86_400;

impl Executor {
    /// Returns whether one request shows that a full run would find no news. Without an answer,
    /// or if a full run is due, it returns false.
    pub(super) async fn is_unchanged(
        &self,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<bool, StoreError> {
        let Some(interval) = self.full_sync_interval else { return Ok(false) };
        let catalog = self.store.catalog();
        let Some(probed) = catalog.get(PROBED) else { return Ok(false) };
        if !wants(&self.collections, PROBED) {
            return Ok(false);
        }
        let now = self.clock.now();
        let interval = interval.as_secs() as i64;
        let table = probed.table.clone();
        let newest = self
            .blocking(move |store| {
                if is_full_run_due(store, interval, now)? {
                    return Ok(None);
                }
                store.inspector().newest_row(&table, now)
            })
            .await?;
        let Some(newest) = newest else { return Ok(false) };
        let from = newest.plus(1).max(now.plus(-MAX_RANGE));
        let range = Range { from, to: now.plus(AHEAD) };
        let page = tokio::select! {
            page = self.client.page(probed, range, None) => page,
            _ = stop.wait_for(|stop| *stop) => return Ok(false),
        };
        // After a failure, the full run meets and handles the same one.
        if !page.is_ok_and(|page| page.documents.is_empty() && page.next_token.is_none()) {
            return Ok(false);
        }
        self.blocking(move |store| store.writer().record_unchanged(PROBED, now)).await?;
        Ok(true)
    }
}

/// Returns whether windows wait, or the last full run asks for another one.
fn is_full_run_due(store: &Store, interval: i64, now: Instant) -> Result<bool, StoreError> {
    let waits = store.writer().waiting()?.iter().any(|queued| !policy::is_unfetchable(queued));
    let last = store.inspector().last_full_run()?;
    Ok(waits || policy::is_full_run_due(last.as_ref(), interval, now))
}
