//! What an OpenAPI document promises beside collections and columns: parameters, values, and what may be missing or null.
//!
//! Nothing is stored by it, for live answers keep none of these promises; it is read to see what changed from one version to the next.

use std::collections::BTreeMap;

use super::json::Node;
use super::openapi::{answer, operations, parameters};
use super::schema::Resolver;
use super::{Catalog, CatalogError, Kind};

/// Deeper schemas than this are not followed; Oura's are about a dozen deep.
const MAX_DEPTH: usize = 64;
/// Subschemas looked at below one collection; Oura's largest has some hundreds.
const MAX_SCHEMAS: usize = 20_000;

/// One version of Oura's API as a client sees it.
pub struct Contract {
    pub(super) catalog: Catalog,
    /// By the collection's path.
    terms: BTreeMap<String, Terms>,
}

/// What is promised of one collection.
#[derive(Default)]
pub(super) struct Terms {
    /// In document order.
    pub parameters: Vec<(String, Parameter)>,
    /// By the names on the way joined with `_`, as columns are named; the items of a list have `[]` after its name.
    pub fields: BTreeMap<String, Promise>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    pub kind: Kind,
    pub required: bool,
}

/// What is promised of one field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Promise {
    pub presence: Presence,
    /// The values it may have, in document order; none are any.
    pub values: Vec<String>,
}

/// Whether a field is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    pub required: bool,
    pub nullable: bool,
}

impl Contract {
    /// Reads an OpenAPI 3 document, published or reduced.
    pub fn from_openapi(document: &[u8]) -> Result<Contract, CatalogError> {
        let catalog = Catalog::from_openapi(document)?;
        let document: Node = serde_json::from_slice(document)?;
        let terms = operations(&document)
            .map(|(path, get)| (path.to_owned(), terms(&document, get)))
            .collect();
        Ok(Contract { catalog, terms })
    }

    pub(super) fn terms(&self, path: &str) -> Option<&Terms> {
        self.terms.get(path)
    }
}

fn terms(document: &Node, get: &Node) -> Terms {
    let mut read = Terms::default();
    for parameter in parameters(document, get) {
        let Some(name) = parameter.get("name").and_then(Node::text) else { continue };
        let kind = parameter
            .get("schema")
            .map_or(Kind::Json, |schema| Resolver::new(document).shape(schema).kind());
        read.parameters.push((
            name.to_owned(),
            Parameter { kind, required: parameter.get("required") == Some(&Node::Bool(true)) },
        ));
    }
    let mut reader =
        Reader { document, open: Vec::new(), depth: 0, left: MAX_SCHEMAS, fields: BTreeMap::new() };
    if let Some(schema) = answer(document, get) {
        reader.schema("", schema);
    }
    // Of an envelope only the documents in it are the collection's.
    const DOCUMENTS: &str = "data[]_";
    let enveloped = reader.fields.contains_key("data");
    let within = |(path, promise): (String, Promise)| match path.strip_prefix(DOCUMENTS) {
        Some(inner) => Some((inner.to_owned(), promise)),
        None => (!enveloped).then_some((path, promise)),
    };
    read.fields = reader.fields.into_iter().filter_map(within).collect();
    read
}

/// Walks a schema with its references and alternatives.
struct Reader<'a> {
    document: &'a Node,
    /// References being followed: meeting one again is a recursive type.
    open: Vec<&'a str>,
    depth: usize,
    left: usize,
    fields: BTreeMap<String, Promise>,
}

impl<'a> Reader<'a> {
    fn schema(&mut self, path: &str, schema: &'a Node) {
        if self.depth == MAX_DEPTH || self.left == 0 {
            return;
        }
        self.left -= 1;
        self.depth += 1;
        match schema.get("$ref").and_then(Node::text) {
            Some(reference) => self.referenced(path, reference),
            None => self.inline(path, schema),
        }
        self.depth -= 1;
    }

    fn referenced(&mut self, path: &str, reference: &'a str) {
        let Some(target) =
            self.document.pointer(reference).filter(|_| !self.open.contains(&reference))
        else {
            return;
        };
        self.open.push(reference);
        self.schema(path, target);
        self.open.pop();
    }

    fn inline(&mut self, path: &str, schema: &'a Node) {
        let listed = schema.get("enum").map(Node::items).unwrap_or_default();
        let null = Node::Text("null".to_owned());
        let nullable =
            schema.get("type").is_some_and(|kind| *kind == null || kind.items().contains(&null))
                || schema.get("nullable") == Some(&Node::Bool(true))
                || listed.contains(&Node::Null);
        if let Some(field) = self.fields.get_mut(path) {
            field.presence.nullable |= nullable;
            let values =
                listed.iter().chain(schema.get("const")).filter(|value| **value != Node::Null);
            for value in
                values.map(|value| value.text().map_or_else(|| value.to_string(), str::to_owned))
            {
                if !field.values.contains(&value) {
                    field.values.push(value);
                }
            }
        }
        for alternatives in ["anyOf", "oneOf", "allOf"] {
            for alternative in schema.get(alternatives).map(Node::items).unwrap_or_default() {
                self.schema(path, alternative);
            }
        }
        let required = schema.get("required").map(Node::items).unwrap_or_default();
        for (name, property) in schema.get("properties").map(Node::entries).unwrap_or_default() {
            let inner = if path.is_empty() { name.clone() } else { format!("{path}_{name}") };
            let required = required.iter().any(|required| required.text() == Some(name));
            let promise =
                Promise { presence: Presence { required, nullable: false }, values: Vec::new() };
            self.fields.entry(inner.clone()).or_insert(promise).presence.required &= required;
            self.schema(&inner, property);
        }
        if let Some(items) = schema.get("items").filter(|_| !path.is_empty()) {
            let inner = format!("{path}[]");
            self.fields.entry(inner.clone()).or_default();
            self.schema(&inner, items);
        }
    }
}
