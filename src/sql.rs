//! SQL text as tokens, positions in it, and quoted identifiers.
//!
//! Macros, messages and the detection of compound statements need to know which bytes are SQL and
//! which are strings or comments. Every byte belongs to exactly one token. An unfinished string or
//! comment extends to the end of the text, so its content is never read as SQL.
//!
//! Safety does not depend on this module, because SQLite may tokenize a text differently. The
//! authorizer in `store/guard.rs` decides which statements run.

/// The kind of a [`Token`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A keyword, a name or a number.
    Word,
    /// `$name` or `${name:format}`, without arguments.
    Variable,
    /// `'…'`.
    String,
    /// A quoted name: `"…"`, `` `…` `` or `[…]`.
    QuotedName,
    /// `-- …` or `/* … */`.
    Comment,
    /// Whitespace.
    Space,
    /// Any other single character.
    Symbol,
}

/// A character that editors and web pages put in place of another one.
#[derive(Debug, PartialEq, Eq)]
pub struct LookAlike {
    /// The character.
    pub character: char,
    /// Its name, with its number.
    pub name: &'static str,
    /// The intended character.
    pub replacement: &'static str,
}

const fn look_alike(character: char, name: &'static str, replacement: &'static str) -> LookAlike {
    LookAlike { character, name, replacement }
}

/// Characters that SQLite reads as letters of a name, although they look like other characters.
const LOOK_ALIKES: [LookAlike; 20] = [
    look_alike('\u{a0}', "a no-break space (U+00A0)", "a space"),
    look_alike('\u{2003}', "an em space (U+2003)", "a space"),
    look_alike('\u{2007}', "a figure space (U+2007)", "a space"),
    look_alike('\u{2009}', "a thin space (U+2009)", "a space"),
    look_alike('\u{202f}', "a narrow no-break space (U+202F)", "a space"),
    look_alike('\u{3000}', "an ideographic space (U+3000)", "a space"),
    look_alike('\u{2028}', "a line separator (U+2028)", "a line break"),
    look_alike('\u{ad}', "a soft hyphen (U+00AD)", "nothing: delete it"),
    look_alike('\u{200b}', "a zero-width space (U+200B)", "nothing: delete it"),
    look_alike('\u{200d}', "a zero-width joiner (U+200D)", "nothing: delete it"),
    look_alike('\u{2060}', "a word joiner (U+2060)", "nothing: delete it"),
    look_alike('\u{feff}', "a byte order mark (U+FEFF)", "nothing: delete it"),
    look_alike('\u{2018}', "a typographic quote (U+2018)", "a straight quote (')"),
    look_alike('\u{2019}', "a typographic quote (U+2019)", "a straight quote (')"),
    look_alike('\u{201c}', "a typographic quote (U+201C)", "a straight quote (\")"),
    look_alike('\u{201d}', "a typographic quote (U+201D)", "a straight quote (\")"),
    look_alike('\u{201e}', "a typographic quote (U+201E)", "a straight quote (\")"),
    look_alike('\u{2013}', "an en dash (U+2013)", "a minus sign (-)"),
    look_alike('\u{2014}', "an em dash (U+2014)", "a minus sign (-)"),
    look_alike('\u{2212}', "a typographic minus sign (U+2212)", "a minus sign (-)"),
];

/// A piece of SQL text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// The token's kind.
    pub kind: TokenKind,
    /// The token as written, quotes included.
    pub text: &'a str,
    /// Byte offset from the start of the text.
    pub offset: usize,
}

impl Token<'_> {
    /// Whether the token is this symbol, for example `(`.
    pub fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == TokenKind::Symbol && self.text == symbol
    }

    /// Whether the token is this unquoted word, in any case.
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// Whether the token is neither whitespace nor a comment.
    pub fn is_significant(&self) -> bool {
        !matches!(self.kind, TokenKind::Space | TokenKind::Comment)
    }
}

/// SQL text with its tokens, so that each layer that needs tokens shares one tokenization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizedSql {
    text: String,
    /// The kind and the end offset of each token.
    tokens: Vec<(TokenKind, usize)>,
}

impl TokenizedSql {
    /// Tokenizes `text`. Never fails: the tokenizer assigns a kind to any text.
    pub fn new(text: impl Into<String>) -> TokenizedSql {
        let text = text.into();
        let mut tokens = Vec::new();
        let mut offset = 0;
        while offset < text.len() {
            let (kind, length) = first_token(&text[offset..]);
            offset += length;
            tokens.push((kind, offset));
        }
        TokenizedSql { text, tokens }
    }

    /// The text as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Number of tokens, whitespace and comments included.
    pub fn token_count(&self) -> usize {
        self.tokens.len()
    }

    /// All tokens in order. Joined, their texts are the whole text.
    pub fn tokens(&self) -> impl Iterator<Item = Token<'_>> + Clone {
        let mut offset = 0;
        self.tokens.iter().map(move |&(kind, end)| {
            let start = std::mem::replace(&mut offset, end);
            Token { kind, text: &self.text[start..end], offset: start }
        })
    }

    /// Returns the first look-alike character outside of strings, comments and quoted names, with
    /// its byte offset.
    pub fn look_alike(&self) -> Option<(&'static LookAlike, usize)> {
        let kinds = [TokenKind::Word, TokenKind::Variable, TokenKind::Symbol];
        self.tokens().filter(|token| kinds.contains(&token.kind)).find_map(|token| {
            token.text.char_indices().find_map(|(at, character)| {
                let known = LOOK_ALIKES.iter().find(|known| known.character == character)?;
                Some((known, token.offset + at))
            })
        })
    }

    /// Whether a result column may combine the columns of several SELECTs, as UNION, EXCEPT and
    /// INTERSECT do.
    ///
    /// Subqueries of IN and EXISTS do not count, because their columns never reach the result.
    pub fn is_compound(&self) -> bool {
        // One entry per open parenthesis: whether it is inside a subquery of IN or EXISTS.
        let mut hidden = Vec::new();
        let mut after_in_or_exists = false;
        for token in self.tokens().filter(Token::is_significant) {
            let is_hidden = hidden.last() == Some(&true);
            if token.is_symbol("(") {
                hidden.push(is_hidden || after_in_or_exists);
            } else if token.is_symbol(")") {
                hidden.pop();
            } else if !is_hidden
                && ["UNION", "EXCEPT", "INTERSECT"].iter().any(|word| token.is_word(word))
            {
                return true;
            }
            after_in_or_exists = token.is_word("IN") || token.is_word("EXISTS");
        }
        false
    }
}

/// Returns `name` as a quoted SQL identifier. Safe for any name.
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns the line and the column of a byte `offset` in `sql`.
///
/// Both count from 1. Columns count characters, not bytes.
pub fn line_and_column(sql: &str, offset: usize) -> (usize, usize) {
    let before = sql.get(..offset).unwrap_or(sql);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |text| text.chars().count()) + 1;
    (line, column)
}

/// Returns the kind and the byte length of the first token. `rest` must not be empty.
fn first_token(rest: &str) -> (TokenKind, usize) {
    let first = rest.chars().next().unwrap_or_default();
    match first {
        '\'' => (TokenKind::String, quoted_length(rest, '\'')),
        '"' | '`' => (TokenKind::QuotedName, quoted_length(rest, first)),
        '[' => (TokenKind::QuotedName, rest.find(']').map_or(rest.len(), |end| end + 1)),
        '-' if rest.starts_with("--") => {
            (TokenKind::Comment, rest.find('\n').unwrap_or(rest.len()))
        }
        '/' if rest.starts_with("/*") => {
            (TokenKind::Comment, rest[2..].find("*/").map_or(rest.len(), |end| end + 4))
        }
        '$' if rest.starts_with("${") => {
            (TokenKind::Variable, rest.find('}').map_or(rest.len(), |end| end + 1))
        }
        '$' if rest[1..].starts_with(is_word_character) => {
            (TokenKind::Variable, 1 + prefix_length(&rest[1..], is_word_character))
        }
        // SQLite skips a byte order mark wherever a token may start.
        '\u{feff}' => (TokenKind::Space, first.len_utf8()),
        _ if is_space(first) => (TokenKind::Space, prefix_length(rest, is_space)),
        _ if is_word_character(first) => (TokenKind::Word, prefix_length(rest, is_word_character)),
        _ => (TokenKind::Symbol, first.len_utf8()),
    }
}

/// SQLite treats every non-ASCII character as a letter.
fn is_word_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_' || !character.is_ascii()
}

fn is_space(character: char) -> bool {
    character.is_ascii_whitespace()
}

/// Byte length of the longest prefix of `text` with only `matching` characters.
fn prefix_length(text: &str, matching: impl Fn(char) -> bool) -> usize {
    text.find(|character| !matching(character)).unwrap_or(text.len())
}

/// Byte length of the quoted text at the start of `rest`. A doubled quote is an escaped quote.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_comments_and_quoted_names_are_one_token_each() {
        let sql = TokenizedSql::new("SELECT 'it''s' , \"a\"\"b\",[c]/* x */-- y\n$__from");
        let texts: Vec<_> = sql
            .tokens()
            .filter(|token| token.kind != TokenKind::Space)
            .map(|token| token.text)
            .collect();
        assert_eq!(
            texts,
            ["SELECT", "'it''s'", ",", "\"a\"\"b\"", ",", "[c]", "/* x */", "-- y", "$__from"]
        );
        assert_eq!(sql.tokens().last().map(|token| token.offset), Some(39));
    }

    #[test]
    fn positions_count_lines_and_characters() {
        assert_eq!(line_and_column("SELECT\n  ä, x", 13), (2, 6));
    }

    #[test]
    fn compounds_in_strings_or_in_subqueries_of_in_do_not_count() {
        for (sql, expected) in [
            ("SELECT 1 UNION SELECT 2", true),
            ("SELECT * FROM (SELECT 1 except SELECT 2)", true),
            ("SELECT 'UNION' AS \"EXCEPT\" -- INTERSECT", false),
            ("SELECT 1 WHERE 1 IN (SELECT 1 UNION SELECT 2)", false),
            ("SELECT 1 WHERE EXISTS (SELECT 1 FROM (SELECT 1 UNION SELECT 2))", false),
            ("SELECT 1 WHERE 1 IN (SELECT 1) INTERSECT SELECT 1", true),
        ] {
            assert_eq!(TokenizedSql::new(sql).is_compound(), expected, "{sql}");
        }
    }

    #[test]
    fn quotes_in_identifiers_are_doubled() {
        assert_eq!(quote_identifier("a\"b"), "\"a\"\"b\"");
    }

    proptest::proptest! {
        #[test]
        fn every_byte_belongs_to_one_token(sql in "[a-z$_'\"`\\[\\]\\-/* \n(),ä]{0,60}") {
            let tokenized = TokenizedSql::new(sql.as_str());
            let joined: String = tokenized.tokens().map(|token| token.text).collect();
            proptest::prop_assert_eq!(joined, sql);
        }
    }
}
