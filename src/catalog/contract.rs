//! Parts of an OpenAPI document beyond collections and columns: parameters, permitted values, and
//! which fields can be missing or null.
//!
//! Storage does not depend on them, because live responses do not comply. The command
//! `catalog diff` compares them between versions.

use std::collections::BTreeMap;

use serde_json::Value;

use super::json::{entries, get_text, items, resolve_reference};
use super::openapi::{operations, parameters, response_schema};
use super::schema::{MAX_DEPTH, MAX_SCHEMAS, SchemaReader};
use super::{Catalog, CatalogError, Kind};

/// The path prefix of an envelope's documents.
const ENVELOPE_PREFIX: &str = "data[]_";

/// One version of Oura's API as a client sees it.
pub struct Contract {
    pub(super) catalog: Catalog,
    /// By the collection's path.
    collections: BTreeMap<String, CollectionContract>,
}

/// The parameters and fields of one collection.
#[derive(Default)]
pub(super) struct CollectionContract {
    /// In document order.
    pub(super) parameters: Vec<(String, Parameter)>,
    /// By flattened name, as in columns. The items of a list have `[]` after its name.
    pub(super) fields: BTreeMap<String, FieldContract>,
}

/// One query parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) kind: Kind,
    pub(super) required: bool,
}

/// The constraints of one field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldContract {
    pub(super) presence: Presence,
    /// The permitted values in document order; empty if all values are permitted.
    pub(super) values: Vec<String>,
}

/// Whether a field can be missing or null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// The field is in every document.
    pub required: bool,
    /// The field can be null.
    pub nullable: bool,
}

impl Contract {
    /// Reads an OpenAPI 3 document, published or reduced.
    pub fn from_openapi(document: &[u8]) -> Result<Contract, CatalogError> {
        let document: Value = serde_json::from_slice(document)?;
        let catalog = Catalog::from_openapi_value(&document)?;
        let collections = operations(&document)
            .map(|(path, get)| (path.to_owned(), read_collection(&document, get)))
            .collect();
        Ok(Contract { catalog, collections })
    }

    /// Returns the contract of the collection with this path.
    pub(super) fn collection(&self, path: &str) -> Option<&CollectionContract> {
        self.collections.get(path)
    }
}

fn read_collection(document: &Value, get: &Value) -> CollectionContract {
    CollectionContract {
        parameters: parameters(document, get)
            .filter_map(|parameter| read_parameter(document, parameter))
            .collect(),
        fields: read_fields(document, get),
    }
}

fn read_parameter(document: &Value, parameter: &Value) -> Option<(String, Parameter)> {
    let name = get_text(parameter, "name")?;
    let kind = match parameter.get("schema") {
        Some(schema) => SchemaReader::new(document).shape(schema).kind(),
        None => Kind::Json,
    };
    let required = parameter.get("required") == Some(&Value::Bool(true));
    Some((name.to_owned(), Parameter { kind, required }))
}

fn read_fields(document: &Value, get: &Value) -> BTreeMap<String, FieldContract> {
    let mut reader = FieldReader {
        document,
        open_references: Vec::new(),
        depth: 0,
        schemas_left: MAX_SCHEMAS,
        fields: BTreeMap::new(),
    };
    if let Some(schema) = response_schema(document, get) {
        reader.read("", schema);
    }
    if !reader.fields.contains_key("data") {
        return reader.fields;
    }
    let mut fields = BTreeMap::new();
    for (path, field) in reader.fields {
        if let Some(inner) = path.strip_prefix(ENVELOPE_PREFIX) {
            fields.insert(inner.to_owned(), field);
        }
    }
    fields
}

/// Collects the fields of a schema, its references and its alternatives.
struct FieldReader<'a> {
    document: &'a Value,
    /// The references on the way to the current schema. A repeated one is a recursive type.
    open_references: Vec<&'a str>,
    depth: usize,
    schemas_left: usize,
    fields: BTreeMap<String, FieldContract>,
}

impl<'a> FieldReader<'a> {
    fn read(&mut self, path: &str, schema: &'a Value) {
        if self.depth == MAX_DEPTH || self.schemas_left == 0 {
            return;
        }
        self.schemas_left -= 1;
        self.depth += 1;
        match get_text(schema, "$ref") {
            Some(reference) => self.read_reference(path, reference),
            None => self.read_inline(path, schema),
        }
        self.depth -= 1;
    }

    fn read_reference(&mut self, path: &str, reference: &'a str) {
        if self.open_references.contains(&reference) {
            return;
        }
        if let Some(target) = resolve_reference(self.document, reference) {
            self.open_references.push(reference);
            self.read(path, target);
            self.open_references.pop();
        }
    }

    fn read_inline(&mut self, path: &str, schema: &'a Value) {
        self.add_constraints(path, schema);
        for keyword in ["anyOf", "oneOf", "allOf"] {
            for alternative in items(schema, keyword) {
                self.read(path, alternative);
            }
        }
        let required = items(schema, "required");
        for (name, property) in entries(schema, "properties") {
            let inner = if path.is_empty() { name.clone() } else { format!("{path}_{name}") };
            let is_required = required.iter().any(|required| required.as_str() == Some(name));
            let presence = Presence { required: is_required, nullable: false };
            let field = FieldContract { presence, values: Vec::new() };
            self.fields.entry(inner.clone()).or_insert(field).presence.required &= is_required;
            self.read(&inner, property);
        }
        if let Some(items) = schema.get("items").filter(|_| !path.is_empty()) {
            let inner = format!("{path}[]");
            self.fields.entry(inner.clone()).or_default();
            self.read(&inner, items);
        }
    }

    /// Adds the nullability and the permitted values of `schema` to the field at `path`.
    fn add_constraints(&mut self, path: &str, schema: &Value) {
        let Some(field) = self.fields.get_mut(path) else { return };
        let listed = items(schema, "enum");
        let has_null_type = get_text(schema, "type") == Some("null")
            || items(schema, "type").iter().any(|kind| kind.as_str() == Some("null"));
        field.presence.nullable |= has_null_type
            || schema.get("nullable") == Some(&Value::Bool(true))
            || listed.contains(&Value::Null);
        for value in listed.iter().chain(schema.get("const")) {
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            if !field.values.contains(&text) {
                field.values.push(text);
            }
        }
    }
}
