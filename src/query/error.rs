//! Query errors: a message and a hint for people, a code for programs.

use std::time::Duration;

use super::macros::{Expanded, MACROS, MacroError, MacroErrorKind};
use super::parser::explain_syntax_error;
use super::suggest::similar_sql_names;
use crate::error_source::ErrorSource;
use crate::os::RAISE_FILE_LIMIT;
use crate::sql::{LookAlike, TokenKind, TokenizedSql, line_and_column};
use crate::store::{REPAIR, ReadError, Refusal};

/// A position in the statement. Lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Position {
    /// The position of the first character.
    const START: Position = Position { line: 1, column: 1 };

    /// Returns the position of the byte at `offset` of `sql`.
    pub fn of(sql: &str, offset: usize) -> Position {
        let (line, column) = line_and_column(sql, offset);
        Position { line, column }
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// The reason why a query failed. `Display` is the message, [`QueryError::hint`] the remedy.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The statement has no SQL besides comments.
    #[error("The query is empty")]
    Empty,
    /// The statement is not a SELECT.
    #[error("Only SELECT statements are allowed, found {found} ({position})")]
    NotSelect {
        /// The first word of the statement.
        found: String,
        /// Its position.
        position: Position,
    },
    /// More SQL follows the first semicolon.
    #[error("Only one statement is allowed, found a second one at {position}")]
    SeveralStatements {
        /// The position of the second statement.
        position: Position,
    },
    /// A macro is unknown or has invalid arguments.
    #[error("{kind} ({position})")]
    Macro {
        /// The mistake.
        kind: MacroErrorKind,
        /// The position of the macro.
        position: Position,
    },
    /// SQLite reports a syntax error.
    #[error("{message}{}", in_parentheses(*.position))]
    Syntax {
        /// SQLite's message.
        message: String,
        /// The position, if SQLite reports one.
        position: Option<Position>,
        /// The message of our own parser, which names the token that it expected.
        explanation: Option<String>,
    },
    /// A character that looks like another one makes the statement invalid.
    #[error("The statement contains {} ({position})", .character.name)]
    LookAlike {
        /// The character.
        character: &'static LookAlike,
        /// Its position.
        position: Position,
    },
    /// A modifier of a date function means the time zone of the machine.
    #[error(
        "The modifiers 'localtime' and 'utc' mean the time zone of the server{}",
        in_parentheses(*.position)
    )]
    MachineZone {
        /// The position of the modifier, if it is written in the statement.
        position: Option<Position>,
    },
    /// A metrics query contradicts itself or exceeds a limit.
    #[error(transparent)]
    InvalidMetrics(#[from] MetricsError),
    /// A name does not exist.
    #[error("Unknown {kind} {name}{}", in_parentheses(*.position))]
    Unknown {
        /// The kind of name: `table`, `column`, `function`, `metric` or `annotation kind`.
        kind: &'static str,
        /// The name as written.
        name: String,
        /// The position, if SQLite reports one.
        position: Option<Position>,
        /// Similar names that exist, most similar first.
        similar: Vec<String>,
    },
    /// The authorizer rejects the statement.
    #[error(transparent)]
    Refused(Refusal),
    /// The values do not match the statement's parameters.
    #[error("{0}")]
    Parameters(String),
    /// The query took longer than the limit.
    #[error("The query was stopped after {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The caller went away.
    #[error("The query was cancelled")]
    Cancelled,
    /// The statement or a value exceeds one of SQLite's limits.
    #[error("The query was stopped: {0}")]
    TooLarge(&'static str),
    /// An expression failed on a value.
    #[error("The query failed on a value: {0}")]
    Failed(String),
    /// The queue is full, or the query reached its time limit in the queue.
    #[error("Too many queries are queued for this data source")]
    Busy,
    /// Other queries use the memory that all queries of the process share.
    #[error("Other queries use the memory for queries")]
    MemoryInUse,
    /// The database file has damaged pages.
    #[error("The stored data is damaged: {0}")]
    Damaged(String),
    /// The process has no free file handle.
    #[error("Too many files are open in this process")]
    TooManyFiles,
    /// The database file is unreadable.
    #[error("The stored data is unreadable: {0}")]
    Unavailable(String),
}

/// The reason why a metrics query is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricsError {
    /// No metrics.
    #[error("The query has no metrics: choose at least one")]
    NoMetrics,
    /// Two metrics that would be the same series.
    #[error("Metric {0} is listed twice: remove one, or give it another aggregate or shift")]
    Duplicate(String),
    /// Too many metrics.
    #[error("Too many metrics ({count}): split the query, it can show at most {max}")]
    TooMany {
        /// The number of metrics in the query.
        count: usize,
        /// The maximum number of metrics of one query.
        max: usize,
    },
    /// Too many filters.
    #[error("Too many filters ({count}): remove some, a query can have at most {max}")]
    TooManyFilters {
        /// The number of filters in the query.
        count: usize,
        /// The maximum number of filters of one query.
        max: usize,
    },
    /// A moving average, a baseline or a shift that reaches too far.
    #[error("Moving average, baseline and shift can be at most {max} days")]
    TooManyDays {
        /// The maximum number of days.
        max: u16,
    },
    /// Steps too short for a moving average or a baseline of this metric.
    #[error(
        "Step too short for a moving average or baseline of {0}: \
         choose 1h, day, week, month or year"
    )]
    StepTooShort(String),
}

fn in_parentheses(position: Option<Position>) -> String {
    position.map(|position| format!(" ({position})")).unwrap_or_default()
}

/// The constant properties of an error.
struct Facts {
    code: &'static str,
    status: u16,
    hint: &'static str,
}

impl QueryError {
    /// The error for a thread that ended without an answer.
    pub(super) fn panicked() -> QueryError {
        QueryError::Unavailable("the query panicked".to_owned())
    }

    fn facts(&self) -> Facts {
        let (code, status, hint) = match self {
            QueryError::Empty => ("empty_query", 400, "Write a SELECT statement."),
            QueryError::NotSelect { .. } => {
                ("not_select", 400, "Start with SELECT, WITH, VALUES or EXPLAIN QUERY PLAN.")
            }
            QueryError::SeveralStatements { .. } => {
                ("several_statements", 400, "Remove everything after the first semicolon.")
            }
            QueryError::Macro { .. } => ("macro", 400, "The schema lists all macros."),
            QueryError::Syntax { .. } => ("syntax", 400, "Queries use SQLite's SQL dialect."),
            QueryError::LookAlike { .. } => ("look_alike", 400, ""),
            QueryError::MachineZone { .. } => (
                "machine_zone",
                400,
                "Use local_time(), local_day(), local_hour() or local_clock(): \
                 they take the time itself, and follow the data source's time zone.",
            ),
            QueryError::InvalidMetrics(_) => ("bad_query", 400, ""),
            QueryError::Unknown { .. } => {
                ("unknown_name", 400, "The schema lists tables, columns and metrics.")
            }
            QueryError::Refused(Refusal::NotListed(_)) => (
                "table_not_listed",
                403,
                "Use one of the tables of this token, or a token without a list of tables.",
            ),
            QueryError::Refused(_) => (
                "refused",
                403,
                "Queries can read the published tables and views. The schema lists them.",
            ),
            QueryError::Parameters(_) => (
                "parameters",
                400,
                "Pass one string, number, boolean or null for each ?1, ?2, … in the statement.",
            ),
            QueryError::Timeout(_) => (
                "timeout",
                504,
                "Narrow the time range, aggregate with $__timeGroup, \
                 or ask the operator to raise query_timeout.",
            ),
            QueryError::Cancelled => ("cancelled", 499, "Run the query again."),
            QueryError::TooLarge(_) => {
                ("too_large", 422, "Narrow the time range, select fewer columns, or aggregate.")
            }
            QueryError::Failed(_) => (
                "failed",
                422,
                "Check the values in the expression, \
                 for example text where JSON or a number is expected.",
            ),
            QueryError::MemoryInUse => {
                ("busy", 503, "Retry in a moment, narrow the time range, or aggregate.")
            }
            QueryError::Busy => ("busy", 503, "Retry in a moment, or show fewer panels at once."),
            QueryError::TooManyFiles => ("too_many_files", 503, RAISE_FILE_LIMIT),
            QueryError::Damaged(_) => ("damaged", 500, REPAIR),
            QueryError::Unavailable(_) => (
                "unavailable",
                500,
                "Run the data source's health check, or examine the files with `gpx_oura doctor`.",
            ),
        };
        Facts { code, status, hint }
    }

    /// Returns a stable code for programs: `not_select`, `timeout`, `busy`, …
    pub fn code(&self) -> &'static str {
        self.facts().code
    }

    /// Returns the HTTP status.
    pub fn status(&self) -> u16 {
        self.facts().status
    }

    /// Returns the remedy as full sentences. Empty if the message contains it.
    pub fn hint(&self) -> String {
        let similar = match self {
            QueryError::Syntax { explanation: Some(explanation), .. } => {
                return format!("{explanation}.");
            }
            QueryError::LookAlike { character, .. } => {
                return format!("Replace it with {}.", character.replacement);
            }
            QueryError::Unknown { similar, .. } => similar.clone(),
            QueryError::Macro { kind: MacroErrorKind::Unknown(name), .. } => similar_macros(name),
            _ => Vec::new(),
        };
        if similar.is_empty() {
            self.facts().hint.to_owned()
        } else {
            format!("Did you mean {}?", similar.join(" or "))
        }
    }

    /// Names the look-alike character in `sql` if it can be the cause of this error.
    pub(super) fn or_look_alike(self, sql: &TokenizedSql) -> QueryError {
        let may_be_cause = matches!(
            self,
            QueryError::NotSelect { .. }
                | QueryError::SeveralStatements { .. }
                | QueryError::Macro { .. }
                | QueryError::Syntax { .. }
                | QueryError::Unknown { .. }
                | QueryError::Refused(Refusal::Function(_) | Refusal::Table(_))
        );
        match sql.look_alike().filter(|_| may_be_cause) {
            Some((character, offset)) => {
                QueryError::LookAlike { character, position: Position::of(sql.text(), offset) }
            }
            None => self,
        }
    }

    /// Returns the party at fault: the plugin only if the stored data is unreadable.
    pub fn error_source(&self) -> ErrorSource {
        match self {
            QueryError::Unavailable(_) | QueryError::Damaged(_) | QueryError::TooManyFiles => {
                ErrorSource::Plugin
            }
            _ => ErrorSource::Downstream,
        }
    }

    /// Locates `error` in `sql`, the statement as written.
    pub(super) fn from_macro_error(sql: &str, error: MacroError) -> QueryError {
        QueryError::Macro { kind: error.kind, position: Position::of(sql, error.offset) }
    }

    /// Translates an error of the statement that ran.
    ///
    /// `expanded` is `sql` with its macros expanded. Offsets of `error` count in `expanded`,
    /// positions of the result in `sql`.
    pub(super) fn from_read_error(
        sql: &str,
        expanded: &Expanded,
        error: ReadError,
        timeout: Duration,
    ) -> QueryError {
        match error {
            ReadError::Empty => QueryError::Empty,
            ReadError::SeveralStatements => {
                QueryError::SeveralStatements { position: Position::START }
            }
            ReadError::NoRows => QueryError::NotSelect {
                found: "a statement without rows".to_owned(),
                position: Position::START,
            },
            ReadError::Refused(refusal) => QueryError::Refused(refusal),
            ReadError::Syntax { message, offset } => QueryError::Syntax {
                message,
                position: offset.map(|offset| Position::of(sql, expanded.source_offset(offset))),
                explanation: explain_syntax_error(&expanded.sql),
            },
            ReadError::Unknown { kind, name, offset, known } => QueryError::Unknown {
                kind,
                position: offset.map(|offset| Position::of(sql, expanded.source_offset(offset))),
                similar: similar_sql_names(&name, known),
                name,
            },
            error @ ReadError::ParameterCount { .. } => QueryError::Parameters(error.to_string()),
            ReadError::Timeout => QueryError::Timeout(timeout),
            ReadError::Cancelled => QueryError::Cancelled,
            ReadError::TooLarge(reason) => QueryError::TooLarge(reason),
            ReadError::MemoryInUse => QueryError::MemoryInUse,
            ReadError::MachineZone => QueryError::MachineZone { position: zone_modifier(sql) },
            ReadError::Failed(message) => QueryError::Failed(message),
            ReadError::TooManyFiles => QueryError::TooManyFiles,
            ReadError::Damaged(error) => QueryError::Damaged(error.to_string()),
            ReadError::Unavailable(error) => QueryError::Unavailable(error.to_string()),
        }
    }
}

/// Returns the position of the first modifier in `sql` that means the time zone of the machine.
fn zone_modifier(sql: &str) -> Option<Position> {
    let tokenized = TokenizedSql::new(sql);
    let modifier = tokenized.tokens().find(|token| {
        token.kind == TokenKind::String
            && ["'localtime'", "'utc'"].iter().any(|text| token.text.eq_ignore_ascii_case(text))
    })?;
    Some(Position::of(sql, modifier.offset))
}

/// Returns the macros that `text`, such as `$__from` or `${__from}`, could have meant.
fn similar_macros(text: &str) -> Vec<String> {
    let name = text.trim_matches(['$', '{', '}']);
    let similar = similar_sql_names(name, MACROS.map(|known| known.name));
    similar.into_iter().map(|name| format!("${name}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{QueryContext, macros};
    use crate::time::Tz;

    #[test]
    fn a_position_counts_in_the_statement_as_written() {
        let sql = "SELECT $__timeGroup(time,'5m') AS t,\n \
                   $__timeGroup(time,'5m') AS u, FROM sleep WHERE 1";
        let context = QueryContext {
            from_ms: 0,
            to_ms: 1,
            interval: Duration::from_secs(60),
            max_data_points: 100,
        };
        let written = macros::tokenize(sql).unwrap();
        let expanded = macros::expand(&written, &context, Tz::UTC).unwrap();
        let error = ReadError::Syntax {
            message: "near \"FROM\": syntax error".to_owned(),
            offset: expanded.sql.text().find("FROM"),
        };
        let error = QueryError::from_read_error(sql, &expanded, error, Duration::ZERO);
        assert_eq!(error.to_string(), "near \"FROM\": syntax error (line 2, column 32)");
        assert_eq!(error.hint(), "Expected an expression, found: FROM.");
    }

    #[test]
    fn only_an_unreadable_database_is_the_plugins_fault() {
        let mistakes = [QueryError::Empty, QueryError::Busy, QueryError::Timeout(Duration::ZERO)];
        for error in mistakes {
            assert_eq!(error.error_source(), ErrorSource::Downstream, "{error}");
        }
        let unreadable = QueryError::Unavailable("disk I/O error".to_owned());
        assert_eq!(unreadable.error_source(), ErrorSource::Plugin);
    }
}
