//! A metrics query as SQL: for each metric its points, what slides over them, and at the end all of them side by side.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::metric::{self, Metric, Place};
use super::source::Source;
use super::step::{Calendar, Step};
use super::{Aggregate, Choice, Column, MetricsQuery, Plan};
use crate::catalog::Catalog;
use crate::query::{FieldDisplay, QueryContext, QueryError};
use crate::sql::quote_identifier;
use crate::time::Tz;

const SECONDS_OF_DAY: i64 = 86_400;
/// Each point looks at all points of the days before it: of shorter steps there are too many.
const MIN_UNDER_WINDOWS: Duration = Duration::from_secs(3_600);
/// How many days more are read than are counted: a night begins the evening before its day, and a day may have 25 hours.
const MARGIN: i64 = 2;

pub(super) fn plan(
    query: &MetricsQuery,
    catalog: &Catalog,
    context: &QueryContext,
    zone: Tz,
) -> Result<Plan, QueryError> {
    let known = metric::metrics(catalog);
    let chosen = query
        .metrics
        .iter()
        .map(|choice| metric::find(&known, &choice.name))
        .collect::<Result<Vec<_>, _>>()?;
    query.filters.iter().try_for_each(|filter| filter.check(&chosen, catalog))?;

    let mut params = Vec::new();
    let parts: Vec<Part> = chosen
        .into_iter()
        .zip(&query.metrics)
        .map(|(metric, choice)| {
            Part::of(metric, choice, query, &Setting { catalog, context, zone }, &mut params)
        })
        .collect::<Result<_, _>>()?;
    let names: Vec<&str> = parts.iter().map(|part| part.columns[0].name.as_str()).collect();
    if let Some(twice) =
        names.iter().enumerate().find_map(|(at, name)| names[..at].contains(name).then_some(*name))
    {
        return Err(QueryError::Invalid(format!("{twice} is asked for twice")));
    }
    let raw_sql = match parts.as_slice() {
        [] => return Err(QueryError::Invalid("the query names no metric".to_owned())),
        [one] => format!("{}\nORDER BY 1", one.sql),
        several => side_by_side(several),
    };
    let sources = parts.iter().map(|part| part.source.clone()).collect();
    let mut columns: Vec<Column> = parts.into_iter().flat_map(|part| part.columns).collect();
    if columns.len() == 1 {
        // One series needs no labels: its name says all.
        columns[0].display.labels.clear();
    }
    Ok(Plan::new(raw_sql, params, query.downsample, sources, columns))
}

/// What a query is asked in.
struct Setting<'a> {
    catalog: &'a Catalog,
    context: &'a QueryContext,
    zone: Tz,
}

/// One metric: a SELECT of the time and its columns, in any order.
struct Part {
    sql: String,
    columns: Vec<Column>,
    source: String,
    grouped: bool,
}

/// How a metric's points are found.
struct Points<'a> {
    source: Source<'a>,
    step: Step,
    aggregate: Aggregate,
    /// Days by which they are drawn later.
    shift: i64,
    /// Days before the range that windows look at.
    before: i64,
    conditions: Vec<String>,
}

impl Part {
    fn of(
        metric: &Metric<'_>,
        choice: &Choice,
        query: &MetricsQuery,
        setting: &Setting<'_>,
        params: &mut Vec<Value>,
    ) -> Result<Part, QueryError> {
        let Setting { catalog, context, zone } = *setting;
        let windows = query.moving_average > 0 || query.baseline > 0;
        let least = if windows { MIN_UNDER_WINDOWS } else { Duration::ZERO };
        let step = Step::of(&query.every, metric.place, context.interval.max(least));
        if windows && step.is_shorter(MIN_UNDER_WINDOWS, metric.place) {
            return Err(QueryError::Invalid(format!(
                "a moving average or a baseline of {} needs steps of an hour or more: choose every 1h, day, week, month or year",
                metric.name
            )));
        }
        let aggregate = choice.aggregate.unwrap_or(query.aggregate);
        let source = Source::of(metric, &step, aggregate, &query.filters, zone);
        let points = Points {
            step,
            aggregate,
            shift: i64::from(choice.shift.unwrap_or(query.shift)),
            before: i64::from(query.moving_average.max(query.baseline)),
            conditions: conditions(metric, &source, query, catalog, params),
            source,
        };
        let columns = columns(metric, choice, query, &points);
        let sql = if points.before == 0 {
            points.alone(&columns[0].name)
        } else {
            points.under_windows(query, &columns)
        };
        Ok(Part { sql, columns, grouped: points.step != Step::Raw, source: points.source.table })
    }
}

/// On the rows themselves; of samples, on the documents that have them.
fn conditions(
    metric: &Metric<'_>,
    source: &Source<'_>,
    query: &MetricsQuery,
    catalog: &Catalog,
    params: &mut Vec<Value>,
) -> Vec<String> {
    let filters: Vec<String> = query
        .filters
        .iter()
        .filter_map(|filter| filter.condition(metric, catalog, params))
        .collect();
    let filters = match metric.place {
        Place::Samples(_) if !filters.is_empty() => {
            vec![format!(
                "document IN (SELECT document FROM \"{}\" WHERE {})",
                metric.table,
                filters.join(" AND ")
            )]
        }
        _ => filters,
    };
    source.conditions.iter().cloned().chain(filters).collect()
}

/// The metric's own column, then those of its baseline.
fn columns(
    metric: &Metric<'_>,
    choice: &Choice,
    query: &MetricsQuery,
    points: &Points<'_>,
) -> Vec<Column> {
    let own = |written: Option<String>| written.map(|text| format!(" {text}")).unwrap_or_default();
    let name = format!(
        "{}{}{}",
        metric.name,
        own(choice.aggregate.map(|aggregate| aggregate.word().to_owned())),
        own(choice.shift.filter(|days| *days != 0).map(|days| format!("{days:+}d"))),
    );
    let mut title = metric.title();
    if points.aggregate != Aggregate::Avg && points.step != Step::Raw {
        title += &format!(", {}", points.aggregate.word());
    }
    let shift = match points.shift {
        0 => String::new(),
        days => format!(
            ", {} {} {}",
            days.abs(),
            self::days(days),
            if days > 0 { "before" } else { "after" }
        ),
    };
    // A baseline is that of the values themselves, whatever is drawn beside it.
    let mean = if query.moving_average > 1 {
        format!(", mean of {} days", query.moving_average)
    } else {
        String::new()
    };
    let bands: &[&str] = if query.baseline > 0 { &["baseline", "lower", "upper"] } else { &[] };
    let counts = points.aggregate == Aggregate::Count && points.step != Step::Raw;
    std::iter::once(None)
        .chain(bands.iter().copied().map(Some))
        .map(|band| Column {
            name: band.map_or_else(|| name.clone(), |band| format!("{name} {band}")),
            origin: metric.origin.clone().filter(|_| !counts),
            display: FieldDisplay {
                title: Some(band.map_or_else(
                    || format!("{title}{mean}{shift}"),
                    |band| format!("{title}{shift}, {band}"),
                )),
                labels: std::iter::once(("metric".to_owned(), name.clone()))
                    .chain(band.map(|band| ("band".to_owned(), band.to_owned())))
                    .collect::<BTreeMap<_, _>>(),
            },
        })
        .collect()
}

fn days(count: i64) -> &'static str {
    if count.abs() == 1 { "day" } else { "days" }
}

impl Points<'_> {
    fn alone(&self, name: &str) -> String {
        let (time, group) = match self.step {
            Step::Raw => (self.bucket(), ""),
            Step::Interval(_) => (self.bucket(), "\nGROUP BY 1"),
            Step::Calendar(_) | Step::Days(_) => (self.time_of(&self.bucket()), "\nGROUP BY 1"),
        };
        format!(
            "SELECT {time} AS \"time\", {} AS {}\n{}{group}",
            self.value(),
            quote_identifier(name),
            self.rows()
        )
    }

    /// The points of the range and of the days before it; averages and medians over them; then the range alone.
    fn under_windows(&self, query: &MetricsQuery, columns: &[Column]) -> String {
        // Raw values under windows come by the day.
        let (date, group) =
            if self.step == Step::Raw { (", day", "") } else { ("", "\nGROUP BY 1") };
        let points = format!(
            "SELECT {} AS bucket{date}, {} AS value\n{}{group}",
            self.bucket(),
            self.value(),
            self.rows()
        );
        let (order, day) = match self.step {
            Step::Raw => ("julianday(day)", 1),
            Step::Calendar(_) | Step::Days(_) => ("julianday(bucket)", 1),
            Step::Interval(_) => ("bucket", SECONDS_OF_DAY),
        };
        let (mut slid, mut windows) = (vec!["bucket".to_owned()], Vec::new());
        if query.moving_average > 0 {
            let reach = i64::from(query.moving_average) * day - 1;
            slid.push("avg(value) OVER recent AS value".to_owned());
            windows.push(format!(
                "recent AS (ORDER BY {order} RANGE BETWEEN {reach} PRECEDING AND CURRENT ROW)"
            ));
        } else {
            slid.push("value".to_owned());
        }
        let mut shown = vec![
            format!("{} AS \"time\"", self.time_of("bucket")),
            format!("value AS {}", quote_identifier(&columns[0].name)),
        ];
        if let [_, middle, lower, upper] = columns {
            let reach = i64::from(query.baseline) * day;
            slid.push(
                "median(value) OVER past AS middle, mad(value) OVER past AS spread".to_owned(),
            );
            windows.push(format!(
                "past AS (ORDER BY {order} RANGE BETWEEN {reach} PRECEDING AND 1 PRECEDING)"
            ));
            let bands =
                [(middle, "middle"), (lower, "middle - spread"), (upper, "middle + spread")];
            shown.extend(
                bands.map(|(column, value)| {
                    format!("{value} AS {}", quote_identifier(&column.name))
                }),
            );
        }
        format!(
            "SELECT {}\nFROM (\nSELECT {}\nFROM (\n{points}\n)\nWINDOW {}\n)\nWHERE bucket >= {}",
            shown.join(", "),
            slid.join(", "),
            windows.join(", "),
            self.first(),
        )
    }

    fn value(&self) -> String {
        self.source.value((self.step != Step::Raw).then_some(self.aggregate))
    }

    fn rows(&self) -> String {
        let conditions: Vec<_> =
            std::iter::once(self.range()).chain(self.conditions.iter().cloned()).collect();
        format!("FROM \"{}\"\nWHERE {}", self.source.table, conditions.join("\n  AND "))
    }

    /// What a row is grouped by: a day, or an instant.
    fn bucket(&self) -> String {
        let time = moved("time", self.shift);
        match (&self.step, self.source.place) {
            (Step::Raw, Place::Daily(_)) if self.shift != 0 => {
                format!(
                    "local_midnight({}) + time - local_midnight(day)",
                    moved_day("day", self.shift)
                )
            }
            (Step::Raw, _) => time,
            (Step::Interval(interval), _) => format!("$__timeGroup({time}, {interval})"),
            (Step::Calendar(_) | Step::Days(_), Place::Daily(_) | Place::Samples(_)) => {
                self.begin_of(&moved_day("day", self.shift))
            }
            (Step::Calendar(_) | Step::Days(_), Place::Timed(_)) => {
                self.begin_of(&moved_day("local_day(time)", self.shift))
            }
        }
    }

    /// The instant at which a bucket is drawn.
    fn time_of(&self, bucket: &str) -> String {
        match (&self.step, self.source.place) {
            // Without a detour over text: there may be millions.
            (Step::Calendar(Calendar::Day), Place::Timed(_)) if bucket == "local_day(time)" => {
                "local_midnight(time)".to_owned()
            }
            (Step::Calendar(_) | Step::Days(_), _) => format!("local_midnight({bucket})"),
            (Step::Raw | Step::Interval(_), _) => bucket.to_owned(),
        }
    }

    /// The first bucket of the panel's range. It is whole: a week is not cut where the range begins.
    fn first(&self) -> String {
        match &self.step {
            Step::Raw => "$__timeFrom()".to_owned(),
            Step::Interval(interval) => format!("$__timeGroup($__unixEpochFrom(), {interval})"),
            Step::Calendar(_) | Step::Days(_) => self.begin_of("$__dayFrom()"),
        }
    }

    /// The first day of the step that `day` lies in.
    fn begin_of(&self, day: &str) -> String {
        match &self.step {
            Step::Calendar(unit) if *unit != Calendar::Day => {
                format!("$__dayGroup({day}, '{}')", unit.word())
            }
            Step::Days(days) => format!(
                "date({day}, '-' || (unixepoch({day}) / {SECONDS_OF_DAY} % {days}) || ' days')"
            ),
            Step::Raw | Step::Interval(_) | Step::Calendar(_) => day.to_owned(),
        }
    }

    /// The rows that the range and its windows need. Columns stay bare, so that indexes are used.
    fn range(&self) -> String {
        let back = -(self.before + self.shift);
        let (Step::Calendar(_) | Step::Days(_)) = self.step else {
            return match self.source.place {
                _ if self.step == Step::Raw && back == 0 && self.shift == 0 => {
                    "$__timeFilter(time)".to_owned()
                }
                Place::Daily(_) if self.step == Step::Raw => self.raw_range(),
                _ => format!(
                    "time BETWEEN {} AND {}",
                    moved(&self.first(), back),
                    moved("$__timeTo()", -self.shift)
                ),
            };
        };
        let (first, last) = (moved_day(&self.first(), back), moved_day("$__dayTo()", -self.shift));
        match self.source.place {
            Place::Daily(_) if first == "$__dayFrom()" && last == "$__dayTo()" => {
                "$__dayFilter(day)".to_owned()
            }
            Place::Daily(_) => format!("day BETWEEN {first} AND {last}"),
            Place::Timed(_) => format!(
                "time >= local_midnight({first}) AND time < local_midnight({})",
                moved_day(&last, 1)
            ),
            // A document's day is the one it counts for: its samples may lie in the evening before.
            Place::Samples(_) => format!(
                "day BETWEEN {first} AND {last} AND time >= local_midnight({}) AND time < local_midnight({})",
                moved_day(&first, -1),
                moved_day(&last, 2),
            ),
        }
    }

    /// The same of raw values that come by the day.
    fn raw_range(&self) -> String {
        let back = if self.before == 0 { 0 } else { -(self.before + MARGIN) };
        let drawn =
            format!("{} BETWEEN {} AND $__timeTo()", self.bucket(), moved("$__timeFrom()", back));
        if self.shift == 0 {
            return drawn;
        }
        let (first, last) = (
            moved("$__timeFrom()", -(self.before + self.shift + MARGIN)),
            moved("$__timeTo()", MARGIN - self.shift),
        );
        format!("time BETWEEN {first} AND {last}\n  AND {drawn}")
    }
}

/// An instant some days later, by 24 hours each.
fn moved(time: &str, days: i64) -> String {
    match days {
        0 => time.to_owned(),
        later @ 1.. => format!("{time} + {}", later * SECONDS_OF_DAY),
        earlier => format!("{time} - {}", -earlier * SECONDS_OF_DAY),
    }
}

fn moved_day(day: &str, days: i64) -> String {
    if days == 0 { day.to_owned() } else { format!("date({day}, '{days:+} days')") }
}

/// What the columns of a part are called where the rows of all parts lie below each other.
const BELOW: [&str; 4] = ["value", "middle", "lower", "upper"];

/// One row per time, the columns of all parts beside each other. Raw values keep a row each. Every part is named once, in what is read and
/// in what is shown: the statement grows as the parts do. They are subqueries, since SQLite allows few cursors where common table
/// expressions stand.
fn side_by_side(parts: &[Part]) -> String {
    let numbered = || (1..).zip(parts);
    let rows = numbered().map(|(number, part)| {
        let columns: Vec<_> = part
            .columns
            .iter()
            .zip(BELOW)
            .map(|(column, below)| format!("{} AS {below}", quote_identifier(&column.name)))
            .collect();
        format!(
            "SELECT {number} AS metric, \"time\", {} FROM (\n{}\n)",
            columns.join(", "),
            part.sql
        )
    });
    let rows = rows.collect::<Vec<_>>().join("\nUNION ALL ");
    let (aggregate, group) =
        if parts.iter().all(|part| part.grouped) { ("max", "\nGROUP BY 1") } else { ("", "") };
    let columns = numbered().flat_map(|(number, part)| {
        let one = move |(column, below): (&Column, &str)| {
            format!(
                "{aggregate}(CASE metric WHEN {number} THEN {below} END) AS {}",
                quote_identifier(&column.name)
            )
        };
        part.columns.iter().zip(BELOW).map(one)
    });
    let columns = columns.collect::<Vec<_>>().join(",\n  ");
    format!("SELECT \"time\",\n  {columns}\nFROM (\n{rows}\n){group}\nORDER BY 1")
}
