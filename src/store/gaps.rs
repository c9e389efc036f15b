//! Days without documents, by collection and reason.

use super::calendar;
use super::error::StoreError;
use super::inspector::Inspector;
use super::state::GapReason;
use crate::time::Day;

/// The days of one collection that have no documents for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The collection's name.
    pub collection: String,
    /// The reason, as in the view `coverage`.
    pub reason: GapReason,
    /// The number of days.
    pub days: u64,
    /// The last of them.
    pub last: Day,
}

impl Inspector {
    /// Returns the gaps from `from` to `to`, both included, by collection. The most recent gap of a
    /// collection comes first. Days after the end of the calendar count as not fetched.
    pub fn gaps(&self, from: Day, to: Day) -> Result<Vec<Gap>, StoreError> {
        let connection = self.lock();
        // The calendar ends early in a read-only store, and until the next run begins.
        let missing_from =
            calendar::last_day(&connection)?.map_or(from, |last| from.max(last.plus(1)));
        let mut gaps = connection.prepare_cached(
            "SELECT collection, reason, sum(days), max(last)
             FROM (SELECT collection, reason, count(*) AS days, max(day) AS last FROM coverage
                   WHERE day BETWEEN ?1 AND ?2 AND reason IS NOT NULL GROUP BY collection, reason
                   UNION ALL
                   SELECT name, ?4, ?3, ?2 FROM collections
                   WHERE ?3 > 0 AND EXISTS (SELECT 1 FROM coverage_data WHERE resource = name))
             GROUP BY collection, reason ORDER BY collection, max(last) DESC",
        )?;
        let missing_days = missing_from.until(to) + 1;
        let mut rows =
            gaps.query((from.to_string(), to.to_string(), missing_days, GapReason::NotFetched))?;
        let mut gaps = Vec::new();
        while let Some(row) = rows.next()? {
            let last: String = row.get(3)?;
            let Ok(last) = last.parse() else { continue };
            gaps.push(Gap {
                collection: row.get(0)?,
                reason: row.get(1)?,
                days: row.get(2)?,
                last,
            });
        }
        Ok(gaps)
    }
}
