//! A metrics query as the editor sends it.

use serde::{Deserialize, Deserializer};

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
    /// Days of the moving average, the day itself included. 0 turns it off. A text is the value of
    /// a dashboard variable, and an empty one is 0.
    #[serde(deserialize_with = "deserialize_days")]
    #[cfg_attr(test, ts(type = "number | string"))]
    pub moving_average: u16,
    /// Days before a point that form its baseline: their median, with 1.4826 times the median
    /// absolute deviation as a band. 0 turns it off.
    #[serde(deserialize_with = "deserialize_days")]
    #[cfg_attr(test, ts(type = "number | string"))]
    pub baseline: u16,
    /// Days by which to draw every metric later. Earlier if negative.
    #[serde(deserialize_with = "deserialize_days")]
    #[cfg_attr(test, ts(type = "number | string"))]
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
        #[serde(default, deserialize_with = "deserialize_optional_days")]
        #[cfg_attr(test, ts(type = "number | string"))]
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

/// A number of days: a JSON number, or the text of a dashboard variable.
#[derive(Deserialize)]
#[serde(untagged)]
enum DaysJson {
    Number(i64),
    Text(String),
}

impl DaysJson {
    fn number<N: TryFrom<i64>>(self) -> Result<N, String> {
        let days = match &self {
            DaysJson::Number(days) => Some(*days),
            DaysJson::Text(text) if text.trim().is_empty() => Some(0),
            DaysJson::Text(text) => text.trim().parse().ok(),
        };
        days.and_then(|days| N::try_from(days).ok()).ok_or_else(|| {
            let given = match self {
                DaysJson::Number(days) => days.to_string(),
                DaysJson::Text(text) => format!("{text:?}"),
            };
            format!("Invalid number of days {given}: use a whole number, for example 7")
        })
    }
}

fn deserialize_days<'de, D: Deserializer<'de>, N: TryFrom<i64>>(json: D) -> Result<N, D::Error> {
    DaysJson::deserialize(json)?.number().map_err(serde::de::Error::custom)
}

fn deserialize_optional_days<'de, D: Deserializer<'de>>(json: D) -> Result<Option<i16>, D::Error> {
    let days: Option<DaysJson> = Option::deserialize(json)?;
    days.map(|days| days.number().map_err(serde::de::Error::custom)).transpose()
}
