//! A metrics query as the editor sends it.

use serde::Deserialize;

use super::aggregate::Aggregate;
use super::filter::Filter;
use super::step::Every;
use crate::query::request::Downsample;

/// A metrics query. Unknown fields belong to Grafana and are ignored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct MetricsQuery {
    /// The metrics to draw.
    pub metrics: Vec<MetricChoice>,
    /// The aggregate of all metrics that choose no other.
    pub aggregate: Aggregate,
    /// The step between two points.
    pub every: Every,
    /// Conditions, each for all metrics with that column.
    pub filters: Vec<Filter>,
    /// Days of the moving average, the day itself included. 0 turns it off.
    pub moving_average: u16,
    /// Days before a point that form its baseline: their median, with the median absolute deviation
    /// as a band. 0 turns it off.
    pub baseline: u16,
    /// Days by which to draw every metric later. Earlier if negative.
    pub shift: i16,
    /// The reduction of series with too many points.
    pub downsample: Downsample,
}

/// One metric of a query.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Json")]
#[cfg_attr(test, derive(ts_rs::TS), ts(as = "Json", rename = "Metric"))]
pub struct MetricChoice {
    /// The name of a metric: `sleep.average_hrv`, `days.steps`, or that of a series.
    pub name: String,
    /// An aggregate of its own.
    pub aggregate: Option<Aggregate>,
    /// A shift of its own, in days.
    pub shift: Option<i16>,
}

/// The JSON of a metric: its name, or an object.
#[derive(Deserialize)]
#[serde(untagged)]
#[cfg_attr(test, derive(ts_rs::TS))]
enum Json {
    Name(String),
    #[cfg_attr(test, ts(optional_fields))]
    Object {
        name: String,
        aggregate: Option<Aggregate>,
        shift: Option<i16>,
    },
}

impl From<Json> for MetricChoice {
    fn from(json: Json) -> MetricChoice {
        match json {
            Json::Name(name) => MetricChoice { name, aggregate: None, shift: None },
            Json::Object { name, aggregate, shift } => MetricChoice { name, aggregate, shift },
        }
    }
}
