//! The expansion of a statement, token by token.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::arguments::ArgumentList;
use super::call::Call;
use super::error::{MAX_DEPTH, MacroError, MacroErrorKind};
use super::groups::{Grouping, Groups};
use super::table::{Macro, find_macro};
use super::variables::{expand_variable, expand_variables_in_string};
use crate::query::context::QueryContext;
use crate::query::fill::Fill;
use crate::sql::{Token, TokenKind, TokenizedSql};
use crate::store::MAX_STATEMENT;
use crate::time::Tz;

/// A statement with its macros expanded.
#[derive(Clone, Debug, PartialEq)]
pub struct Expanded {
    /// The statement without macros.
    pub sql: Arc<TokenizedSql>,
    /// The gaps to fill in the finished series, from the third argument of a group macro.
    pub fill: Option<Fill>,
    /// The number of groups of whole days that depend on the content of their column.
    pub open_groups: usize,
    pieces: Vec<Piece>,
}

/// A piece of the expanded text, and its origin in the statement as written. Both in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    offset: usize,
    source: usize,
    /// Copied byte by byte. The text of a macro comes from the macro as a whole.
    verbatim: bool,
}

impl Expanded {
    /// Returns the offset in the statement as written for an `offset` in the expanded one. Both in
    /// bytes.
    pub fn source_offset(&self, offset: usize) -> usize {
        let after = self.pieces.partition_point(|piece| piece.offset <= offset);
        match self.pieces[..after].last() {
            Some(piece) if piece.verbatim => piece.source + (offset - piece.offset),
            Some(piece) => piece.source,
            None => offset,
        }
    }
}

/// Tokenizes a statement as written. Rejects a statement that is too long.
pub fn tokenize(sql: &str) -> Result<TokenizedSql, MacroError> {
    if sql.len() > MAX_STATEMENT {
        return Err(MacroError { kind: MacroErrorKind::Length, offset: 0 });
    }
    Ok(TokenizedSql::new(sql))
}

/// Expands all macros of `sql`. Calendar days are those of `zone`.
///
/// Groups of whole days are days in UTC, unless the column has the name of a column of days.
pub fn expand(
    sql: &TokenizedSql,
    context: &QueryContext,
    zone: Tz,
) -> Result<Expanded, MacroError> {
    expand_with(sql, context, zone, Grouping::Known(&BTreeSet::new()))
}

/// Expands all macros of `sql`, and groups of whole days by `grouping`.
pub fn expand_with(
    sql: &TokenizedSql,
    context: &QueryContext,
    zone: Tz,
    grouping: Grouping<'_>,
) -> Result<Expanded, MacroError> {
    let tokens: Vec<Token<'_>> = sql.tokens().collect();
    let mut expander =
        Expander { context, zone, fill: None, groups: Groups::new(grouping), pieces: Vec::new() };
    let expanded = Arc::new(TokenizedSql::new(expander.expand(&tokens, 0)?));
    Ok(Expanded {
        sql: expanded,
        fill: expander.fill,
        open_groups: expander.groups.count,
        pieces: expander.pieces,
    })
}

struct Expander<'a> {
    context: &'a QueryContext,
    zone: Tz,
    fill: Option<Fill>,
    groups: Groups<'a>,
    /// The pieces of the statement itself. Arguments belong to the piece of their macro.
    pieces: Vec<Piece>,
}

impl Expander<'_> {
    /// Expands `tokens`: the statement at depth 0, or an argument.
    fn expand(&mut self, tokens: &[Token<'_>], depth: usize) -> Result<String, MacroError> {
        let mut sql = String::with_capacity(tokens.iter().map(|token| token.text.len()).sum());
        let mut clause = Clause::default();
        let mut next = 0;
        while let Some(token) = tokens.get(next) {
            next += 1;
            clause.advance(token);
            if depth == 0 {
                let verbatim = !is_macro(token) && !is_braced_variable(token);
                self.pieces.push(Piece { offset: sql.len(), source: token.offset, verbatim });
            }
            let fail = |kind| MacroError { kind, offset: token.offset };
            match token.kind {
                TokenKind::Variable if is_braced_variable(token) => {
                    let value =
                        expand_variable(token.text, self.context, self.zone).map_err(fail)?;
                    append_expansion(&mut sql, &value);
                }
                TokenKind::Variable if is_macro(token) => {
                    let found = find_macro(token.text)
                        .ok_or_else(|| fail(MacroErrorKind::Unknown(token.text.to_owned())))?;
                    let list = ArgumentList::parse(&tokens[next..]).ok_or_else(|| {
                        fail(MacroErrorKind::Unclosed(format!("{}(", token.text)))
                    })?;
                    next += list.length;
                    if depth == MAX_DEPTH {
                        return Err(fail(MacroErrorKind::Depth));
                    }
                    let mut arguments = Vec::with_capacity(list.arguments.len());
                    for argument in list.arguments {
                        arguments.push(self.expand(argument, depth + 1)?.trim().to_owned());
                    }
                    append_expansion(&mut sql, &self.call(found, arguments).map_err(fail)?);
                    let ends_column = tokens.get(next).is_some_and(|token| token.is_symbol(","));
                    if names_itself(found) && clause.is_column_list && ends_column {
                        sql.push_str(" AS \"time\"");
                    }
                }
                // A line comment would swallow the text that the macro puts after its argument.
                TokenKind::Comment if depth > 0 && token.text.starts_with("--") => sql.push(' '),
                TokenKind::String => {
                    let text = expand_variables_in_string(token.text, self.context, self.zone)
                        .map_err(fail)?;
                    sql.push_str(&text);
                }
                _ => sql.push_str(token.text),
            }
            // Nested macros that repeat their argument double the text at each level.
            if sql.len() > MAX_STATEMENT {
                return Err(fail(MacroErrorKind::Length));
            }
        }
        Ok(sql)
    }

    fn call(&mut self, found: &Macro, arguments: Vec<String>) -> Result<String, MacroErrorKind> {
        let (min, max) = found.arguments;
        let count = arguments.len();
        if count < min || count > max || arguments.iter().any(String::is_empty) {
            return Err(MacroErrorKind::Arguments(found.usage));
        }
        (found.expand)(&mut Call {
            context: self.context,
            zone: self.zone,
            fill: &mut self.fill,
            groups: &mut self.groups,
            arguments,
        })
    }
}

fn is_macro(token: &Token<'_>) -> bool {
    token.kind == TokenKind::Variable && token.text.starts_with("$__")
}

fn is_braced_variable(token: &Token<'_>) -> bool {
    token.kind == TokenKind::Variable && token.text.starts_with("${__")
}

/// Appends an expansion so that it stays a token of its own. Without a space, a minus before a
/// negative number would start a comment, and a colon before a number would form a parameter.
fn append_expansion(sql: &mut String, expansion: &str) {
    if sql.ends_with(['-', '/', '$', ':', '@', '?', '#', '\'', '"', '`']) {
        sql.push(' ');
    }
    sql.push_str(expansion);
}

/// Returns whether `$__timeGroup(…),` in a list of columns gets the name `time`. In PostgreSQL it
/// did before `$__timeGroupAlias` existed, and dashboards still rely on it.
fn names_itself(found: &Macro) -> bool {
    found.name == "__timeGroup"
}

/// Tracks whether the current token is in the column list of a SELECT.
#[derive(Default)]
struct Clause {
    is_column_list: bool,
    /// The state outside of each open parenthesis.
    outer: Vec<bool>,
}

impl Clause {
    fn advance(&mut self, token: &Token<'_>) {
        const AFTER_COLUMNS: [&str; 7] =
            ["FROM", "WHERE", "GROUP", "HAVING", "ORDER", "WINDOW", "LIMIT"];
        if token.is_symbol("(") {
            self.outer.push(std::mem::take(&mut self.is_column_list));
        } else if token.is_symbol(")") {
            self.is_column_list = self.outer.pop().unwrap_or_default();
        } else if token.is_word("SELECT") {
            self.is_column_list = true;
        } else if AFTER_COLUMNS.iter().any(|word| token.is_word(word)) {
            self.is_column_list = false;
        }
    }
}
