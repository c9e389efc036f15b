//! JSON that keeps the order of its keys, which `serde_json::Value` does not: a table's columns follow the document's fields.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// One JSON value, objects in document order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    /// The value of `key`; of a key written twice the last counts, as in `serde_json`.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Follows `keys` inwards.
    pub fn at(&self, keys: &[&str]) -> Option<&Node> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// What a reference such as `#/components/schemas/Sleep` points to within this document.
    pub fn pointer(&self, reference: &str) -> Option<&Node> {
        reference
            .strip_prefix("#/")?
            .split('/')
            .try_fold(self, |node, key| node.get(&key.replace("~1", "/").replace("~0", "~")))
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list; of anything else none.
    pub fn items(&self) -> &[Node] {
        match self {
            Node::List(items) => items,
            _ => &[],
        }
    }

    /// The entries of an object; of anything else none.
    pub fn entries(&self) -> &[(String, Node)] {
        match self {
            Node::Object(entries) => entries,
            _ => &[],
        }
    }

    /// JSON text in which whatever fits on a line of 140 is on one line.
    pub fn render(&self) -> String {
        let mut text = String::new();
        self.render_into(&mut text, 0, 0);
        text.push('\n');
        text
    }

    /// Appends this value, whose line is `used` wide already, its inner lines one deeper than `indent`.
    fn render_into(&self, text: &mut String, indent: usize, used: usize) {
        let flat = self.to_string();
        let (open, rows, close) = match self {
            Node::List(items) => {
                ('[', items.iter().map(|item| (String::new(), item)).collect(), ']')
            }
            Node::Object(entries) => (
                '{',
                entries.iter().map(|(key, value)| (format!("{}: ", quoted(key)), value)).collect(),
                '}',
            ),
            _ => (' ', Vec::new(), ' '),
        };
        // One more for the comma that may follow.
        if rows.is_empty() || used + flat.len() < 140 {
            return text.push_str(&flat);
        }
        let last = rows.len() - 1;
        text.push(open);
        for (index, (key, value)) in rows.into_iter().enumerate() {
            text.push_str(&format!("\n{:width$}{key}", "", width = indent + 1));
            value.render_into(text, indent + 1, indent + 1 + key.len());
            text.push_str(if index == last { "" } else { "," });
        }
        text.push_str(&format!("\n{:indent$}{close}", ""));
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// On one line.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Null => f.write_str("null"),
            Node::Bool(value) => write!(f, "{value}"),
            Node::Number(value) => write!(f, "{value}"),
            Node::Text(text) => f.write_str(&quoted(text)),
            Node::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Node::Object(entries) => {
                f.write_str("{")?;
                for (index, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{}: {value}", if index == 0 { "" } else { ", " }, quoted(key))?;
                }
                f.write_str("}")
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Number::from_f64(value).map_or(Node::Null, Node::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Node, E> {
        Ok(Node::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Object(entries))
    }
}
