//! What a calendar and a clock show at an instant (Unix seconds) in one zone.

use std::cell::Cell;

use chrono::Timelike;
use rusqlite::functions::Context;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result};

use super::{FLAGS, number};
use crate::time::{Day, Instant, Tz};

pub(super) fn register(connection: &Connection, zone: Tz) -> Result<()> {
    let local = move |at: Instant| at.utc().with_timezone(&zone);
    connection.create_scalar_function("local_time", 1, FLAGS, move |context| {
        Ok(instant(context).map(|at| local(at).format("%Y-%m-%dT%H:%M:%S").to_string()))
    })?;
    connection.create_scalar_function("local_hour", 1, FLAGS, move |context| {
        Ok(instant(context).map(|at| local(at).hour()))
    })?;
    connection.create_scalar_function("local_clock", 1, FLAGS, move |context| {
        Ok(instant(context).map(|at| local(at).num_seconds_from_midnight()))
    })?;
    let days = Days::new(zone);
    connection.create_scalar_function("local_day", 1, FLAGS, move |context| {
        Ok(instant(context).map(|at| days.of(at).day.to_string()))
    })?;
    let days = Days::new(zone);
    connection.create_scalar_function("local_midnight", 1, FLAGS, move |context| {
        Ok(match context.get_raw(0) {
            ValueRef::Text(text) => {
                let day = std::str::from_utf8(text).ok().and_then(|text| text.parse::<Day>().ok());
                day.map(|day| day.midnight(zone).seconds())
            }
            _ => instant(context).map(|at| days.of(at).begins.seconds()),
        })
    })?;
    connection.create_scalar_function("hms", 1, FLAGS, |context| {
        Ok(number(context, 0).filter(|value| value.is_finite()).map(hms))
    })
}

/// Instants beyond the year 9999 are none.
fn instant(context: &Context<'_>) -> Option<Instant> {
    let seconds = number(context, 0)?;
    (seconds.abs() < 253_402_300_800.0).then(|| Instant(seconds.floor() as i64))
}

/// Hours may exceed a day.
fn hms(seconds: f64) -> String {
    let (sign, whole) = (if seconds <= -0.5 { "-" } else { "" }, seconds.abs().round() as u64);
    format!("{sign}{}:{:02}:{:02}", whole / 3_600, whole / 60 % 60, whole % 60)
}

/// One local day: from its beginning to that of the next.
#[derive(Clone, Copy)]
struct LocalDay {
    day: Day,
    begins: Instant,
    ends: Instant,
}

/// Days of instants. Rows mostly come in the order of time, so the last one is kept.
struct Days {
    zone: Tz,
    last: Cell<Option<LocalDay>>,
}

impl Days {
    fn new(zone: Tz) -> Days {
        Days { zone, last: Cell::new(None) }
    }

    fn of(&self, at: Instant) -> LocalDay {
        if let Some(last) = self.last.get().filter(|last| last.begins <= at && at < last.ends) {
            return last;
        }
        let day = at.day(self.zone);
        let found = LocalDay {
            day,
            begins: day.midnight(self.zone),
            ends: day.plus(1).midnight(self.zone),
        };
        self.last.set(Some(found));
        found
    }
}
