//! The catalogue at its door: every known version of Oura's OpenAPI document, and documents of every kind of oddness.

mod commands;
#[path = "../integration/common/mod.rs"]
mod common;
mod documents;
mod robustness;
mod versions;

use std::path::{Path, PathBuf};

use ringside::catalog::{Catalog, Collection};
use serde_json::Value;

/// Every version that is known, oldest first.
const VERSIONS: &[&str] = &["1.23", "1.27", "1.28", "1.29", "1.34", "1.35", "1.37", "1.43"];

/// The reduced document of `version`.
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

/// Material that lies beside the repository on some machines and is never part of it; says so when it is missing.
fn beside_the_repository(what: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared/oura").join(what))
        .find(|path| path.exists());
    if found.is_none() {
        common::report_skip(&format!("shared/oura/{what} is not beside the repository"));
    }
    found
}

/// The published document of `version`.
fn published(version: &str) -> Option<Vec<u8>> {
    let path = beside_the_repository(&format!("spec/openapi-{version}.json"))?;
    Some(std::fs::read(path).unwrap())
}

/// The reduced documents of all versions, and the published ones that are there.
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
