//! Facts about data sources that must outlive their databases.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::key::DataSourceKey;
use super::vault::{Purpose, Vault};
use crate::time::Instant;

/// The name of a [`Record`] in the vault.
const RECORD: &str = "record";

/// The record of one data source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// When Grafana, or a user on the command line, last named the data source, to the day.
    pub named_at: Option<Instant>,
    /// The last check of the database file.
    pub checked_at: Option<Instant>,
    /// The damage that the last check found.
    pub damage: Option<String>,
}

/// Returns the record of a data source, for a reader of the vault.
pub fn read_record(vault: &Arc<Vault>, key: &DataSourceKey) -> Record {
    Records::new(Arc::clone(vault)).get(key)
}

/// The records of all data sources.
pub(super) struct Records {
    vault: Arc<Vault>,
}

impl Records {
    pub(super) fn new(vault: Arc<Vault>) -> Records {
        Records { vault }
    }

    /// Returns the record of `key`. A missing or unreadable one is empty.
    pub(super) fn get(&self, key: &DataSourceKey) -> Record {
        let plain = self.vault.get(key, Purpose::DataSource, RECORD).ok().flatten();
        plain.and_then(|plain| serde_json::from_slice(&plain).ok()).unwrap_or_default()
    }

    /// Changes the record of `key`. A failure to store it is only logged: the facts show up again.
    pub(super) fn update(&self, key: &DataSourceKey, change: impl FnOnce(&mut Record)) {
        let stored = self.get(key);
        let mut record = stored.clone();
        change(&mut record);
        if record == stored {
            return;
        }
        let plain = serde_json::to_vec(&record).expect("a record is plain data");
        if let Err(error) = self.vault.put(key, Purpose::DataSource, RECORD, &plain) {
            tracing::warn!(datasource = %key, %error, "could not store facts about a data source");
        }
    }
}
