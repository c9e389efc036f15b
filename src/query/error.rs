//! Why there is no answer, in words for a person and in a word for a program.

use std::time::Duration;

use super::macros::{Expanded, MACROS, MacroError, Problem};
use super::nearest::nearest;
use crate::error_source::ErrorSource;
use crate::sql;
use crate::store::{ReadError, Refusal};

/// Line and column in the statement, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Position {
    pub fn of(sql: &str, offset: usize) -> Position {
        let (line, column) = sql::line_and_column(sql, offset);
        Position { line, column }
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why there is no answer. `Display` says what happened; [`QueryError::hint`] what to do.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error("the query is empty")]
    Empty,
    #[error("only a SELECT can be asked, this is {found} ({position})")]
    NotSelect { found: String, position: Position },
    #[error("only one statement can be asked, a second one begins at {position}")]
    SeveralStatements { position: Position },
    #[error("{problem} ({position})")]
    Macro { problem: Problem, position: Position },
    /// SQLite does not understand the statement.
    #[error("{message}{}", .position.map(|position| format!(" ({position})")).unwrap_or_default())]
    Syntax { message: String, position: Option<Position>, parser: Option<String> },
    /// A metrics or annotations query that says something impossible.
    #[error("{0}")]
    Invalid(String),
    #[error("no such {kind}: {name}{}", .position.map(|position| format!(" ({position})")).unwrap_or_default())]
    Unknown { kind: &'static str, name: String, position: Option<Position>, nearest: Vec<String> },
    #[error(transparent)]
    Refused(Refusal),
    #[error("{0}")]
    Parameters(String),
    #[error("the query was stopped after {}", seconds(.0))]
    Timeout(Duration),
    #[error("the query was cancelled")]
    Cancelled,
    #[error("the query was stopped: {0}")]
    TooLarge(&'static str),
    #[error("the query failed on a value: {0}")]
    Failed(String),
    #[error("too many queries are waiting for this data source")]
    Busy,
    #[error("the stored data cannot be read: {0}")]
    Unavailable(String),
}

fn seconds(duration: &Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

/// The fixed part of each situation: its code, its HTTP status and, where it does not depend on more, what to do.
type Situation = (&'static str, u16, &'static str);

impl QueryError {
    fn situation(&self) -> Situation {
        match self {
            QueryError::Empty => ("empty_query", 400, "Write a SELECT."),
            QueryError::NotSelect { .. } => {
                ("not_select", 400, "Begin with SELECT, WITH, VALUES or EXPLAIN QUERY PLAN.")
            }
            QueryError::SeveralStatements { .. } => {
                ("several_statements", 400, "Remove everything after the first semicolon.")
            }
            QueryError::Macro { .. } => ("macro", 400, "See the list of macros in the schema."),
            QueryError::Syntax { .. } => ("syntax", 400, "The SQL is SQLite's."),
            QueryError::Invalid(_) => ("bad_query", 400, ""),
            QueryError::Unknown { .. } => {
                ("unknown_name", 400, "The schema lists tables, columns and metrics.")
            }
            QueryError::Refused(_) => (
                "refused",
                403,
                "Queries read the published tables and views; the schema lists them.",
            ),
            QueryError::Parameters(_) => (
                "parameters",
                400,
                "Give one string, number, boolean or null for each ?1, ?2, … of the statement.",
            ),
            QueryError::Timeout(_) => (
                "timeout",
                504,
                "Narrow the time range, aggregate with $__timeGroup, or ask the operator for a longer query_timeout.",
            ),
            QueryError::Cancelled => ("cancelled", 499, "Ask again."),
            QueryError::TooLarge(_) => {
                ("too_large", 422, "Narrow the time range, select fewer columns, or aggregate.")
            }
            QueryError::Failed(_) => (
                "failed",
                422,
                "Look at the values the expression meets, such as text where JSON or a number is expected.",
            ),
            QueryError::Busy => {
                ("busy", 503, "Ask again in a moment, or show fewer panels at once.")
            }
            QueryError::Unavailable(_) => {
                ("unavailable", 500, "Run the health check; `gpx_oura doctor` looks at the files.")
            }
        }
    }

    /// A stable word for programs: `not_select`, `timeout`, `busy`, …
    pub fn code(&self) -> &'static str {
        self.situation().0
    }

    /// What a person can do about it.
    pub fn hint(&self) -> String {
        let names = match self {
            QueryError::Unknown { nearest, .. } => nearest.clone(),
            QueryError::Macro { problem: Problem::Unknown(name), .. } => {
                let name = name.trim_matches(['$', '{', '}']);
                nearest(name, MACROS.map(|known| known.name))
                    .into_iter()
                    .map(|name| format!("${name}"))
                    .collect()
            }
            QueryError::Syntax { parser: Some(parser), .. } => return format!("{parser}."),
            _ => Vec::new(),
        };
        if names.is_empty() {
            self.situation().2.to_owned()
        } else {
            format!("Did you mean {}?", names.join(" or "))
        }
    }

    /// Returns the party at fault: [`ErrorSource::Plugin`] only where the stored data is unreadable.
    pub fn error_source(&self) -> ErrorSource {
        match self {
            QueryError::Unavailable(_) => ErrorSource::Plugin,
            _ => ErrorSource::Downstream,
        }
    }

    /// The HTTP status that fits.
    pub fn status(&self) -> u16 {
        self.situation().1
    }

    pub(super) fn of_macro(sql: &str, error: MacroError) -> QueryError {
        QueryError::Macro { problem: error.problem, position: Position::of(sql, error.offset) }
    }

    /// `sql` is what was executed, macros expanded; positions count in it.
    /// `expanded` is what `sql` became; places are told in `sql`.
    pub(super) fn of_read(
        sql: &str,
        expanded: &Expanded,
        error: ReadError,
        timeout: Duration,
    ) -> QueryError {
        let position =
            |offset: Option<usize>| offset.map(|offset| Position::of(sql, expanded.source(offset)));
        match error {
            ReadError::Empty => QueryError::Empty,
            ReadError::SeveralStatements => {
                QueryError::SeveralStatements { position: Position { line: 1, column: 1 } }
            }
            ReadError::NoRows => QueryError::NotSelect {
                found: "a statement without rows".to_owned(),
                position: Position { line: 1, column: 1 },
            },
            ReadError::Refused(refusal) => QueryError::Refused(refusal),
            ReadError::Syntax { message, offset } => QueryError::Syntax {
                message,
                position: position(offset),
                parser: super::statement::explain(&expanded.sql),
            },
            ReadError::Unknown { kind, name, offset, known } => {
                let nearest = nearest(&name, known);
                QueryError::Unknown { kind, name, position: position(offset), nearest }
            }
            error @ (ReadError::ParameterCount { .. } | ReadError::Parameter(_)) => {
                QueryError::Parameters(error.to_string())
            }
            ReadError::Timeout => QueryError::Timeout(timeout),
            ReadError::Cancelled => QueryError::Cancelled,
            ReadError::TooLarge(what) => QueryError::TooLarge(what),
            ReadError::Failed(message) => QueryError::Failed(message),
            ReadError::Unavailable(error) => QueryError::Unavailable(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{QueryContext, macros};
    use crate::time::Tz;

    #[test]
    fn a_mistake_has_one_place_that_of_the_written_sql() {
        let sql = "SELECT $__timeGroup(time,'5m') AS t,\n $__timeGroup(time,'5m') AS u, FROM sleep WHERE 1";
        let context = QueryContext {
            from_ms: 0,
            to_ms: 1,
            interval: Duration::from_secs(60),
            max_data_points: 100,
        };
        let expanded = macros::expand(sql, &context, Tz::UTC).unwrap();
        let error = ReadError::Syntax {
            message: "near \"FROM\": syntax error".to_owned(),
            offset: expanded.sql.find("FROM"),
        };
        let error = QueryError::of_read(sql, &expanded, error, Duration::ZERO);
        assert_eq!(error.to_string(), "near \"FROM\": syntax error (line 2, column 32)");
        assert_eq!(error.hint(), "Expected an expression, found: FROM.");
    }
}
