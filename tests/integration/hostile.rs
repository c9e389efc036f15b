//! What the fuzzer kept, and what it found, asked again: see tests/fuzz.

#[path = "../fuzz/properties.rs"]
mod properties;

use std::path::{Path, PathBuf};

/// The texts of one folder of the corpus, by name.
fn corpus(name: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 5, "{name} has {} files", files.len());
    files
        .into_iter()
        .map(|file| (file.clone(), String::from_utf8(std::fs::read(file).unwrap()).unwrap()))
        .collect()
}

#[test]
fn macros_of_strangers_are_expanded_or_refused() {
    for (file, text) in corpus("macros").iter().chain(&corpus("queries")) {
        println!("{}", file.display());
        properties::check_expansion(text);
    }
}

#[test]
fn queries_of_strangers_end_write_nothing_and_tell_nothing_hidden() {
    let world = properties::World::new();
    for (file, text) in corpus("queries").iter().chain(&corpus("macros")) {
        println!("{}", file.display());
        world.check_query(text);
        world.check_files();
    }
}
