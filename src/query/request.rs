//! An SQL query as a caller sends it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;

use crate::store::{Scalar, scalars};

/// The kind of a query, in its JSON field `queryType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum QueryType {
    /// [`SqlQuery`]. Queries without a type are SQL.
    #[default]
    #[serde(alias = "")]
    Sql,
    /// [`MetricsQuery`](super::metrics::MetricsQuery).
    Metrics,
    /// [`AnnotationsQuery`](super::annotations::AnnotationsQuery).
    Annotations,
}

/// An SQL query from a panel, a script or an alert rule. Unknown fields belong to Grafana and are
/// ignored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SqlQuery {
    /// The statement, with macros.
    #[serde(alias = "sql")]
    pub raw_sql: String,
    /// Values for `?1`, `?2`, … in order: strings, numbers, booleans or null.
    #[cfg_attr(test, ts(type = "(string | number | boolean | null)[]"))]
    #[serde(deserialize_with = "scalars")]
    pub params: Vec<Scalar>,
    /// The shape of the resulting frames.
    pub format: Format,
    /// The reduction of series with too many points.
    pub downsample: Downsample,
    /// Lower-case names of the tables and views that the caller may read. `None` for all.
    #[serde(skip)]
    pub tables: Option<Arc<BTreeSet<String>>>,
}

/// The shape of the frames that a query returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub enum Format {
    /// Series over time, sorted, with labels.
    TimeSeries,
    /// Rows as the statement returned them.
    #[default]
    Table,
}

/// The reduction of a series that has more points than its panel can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub enum Downsample {
    /// [`Downsample::MinMax`], but only for series with far too many points.
    #[default]
    Auto,
    /// No reduction.
    Off,
    /// The minimum and the maximum of each bucket.
    MinMax,
    /// Largest triangle three buckets: the points that keep the line's shape.
    Lttb,
}
