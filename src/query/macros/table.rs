//! The table of all macros.

use serde::Serialize;

use super::call::Expand;
use super::functions::{
    alias_time, day_filter, day_from, day_group, day_to, epoch_filter, epoch_from, epoch_to,
    from_ms, local_time, nano_filter, nano_from, nano_to, panel_interval, panel_interval_ms,
    search_filter, time_filter, time_from, time_group, time_group_alias, time_to, to_ms,
};

/// A macro, as the editor shows it.
#[derive(Clone, Copy, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema), ts(rename = "SchemaMacro"))]
pub struct Macro {
    /// The name without the `$`.
    pub name: &'static str,
    /// How to write it, with its arguments.
    pub usage: &'static str,
    /// One phrase for the editor.
    pub description: &'static str,
    /// The minimum and the maximum number of arguments.
    #[serde(skip)]
    pub(super) arguments: (usize, usize),
    #[serde(skip)]
    pub(super) expand: Expand,
}

impl Macro {
    const fn new(
        name: &'static str,
        usage: &'static str,
        arguments: (usize, usize),
        expand: Expand,
        description: &'static str,
    ) -> Macro {
        Macro { name, usage, description, arguments, expand }
    }
}

/// All macros. The parentheses of a macro without arguments are optional.
pub const MACROS: [Macro; 25] = [
    Macro::new("__time", "$__time(column)", (1, 1), alias_time, "Names the column \"time\""),
    Macro::new(
        "__timeEpoch",
        "$__timeEpoch(column)",
        (1, 1),
        alias_time,
        "Names the column \"time\"",
    ),
    Macro::new(
        "__timeFilter",
        "$__timeFilter(column)",
        (1, 1),
        time_filter,
        "Keeps rows in the panel's time range, both ends included",
    ),
    Macro::new(
        "__timeFrom",
        "$__timeFrom()",
        (0, 0),
        time_from,
        "Start of the time range in Unix seconds",
    ),
    Macro::new("__timeTo", "$__timeTo()", (0, 0), time_to, "End of the time range in Unix seconds"),
    Macro::new(
        "__timeGroup",
        "$__timeGroup(column, '5m'[, NULL|previous|0])",
        (2, 3),
        time_group,
        "Start of the interval that contains the time. Days and their midnights are grouped by the \
         calendar",
    ),
    Macro::new(
        "__timeGroupAlias",
        "$__timeGroupAlias(column, '5m'[, NULL|previous|0])",
        (2, 3),
        time_group_alias,
        "Same as $__timeGroup, and names the column \"time\"",
    ),
    Macro::new(
        "__unixEpochFilter",
        "$__unixEpochFilter(column)",
        (1, 1),
        epoch_filter,
        "Keeps rows in the time range, for columns in Unix seconds",
    ),
    Macro::new(
        "__unixEpochFrom",
        "$__unixEpochFrom()",
        (0, 0),
        epoch_from,
        "Start of the time range in whole Unix seconds",
    ),
    Macro::new(
        "__unixEpochTo",
        "$__unixEpochTo()",
        (0, 0),
        epoch_to,
        "End of the time range in whole Unix seconds",
    ),
    Macro::new(
        "__unixEpochNanoFilter",
        "$__unixEpochNanoFilter(column)",
        (1, 1),
        nano_filter,
        "Keeps rows in the time range, for columns in Unix nanoseconds",
    ),
    Macro::new(
        "__unixEpochNanoFrom",
        "$__unixEpochNanoFrom()",
        (0, 0),
        nano_from,
        "Start of the time range in Unix nanoseconds",
    ),
    Macro::new(
        "__unixEpochNanoTo",
        "$__unixEpochNanoTo()",
        (0, 0),
        nano_to,
        "End of the time range in Unix nanoseconds",
    ),
    Macro::new(
        "__unixEpochGroup",
        "$__unixEpochGroup(column, '5m'[, NULL|previous|0])",
        (2, 3),
        time_group,
        "Same as $__timeGroup",
    ),
    Macro::new(
        "__unixEpochGroupAlias",
        "$__unixEpochGroupAlias(column, '5m'[, NULL|previous|0])",
        (2, 3),
        time_group_alias,
        "Same as $__timeGroupAlias",
    ),
    Macro::new(
        "__interval",
        "$__interval",
        (0, 0),
        panel_interval,
        "The panel's interval, for example 5m",
    ),
    Macro::new(
        "__interval_ms",
        "$__interval_ms",
        (0, 0),
        panel_interval_ms,
        "The panel's interval in milliseconds",
    ),
    Macro::new(
        "__from",
        "$__from, ${__from:date:iso}",
        (0, 0),
        from_ms,
        "Start of the time range in Unix milliseconds",
    ),
    Macro::new(
        "__to",
        "$__to, ${__to:date:seconds}",
        (0, 0),
        to_ms,
        "End of the time range in Unix milliseconds",
    ),
    Macro::new(
        "__dayFilter",
        "$__dayFilter(day)",
        (1, 1),
        day_filter,
        "Keeps the calendar days that overlap the time range",
    ),
    Macro::new(
        "__dayFrom",
        "$__dayFrom()",
        (0, 0),
        day_from,
        "First calendar day of the time range",
    ),
    Macro::new("__dayTo", "$__dayTo()", (0, 0), day_to, "Last calendar day of the time range"),
    Macro::new(
        "__dayGroup",
        "$__dayGroup(day, 'week'|'month'|'year')",
        (2, 2),
        day_group,
        "First day of the calendar week, month or year",
    ),
    Macro::new(
        "__localTime",
        "$__localTime(column)",
        (1, 1),
        local_time,
        "Local date and time as text",
    ),
    Macro::new(
        "__searchFilter",
        "$__searchFilter",
        (0, 0),
        search_filter,
        "Text typed into a variable's search box, or % if it is empty",
    ),
];

/// Returns the macro with the name `text`, which includes the `$`.
pub(super) fn find_macro(text: &str) -> Option<&'static Macro> {
    let name = text.strip_prefix('$')?;
    MACROS.iter().find(|known| known.name == name)
}
