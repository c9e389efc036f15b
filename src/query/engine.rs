//! One data source's queries: some at a time, the rest in a short line, each with a deadline, each stopped when nobody waits for it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::QueryError;
use super::macros::Expanded;
use super::{Answer, Limits, QueryContext, SqlQuery, macros, quantity, statement};
use crate::catalog::Catalog;
use crate::store::{ColumnBatch, Cut, Limit, ReadError, ReadLimits, Store};
use crate::time::Tz;
use crate::words::grouped;

/// A query that takes longer makes room for the quick ones behind it.
const LONG: Duration = Duration::from_secs(1);

/// How many queries may wait for their turn; one more is turned away.
const MAX_WAITING: usize = 64;

/// Reads one SELECT under limits, blocking: the store's way, or another engine's.
type Read = dyn Fn(&str, &[serde_json::Value], &ReadLimits) -> Result<ColumnBatch, ReadError> + Send + Sync;

/// Answers queries of one data source. Cheap to clone; clones share the line.
#[derive(Clone)]
pub struct Engine {
    read: Arc<Read>,
    catalog: Arc<dyn Fn() -> Arc<Catalog> + Send + Sync>,
    zone: Tz,
    limits: Limits,
    running: Arc<Semaphore>,
    /// Places for those that turned out to be long, one less than there are turns: a panel of slow queries does not starve the others.
    long: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

impl Engine {
    pub fn new(store: Store, zone: Tz, limits: Limits) -> Engine {
        let catalog = store.clone();
        Engine::over(move |sql, params, limits| store.read(sql, params, limits), move || catalog.catalog(), zone, limits)
    }

    /// An engine over anything that reads; what its columns mean is in the `catalog` of the moment.
    pub(crate) fn over(
        read: impl Fn(&str, &[serde_json::Value], &ReadLimits) -> Result<ColumnBatch, ReadError> + Send + Sync + 'static,
        catalog: impl Fn() -> Arc<Catalog> + Send + Sync + 'static,
        zone: Tz,
        limits: Limits,
    ) -> Engine {
        let running = Arc::new(Semaphore::new(limits.concurrency.max(1)));
        let long = Arc::new(Semaphore::new(limits.concurrency.saturating_sub(1).max(1)));
        Engine { read: Arc::new(read), catalog: Arc::new(catalog), zone, limits, running, long, waiting: Arc::default() }
    }

    /// Runs `query` on a blocking thread; dropping the future cancels it. The time limit includes waiting for a turn.
    pub async fn run(&self, query: &SqlQuery, context: &QueryContext) -> Result<Answer, QueryError> {
        let started = Instant::now();
        let deadline = started + self.limits.timeout;
        let cancelled = Arc::new(AtomicBool::new(false));
        statement::check(&query.raw_sql)?;
        let expanded = macros::expand(&query.raw_sql, context, self.zone).map_err(|error| QueryError::of_macro(&query.raw_sql, error))?;

        let turn = Arc::new(Mutex::new(Some(self.turn(deadline).await?)));
        let limits =
            ReadLimits { deadline, max_rows: self.limits.max_rows, max_bytes: self.limits.max_bytes, cancelled: cancelled.clone() };
        let _cancel = CancelOnDrop(cancelled);
        let (read, statement, params) = (self.read.clone(), expanded.sql.clone(), query.params.clone());
        // Given back when the statement has ended, even if nobody waits for it any more.
        let held = Arc::clone(&turn);
        let mut result = tokio::task::spawn_blocking(move || {
            let result = read(&statement, &params, &limits);
            drop(held.lock().unwrap_or_else(PoisonError::into_inner).take());
            result
        });
        let result = match tokio::time::timeout(LONG, &mut result).await {
            Ok(result) => result,
            Err(_) => {
                if let Ok(place) = Arc::clone(&self.long).try_acquire_owned() {
                    turn.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(|turn| std::mem::replace(turn, place));
                }
                result.await
            }
        };
        let result = result.map_err(|error| QueryError::Unavailable(error.to_string()))?;
        let mut batch = result.map_err(|error| QueryError::of_read(&query.raw_sql, &expanded, error, self.limits.timeout))?;
        let Expanded { sql, fill, .. } = expanded;
        quantity::find(&sql, &mut batch.columns, &(self.catalog)());
        let notices = batch.cut.map(|cut| notice(batch.rows, cut)).into_iter().collect();
        let (elapsed, downsample) = (started.elapsed(), (query.downsample, context.max_data_points));
        Ok(Answer { elapsed, notices, fill, downsample, ..Answer::of(batch, sql) })
    }

    /// How many queries wait for their turn.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    async fn turn(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, QueryError> {
        let _place = Place::take(&self.waiting).ok_or(QueryError::Busy)?;
        let turn = self.running.clone().acquire_owned();
        match tokio::time::timeout_at(deadline.into(), turn).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(QueryError::Busy),
        }
    }
}

/// A place in the line, given back when left.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(waiting: &Arc<AtomicUsize>) -> Option<Place> {
        let place = Place(waiting.clone());
        (waiting.fetch_add(1, Ordering::Relaxed) < MAX_WAITING).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// "The first 1,000,000 of 4,485,206 rows are shown."
fn notice(shown: usize, cut: Cut) -> String {
    let of = if cut.counted { "" } else { "more than " };
    let size = match cut.limit {
        Limit::Rows(_) => String::new(),
        Limit::Bytes(bytes) => format!(" ({} MB)", grouped(bytes as u64 >> 20)),
    };
    format!(
        "The first {} of {of}{} rows are shown{size}. Narrow the time range or aggregate.",
        grouped(shown as u64),
        grouped(cut.rows as u64)
    )
}

#[cfg(test)]
mod tests;
