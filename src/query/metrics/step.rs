//! The step between two points of a metric.

use std::time::Duration;

use serde::Deserialize;

use super::metric::MetricKind;
use crate::query::interval::Interval;

/// The step that a query requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
pub enum Every {
    /// The panel's interval. At least a calendar day for daily metrics.
    #[default]
    Auto,
    /// No grouping: every stored value.
    Raw,
    /// A fixed interval of at least a second, such as `5m`.
    Interval(Interval),
    /// A calendar unit.
    Calendar(CalendarUnit),
}

/// A calendar unit in the data source's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalendarUnit {
    /// A day, from midnight to midnight.
    Day,
    /// A week, which begins on Monday.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

/// A step that a query cannot use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid step {0:?}: use auto, raw, day, week, month, year, or an interval such as 5m")]
pub struct InvalidStep(String);

impl TryFrom<String> for Every {
    type Error = InvalidStep;

    fn try_from(text: String) -> Result<Every, InvalidStep> {
        match text.as_str() {
            "" | "auto" => Ok(Every::Auto),
            "raw" => Ok(Every::Raw),
            "day" | "1d" => Ok(Every::Calendar(CalendarUnit::Day)),
            "week" | "1w" => Ok(Every::Calendar(CalendarUnit::Week)),
            "month" | "1M" => Ok(Every::Calendar(CalendarUnit::Month)),
            "year" | "1y" => Ok(Every::Calendar(CalendarUnit::Year)),
            _ => match Interval::parse(&text) {
                Some(interval) if interval.duration() >= Duration::from_secs(1) => {
                    Ok(Every::Interval(interval))
                }
                _ => Err(InvalidStep(text)),
            },
        }
    }
}

/// The step that a metric's SQL uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Every stored value.
    Raw,
    /// A fixed interval, for `$__timeGroup`.
    Interval(Interval),
    /// Two or more calendar days, counted from 1970-01-01.
    Days(u64),
    /// A calendar unit, for `$__dayGroup`.
    Calendar(CalendarUnit),
}

const DAY: Duration = Duration::from_secs(86_400);

impl Step {
    /// Returns the step for a metric. `panel_interval` is the step of [`Every::Auto`].
    ///
    /// Panel intervals of a day or more become calendar units, which begin at local midnight. For
    /// daily metrics, all steps do.
    pub fn new(every: &Every, kind: MetricKind<'_>, panel_interval: Duration) -> Step {
        match every {
            Every::Raw => Step::Raw,
            Every::Interval(interval) => match kind {
                MetricKind::Daily(_) => Step::days(interval.duration()),
                MetricKind::Timed(_) | MetricKind::Samples(_) => Step::Interval(interval.clone()),
            },
            Every::Calendar(unit) => Step::Calendar(*unit),
            Every::Auto if panel_interval >= 30 * DAY => Step::Calendar(CalendarUnit::Month),
            Every::Auto if panel_interval >= 7 * DAY => Step::Calendar(CalendarUnit::Week),
            Every::Auto if panel_interval >= DAY || matches!(kind, MetricKind::Daily(_)) => {
                Step::Calendar(CalendarUnit::Day)
            }
            Every::Auto => Step::Interval(Interval::from(panel_interval)),
        }
    }

    /// Rounds `interval` up to whole days.
    fn days(interval: Duration) -> Step {
        match interval.as_secs().div_ceil(DAY.as_secs()) {
            0 | 1 => Step::Calendar(CalendarUnit::Day),
            days => Step::Days(days),
        }
    }

    /// Returns whether two points of the metric can be less than `min` apart. Points of daily
    /// metrics are days apart.
    pub fn is_shorter_than(&self, min: Duration, kind: MetricKind<'_>) -> bool {
        match (self, kind) {
            (_, MetricKind::Daily(_)) | (Step::Calendar(_) | Step::Days(_), _) => false,
            (Step::Raw, _) => true,
            (Step::Interval(interval), _) => interval.duration() < min,
        }
    }
}

impl CalendarUnit {
    /// Returns the days of the shortest unit of this kind.
    pub(super) fn days(self) -> i64 {
        match self {
            CalendarUnit::Day => 1,
            CalendarUnit::Week => 7,
            CalendarUnit::Month => 28,
            CalendarUnit::Year => 365,
        }
    }

    /// Returns the second argument of `$__dayGroup`, without quotes.
    pub(super) fn name(self) -> &'static str {
        match self {
            CalendarUnit::Day => "day",
            CalendarUnit::Week => "week",
            CalendarUnit::Month => "month",
            CalendarUnit::Year => "year",
        }
    }
}
