//! The contract with the frontend and with other programs, generated from the Rust types: the file
//! `frontend/src/contract.ts`, and the schemas of `src/cli/serve/openapi.json`.
//!
//! A test fails when a file differs from the types. [`REWRITE_COMMAND`] rewrites both.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value, json};
use ts_rs::{Config, TS, TypeVisitor};
use utoipa::ToSchema;

use super::coverage::{COVERAGE, Coverage, CoverageDay};
use super::data::{Confirmation, Deleted};
use super::error::ErrorBody;
use super::login::{Connection, LoginCallback, LoginRequest};
use super::repair::Repaired;
use super::schema::Schema;
use super::sql::SqlRequest;
use super::sync::SyncStart;
use crate::datasource::settings::{DEFAULT_INTERVAL_MINUTES, MIN_INTERVAL_MINUTES};
use crate::datasource::{ConnectionState, LoginStart, Settings, Status};
use crate::oura::oauth::SCOPES;
use crate::query::annotations::AnnotationsQuery;
use crate::query::metrics::{MAX_DAYS, MAX_METRICS, MetricsQuery};
use crate::query::{QueryType, SqlQuery};
use crate::store::{CollectionState, GapReason};

/// The command that rewrites the file.
const REWRITE_COMMAND: &str = "UPDATE_CONTRACT=1 cargo test --lib contract";

#[test]
fn generated_contract_matches_the_file() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("frontend/src/contract.ts");
    let generated = contract();
    if std::env::var_os("UPDATE_CONTRACT").is_some() {
        std::fs::write(&path, &generated).unwrap();
        return;
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == generated,
        "{} differs from the Rust types. To rewrite it: {REWRITE_COMMAND}",
        path.display()
    );
}

/// Rows have the columns of their query, so that only their frame is a type.
const WRITTEN_BY_HAND: &str = "Rows";

#[test]
fn schemas_of_the_openapi_document_match_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/serve/openapi.json");
    let stored = std::fs::read_to_string(&path).unwrap();
    let mut document: Value = serde_json::from_str(&stored).unwrap();
    let schemas = &mut document["components"]["schemas"];
    let mut generated = schemas_of_types();
    generated.insert(WRITTEN_BY_HAND.to_owned(), schemas[WRITTEN_BY_HAND].take());
    *schemas = serde_json::to_value(&generated).unwrap();
    let text = format!("{document:#}\n");
    if std::env::var_os("UPDATE_CONTRACT").is_some() {
        std::fs::write(&path, &text).unwrap();
    } else {
        let message = format!("{} differs from the types", path.display());
        assert!(stored == text, "{message}. To rewrite it: {REWRITE_COMMAND}");
    }
    let used: Vec<String> = generated
        .keys()
        .filter(|name| text.contains(&format!("\"#/components/schemas/{name}\"")))
        .cloned()
        .collect();
    assert_eq!(used, generated.keys().cloned().collect::<Vec<_>>(), "unused schemas");
}

/// The schemas of all bodies and responses by name, with those of their parts.
fn schemas_of_types() -> BTreeMap<String, Value> {
    fn add<T: ToSchema>(schemas: &mut BTreeMap<String, Value>) {
        let mut parts = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut parts);
        for (name, schema) in parts {
            let mut schema = serde_json::to_value(schema).unwrap();
            describe_plainly(&mut schema);
            schemas.insert(name, schema);
        }
    }
    let mut schemas = BTreeMap::new();
    add::<SqlRequest>(&mut schemas);
    add::<Status>(&mut schemas);
    add::<Schema>(&mut schemas);
    add::<Coverage>(&mut schemas);
    add::<LoginRequest>(&mut schemas);
    add::<LoginStart>(&mut schemas);
    add::<LoginCallback>(&mut schemas);
    add::<Connection>(&mut schemas);
    add::<SyncStart>(&mut schemas);
    add::<Confirmation>(&mut schemas);
    add::<Deleted>(&mut schemas);
    add::<Repaired>(&mut schemas);
    add::<ErrorBody>(&mut schemas);
    schemas
}

/// Removes the brackets of links from descriptions.
fn describe_plainly(schema: &mut Value) {
    match schema {
        Value::String(text) => *text = text.replace("[`", "`").replace("`]", "`"),
        Value::Array(values) => values.iter_mut().for_each(describe_plainly),
        Value::Object(fields) => fields.values_mut().for_each(describe_plainly),
        _ => {}
    }
}

#[test]
fn declared_default_metrics_query_matches_the_type() {
    let declared: MetricsQuery = serde_json::from_value(default_metrics_query()).unwrap();
    assert_eq!(format!("{declared:?}"), format!("{:?}", MetricsQuery::default()));
}

#[test]
fn coverage_rows_have_the_declared_fields() {
    let columns = COVERAGE.split("FROM").next().unwrap().trim().trim_start_matches("SELECT ");
    let row: Map<String, Value> =
        columns.split(", ").map(|column| (column.to_owned(), Value::Null)).collect();
    let mut fields = CoverageDay::inline(&config());
    for column in row.keys() {
        assert!(fields.contains(&format!("{column}: ")), "{column}: {fields}");
        fields = fields.replace(&format!("{column}: "), "");
    }
    assert!(!fields.contains(": "), "a declared field is not selected: {fields}");
}

fn default_metrics_query() -> Value {
    json!({
        "metrics": [],
        "aggregate": "avg",
        "every": "auto",
        "filters": [],
        "movingAverage": 0,
        "baseline": 0,
        "shift": 0,
        "downsample": "auto",
    })
}

fn config() -> Config {
    Config::new().with_large_int("number")
}

fn contract() -> String {
    let mut file = ContractFile::new();

    file.section("Queries");
    file.visit::<QueryType>();
    file.visit::<SqlQuery>();
    file.visit::<MetricsQuery>();
    file.visit::<AnnotationsQuery>();
    file.object("DEFAULT_METRICS_QUERY", "MetricsQuery", &default_metrics_query());
    file.number("MAX_METRICS", MAX_METRICS);
    file.number("MAX_DAYS", MAX_DAYS);

    file.section("Settings: the data source's jsonData");
    file.visit::<Settings>();
    file.number("DEFAULT_SYNC_INTERVAL_MINUTES", DEFAULT_INTERVAL_MINUTES);
    file.number("MIN_SYNC_INTERVAL_MINUTES", MIN_INTERVAL_MINUTES);
    file.names("SCOPES", "Scope", SCOPES);

    file.section("Resource routes");
    file.visit::<Status>();
    file.labels(
        "CONNECTION_STATES",
        "ConnectionState",
        ConnectionState::ALL.iter().map(|state| (state, state.label())),
    );
    file.labels(
        "COLLECTION_STATES",
        "CollectionState",
        CollectionState::ALL.iter().map(|state| (state, state.label())),
    );
    file.labels(
        "GAP_REASONS",
        "GapReason",
        GapReason::ALL.iter().map(|reason| (reason, reason.label())),
    );
    file.visit::<Schema>();
    file.visit::<Coverage>();
    file.visit::<LoginRequest>();
    file.visit::<LoginStart>();
    file.visit::<LoginCallback>();
    file.visit::<SyncStart>();
    file.visit::<ErrorBody>();
    file.finish()
}

/// The text of the file as it grows, section by section.
struct ContractFile {
    config: Config,
    text: String,
    /// The types that are already declared.
    declared: Vec<TypeId>,
    /// The declarations of the current section by name: `ts-rs` visits dependencies in any order.
    types: BTreeMap<String, String>,
    /// The constants of the current section.
    constants: String,
}

impl ContractFile {
    fn new() -> ContractFile {
        ContractFile {
            config: config(),
            text: format!("/* Generated from the Rust types. To rewrite: {REWRITE_COMMAND} */\n"),
            declared: Vec::new(),
            types: BTreeMap::new(),
            constants: String::new(),
        }
    }

    fn section(&mut self, title: &str) {
        self.end_section();
        self.text += &format!("\n// {title}\n");
    }

    fn end_section(&mut self) {
        self.text.extend(std::mem::take(&mut self.types).into_values());
        self.text += &std::mem::take(&mut self.constants);
    }

    fn finish(mut self) -> String {
        self.end_section();
        self.text
    }

    fn number(&mut self, name: &str, value: impl Display) {
        self.constants += &format!("\nexport const {name} = {value};\n");
    }

    fn object(&mut self, name: &str, kind: &str, value: &Value) {
        self.constants += &format!("\nexport const {name}: {kind} = {value:#};\n");
    }

    /// A list of names, and the type of its members.
    fn names(&mut self, list: &str, member: &str, names: &[&str]) {
        let names = serde_json::to_string_pretty(names).unwrap();
        self.constants += &format!("\nexport const {list} = {names} as const;\n");
        self.constants += &format!("\nexport type {member} = (typeof {list})[number];\n");
    }

    /// The labels of every variant of a type.
    fn labels(
        &mut self,
        name: &str,
        kind: &str,
        labels: impl Iterator<Item = (impl Serialize, &'static str)>,
    ) {
        self.constants += &format!("\nexport const {name}: Record<{kind}, string> = {{\n");
        for (key, label) in labels {
            let key = serde_json::to_value(key).unwrap();
            self.constants += &format!("  {}: {label:?},\n", key.as_str().unwrap());
        }
        self.constants += "};\n";
    }
}

impl TypeVisitor for ContractFile {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        if self.declared.contains(&TypeId::of::<T>()) {
            return;
        }
        self.declared.push(TypeId::of::<T>());
        T::visit_dependencies(self);
        if T::output_path().is_some() {
            let docs = comment(&T::docs().unwrap_or_default(), "");
            let declaration = declaration(&T::decl(&self.config));
            self.types.insert(T::name(&self.config), format!("\n{docs}{declaration}"));
        }
    }
}

/// Turns `type T = { a: string, b: string, };` into an interface with one field per line.
fn declaration(decl: &str) -> String {
    let Some((name, body)) = decl.trim_start_matches("type ").split_once(" = { ") else {
        return union(decl);
    };
    if body.trim_end_matches("};").contains('}') {
        return union(decl);
    }
    let mut text = format!("export interface {name} {{\n");
    for (docs, field) in fields(body.trim_end_matches("};")) {
        text += &comment(docs, "  ");
        text += &format!("  {field};\n");
    }
    text + "}\n"
}

/// Formats a type that is not an object. A long type has one variant per line.
fn union(decl: &str) -> String {
    let (name, variants) = decl.split_once(" = ").unwrap();
    if decl.len() <= 90 {
        return format!("export {decl}\n");
    }
    let variants = variants.trim_end_matches(';').replace(" | ", "\n  | ");
    format!("export {name} =\n  | {variants};\n")
}

/// The documentation and the text of each field. No field has an object as its type.
fn fields(mut body: &str) -> Vec<(&str, &str)> {
    let mut fields = Vec::new();
    while !body.trim().is_empty() {
        let (docs, rest) = match body.trim_start().strip_prefix("/**") {
            Some(rest) => rest.split_once("*/").unwrap(),
            None => ("", body),
        };
        let (field, rest) = rest.split_once(", ").unwrap();
        fields.push((docs, field.trim()));
        body = rest;
    }
    fields
}

/// Formats `docs` as a TypeScript comment, without the brackets of links.
fn comment(docs: &str, indent: &str) -> String {
    let docs = docs.trim().trim_start_matches("/**").trim_end_matches("*/");
    let lines: Vec<&str> = docs
        .lines()
        .map(|line| line.trim().trim_start_matches('*').trim())
        .filter(|line| !line.is_empty())
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    let text = lines.join(&format!("\n{indent} * ")).replace("[`", "`").replace("`]", "`");
    if lines.len() == 1 {
        format!("{indent}/** {text} */\n")
    } else {
        format!("{indent}/**\n{indent} * {text}\n{indent} */\n")
    }
}
