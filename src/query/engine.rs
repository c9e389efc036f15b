//! Runs the queries of one data source: some at a time, the rest in a short queue.
//!
//! Each query has a deadline and stops when its caller goes away.

mod slots;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::cancel::CancelOnDrop;
use super::column_origin::assign_origins;
use super::context::QueryContext;
use super::error::QueryError;
use super::expansion::expand;
use super::fill::Fill;
use super::limits::Limits;
use super::macros::{self, Expanded};
use super::request::SqlQuery;
use super::result::{QueryResult, truncation_notice};
use super::row_stream::{LaterBatches, RowStream};
use super::statement;
use crate::catalog::Catalog;
use crate::sql::TokenizedSql;
use crate::store::{BatchSink, Batches, ColumnBatch, ReadError, ReadLimits, Scalar, Store};
use crate::time::Tz;
use slots::{Full, Queued, Slot, Slots};

/// A query that takes longer counts as slow: it moves to a slow slot.
const SLOW_QUERY: Duration = Duration::from_secs(1);

/// The pause between two attempts of a slow query to move to a slow slot.
const SLOW_SLOT_PAUSE: Duration = Duration::from_millis(200);

/// The maximum number of queued queries. The next one is rejected.
const MAX_WAITING: usize = 64;

/// The streams of several batches that the process sends at the same time. Each holds a blocking
/// thread that reads, and needs another one that writes: with all threads reading, none would end.
static STREAMS: Semaphore = Semaphore::const_new(64);

type ReadResult = Result<ColumnBatch, ReadError>;

/// Reads one SELECT under limits, and blocks until it ends.
trait Read: Send + Sync {
    fn read(&self, sql: &TokenizedSql, params: &[Scalar], limits: &ReadLimits) -> ReadResult;

    /// Passes the rows to `sink`, in one batch or in several.
    fn read_batches(
        &self,
        sql: &TokenizedSql,
        params: &[Scalar],
        limits: &ReadLimits,
        _batches: Batches,
        sink: &mut BatchSink<'_>,
    ) -> Result<(), ReadError> {
        sink(self.read(sql, params, limits)?, true);
        Ok(())
    }
}

impl<F> Read for F
where
    F: Fn(&TokenizedSql, &[Scalar], &ReadLimits) -> ReadResult + Send + Sync,
{
    fn read(&self, sql: &TokenizedSql, params: &[Scalar], limits: &ReadLimits) -> ReadResult {
        self(sql, params, limits)
    }
}

impl Read for Store {
    fn read(&self, sql: &TokenizedSql, params: &[Scalar], limits: &ReadLimits) -> ReadResult {
        Store::read(self, sql, params, limits)
    }

    fn read_batches(
        &self,
        sql: &TokenizedSql,
        params: &[Scalar],
        limits: &ReadLimits,
        batches: Batches,
        sink: &mut BatchSink<'_>,
    ) -> Result<(), ReadError> {
        Store::read_batches(self, sql, params, limits, batches, sink)
    }
}

/// Runs the queries of one data source. Clones are cheap and share one queue.
#[derive(Clone)]
pub struct Engine {
    read: Arc<dyn Read>,
    catalog: Arc<dyn Fn() -> Arc<Catalog> + Send + Sync>,
    zone: Tz,
    limits: Limits,
    /// One for each query that may run.
    slots: Slots,
    /// One for each slow query that may run, one fewer than `slots`. So a panel of slow queries
    /// does not starve the others.
    slow_slots: Slots,
    /// [`SLOW_QUERY`], or less in tests.
    slow_query: Duration,
    /// [`SLOW_SLOT_PAUSE`], or less in tests.
    slow_slot_pause: Duration,
}

impl Engine {
    /// Returns an engine that reads from `store`. Calendar days are those of `zone`.
    pub fn new(store: Store, zone: Tz, limits: Limits) -> Engine {
        let catalog = store.clone();
        Engine::with(Arc::new(store), move || catalog.catalog(), zone, limits)
    }

    /// Returns an engine over any reader. `catalog` returns the current catalogue, which describes
    /// the columns.
    fn with(
        read: Arc<dyn Read>,
        catalog: impl Fn() -> Arc<Catalog> + Send + Sync + 'static,
        zone: Tz,
        limits: Limits,
    ) -> Engine {
        Engine {
            read,
            catalog: Arc::new(catalog),
            zone,
            limits,
            slots: Slots::new(limits.concurrency.max(1)),
            slow_slots: Slots::new(limits.concurrency.saturating_sub(1).max(1)),
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
        let work = self.work(query, context, Batches::One);
        let deadline = started + self.limits.timeout;
        let Started { answer, .. } = self.run_in_slot(&work, deadline, &Work::answer).await?;
        Ok(self.result(answer, started, query, context))
    }

    /// Runs `query` as [`Engine::run`] does, and returns its rows while they are read, in
    /// `batches`. The time in which the rows wait for their receiver does not count.
    pub async fn stream(
        &self,
        query: &SqlQuery,
        context: &QueryContext,
        batches: Batches,
    ) -> Result<RowStream, QueryError> {
        let started = Instant::now();
        let work = self.work(query, context, batches);
        let deadline = started + self.limits.timeout;
        let mut stream = self.run_in_slot(&work, deadline, &Work::stream).await?;
        if stream.answer.rest.is_some() && !self.move_to_slow_slot(&mut stream) {
            // Frees its slot for quick queries.
            drop(stream);
            stream = self.run_in_slow_slot(&work, deadline, &Work::stream).await?;
        }
        let Started { answer: Head { rows, rest }, cancel, .. } = stream;
        let permit = match &rest {
            None => None,
            Some(_) => Some(STREAMS.try_acquire().map_err(|_| QueryError::Busy)?),
        };
        let head = self.result(rows, started, query, context);
        Ok(RowStream::new(head, rest, cancel, permit))
    }

    fn work(&self, query: &SqlQuery, context: &QueryContext, batches: Batches) -> Arc<Work> {
        Arc::new(Work {
            query: query.clone(),
            context: *context,
            zone: self.zone,
            timeout: self.limits.timeout,
            read: Arc::clone(&self.read),
            catalog: (self.catalog)(),
            batches,
        })
    }

    fn result(
        &self,
        rows: Rows,
        started: Instant,
        query: &SqlQuery,
        context: &QueryContext,
    ) -> QueryResult {
        let Rows { batch, sql, fill } = rows;
        let notice = batch.truncation.map(|truncation| truncation_notice(batch.rows, truncation));
        QueryResult {
            elapsed: started.elapsed(),
            notices: notice.into_iter().collect(),
            fill,
            downsample: (query.downsample, context.max_data_points),
            max_bytes: self.limits.max_bytes,
            ..QueryResult::of(batch, sql)
        }
    }

    /// Returns the number of queued queries, for a slot or a slow slot.
    pub fn waiting(&self) -> usize {
        self.slots.waiting() + self.slow_slots.waiting()
    }

    /// Waits for a slot, and runs until `job` answers.
    ///
    /// A query that proves slow moves to a slow slot. If all slow slots are taken while other
    /// queries wait for a slot, the query is stopped and restarts once a slow slot is free.
    async fn run_in_slot<T: Send + 'static>(
        &self,
        work: &Arc<Work>,
        deadline: Instant,
        job: &'static Job<T>,
    ) -> Result<Started<T>, QueryError> {
        let mut running = self.start(&self.slots, &self.slow_slots, work, deadline, job)?;
        let mut next_check = deadline.min(Instant::now() + self.slow_query);
        loop {
            let answer = tokio::time::timeout_at(next_check.into(), &mut running.answer).await;
            if let Ok(answer) = answer {
                return running.started(answer, false);
            }
            let now = Instant::now();
            let Some(&started_at) = running.started_at.get() else {
                if now >= deadline {
                    return Err(QueryError::Busy);
                }
                next_check = deadline.min(now + self.slow_query);
                continue;
            };
            if now < started_at + self.slow_query {
                next_check = started_at + self.slow_query;
                continue;
            }
            if let Some(slow_slot) = self.slow_slots.try_take() {
                move_slot(&running.slot, slow_slot);
                let answer = (&mut running.answer).await;
                return running.started(answer, true);
            }
            if self.slots.waiting() > 0 {
                running.cancel.cancel();
                match flatten((&mut running.answer).await) {
                    Err(QueryError::Cancelled) => break,
                    Err(error) => return Err(error),
                    Ok(answer) => return running.started(Ok(Ok(answer)), false),
                }
            }
            next_check = now + self.slow_slot_pause;
        }
        self.run_in_slow_slot(work, deadline, job).await
    }

    /// Waits for a slow slot, and runs until `job` answers.
    async fn run_in_slow_slot<T: Send + 'static>(
        &self,
        work: &Arc<Work>,
        deadline: Instant,
        job: &'static Job<T>,
    ) -> Result<Started<T>, QueryError> {
        let mut running = self.start(&self.slow_slots, &self.slots, work, deadline, job)?;
        let answer = match tokio::time::timeout_at(deadline.into(), &mut running.answer).await {
            Ok(answer) => answer,
            Err(_) if running.started_at.get().is_none() => return Err(QueryError::Busy),
            // The statement stops at its deadline.
            Err(_) => (&mut running.answer).await,
        };
        running.started(answer, true)
    }

    /// Exchanges the slot of a running query for a slow slot. Returns false if all are taken.
    fn move_to_slow_slot<T>(&self, started: &mut Started<T>) -> bool {
        if !started.has_slow_slot
            && let Some(slow_slot) = self.slow_slots.try_take()
        {
            move_slot(&started.slot, slow_slot);
            started.has_slow_slot = true;
        }
        started.has_slow_slot
    }

    /// Starts to run on a blocking thread once one of `slots` is free. The queue of `others` counts
    /// towards the same limit.
    fn start<T: Send + 'static>(
        &self,
        slots: &Slots,
        others: &Slots,
        work: &Arc<Work>,
        deadline: Instant,
        job: &'static Job<T>,
    ) -> Result<Running<T>, QueryError> {
        let slot = Arc::new(Mutex::new(None));
        let cancel = CancelOnDrop::default();
        let limits = ReadLimits {
            deadline,
            max_rows: self.limits.max_rows,
            max_bytes: self.limits.max_bytes,
            max_memory: self.limits.max_memory,
            tables: work.query.tables.clone(),
            cancelled: cancel.flag(),
        };
        let work = Arc::clone(work);
        let started_at = Arc::new(OnceLock::new());
        let (reply, answer) = oneshot::channel();
        let in_slot = {
            let (slot, started_at) = (Arc::clone(&slot), Arc::clone(&started_at));
            move |taken| {
                *slot.lock() = Some(taken);
                // Freed even after a panic.
                let slot = FreeOnDrop(slot);
                started_at.get_or_init(Instant::now);
                job(&work, &limits, reply);
                slot.take()
            }
        };
        match slots.start(MAX_WAITING.saturating_sub(others.waiting()), in_slot) {
            Ok(queued) => Ok(Running { answer, slot, started_at, cancel, _queued: queued }),
            Err(Full) => Err(QueryError::Busy),
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
    read: Arc<dyn Read>,
    catalog: Arc<Catalog>,
    batches: Batches,
}

/// A part of [`Work`] that answers once. It may go on afterwards.
type Job<T> = dyn Fn(&Work, &ReadLimits, Reply<T>) + Send + Sync;

/// The receiver of the answer. It is gone if the query was dropped.
type Reply<T> = oneshot::Sender<Result<T, QueryError>>;

/// The result of [`Work`].
struct Rows {
    batch: ColumnBatch,
    /// The statement that ran.
    sql: String,
    fill: Option<Fill>,
}

/// The first rows of a stream, and the others while they are read.
struct Head {
    rows: Rows,
    /// `None` if there are no others.
    rest: Option<LaterBatches>,
}

impl Work {
    /// Answers with all rows.
    fn answer(&self, limits: &ReadLimits, reply: Reply<Rows>) {
        let result = self.with_expanded(|expanded| {
            let batch = self.read.read(&expanded.sql, &self.query.params, limits)?;
            Ok(self.rows(expanded, batch))
        });
        // Without a receiver, the query was dropped.
        let _ = reply.send(result);
    }

    /// Answers with the first batch of rows, and sends the others while it reads them.
    fn stream(&self, limits: &ReadLimits, reply: Reply<Head>) {
        let mut reply = Some(reply);
        let mut whole = None;
        let mut later = None::<mpsc::Sender<_>>;
        let result = self.with_expanded(|expanded| {
            let sink = &mut |batch, is_last| {
                if let Some(later) = &later {
                    return later.blocking_send(Ok((batch, is_last))).is_ok();
                }
                let rows = self.rows(expanded, batch);
                if is_last {
                    // Answers once the connection is free again.
                    whole = Some(rows);
                    return true;
                }
                let (sender, rest) = mpsc::channel(1);
                later = Some(sender);
                let head = Ok(Head { rows, rest: Some(rest) });
                reply.take().is_some_and(|reply| reply.send(head).is_ok())
            };
            let (sql, params) = (&expanded.sql, &self.query.params);
            self.read.read_batches(sql, params, limits, self.batches, sink)
        });
        // Without a receiver, the query was dropped.
        match (reply, later, result) {
            (Some(reply), _, result) => {
                let rows = result.and_then(|()| whole.ok_or_else(QueryError::panicked));
                let _ = reply.send(rows.map(|rows| Head { rows, rest: None }));
            }
            (None, Some(later), Err(error)) => drop(later.blocking_send(Err(error))),
            (None, _, _) => {}
        }
    }

    /// Runs `read` on the statement with its macros expanded.
    fn with_expanded<T>(
        &self,
        read: impl FnOnce(&Expanded) -> Result<T, ReadError>,
    ) -> Result<T, QueryError> {
        let raw_sql = &self.query.raw_sql;
        let macro_error = |error| QueryError::from_macro_error(raw_sql, error);
        let written = macros::tokenize(raw_sql).map_err(macro_error)?;
        let result = || {
            let expanded =
                expand(&written, &self.context, self.zone, &self.catalog).map_err(macro_error)?;
            statement::validate(&written)?;
            read(&expanded).map_err(|error| {
                QueryError::from_read_error(raw_sql, &expanded, error, self.timeout)
            })
        };
        result().map_err(|error: QueryError| error.or_look_alike(&written))
    }

    fn rows(&self, expanded: &Expanded, mut batch: ColumnBatch) -> Rows {
        assign_origins(&expanded.sql, &mut batch.columns, &self.catalog, self.zone);
        Rows { batch, sql: expanded.sql.text().to_owned(), fill: expanded.fill.clone() }
    }
}

/// The slot of a query that runs, which may be exchanged.
type HeldSlot = Arc<Mutex<Option<Slot>>>;

/// Frees a slot when the statement ends, even after a panic, or after the caller went away.
struct FreeOnDrop(HeldSlot);

impl FreeOnDrop {
    fn take(&self) -> Option<Slot> {
        self.0.lock().take()
    }
}

impl Drop for FreeOnDrop {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// Exchanges a slot for `slow_slot`, unless the statement has just ended.
fn move_slot(slot: &HeldSlot, slow_slot: Slot) {
    if let Some(slot) = slot.lock().as_mut() {
        *slot = slow_slot;
    }
}

/// A query that a blocking thread runs, or that is queued for one.
struct Running<T> {
    answer: oneshot::Receiver<Result<T, QueryError>>,
    slot: HeldSlot,
    started_at: Arc<OnceLock<Instant>>,
    cancel: CancelOnDrop,
    _queued: Option<Queued>,
}

/// A query that has answered. It may go on.
struct Started<T> {
    answer: T,
    slot: HeldSlot,
    has_slow_slot: bool,
    cancel: CancelOnDrop,
}

impl<T> Running<T> {
    fn started(self, answer: Answer<T>, has_slow_slot: bool) -> Result<Started<T>, QueryError> {
        let Running { slot, cancel, .. } = self;
        flatten(answer).map(|answer| Started { answer, slot, has_slow_slot, cancel })
    }
}

/// The answer of a blocking thread.
type Answer<T> = Result<Result<T, QueryError>, oneshot::error::RecvError>;

/// Treats a panic of the blocking thread as unreadable data.
fn flatten<T>(answer: Answer<T>) -> Result<T, QueryError> {
    answer.unwrap_or_else(|_| Err(QueryError::panicked()))
}

#[cfg(test)]
mod tests;
