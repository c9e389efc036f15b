//! What can be said of a statement before SQLite sees it, and what can be explained after SQLite refused it.
//!
//! SQLite and its authorizer decide what runs; this only makes better messages. So a dialect that a parser here does not know is never
//! turned away.

use sqlparser::dialect::SQLiteDialect;
use sqlparser::parser::Parser;

use super::error::{Position, QueryError};
use crate::sql::{Token, TokenKind, TokenizedSql};

/// Statements with more tokens are not given to the parser: its syntax trees are freed by recursion, as deep as an expression is long.
pub(super) const MAX_PARSED_TOKENS: usize = 1_000;

/// One SELECT, WITH, VALUES or EXPLAIN QUERY PLAN; what follows the semicolon may only be comments.
pub fn check(sql: &str) -> Result<(), QueryError> {
    let tokenized = TokenizedSql::new(sql);
    let tokens = tokenized.tokens().filter(Token::is_significant);
    let mut content = tokens.skip_while(|token| token.is_symbol(";"));
    let first = content.next().ok_or(QueryError::Empty)?;
    let plan = || {
        content.clone().take(2).map(|token| token.text.to_ascii_uppercase()).eq(["QUERY", "PLAN"])
    };
    let reads = ["SELECT", "WITH", "VALUES"].iter().any(|word| first.is_word(word))
        || first.is_word("EXPLAIN") && plan();
    if !reads {
        let found = match first.kind {
            TokenKind::Word => first.text.to_ascii_uppercase(),
            _ => format!("{:?}", first.text),
        };
        return Err(QueryError::NotSelect { found, position: Position::of(sql, first.offset) });
    }
    match content.skip_while(|token| !token.is_symbol(";")).find(|token| !token.is_symbol(";")) {
        Some(second) => {
            Err(QueryError::SeveralStatements { position: Position::of(sql, second.offset) })
        }
        None => Ok(()),
    }
}

/// What the parser expected instead, if it does not understand the statement either: `Expected: an expression, found: FROM`. Where that is
/// SQLite says.
pub fn explain(sql: &str) -> Option<String> {
    if TokenizedSql::new(sql).token_count() > MAX_PARSED_TOKENS {
        return None;
    }
    let error = Parser::parse_sql(&SQLiteDialect {}, sql).err()?;
    let text = error.to_string();
    let said = text.rsplit_once(" at Line: ").map_or(text.as_str(), |(said, _)| said);
    Some(said.trim_start_matches("sql parser error: ").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reading_statement_passes() {
        for sql in [
            "SELECT 1",
            " -- a comment\n select 1 ; -- done",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "VALUES (1), (2)",
            "EXPLAIN QUERY PLAN SELECT 1",
            "SELECT ';' , \"a;b\" /* ; */ FROM t;;",
        ] {
            assert!(check(sql).is_ok(), "{sql}");
        }
    }

    #[test]
    fn everything_else_is_named_with_its_place() {
        for (sql, message) in [
            ("", "the query is empty"),
            (" -- nothing\n", "the query is empty"),
            ("DELETE FROM sleep", "only a SELECT can be asked, this is DELETE (line 1, column 1)"),
            ("\n  drop table sleep", "only a SELECT can be asked, this is DROP (line 2, column 3)"),
            ("EXPLAIN SELECT 1", "only a SELECT can be asked, this is EXPLAIN (line 1, column 1)"),
            ("PRAGMA table_list", "only a SELECT can be asked, this is PRAGMA (line 1, column 1)"),
            (
                "SELECT 1;\nSELECT 2",
                "only one statement can be asked, a second one begins at line 2, column 1",
            ),
        ] {
            assert_eq!(check(sql).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn the_parser_says_what_it_expected() {
        assert_eq!(
            explain("SELECT FROM WHERE").as_deref().map(|text| text.starts_with("Expected")),
            Some(true)
        );
        assert_eq!(explain(&format!("SELECT {}1 FROM", "1+".repeat(5_000))), None);
    }
}
