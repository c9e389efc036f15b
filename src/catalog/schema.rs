//! Conversion of a JSON schema into a [`Shape`]. Resolves references, merges alternatives and drops
//! nullability.

use serde_json::Value;

use super::Kind;
use super::json::{entries, get_text, items, resolve_reference};

/// The deepest nesting of schemas that is read. Deeper schemas are free JSON; Oura's are about a
/// dozen deep.
pub(super) const MAX_DEPTH: usize = 64;
/// The most subschemas of one collection that are read. Others are free JSON; Oura's largest
/// collection has some hundreds.
pub(super) const MAX_SCHEMAS: usize = 20_000;

/// The values that a schema allows, in the precision that storage needs.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// Only null, or no constraint.
    Nothing,
    /// Values of one kind.
    Scalar(Kind),
    /// Lists of one shape.
    List(Box<Shape>),
    /// Objects with known fields, in document order.
    Object(Vec<(String, Shape)>),
    /// Objects without known fields, and alternatives without a common shape.
    Any,
}

impl Shape {
    /// Returns the field of an object.
    pub(super) fn field(&self, name: &str) -> Option<&Shape> {
        match self {
            Shape::Object(fields) => {
                fields.iter().find(|(field, _)| field == name).map(|(_, shape)| shape)
            }
            _ => None,
        }
    }

    /// Returns the column kind for values of this shape.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Shape::Scalar(kind) => *kind,
            _ => Kind::Json,
        }
    }

    /// Returns a shape that covers the values of both.
    fn merge(self, other: Shape) -> Shape {
        use Kind::{Day, Instant, Integer, Real, Text};
        match (self, other) {
            (Shape::Nothing, shape) | (shape, Shape::Nothing) => shape,
            // In `anyOf [Sleep, free object]` the free object is a selection of the same fields.
            (Shape::Any, shape @ Shape::Object(_)) | (shape @ Shape::Object(_), Shape::Any) => {
                shape
            }
            (Shape::List(one), Shape::List(two)) => Shape::List(Box::new(one.merge(*two))),
            (Shape::Object(mut fields), Shape::Object(more)) => {
                for (name, shape) in more {
                    match fields.iter_mut().find(|(field, _)| *field == name) {
                        Some((_, known)) => {
                            *known = std::mem::replace(known, Shape::Nothing).merge(shape)
                        }
                        None => fields.push((name, shape)),
                    }
                }
                Shape::Object(fields)
            }
            (one, two) if one == two => one,
            (Shape::Scalar(Integer | Real), Shape::Scalar(Integer | Real)) => Shape::Scalar(Real),
            (Shape::Scalar(Text | Day | Instant), Shape::Scalar(Text | Day | Instant)) => {
                Shape::Scalar(Text)
            }
            _ => Shape::Any,
        }
    }
}

/// Reads the schemas of one document, within limits.
pub(super) struct SchemaReader<'a> {
    document: &'a Value,
    /// The references on the way to the current schema. A repeated one is a recursive type.
    open_references: Vec<&'a str>,
    depth: usize,
    schemas_left: usize,
}

impl<'a> SchemaReader<'a> {
    /// Creates a reader for the schemas of `document`.
    pub(super) fn new(document: &'a Value) -> SchemaReader<'a> {
        SchemaReader { document, open_references: Vec::new(), depth: 0, schemas_left: MAX_SCHEMAS }
    }

    /// Returns the shape of `schema`.
    pub(super) fn shape(&mut self, schema: &'a Value) -> Shape {
        if self.depth == MAX_DEPTH || self.schemas_left == 0 {
            return Shape::Any;
        }
        self.schemas_left -= 1;
        self.depth += 1;
        let shape = match get_text(schema, "$ref") {
            Some(reference) => self.referenced_shape(reference),
            None => self.inline_shape(schema),
        };
        self.depth -= 1;
        shape
    }

    fn referenced_shape(&mut self, reference: &'a str) -> Shape {
        let Some(name) = reference.strip_prefix("#/components/schemas/") else { return Shape::Any };
        let Some(target) = resolve_reference(self.document, reference) else { return Shape::Any };
        if self.open_references.contains(&reference) {
            return Shape::Any;
        }
        self.open_references.push(reference);
        let shape = self.shape(target);
        self.open_references.pop();
        match shape {
            // Oura declares `ISODate`, `LocalizedDateTime`, `UtcDateTime` and
            // `LocalDateTimeWithMilliseconds` as strings without a format.
            Shape::Scalar(Kind::Text) if name.contains("DateTime") => Shape::Scalar(Kind::Instant),
            Shape::Scalar(Kind::Text) if name.ends_with("Date") => Shape::Scalar(Kind::Day),
            shape => shape,
        }
    }

    fn inline_shape(&mut self, schema: &'a Value) -> Shape {
        let mut shape = match schema.get("type") {
            Some(Value::Array(types)) => types
                .iter()
                .filter_map(Value::as_str)
                .fold(Shape::Nothing, |shape, name| shape.merge(self.typed_shape(name, schema))),
            Some(Value::String(name)) => self.typed_shape(name, schema),
            _ => self.untyped_shape(schema),
        };
        for keyword in ["anyOf", "oneOf", "allOf"] {
            for alternative in items(schema, keyword) {
                shape = shape.merge(self.shape(alternative));
            }
        }
        shape
    }

    fn typed_shape(&mut self, name: &str, schema: &'a Value) -> Shape {
        match name {
            "null" => Shape::Nothing,
            "integer" => Shape::Scalar(Kind::Integer),
            "number" => Shape::Scalar(Kind::Real),
            "boolean" => Shape::Scalar(Kind::Boolean),
            "string" => Shape::Scalar(match get_text(schema, "format") {
                Some("date") => Kind::Day,
                Some("date-time") => Kind::Instant,
                _ => Kind::Text,
            }),
            "array" => Shape::List(Box::new(
                schema.get("items").map_or(Shape::Nothing, |items| self.shape(items)),
            )),
            "object" => self.object_shape(schema).unwrap_or(Shape::Any),
            _ => Shape::Any,
        }
    }

    /// Infers the shape from properties or from the first value of an enumeration.
    fn untyped_shape(&mut self, schema: &'a Value) -> Shape {
        if let Some(object) = self.object_shape(schema) {
            return object;
        }
        match items(schema, "enum").iter().find(|value| !value.is_null()) {
            Some(Value::String(_)) => Shape::Scalar(Kind::Text),
            Some(Value::Bool(_)) => Shape::Scalar(Kind::Boolean),
            Some(Value::Number(number)) if number.is_f64() => Shape::Scalar(Kind::Real),
            Some(Value::Number(_)) => Shape::Scalar(Kind::Integer),
            _ => Shape::Nothing,
        }
    }

    fn object_shape(&mut self, schema: &'a Value) -> Option<Shape> {
        let fields: Vec<(String, Shape)> = entries(schema, "properties")
            .map(|(name, property)| (name.clone(), self.shape(property)))
            .collect();
        if fields.is_empty() { None } else { Some(Shape::Object(fields)) }
    }
}
