//! The queries of a data source: SQL, metrics and annotations over stored data, each with a notice
//! if the data is outdated.

use std::sync::Arc;
use std::time::Instant;

use super::notice::Notices;
use crate::blocking::blocking;
use crate::query::annotations::AnnotationsQuery;
use crate::query::metrics::{CoveringQuery, MetricsQuery, Plan};
use crate::query::{
    Engine, Format, QueryContext, QueryCounters, QueryCounts, QueryError, QueryResult, RowStream,
    SqlQuery,
};
use crate::store::{Batches, Store};

/// The query part of a data source: engine, counters and notices.
pub(super) struct Queries {
    engine: Engine,
    store: Store,
    counters: QueryCounters,
    /// `None` for a demo, in which data is never outdated.
    notices: Option<Arc<Notices>>,
}

impl Queries {
    pub(super) fn new(engine: Engine, store: Store, notices: Option<Notices>) -> Queries {
        let notices = notices.map(Arc::new);
        Queries { engine, store, counters: QueryCounters::default(), notices }
    }

    /// Runs a query, and adds a notice to its result if the data is outdated.
    pub(super) async fn run(
        &self,
        query: &SqlQuery,
        context: &QueryContext,
    ) -> Result<QueryResult, QueryError> {
        let (mut result, notice) =
            self.counted(self.engine.run(query, context), |result| result).await?;
        result.notices.extend(notice);
        Ok(result)
    }

    /// Runs a query as [`Queries::run`] does, and returns its rows while they are read.
    pub(super) async fn stream(
        &self,
        query: &SqlQuery,
        context: &QueryContext,
        batches: Batches,
    ) -> Result<RowStream, QueryError> {
        let (mut rows, notice) =
            self.counted(self.engine.stream(query, context, batches), |rows| &rows.head).await?;
        rows.head.notices.extend(notice);
        Ok(rows)
    }

    /// Counts `query` and its duration. Also returns the notice if the data is outdated.
    async fn counted<T>(
        &self,
        query: impl Future<Output = Result<T, QueryError>>,
        result: impl Fn(&T) -> &QueryResult,
    ) -> Result<(T, Option<String>), QueryError> {
        let started = Instant::now();
        let (outcome, notice) = tokio::join!(query, self.notice());
        self.counters.record(outcome.as_ref().map(result), started.elapsed());
        if let Err(error @ QueryError::TooManyFiles) = &outcome {
            tracing::error!(%error, "a query failed. {}", error.hint());
        }
        Ok((outcome?, notice))
    }

    /// Runs a metrics query. Returns the result and its format.
    ///
    /// If a limit truncates the result, runs it again with longer steps that cover the whole range.
    pub(super) async fn run_metrics(
        &self,
        metrics: &MetricsQuery,
        context: &QueryContext,
    ) -> Result<(QueryResult, Format), QueryError> {
        let mut plan = self.plan(metrics, context).await?;
        let mut result = self.run(&plan.query, context).await?;
        if result.batch.truncation.is_some()
            && let Some(CoveringQuery { query: covering, notice }) =
                metrics.covering(context, result.batch.rows)
        {
            plan = self.plan(&covering, context).await?;
            result = self.run(&plan.query, context).await?;
            result.notices.push(notice);
        }
        let format = plan.query.format;
        plan.describe(&mut result);
        Ok((result, format))
    }

    /// Plans a metrics query on a blocking thread: its filters can be long.
    async fn plan(
        &self,
        metrics: &MetricsQuery,
        context: &QueryContext,
    ) -> Result<Plan, QueryError> {
        let (metrics, context, store) = (metrics.clone(), *context, self.store.clone());
        blocking(move || metrics.plan(&store.catalog(), &context, store.zone())).await
    }

    /// Runs an annotations query. Returns the result and its format.
    pub(super) async fn run_annotations(
        &self,
        annotations: &AnnotationsQuery,
        context: &QueryContext,
    ) -> Result<(QueryResult, Format), QueryError> {
        let query = annotations.plan(&self.store.catalog())?;
        Ok((self.run(&query, context).await?, query.format))
    }

    async fn notice(&self) -> Option<String> {
        let notices = self.notices.as_ref()?;
        if let Some(notice) = notices.known() {
            return notice;
        }
        let notices = Arc::clone(notices);
        blocking(move || notices.current()).await
    }

    /// Returns the number of queries that wait for a slot.
    pub(super) fn waiting(&self) -> u64 {
        self.engine.waiting() as u64
    }

    /// Returns the outcomes and durations of all queries so far.
    pub(super) fn counts(&self) -> QueryCounts {
        self.counters.read()
    }
}
