//! The expansion of each macro.

use std::time::Duration;

use super::call::Call;
use super::error::{MAX_GRID, MacroErrorKind};
use super::groups::{GROUP_MARK, GroupKind};
use super::variables::MATCH_ALL;
use crate::query::calendar::CalendarStep;
use crate::query::column_origin::is_day_name;
use crate::query::context::QueryContext;
use crate::query::fill::{Fill, FillMode};
use crate::query::interval;
use crate::time::Instant;

type Expansion = Result<String, MacroErrorKind>;

pub(super) fn alias_time(call: &mut Call<'_, '_>) -> Expansion {
    Ok(format!("{} AS \"time\"", call.arguments[0]))
}

/// The column stays bare so that SQLite uses its index.
pub(super) fn time_filter(call: &mut Call<'_, '_>) -> Expansion {
    if is_day(&call.arguments[0]) {
        return day_filter(call);
    }
    let column = &call.arguments[0];
    let from = seconds(call.context.from_ms);
    let to = seconds(call.context.to_ms);
    Ok(format!("{column} BETWEEN {from} AND {to}"))
}

pub(super) fn time_from(call: &mut Call<'_, '_>) -> Expansion {
    Ok(seconds(call.context.from_ms))
}

pub(super) fn time_to(call: &mut Call<'_, '_>) -> Expansion {
    Ok(seconds(call.context.to_ms))
}

/// Whole days of a column with days or midnights follow the calendar. All other groups have
/// PostgreSQL's meaning: they count from 1970 in UTC.
pub(super) fn time_group(call: &mut Call<'_, '_>) -> Expansion {
    let column = call.arguments[0].clone();
    let text = unquoted(&call.arguments[1]).to_owned();
    let interval = interval::parse(&text)
        .ok_or_else(|| MacroErrorKind::Interval(call.arguments[1].clone()))?;
    let mode = call.arguments.get(2).map(|mode| fill_mode(mode)).transpose()?;
    if let Some(step) = CalendarStep::parse(&text) {
        let kind = if is_day(&column) { GroupKind::Calendar } else { call.groups.next() };
        match kind {
            GroupKind::Marked(number) => return Ok(format!("{GROUP_MARK}({number}, {column})")),
            GroupKind::Calendar => {
                if let Some(mode) = mode {
                    *call.fill = Some(calendar_fill(mode, step, call)?);
                }
                return Ok(step.group(&column));
            }
            GroupKind::Utc => {}
        }
    }
    let step = whole_seconds(interval);
    if let Some(mode) = mode {
        *call.fill = Some(fill(mode, step, call.context)?);
    }
    let column = if is_day(&column) { format!("local_midnight({column})") } else { column };
    Ok(round_down(&column, step))
}

/// Rounds down before and after 1970. Instants are whole seconds, so a shorter interval becomes one
/// second.
fn round_down(column: &str, step: i64) -> String {
    format!("(({column}) - ((({column}) % {step}) + {step}) % {step})")
}

pub(super) fn time_group_alias(call: &mut Call<'_, '_>) -> Expansion {
    Ok(format!("{} AS \"time\"", time_group(call)?))
}

pub(super) fn epoch_filter(call: &mut Call<'_, '_>) -> Expansion {
    Ok(between(&call.arguments[0], epoch(call.context.from_ms), epoch(call.context.to_ms)))
}

pub(super) fn epoch_from(call: &mut Call<'_, '_>) -> Expansion {
    Ok(epoch(call.context.from_ms).to_string())
}

pub(super) fn epoch_to(call: &mut Call<'_, '_>) -> Expansion {
    Ok(epoch(call.context.to_ms).to_string())
}

pub(super) fn nano_filter(call: &mut Call<'_, '_>) -> Expansion {
    Ok(between(&call.arguments[0], nano(call.context.from_ms), nano(call.context.to_ms)))
}

pub(super) fn nano_from(call: &mut Call<'_, '_>) -> Expansion {
    Ok(nano(call.context.from_ms).to_string())
}

pub(super) fn nano_to(call: &mut Call<'_, '_>) -> Expansion {
    Ok(nano(call.context.to_ms).to_string())
}

pub(super) fn panel_interval(call: &mut Call<'_, '_>) -> Expansion {
    Ok(interval::format(call.context.interval))
}

pub(super) fn panel_interval_ms(call: &mut Call<'_, '_>) -> Expansion {
    Ok(call.context.interval.as_millis().to_string())
}

pub(super) fn from_ms(call: &mut Call<'_, '_>) -> Expansion {
    Ok(call.context.from_ms.to_string())
}

pub(super) fn to_ms(call: &mut Call<'_, '_>) -> Expansion {
    Ok(call.context.to_ms.to_string())
}

pub(super) fn day_filter(call: &mut Call<'_, '_>) -> Expansion {
    let column = &call.arguments[0];
    Ok(format!("{column} BETWEEN '{}' AND '{}'", call.first_day(), call.last_day()))
}

pub(super) fn day_from(call: &mut Call<'_, '_>) -> Expansion {
    Ok(format!("'{}'", call.first_day()))
}

pub(super) fn day_to(call: &mut Call<'_, '_>) -> Expansion {
    Ok(format!("'{}'", call.last_day()))
}

/// Weeks begin on Monday, as in ISO 8601.
pub(super) fn day_group(call: &mut Call<'_, '_>) -> Expansion {
    let argument = &call.arguments[0];
    let day = if is_day(argument) || argument.starts_with('\'') {
        argument.clone()
    } else {
        // `local_day` returns NULL for text, and `date` returns a day unchanged.
        format!("coalesce(local_day({argument}), date({argument}))")
    };
    match unquoted(&call.arguments[1]) {
        "day" => Ok(format!("date({day})")),
        "week" => Ok(format!("date({day}, 'weekday 0', '-6 days')")),
        "month" => Ok(format!("date({day}, 'start of month')")),
        "year" => Ok(format!("date({day}, 'start of year')")),
        other => Err(MacroErrorKind::CalendarUnit(other.to_owned())),
    }
}

pub(super) fn local_time(call: &mut Call<'_, '_>) -> Expansion {
    Ok(format!("local_time({})", call.arguments[0]))
}

pub(super) fn search_filter(_: &mut Call<'_, '_>) -> Expansion {
    Ok(MATCH_ALL.to_owned())
}

/// Parses the third argument of a group macro.
fn fill_mode(mode: &str) -> Result<FillMode, MacroErrorKind> {
    match mode {
        "NULL" => Ok(FillMode::Null),
        "previous" => Ok(FillMode::Previous),
        number => match number.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(FillMode::Value(value)),
            _ => Err(MacroErrorKind::Fill(number.to_owned())),
        },
    }
}

/// A grid of steps of the same length, counted from 1970.
fn fill(mode: FillMode, step: i64, context: &QueryContext) -> Result<Fill, MacroErrorKind> {
    let from = epoch(context.from_ms);
    let last = epoch(context.to_ms);
    let first = from - from.rem_euclid(step);
    if (last - first) / step >= MAX_GRID {
        return Err(MacroErrorKind::Grid);
    }
    Ok(Fill::regular(mode, first, last, step))
}

/// A grid of calendar steps.
fn calendar_fill(
    mode: FillMode,
    step: CalendarStep,
    call: &Call<'_, '_>,
) -> Result<Fill, MacroErrorKind> {
    let to = Instant(epoch(call.context.to_ms));
    let starts = step.starts(call.first_day(), to, call.zone, MAX_GRID as usize);
    Ok(Fill::at(mode, starts.ok_or(MacroErrorKind::Grid)?))
}

/// Returns whether a column holds calendar days, judged by its name: `day`, `nights.day`,
/// `"start_day"`. In our tables, every column with such a name is text.
fn is_day(column: &str) -> bool {
    let name = column.rsplit('.').next().unwrap_or(column).trim_matches(['"', '`', '[', ']']);
    is_day_name(name)
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).unwrap_or(text)
}

fn between(column: &str, from: i64, to: i64) -> String {
    format!("{column} >= {from} AND {column} <= {to}")
}

fn whole_seconds(interval: Duration) -> i64 {
    i64::try_from(interval.as_secs_f64().ceil() as u64).unwrap_or(i64::MAX).max(1)
}

/// Formats milliseconds as seconds, with a fraction only if it is not zero.
fn seconds(milliseconds: i64) -> String {
    if milliseconds.rem_euclid(1_000) == 0 {
        epoch(milliseconds).to_string()
    } else {
        format!("{}", milliseconds as f64 / 1e3)
    }
}

/// Returns whole Unix seconds, rounded down.
fn epoch(milliseconds: i64) -> i64 {
    milliseconds.div_euclid(1_000)
}

/// Returns Unix nanoseconds.
fn nano(milliseconds: i64) -> i64 {
    milliseconds.saturating_mul(1_000_000)
}
