//! Longer steps for a range with too many points.

use std::time::Duration;

use super::query::MetricsQuery;
use super::step::Every;
use crate::query::context::QueryContext;

/// Steps to choose from, and their seconds. Rollups exist for all of them.
const STEPS: [(&str, u64); 6] =
    [("5m", 300), ("15m", 900), ("1h", 3_600), ("6h", 21_600), ("day", 86_400), ("week", 604_800)];

/// A query with longer steps, so that its points cover the whole range.
#[derive(Debug)]
pub struct CoveringQuery {
    /// The query.
    pub query: MetricsQuery,
    /// A message that names the longer step, to show with the result.
    pub notice: String,
}

impl MetricsQuery {
    /// Returns the same query in longer steps, at most `max_rows` for the range.
    ///
    /// It replaces a query with a truncated result, which only shows the beginning of the range.
    /// `None` if its steps are long already.
    pub fn covering(&self, context: &QueryContext, max_rows: usize) -> Option<CoveringQuery> {
        let seconds = u64::try_from(context.to_ms.saturating_sub(context.from_ms) / 1_000).ok()?;
        let current = match &self.every {
            Every::Raw => Duration::ZERO,
            Every::Interval(interval) => interval.duration(),
            Every::Auto => context.interval,
            Every::Calendar(_) => return None,
        };
        let (step, _) = STEPS.into_iter().find(|(_, step)| {
            // A range that begins and ends within steps overlaps one more.
            let rows = seconds / step + 2;
            Duration::from_secs(*step) > current && rows <= max_rows as u64
        })?;
        let notice = format!(
            "Too many points for this time range: each point is the {} of {step}. \
             Narrow the time range for shorter steps.",
            self.aggregate.name()
        );
        let every = Every::try_from(step.to_owned()).ok()?;
        Some(CoveringQuery { query: MetricsQuery { every, ..self.clone() }, notice })
    }
}
