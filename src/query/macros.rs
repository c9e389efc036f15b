//! Grafana's SQL macros with PostgreSQL's meaning, for instants that are whole Unix seconds and days that are `YYYY-MM-DD`.
//!
//! A tokenizer finds them: text in strings, comments and quoted names stays as it is, arguments may nest parentheses and macros.
//! The meaning is that of Grafana's `pkg/tsdb/grafana-postgresql-datasource/macros.go`, checked at their edges by the tests below.

mod variables;

use std::time::Duration;

use serde::Serialize;

use super::{QueryContext, interval};
use crate::sql::{Token, TokenKind, TokenizedSql};
use crate::store::MAX_STATEMENT;
use crate::time::{Instant, Tz};
use variables::{ANYTHING, variable, variables_in};

/// How deep macros may stand in arguments of macros.
const MAX_DEPTH: usize = 8;

/// The most points a filled grid may have.
const MAX_GRID: i64 = 100_000;

/// A macro, as the editor shows it.
#[derive(Clone, Copy, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "SchemaMacro"))]
pub struct Macro {
    /// Without the `$`.
    pub name: &'static str,
    pub usage: &'static str,
    pub description: &'static str,
    /// The fewest and the most arguments.
    #[serde(skip)]
    takes: (usize, usize),
    #[serde(skip)]
    expand: fn(&mut Call<'_>) -> Result<String, Problem>,
}

const fn of(
    name: &'static str,
    usage: &'static str,
    takes: (usize, usize),
    expand: fn(&mut Call<'_>) -> Result<String, Problem>,
    description: &'static str,
) -> Macro {
    Macro { name, usage, description, takes, expand }
}

/// Every macro there is. Those without arguments are also read without parentheses.
pub const MACROS: [Macro; 25] = [
    of("__time", "$__time(column)", (1, 1), alias, "names the column time"),
    of("__timeEpoch", "$__timeEpoch(column)", (1, 1), alias, "names the column time"),
    of(
        "__timeFilter",
        "$__timeFilter(column)",
        (1, 1),
        time_filter,
        "keeps the instants in the panel's range, both ends included",
    ),
    of(
        "__timeFrom",
        "$__timeFrom()",
        (0, 0),
        |call| Ok(seconds(call.context.from_ms)),
        "the beginning of the range in Unix seconds",
    ),
    of(
        "__timeTo",
        "$__timeTo()",
        (0, 0),
        |call| Ok(seconds(call.context.to_ms)),
        "the end of the range in Unix seconds",
    ),
    of(
        "__timeGroup",
        "$__timeGroup(column, '5m'[, NULL|previous|0])",
        (2, 3),
        time_group,
        "the beginning of the interval an instant lies in",
    ),
    of(
        "__timeGroupAlias",
        "$__timeGroupAlias(column, '5m'[, NULL|previous|0])",
        (2, 3),
        |call| Ok(format!("{} AS \"time\"", time_group(call)?)),
        "the same, named time",
    ),
    of(
        "__unixEpochFilter",
        "$__unixEpochFilter(column)",
        (1, 1),
        |call| Ok(between(call, 1_000, 1)),
        "keeps Unix seconds in the range",
    ),
    of(
        "__unixEpochFrom",
        "$__unixEpochFrom()",
        (0, 0),
        |call| Ok(scaled(call.context.from_ms, 1_000, 1)),
        "the beginning of the range, whole seconds",
    ),
    of(
        "__unixEpochTo",
        "$__unixEpochTo()",
        (0, 0),
        |call| Ok(scaled(call.context.to_ms, 1_000, 1)),
        "the end of the range, whole seconds",
    ),
    of(
        "__unixEpochNanoFilter",
        "$__unixEpochNanoFilter(column)",
        (1, 1),
        |call| Ok(between(call, 1, 1_000_000)),
        "keeps Unix nanoseconds in the range",
    ),
    of(
        "__unixEpochNanoFrom",
        "$__unixEpochNanoFrom()",
        (0, 0),
        |call| Ok(scaled(call.context.from_ms, 1, 1_000_000)),
        "the beginning in nanoseconds",
    ),
    of(
        "__unixEpochNanoTo",
        "$__unixEpochNanoTo()",
        (0, 0),
        |call| Ok(scaled(call.context.to_ms, 1, 1_000_000)),
        "the end in nanoseconds",
    ),
    of(
        "__unixEpochGroup",
        "$__unixEpochGroup(column, '5m'[, NULL|previous|0])",
        (2, 3),
        time_group,
        "the same as $__timeGroup",
    ),
    of(
        "__unixEpochGroupAlias",
        "$__unixEpochGroupAlias(column, '5m'[, NULL|previous|0])",
        (2, 3),
        |call| Ok(format!("{} AS \"time\"", time_group(call)?)),
        "the same, named time",
    ),
    of(
        "__interval",
        "$__interval",
        (0, 0),
        |call| Ok(interval::format(call.context.interval)),
        "the panel's interval: 5m",
    ),
    of(
        "__interval_ms",
        "$__interval_ms",
        (0, 0),
        |call| Ok(call.context.interval.as_millis().to_string()),
        "the panel's interval in milliseconds",
    ),
    of(
        "__from",
        "$__from, ${__from:date:iso}",
        (0, 0),
        |call| Ok(call.context.from_ms.to_string()),
        "the beginning of the range in milliseconds",
    ),
    of(
        "__to",
        "$__to, ${__to:date:seconds}",
        (0, 0),
        |call| Ok(call.context.to_ms.to_string()),
        "the end of the range in milliseconds",
    ),
    of(
        "__dayFilter",
        "$__dayFilter(day)",
        (1, 1),
        day_filter,
        "keeps the calendar days the range touches",
    ),
    of(
        "__dayFrom",
        "$__dayFrom()",
        (0, 0),
        |call| Ok(format!("'{}'", call.day(call.context.from_ms))),
        "the first calendar day of the range",
    ),
    of(
        "__dayTo",
        "$__dayTo()",
        (0, 0),
        |call| Ok(format!("'{}'", call.day(call.context.to_ms))),
        "the last calendar day of the range",
    ),
    of(
        "__dayGroup",
        "$__dayGroup(day, 'week'|'month'|'year')",
        (2, 2),
        day_group,
        "the first day of the calendar week, month or year",
    ),
    of(
        "__localTime",
        "$__localTime(column)",
        (1, 1),
        |call| Ok(format!("local_time({})", call.arguments[0])),
        "what a calendar and a clock showed at an instant, as text",
    ),
    of(
        "__searchFilter",
        "$__searchFilter",
        (0, 0),
        |_| Ok(ANYTHING.to_owned()),
        "what was typed into a variable's search box; everything when nothing was",
    ),
];

/// What a statement became.
#[derive(Clone, Debug, PartialEq)]
pub struct Expanded {
    pub sql: String,
    /// Asked for by the third argument of a group macro; done on the finished series.
    pub fill: Option<Fill>,
    pieces: Vec<Piece>,
}

/// Where a piece of the expanded text begins, and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    at: usize,
    source: usize,
    /// A macro's piece comes from its name as a whole.
    verbatim: bool,
}

impl Expanded {
    /// The place in what was written that stands at `offset` of what became of it; both in bytes.
    pub fn source(&self, offset: usize) -> usize {
        let after = self.pieces.partition_point(|piece| piece.at <= offset);
        match after.checked_sub(1).map(|last| self.pieces[last]) {
            Some(Piece { at, source, verbatim: true }) => source + (offset - at),
            Some(Piece { source, .. }) => source,
            None => offset,
        }
    }
}

/// A regular grid of times on which a series is to have a value each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fill {
    pub mode: FillMode,
    /// Whole Unix seconds, both included; `first` is a multiple of `step`.
    pub first: i64,
    pub last: i64,
    pub step: i64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FillMode {
    Null,
    Previous,
    Value(f64),
}

/// A macro that cannot be expanded, and where it stands (byte offset).
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{problem}")]
pub struct MacroError {
    pub problem: Problem,
    pub offset: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("there is no macro {0}")]
    Unknown(String),
    #[error("wrong arguments: it is written {0}")]
    Arguments(&'static str),
    #[error("{0} is not closed")]
    Unclosed(String),
    #[error("{0} is no interval: write a number and a unit (s, m, h, d, w), such as '5m'")]
    Interval(String),
    #[error("{0} cannot fill gaps: write NULL, previous or a number")]
    Fill(String),
    #[error("filling the range in steps this short would take more than {MAX_GRID} points")]
    Grid,
    #[error("{0} is no calendar unit: write 'day', 'week', 'month' or 'year'")]
    CalendarUnit(String),
    #[error(
        "{0} is no format of a time: write date, date:iso, date:seconds, or a pattern such as date:YYYY-MM-DD"
    )]
    TimeFormat(String),
    #[error("macros are nested too deeply")]
    Depth,
    #[error("with its macros expanded, the statement is longer than {} KiB", MAX_STATEMENT >> 10)]
    Length,
}

/// Expands every macro of `sql`. Calendar days are those of `zone`.
pub fn expand(sql: &str, context: &QueryContext, zone: Tz) -> Result<Expanded, MacroError> {
    if sql.len() > MAX_STATEMENT {
        return Err(MacroError { problem: Problem::Length, offset: 0 });
    }
    let tokenized = TokenizedSql::new(sql);
    let tokens: Vec<_> = tokenized.tokens().collect();
    let mut expander = Expander { context, zone, fill: None, pieces: Vec::new() };
    let sql = expander.expand(&tokens, 0)?;
    Ok(Expanded { sql, fill: expander.fill, pieces: expander.pieces })
}

struct Expander<'a> {
    context: &'a QueryContext,
    zone: Tz,
    fill: Option<Fill>,
    /// Of the statement itself; arguments belong to their macro.
    pieces: Vec<Piece>,
}

/// One use of a macro.
struct Call<'a> {
    context: &'a QueryContext,
    zone: Tz,
    fill: &'a mut Option<Fill>,
    /// As SQL, macros in them expanded.
    arguments: Vec<String>,
}

impl Expander<'_> {
    fn expand(&mut self, tokens: &[Token<'_>], depth: usize) -> Result<String, MacroError> {
        let mut sql = String::with_capacity(tokens.iter().map(|token| token.text.len()).sum());
        let mut clause = Clause::default();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            clause.see(token);
            if depth == 0 {
                let verbatim = !(token.kind == TokenKind::Variable
                    && (token.text.starts_with("$__") || token.text.starts_with("${__")));
                self.pieces.push(Piece { at: sql.len(), source: token.offset, verbatim });
            }
            let fail = |problem| MacroError { problem, offset: token.offset };
            match token.kind {
                TokenKind::Variable if token.text.starts_with("${__") => {
                    append(&mut sql, &variable(token.text, self.context, self.zone).map_err(fail)?)
                }
                TokenKind::Variable if token.text.starts_with("$__") => {
                    let found = find(token.text)
                        .ok_or_else(|| fail(Problem::Unknown(token.text.to_owned())))?;
                    let list = argument_list(&tokens[at..])
                        .ok_or_else(|| fail(Problem::Unclosed(format!("{}(", token.text))))?;
                    at += list.length;
                    if depth == MAX_DEPTH {
                        return Err(fail(Problem::Depth));
                    }
                    let arguments = list
                        .arguments
                        .into_iter()
                        .map(|tokens| self.expand(tokens, depth + 1))
                        .collect::<Result<Vec<_>, _>>()?;
                    append(&mut sql, &self.call(found, arguments).map_err(fail)?);
                    if is_old_group(found.name)
                        && clause.selects()
                        && tokens.get(at).is_some_and(|token| token.is_symbol(","))
                    {
                        sql.push_str(" AS \"time\"");
                    }
                }
                // In an argument it would reach over what the macro puts behind it.
                TokenKind::Comment if depth > 0 && token.text.starts_with("--") => sql.push(' '),
                TokenKind::String => {
                    sql.push_str(&variables_in(token.text, self.context, self.zone).map_err(fail)?)
                }
                _ => sql.push_str(token.text),
            }
            // A macro may write its arguments twice, and stand in another one's.
            if sql.len() > MAX_STATEMENT {
                return Err(MacroError { problem: Problem::Length, offset: token.offset });
            }
        }
        Ok(sql)
    }

    fn call(&mut self, found: &Macro, arguments: Vec<String>) -> Result<String, Problem> {
        let arguments: Vec<_> =
            arguments.into_iter().map(|argument| argument.trim().to_owned()).collect();
        let (fewest, most) = found.takes;
        if arguments.len() < fewest
            || arguments.len() > most
            || arguments.iter().any(String::is_empty)
        {
            return Err(Problem::Arguments(found.usage));
        }
        (found.expand)(&mut Call {
            context: self.context,
            zone: self.zone,
            fill: &mut self.fill,
            arguments,
        })
    }
}

/// Adds what a macro became, as tokens of its own: a minus before a negative number would begin a comment, a colon before a number a
/// parameter.
fn append(sql: &mut String, expansion: &str) {
    if sql.ends_with(['-', '/', '$', ':', '@', '?', '#', '\'', '"', '`']) {
        sql.push(' ');
    }
    sql.push_str(expansion);
}

/// The macro of this name, with its `$`.
fn find(text: &str) -> Option<&'static Macro> {
    MACROS.iter().find(|known| Some(known.name) == text.strip_prefix('$'))
}

/// Before `$__timeGroupAlias` there was, `$__timeGroup(…),` in a list of columns named itself; PostgreSQL dashboards still rely on it.
fn is_old_group(name: &str) -> bool {
    name == "__timeGroup"
}

/// Whether the text at hand is a SELECT's list of columns, at each depth of parentheses.
#[derive(Default)]
struct Clause {
    lists: Vec<bool>,
    here: bool,
}

impl Clause {
    fn see(&mut self, token: &Token<'_>) {
        if token.is_symbol("(") {
            self.lists.push(std::mem::take(&mut self.here));
        } else if token.is_symbol(")") {
            self.here = self.lists.pop().unwrap_or_default();
        } else if token.is_word("SELECT") {
            self.here = true;
        } else if ["FROM", "WHERE", "GROUP", "HAVING", "ORDER", "WINDOW", "LIMIT"]
            .iter()
            .any(|word| token.is_word(word))
        {
            self.here = false;
        }
    }

    fn selects(&self) -> bool {
        self.here
    }
}

/// The arguments after a macro's name, none if it has no parentheses, and how many tokens they take.
struct ArgumentList<'t, 'a> {
    arguments: Vec<&'t [Token<'a>]>,
    length: usize,
}

/// `None` if the parentheses never close.
fn argument_list<'t, 'a>(tokens: &'t [Token<'a>]) -> Option<ArgumentList<'t, 'a>> {
    if !tokens.first().is_some_and(|token| token.is_symbol("(")) {
        return Some(ArgumentList { arguments: Vec::new(), length: 0 });
    }
    let (mut arguments, mut depth, mut start) = (Vec::new(), 0, 1);
    for (at, token) in tokens.iter().enumerate() {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(",") && depth == 1 {
            arguments.push(&tokens[start..at]);
            start = at + 1;
        } else if token.is_symbol(")") {
            depth -= 1;
            if depth == 0 {
                let last = &tokens[start..at];
                if !arguments.is_empty() || last.iter().any(Token::is_significant) {
                    arguments.push(last);
                }
                return Some(ArgumentList { arguments, length: at + 1 });
            }
        }
    }
    None
}

impl Call<'_> {
    fn day(&self, milliseconds: i64) -> crate::time::Day {
        Instant(milliseconds.div_euclid(1_000)).day(self.zone)
    }
}

fn alias(call: &mut Call<'_>) -> Result<String, Problem> {
    Ok(format!("{} AS \"time\"", call.arguments[0]))
}

/// The column stays bare, so that an index on it is used.
fn time_filter(call: &mut Call<'_>) -> Result<String, Problem> {
    if is_day(&call.arguments[0]) {
        return day_filter(call);
    }
    let QueryContext { from_ms, to_ms, .. } = *call.context;
    Ok(format!("{} BETWEEN {} AND {}", call.arguments[0], seconds(from_ms), seconds(to_ms)))
}

fn between(call: &Call<'_>, divisor: i64, factor: i64) -> String {
    let QueryContext { from_ms, to_ms, .. } = *call.context;
    let column = &call.arguments[0];
    format!(
        "{column} >= {} AND {column} <= {}",
        scaled(from_ms, divisor, factor),
        scaled(to_ms, divisor, factor)
    )
}

/// Rounds down on both sides of 1970. Seconds are whole, so shorter intervals become one second.
fn time_group(call: &mut Call<'_>) -> Result<String, Problem> {
    let interval = interval::parse(unquoted(&call.arguments[1]))
        .ok_or_else(|| Problem::Interval(call.arguments[1].clone()))?;
    let step = whole_seconds(interval);
    if let Some(mode) = call.arguments.get(2) {
        *call.fill = Some(fill(mode, step, call.context)?);
    }
    let column = match &call.arguments[0] {
        day if is_day(day) => format!("local_midnight({day})"),
        column => column.clone(),
    };
    Ok(format!("(({column}) - ((({column}) % {step}) + {step}) % {step})"))
}

fn fill(mode: &str, step: i64, context: &QueryContext) -> Result<Fill, Problem> {
    let mode = match mode {
        "NULL" => FillMode::Null,
        "previous" => FillMode::Previous,
        number => FillMode::Value(
            number
                .parse()
                .ok()
                .filter(|value: &f64| value.is_finite())
                .ok_or_else(|| Problem::Fill(number.to_owned()))?,
        ),
    };
    let (from, last) = (context.from_ms.div_euclid(1_000), context.to_ms.div_euclid(1_000));
    let first = from - from.rem_euclid(step);
    if (last - first) / step >= MAX_GRID {
        Err(Problem::Grid)
    } else {
        Ok(Fill { mode, first, last, step })
    }
}

fn day_filter(call: &mut Call<'_>) -> Result<String, Problem> {
    let QueryContext { from_ms, to_ms, .. } = *call.context;
    Ok(format!("{} BETWEEN '{}' AND '{}'", call.arguments[0], call.day(from_ms), call.day(to_ms)))
}

/// Weeks begin on Monday, as ISO 8601 has it.
fn day_group(call: &mut Call<'_>) -> Result<String, Problem> {
    let day = match &call.arguments[0] {
        day if is_day(day) || day.starts_with('\'') => day.clone(),
        // A text that is a day already comes back as it is.
        time => format!("coalesce(local_day({time}), date({time}))"),
    };
    match unquoted(&call.arguments[1]) {
        "day" => Ok(format!("date({day})")),
        "week" => Ok(format!("date({day}, 'weekday 0', '-6 days')")),
        "month" => Ok(format!("date({day}, 'start of month')")),
        "year" => Ok(format!("date({day}, 'start of year')")),
        other => Err(Problem::CalendarUnit(other.to_owned())),
    }
}

/// Whether a column is a calendar day by its name: `day`, `nights.day`, `"start_day"`. Every such column here is text, and no instant.
fn is_day(column: &str) -> bool {
    let name = column.rsplit('.').next().unwrap_or(column).trim_matches(['"', '`', '[', ']']);
    let name = name.to_ascii_lowercase();
    name == "day" || ["start_day", "end_day", "first_day", "last_day"].contains(&name.as_str())
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).unwrap_or(text)
}

fn whole_seconds(interval: Duration) -> i64 {
    i64::try_from(interval.as_secs_f64().ceil() as u64).unwrap_or(i64::MAX).max(1)
}

/// Milliseconds as seconds, with a fraction only if there is one.
fn seconds(milliseconds: i64) -> String {
    let (whole, fraction) = (milliseconds.div_euclid(1_000), milliseconds.rem_euclid(1_000));
    if fraction == 0 { whole.to_string() } else { format!("{}", milliseconds as f64 / 1e3) }
}

fn scaled(milliseconds: i64, divisor: i64, factor: i64) -> String {
    milliseconds.div_euclid(divisor).saturating_mul(factor).to_string()
}

#[cfg(test)]
mod tests;
