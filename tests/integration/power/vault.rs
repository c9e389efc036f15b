//! Power failures and flipped bits of the vault: a stored token pair stays, and is never another one.

use rand::Rng;
use ringside::datasource::DataSourceKey;
use ringside::datasource::vault::{Purpose, Vault};

use super::cuts::{FATES, Files, after_cut, write_files};
use super::recorder::{length, record, recorded};
use super::{CUT_EVERY, cuts_of};
use crate::common::{env_or, seeded_rng};

/// Token pairs that are stored one after the other.
const PAIRS: usize = 12;

/// Flipped bits, one in each copy.
const FLIPS: usize = 60;

/// A value of several pages, with its number.
fn pair(number: usize) -> Vec<u8> {
    format!("{number:>9}").repeat(1_000).into_bytes()
}

fn put(vault: &Vault, number: usize) {
    vault.put(&DataSourceKey::single(), Purpose::Grant, "oura", &pair(number)).unwrap();
}

/// A pair is in use once the call that stores it has returned, so it must survive from then on.
#[test]
fn stored_token_pair_survives_every_power_failure() {
    let (_, mut random) = seeded_rng();
    let folder = tempfile::tempdir().unwrap();
    record(folder.path());
    let mut stored = Vec::new();
    for number in 0..PAIRS {
        // A restart merges the log into the file.
        let vault = Vault::open(folder.path(), None).unwrap();
        put(&vault, number);
        stored.push(length(folder.path()));
    }
    let key = std::fs::read(folder.path().join("vault.key")).unwrap();
    let operations = recorded(folder.path());
    let every: usize = env_or("CUT_EVERY", CUT_EVERY / 6);
    let mut checked = 0;
    for end in cuts_of(&operations, every, &mut random) {
        for fate in FATES {
            let mut files = after_cut(Files::new(), &operations[..end], fate, &mut random);
            files.insert("vault.key".to_owned(), key.clone());
            let place = tempfile::tempdir().unwrap();
            write_files(&files, place.path());
            let vault = Vault::open(place.path(), None).unwrap();
            let found = vault.get(&DataSourceKey::single(), Purpose::Grant, "oura").unwrap();
            let returned = stored.iter().filter(|after| **after <= end).count();
            let is_last = found == returned.checked_sub(1).map(pair);
            // The next one may have been on its way.
            let is_next = returned < PAIRS && found == Some(pair(returned));
            assert!(is_last || is_next, "cut {end} {fate:?}: the last of {returned} pairs is lost");
            put(&vault, PAIRS);
            checked += 1;
        }
    }
    println!("{} operations, {checked} states after cuts", operations.len());
    assert!(checked > 0);
}

#[test]
fn flipped_bit_of_the_vault_is_no_wrong_entry() {
    let (_, mut random) = seeded_rng();
    let folder = tempfile::tempdir().unwrap();
    put(&Vault::open(folder.path(), None).unwrap(), 1);
    let (database, key) = ["vault.db", "vault.key"]
        .map(|name| std::fs::read(folder.path().join(name)).unwrap())
        .into();
    let mut failed = 0;
    for _ in 0..env_or("FLIPS", FLIPS) {
        let mut damaged = database.clone();
        let at = random.random_range(0..damaged.len());
        damaged[at] ^= 1 << random.random_range(0..8);
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("vault.db"), &damaged).unwrap();
        std::fs::write(place.path().join("vault.key"), &key).unwrap();
        let found = Vault::open(place.path(), None)
            .and_then(|vault| vault.get(&DataSourceKey::single(), Purpose::Grant, "oura"));
        match found {
            Ok(Some(value)) => assert!(value == pair(1), "byte {at}"),
            Ok(None) | Err(_) => failed += 1,
        }
    }
    println!("{failed} entries that do not open");
    assert!(failed > FLIPS / 4, "{failed}");
}
