//! SQL as tokens, as far as macros and messages need it: what is text and what is not. Every byte belongs to exactly one token, and an
//! unfinished string or comment reaches to the end, so that nothing inside one is ever taken for SQL. What is safe is not decided here:
//! SQLite's own reading may differ.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Keywords, names, numbers.
    Word,
    /// `$name` and `${name:format}`, without arguments.
    Dollar,
    /// `'…'`.
    String,
    /// `"…"`, `` `…` ``, `[…]`.
    Quoted,
    /// `-- …` and `/* … */`.
    Comment,
    Space,
    /// One character of anything else.
    Sign,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    /// Bytes from the beginning of the statement.
    pub offset: usize,
}

impl Token<'_> {
    pub fn is(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }

    pub fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// Neither space nor comment.
    pub fn counts(&self) -> bool {
        !matches!(self.kind, Kind::Space | Kind::Comment)
    }
}

pub fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut offset = 0;
    while offset < sql.len() {
        let (kind, length) = next(&sql[offset..]);
        tokens.push(Token { kind, text: &sql[offset..offset + length], offset });
        offset += length;
    }
    tokens
}

/// The kind and length of the token that `rest`, which is not empty, begins with.
fn next(rest: &str) -> (Kind, usize) {
    let first = rest.chars().next().unwrap_or_default();
    match first {
        '\'' => (Kind::String, quoted(rest, '\'')),
        '"' | '`' => (Kind::Quoted, quoted(rest, first)),
        '[' => (Kind::Quoted, rest.find(']').map_or(rest.len(), |end| end + 1)),
        '-' if rest.starts_with("--") => (Kind::Comment, rest.find('\n').unwrap_or(rest.len())),
        '/' if rest.starts_with("/*") => {
            (Kind::Comment, rest[2..].find("*/").map_or(rest.len(), |end| end + 4))
        }
        '$' if rest.starts_with("${") => {
            (Kind::Dollar, rest.find('}').map_or(rest.len(), |end| end + 1))
        }
        '$' if rest[1..].starts_with(is_word) => (Kind::Dollar, 1 + run(&rest[1..], is_word)),
        // SQLite skips a byte order mark wherever a token may begin.
        '\u{feff}' => (Kind::Space, first.len_utf8()),
        _ if is_space(first) => (Kind::Space, run(rest, is_space)),
        _ if is_word(first) => (Kind::Word, run(rest, is_word)),
        _ => (Kind::Sign, first.len_utf8()),
    }
}

/// SQLite takes everything beyond ASCII for letters.
fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_' || !character.is_ascii()
}

fn is_space(character: char) -> bool {
    character.is_ascii_whitespace()
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|character| !belongs(character)).unwrap_or(text.len())
}

/// Where the quoted text at the beginning of `rest` ends; a doubled quote stands for itself.
fn quoted(rest: &str, quote: char) -> usize {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    rest.len()
}

/// Line and column of a byte of `sql`, both counted from 1, columns in characters.
pub fn position(sql: &str, offset: usize) -> (usize, usize) {
    let before = sql.get(..offset).unwrap_or(sql);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |text| text.chars().count()) + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_comments_and_quoted_names_are_one_token_each() {
        let sql = "SELECT 'it''s' , \"a\"\"b\",[c]/* x */-- y\n$__from";
        let kinds: Vec<_> = tokens(sql)
            .into_iter()
            .filter(|token| token.kind != Kind::Space)
            .map(|token| token.text)
            .collect();
        assert_eq!(
            kinds,
            ["SELECT", "'it''s'", ",", "\"a\"\"b\"", ",", "[c]", "/* x */", "-- y", "$__from"]
        );
    }

    #[test]
    fn positions_count_lines_and_characters() {
        assert_eq!(position("SELECT\n  ä, x", 13), (2, 6));
    }

    proptest::proptest! {
        #[test]
        fn every_byte_belongs_to_one_token(sql in "[a-z$_'\"`\\[\\]\\-/* \n(),ä]{0,60}") {
            let joined: String = tokens(&sql).iter().map(|token| token.text).collect();
            proptest::prop_assert_eq!(joined, sql);
        }
    }
}
