//! Lenient reading of a document's JSON: no content makes a document unreadable as a whole.
//!
//! Ordinary documents go through `serde_json`. [`JsonScanner`] reads the others: it replaces text
//! that is not Unicode, drops values that do not fit, and keeps everything around them.

use std::borrow::Cow;

use serde_json::{Map, Number, Value, json};
use sha2::{Digest, Sha256};

use super::overlay::is_key_field;
use crate::format::hex;

/// The longest document in bytes. Oura's longest night has some tens of kilobytes. A longer one is
/// reduced to its short fields.
pub const MAX_DOCUMENT_BYTES: usize = 128 << 10;
/// The deepest nesting that is read. Deeper values become null.
const MAX_DEPTH: usize = 100;
/// The most fields that are kept of a document that is too long, besides those of its identity and
/// time.
const MAX_REDUCED_FIELDS: usize = 64;
/// The longest field that is kept of a document that is too long, in bytes.
const MAX_REDUCED_FIELD_BYTES: usize = 1 << 10;

/// Why a document is not stored exactly as it came, from the least to the most severe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Another JSON value than an object.
    NotAnObject,
    /// A text with half of a surrogate pair.
    Text,
    /// A number that no floating-point number can hold.
    Number,
    /// A value nested deeper than 100 levels.
    Nesting,
    /// Bytes that are not UTF-8.
    Encoding,
    /// Another violation of the JSON grammar, for example `NaN`.
    Syntax,
    /// More than 128 KiB.
    TooLong,
}

impl Fault {
    /// The name in the column `fault`.
    pub fn name(self) -> &'static str {
        match self {
            Fault::NotAnObject => "not_an_object",
            Fault::Text => "text",
            Fault::Number => "number",
            Fault::Nesting => "nesting",
            Fault::Encoding => "encoding",
            Fault::Syntax => "syntax",
            Fault::TooLong => "too_long",
        }
    }
}

/// A document, read as far as possible.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedDocument<'a> {
    /// The readable part. Ordinary documents are objects.
    pub value: Value,
    /// The most severe fault; `None` for an ordinary document.
    pub fault: Option<Fault>,
    /// JSON text that every JSON reader accepts: the bytes as received where possible, otherwise
    /// `value`.
    pub payload: Cow<'a, str>,
    /// The bytes as received if `payload` differs from them. A document that is too long has none.
    pub original: Option<&'a [u8]>,
}

/// Parses the bytes of one document. Never fails.
pub fn parse_document(bytes: &[u8]) -> ParsedDocument<'_> {
    if bytes.len() > MAX_DOCUMENT_BYTES {
        return reduce(bytes);
    }
    let text = std::str::from_utf8(bytes).ok();
    if let Some(text) = text
        && let Ok(value) = serde_json::from_str::<Value>(text)
    {
        let fault = (!value.is_object()).then_some(Fault::NotAnObject);
        return ParsedDocument { value, fault, payload: text.into(), original: None };
    }
    let mut scanner = JsonScanner::new(bytes);
    let value = scanner.value(0);
    scanner.skip_space();
    if scanner.at < bytes.len() {
        scanner.note(Fault::Syntax);
    }
    let fault = scanner.fault.unwrap_or(Fault::Syntax);
    // SQLite's JSON functions read texts and numbers of these two faults.
    match text.filter(|_| fault <= Fault::Number) {
        Some(text) => {
            ParsedDocument { value, fault: Some(fault), payload: text.into(), original: None }
        }
        None => {
            let payload = value.to_string().into();
            ParsedDocument { value, fault: Some(fault), payload, original: Some(bytes) }
        }
    }
}

/// Reads the short fields of a document that is too long, without parsing the others.
fn reduce(bytes: &[u8]) -> ParsedDocument<'_> {
    let mut fields = Map::new();
    let mut scanner = JsonScanner::new(bytes);
    if scanner.open(b'{') {
        while let Some(name) = scanner.key() {
            let Some(value) = scanner.skip_value() else { break };
            let has_room = fields.len() < MAX_REDUCED_FIELDS || is_key_field(&name);
            if has_room && value.len() + name.len() <= MAX_REDUCED_FIELD_BYTES {
                let value = JsonScanner::new(value).value_of(&name, 1);
                fields.insert(name, value);
            }
        }
    }
    let digest = hex(&Sha256::digest(bytes));
    fields.insert("truncated".to_owned(), json!({ "bytes": bytes.len(), "sha256": digest }));
    let value = Value::Object(fields);
    let payload = value.to_string().into();
    ParsedDocument { value, fault: Some(Fault::TooLong), payload, original: None }
}

/// Reads JSON from the front, and continues after errors. It never recurses deeper than
/// [`MAX_DEPTH`].
pub struct JsonScanner<'a> {
    bytes: &'a [u8],
    at: usize,
    fault: Option<Fault>,
    /// Whether the bytes ended inside of an object, an array or a string.
    is_cut: bool,
}

impl<'a> JsonScanner<'a> {
    /// Creates a scanner at the first value of `bytes`. Skips a byte order mark.
    pub fn new(bytes: &'a [u8]) -> JsonScanner<'a> {
        let at = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let fault = (at > 0).then_some(Fault::Encoding);
        JsonScanner { bytes, at, fault, is_cut: false }
    }

    /// Whether everything was read, and every object, array and string had its end.
    pub fn is_complete(&mut self) -> bool {
        self.skip_space();
        self.at == self.bytes.len() && !self.is_cut
    }

    /// Skips an opening bracket `bracket`. Returns false for any other value.
    pub fn open(&mut self, bracket: u8) -> bool {
        self.skip_space();
        let is_open = self.peek() == Some(bracket);
        self.at += usize::from(is_open);
        is_open
    }

    /// Reads the next key of the current object and the colon after it. After the last one, skips
    /// the closing bracket and returns `None`.
    pub fn key(&mut self) -> Option<String> {
        if !self.has_next(b'}') {
            return None;
        }
        let key = match self.peek() {
            Some(b'"') => self.string(),
            _ => {
                self.note(Fault::Syntax);
                String::from_utf8_lossy(self.word()).into_owned()
            }
        };
        self.skip_space();
        if self.peek() == Some(b':') {
            self.at += 1;
        } else {
            self.note(Fault::Syntax);
        }
        Some(key)
    }

    /// Whether the current object or array has another item. Skips the comma before it, or the
    /// closing bracket `close`.
    pub fn has_next(&mut self, close: u8) -> bool {
        loop {
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(byte) if byte == close => {
                    self.at += 1;
                    return false;
                }
                Some(b'}' | b']' | b':') => {
                    self.note(Fault::Syntax);
                    self.at += 1;
                }
                Some(_) => return true,
                None => {
                    self.note(Fault::Syntax);
                    self.is_cut = true;
                    return false;
                }
            }
        }
    }

    /// Skips one value and returns its bytes; `None` if it does not end. Nesting has no limit.
    pub fn skip_value(&mut self) -> Option<&'a [u8]> {
        self.skip_space();
        let start = self.at;
        let mut depth = 0usize;
        loop {
            match self.peek()? {
                b'"' => self.skip_string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                _ if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                // A missing value.
                b'}' | b']' | b',' => {}
                _ => drop(self.word()),
            }
            if depth == 0 {
                return Some(&self.bytes[start..self.at]);
            }
        }
    }

    /// Reads one value. Its nested values are at `depth` + 1.
    fn value(&mut self, depth: usize) -> Value {
        self.skip_space();
        match self.peek() {
            Some(b'{' | b'[') if depth == MAX_DEPTH => {
                self.note(Fault::Nesting);
                if self.skip_value().is_none() {
                    self.at = self.bytes.len();
                }
                Value::Null
            }
            Some(b'{') => {
                self.at += 1;
                let mut fields = Map::new();
                while let Some(name) = self.key() {
                    let value =
                        if depth == 0 { self.value_of(&name, 1) } else { self.value(depth + 1) };
                    fields.insert(name, value);
                }
                Value::Object(fields)
            }
            Some(b'[') => {
                self.at += 1;
                let mut items = Vec::new();
                while self.has_next(b']') {
                    items.push(self.value(depth + 1));
                }
                Value::Array(items)
            }
            Some(b'"') => Value::String(self.string()),
            // A missing value: the bracket or the comma belongs to the object around it.
            Some(b'}' | b']' | b',') | None => {
                self.note(Fault::Syntax);
                Value::Null
            }
            Some(_) => self.scalar(),
        }
    }

    /// Reads the value of the field `name`. An `id` with replaced characters keeps their source
    /// text instead, so that different ids stay different.
    fn value_of(&mut self, name: &str, depth: usize) -> Value {
        self.skip_space();
        let start = self.at;
        let value = self.value(depth);
        match value {
            Value::String(text) if name == "id" && text.contains(char::REPLACEMENT_CHARACTER) => {
                let source = self.bytes[start..self.at].trim_ascii();
                let source = source.strip_prefix(b"\"").unwrap_or(source);
                let source = source.strip_suffix(b"\"").unwrap_or(source);
                Value::String(match std::str::from_utf8(source) {
                    Ok(source) => source.to_owned(),
                    Err(_) => source.escape_ascii().to_string(),
                })
            }
            value => value,
        }
    }

    /// Reads a number, a literal, or a word that JSON does not have.
    fn scalar(&mut self) -> Value {
        let word = self.word();
        let text = std::str::from_utf8(word).unwrap_or_default();
        match text {
            "true" => return Value::Bool(true),
            "false" => return Value::Bool(false),
            "null" => return Value::Null,
            _ => {}
        }
        if let Ok(number) = text.parse::<Number>() {
            return Value::Number(number);
        }
        self.note(if is_json_number(text) { Fault::Number } else { Fault::Syntax });
        text.parse::<f64>().ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
    }

    /// Skips at least one byte, up to the next one with a meaning.
    fn word(&mut self) -> &'a [u8] {
        let start = self.at;
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b",:{}[]\"".contains(byte);
        let rest = &self.bytes[start..];
        self.at += rest.iter().position(ends).unwrap_or(rest.len()).max(1).min(rest.len());
        &self.bytes[start..self.at]
    }

    /// Skips a string with its quotes; `None` if it does not end.
    fn skip_string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
    }

    /// Reads a string with its quotes.
    fn string(&mut self) -> String {
        self.at += 1;
        let mut text = Vec::new();
        loop {
            let Some(byte) = self.peek() else {
                self.note(Fault::Syntax);
                self.is_cut = true;
                break;
            };
            self.at += 1;
            match byte {
                b'"' => break,
                b'\\' => {
                    let char = self.escaped();
                    text.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                }
                byte => {
                    if byte < 0x20 {
                        self.note(Fault::Syntax);
                    }
                    text.push(byte);
                }
            }
        }
        match String::from_utf8(text) {
            Ok(text) => text,
            Err(error) => {
                self.note(Fault::Encoding);
                String::from_utf8_lossy(error.as_bytes()).into_owned()
            }
        }
    }

    /// Reads an escape sequence after its backslash.
    fn escaped(&mut self) -> char {
        let Some(byte) = self.peek() else {
            self.note(Fault::Syntax);
            return char::REPLACEMENT_CHARACTER;
        };
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode(),
            byte => {
                self.note(Fault::Syntax);
                // The next byte is read again: it may begin a longer character.
                self.at -= usize::from(!byte.is_ascii());
                if byte.is_ascii() { char::from(byte) } else { char::REPLACEMENT_CHARACTER }
            }
        }
    }

    /// Reads the digits of `\uXXXX`, and the second half of a surrogate pair.
    fn unicode(&mut self) -> char {
        let Some(first) = self.hex_digits() else {
            self.note(Fault::Syntax);
            return char::REPLACEMENT_CHARACTER;
        };
        if let Some(char) = char::from_u32(first) {
            return char;
        }
        let after_first = self.at;
        if first < 0xdc00
            && self.bytes[self.at..].starts_with(b"\\u")
            && {
                self.at += 2;
                true
            }
            && let Some(second) = self.hex_digits()
            && (0xdc00..0xe000).contains(&second)
        {
            let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            return char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        }
        self.at = after_first;
        self.note(Fault::Text);
        char::REPLACEMENT_CHARACTER
    }

    fn hex_digits(&mut self) -> Option<u32> {
        let digits = self.bytes.get(self.at..self.at + 4)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        self.at += 4;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn note(&mut self, fault: Fault) {
        self.fault = self.fault.max(Some(fault));
    }
}
/// Whether `text` is a number by the grammar of RFC 8259, of any size. `007`, `+1` and `.5` are
/// not.
fn is_json_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let has_leading_zero = whole.len() > 1 && whole.starts_with('0');
    let parts = [whole, fraction, exponent];
    !has_leading_zero
        && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_sqlite_cannot_read_are_replaced_in_the_payload() {
        for (number, is_kept) in [
            ("1e400", true),
            ("-1E+999", true),
            ("007", false),
            ("+1", false),
            (".5", false),
            ("1.", false),
        ] {
            let document = format!(r#"{{"id": "a", "level": {number}}}"#);
            let parsed = parse_document(document.as_bytes());
            let fault = if is_kept { Fault::Number } else { Fault::Syntax };
            assert_eq!(parsed.fault, Some(fault), "{number}");
            assert_eq!(parsed.payload == document, is_kept, "{number}");
            assert_eq!(parsed.original.is_some(), !is_kept, "{number}");
            assert_eq!(parsed.value["id"], "a");
        }
    }

    #[test]
    fn missing_value_does_not_take_the_bracket_behind_it() {
        let rest = format!(r#", "id": "x", "z": "{}"}}"#, "z".repeat(MAX_DOCUMENT_BYTES));
        for start in [
            r#"{"a": {"b": }"#,
            r#"{"a": {"b": , "c": 1}"#,
            r#"{"a": [{"b": }, {"b":}]"#,
            r#"{"a": [, 1]"#,
            r#"{"a": "#,
            r#"{"a":"#,
        ] {
            for (rest, fault) in [(r#", "id": "x"}"#, Fault::Syntax), (&rest, Fault::TooLong)] {
                let document = format!("{start}{rest}");
                let parsed = parse_document(document.as_bytes());
                assert_eq!(
                    (parsed.fault, &parsed.value["id"]),
                    (Some(fault), &json!("x")),
                    "{start}"
                );
            }
        }
        let mismatched = parse_document(br#"{"a": {"b": ], "c": 1}, "id": "x"}"#);
        assert_eq!(mismatched.value, json!({"a": {"b": null, "c": 1}, "id": "x"}));
    }

    #[test]
    fn long_document_keeps_its_identity_and_its_short_fields() {
        let many: String = (0..500).map(|number| format!(r#""x{number}":{number},"#)).collect();
        let long = "y".repeat(MAX_DOCUMENT_BYTES);
        let document = format!(
            r#"{{{many}"note":"{long}","contributors":{{"deep_sleep":80}},"day":"2026-06-10",
                "id":"a"}}"#
        );
        let parsed = parse_document(document.as_bytes());
        assert_eq!(parsed.fault, Some(Fault::TooLong));
        assert_eq!(
            (&parsed.value["id"], &parsed.value["day"]),
            (&json!("a"), &json!("2026-06-10"))
        );
        assert_eq!((&parsed.value["x63"], &parsed.value["x64"]), (&json!(63), &Value::Null));
        assert_eq!(parsed.value["note"], Value::Null);

        let document = format!(r#"{{"note":"{long}","contributors":{{"deep_sleep":80}}}}"#);
        let parsed = parse_document(document.as_bytes());
        assert_eq!(parsed.value["contributors"]["deep_sleep"], json!(80));
        assert_eq!(parsed.value["truncated"]["bytes"], json!(document.len()));
    }
}
