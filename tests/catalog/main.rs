//! Tests of the catalogue with every known version of Oura's OpenAPI document, and with valid and
//! invalid documents.

mod commands;
#[path = "../integration/common/mod.rs"]
mod common;
mod documents;
mod robustness;
mod versions;

use std::path::{Path, PathBuf};

use ringside::catalog::{Catalog, Collection};
use serde_json::Value;

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

/// Returns a file next to the repository that is never part of it. Reports missing files.
fn external_fixture(path: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared/oura").join(path))
        .find(|path| path.exists());
    if found.is_none() {
        common::report_skip(&format!("shared/oura/{path} is not next to the repository"));
    }
    found
}

/// Returns the published document of `version`, if available.
fn published(version: &str) -> Option<Vec<u8>> {
    let path = external_fixture(&format!("spec/openapi-{version}.json"))?;
    Some(std::fs::read(path).unwrap())
}

/// Returns the reduced documents of all versions, and the available published ones.
fn documents() -> impl Iterator<Item = (String, Vec<u8>)> {
    VERSIONS.iter().flat_map(|version| {
        let published =
            published(version).map(|document| (format!("published {version}"), document));
        [(format!("reduced {version}"), reduced(version))].into_iter().chain(published)
    })
}

fn json(document: &[u8]) -> Value {
    serde_json::from_slice(document).unwrap()
}
