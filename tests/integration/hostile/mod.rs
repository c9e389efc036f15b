//! Hostile input: the fuzzer's corpus and its findings (see tests/fuzz), and a table of attacks on
//! the running programs.

#[cfg(target_os = "linux")]
mod attacks;
#[cfg(target_os = "linux")]
mod mixed;
#[cfg(target_os = "linux")]
mod table;
#[cfg(target_os = "linux")]
pub mod targets;

#[path = "../../fuzz/properties.rs"]
mod properties;

use std::path::{Path, PathBuf};

use properties::Property;

/// The inputs of one folder of the corpus, with their paths.
fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 2, "{name} has {} files", files.len());
    files.into_iter().map(|file| (file.clone(), std::fs::read(file).unwrap())).collect()
}

#[test]
fn properties_hold_for_the_corpus() {
    let world = properties::World::new();
    for (name, property) in Property::ALL {
        for (file, input) in corpus(name) {
            println!("{}", file.display());
            property.check(&world, &input);
            // The two kinds of statements are interesting for each other.
            match property {
                Property::Macros => Property::Queries.check(&world, &input),
                Property::Queries => Property::Macros.check(&world, &input),
                _ => {}
            }
            world.check_files();
        }
    }
}

/// Writes the table of attacks into docs/security.md.
#[cfg(target_os = "linux")]
fn write_table(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, crate::documents::with_section(&text, "attacks", table)).unwrap();
}
