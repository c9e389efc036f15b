//! The lake: the data of many people as Delta tables in a folder or at an S3 service, for engines
//! such as DuckDB, Spark and Trino.
//!
//! A table has one file for each month and shard of people, sorted by person and time. A
//! publication reads the changed months of each person from SQLite, and replaces the files that
//! contain them in one commit for each table. The commit also stores the published version of each person, so that
//! a second publisher, or one that was killed, never shows rows twice or half.

mod check;
mod ddl;
mod error;
mod forget;
mod log;
mod owner;
mod partition;
mod publish;
mod storage;
mod table;
mod vacuum;

#[cfg(test)]
mod tests;

pub use check::{Difference, Verdict};
pub use ddl::Engine;
pub use error::LakeError;
pub use owner::{Owner, Pseudonym};
pub use publish::{Published, Skipped};

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use self::owner::SHARDS;
use self::storage::Storage;
use crate::time::Clock;

/// The file that identifies a lake.
const MANIFEST: &str = "ringside.json";

/// The version of the layout of lakes.
const FORMAT: u32 = 1;

/// The number of attempts to commit beside other publishers.
const ATTEMPTS: usize = 10;

/// A data source for the lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The key of the data source, from which the pseudonym comes.
    pub key: String,
    /// The database.
    pub database: PathBuf,
}

/// A lake and its owner.
pub struct Lake {
    storage: Storage,
    owner: Owner,
    clock: Clock,
    /// The generation and version of each data source that this process has published completely.
    current: Mutex<HashMap<String, (String, i64)>>,
    /// The withdrawn data sources that are in no table, as this process has seen.
    forgotten: Mutex<HashSet<String>>,
}

/// The content of [`MANIFEST`].
#[derive(Serialize, Deserialize)]
struct Manifest {
    format: u32,
    shards: u8,
    /// Identifies the salt of the pseudonyms.
    salt_check: String,
}

impl Lake {
    /// Creates a lake at `place`, an empty folder or `s3://bucket/prefix`. An existing lake of the
    /// same owner stays as it is. Returns it, and whether it is new.
    pub async fn create(place: &str, owner: Owner) -> Result<(Lake, bool), LakeError> {
        let storage = Storage::open(place, true)?;
        let mut is_new = false;
        if storage.read(MANIFEST).await?.is_none() {
            if let Some(file) = storage.list("").await?.first() {
                let example = file.path.clone();
                return Err(LakeError::Occupied { place: storage.place, example });
            }
            let manifest =
                Manifest { format: FORMAT, shards: SHARDS, salt_check: owner.salt_check() };
            let text = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
            is_new = storage.create(MANIFEST, text.into()).await?;
        }
        let lake = Lake::new(storage, owner);
        lake.ensure_own().await?;
        Ok((lake, is_new))
    }

    /// Opens the lake at `place`.
    pub async fn open(place: &str, owner: Owner) -> Result<Lake, LakeError> {
        let lake = Lake::new(Storage::open(place, false)?, owner);
        lake.ensure_own().await?;
        Ok(lake)
    }

    fn new(storage: Storage, owner: Owner) -> Lake {
        Lake {
            storage,
            owner,
            clock: Clock::system(),
            current: Mutex::default(),
            forgotten: Mutex::default(),
        }
    }

    /// The place, as the user named it.
    pub fn place(&self) -> &str {
        &self.storage.place
    }

    /// Reads the owner's file again.
    pub fn reload_owner(&mut self, data_dir: &Path) -> Result<(), LakeError> {
        self.owner = Owner::open(data_dir)?;
        Ok(())
    }

    /// The owner.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Fails for a place without a lake, for one of a newer version, and for another owner's.
    async fn ensure_own(&self) -> Result<(), LakeError> {
        let place = self.storage.place.clone();
        let text = self.storage.read(MANIFEST).await?;
        let text = text.ok_or_else(|| LakeError::Missing(place.clone()))?;
        let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| {
            LakeError::Place { place: place.clone(), detail: format!("{MANIFEST}: {error}") }
        })?;
        if manifest.format != FORMAT || manifest.shards != SHARDS {
            return Err(LakeError::Newer { place, found: manifest.format, known: FORMAT });
        }
        if manifest.salt_check != self.owner.salt_check() {
            return Err(LakeError::OtherSalt { place, file: self.owner.path().to_owned() });
        }
        Ok(())
    }

    /// The names of the tables, sorted.
    async fn table_names(&self) -> Result<Vec<String>, LakeError> {
        self.storage.folders().await
    }
}
