//! Why there is nothing: the empty days of each collection, by reason.

use std::str::FromStr;

use super::{GapReason, Store, StoreError, derive};
use crate::time::Day;

/// The empty days of one collection that have one reason in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    pub collection: String,
    /// As in the view `coverage`.
    pub reason: GapReason,
    pub days: u64,
    pub last: Day,
}

impl Store {
    /// Gaps from `from` to `to`, both included, by collection, the most recent first. Days that no run has seen yet are not fetched.
    pub fn gaps(&self, from: Day, to: Day) -> Result<Vec<Gap>, StoreError> {
        let inspector = self.inspector();
        // A store that is only read, or that no run has begun in since, does not have the last days.
        let unseen_from =
            derive::last_calendar_day(&inspector)?.map_or(from, |last| from.max(last.plus(1)));
        let mut gaps = inspector.prepare_cached(
            "SELECT collection, reason, sum(days), max(last)
             FROM (SELECT collection, reason, count(*) AS days, max(day) AS last FROM coverage
                   WHERE day BETWEEN ?1 AND ?2 AND reason IS NOT NULL GROUP BY collection, reason
                   UNION ALL
                   SELECT name, 'not_fetched', ?3, ?2 FROM collections
                   WHERE ?3 > 0 AND EXISTS (SELECT 1 FROM coverage_data WHERE resource = name))
             GROUP BY collection, reason ORDER BY collection, max(last) DESC",
        )?;
        let rows =
            gaps.query_map((from.to_string(), to.to_string(), unseen_from.until(to) + 1), |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, GapReason>(1)?,
                    row.get::<_, u64>(2)?,
                    row.get::<_, String>(3)?,
                ))
            })?;
        let gap = |(collection, reason, days, last): (String, GapReason, u64, String)| {
            Some(Gap { collection, reason, days, last: Day::from_str(&last).ok()? })
        };
        Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().filter_map(gap).collect())
    }
}
