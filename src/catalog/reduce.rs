//! Reduction of a published OpenAPI document to facts: paths, parameters, names, types, formats and
//! ranges. The prose of its authors is dropped.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::CatalogError;
use super::json::{get_path, get_text, render, resolve_reference};
use super::openapi::{operations, parameters, response_schema};

/// The keywords of a schema that are facts.
const SCHEMA_FACTS: &[&str] = &[
    "$ref",
    "type",
    "format",
    "enum",
    "const",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "nullable",
    "anyOf",
    "oneOf",
    "allOf",
    "items",
    "properties",
    "additionalProperties",
    "required",
];

/// The keywords of a parameter that are facts.
const PARAMETER_FACTS: &[&str] = &["name", "in", "required", "schema"];

/// The prefix of references to schemas.
const SCHEMAS: &str = "#/components/schemas/";

/// Reduces `document` to an OpenAPI document with the same catalogue. `version` replaces
/// `info.version`: Oura's documents contain `2.0` in every version, and the API version only in
/// their file names.
pub fn reduce(document: &[u8], version: Option<&str>) -> Result<Vec<u8>, CatalogError> {
    let document: Value = serde_json::from_slice(document)?;
    let mut paths = BTreeMap::new();
    let mut schemas = BTreeMap::new();
    for (path, get) in operations(&document) {
        let parameters: Vec<Value> = parameters(&document, get).map(parameter_facts).collect();
        let schema = response_schema(&document, get).map_or_else(|| json!({}), schema_facts);
        add_referenced_schemas(&document, &schema, &mut schemas);
        let content = json!({ "application/json": { "schema": schema } });
        let responses = json!({ "200": { "content": content } });
        let get = json!({ "parameters": parameters, "responses": responses });
        paths.insert(path.to_owned(), json!({ "get": get }));
    }
    if paths.is_empty() {
        return Err(CatalogError::Empty);
    }
    let version =
        version.or_else(|| get_path(&document, &["info", "version"])?.as_str()).unwrap_or_default();
    let openapi = document.get("openapi").cloned().unwrap_or_else(|| json!("3.1.0"));
    let reduced = json!({
        "openapi": openapi,
        "info": { "version": version },
        "paths": Map::from_iter(paths),
        "components": { "schemas": Map::from_iter(schemas) },
    });
    Ok(render(&reduced).into_bytes())
}

/// Adds the schemas that `from` references, and those that they reference.
fn add_referenced_schemas(document: &Value, from: &Value, schemas: &mut BTreeMap<String, Value>) {
    let mut names = referenced_names(from);
    while let Some(name) = names.pop() {
        if schemas.contains_key(&name) {
            continue;
        }
        if let Some(schema) = resolve_reference(document, &format!("{SCHEMAS}{name}")) {
            let facts = schema_facts(schema);
            names.extend(referenced_names(&facts));
            schemas.insert(name, facts);
        }
    }
}

fn referenced_names(schema: &Value) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(name) = get_text(schema, "$ref").and_then(|text| text.strip_prefix(SCHEMAS)) {
        names.push(name.to_owned());
    }
    match schema {
        Value::Array(items) => names.extend(items.iter().flat_map(referenced_names)),
        Value::Object(fields) => names.extend(fields.values().flat_map(referenced_names)),
        _ => {}
    }
    names
}

fn parameter_facts(parameter: &Value) -> Value {
    let mut facts = Map::new();
    for (key, value) in parameter.as_object().into_iter().flatten() {
        if PARAMETER_FACTS.contains(&key.as_str()) {
            let value = if key == "schema" { schema_facts(value) } else { value.clone() };
            facts.insert(key.clone(), value);
        }
    }
    Value::Object(facts)
}

fn schema_facts(schema: &Value) -> Value {
    let mut facts = Map::new();
    for (key, value) in schema.as_object().into_iter().flatten() {
        if SCHEMA_FACTS.contains(&key.as_str()) {
            facts.insert(key.clone(), keyword_facts(key, value));
        }
    }
    Value::Object(facts)
}

/// Reduces the value of one schema keyword.
fn keyword_facts(key: &str, value: &Value) -> Value {
    match (key, value) {
        ("properties", Value::Object(properties)) => {
            let facts = properties.iter();
            Value::Object(
                facts.map(|(name, property)| (name.clone(), schema_facts(property))).collect(),
            )
        }
        ("anyOf" | "oneOf" | "allOf", Value::Array(alternatives)) => {
            Value::Array(alternatives.iter().map(schema_facts).collect())
        }
        ("items" | "additionalProperties", Value::Object(_)) => schema_facts(value),
        // Keywords with a value of the wrong type.
        ("properties", _) => json!({}),
        ("anyOf" | "oneOf" | "allOf", _) => json!([]),
        _ => value.clone(),
    }
}
