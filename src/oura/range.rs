//! The time range of one request, and its form in the query string.

use crate::catalog::Style;
use crate::time::{Instant, Tz};

/// The requested range. Oura treats the end as inclusive in some collections and as exclusive in
/// others.
///
/// Collections that take dates receive the UTC days of both ends. If `to` is the last second of its
/// day, the end date is sent with that time, so that an exclusive end still includes the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first instant.
    pub from: Instant,
    /// The last instant.
    pub to: Instant,
}

impl Range {
    /// Returns the query parameters for a collection of the given style.
    pub(super) fn query_parameters(&self, style: Style) -> Vec<(&'static str, String)> {
        match style {
            Style::Dates => vec![
                ("start_date", self.from.day(Tz::UTC).to_string()),
                ("end_date", self.end_date()),
            ],
            Style::Datetimes => vec![
                ("start_datetime", self.from.to_string()),
                ("end_datetime", self.to.to_string()),
            ],
            Style::TokenOnly | Style::Singleton => Vec::new(),
        }
    }

    fn end_date(&self) -> String {
        let day = self.to.day(Tz::UTC);
        let is_last_second = self.to.plus(1) == day.plus(1).midnight(Tz::UTC);
        if is_last_second { format!("{day}T23:59:59") } else { day.to_string() }
    }
}
