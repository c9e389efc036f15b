//! Access to OpenAPI documents as `serde_json` values. The crate's feature `preserve_order` keeps
//! the order of their keys: the columns of a table follow the document's fields.

use std::io;

use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

/// The length of a line up to which a value is rendered on one line.
const MAX_LINE_LENGTH: usize = 140;

/// Follows `keys` inwards.
pub(super) fn get_path<'a>(value: &'a Value, keys: &[&str]) -> Option<&'a Value> {
    keys.iter().try_fold(value, |value, key| value.get(key))
}

/// Returns the text of the field `key`.
pub(super) fn get_text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

/// Returns the target of a reference such as `#/components/schemas/Sleep` in this document.
pub(super) fn resolve_reference<'a>(document: &'a Value, reference: &str) -> Option<&'a Value> {
    reference
        .strip_prefix('#')
        .filter(|path| !path.is_empty())
        .and_then(|path| document.pointer(path))
}

/// Returns the items of the list in the field `key`; empty if there is none.
pub(super) fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Returns the entries of the object in the field `key`, in document order; empty if there is none.
pub(super) fn entries<'a>(
    value: &'a Value,
    key: &str,
) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
    value.get(key).and_then(Value::as_object).into_iter().flatten()
}

/// Renders JSON text with a final line break. Values that fit into 140 columns are on one line.
pub(super) fn render(value: &Value) -> String {
    let mut text = String::new();
    render_into(value, &mut text, 0, 0);
    text.push('\n');
    text
}

/// Appends `value` to a line of length `used`. Its inner lines are indented by `indent + 1`.
fn render_into(value: &Value, text: &mut String, indent: usize, used: usize) {
    let line = render_line(value);
    let rows: Vec<(String, &Value)> = match value {
        Value::Array(items) => items.iter().map(|item| (String::new(), item)).collect(),
        Value::Object(entries) => {
            let key_text = |key: &String| format!("{}: ", Value::from(key.as_str()));
            entries.iter().map(|(key, value)| (key_text(key), value)).collect()
        }
        _ => Vec::new(),
    };
    // The comparison leaves room for a comma after the value.
    if rows.is_empty() || used + line.len() < MAX_LINE_LENGTH {
        text.push_str(&line);
        return;
    }
    let (open, close) = if value.is_array() { ('[', ']') } else { ('{', '}') };
    let last = rows.len() - 1;
    text.push(open);
    for (index, (key, value)) in rows.into_iter().enumerate() {
        text.push_str(&format!("\n{:width$}{key}", "", width = indent + 1));
        render_into(value, text, indent + 1, indent + 1 + key.len());
        text.push_str(if index == last { "" } else { "," });
    }
    text.push_str(&format!("\n{:indent$}{close}", ""));
}

/// Renders `value` on one line, with a space after each comma and colon.
fn render_line(value: &Value) -> String {
    let mut line = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut line, SpacedFormatter);
    serde::Serialize::serialize(value, &mut serializer).expect("a JSON value is serializable");
    String::from_utf8(line).expect("JSON is UTF-8")
}

/// Writes a space after each comma and colon.
struct SpacedFormatter;

impl Formatter for SpacedFormatter {
    fn begin_array_value<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        is_first: bool,
    ) -> io::Result<()> {
        if is_first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        is_first: bool,
    ) -> io::Result<()> {
        if is_first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}
