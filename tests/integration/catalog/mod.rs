//! Tests of the catalogue with every known version of Oura's OpenAPI document, and with valid and
//! invalid documents.

mod commands;
mod documents;
mod robustness;
mod versions;

use std::path::Path;

use ringside::catalog::{Catalog, Collection};
use serde_json::Value;

use crate::common::external_fixture;

/// All known versions, oldest first.
const VERSIONS: &[&str] = &["1.23", "1.27", "1.28", "1.29", "1.34", "1.35", "1.37", "1.43"];

/// Returns the reduced document of `version`.
fn reduced(version: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/openapi")
        .join(format!("{version}.json"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn catalog(version: &str) -> Catalog {
    Catalog::from_openapi(&reduced(version)).unwrap()
}

fn newest(collection: &str) -> Collection {
    Catalog::bundled().get(collection).unwrap().clone()
}

/// Returns the published document of `version`, which is not part of the repository.
fn published(version: &str) -> Vec<u8> {
    std::fs::read(external_fixture(&format!("spec/openapi-{version}.json"))).unwrap()
}

fn json(document: &[u8]) -> Value {
    serde_json::from_slice(document).unwrap()
}
