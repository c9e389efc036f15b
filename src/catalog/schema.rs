//! A JSON schema → [`Shape`]: references followed, alternatives merged, nullability dropped.

use super::Kind;
use super::json::Node;

/// Deeper schemas than this are taken as free JSON; Oura's are about a dozen deep.
const MAX_DEPTH: usize = 64;
/// More subschemas than this below one collection are taken as free JSON; Oura's largest has some hundreds.
const MAX_SCHEMAS: usize = 20_000;

/// What values a schema allows, as far as storing them goes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// Only null, or no statement at all.
    Nothing,
    Scalar(Kind),
    List(Box<Shape>),
    /// Fields in document order.
    Object(Vec<(String, Shape)>),
    /// Free objects, and alternatives that have nothing in common.
    Any,
}

impl Shape {
    /// The field of an object.
    pub fn field(&self, name: &str) -> Option<&Shape> {
        match self {
            Shape::Object(fields) => {
                fields.iter().find(|(field, _)| field == name).map(|(_, shape)| shape)
            }
            _ => None,
        }
    }

    /// The column kind of what is no object with known fields.
    pub fn kind(&self) -> Kind {
        match self {
            Shape::Scalar(kind) => *kind,
            _ => Kind::Json,
        }
    }

    /// What fits either of two shapes.
    fn merge(self, other: Shape) -> Shape {
        use Kind::{Day, Instant, Integer, Real, Text};
        match (self, other) {
            (Shape::Nothing, shape) | (shape, Shape::Nothing) => shape,
            // `anyOf [Sleep, free object]`: the free one stands for a selection of the other's fields.
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

/// Reads the schemas of one document.
pub(super) struct Resolver<'a> {
    document: &'a Node,
    /// References being followed: meeting one again is a recursive type.
    open: Vec<&'a str>,
    depth: usize,
    left: usize,
}

impl<'a> Resolver<'a> {
    pub fn new(document: &'a Node) -> Resolver<'a> {
        Resolver { document, open: Vec::new(), depth: 0, left: MAX_SCHEMAS }
    }

    pub fn shape(&mut self, schema: &'a Node) -> Shape {
        if self.depth == MAX_DEPTH || self.left == 0 {
            return Shape::Any;
        }
        self.left -= 1;
        self.depth += 1;
        let shape = match schema.get("$ref").and_then(Node::text) {
            Some(reference) => self.referenced(reference),
            None => self.inline(schema),
        };
        self.depth -= 1;
        shape
    }

    fn referenced(&mut self, reference: &'a str) -> Shape {
        let Some(name) = reference.strip_prefix("#/components/schemas/") else { return Shape::Any };
        let Some(target) = self.document.pointer(reference) else { return Shape::Any };
        if self.open.contains(&reference) {
            return Shape::Any;
        }
        self.open.push(reference);
        let shape = self.shape(target);
        self.open.pop();
        match shape {
            // `ISODate`, `LocalizedDateTime`, `UtcDateTime`, `LocalDateTimeWithMilliseconds` are declared as bare strings.
            Shape::Scalar(Kind::Text) if name.contains("DateTime") => Shape::Scalar(Kind::Instant),
            Shape::Scalar(Kind::Text) if name.ends_with("Date") => Shape::Scalar(Kind::Day),
            shape => shape,
        }
    }

    fn inline(&mut self, schema: &'a Node) -> Shape {
        let mut shape = match schema.get("type") {
            Some(Node::List(types)) => types
                .iter()
                .filter_map(Node::text)
                .fold(Shape::Nothing, |shape, name| shape.merge(self.typed(name, schema))),
            Some(Node::Text(name)) => self.typed(name, schema),
            _ => self.untyped(schema),
        };
        for alternatives in ["anyOf", "oneOf", "allOf"] {
            for alternative in schema.get(alternatives).map(Node::items).unwrap_or_default() {
                shape = shape.merge(self.shape(alternative));
            }
        }
        shape
    }

    fn typed(&mut self, name: &str, schema: &'a Node) -> Shape {
        match name {
            "null" => Shape::Nothing,
            "integer" => Shape::Scalar(Kind::Integer),
            "number" => Shape::Scalar(Kind::Real),
            "boolean" => Shape::Scalar(Kind::Boolean),
            "string" => Shape::Scalar(match schema.get("format").and_then(Node::text) {
                Some("date") => Kind::Day,
                Some("date-time") => Kind::Instant,
                _ => Kind::Text,
            }),
            "array" => Shape::List(Box::new(
                schema.get("items").map_or(Shape::Nothing, |items| self.shape(items)),
            )),
            "object" => self.object(schema).unwrap_or(Shape::Any),
            _ => Shape::Any,
        }
    }

    fn untyped(&mut self, schema: &'a Node) -> Shape {
        if let Some(object) = self.object(schema) {
            return object;
        }
        match schema
            .get("enum")
            .map(Node::items)
            .and_then(|values| values.iter().find(|value| **value != Node::Null))
        {
            Some(Node::Text(_)) => Shape::Scalar(Kind::Text),
            Some(Node::Bool(_)) => Shape::Scalar(Kind::Boolean),
            Some(Node::Number(number)) => {
                Shape::Scalar(if number.is_f64() { Kind::Real } else { Kind::Integer })
            }
            _ => Shape::Nothing,
        }
    }

    fn object(&mut self, schema: &'a Node) -> Option<Shape> {
        let properties = schema.get("properties")?.entries();
        if properties.is_empty() {
            return None;
        }
        Some(Shape::Object(
            properties
                .iter()
                .map(|(name, property)| (name.clone(), self.shape(property)))
                .collect(),
        ))
    }
}
