//! Sealed secrets and state that must outlive a restart: `vault.db`, beside the health data, reachable by no query.
//!
//! Every value is sealed with XChaCha20-Poly1305 and bound to its place (layout version, data source, purpose, name): a row that is
//! changed, or moved to another data source, does not open. Names are in clear and must be no secrets of lasting worth. Calls block for
//! as long as the disk takes; a write is durable when it returns.

mod files;
mod seal;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, TransactionBehavior, params};

use self::seal::{Place, Sealed, Sealer};
use super::DataSourceKey;
use crate::oura::{RedirectUri, Secret};
use crate::time::Instant;

const DATABASE: &str = "vault.db";
const KEY_FILE: &str = "vault.key";

/// What an entry is for; part of what the seal is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The token pair.
    Grant,
    /// Settings and client secret, so that a schedule can go on after a restart.
    DataSource,
    /// A login under way, named by its state.
    Login,
}

impl Purpose {
    fn word(self) -> &'static str {
        match self {
            Purpose::Grant => "grant",
            // The stored name of version 0.1.0.
            Purpose::DataSource => "account",
            Purpose::Login => "login",
        }
    }
}

/// One file for all data sources of a data folder.
pub struct Vault {
    state: Mutex<State>,
    unwritable: Option<String>,
}

struct State {
    connection: Connection,
    sealer: Sealer,
}

/// A login under way, as kept between `oauth/start` and `oauth/callback`.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct PendingLogin {
    pub user: String,
    pub redirect: RedirectUri,
    pub pkce_verifier: Secret,
    pub expires_at: Instant,
}

/// How many entries open, and how many do not: sealed with another key, or changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    pub readable: usize,
    pub unreadable: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The folder or a file in it may not be written, or not be read.
    #[error(
        "{path} cannot be written ({detail}); let the user that runs this program own it, or name another data folder"
    )]
    NotWritable { path: PathBuf, detail: String },
    #[error("no space is left for {path}; free some, nothing is lost")]
    DiskFull { path: PathBuf },
    #[error(
        "{path} is not a vault, or it is damaged; move it away, and connect each data source again"
    )]
    NotAVault { path: PathBuf },
    #[error(
        "{path} is of a newer version of this program ({found}, this one knows {known}); install that version again"
    )]
    NewerVersion { path: PathBuf, found: i32, known: i32 },
    /// `vault.key` has not the length of a key.
    #[error(
        "{path} is no key; restore it from a backup, or move it away and connect each data source again"
    )]
    NotAKey { path: PathBuf },
    /// Treat the entry as not there: it can be replaced.
    #[error(
        "this entry was sealed with another key; set the former encryption key again, or connect again"
    )]
    WrongKey,
    /// The key is right, but the entry was changed, or belongs to another place.
    #[error("an entry of the vault was changed from outside; connect again")]
    Tampered,
    #[error("the vault fails: {detail}")]
    Storage { detail: String },
}

impl Vault {
    /// Opens or creates `vault.db` and, without `operator_key`, `vault.key` (0600) in `folder`, which is created with 0700.
    ///
    /// Entries sealed with `vault.key` are sealed again once an operator's key is given, and the key file is removed: introducing a key
    /// disconnects nobody.
    pub fn open(folder: &Path, operator_key: Option<&Secret>) -> Result<Vault, VaultError> {
        files::create_folder(folder)?;
        let connection = files::open_database(&folder.join(DATABASE))?;
        let key_path = folder.join(KEY_FILE);
        let file_key = files::read_key(&key_path)?;
        let sealer = match (operator_key, file_key) {
            (Some(text), _) => Sealer::of_operator(text),
            (None, Some(key)) => Sealer::new(key),
            (None, None) => Sealer::new(files::create_key(&key_path)?),
        };
        let mut state = State { connection, sealer };
        if let (Some(_), Some(key)) = (operator_key, file_key) {
            state.reseal(&Sealer::new(key))?;
            fs::remove_file(&key_path).map_err(|error| VaultError::of_file(&key_path, &error))?;
        }
        Ok(Vault { state: Mutex::new(state), unwritable: None })
    }

    pub fn exists(folder: &Path) -> bool {
        folder.join(DATABASE).exists()
    }

    /// Whether its key lies beside it, and is not the operator's.
    pub fn has_key_file(folder: &Path) -> bool {
        folder.join(KEY_FILE).exists()
    }

    /// An empty vault in memory, for a folder that cannot be written, and `why` not. What is sealed in the folder stays sealed: a login that
    /// is used must be able to change.
    pub fn forgetful(why: String) -> Result<Vault, VaultError> {
        let (connection, sealer) = (files::open_memory()?, Sealer::new(seal::random_key()));
        Ok(Vault { state: Mutex::new(State { connection, sealer }), unwritable: Some(why) })
    }

    /// Why this vault keeps nothing, if it does not.
    pub fn read_only_reason(&self) -> Option<&str> {
        self.unwritable.as_deref()
    }

    /// Seals and stores `value`; durable when it returns.
    pub fn put(
        &self,
        key: &DataSourceKey,
        purpose: Purpose,
        name: &str,
        value: &[u8],
    ) -> Result<(), VaultError> {
        self.store(key, purpose, name, value, None)
    }

    /// As `put`, for an entry that `sweep` removes after `expires_at`. That date is not sealed: who reads the entry checks one in it.
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
        let place = Place { datasource: &key.to_string(), purpose: purpose.word(), name };
        let sealed = state.sealer.seal(&place, value)?;
        state
            .connection
            .prepare_cached(
                "INSERT OR REPLACE INTO entries (datasource, purpose, name, key_id, sealed, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![place.datasource, place.purpose, name, sealed.key_id, sealed.bytes, expires_at.map(Instant::seconds)])?;
        Ok(())
    }

    pub fn get(
        &self,
        key: &DataSourceKey,
        purpose: Purpose,
        name: &str,
    ) -> Result<Option<Vec<u8>>, VaultError> {
        let state = self.state();
        let place = Place { datasource: &key.to_string(), purpose: purpose.word(), name };
        let sealed = state
            .connection
            .prepare_cached("SELECT key_id, sealed FROM entries WHERE datasource = ?1 AND purpose = ?2 AND name = ?3")?
            .query_row(params![place.datasource, place.purpose, name], sealed)
            .optional()?;
        sealed.map(|sealed| state.sealer.open(&place, &sealed)).transpose()
    }

    /// Reads and deletes in one transaction: of two takers, one gets it. An entry that does not open stays.
    pub fn take(
        &self,
        key: &DataSourceKey,
        purpose: Purpose,
        name: &str,
    ) -> Result<Option<Vec<u8>>, VaultError> {
        let State { connection, sealer } = &mut *self.state();
        let place = Place { datasource: &key.to_string(), purpose: purpose.word(), name };
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let sealed = transaction
            .query_row(
                "DELETE FROM entries WHERE datasource = ?1 AND purpose = ?2 AND name = ?3 RETURNING key_id, sealed",
                params![place.datasource, place.purpose, name],
                sealed,
            )
            .optional()?;
        let value = sealed.map(|sealed| sealer.open(&place, &sealed)).transpose()?;
        transaction.commit()?;
        Ok(value)
    }

    pub fn delete(
        &self,
        key: &DataSourceKey,
        purpose: Purpose,
        name: &str,
    ) -> Result<(), VaultError> {
        self.state().connection.execute(
            "DELETE FROM entries WHERE datasource = ?1 AND purpose = ?2 AND name = ?3",
            params![key.to_string(), purpose.word(), name],
        )?;
        Ok(())
    }

    /// Every data source with an entry for `purpose`, readable or not.
    pub fn keys(&self, purpose: Purpose) -> Result<Vec<DataSourceKey>, VaultError> {
        let state = self.state();
        let mut statement = state.connection.prepare_cached(
            "SELECT DISTINCT datasource FROM entries WHERE purpose = ?1 ORDER BY datasource",
        )?;
        let names = statement.query_map([purpose.word()], |row| row.get::<_, String>(0))?;
        names.map(|name| name?.parse().map_err(|_| VaultError::Tampered)).collect()
    }

    /// Every data source with an entry of this name, readable or not.
    pub fn holders(&self, purpose: Purpose, name: &str) -> Result<Vec<DataSourceKey>, VaultError> {
        let state = self.state();
        let mut statement = state
            .connection
            .prepare_cached("SELECT datasource FROM entries WHERE purpose = ?1 AND name = ?2")?;
        let holders = statement.query_map([purpose.word(), name], |row| row.get::<_, String>(0))?;
        holders.map(|holder| holder?.parse().map_err(|_| VaultError::Tampered)).collect()
    }

    /// Removes the entries of `put_until` that have expired. Returns how many.
    pub fn sweep(&self, now: Instant) -> Result<usize, VaultError> {
        Ok(self
            .state()
            .connection
            .execute("DELETE FROM entries WHERE expires_at <= ?1", [now.seconds()])?)
    }

    /// Seals every entry with the key of `operator_key` from now on. Entries that the present key does not open stay as they are.
    /// Returns how many were sealed again; after an error everything is as before.
    pub fn rotate(&self, operator_key: &Secret) -> Result<usize, VaultError> {
        let mut state = self.state();
        let former = std::mem::replace(&mut state.sealer, Sealer::of_operator(operator_key));
        let outcome = state.reseal(&former);
        if outcome.is_err() {
            state.sealer = former;
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
            let (datasource, purpose, name): (String, String, String) =
                (row.get(2)?, row.get(3)?, row.get(4)?);
            match sealer.open(
                &Place { datasource: &datasource, purpose: &purpose, name: &name },
                &sealed(row)?,
            ) {
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
    /// Seals the entries of `former` with the present key, all in one transaction; those that do not open stay. Returns how many.
    fn reseal(&mut self, former: &Sealer) -> Result<usize, VaultError> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut count = 0;
        {
            let mut entries = transaction.prepare(
                "SELECT key_id, sealed, datasource, purpose, name FROM entries WHERE key_id = ?1",
            )?;
            let entries = entries.query_map([former.key_id()], |row| {
                Ok((
                    sealed(row)?,
                    row.get::<_, String>(2)?,
                    row.get::<_, String>(3)?,
                    row.get::<_, String>(4)?,
                ))
            })?;
            for entry in entries.collect::<Result<Vec<_>, _>>()? {
                let (sealed, datasource, purpose, name) = &entry;
                let place = Place { datasource, purpose, name };
                let Ok(value) = former.open(&place, sealed) else { continue };
                let resealed = self.sealer.seal(&place, &value)?;
                count += transaction.execute(
                    "UPDATE entries SET key_id = ?4, sealed = ?5 WHERE datasource = ?1 AND purpose = ?2 AND name = ?3",
                    params![datasource, purpose, name, resealed.key_id, resealed.bytes],
                )?;
            }
        }
        transaction.commit()?;
        Ok(count)
    }
}

/// The first two columns of a row, `key_id` and `sealed`.
fn sealed(row: &Row<'_>) -> rusqlite::Result<Sealed> {
    Ok(Sealed { key_id: row.get(0)?, bytes: row.get(1)? })
}

impl VaultError {
    fn of_file(path: &Path, error: &io::Error) -> VaultError {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                VaultError::DiskFull { path: path.to_owned() }
            }
            _ => VaultError::NotWritable { path: path.to_owned(), detail: error.to_string() },
        }
    }

    /// The same error, with the whole path of the file.
    fn at(mut self, whole: &Path) -> VaultError {
        if let VaultError::NotWritable { path, .. }
        | VaultError::DiskFull { path }
        | VaultError::NotAVault { path } = &mut self
        {
            *path = whole.to_owned();
        }
        self
    }
}

impl From<rusqlite::Error> for VaultError {
    fn from(error: rusqlite::Error) -> VaultError {
        let (path, detail) = (PathBuf::from(DATABASE), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => VaultError::DiskFull { path },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                VaultError::NotWritable { path, detail }
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                VaultError::NotAVault { path }
            }
            _ => VaultError::Storage { detail },
        }
    }
}
