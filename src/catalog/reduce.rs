//! A published OpenAPI document reduced to facts: paths, parameters, names, types, formats, ranges. No prose of its authors is kept.

use std::collections::BTreeMap;

use super::CatalogError;
use super::json::Node;
use super::openapi::{answer, operations, parameters};

/// The parts of a schema that are facts.
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

const SCHEMAS: &str = "#/components/schemas/";

/// The facts of `document`, as an OpenAPI document that gives the same catalogue. `version` replaces `info.version`: Oura's documents
/// say `2.0` there in every version, the real one stands in their file's name alone.
pub fn reduce(document: &[u8], version: Option<&str>) -> Result<Vec<u8>, CatalogError> {
    let document: Node = serde_json::from_slice(document)?;
    let mut paths = BTreeMap::new();
    let mut schemas = BTreeMap::new();
    for (path, get) in operations(&document) {
        let parameters: Vec<Node> = parameters(&document, get).map(parameter_facts).collect();
        let schema = answer(&document, get).map_or_else(|| object([]), schema_facts);
        reach(&document, &schema, &mut schemas);
        let content = object([("application/json", object([("schema", schema)]))]);
        let responses = object([("200", object([("content", content)]))]);
        paths.insert(
            path.to_owned(),
            object([(
                "get",
                object([("parameters", Node::List(parameters)), ("responses", responses)]),
            )]),
        );
    }
    if paths.is_empty() {
        return Err(CatalogError::Empty);
    }
    let version = version.or_else(|| document.at(&["info", "version"])?.text()).unwrap_or_default();
    let reduced = object([
        ("openapi", document.get("openapi").cloned().unwrap_or(Node::Text("3.1.0".into()))),
        ("info", object([("version", Node::Text(version.to_owned()))])),
        ("paths", Node::Object(paths.into_iter().collect())),
        ("components", object([("schemas", Node::Object(schemas.into_iter().collect()))])),
    ]);
    Ok(reduced.render().into_bytes())
}

/// Adds the schemas that `from` refers to, and those that they refer to.
fn reach(document: &Node, from: &Node, schemas: &mut BTreeMap<String, Node>) {
    let mut wanted = references(from);
    while let Some(name) = wanted.pop() {
        if schemas.contains_key(&name) {
            continue;
        }
        if let Some(schema) = document.pointer(&format!("{SCHEMAS}{name}")).map(schema_facts) {
            wanted.extend(references(&schema));
            schemas.insert(name, schema);
        }
    }
}

fn references(schema: &Node) -> Vec<String> {
    let here = schema
        .get("$ref")
        .and_then(Node::text)
        .and_then(|reference| reference.strip_prefix(SCHEMAS))
        .map(str::to_owned);
    let inner = schema.items().iter().chain(schema.entries().iter().map(|(_, value)| value));
    here.into_iter().chain(inner.flat_map(references)).collect()
}

fn parameter_facts(parameter: &Node) -> Node {
    let facts = ["name", "in", "required", "schema"];
    let kept = parameter.entries().iter().filter(|(key, _)| facts.contains(&key.as_str()));
    Node::Object(
        kept.map(|(key, value)| {
            (key.clone(), if key == "schema" { schema_facts(value) } else { value.clone() })
        })
        .collect(),
    )
}

fn schema_facts(schema: &Node) -> Node {
    let fact = |(key, value): &(String, Node)| {
        let value = match key.as_str() {
            "properties" => Node::Object(
                value
                    .entries()
                    .iter()
                    .map(|(name, property)| (name.clone(), schema_facts(property)))
                    .collect(),
            ),
            "anyOf" | "oneOf" | "allOf" => {
                Node::List(value.items().iter().map(schema_facts).collect())
            }
            "items" | "additionalProperties" if matches!(value, Node::Object(_)) => {
                schema_facts(value)
            }
            _ => value.clone(),
        };
        (key.clone(), value)
    };
    Node::Object(
        schema
            .entries()
            .iter()
            .filter(|(key, _)| SCHEMA_FACTS.contains(&key.as_str()))
            .map(fact)
            .collect(),
    )
}

fn object<const N: usize>(entries: [(&str, Node); N]) -> Node {
    Node::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}
