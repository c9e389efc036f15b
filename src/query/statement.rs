//! The check of a statement before SQLite prepares it, for better error messages.
//!
//! SQLite and its authorizer decide which statements run. This check only looks at the first word,
//! so it never rejects SQL that a parser of ours does not understand.

use super::error::{Position, QueryError};
use crate::sql::{Token, TokenKind, TokenizedSql};

/// Validates that `sql` is one SELECT, WITH, VALUES or EXPLAIN QUERY PLAN. Only comments may follow
/// its semicolon.
pub(super) fn validate(sql: &TokenizedSql) -> Result<(), QueryError> {
    let tokens = sql.tokens().filter(Token::is_significant);
    let mut content = tokens.skip_while(|token| token.is_symbol(";"));
    let first = content.next().ok_or(QueryError::Empty)?;
    let is_read = if first.is_word("EXPLAIN") {
        let mut rest = content.clone();
        rest.next().is_some_and(|token| token.is_word("QUERY"))
            && rest.next().is_some_and(|token| token.is_word("PLAN"))
    } else {
        ["SELECT", "WITH", "VALUES"].iter().any(|word| first.is_word(word))
    };
    if !is_read {
        let position = Position::of(sql.text(), first.offset);
        return Err(QueryError::NotSelect { found: display(&first), position });
    }
    match content.skip_while(|token| !token.is_symbol(";")).find(|token| !token.is_symbol(";")) {
        Some(second) => {
            Err(QueryError::SeveralStatements { position: Position::of(sql.text(), second.offset) })
        }
        None => Ok(()),
    }
}

fn display(token: &Token<'_>) -> String {
    match token.kind {
        TokenKind::Word => token.text.to_ascii_uppercase(),
        _ => format!("{:?}", token.text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reading_statement_is_accepted() {
        for sql in [
            "SELECT 1",
            " -- a comment\n select 1 ; -- done",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "VALUES (1), (2)",
            "EXPLAIN QUERY PLAN SELECT 1",
            "SELECT ';' , \"a;b\" /* ; */ FROM t;;",
        ] {
            assert!(validate(&TokenizedSql::new(sql)).is_ok(), "{sql}");
        }
    }

    #[test]
    fn other_statements_are_rejected_with_a_position() {
        for (sql, message) in [
            ("", "The query is empty"),
            (" -- a comment\n", "The query is empty"),
            (
                "DELETE FROM sleep",
                "Only SELECT statements are allowed, found DELETE (line 1, column 1)",
            ),
            (
                "\n  drop table sleep",
                "Only SELECT statements are allowed, found DROP (line 2, column 3)",
            ),
            (
                "EXPLAIN SELECT 1",
                "Only SELECT statements are allowed, found EXPLAIN (line 1, column 1)",
            ),
            (
                "PRAGMA table_list",
                "Only SELECT statements are allowed, found PRAGMA (line 1, column 1)",
            ),
            (
                "SELECT 1;\nSELECT 2",
                "Only one statement is allowed, found a second one at line 2, column 1",
            ),
        ] {
            assert_eq!(validate(&TokenizedSql::new(sql)).unwrap_err().to_string(), message);
        }
    }
}
