//! Errors of macros.

use crate::store::MAX_STATEMENT;

/// The maximum nesting of macros in arguments of macros.
pub(super) const MAX_DEPTH: usize = 8;

/// The maximum number of points of a filled grid.
pub(super) const MAX_GRID: i64 = 100_000;

/// An invalid macro and its position.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{kind}")]
pub struct MacroError {
    /// The mistake.
    pub kind: MacroErrorKind,
    /// The position of the macro in bytes.
    pub offset: usize,
}

/// The mistake in a macro.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MacroErrorKind {
    /// No macro has this name.
    #[error("Unknown macro {0}")]
    Unknown(String),
    /// Too many, too few or empty arguments. Holds the macro's usage.
    #[error("Wrong number of arguments, usage: {0}")]
    Arguments(&'static str),
    /// A parenthesis or a brace is missing.
    #[error("Missing closing bracket: {0}")]
    Unclosed(String),
    /// The second argument of a group macro is invalid.
    #[error("Invalid interval {0}: use a number and a unit, for example `5m`")]
    Interval(String),
    /// The third argument of a group macro is invalid.
    #[error("Invalid fill value {0}: use NULL, previous or a number")]
    Fill(String),
    /// The interval to fill is too short for the time range.
    #[error("Filling the range takes more than {MAX_GRID} points: use a longer interval")]
    Grid,
    /// The second argument of `$__dayGroup` is invalid.
    #[error("Invalid calendar unit {0}: use 'day', 'week', 'month' or 'year'")]
    CalendarUnit(String),
    /// The format of `${__from:…}` or `${__to:…}` is invalid.
    #[error(
        "Invalid time format {0}: \
         use date, date:iso, date:seconds, or a pattern such as date:YYYY-MM-DD"
    )]
    TimeFormat(String),
    /// Too many macros inside each other.
    #[error("Macros are nested too deeply: at most {MAX_DEPTH} levels are allowed")]
    Depth,
    /// The expanded statement is too long.
    #[error("The statement with its macros expanded is longer than {} KiB", MAX_STATEMENT >> 10)]
    Length,
}
