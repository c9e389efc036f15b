//! A second parser for SQLite's SQL. It finds the origin of columns and explains syntax errors.
//!
//! SQLite decides which statements run. A statement that this parser does not understand only lacks
//! units and explanations.

use sqlparser::ast::Statement;
use sqlparser::dialect::SQLiteDialect;
use sqlparser::parser::{Parser, ParserError};

use crate::sql::TokenizedSql;

/// The maximum number of tokens to parse. A syntax tree is dropped recursively, to a depth that
/// grows with the length of an expression, so a longer statement could overflow the stack.
const MAX_TOKENS: usize = 1_000;

/// Parses `sql`, or returns `None` for more than [`MAX_TOKENS`].
pub(super) fn parse(sql: &TokenizedSql) -> Option<Result<Vec<Statement>, ParserError>> {
    (sql.token_count() <= MAX_TOKENS).then(|| Parser::parse_sql(&SQLiteDialect {}, sql.text()))
}

/// Explains a syntax error, for example `Expected: an expression, found: FROM`.
///
/// Returns `None` if this parser accepts the statement. The position is left out, since SQLite
/// reports its own.
pub(super) fn explain_syntax_error(sql: &TokenizedSql) -> Option<String> {
    let error = parse(sql)?.err()?.to_string();
    let message = error.rsplit_once(" at Line: ").map_or(error.as_str(), |(message, _)| message);
    Some(message.trim_start_matches("sql parser error: ").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syntax_error_names_what_was_expected() {
        assert_eq!(
            explain_syntax_error(&TokenizedSql::new("SELECT FROM WHERE"))
                .as_deref()
                .map(|text| text.starts_with("Expected")),
            Some(true)
        );
    }

    #[test]
    fn a_long_statement_is_not_parsed() {
        let sql = format!("SELECT {}1 FROM", "1+".repeat(5_000));
        assert_eq!(explain_syntax_error(&TokenizedSql::new(sql)), None);
    }
}
