//! One connected data source: its settings, login, store, sync and queries; and the registry of all of them in this process.
//!
//! This is the product without a protocol: `api`, `plugin` and `cli` are three doors to it.

mod demo;
mod error;
mod folder_lock;
mod gaps;
mod grant;
mod key;
mod login;
mod measures;
mod notice;
mod pending;
mod person;
mod queries;
mod registry;
mod rotation;
mod settings;
pub mod specification;
mod status;
pub mod vault;

pub use crate::store::Trigger;
pub use crate::sync::Progress;
pub use error::DataSourceError;
pub(crate) use grant::SealedGrant;
pub use grant::{KeptLogin, kept_login};
pub use key::{BadUid, DataSourceKey};
pub use login::LoginStart;
pub use measures::Measures;
pub use registry::{DataSources, Environment};
pub use rotation::rotate_vault;
pub use settings::Settings;
pub use status::{CollectionStatus, ConnectionState, Status, SyncStatus};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::blocking::blocking;
use crate::catalog::Catalog;
use crate::oura::oauth::{Application, OAuth};
use crate::oura::{AccessTokens, Client, Origins, Secret, Tokens};
use crate::query::{Engine, Limits, QueryCounters};
use crate::store::{Store, StoreError};
use crate::sync::{self, Executor, Schedule, Sync};
use crate::time::Tz;
use specification::Specification;
use vault::Vault;

/// One data source. Cheap to clone; clones are the same data source.
#[derive(Clone)]
pub struct DataSource {
    inner: Arc<Inner>,
}

struct Inner {
    key: DataSourceKey,
    settings: Settings,
    client_secret: Secret,
    environment: Arc<Environment>,
    vault: Arc<Vault>,
    specification: Arc<Specification>,
    store: Store,
    engine: Engine,
    queries: QueryCounters,
    oauth: OAuth,
    tokens: Arc<Tokens>,
    client: Client,
    /// There while connected.
    sync: Mutex<Option<Arc<Sync>>>,
}

/// `POST backfill`: the `days` days that end `offset_days` before today, of these collections (empty = those of the settings).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Backfill {
    pub days: u32,
    pub offset_days: u32,
    pub resources: Vec<String>,
}

impl DataSource {
    /// Opens the store and, if there is a grant, starts the schedule. Blocks on the file system for some milliseconds.
    fn open(
        environment: Arc<Environment>,
        vault: Arc<Vault>,
        specification: Arc<Specification>,
        key: DataSourceKey,
        settings: Settings,
        client_secret: Secret,
        origins: Origins,
    ) -> Result<DataSource, DataSourceError> {
        let zone = settings.zone()?;
        let path = key.database(&environment.data_dir);
        let store = match vault.read_only_reason() {
            None => Store::open(&path, specification.catalog(), zone)?,
            Some(_) if path.exists() => Store::open_existing(&path, specification.catalog())?,
            Some(why) => return Err(DataSourceError::ReadOnly { why: why.to_owned() }),
        };
        let zone = store.zone();
        let application = Application {
            client_id: settings.client_id.clone(),
            client_secret: client_secret.clone(),
        };
        let oauth = OAuth {
            http: environment.http.clone(),
            origins: origins.clone(),
            application,
            clock: environment.clock.clone(),
        };
        let sealed = Arc::new(SealedGrant::new(Arc::clone(&vault), key.clone()));
        let tokens = Arc::new(Tokens::new(oauth.clone(), sealed, environment.clock.clone()));
        let client = Client::new(
            environment.http.clone(),
            origins,
            Arc::clone(&tokens) as Arc<dyn AccessTokens>,
            environment.clock.clone(),
        );
        let engine = Engine::new(store.clone(), zone, environment.limits);
        let (queries, sync) = (QueryCounters::default(), Mutex::new(None));
        let datasource = DataSource {
            inner: Arc::new(Inner {
                key,
                settings,
                client_secret,
                environment,
                vault,
                specification,
                store,
                engine,
                queries,
                oauth,
                tokens,
                client,
                sync,
            }),
        };
        if datasource.read_only_reason().is_some() {
            return Ok(datasource);
        }
        datasource.inner.rebuild_if_outdated()?;
        if datasource.inner.tokens.current()?.is_some() {
            datasource.inner.start_schedule(None)?;
        }
        Ok(datasource)
    }

    pub fn key(&self) -> &DataSourceKey {
        &self.inner.key
    }

    /// Why stored data can be read and nothing else, if it is so.
    pub fn read_only_reason(&self) -> Option<&str> {
        self.inner.vault.read_only_reason()
    }

    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// As it is now: a newer specification may be adopted at any time.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.inner.store.catalog()
    }

    pub fn zone(&self) -> Tz {
        self.inner.store.zone()
    }

    /// Where the health data is.
    pub fn database(&self) -> PathBuf {
        self.inner.store.path().to_owned()
    }

    /// Size of the database, its write-ahead log included, in bytes.
    pub fn database_size(&self) -> u64 {
        self.inner.store.size()
    }

    /// Whether the settings want this collection, and Oura still has it.
    fn is_fetched(&self, collection: &str) -> bool {
        sync::wants(&self.inner.settings.collections, collection)
            && self.catalog().get(collection).is_some()
    }

    pub fn limits(&self) -> Limits {
        self.inner.environment.limits
    }

    /// Starts a sync, or joins the one under way. Returns its run number, and waits for nothing.
    pub fn start_sync(&self, trigger: Trigger) -> Result<i64, DataSourceError> {
        Ok(self.inner.connected()?.request(trigger))
    }

    /// Queues a piece of history to be fetched again, and starts a sync, after the one under way if there is one. Returns the number of
    /// the run with whose end it is done.
    pub fn backfill(&self, request: &Backfill) -> Result<i64, DataSourceError> {
        let sync = self.inner.connected()?;
        let (catalog, now) = (self.catalog(), self.inner.environment.clock.now());
        let chosen = &self.inner.settings.collections;
        let (resources, is_unknown) =
            (&request.resources, |name: &&String| catalog.get(name).is_none());
        let unknown = match resources.is_empty() {
            false => resources.iter().find(is_unknown),
            // Of those in the settings some may be gone.
            true => chosen.iter().all(|name| is_unknown(&name)).then(|| chosen.first()).flatten(),
        };
        if let Some(unknown) = unknown {
            return Err(DataSourceError::UnknownCollection { name: unknown.clone() });
        }
        let resources = if resources.is_empty() { chosen } else { resources };
        if request.days == 0 {
            return Err(DataSourceError::NoDays);
        }
        let to = now.day(self.zone()).plus(-i64::from(request.offset_days));
        let windows = sync::backfill(&catalog, to.plus(1 - i64::from(request.days)), to, resources);
        if windows.is_empty() {
            return Err(DataSourceError::BeforeAnyRing);
        }
        self.inner.store.writer().enqueue(&windows, now)?;
        Ok(sync.request(Trigger::Backfill))
    }

    /// Follows the sync under way, or the last one of this process.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        match self.inner.sync.lock().as_ref() {
            Some(sync) => sync.progress(),
            None => {
                watch::Sender::new(Progress { finished: true, ..Progress::default() }).subscribe()
            }
        }
    }

    /// Writes a consistent copy of the database to `to`, which must not exist.
    pub async fn export_sqlite(&self, to: PathBuf) -> Result<(), DataSourceError> {
        let store = self.inner.store.clone();
        blocking(move || store.copy_to(&to)).await?;
        Ok(())
    }

    /// Disconnects and deletes the health data for good.
    pub async fn delete_data(&self) -> Result<(), DataSourceError> {
        self.inner.writable()?;
        self.disconnect().await?;
        let store = self.inner.store.clone();
        blocking(move || store.writer().delete_all()).await?;
        self.forget_person()?;
        Ok(())
    }

    /// Works with another catalogue from now on. Queries see the old tables until the new ones are whole.
    async fn adopt(&self, catalog: Arc<Catalog>) -> Result<(), DataSourceError> {
        let store = self.inner.store.clone();
        match blocking(move || store.writer().set_catalog(catalog)).await {
            // Whoever opens it next finds the catalogue in force.
            Ok(()) | Err(StoreError::RebuildsStopped) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether Oura itself is asked for this data source's data.
    fn is_connected(&self) -> bool {
        !self.inner.settings.demo && self.inner.sync.lock().is_some()
    }

    /// Has today in the view of what is missing, where nobody is logged in and so no run brings it.
    async fn reach_today(&self) {
        let (store, now) = (self.inner.store.clone(), self.inner.environment.clock.now());
        if let Err(error) = blocking(move || store.extend_calendar(now)).await {
            tracing::warn!(datasource = %self.inner.key, %error, "the days that have passed could not be written down");
        }
    }

    /// Ends the schedule and the deriving of tables; waits for the windows under way and for a token refresh.
    async fn close(&self) {
        // Whoever opens the file next derives its tables anew, most likely otherwise.
        self.inner.store.writer().stop_rebuilds();
        let sync = self.inner.sync.lock().take();
        if let Some(sync) = sync {
            sync.stop().await;
        }
        self.inner.tokens.settle().await;
        // Who opens the same file next must not meet its writer.
        let store = self.inner.store.clone();
        blocking(move || store.writer().wait()).await;
    }
}

impl Inner {
    /// Before anything that changes something.
    fn writable(&self) -> Result<(), DataSourceError> {
        self.vault
            .read_only_reason()
            .map_or(Ok(()), |why| Err(DataSourceError::ReadOnly { why: why.to_owned() }))
    }

    fn connected(&self) -> Result<Arc<Sync>, DataSourceError> {
        self.writable()?;
        self.sync.lock().clone().ok_or(DataSourceError::NotConnected)
    }

    /// Starts the schedule unless it goes on already, and a sync if there is a reason for one at once.
    fn start_schedule(&self, at_once: Option<Trigger>) -> Result<(), DataSourceError> {
        let executor = Executor {
            store: self.store.clone(),
            client: self.client.clone(),
            clock: self.environment.clock.clone(),
            history_start: self.settings.history_start,
            collections: self.settings.collections.clone(),
        };
        let schedule = match self.environment.scheduled {
            true => Schedule::Every(Duration::from_secs(
                60 * u64::from(self.settings.sync_interval_minutes()),
            )),
            false => Schedule::OnRequest,
        };
        let mut sync = self.sync.lock();
        match (&*sync, at_once) {
            (Some(sync), Some(trigger)) => _ = sync.request(trigger),
            (Some(_), None) => {}
            (None, _) => *sync = Some(Arc::new(Sync::start(executor, schedule, at_once)?)),
        }
        Ok(())
    }

    /// Derives tables anew in the background when the catalogue or the zone has changed; queries see the old ones until it is done.
    fn rebuild_if_outdated(&self) -> Result<(), DataSourceError> {
        if self.store.is_outdated()? {
            let (store, key) = (self.store.clone(), self.key.clone());
            tokio::task::spawn_blocking(move || {
                tracing::info!(datasource = %key, "tables are derived anew");
                match store.writer().rebuild() {
                    Ok(()) | Err(StoreError::RebuildsStopped) => {}
                    Err(error) => {
                        tracing::error!(datasource = %key, %error, "tables could not be derived anew")
                    }
                }
            });
        }
        Ok(())
    }
}
