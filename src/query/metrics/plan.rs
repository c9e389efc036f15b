//! The plan of a metrics query: its SQL, and the meaning of each column.

use serde_json::json;

use crate::query::request::SqlQuery;
use crate::query::result::{FieldDisplay, QueryResult};
use crate::store::Origin;

/// A metrics query as SQL, and the description of its result.
#[derive(Debug)]
pub struct Plan {
    /// The SQL query that returns the points.
    pub query: SqlQuery,
    /// The table that each metric is read from.
    pub sources: Vec<String>,
    pub(super) columns: Vec<PlannedColumn>,
}

/// A column of the result, besides the time.
#[derive(Debug)]
pub(super) struct PlannedColumn {
    pub name: String,
    pub origin: Option<Origin>,
    pub display: FieldDisplay,
}

impl Plan {
    /// Adds titles, labels, origins and the sources to the result of [`Plan::query`].
    pub fn describe(self, result: &mut QueryResult) {
        let SqlQuery { raw_sql, params, .. } = self.query;
        let custom = json!({ "sources": self.sources, "rawSql": raw_sql, "params": params });
        result.custom = Some(custom);
        // The first column is the time.
        result.displays = vec![FieldDisplay::default()];
        let mut columns = result.batch.columns.iter_mut().skip(1);
        for planned in self.columns {
            if let Some(column) = columns.next() {
                column.origin = planned.origin;
            }
            result.displays.push(planned.display);
        }
    }
}
