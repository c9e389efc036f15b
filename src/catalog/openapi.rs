//! Reading of an OpenAPI document as a [`Catalog`]. The document defines collections and fields,
//! and [`overlay`] their meaning.

use std::collections::HashSet;

use serde_json::Value;

use super::flatten::Flattener;
use super::json::{entries, get_path, get_text, items, resolve_reference};
use super::overlay::{self, Facts};
use super::schema::{SchemaReader, Shape};
use super::skipped::path_skip_reason;
use super::{Catalog, Collection, KeyRule, Style};

/// The path prefix of all collections.
const PREFIX: &str = "/v2/usercollection/";

/// The most collections of a document. Oura has about twenty.
const MAX_COLLECTIONS: usize = 200;

/// A document that is not a description of Oura's API.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The document is not JSON.
    #[error("the document is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The document has too many collections.
    #[error("the document has more than {MAX_COLLECTIONS} collections")]
    TooManyCollections,
    /// The document has no collection.
    #[error("the document has no collections: no GET path under /v2/usercollection/")]
    Empty,
}

impl Catalog {
    /// Reads an OpenAPI 3 document, published or reduced. Leaves out unknown constructs: raw
    /// documents are stored completely in any case.
    pub fn from_openapi(document: &[u8]) -> Result<Catalog, CatalogError> {
        Catalog::from_openapi_value(&serde_json::from_slice(document)?)
    }

    pub(super) fn from_openapi_value(document: &Value) -> Result<Catalog, CatalogError> {
        let version = get_path(document, &["info", "version"]).and_then(Value::as_str);
        if operations(document).nth(MAX_COLLECTIONS).is_some() {
            return Err(CatalogError::TooManyCollections);
        }
        let mut tables = HashSet::new();
        let mut collections: Vec<Collection> = operations(document)
            .filter(|(path, _)| path_skip_reason(path).is_none())
            .filter_map(|(path, get)| read_collection(document, path, get))
            .filter(|collection| tables.insert(collection.table.clone()))
            .collect();
        if collections.is_empty() {
            return Err(CatalogError::Empty);
        }
        collections.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Catalog { version: version.unwrap_or_default().to_owned(), collections })
    }
}

/// Returns the path and the operation of each `GET` below [`PREFIX`].
pub(super) fn operations(document: &Value) -> impl Iterator<Item = (&str, &Value)> {
    entries(document, "paths")
        .filter(|(path, _)| path.starts_with(PREFIX))
        .filter_map(|(path, item)| Some((path.as_str(), item.get("get")?)))
}

/// Returns the parameters of an operation, with references resolved.
pub(super) fn parameters<'a>(
    document: &'a Value,
    operation: &'a Value,
) -> impl Iterator<Item = &'a Value> {
    items(operation, "parameters").iter().map(|parameter| resolve(document, parameter))
}

/// Returns the schema of an operation's 200 response.
pub(super) fn response_schema<'a>(document: &'a Value, operation: &'a Value) -> Option<&'a Value> {
    let response = resolve(document, get_path(operation, &["responses", "200"])?);
    get_path(response, &["content", "application/json", "schema"])
}

/// Returns the target of a reference, or `value` itself.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    get_text(value, "$ref")
        .and_then(|reference| resolve_reference(document, reference))
        .unwrap_or(value)
}

fn read_collection(document: &Value, path: &str, get: &Value) -> Option<Collection> {
    let name = path.strip_prefix(PREFIX)?;
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    let response = response_schema(document, get)
        .map_or(Shape::Any, |schema| SchemaReader::new(document).shape(schema));
    let (is_enveloped, item) = match response.field("data") {
        Some(Shape::List(item)) => (true, (**item).clone()),
        Some(_) => (true, Shape::Any),
        None => (false, response),
    };
    let style = request_style(document, get, is_enveloped);
    let facts = overlay::facts(name).unwrap_or_else(|| {
        Facts::guess(name, style, item.field("id").is_some(), item.field("timestamp").is_some())
    });
    let table = table_name(name);
    let (columns, series) = Flattener::new(&table, facts).flatten(&item);
    // A row table is built on its key, so the key must not contain fields that this version lacks.
    let mut key: Vec<&'static str> = facts.key.to_vec();
    key.retain(|field| {
        facts.time.start.contains(field) || columns.iter().any(|column| column.name == *field)
    });
    Some(Collection {
        name: name.to_owned(),
        table,
        path: path.to_owned(),
        style,
        storage: facts.storage,
        key: if key.is_empty() { KeyRule::Document } else { KeyRule::Fields(key) },
        time: facts.time,
        scope: facts.scope,
        max_window_days: style.max_window_days(),
        description: facts.description,
        columns,
        series,
    })
}

fn request_style(document: &Value, get: &Value, is_enveloped: bool) -> Style {
    let names: Vec<&str> =
        parameters(document, get).filter_map(|parameter| get_text(parameter, "name")).collect();
    if names.contains(&"start_datetime") {
        Style::Datetimes
    } else if names.contains(&"start_date") {
        Style::Dates
    } else if is_enveloped || names.contains(&"next_token") {
        Style::TokenOnly
    } else {
        Style::Singleton
    }
}

/// Returns the name in lower case, with a prefix if the store or SQLite reserves it.
fn table_name(name: &str) -> String {
    let table = name.to_ascii_lowercase();
    let is_reserved = overlay::STORE_TABLES.contains(&table.as_str())
        || table.starts_with("oura_")
        || table.starts_with("sqlite_");
    if is_reserved { format!("collection_{table}") } else { table }
}
