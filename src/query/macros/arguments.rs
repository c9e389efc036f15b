//! The argument list of a macro.

use crate::sql::Token;

/// The arguments after a macro's name. Empty for a macro without parentheses.
pub(super) struct ArgumentList<'t, 'a> {
    /// The tokens of each argument.
    pub arguments: Vec<&'t [Token<'a>]>,
    /// The number of tokens, parentheses included.
    pub length: usize,
}

impl<'t, 'a> ArgumentList<'t, 'a> {
    /// Parses the list at the beginning of `tokens`. Returns `None` for a missing closing
    /// parenthesis.
    pub fn parse(tokens: &'t [Token<'a>]) -> Option<ArgumentList<'t, 'a>> {
        let mut arguments = Vec::new();
        if !tokens.first().is_some_and(|token| token.is_symbol("(")) {
            return Some(ArgumentList { arguments, length: 0 });
        }
        let mut depth = 0;
        let mut start = 1;
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
}
