//! Hostile input: the fuzzer's corpus and its findings (see tests/fuzz), and a table of attacks on
//! the running programs.

#[cfg(target_os = "linux")]
mod attacks;
#[cfg(target_os = "linux")]
mod table;
#[cfg(target_os = "linux")]
mod targets;

#[path = "../../fuzz/properties.rs"]
mod properties;

use std::path::{Path, PathBuf};

/// The texts of one folder of the corpus, with their paths.
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
fn macros_of_the_corpus_are_expanded_or_rejected() {
    for (file, text) in corpus("macros").iter().chain(&corpus("queries")) {
        println!("{}", file.display());
        properties::check_expansion(text);
    }
}

#[test]
fn queries_of_the_corpus_end_and_write_and_leak_nothing() {
    let world = properties::World::new();
    for (file, text) in corpus("queries").iter().chain(&corpus("macros")) {
        println!("{}", file.display());
        world.check_query(text);
        world.check_files();
    }
}

/// Writes the table of attacks into docs/security.md.
#[cfg(target_os = "linux")]
fn write_table(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, crate::documents::with_section(&text, "attacks", table)).unwrap();
}
