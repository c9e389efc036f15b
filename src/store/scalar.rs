//! Values of parameters: single values only, so that the size of a parsed request follows its text.

use rusqlite::types::{ToSql, ToSqlOutput, Value};
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

/// Maximum number of values in a list: SQLite's maximum number of parameters.
pub(super) const MAX_SCALARS: usize = 1_000;

/// The value of a parameter or a filter. Parsing stops at a list or an object.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Scalar {
    /// NULL.
    #[default]
    Null,
    /// True or false, which SQLite stores as 1 or 0.
    Bool(bool),
    /// An integer.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(String),
}

impl Scalar {
    /// Returns a text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl From<&str> for Scalar {
    fn from(text: &str) -> Scalar {
        Scalar::Text(text.to_owned())
    }
}

impl<T: Into<Scalar>> From<Option<T>> for Scalar {
    fn from(value: Option<T>) -> Scalar {
        value.map_or(Scalar::Null, Into::into)
    }
}

impl ToSql for Scalar {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Scalar::Null => ToSqlOutput::Owned(Value::Null),
            Scalar::Bool(value) => ToSqlOutput::from(*value),
            Scalar::Integer(value) => ToSqlOutput::from(*value),
            Scalar::Float(value) => ToSqlOutput::from(*value),
            Scalar::Text(text) => ToSqlOutput::from(text.as_str()),
        })
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scalar, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a string, number, boolean or null")
    }

    fn visit_unit<E: Error>(self) -> Result<Scalar, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(value).map_or(Scalar::Float(value as f64), Scalar::Integer))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar::Float(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }
}

/// Parses a list of at most [`MAX_SCALARS`] values. For `#[serde(deserialize_with)]`.
pub fn scalars<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Scalar>, D::Error> {
    deserializer.deserialize_seq(ListVisitor)
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = Vec<Scalar>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a list of at most {MAX_SCALARS} values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Scalar>, A::Error> {
        let mut scalars = Vec::new();
        while let Some(scalar) = list.next_element()? {
            if scalars.len() == MAX_SCALARS {
                return Err(A::Error::invalid_length(MAX_SCALARS + 1, &self));
            }
            scalars.push(scalar);
        }
        Ok(scalars)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Vec<Scalar>, String> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        scalars(&mut deserializer).map_err(|error| error.to_string())
    }

    #[test]
    fn single_values_are_read_and_written_as_they_are() {
        let json = r#"[null,true,-1,1.5,18446744073709551615,"x"]"#;
        let values = parse(json).unwrap();
        assert_eq!(values[4], Scalar::Float(u64::MAX as f64));
        assert_eq!(serde_json::to_string(&values[..4]).unwrap(), "[null,true,-1,1.5]");
    }

    #[test]
    fn structures_and_long_lists_are_rejected_where_they_are_read() {
        for (json, expected) in [
            ("[1, [2]]", "expected a string, number, boolean or null"),
            (r#"[{"a": 1}]"#, "expected a string, number, boolean or null"),
            (&format!("[{}0]", "0,".repeat(MAX_SCALARS)), "expected a list of at most 1000"),
            ("7", "expected a list of at most 1000"),
        ] {
            let error = parse(json).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
