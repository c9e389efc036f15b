//! Metrics queries: numbers over time, in steps, with moving averages and baselines.
//!
//! They become SQL, and the engine runs it like any other. The SQL is a pure function of the query,
//! the catalogue, the panel's interval and the zone. It uses macros and parameters, so that a
//! person can take it over and edit it.

mod aggregate;
mod covering;
mod filter;
mod metric;
mod part;
mod plan;
mod planner;
mod points;
mod query;
mod source;
mod step;
mod views;

pub use aggregate::Aggregate;
pub use covering::CoveringQuery;
pub use filter::{Filter, Operator};
pub use metric::{Metric, metrics};
pub use plan::Plan;
#[cfg(test)]
pub(crate) use planner::{MAX_DAYS, MAX_METRICS};
pub use query::{MetricChoice, MetricsQuery};
pub use step::{CalendarUnit, Every, InvalidStep};
pub(super) use views::find_origin;

#[cfg(test)]
mod tests;
