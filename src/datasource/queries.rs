//! The three kinds of questions, answered from what is stored, each with a word on how current that is.

use super::DataSource;
use crate::blocking::blocking;
use crate::query::annotations::AnnotationsQuery;
use crate::query::metrics::MetricsQuery;
use crate::query::{Format, QueryContext, QueryError, QueryResult, SqlQuery};

impl DataSource {
    pub async fn query(
        &self,
        query: &SqlQuery,
        context: &QueryContext,
    ) -> Result<QueryResult, QueryError> {
        let started = std::time::Instant::now();
        let datasource = self.clone();
        let notice = async {
            match self.inner.settings.demo && self.read_only_reason().is_none() {
                true => None,
                false => blocking(move || datasource.notice()).await,
            }
        };
        let (outcome, notice) = tokio::join!(self.inner.engine.run(query, context), notice);
        self.inner.queries.record(&outcome, started.elapsed());
        let mut answer = outcome?;
        answer.notices.extend(notice);
        Ok(answer)
    }

    /// The answer, and the format that its frames have. If only the beginning of the range can be read, all of it is read in longer steps.
    pub async fn query_metrics(
        &self,
        metrics: &MetricsQuery,
        context: &QueryContext,
    ) -> Result<(QueryResult, Format), QueryError> {
        let mut plan = metrics.plan(&self.catalog(), context, self.zone())?;
        let mut answer = self.query(&plan.query, context).await?;
        if answer.batch.truncation.is_some()
            && let Some((covering, notice)) = metrics.covering(context, answer.batch.rows)
        {
            plan = covering.plan(&self.catalog(), context, self.zone())?;
            answer = self.query(&plan.query, context).await?;
            answer.notices.push(notice);
        }
        let format = plan.query.format;
        plan.describe(&mut answer);
        Ok((answer, format))
    }

    /// The answer, and the format that its frames have.
    pub async fn query_annotations(
        &self,
        annotations: &AnnotationsQuery,
        context: &QueryContext,
    ) -> Result<(QueryResult, Format), QueryError> {
        let plan = annotations.plan(&self.catalog())?;
        Ok((self.query(&plan, context).await?, plan.format))
    }
}
