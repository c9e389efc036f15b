//! Runs the queries of one data source: some at a time, the rest in a short queue.
//!
//! Each query has a deadline and stops when its caller goes away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinHandle};

use super::column_origin::assign_origins;
use super::context::QueryContext;
use super::error::QueryError;
use super::fill::Fill;
use super::limits::Limits;
use super::macros;
use super::request::SqlQuery;
use super::result::QueryResult;
use super::statement;
use crate::catalog::Catalog;
use crate::format::grouped;
use crate::sql::TokenizedSql;
use crate::store::{ColumnBatch, Limit, ReadError, ReadLimits, Scalar, Store, Truncation};
use crate::time::Tz;

/// A query that takes longer counts as slow: it moves to a slow slot.
const SLOW_QUERY: Duration = Duration::from_secs(1);

/// The pause between two attempts of a slow query to move to a slow slot.
const SLOW_SLOT_PAUSE: Duration = Duration::from_millis(200);

/// The maximum number of queued queries. The next one is rejected.
const MAX_WAITING: usize = 64;

type ReadResult = Result<ColumnBatch, ReadError>;

/// Reads one SELECT under limits, and blocks until it ends.
type Read = dyn Fn(&TokenizedSql, &[Scalar], &ReadLimits) -> ReadResult + Send + Sync;

/// Runs the queries of one data source. Clones are cheap and share one queue.
#[derive(Clone)]
pub struct Engine {
    read: Arc<Read>,
    catalog: Arc<dyn Fn() -> Arc<Catalog> + Send + Sync>,
    zone: Tz,
    limits: Limits,
    /// One permit for each query that may run.
    slots: Arc<Semaphore>,
    /// One permit for each slow query that may run, one fewer than `slots`. So a panel of slow
    /// queries does not starve the others.
    slow_slots: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// [`SLOW_QUERY`], or less in tests.
    slow_query: Duration,
    /// [`SLOW_SLOT_PAUSE`], or less in tests.
    slow_slot_pause: Duration,
}

impl Engine {
    /// Returns an engine that reads from `store`. Calendar days are those of `zone`.
    pub fn new(store: Store, zone: Tz, limits: Limits) -> Engine {
        let catalog = store.clone();
        Engine::with_reader(
            move |sql, params, limits| store.read(sql, params, limits),
            move || catalog.catalog(),
            zone,
            limits,
        )
    }

    /// Returns an engine over any function that reads. `catalog` returns the current catalogue,
    /// which describes the columns.
    pub(crate) fn with_reader(
        read: impl Fn(&TokenizedSql, &[Scalar], &ReadLimits) -> ReadResult + Send + Sync + 'static,
        catalog: impl Fn() -> Arc<Catalog> + Send + Sync + 'static,
        zone: Tz,
        limits: Limits,
    ) -> Engine {
        Engine {
            read: Arc::new(read),
            catalog: Arc::new(catalog),
            zone,
            limits,
            slots: Arc::new(Semaphore::new(limits.concurrency.max(1))),
            slow_slots: Arc::new(Semaphore::new(limits.concurrency.saturating_sub(1).max(1))),
            waiting: Arc::default(),
            slow_query: SLOW_QUERY,
            slow_slot_pause: SLOW_SLOT_PAUSE,
        }
    }

    /// Runs `query` on a blocking thread. Dropping the future cancels the query. The time limit
    /// includes the time in the queue.
    pub async fn run(
        &self,
        query: &SqlQuery,
        context: &QueryContext,
    ) -> Result<QueryResult, QueryError> {
        let started = Instant::now();
        let work = Arc::new(Work {
            query: query.clone(),
            context: *context,
            zone: self.zone,
            timeout: self.limits.timeout,
            read: Arc::clone(&self.read),
            catalog: (self.catalog)(),
        });
        let Rows { batch, sql, fill } =
            self.run_in_slot(&work, started + self.limits.timeout).await?;
        let notice = batch.truncation.map(|truncation| truncation_notice(batch.rows, truncation));
        Ok(QueryResult {
            elapsed: started.elapsed(),
            notices: notice.into_iter().collect(),
            fill,
            downsample: (query.downsample, context.max_data_points),
            max_bytes: self.limits.max_bytes,
            ..QueryResult::of(batch, sql)
        })
    }

    /// Returns the number of queued queries.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Waits for a slot and runs.
    ///
    /// A query that proves slow moves to a slow slot. If all slow slots are taken while other
    /// queries wait, the query is stopped and restarts once a slow slot is free.
    async fn run_in_slot(&self, work: &Arc<Work>, deadline: Instant) -> Result<Rows, QueryError> {
        let slot = self.acquire(&self.slots, deadline).await?;
        let mut running = self.start(slot, work, deadline);
        let mut pause = self.slow_query;
        loop {
            if let Ok(result) = tokio::time::timeout(pause, &mut running.result).await {
                return joined(result);
            }
            if let Ok(slow_slot) = Arc::clone(&self.slow_slots).try_acquire_owned() {
                running.move_to(slow_slot);
                return joined(running.result.await);
            }
            if self.waiting() > 0 {
                running.cancel.cancel();
                match joined(running.result.await) {
                    Err(QueryError::Cancelled) => break,
                    ended => return ended,
                }
            }
            pause = self.slow_slot_pause;
        }
        let slow_slot = self.acquire(&self.slow_slots, deadline).await?;
        let restarted = self.start(slow_slot, work, deadline);
        let Running { result, cancel: _cancel, .. } = restarted;
        joined(result.await)
    }

    /// Starts to run on a blocking thread.
    fn start(&self, slot: OwnedSemaphorePermit, work: &Arc<Work>, deadline: Instant) -> Running {
        let slot = Arc::new(Mutex::new(Some(slot)));
        let cancelled = Arc::new(AtomicBool::new(false));
        let limits = ReadLimits {
            deadline,
            max_rows: self.limits.max_rows,
            max_bytes: self.limits.max_bytes,
            max_memory: self.limits.max_memory,
            tables: work.query.tables.clone(),
            cancelled: cancelled.clone(),
        };
        let work = Arc::clone(work);
        let used_slot = Arc::clone(&slot);
        let result = tokio::task::spawn_blocking(move || {
            let result = work.run(&limits);
            drop(used_slot.lock().take());
            result
        });
        Running { result, slot, cancel: CancelOnDrop(cancelled) }
    }

    /// Waits in the queue for one of `slots`.
    async fn acquire(
        &self,
        slots: &Arc<Semaphore>,
        deadline: Instant,
    ) -> Result<OwnedSemaphorePermit, QueryError> {
        let _ticket = QueueTicket::take(&self.waiting).ok_or(QueryError::Busy)?;
        let slot = Arc::clone(slots).acquire_owned();
        match tokio::time::timeout_at(deadline.into(), slot).await {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(_)) | Err(_) => Err(QueryError::Busy),
        }
    }
}

/// Everything that a query needs on a blocking thread. Its time grows with the statement, so no
/// part of it runs on an async thread.
struct Work {
    query: SqlQuery,
    context: QueryContext,
    zone: Tz,
    timeout: Duration,
    read: Arc<Read>,
    catalog: Arc<Catalog>,
}

/// The result of [`Work`].
struct Rows {
    batch: ColumnBatch,
    /// The statement that ran.
    sql: String,
    fill: Option<Fill>,
}

impl Work {
    fn run(&self, limits: &ReadLimits) -> Result<Rows, QueryError> {
        let raw_sql = &self.query.raw_sql;
        let written = macros::tokenize(raw_sql)
            .map_err(|error| QueryError::from_macro_error(raw_sql, error))?;
        let expanded = macros::expand(&written, &self.context, self.zone)
            .map_err(|error| QueryError::from_macro_error(raw_sql, error))?;
        statement::validate(&written)?;
        let read = (self.read)(&expanded.sql, &self.query.params, limits);
        let mut batch = read.map_err(|error| {
            QueryError::from_read_error(raw_sql, &expanded, error, self.timeout)
        })?;
        assign_origins(&expanded.sql, &mut batch.columns, &self.catalog);
        Ok(Rows { batch, sql: expanded.sql.text().to_owned(), fill: expanded.fill })
    }
}

/// A query that a blocking thread runs.
struct Running {
    result: JoinHandle<Result<Rows, QueryError>>,
    /// Freed by the thread when the statement ends, even after the caller went away.
    slot: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
    cancel: CancelOnDrop,
}

impl Running {
    /// Exchanges the slot for `slow_slot`, unless the statement has just ended.
    fn move_to(&self, slow_slot: OwnedSemaphorePermit) {
        if let Some(slot) = self.slot.lock().as_mut() {
            *slot = slow_slot;
        }
    }
}

/// Treats a panic of the blocking thread as unreadable data.
fn joined(result: Result<Result<Rows, QueryError>, JoinError>) -> Result<Rows, QueryError> {
    result.unwrap_or_else(|error| Err(QueryError::Unavailable(error.to_string())))
}

/// A place in the queue, freed on drop.
struct QueueTicket(Arc<AtomicUsize>);

impl QueueTicket {
    /// Returns `None` if the queue is full.
    fn take(waiting: &Arc<AtomicUsize>) -> Option<QueueTicket> {
        let ticket = QueueTicket(waiting.clone());
        (waiting.fetch_add(1, Ordering::Relaxed) < MAX_WAITING).then_some(ticket)
    }
}

impl Drop for QueueTicket {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Stops a statement when its query is dropped.
struct CancelOnDrop(Arc<AtomicBool>);

impl CancelOnDrop {
    fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// Returns for example "The first 1,000,000 of 4,485,206 rows are shown."
fn truncation_notice(shown: usize, truncation: Truncation) -> String {
    let at_least = if truncation.is_exact { "" } else { "more than " };
    let size = match truncation.limit {
        Limit::Rows(_) => String::new(),
        Limit::Bytes(bytes) => format!(" ({} MB)", grouped(bytes as u64 >> 20)),
    };
    format!(
        "The first {} of {at_least}{} rows are shown{size}. Narrow the time range or aggregate.",
        grouped(shown as u64),
        grouped(truncation.total_rows as u64)
    )
}

#[cfg(test)]
mod tests;
