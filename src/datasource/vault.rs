//! Sealed secrets, and state that must survive a restart, in `vault.db`. Queries cannot reach this
//! file.
//!
//! Every value is sealed with XChaCha20-Poly1305 and bound to its address: layout version, data
//! source, purpose and name. A row that was modified or moved does not open. Names are stored in
//! plain text, so they must not be secrets of lasting value. Calls block on the disk. A write is
//! durable when it returns.

mod error;
mod files;
mod seal;
#[cfg(test)]
mod tests;

pub use self::error::VaultError;

use std::fs;
use std::path::Path;

use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use self::error::DATABASE;
use self::files::KEY_FILE;
use self::seal::{Address, Sealed, Sealer};
use super::key::DataSourceKey;
use crate::oura::Secret;
use crate::time::Instant;

/// The kind of an entry. It is part of the address to which the seal is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A token pair, and the end of its login.
    Grant,
    /// Settings, client secret and person of a data source, which a restart needs.
    DataSource,
    /// A pending login, named by the hash of its state.
    Login,
}

impl Purpose {
    /// The stored name. Existing vaults contain exactly these.
    fn as_str(self) -> &'static str {
        match self {
            Purpose::Grant => "grant",
            // The name of a data source in version 0.1.0.
            Purpose::DataSource => "account",
            Purpose::Login => "login",
        }
    }
}

/// The vault of all data sources in a data folder.
pub struct Vault {
    state: Mutex<State>,
    read_only_reason: Option<String>,
}

struct State {
    connection: Connection,
    sealer: Sealer,
}

/// The numbers of entries that open and that do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Entries that open with the present key.
    pub readable: usize,
    /// Entries that were modified or are sealed with another key.
    pub unreadable: usize,
}

/// The minimum length of an operator's key, in characters.
const MIN_KEY_CHARS: usize = 16;

/// Rejects an operator's key that is short enough to guess.
pub fn check_key_length(key: &Secret) -> Result<(), VaultError> {
    if key.reveal().chars().count() < MIN_KEY_CHARS {
        return Err(VaultError::ShortKey { minimum: MIN_KEY_CHARS });
    }
    Ok(())
}

impl Vault {
    /// Opens or creates `vault.db` in `folder`, which is created with mode 0700.
    ///
    /// Without `operator_key`, the key is read from `vault.key` (mode 0600), which is created if it
    /// is missing. With it, the entries of an existing `vault.key` are sealed with the operator's
    /// key, and the file is deleted: data sources stay connected.
    pub fn open(folder: &Path, operator_key: Option<&Secret>) -> Result<Vault, VaultError> {
        files::create_folder(folder)?;
        let connection = files::open_database(&folder.join(DATABASE))?;
        let key_path = folder.join(KEY_FILE);
        let file_key = files::read_key(&key_path)?;
        let sealer = match (operator_key, file_key) {
            (Some(text), _) => Sealer::from_operator_key(text, &files::read_salt(&connection)?)?,
            (None, Some(key)) => Sealer::new(key),
            (None, None) => Sealer::new(files::create_key(&key_path)?),
        };
        let mut state = State { connection, sealer };
        if let Some(text) = operator_key {
            state.reseal(&Sealer::from_hashed_operator_key(text))?;
        }
        if operator_key.is_some()
            && let Some(key) = file_key
        {
            state.reseal(&Sealer::new(key))?;
            fs::remove_file(&key_path).map_err(|error| VaultError::from_io(&key_path, &error))?;
        }
        Ok(Vault { state: Mutex::new(state), read_only_reason: None })
    }

    /// Returns whether `folder` contains a vault.
    pub fn exists(folder: &Path) -> bool {
        folder.join(DATABASE).exists()
    }

    /// Returns whether `folder` contains a key file, so that no operator's key is in use.
    pub fn has_key_file(folder: &Path) -> bool {
        folder.join(KEY_FILE).exists()
    }

    /// Creates an empty vault in memory for a read-only data folder.
    ///
    /// It does not load the folder's entries: a login that is used must be able to store its next
    /// token pair.
    pub fn read_only(reason: String) -> Result<Vault, VaultError> {
        let connection = files::open_memory()?;
        let sealer = Sealer::new(seal::random_key());
        let state = State { connection, sealer };
        Ok(Vault { state: Mutex::new(state), read_only_reason: Some(reason) })
    }

    /// Returns why this vault is not on disk, unless it is.
    pub fn read_only_reason(&self) -> Option<&str> {
        self.read_only_reason.as_deref()
    }

    /// Seals and stores `value`, replacing an earlier one.
    pub fn put(
        &self,
        key: &DataSourceKey,
        purpose: Purpose,
        name: &str,
        value: &[u8],
    ) -> Result<(), VaultError> {
        self.store(key, purpose, name, value, None)
    }

    /// Stores `value` as [`Vault::put`] does, until [`Vault::delete_expired`] deletes it.
    ///
    /// The expiry date is not sealed: values for which the age matters contain a date of their own.
    pub fn put_until(
        &self,
        key: &DataSourceKey,
        purpose: Purpose,
        name: &str,
        value: &[u8],
        expires_at: Instant,
    ) -> Result<(), VaultError> {
        self.store(key, purpose, name, value, Some(expires_at))
    }

    fn store(
        &self,
        key: &DataSourceKey,
        purpose: Purpose,
        name: &str,
        value: &[u8],
        expires_at: Option<Instant>,
    ) -> Result<(), VaultError> {
        let state = self.state();
        let datasource = key.to_string();
        let purpose = purpose.as_str();
        let address = Address { datasource: &datasource, purpose, name };
        let sealed = state.sealer.seal(&address, value)?;
        let expires_at = expires_at.map(Instant::seconds);
        state
            .connection
            .prepare_cached(
                "INSERT OR REPLACE INTO entries
                     (datasource, purpose, name, key_id, sealed, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![datasource, purpose, name, sealed.key_id, sealed.bytes, expires_at])?;
        Ok(())
    }

    /// Returns the value of an entry, if it exists.
    pub fn get(
        &self,
        key: &DataSourceKey,
        purpose: Purpose,
        name: &str,
    ) -> Result<Option<Vec<u8>>, VaultError> {
        let state = self.state();
        let datasource = key.to_string();
        let address = Address { datasource: &datasource, purpose: purpose.as_str(), name };
        let sealed = state
            .connection
            .prepare_cached(
                "SELECT key_id, sealed FROM entries
                 WHERE datasource = ?1 AND purpose = ?2 AND name = ?3",
            )?
            .query_row(params![address.datasource, address.purpose, name], read_sealed)
            .optional()?;
        sealed.map(|sealed| state.sealer.open(&address, &sealed)).transpose()
    }

    /// Deletes an entry and returns its value.
    ///
    /// This is one transaction, so only one of several concurrent callers receives the value. An
    /// entry that does not open is not deleted.
    pub fn remove(
        &self,
        key: &DataSourceKey,
        purpose: Purpose,
        name: &str,
    ) -> Result<Option<Vec<u8>>, VaultError> {
        let State { connection, sealer } = &mut *self.state();
        let datasource = key.to_string();
        let address = Address { datasource: &datasource, purpose: purpose.as_str(), name };
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let sealed = transaction
            .query_row(
                "DELETE FROM entries WHERE datasource = ?1 AND purpose = ?2 AND name = ?3
                 RETURNING key_id, sealed",
                params![address.datasource, address.purpose, name],
                read_sealed,
            )
            .optional()?;
        let value = sealed.map(|sealed| sealer.open(&address, &sealed)).transpose()?;
        transaction.commit()?;
        Ok(value)
    }

    /// Deletes an entry if it exists, without opening it.
    pub fn delete(
        &self,
        key: &DataSourceKey,
        purpose: Purpose,
        name: &str,
    ) -> Result<(), VaultError> {
        self.state().connection.execute(
            "DELETE FROM entries WHERE datasource = ?1 AND purpose = ?2 AND name = ?3",
            params![key.to_string(), purpose.as_str(), name],
        )?;
        Ok(())
    }

    /// Returns the number of entries of a data source.
    pub fn count(&self, key: &DataSourceKey) -> Result<u64, VaultError> {
        let sql = "SELECT count(*) FROM entries WHERE datasource = ?1";
        Ok(self.state().connection.query_row(sql, [key.to_string()], |row| row.get(0))?)
    }

    /// Deletes all entries of a data source, without opening them.
    pub fn delete_all(&self, key: &DataSourceKey) -> Result<(), VaultError> {
        let sql = "DELETE FROM entries WHERE datasource = ?1";
        self.state().connection.execute(sql, [key.to_string()])?;
        Ok(())
    }

    /// Returns every data source with an entry for `purpose`, including entries that do not open.
    pub fn keys(&self, purpose: Purpose) -> Result<Vec<DataSourceKey>, VaultError> {
        let state = self.state();
        let mut statement = state.connection.prepare_cached(
            "SELECT DISTINCT datasource FROM entries WHERE purpose = ?1 ORDER BY datasource",
        )?;
        let names = statement.query_map([purpose.as_str()], |row| row.get::<_, String>(0))?;
        names.map(|name| name?.parse().map_err(|_| VaultError::Tampered)).collect()
    }

    /// Returns every data source with an entry of this purpose and name, including entries that do
    /// not open.
    pub fn keys_with(
        &self,
        purpose: Purpose,
        name: &str,
    ) -> Result<Vec<DataSourceKey>, VaultError> {
        let state = self.state();
        let mut statement = state
            .connection
            .prepare_cached("SELECT datasource FROM entries WHERE purpose = ?1 AND name = ?2")?;
        let names = statement.query_map([purpose.as_str(), name], |row| row.get::<_, String>(0))?;
        names.map(|name| name?.parse().map_err(|_| VaultError::Tampered)).collect()
    }

    /// Deletes the expired entries of [`Vault::put_until`]. Returns their number.
    pub fn delete_expired(&self, now: Instant) -> Result<usize, VaultError> {
        let state = self.state();
        let sql = "DELETE FROM entries WHERE expires_at <= ?1";
        Ok(state.connection.execute(sql, [now.seconds()])?)
    }

    /// Seals every entry with `operator_key`, which becomes the present key.
    ///
    /// Entries that the present key does not open stay unchanged. Returns the number of sealed
    /// entries. An error leaves the vault and its key unchanged.
    pub fn rotate(&self, operator_key: &Secret) -> Result<usize, VaultError> {
        let mut state = self.state();
        let new = Sealer::from_operator_key(operator_key, &files::read_salt(&state.connection)?)?;
        let previous = std::mem::replace(&mut state.sealer, new);
        let outcome = state.reseal(&previous);
        if outcome.is_err() {
            state.sealer = previous;
        }
        outcome
    }

    /// Tries to open every entry.
    pub fn audit(&self) -> Result<Audit, VaultError> {
        let State { connection, sealer } = &*self.state();
        let mut entries = connection
            .prepare_cached("SELECT key_id, sealed, datasource, purpose, name FROM entries")?;
        let mut entries = entries.query([])?;
        let mut audit = Audit::default();
        while let Some(row) = entries.next()? {
            let datasource: String = row.get(2)?;
            let purpose: String = row.get(3)?;
            let name: String = row.get(4)?;
            let address = Address { datasource: &datasource, purpose: &purpose, name: &name };
            match sealer.open(&address, &read_sealed(row)?) {
                Ok(_) => audit.readable += 1,
                Err(_) => audit.unreadable += 1,
            }
        }
        Ok(audit)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    /// Seals the entries of `previous` with the present key, in one transaction. Returns their
    /// number. Entries that do not open stay unchanged.
    fn reseal(&mut self, previous: &Sealer) -> Result<usize, VaultError> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut count = 0;
        {
            let mut entries = transaction.prepare(
                "SELECT key_id, sealed, datasource, purpose, name FROM entries WHERE key_id = ?1",
            )?;
            let entries = entries.query_map([previous.key_id()], |row| {
                Ok((
                    read_sealed(row)?,
                    row.get::<_, String>(2)?,
                    row.get::<_, String>(3)?,
                    row.get::<_, String>(4)?,
                ))
            })?;
            for entry in entries.collect::<Result<Vec<_>, _>>()? {
                let (sealed, datasource, purpose, name) = &entry;
                let address = Address { datasource, purpose, name };
                let Ok(value) = previous.open(&address, sealed) else { continue };
                let resealed = self.sealer.seal(&address, &value)?;
                count += transaction.execute(
                    "UPDATE entries SET key_id = ?4, sealed = ?5
                     WHERE datasource = ?1 AND purpose = ?2 AND name = ?3",
                    params![datasource, purpose, name, resealed.key_id, resealed.bytes],
                )?;
            }
        }
        transaction.commit()?;
        Ok(count)
    }
}

/// Reads the first two columns of a row, `key_id` and `sealed`.
fn read_sealed(row: &Row<'_>) -> rusqlite::Result<Sealed> {
    Ok(Sealed { key_id: row.get(0)?, bytes: row.get(1)? })
}
