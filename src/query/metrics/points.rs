//! The SQL that reads the points of one metric.

use super::metric::MetricKind;
use super::plan::PlannedColumn;
use super::source::Source;
use super::step::{CalendarUnit, Step};
use crate::sql::quote_identifier;
use crate::store::{MIN_USUAL_DAYS, spread_sql};

const SECONDS_PER_DAY: i64 = 86_400;

/// Days to read beyond both ends of a raw range, since days are not all 24 hours apart: a night
/// begins on the evening before its day, and a day can have 25 hours.
const MARGIN_DAYS: i64 = 2;

/// The points of one metric.
pub(super) struct Points<'a> {
    pub source: Source,
    pub kind: MetricKind<'a>,
    pub step: Step,
    /// Conditions on the rows, in SQL.
    pub conditions: Vec<String>,
    /// Days by which to draw the points later.
    pub shift: i64,
    /// Days of the moving average, the day itself included. 0 turns it off.
    pub moving_average: i64,
    /// Days before a point that form its baseline. 0 turns it off.
    pub baseline: i64,
    /// The smallest spread of a baseline.
    pub resolution: f64,
}

impl Points<'_> {
    /// Returns a SELECT of the time and `columns`, in any order of rows.
    pub fn select(&self, columns: &[PlannedColumn]) -> String {
        if self.days_before() == 0 {
            self.select_values(&columns[0].name)
        } else {
            self.select_with_windows(columns)
        }
    }

    fn select_values(&self, name: &str) -> String {
        format!(
            "SELECT {} AS \"time\", {} AS {}\n{}{}",
            self.time_of(&self.bucket()),
            self.source.value,
            quote_identifier(name),
            self.source_and_conditions(),
            self.group_by(),
        )
    }

    /// Selects the points of the range and of the days before it, computes moving averages and
    /// baselines over them, and then keeps the points of the range.
    fn select_with_windows(&self, columns: &[PlannedColumn]) -> String {
        // Windows over raw values count days, since a point is a day.
        let day_column = if self.step == Step::Raw { ", day" } else { "" };
        let points = format!(
            "SELECT {} AS bucket{day_column}, {} AS value\n{}{}",
            self.bucket(),
            self.source.value,
            self.source_and_conditions(),
            self.group_by(),
        );
        let (order, units_per_day) = match self.step {
            Step::Raw => ("julianday(day)", 1),
            Step::Calendar(_) | Step::Days(_) => ("julianday(bucket)", 1),
            Step::Interval(_) => ("bucket", SECONDS_PER_DAY),
        };
        let mut computed = vec!["bucket".to_owned()];
        let mut windows = Vec::new();
        if self.moving_average > 0 {
            let preceding = self.moving_average * units_per_day - 1;
            computed.push("avg(value) OVER recent AS value".to_owned());
            windows.push(format!(
                "recent AS (ORDER BY {order} RANGE BETWEEN {preceding} PRECEDING AND CURRENT ROW)"
            ));
        } else {
            computed.push("value".to_owned());
        }
        let mut selected = vec![
            format!("{} AS \"time\"", self.time_of("bucket")),
            format!("value AS {}", quote_identifier(&columns[0].name)),
        ];
        if let [_, baseline, lower, upper] = columns {
            let preceding = self.baseline * units_per_day;
            let spread = spread_sql("value", "past", &self.resolution.to_string());
            computed.push(format!(
                "iif(count(value) OVER past >= {}, median(value) OVER past, NULL) AS middle",
                self.min_points()
            ));
            computed.push(format!("{spread} AS spread"));
            windows.push(format!(
                "past AS (ORDER BY {order} RANGE BETWEEN {preceding} PRECEDING AND 1 PRECEDING)"
            ));
            selected.push(format!("middle AS {}", quote_identifier(&baseline.name)));
            selected.push(format!("middle - spread AS {}", quote_identifier(&lower.name)));
            selected.push(format!("middle + spread AS {}", quote_identifier(&upper.name)));
        }
        format!(
            "SELECT {}\nFROM (\nSELECT {}\nFROM (\n{points}\n)\nWINDOW {}\n)\nWHERE bucket >= {}",
            selected.join(", "),
            computed.join(", "),
            windows.join(", "),
            self.first_bucket(),
        )
    }

    /// Returns the days before the range that the windows need.
    fn days_before(&self) -> i64 {
        self.moving_average.max(self.baseline)
    }

    /// Returns the number of points that a baseline needs.
    fn min_points(&self) -> i64 {
        let days = MIN_USUAL_DAYS.min(self.baseline);
        let days_per_point = match self.step {
            Step::Raw | Step::Interval(_) => 1,
            Step::Days(days) => days as i64,
            Step::Calendar(unit) => unit.days(),
        };
        (days / days_per_point).max(1)
    }

    fn group_by(&self) -> &'static str {
        if self.step == Step::Raw { "" } else { "\nGROUP BY 1" }
    }

    fn source_and_conditions(&self) -> String {
        let mut conditions = vec![self.range()];
        conditions.extend_from_slice(&self.conditions);
        format!("FROM \"{}\"\nWHERE {}", self.source.table, conditions.join("\n  AND "))
    }

    /// Returns the key that rows are grouped by, shifted: a day as text, or an instant.
    fn bucket(&self) -> String {
        let time = add_days_to_time("time", self.shift);
        match (&self.step, self.kind) {
            (Step::Raw, MetricKind::Daily(_)) if self.shift != 0 => {
                let day = add_days("day", self.shift);
                format!("local_midnight({day}) + time - local_midnight(day)")
            }
            (Step::Raw, _) => time,
            (Step::Interval(interval), _) => format!("$__timeGroup({time}, '{interval}')"),
            (Step::Calendar(_) | Step::Days(_), MetricKind::Timed(_)) => {
                self.first_day_of_step(&add_days("local_day(time)", self.shift))
            }
            (Step::Calendar(_) | Step::Days(_), MetricKind::Daily(_) | MetricKind::Samples(_)) => {
                self.first_day_of_step(&add_days("day", self.shift))
            }
        }
    }

    /// Returns the instant at which a bucket is drawn.
    fn time_of(&self, bucket: &str) -> String {
        match (&self.step, self.kind) {
            // Skips the conversion to text and back, which is slow for millions of rows.
            (Step::Calendar(CalendarUnit::Day), MetricKind::Timed(_))
                if bucket == "local_day(time)" =>
            {
                "local_midnight(time)".to_owned()
            }
            (Step::Calendar(_) | Step::Days(_), _) => format!("local_midnight({bucket})"),
            (Step::Raw | Step::Interval(_), _) => bucket.to_owned(),
        }
    }

    /// Returns the first bucket of the panel's range. It is whole, even if the range starts in it.
    fn first_bucket(&self) -> String {
        match &self.step {
            Step::Raw => "$__timeFrom()".to_owned(),
            Step::Interval(interval) => format!("$__timeGroup($__unixEpochFrom(), '{interval}')"),
            Step::Calendar(_) | Step::Days(_) => self.first_day_of_step("$__dayFrom()"),
        }
    }

    /// Returns the first day of the step that contains `day`.
    fn first_day_of_step(&self, day: &str) -> String {
        match &self.step {
            Step::Calendar(unit) if *unit != CalendarUnit::Day => {
                format!("$__dayGroup({day}, '{}')", unit.name())
            }
            Step::Days(days) => format!(
                "date({day}, '-' || (unixepoch({day}) / {SECONDS_PER_DAY} % {days}) || ' days')"
            ),
            Step::Raw | Step::Interval(_) | Step::Calendar(_) => day.to_owned(),
        }
    }

    /// Returns the condition for the rows of the range and its windows. Columns stay bare so that
    /// SQLite uses their indexes.
    fn range(&self) -> String {
        match self.step {
            Step::Raw => self.raw_range(),
            Step::Interval(_) => {
                let from = add_days_to_time(&self.first_bucket(), self.first_row_offset());
                let to = add_days_to_time("$__timeTo()", -self.shift);
                format!("time BETWEEN {from} AND {to}")
            }
            Step::Calendar(_) | Step::Days(_) => self.day_range(),
        }
    }

    /// Returns the offset in days from the first bucket to the first row.
    fn first_row_offset(&self) -> i64 {
        -(self.days_before() + self.shift)
    }

    fn day_range(&self) -> String {
        let first = add_days(&self.first_bucket(), self.first_row_offset());
        let last = add_days("$__dayTo()", -self.shift);
        match self.kind {
            MetricKind::Daily(_) if first == "$__dayFrom()" && last == "$__dayTo()" => {
                "$__dayFilter(day)".to_owned()
            }
            MetricKind::Daily(_) => format!("day BETWEEN {first} AND {last}"),
            MetricKind::Timed(_) => {
                let end = add_days(&last, 1);
                format!("time >= local_midnight({first}) AND time < local_midnight({end})")
            }
            // A sample counts for the day of its document, but can be from the evening before. The
            // condition on the time is for the index.
            MetricKind::Samples(_) => {
                let start = add_days(&first, -1);
                let end = add_days(&last, 2);
                format!(
                    "day BETWEEN {first} AND {last} \
                     AND time >= local_midnight({start}) AND time < local_midnight({end})"
                )
            }
        }
    }

    fn raw_range(&self) -> String {
        if self.days_before() == 0 && self.shift == 0 {
            return "$__timeFilter(time)".to_owned();
        }
        if !matches!(self.kind, MetricKind::Daily(_)) {
            let from = add_days_to_time("$__timeFrom()", self.first_row_offset());
            let to = add_days_to_time("$__timeTo()", -self.shift);
            return format!("time BETWEEN {from} AND {to}");
        }
        let before = match self.days_before() {
            0 => 0,
            days => days + MARGIN_DAYS,
        };
        let from = add_days_to_time("$__timeFrom()", -before);
        let drawn = format!("{} BETWEEN {from} AND $__timeTo()", self.bucket());
        if self.shift == 0 {
            return drawn;
        }
        let from = add_days_to_time("$__timeFrom()", self.first_row_offset() - MARGIN_DAYS);
        let to = add_days_to_time("$__timeTo()", MARGIN_DAYS - self.shift);
        format!("time BETWEEN {from} AND {to}\n  AND {drawn}")
    }
}

/// Adds days of 24 hours to an instant.
fn add_days_to_time(time: &str, days: i64) -> String {
    match days {
        0 => time.to_owned(),
        1.. => format!("{time} + {}", days * SECONDS_PER_DAY),
        _ => format!("{time} - {}", -days * SECONDS_PER_DAY),
    }
}

/// Adds calendar days to a day.
fn add_days(day: &str, days: i64) -> String {
    if days == 0 { day.to_owned() } else { format!("date({day}, '{days:+} days')") }
}
