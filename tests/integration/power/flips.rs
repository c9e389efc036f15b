//! Flipped bits: each ends in an error that names the damage, or in right answers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;
use ringside::catalog::Catalog;
use ringside::sql::TokenizedSql;
use ringside::store::{ReadError, ReadLimits, Store, find_damage};
use ringside::time::Tz;

use super::{beats, content, night, open, put};
use crate::common::{env_or, seeded_rng};

const PAGE: usize = 4096;

/// Flips of each kind of page. `go tool mage soak` tries more.
const FLIPS: usize = 6;

/// Statements that read the tables and indexes of the store.
const QUESTIONS: [&str; 7] = [
    "SELECT count(*), sum(length(payload)), max(hash) FROM oura_raw_documents",
    "SELECT document_id FROM oura_raw_documents WHERE resource = 'sleep' ORDER BY 1",
    "SELECT sum(revision) FROM oura_raw_documents WHERE resource = 'sleep' AND day > '2026-11-03'",
    "SELECT count(*), sum(bpm), min(time), max(source) FROM heartrate",
    "SELECT series, count(*), sum(value), max(time) FROM samples GROUP BY 1",
    "SELECT sum(sum), sum(count) FROM heartrate_5m",
    "SELECT day, total_sleep_duration FROM nights ORDER BY 1",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Header,
    TableLeaf,
    TableInterior,
    IndexLeaf,
    IndexInterior,
    /// Overflow pages and the trunks of the free list.
    Chain,
}

/// The kind of each page of a database.
fn kinds(database: &[u8]) -> BTreeMap<Kind, Vec<usize>> {
    let mut kinds = BTreeMap::<Kind, Vec<usize>>::new();
    for (number, page) in database.chunks_exact(PAGE).enumerate() {
        let kind = match page[if number == 0 { 100 } else { 0 }] {
            _ if number == 0 => Kind::Header,
            2 => Kind::IndexInterior,
            5 => Kind::TableInterior,
            10 => Kind::IndexLeaf,
            13 => Kind::TableLeaf,
            _ => Kind::Chain,
        };
        kinds.entry(kind).or_default().push(number);
    }
    kinds
}

/// The answers of a store to all questions, or `None` for those that end with the error of damage.
fn answers(path: &Path) -> Option<Vec<Option<String>>> {
    let store = match Store::open(path, Arc::new(Catalog::bundled()), Tz::UTC) {
        Ok(store) => store,
        Err(error) => {
            assert!(error.is_damage(), "{error}");
            return None;
        }
    };
    Some(QUESTIONS.iter().map(|question| answer(&store, question)).collect())
}

fn answer(store: &Store, question: &str) -> Option<String> {
    let limits = ReadLimits {
        deadline: Instant::now() + Duration::from_secs(60),
        max_rows: 100_000,
        max_bytes: 1 << 26,
        max_memory: 1 << 28,
        tables: None,
        cancelled: Arc::default(),
    };
    match store.read(&TokenizedSql::new(question), &[], &limits) {
        Ok(batch) => Some(format!("{:?}", batch.columns)),
        Err(ReadError::Damaged(_)) => {
            assert!(store.is_suspect());
            None
        }
        Err(error) => panic!("{question}: {error}"),
    }
}

/// A store with several hundred pages of all kinds.
fn fill(folder: &Path) -> Store {
    let store = open(folder);
    let nights: Vec<_> =
        (1..=20).map(|day| night(&format!("2026-11-{day:02}"), f64::from(day))).collect();
    put(&store, "sleep", &nights, &mut || ());
    put(&store, "heartrate", &beats(4_000, 50), &mut || ());
    // Rows that are gone leave free pages.
    put(&store, "sleep", &nights[1..], &mut || ());
    store
}

fn flip(bytes: &mut [u8], random: &mut StdRng, range: std::ops::Range<usize>) -> usize {
    let at = random.random_range(range);
    bytes[at] ^= 1 << random.random_range(0..8);
    at
}

#[test]
fn flipped_bit_of_any_page_is_no_wrong_answer() {
    let (_, mut random) = seeded_rng();
    let folder = tempfile::tempdir().unwrap();
    drop(fill(folder.path()));
    let path = folder.path().join("oura.db");
    let intact = std::fs::read(&path).unwrap();
    let expected = answers(&path).unwrap();
    assert!(expected.iter().all(Option::is_some));
    let flips: usize = env_or("FLIPS", FLIPS);
    let (mut reported, mut found, mut tried) = (0, 0, 0);
    let kinds = kinds(&intact);
    assert_eq!(kinds.len(), 6, "{:?}", kinds.keys());
    for (kind, pages) in kinds {
        for _ in 0..flips {
            let page = pages[random.random_range(0..pages.len())];
            let mut damaged = intact.clone();
            let at = flip(&mut damaged, &mut random, page * PAGE..(page + 1) * PAGE);
            let place = tempfile::tempdir().unwrap();
            let path = place.path().join("oura.db");
            std::fs::write(&path, &damaged).unwrap();
            found += usize::from(!matches!(find_damage(&path), Ok(None)));
            tried += 1;
            let Some(answers) = answers(&path) else {
                reported += 1;
                continue;
            };
            reported += usize::from(answers.iter().any(Option::is_none));
            for (question, (answer, expected)) in
                QUESTIONS.iter().zip(answers.iter().zip(&expected))
            {
                let is_right = answer.is_none() || answer == expected;
                assert!(is_right, "{kind:?}, byte {at}: {question}: {answer:?}");
            }
        }
    }
    println!("{tried} flips: {reported} met by a query or at the opening, {found} by the check");
    // No question reads all pages. The check reads all but free ones.
    assert!(found * 10 >= tried * 8, "{found} of {tried}");
}

#[test]
fn flipped_bit_of_the_log_is_no_wrong_answer() {
    let (_, mut random) = seeded_rng();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("oura.db");
    drop(open(folder.path()));
    let mut states = vec![content(&path)];
    let store = open(folder.path());
    let nights: Vec<_> = (1..=3).map(|day| night(&format!("2026-11-{day:02}"), 50.0)).collect();
    for count in 1..=nights.len() {
        put(&store, "sleep", &nights[..count], &mut || states.push(content(&path)));
    }
    let (database, log) = (std::fs::read(&path).unwrap(), folder.path().join("oura.db-wal"));
    let log = std::fs::read(log).unwrap();
    assert!(log.len() > 20 * PAGE);
    let expected = QUESTIONS.map(|question| answer(&store, question));
    drop(store);
    let flips: usize = env_or("FLIPS", FLIPS);
    for _ in 0..4 * flips {
        let mut damaged = log.clone();
        let length = damaged.len();
        let at = flip(&mut damaged, &mut random, 0..length);

        // After a restart, the log ends before the flipped bit.
        let place = tempfile::tempdir().unwrap();
        let copy = place.path().join("oura.db");
        std::fs::write(&copy, &database).unwrap();
        std::fs::write(place.path().join("oura.db-wal"), &damaged).unwrap();
        let found = content(&copy);
        assert!(states.contains(&found), "byte {at}");

        // While the store is open, its readers meet the bit.
        std::fs::write(&copy, &database).unwrap();
        std::fs::write(place.path().join("oura.db-wal"), &log).unwrap();
        let store = open(place.path());
        std::fs::write(place.path().join("oura.db-wal"), &damaged).unwrap();
        for (question, expected) in QUESTIONS.iter().zip(&expected) {
            let answer = answer(&store, question);
            assert!(answer.is_none() || answer == *expected, "byte {at}: {question}");
        }
    }
}
