//! The registry of data sources: opens each once, reopens it when its settings change, and resumes
//! all of them after a restart.

mod forget;
mod places;

pub use self::forget::Forgotten;
use self::forget::Use;

use std::collections::HashMap;
use std::iter;
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, JoinSet};

use super::data_source::{Configuration, DataSource};
use super::demo::{self, Demo};
use super::environment::Environment;
use super::error::DataSourceError;
use super::folder_lock::FolderLock;
use super::key::DataSourceKey;
use super::records::Records;
use super::settings::Settings;
use super::specification::{CheckError, Specification};
use super::vault::{Purpose, Vault, VaultError, check_key_length};
use crate::blocking::blocking;
use crate::oura::Secret;
use crate::store::{self, find_damage};
use crate::time::Instant;

/// The name of [`StoredSettings`] in the vault.
const SETTINGS: &str = "settings";
/// The time to wait for a data source that another request is comparing with its settings. One that
/// is opening or closing takes longer.
const READY_TIMEOUT: Duration = Duration::from_millis(100);
/// The time between two rounds of maintenance.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(60);
/// The time to wait for queries that read a file that a repair sets aside.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(60);
/// The pause between two looks at these queries.
const RELEASE_POLL_INTERVAL: Duration = Duration::from_millis(20);
/// The number of data sources that close their files at the same time.
const CLOSING_THREADS: usize = 4;
/// The pause after a failed check for a newer specification.
const CHECK_RETRY_DELAY: Duration = Duration::from_secs(3600);

/// The data sources of this process. Cheap to clone; clones share their state.
#[derive(Clone)]
pub struct DataSources {
    shared: Arc<Shared>,
}

struct Shared {
    environment: Arc<Environment>,
    vault: Arc<Vault>,
    records: Arc<Records>,
    specification: Arc<Specification>,
    _lock: Option<FolderLock>,
    /// One lock for each data source, so that a slow one does not delay the others.
    slots: parking_lot::Mutex<HashMap<DataSourceKey, Arc<AsyncMutex<Slot>>>>,
    /// One permit for each data source that may be open.
    places: Arc<Semaphore>,
    /// The last uses of data sources.
    used: parking_lot::Mutex<HashMap<DataSourceKey, Use>>,
    /// The closed data sources with a login, and when their next sync is due.
    dormant: parking_lot::Mutex<HashMap<DataSourceKey, Instant>>,
    demo: Demo,
    tasks: parking_lot::Mutex<Vec<JoinHandle<()>>>,
}

/// `None` until the data source is opened, and after it is closed.
type Slot = Option<OpenDataSource>;

struct OpenDataSource {
    datasource: DataSource,
    /// The settings of the request that opened it. A demo runs with other ones.
    requested: StoredSettings,
    /// `None` if all places were taken by data sources in use.
    place: Option<OwnedSemaphorePermit>,
}

/// The settings of a data source in the vault, with which its schedule resumes after a restart.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct StoredSettings {
    settings: Settings,
    client_secret: Secret,
}

impl DataSources {
    /// Locks the data folder and opens its vault. Blocks for up to three seconds.
    pub fn open(environment: Environment) -> Result<DataSources, DataSourceError> {
        if let Some(key) = &environment.encryption_key {
            check_key_length(key)?;
        }
        let lock = FolderLock::acquire(&environment.data_dir)?;
        let vault = Vault::open(&environment.data_dir, environment.encryption_key.as_ref())?;
        Ok(DataSources::with_vault(environment, vault, Some(lock)))
    }

    /// Opens the data folder as [`DataSources::open`] does, or read-only if it cannot be written.
    ///
    /// [`DataSources::read_only_reason`] returns whether it is read-only, and why.
    pub fn open_or_read_only(environment: Environment) -> Result<DataSources, DataSourceError> {
        let folder = environment.data_dir.clone();
        let error = match DataSources::open(environment.clone()) {
            Err(error) if folder.is_dir() => error,
            outcome => return outcome,
        };
        let (DataSourceError::Folder { detail, .. }
        | DataSourceError::Vault(VaultError::NotWritable { detail, .. })) = &error
        else {
            return Err(error);
        };
        let reason = format!(
            "Syncing is off, because the data folder {} cannot be written ({detail}). \
             Existing data can be queried",
            folder.display()
        );
        Ok(DataSources::with_vault(environment, Vault::read_only(reason)?, None))
    }

    /// Returns whether the metrics contain families of each data source.
    pub fn has_metrics_per_datasource(&self) -> bool {
        self.shared.environment.metrics_per_datasource
    }

    /// Returns why the data folder is read-only, if it is.
    pub fn read_only_reason(&self) -> Option<&str> {
        self.shared.vault.read_only_reason()
    }

    fn with_vault(
        environment: Environment,
        vault: Vault,
        folder_lock: Option<FolderLock>,
    ) -> DataSources {
        let bundled = Arc::clone(&environment.catalog);
        let specification = Specification::open(&environment.data_dir, bundled);
        let needs_maintenance = environment.scheduled && vault.read_only_reason().is_none();
        let vault = Arc::new(vault);
        let shared = Arc::new(Shared {
            demo: Demo::new(environment.clock.clone()),
            places: Arc::new(Semaphore::new(places::place_count(environment.max_open))),
            used: parking_lot::Mutex::default(),
            dormant: parking_lot::Mutex::default(),
            environment: Arc::new(environment),
            records: Arc::new(Records::new(Arc::clone(&vault))),
            vault,
            specification: Arc::new(specification),
            _lock: folder_lock,
            slots: parking_lot::Mutex::default(),
            tasks: parking_lot::Mutex::default(),
        });
        if needs_maintenance {
            *shared.tasks.lock() = vec![
                tokio::spawn(run_maintenance(Arc::downgrade(&shared))),
                tokio::spawn(places::open_due_data_sources(Arc::downgrade(&shared))),
            ];
        }
        DataSources { shared }
    }

    /// Opens every data source with stored settings, so that its schedule continues, except those
    /// without a request for long. Logs the ones that fail. Returns the number of opened ones.
    pub async fn resume(&self) -> Result<usize, DataSourceError> {
        let mut opened = 0;
        for key in self.shared.vault.keys(Purpose::DataSource)? {
            if self.is_forgotten(&key) {
                forget::log_forgotten(&key);
                continue;
            }
            let place = self.place(Duration::MAX).await;
            match self.resume_one(&key, place).await {
                Ok(true) => opened += 1,
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(datasource = %key, %error, "could not resume a data source")
                }
            }
        }
        Ok(opened)
    }

    /// Returns `false` without readable settings. The next request from Grafana contains them.
    async fn resume_one(
        &self,
        key: &DataSourceKey,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<bool, DataSourceError> {
        let slot = self.slot(key).lock_owned().await;
        let Some((settings, client_secret)) = self.stored_settings(key)? else {
            return Ok(false);
        };
        if slot.is_none() {
            let requested = StoredSettings { settings, client_secret };
            self.open_slot(key, slot, requested, place).await?;
        }
        Ok(true)
    }

    /// Returns the settings and client secret of the last request for `key`. `None` if the vault
    /// does not contain them, or its key does not open them.
    pub fn stored_settings(
        &self,
        key: &DataSourceKey,
    ) -> Result<Option<(Settings, Secret)>, DataSourceError> {
        let plain = match self.shared.vault.get(key, Purpose::DataSource, SETTINGS) {
            Err(VaultError::WrongKey | VaultError::Tampered) => return Ok(None),
            outcome => outcome?,
        };
        let stored = plain.and_then(|plain| serde_json::from_slice::<StoredSettings>(&plain).ok());
        Ok(stored.map(|stored| (stored.settings, stored.client_secret)))
    }

    /// Returns the data source of `key`. Opens it if necessary, and reopens it if its settings have
    /// changed. Opening continues even if the caller goes away.
    pub async fn datasource(
        &self,
        key: &DataSourceKey,
        settings: &Settings,
        client_secret: &Secret,
    ) -> Result<DataSource, DataSourceError> {
        let requested =
            StoredSettings { settings: settings.clone(), client_secret: client_secret.clone() };
        self.record_naming(key).await;
        let slot = self.slot(key).lock_owned().await;
        if let Some(open) = slot.as_ref().filter(|open| open.requested == requested) {
            return Ok(open.datasource.clone());
        }
        self.open_slot(key, slot, requested, None).await
    }

    /// Opens a data source in its slot, in place of one with other settings. Takes a place if none
    /// is given.
    async fn open_slot(
        &self,
        key: &DataSourceKey,
        mut slot: OwnedMutexGuard<Slot>,
        requested: StoredSettings,
        mut place: Option<OwnedSemaphorePermit>,
    ) -> Result<DataSource, DataSourceError> {
        let datasources = self.clone();
        let key = key.clone();
        let opening = tokio::spawn(async move {
            if let Some(outdated) = slot.take() {
                outdated.datasource.close().await;
                place = outdated.place;
            }
            if place.is_none() {
                place = datasources.place_for_request().await;
            }
            let datasource = datasources.open_datasource(&key, &requested).await?;
            datasources.shared.dormant.lock().remove(&key);
            *slot = Some(OpenDataSource { datasource: datasource.clone(), requested, place });
            Ok(datasource)
        });
        match opening.await {
            Ok(opened) => opened,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }

    async fn open_datasource(
        &self,
        key: &DataSourceKey,
        requested: &StoredSettings,
    ) -> Result<DataSource, DataSourceError> {
        self.store_settings(key, requested)?;
        let environment = Arc::clone(&self.shared.environment);
        let vault = Arc::clone(&self.shared.vault);
        let specification = Arc::clone(&self.shared.specification);
        let records = Arc::clone(&self.shared.records);
        let uses_simulator = requested.settings.demo && self.read_only_reason().is_none();
        let configuration = if uses_simulator {
            let application = self.shared.demo.application(&requested.settings).await?;
            Configuration {
                key: key.clone(),
                settings: application.settings,
                client_secret: application.client_secret,
                origins: application.origins,
            }
        } else {
            Configuration {
                key: key.clone(),
                settings: requested.settings.clone(),
                client_secret: requested.client_secret.clone(),
                origins: environment.origins.clone(),
            }
        };
        let http = environment.http.clone();
        let datasource = blocking(move || {
            DataSource::open(&environment, vault, specification, records, configuration)
        })
        .await?;
        if uses_simulator {
            demo::log_in(&datasource, &http).await?;
        }
        Ok(datasource)
    }

    fn store_settings(
        &self,
        key: &DataSourceKey,
        requested: &StoredSettings,
    ) -> Result<(), DataSourceError> {
        let plain = serde_json::to_vec(requested).expect("settings are plain data");
        let vault = &self.shared.vault;
        // An entry that does not open is replaced.
        let stored = vault.get(key, Purpose::DataSource, SETTINGS).unwrap_or_default();
        if stored.is_none_or(|stored| stored != plain) {
            vault.put(key, Purpose::DataSource, SETTINGS, &plain)?;
        }
        Ok(())
    }

    /// Sets the damaged database of `key` aside, and closes the data source: the next request opens
    /// a new database and fetches everything again. The login is kept. Returns the new path of the
    /// old file.
    ///
    /// Fails with [`DataSourceError::NotDamaged`] if every page is intact, unless `force` is set.
    pub async fn repair(
        &self,
        key: &DataSourceKey,
        force: bool,
    ) -> Result<PathBuf, DataSourceError> {
        if let Some(reason) = self.read_only_reason() {
            return Err(DataSourceError::ReadOnly { reason: reason.to_owned() });
        }
        let slot = self.slot(key).lock_owned().await;
        let repairing = tokio::spawn(self.clone().repair_locked(slot, key.clone(), force));
        match repairing.await {
            Ok(outcome) => outcome,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }

    async fn repair_locked(
        self,
        mut slot: OwnedMutexGuard<Slot>,
        key: DataSourceKey,
        force: bool,
    ) -> Result<PathBuf, DataSourceError> {
        let Environment { data_dir, clock, .. } = &*self.shared.environment;
        let path = key.database(data_dir);
        if !force {
            let checked = path.clone();
            let damage = blocking(move || find_damage(&checked)).await;
            if let Ok(None) = damage {
                self.shared.records.update(&key, |record| record.damage = None);
                if let Some(open) = slot.as_ref() {
                    open.datasource.check_database().await;
                }
                return Err(DataSourceError::NotDamaged);
            }
        }
        if let Some(open) = slot.take() {
            close_completely(open.datasource).await?;
        }
        let now = clock.now();
        let aside = blocking(move || {
            store::set_aside(&path, now).map_err(|error| DataSourceError::Folder {
                folder: path,
                detail: error.to_string(),
            })
        })
        .await?;
        self.shared.records.update(&key, |record| {
            record.damage = None;
            record.checked_at = Some(now);
        });
        tracing::warn!(
            datasource = %key,
            aside = %aside.display(),
            "the damaged database was set aside, and everything will be fetched again"
        );
        Ok(aside)
    }

    fn slot(&self, key: &DataSourceKey) -> Arc<AsyncMutex<Slot>> {
        Arc::clone(self.shared.slots.lock().entry(key.clone()).or_default())
    }

    /// Returns the open data sources by key. Waits for those that are opening.
    pub async fn all(&self) -> Vec<DataSource> {
        self.open_within(Duration::MAX).await
    }

    /// Returns the open data sources by key, without those that are opening or closing.
    pub async fn ready(&self) -> Vec<DataSource> {
        self.open_within(READY_TIMEOUT).await
    }

    async fn open_within(&self, timeout: Duration) -> Vec<DataSource> {
        let slots: Vec<_> = self.shared.slots.lock().values().cloned().collect();
        let mut datasources = Vec::new();
        for slot in slots {
            let Ok(slot) = tokio::time::timeout(timeout, slot.lock()).await else { continue };
            datasources.extend(slot.as_ref().map(|open| open.datasource.clone()));
        }
        datasources.sort_by(|a, b| a.key().cmp(b.key()));
        datasources
    }

    /// Requests a newer specification from Oura, and switches every data source to it. Returns
    /// whether there is one.
    pub async fn check_specification(&self) -> Result<bool, CheckError> {
        let Environment { http, origins, clock, .. } = &*self.shared.environment;
        let Some(catalog) = self.shared.specification.check(http, origins, clock).await? else {
            return Ok(false);
        };
        tracing::info!(version = catalog.version, "using a newer specification of Oura's API");
        // Twice, because a data source that was opening may have started with the older one.
        for _ in 0..2 {
            for datasource in self.all().await {
                if Arc::ptr_eq(&datasource.catalog(), &catalog) {
                    continue;
                }
                if let Err(error) = datasource.set_catalog(Arc::clone(&catalog)).await {
                    tracing::error!(
                        datasource = %datasource.key(),
                        %error,
                        "could not switch tables to the newer specification"
                    );
                }
            }
        }
        Ok(true)
    }

    /// Closes all data sources: stops their schedules, waits for the windows and the renewals in
    /// progress, and then closes the files.
    ///
    /// The caller may give up at any point. A renewed token is in the vault before the first file
    /// closes, and a file that stays open keeps its write-ahead log for the next start.
    pub async fn shutdown(&self) {
        for task in self.shared.tasks.lock().drain(..) {
            task.abort();
        }
        let slots: Vec<_> = self.shared.slots.lock().drain().map(|(_, slot)| slot).collect();
        // In parallel, so that a slow data source does not delay the others.
        let mut settling = JoinSet::new();
        for slot in slots {
            settling.spawn(async move {
                let open = slot.lock().await.take()?;
                open.datasource.close().await;
                // A caller that gives up does not wait for the files of those that have settled.
                Some(ManuallyDrop::new(open))
            });
        }
        let settled = settling.join_all().await;
        close_files(settled.into_iter().flatten().map(ManuallyDrop::into_inner)).await;
    }
}

/// Drops data sources on a few blocking threads: each waits for the disk several times.
async fn close_files(datasources: impl Iterator<Item = OpenDataSource> + Send + 'static) {
    let queue = Arc::new(parking_lot::Mutex::new(datasources));
    let mut closing = JoinSet::new();
    for _ in 0..CLOSING_THREADS {
        let queue = Arc::clone(&queue);
        closing.spawn_blocking(move || iter::from_fn(|| queue.lock().next()).for_each(drop));
    }
    closing.join_all().await;
}

/// Closes a data source, and waits until no query uses its files.
///
/// SQLite deletes the write-ahead log by its name when the last connection closes. A connection of
/// the old file must not delete the log of a new one.
async fn close_completely(datasource: DataSource) -> Result<(), DataSourceError> {
    let usage = datasource.usage();
    datasource.close().await;
    drop(datasource);
    let released = async {
        while usage.is_open() {
            tokio::time::sleep(RELEASE_POLL_INTERVAL).await;
        }
    };
    tokio::time::timeout(RELEASE_TIMEOUT, released).await.map_err(|_| DataSourceError::StillInUse)
}

/// Repeats the work that does not depend on syncs, until the registry is dropped.
///
/// It closes data sources without requests, and extends the calendars of those without a login. In
/// each round it checks one of the database files. While a data source is connected to Oura, it
/// checks for a newer specification once a day.
async fn run_maintenance(shared: Weak<Shared>) {
    let mut last_failure = None;
    let mut pause = MAINTENANCE_INTERVAL;
    loop {
        let Some(clock) = shared.upgrade().map(|shared| shared.environment.clock.clone()) else {
            return;
        };
        clock.sleep(pause).await;
        pause = MAINTENANCE_INTERVAL;
        let Some(shared) = shared.upgrade() else { return };
        let datasources = DataSources { shared };
        datasources.close_forgotten().await;
        let mut is_any_connected = !datasources.shared.dormant.lock().is_empty();
        let ready = datasources.ready().await;
        if let Some(due) = ready.iter().find(|datasource| datasource.is_check_due()) {
            due.check_database().await;
        }
        for datasource in ready {
            if datasource.is_connected_to_oura() {
                is_any_connected = true;
            } else {
                datasource.extend_calendar().await;
            }
        }
        if !is_any_connected || !datasources.shared.specification.is_due(clock.now()) {
            continue;
        }
        if let Err(error) = datasources.check_specification().await {
            let failure = Some(error.to_string());
            if last_failure != failure {
                tracing::warn!(%error, "could not update the specification of Oura's API");
                last_failure = failure;
            }
            pause = CHECK_RETRY_DELAY;
        }
    }
}
