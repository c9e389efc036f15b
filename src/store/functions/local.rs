//! Local dates and times of instants (Unix seconds) in one zone.

use std::cell::Cell;

use chrono::Timelike;
use rusqlite::functions::Context;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result};

use super::{FLAGS, number};
use crate::time::{Day, Instant, Tz};

pub(super) fn register(connection: &Connection, zone: Tz) -> Result<()> {
    connection.create_scalar_function("local_time", 1, FLAGS, move |context| {
        Ok(instant(context).map(|at| at.local(zone).format("%Y-%m-%dT%H:%M:%S").to_string()))
    })?;
    connection.create_scalar_function("local_hour", 1, FLAGS, move |context| {
        Ok(instant(context).map(|at| at.local(zone).hour()))
    })?;
    connection.create_scalar_function("local_clock", 1, FLAGS, move |context| {
        Ok(instant(context).map(|at| at.local(zone).num_seconds_from_midnight()))
    })?;
    let days = DayCache::new(zone);
    connection.create_scalar_function("local_day", 1, FLAGS, move |context| {
        Ok(instant(context).map(|at| days.day_at(at).day.to_string()))
    })?;
    let days = DayCache::new(zone);
    connection.create_scalar_function("local_midnight", 1, FLAGS, move |context| {
        Ok(match context.get_raw(0) {
            ValueRef::Text(text) => {
                let day = std::str::from_utf8(text).ok().and_then(|text| text.parse::<Day>().ok());
                day.map(|day| day.midnight(zone).seconds())
            }
            _ => instant(context).map(|at| days.day_at(at).start.seconds()),
        })
    })?;
    connection.create_scalar_function("hms", 1, FLAGS, |context| {
        Ok(number(context, 0).filter(|value| value.is_finite()).map(hms))
    })
}

/// Returns the first argument as an instant, or `None` beyond the year 9999.
pub(super) fn instant(context: &Context<'_>) -> Option<Instant> {
    let seconds = number(context, 0)?;
    (seconds.abs() < 253_402_300_800.0).then(|| Instant(seconds.floor() as i64))
}

/// Formats a duration as `h:mm:ss`. Hours may exceed a day.
fn hms(seconds: f64) -> String {
    let sign = if seconds <= -0.5 { "-" } else { "" };
    let whole = seconds.abs().round() as u64;
    format!("{sign}{}:{:02}:{:02}", whole / 3_600, whole / 60 % 60, whole % 60)
}

/// A local day, from its start up to the start of the next day.
#[derive(Clone, Copy)]
struct LocalDay {
    day: Day,
    start: Instant,
    end: Instant,
}

/// Finds the day of an instant. It caches the last day, because rows are mostly in time order.
struct DayCache {
    zone: Tz,
    last: Cell<Option<LocalDay>>,
}

impl DayCache {
    fn new(zone: Tz) -> DayCache {
        DayCache { zone, last: Cell::new(None) }
    }

    fn day_at(&self, at: Instant) -> LocalDay {
        if let Some(last) = self.last.get().filter(|last| last.start <= at && at < last.end) {
            return last;
        }
        let day = at.day(self.zone);
        let found =
            LocalDay { day, start: day.midnight(self.zone), end: day.plus(1).midnight(self.zone) };
        self.last.set(Some(found));
        found
    }
}
