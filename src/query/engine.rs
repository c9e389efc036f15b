//! One data source's queries: some at a time, the rest in a short line, each with a deadline, each stopped when nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinHandle};

use super::error::QueryError;
use super::macros::Expanded;
use super::{Limits, QueryContext, QueryResult, SqlQuery, macros, quantity, statement};
use crate::catalog::Catalog;
use crate::format::grouped;
use crate::sql::TokenizedSql;
use crate::store::{ColumnBatch, Limit, ReadError, ReadLimits, Store, Truncation};
use crate::time::Tz;

/// A query that takes longer makes room for the quick ones behind it.
const LONG: Duration = Duration::from_secs(1);
/// How often one that finds no room to make looks again.
const LOOK: Duration = Duration::from_millis(200);

/// How many queries may wait for their turn; one more is turned away.
const MAX_WAITING: usize = 64;

/// Reads one SELECT under limits, blocking: the store's way, or another engine's.
type Read = dyn Fn(&TokenizedSql, &[serde_json::Value], &ReadLimits) -> Result<ColumnBatch, ReadError>
    + Send
    + Sync;

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
        Engine::over(
            move |sql, params, limits| store.read(sql, params, limits),
            move || catalog.catalog(),
            zone,
            limits,
        )
    }

    /// An engine over anything that reads; what its columns mean is in the `catalog` of the moment.
    pub(crate) fn over(
        read: impl Fn(
            &TokenizedSql,
            &[serde_json::Value],
            &ReadLimits,
        ) -> Result<ColumnBatch, ReadError>
        + Send
        + Sync
        + 'static,
        catalog: impl Fn() -> Arc<Catalog> + Send + Sync + 'static,
        zone: Tz,
        limits: Limits,
    ) -> Engine {
        let running = Arc::new(Semaphore::new(limits.concurrency.max(1)));
        let long = Arc::new(Semaphore::new(limits.concurrency.saturating_sub(1).max(1)));
        Engine {
            read: Arc::new(read),
            catalog: Arc::new(catalog),
            zone,
            limits,
            running,
            long,
            waiting: Arc::default(),
        }
    }

    /// Runs `query` on a blocking thread; dropping the future cancels it. The time limit includes waiting for a turn.
    pub async fn run(
        &self,
        query: &SqlQuery,
        context: &QueryContext,
    ) -> Result<QueryResult, QueryError> {
        let started = Instant::now();
        let deadline = started + self.limits.timeout;
        let expanded = macros::expand(&query.raw_sql, context, self.zone)
            .map_err(|error| QueryError::of_macro(&query.raw_sql, error))?;
        statement::check(&query.raw_sql)?;

        let sql = Arc::new(TokenizedSql::new(expanded.sql.as_str()));
        let result = self.read(&sql, &query.params, deadline).await?;
        let mut batch = result.map_err(|error| {
            QueryError::of_read(&query.raw_sql, &expanded, error, self.limits.timeout)
        })?;
        let Expanded { sql: executed, fill, .. } = expanded;
        quantity::find(&sql, &mut batch.columns, &(self.catalog)());
        let notices = batch.truncation.map(|cut| notice(batch.rows, cut)).into_iter().collect();
        let (elapsed, downsample) =
            (started.elapsed(), (query.downsample, context.max_data_points));
        Ok(QueryResult { elapsed, notices, fill, downsample, ..QueryResult::of(batch, executed) })
    }

    /// Reads in turn. What takes long goes on in a place for long ones. Where all of these are taken while others wait for a turn, it is
    /// stopped, and begins anew once there is one.
    async fn read(
        &self,
        sql: &Arc<TokenizedSql>,
        params: &[serde_json::Value],
        deadline: Instant,
    ) -> Result<Result<ColumnBatch, ReadError>, QueryError> {
        let mut running =
            self.start(self.turn(&self.running, deadline).await?, sql, params, deadline);
        let mut patience = LONG;
        loop {
            if let Ok(result) = tokio::time::timeout(patience, &mut running.result).await {
                return outcome(result);
            }
            if let Ok(place) = Arc::clone(&self.long).try_acquire_owned() {
                running.move_to(place);
                return outcome(running.result.await);
            }
            if self.waiting() > 0 {
                running.cancel.now();
                match outcome(running.result.await) {
                    Ok(Err(ReadError::Cancelled)) => break,
                    ended => return ended,
                }
            }
            patience = LOOK;
        }
        let again = self.start(self.turn(&self.long, deadline).await?, sql, params, deadline);
        let Running { result, cancel: _cancel, .. } = again;
        outcome(result.await)
    }

    fn start(
        &self,
        turn: OwnedSemaphorePermit,
        sql: &Arc<TokenizedSql>,
        params: &[serde_json::Value],
        deadline: Instant,
    ) -> Running {
        let turn = Arc::new(Mutex::new(Some(turn)));
        let cancelled = Arc::new(AtomicBool::new(false));
        let limits = ReadLimits {
            deadline,
            max_rows: self.limits.max_rows,
            max_bytes: self.limits.max_bytes,
            cancelled: cancelled.clone(),
        };
        let (read, statement, params, held) =
            (self.read.clone(), Arc::clone(sql), params.to_owned(), Arc::clone(&turn));
        let result = tokio::task::spawn_blocking(move || {
            let result = read(&statement, &params, &limits);
            drop(held.lock().take());
            result
        });
        Running { result, turn, cancel: CancelOnDrop(cancelled) }
    }

    /// How many queries wait for their turn.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    async fn turn(
        &self,
        of: &Arc<Semaphore>,
        deadline: Instant,
    ) -> Result<OwnedSemaphorePermit, QueryError> {
        let _place = QueueTicket::take(&self.waiting).ok_or(QueryError::Busy)?;
        let turn = Arc::clone(of).acquire_owned();
        match tokio::time::timeout_at(deadline.into(), turn).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(QueryError::Busy),
        }
    }
}

/// A statement that is being read.
struct Running {
    result: JoinHandle<Result<ColumnBatch, ReadError>>,
    /// Given back when the statement has ended, even if nobody waits for it any more.
    turn: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
    cancel: CancelOnDrop,
}

impl Running {
    /// Gives the turn back for `place`, unless the statement has just ended.
    fn move_to(&self, place: OwnedSemaphorePermit) {
        self.turn.lock().as_mut().map(|turn| std::mem::replace(turn, place));
    }
}

fn outcome(
    joined: Result<Result<ColumnBatch, ReadError>, JoinError>,
) -> Result<Result<ColumnBatch, ReadError>, QueryError> {
    joined.map_err(|error| QueryError::Unavailable(error.to_string()))
}

/// A place in the line, given back when left.
struct QueueTicket(Arc<AtomicUsize>);

impl QueueTicket {
    fn take(waiting: &Arc<AtomicUsize>) -> Option<QueueTicket> {
        let place = QueueTicket(waiting.clone());
        (waiting.fetch_add(1, Ordering::Relaxed) < MAX_WAITING).then_some(place)
    }
}

impl Drop for QueueTicket {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct CancelOnDrop(Arc<AtomicBool>);

impl CancelOnDrop {
    fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.now();
    }
}

/// "The first 1,000,000 of 4,485,206 rows are shown."
fn notice(shown: usize, cut: Truncation) -> String {
    let of = if cut.is_exact { "" } else { "more than " };
    let size = match cut.limit {
        Limit::Rows(_) => String::new(),
        Limit::Bytes(bytes) => format!(" ({} MB)", grouped(bytes as u64 >> 20)),
    };
    format!(
        "The first {} of {of}{} rows are shown{size}. Narrow the time range or aggregate.",
        grouped(shown as u64),
        grouped(cut.total_rows as u64)
    )
}

#[cfg(test)]
mod tests;
