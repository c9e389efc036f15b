//! One connected data source: its settings, login, store, sync and queries; and the registry of all of them in this process.
//!
//! This is the product without a protocol: `api`, `plugin` and `cli` are three doors to it.

mod key;
pub mod vault;

pub use key::DatasourceKey;

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::catalog::Catalog;
use crate::oura::{Origins, Secret};
use crate::query::{Answer, Limits, QueryContext, QueryError, SqlQuery};
use crate::time::{Clock, Day, Instant};

/// What every account in this process shares.
#[derive(Clone)]
pub struct Environment {
    pub data_dir: PathBuf,
    pub origins: Origins,
    pub http: reqwest::Client,
    pub catalog: Arc<Catalog>,
    pub clock: Clock,
    pub limits: Limits,
    /// The operator's key for the vault; without one a key file is kept beside it.
    pub encryption_key: Option<Secret>,
}

/// `jsonData` of a data source; everything has a default. Unknown fields are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    pub client_id: String,
    /// Separated by spaces; empty asks for all.
    pub scopes: String,
    /// IANA name; empty is UTC.
    pub timezone: String,
    /// 0 = the default, 30.
    pub sync_interval_minutes: u32,
    /// Without one: until two empty years.
    pub history_start: Option<Day>,
    /// A synthetic person instead of a login.
    pub demo: bool,
    /// Names of collections to sync; empty = all.
    pub collections: Vec<String>,
}

/// Every account of this process. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    _environment: Arc<Environment>,
}

/// One data source. Cheap to clone.
#[derive(Clone)]
pub struct Account {
    _key: DatasourceKey,
}

impl Accounts {
    /// Takes the lock on the data folder and opens the vault.
    pub fn open(environment: Environment) -> Result<Accounts, AccountError> {
        let _ = environment;
        todo!()
    }

    /// Opens every account that was connected when the process last ended, so that its schedule goes on. Returns how many.
    pub async fn resume(&self) -> usize {
        todo!()
    }

    /// The account of `key`, opened or adapted to changed settings.
    pub async fn account(&self, key: &DatasourceKey, settings: &Settings, client_secret: &Secret) -> Result<Account, AccountError> {
        let _ = (key, settings, client_secret);
        todo!()
    }

    /// All that are open.
    pub fn all(&self) -> Vec<Account> {
        todo!()
    }

    /// Ends schedules and syncs, waits for the write under way.
    pub async fn shutdown(&self) {
        todo!()
    }
}

/// `GET status`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub state: ConnectionState,
    /// Why the state is what it is, when there is more to say.
    pub reason: Option<String>,
    pub scopes: Vec<String>,
    pub sync: SyncStatus,
    /// `1.43`.
    pub specification: String,
    pub collections: Vec<CollectionStatus>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// No client id or secret yet.
    NotConfigured,
    /// Never connected, or disconnected.
    NotConnected,
    Connected,
    ReconnectNeeded,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncStatus {
    pub running: bool,
    /// 0 to 100, of the run under way or the last one.
    pub percent: f64,
    pub run: Option<i64>,
    pub documents: u64,
    pub last_sync: Option<Instant>,
    pub next_sync: Option<Instant>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectionStatus {
    pub name: String,
    pub documents: u64,
    pub first_day: Option<Day>,
    pub last_day: Option<Day>,
    pub last_sync: Option<Instant>,
    /// `ok`, `waiting`, `scope_missing`, `forbidden`, `not_available`, `app_too_old`, `error`.
    pub state: String,
    pub reason: Option<String>,
}

/// `POST oauth/start`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginStart {
    pub authorize_url: String,
    pub expires_at: Instant,
}

/// `POST backfill`: the `days` days that end `offset_days` before today, of these collections (empty = all).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Backfill {
    pub days: u32,
    pub offset_days: u32,
    pub resources: Vec<String>,
}

/// How far a sync has come; `watch` it on a terminal.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Progress {
    pub run: i64,
    pub windows: u64,
    pub windows_done: u64,
    pub documents: u64,
    pub requests: u64,
    pub finished: bool,
    /// Why it ended early, in words for a person.
    pub failure: Option<String>,
}

impl Account {
    pub fn key(&self) -> &DatasourceKey {
        &self._key
    }

    pub fn status(&self) -> Result<Status, AccountError> {
        todo!()
    }

    pub async fn query(&self, query: &SqlQuery, context: &QueryContext) -> Result<Answer, QueryError> {
        let _ = (query, context);
        todo!()
    }

    pub fn catalog(&self) -> Arc<Catalog> {
        todo!()
    }

    /// Begins a login for `user`, who must be the one to finish it.
    pub fn start_login(&self, redirect: &str, user: &str) -> Result<LoginStart, AccountError> {
        let _ = (redirect, user);
        todo!()
    }

    /// Finishes the login that `state` belongs to, and starts the first sync.
    pub async fn finish_login(&self, code: &Secret, state: &Secret, user: &str) -> Result<(), AccountError> {
        let _ = (code, state, user);
        todo!()
    }

    /// Revokes and forgets the tokens; keeps the data.
    pub async fn disconnect(&self) -> Result<(), AccountError> {
        todo!()
    }

    /// Starts a sync, or joins the one under way. Returns its run number.
    pub fn start_sync(&self) -> Result<i64, AccountError> {
        todo!()
    }

    /// Queues a piece of history to be fetched again, and starts a sync.
    pub fn backfill(&self, request: &Backfill) -> Result<i64, AccountError> {
        let _ = request;
        todo!()
    }

    pub fn progress(&self) -> tokio::sync::watch::Receiver<Progress> {
        todo!()
    }

    /// A consistent copy of the database, written beside `to` and renamed when whole.
    pub async fn export_sqlite(&self, to: PathBuf) -> Result<(), AccountError> {
        let _ = to;
        todo!()
    }

    /// Disconnects and deletes the health data.
    pub async fn delete_data(&self) -> Result<(), AccountError> {
        todo!()
    }
}

/// `Display` says what happened and what to do.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("placeholder")]
    Placeholder,
}

impl AccountError {
    /// A stable word for programs: `state_expired`, `wrong_client`, `data_dir_locked`, …
    pub fn code(&self) -> &'static str {
        todo!()
    }

    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        todo!()
    }

    /// The HTTP status that fits.
    pub fn status(&self) -> u16 {
        todo!()
    }
}
