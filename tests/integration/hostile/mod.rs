//! Hostile input: the fuzzer's corpus and its findings (see tests/fuzz), and a table of attacks on
//! the running programs.

#[cfg(target_os = "linux")]
mod attacks;
#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod mixed;
#[cfg(target_os = "linux")]
mod oura;
#[cfg(target_os = "linux")]
mod table;
#[cfg(target_os = "linux")]
pub mod targets;

#[path = "../../fuzz/mutation.rs"]
#[allow(dead_code, reason = "the fuzzer mutates bytes in place")]
mod mutation;
#[path = "../../fuzz/properties.rs"]
mod properties;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use properties::Property;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;

use crate::common::{env_or, seeded_rng};

/// Mutated inputs of each property. Those that run a statement take longest.
const MUTATIONS: usize = 300;

/// The length of inputs, as for the fuzzer.
const MAX_LENGTH: usize = 4_000;

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

/// Mutations of the corpus, without the guidance of the fuzzer. `MUTATION_SECONDS` sets the time for
/// each property instead of the number, and `MUTATION_PROPERTY` selects one of them.
#[test]
fn properties_hold_for_mutated_inputs() {
    let (seed, _) = seeded_rng();
    let mut random = SmallRng::seed_from_u64(seed);
    let seconds: Option<u64> =
        std::env::var("MUTATION_SECONDS").ok().map(|_| env_or("MUTATION_SECONDS", 0));
    let only = std::env::var("MUTATION_PROPERTY").ok();
    let world = properties::World::new();
    for (name, property) in Property::ALL {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let corpus: Vec<String> = corpus(name)
            .into_iter()
            .map(|(_, input)| String::from_utf8_lossy(&input).into_owned())
            .collect();
        let begun = Instant::now();
        let mut count = 0;
        let mut input = String::new();
        while match seconds {
            Some(seconds) => begun.elapsed() < Duration::from_secs(seconds),
            None => count < MUTATIONS,
        } {
            // A chain of mutations begins with an input of the corpus.
            if count % 8 == 0 || input.len() > MAX_LENGTH {
                input = corpus.choose(&mut random).expect("a corpus").clone();
            }
            input = mutation::mutate_text(property, &input, &mut random);
            let checked =
                catch_unwind(AssertUnwindSafe(|| property.check(&world, input.as_bytes())));
            assert!(checked.is_ok(), "{name}: {input:?}");
            count += 1;
        }
        world.check_files();
        println!("{name}: {count} mutated inputs in {:?}", begun.elapsed());
    }
}

/// Writes the table of attacks into docs/security.md.
#[cfg(target_os = "linux")]
fn write_table(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, crate::documents::with_section(&text, "attacks", table)).unwrap();
}
