//! How finely values are grouped.

use std::time::Duration;

use serde::Deserialize;

use super::metric::Place;
use crate::query::interval;

/// As it is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
pub enum Every {
    /// What the panel can show: its interval; for what comes by the day, calendar days or more.
    #[default]
    Auto,
    /// Every value as it is.
    Raw,
    /// `5m`, `1h`, as it was written.
    Interval(String),
    Calendar(Calendar),
}

/// In the data source's time zone; weeks begin on Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calendar {
    Day,
    Week,
    Month,
    Year,
}

impl TryFrom<String> for Every {
    type Error = String;

    fn try_from(text: String) -> Result<Every, String> {
        Ok(match text.as_str() {
            "" | "auto" => Every::Auto,
            "raw" => Every::Raw,
            "day" | "1d" => Every::Calendar(Calendar::Day),
            "week" | "1w" => Every::Calendar(Calendar::Week),
            "month" | "1M" => Every::Calendar(Calendar::Month),
            "year" | "1y" => Every::Calendar(Calendar::Year),
            _ if interval::parse(&text)
                .is_some_and(|interval| interval >= Duration::from_secs(1)) =>
            {
                Every::Interval(text)
            }
            _ => {
                return Err(format!(
                    "{text:?} is no step: write auto, raw, 5m, 1h, day, week, month or year"
                ));
            }
        })
    }
}

/// As it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Raw,
    /// The second argument of `$__timeGroup`.
    Interval(String),
    /// Two calendar days or more, counted from 1970 on.
    Days(u64),
    Calendar(Calendar),
}

const DAY: Duration = Duration::from_secs(86_400);

impl Step {
    /// `interval` is the panel's. From a day on, its steps are days of the calendar, which begin at local midnight; of what comes by the day
    /// all steps are.
    pub fn of(every: &Every, place: Place<'_>, interval: Duration) -> Step {
        match every {
            Every::Raw => Step::Raw,
            Every::Interval(text) => match (place, interval::parse(text)) {
                (Place::Daily(_), Some(interval)) => Step::days(interval),
                _ => Step::Interval(format!("'{text}'")),
            },
            Every::Calendar(unit) => Step::Calendar(*unit),
            Every::Auto if interval >= 30 * DAY => Step::Calendar(Calendar::Month),
            Every::Auto if interval >= 7 * DAY => Step::Calendar(Calendar::Week),
            Every::Auto if interval >= DAY || matches!(place, Place::Daily(_)) => {
                Step::Calendar(Calendar::Day)
            }
            Every::Auto => Step::Interval(format!("'{}'", interval::format(interval))),
        }
    }

    /// Whole days, as many as `interval` touches.
    fn days(interval: Duration) -> Step {
        match interval.as_secs().div_ceil(DAY.as_secs()) {
            0 | 1 => Step::Calendar(Calendar::Day),
            days => Step::Days(days),
        }
    }

    /// Whether points may lie less than `least` apart. What comes by the day does not come more often.
    pub fn is_shorter(&self, least: Duration, place: Place<'_>) -> bool {
        match (self, place) {
            (_, Place::Daily(_)) | (Step::Calendar(_) | Step::Days(_), _) => false,
            (Step::Raw, _) => true,
            (Step::Interval(text), _) => {
                interval::parse(text.trim_matches('\'')).is_none_or(|interval| interval < least)
            }
        }
    }
}

impl Calendar {
    /// As `$__dayGroup` calls it.
    pub fn word(self) -> &'static str {
        match self {
            Calendar::Day => "day",
            Calendar::Week => "week",
            Calendar::Month => "month",
            Calendar::Year => "year",
        }
    }
}
