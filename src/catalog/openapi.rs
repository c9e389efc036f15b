//! An OpenAPI document → [`Catalog`]. The document says which collections and fields there are; [`overlay`] what they mean.

use std::collections::HashSet;

use super::json::Node;
use super::overlay::{self, Facts};
use super::schema::{Resolver, Shape};
use super::skipped::{skipped_field, skipped_path};
use super::{Catalog, Collection, Column, Encoding, KeyRule, Kind, Series, Storage, Style};

/// Every collection is a `GET` right below this.
pub(super) const PREFIX: &str = "/v2/usercollection/";

/// SQLite takes 2,000 columns; Oura's widest table has about fifty.
const MAX_COLUMNS: usize = 1000;

#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("the document is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the document has no collections: no GET path under /v2/usercollection/")]
    Empty,
}

impl Catalog {
    /// Reads an OpenAPI 3 document, published or reduced. What it does not understand of a collection is left out, never guessed:
    /// raw documents are kept whole in any case.
    pub fn from_openapi(document: &[u8]) -> Result<Catalog, CatalogError> {
        let document: Node = serde_json::from_slice(document)?;
        let version =
            document.at(&["info", "version"]).and_then(Node::text).unwrap_or_default().to_owned();
        let mut tables = HashSet::new();
        let mut collections: Vec<Collection> = operations(&document)
            .filter(|(path, _)| skipped_path(path).is_none())
            .filter_map(|(path, get)| collection(&document, path, get))
            .filter(|collection| tables.insert(collection.table.clone()))
            .collect();
        if collections.is_empty() {
            return Err(CatalogError::Empty);
        }
        collections.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Catalog { version, collections })
    }
}

/// Every `GET` below [`PREFIX`]: its path and its operation.
pub(super) fn operations(document: &Node) -> impl Iterator<Item = (&str, &Node)> {
    let paths = document.get("paths").map(Node::entries).unwrap_or_default();
    paths
        .iter()
        .filter(|(path, _)| path.starts_with(PREFIX))
        .filter_map(|(path, item)| Some((path.as_str(), item.get("get")?)))
}

/// The parameters of an operation, references followed.
pub(super) fn parameters<'a>(
    document: &'a Node,
    operation: &'a Node,
) -> impl Iterator<Item = &'a Node> {
    operation
        .get("parameters")
        .map(Node::items)
        .unwrap_or_default()
        .iter()
        .map(|parameter| follow(document, parameter))
}

/// The schema of an operation's answer.
pub(super) fn answer<'a>(document: &'a Node, operation: &'a Node) -> Option<&'a Node> {
    follow(document, operation.at(&["responses", "200"])?).at(&[
        "content",
        "application/json",
        "schema",
    ])
}

fn follow<'a>(document: &'a Node, node: &'a Node) -> &'a Node {
    node.get("$ref")
        .and_then(Node::text)
        .and_then(|reference| document.pointer(reference))
        .unwrap_or(node)
}

fn collection(document: &Node, path: &str, get: &Node) -> Option<Collection> {
    let name = path.strip_prefix(PREFIX)?;
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    let answer =
        answer(document, get).map_or(Shape::Any, |schema| Resolver::new(document).shape(schema));
    let (enveloped, item) = match answer.field("data") {
        Some(Shape::List(item)) => (true, (**item).clone()),
        Some(_) => (true, Shape::Any),
        None => (false, answer),
    };
    let style = style(document, get, enveloped);
    let facts = overlay::facts(name).unwrap_or_else(|| {
        Facts::guessed(name, style, item.field("id").is_some(), item.field("timestamp").is_some())
    });
    let table = table(name);
    let (columns, series) = Flattener::new(&table, facts).flatten(&item);
    // A row table is built on its key: a field that this version does not have cannot be part of it.
    let known = |field: &&str| {
        facts.time.start.contains(field) || columns.iter().any(|column| column.name == *field)
    };
    let key: Vec<&'static str> = facts.key.iter().copied().filter(known).collect();
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

fn style(document: &Node, get: &Node, enveloped: bool) -> Style {
    let takes = |name| {
        parameters(document, get)
            .any(|parameter| parameter.get("name").and_then(Node::text) == Some(name))
    };
    match () {
        () if takes("start_datetime") => Style::Datetimes,
        () if takes("start_date") => Style::Dates,
        () if enveloped || takes("next_token") => Style::TokenOnly,
        () => Style::Singleton,
    }
}

/// The name in lower case, out of the way of the tables and views that every store has.
fn table(name: &str) -> String {
    let table = name.to_ascii_lowercase();
    let taken = overlay::STORE_TABLES.contains(&table.as_str())
        || ["oura_", "sqlite_"].iter().any(|prefix| table.starts_with(prefix));
    if taken { format!("collection_{table}") } else { table }
}

/// The fields that make an object a series.
const SAMPLE: [&str; 3] = ["interval", "items", "timestamp"];

/// Turns the shape of a document into columns and series.
struct Flattener<'a> {
    table: &'a str,
    facts: Facts,
    names: HashSet<String>,
    columns: Vec<Column>,
    series: Vec<Series>,
}

impl<'a> Flattener<'a> {
    fn new(table: &'a str, facts: Facts) -> Flattener<'a> {
        let own = match facts.storage {
            Storage::Documents => ["document", "time", "day", "utc_offset"].as_slice(),
            Storage::Rows => ["time", "extra"].as_slice(),
        };
        Flattener {
            table,
            facts,
            names: own.iter().map(|name| (*name).to_owned()).collect(),
            columns: Vec::new(),
            series: Vec::new(),
        }
    }

    fn flatten(mut self, item: &Shape) -> (Vec<Column>, Vec<Series>) {
        let storage = self.facts.storage;
        if let Shape::Object(fields) = item {
            for (name, shape) in
                fields.iter().filter(|(name, _)| skipped_field(name, storage).is_none())
            {
                self.field(vec![name.clone()], shape);
            }
        }
        for (name, kind) in self.facts.live_only {
            if item.field(name).is_none() {
                self.column(vec![(*name).to_owned()], *kind);
            }
        }
        (self.columns, self.series)
    }

    fn field(&mut self, path: Vec<String>, shape: &Shape) {
        match shape {
            Shape::Object(fields) if SAMPLE.iter().all(|name| shape.field(name).is_some()) => {
                // What a series has beside its points is a column like any other.
                for (name, shape) in
                    fields.iter().filter(|(name, _)| !SAMPLE.contains(&name.as_str()))
                {
                    self.field(path.iter().chain([name]).cloned().collect(), shape);
                }
                self.series(path, Encoding::Sample);
            }
            Shape::Object(fields) => {
                for (name, shape) in fields {
                    self.field(path.iter().chain([name]).cloned().collect(), shape);
                }
            }
            shape => match (shape.kind(), digit_interval(&path)) {
                (Kind::Text, Some(interval)) => {
                    let codes = overlay::codes(&path[path.len() - 1]);
                    self.series(path, Encoding::Digits { interval, codes });
                }
                (kind, _) => self.column(path, kind),
            },
        }
    }

    fn column(&mut self, path: Vec<String>, kind: Kind) {
        if self.columns.len() == MAX_COLUMNS {
            return;
        }
        let known = self.facts.field(&path.join("_"));
        let name = self.free_name(&path);
        self.columns.push(Column {
            name,
            path,
            kind,
            unit: known.unit,
            description: known.description,
            sentinel: known.sentinel,
        });
    }

    fn series(&mut self, path: Vec<String>, encoding: Encoding) {
        let known = self.facts.field(&path.join("_"));
        let name = format!("{}.{}", self.table, identifier(&path));
        if self.series.iter().all(|series| series.name != name) {
            self.series.push(Series {
                name,
                path,
                encoding,
                unit: known.unit,
                description: known.description,
            });
        }
    }

    /// A column name that no other column of the table has: SQLite's are the same in any capitals.
    fn free_name(&mut self, path: &[String]) -> String {
        let mut name = identifier(path);
        while !self.names.insert(name.to_ascii_lowercase()) {
            name.push('_');
        }
        name
    }
}

fn identifier(path: &[String]) -> String {
    path.join("_")
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' })
        .collect()
}

/// The seconds per digit of a field named like `sleep_phase_5_min` or `movement_30_sec`.
fn digit_interval(path: &[String]) -> Option<u32> {
    let mut words = path.last()?.rsplit('_');
    let seconds = match words.next()? {
        "sec" => 1,
        "min" => 60,
        _ => return None,
    };
    words
        .next()?
        .parse::<u32>()
        .ok()?
        .checked_mul(seconds)
        .filter(|interval| (1..=86_400).contains(interval))
}
