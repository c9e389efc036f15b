//! Why there is nothing: the empty days of each collection, by reason.

use std::str::FromStr;

use super::{Store, StoreError};
use crate::time::Day;

/// The empty days of one collection that have one reason in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    pub collection: String,
    /// As in the view `coverage`.
    pub reason: String,
    pub days: u64,
    pub last: Day,
}

impl Store {
    /// Gaps from `from` to `to`, both included, by collection, the most recent first.
    pub fn gaps(&self, from: Day, to: Day) -> Result<Vec<Gap>, StoreError> {
        let inspector = self.inspector();
        let mut gaps = inspector.prepare_cached(
            "SELECT collection, reason, count(*), max(day) FROM coverage WHERE day BETWEEN ?1 AND ?2 AND reason IS NOT NULL
             GROUP BY collection, reason ORDER BY collection, max(day) DESC",
        )?;
        let rows = gaps.query_map([from.to_string(), to.to_string()], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, u64>(2)?, row.get::<_, String>(3)?))
        })?;
        let gap = |(collection, reason, days, last): (String, String, u64, String)| {
            Some(Gap { collection, reason, days, last: Day::from_str(&last).ok()? })
        };
        Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().filter_map(gap).collect())
    }
}
