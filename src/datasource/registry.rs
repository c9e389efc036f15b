//! Every data source of this process: found by key, opened once, adapted when settings change, resumed after a restart.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, JoinSet};

use super::folder_lock::FolderLock;
use super::specification::{CheckError, Specification};
use super::vault::{Purpose, Vault, VaultError};
use super::{DataSource, DataSourceError, DataSourceKey, Settings, blocking, demo};
use crate::catalog::Catalog;
use crate::oura::{self, Origins, Secret};
use crate::query::Limits;
use crate::time::Clock;

/// What every data source in this process shares.
#[derive(Clone)]
pub struct Environment {
    pub data_dir: PathBuf,
    pub origins: Origins,
    pub http: reqwest::Client,
    /// What is known of Oura's API at build time; a newer specification in the data folder goes before it.
    pub catalog: Arc<Catalog>,
    pub clock: Clock,
    pub limits: Limits,
    /// The operator's key for the vault; without one a key file is kept beside it.
    pub encryption_key: Option<Secret>,
    /// Whether syncs happen by themselves.
    pub scheduled: bool,
}

impl Environment {
    /// Data sources in `data_dir` of the Oura at `origins`, by the system's clock and the bundled catalogue, under the usual limits, sealed with
    /// a key file, without a schedule. Fails as [`oura::http_client`] does.
    pub fn at(data_dir: impl Into<PathBuf>, origins: Origins) -> reqwest::Result<Environment> {
        Ok(Environment {
            data_dir: data_dir.into(),
            origins,
            http: oura::http_client()?,
            catalog: Arc::new(Catalog::bundled()),
            clock: Clock::system(),
            limits: Limits::default(),
            encryption_key: None,
            scheduled: false,
        })
    }
}

/// Every data source of this process. Cheap to clone.
#[derive(Clone)]
pub struct DataSources {
    shared: Arc<Shared>,
}

struct Shared {
    environment: Arc<Environment>,
    vault: Arc<Vault>,
    specification: Arc<Specification>,
    _lock: Option<FolderLock>,
    /// One place for each, so that one which takes long to open or close holds up nobody else.
    places: parking_lot::Mutex<HashMap<DataSourceKey, Arc<Mutex<Option<Open>>>>>,
    demo: demo::Demo,
    watch: parking_lot::Mutex<Option<JoinHandle<()>>>,
}

/// An open data source and the settings it was asked for with; a demo's own are others.
struct Open {
    datasource: DataSource,
    asked: Remembered,
}

/// What the vault keeps of a data source, so that its schedule can go on before anybody asks.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Remembered {
    settings: Settings,
    client_secret: Secret,
}

/// The vault's name of [`Remembered`].
const SETTINGS: &str = "settings";

/// How long a place may be taken by somebody who only looks whether its settings have changed.
const A_MOMENT: Duration = Duration::from_millis(100);

impl DataSources {
    /// Takes the lock on the data folder and opens the vault. Blocks for up to three seconds.
    pub fn open(environment: Environment) -> Result<DataSources, DataSourceError> {
        let lock = FolderLock::take(&environment.data_dir)?;
        let vault = Vault::open(&environment.data_dir, environment.encryption_key.as_ref())?;
        Ok(DataSources::over(environment, vault, Some(lock)))
    }

    /// The same; of a folder that cannot be written, what is stored can be read, and [`DataSources::unwritable`] says why no more.
    pub fn open_or_read(environment: Environment) -> Result<DataSources, DataSourceError> {
        let folder = environment.data_dir.clone();
        let refused = match DataSources::open(environment.clone()) {
            Err(error) if folder.is_dir() => error,
            outcome => return outcome,
        };
        let (DataSourceError::Folder { detail, .. }
        | DataSourceError::Vault(VaultError::NotWritable { detail, .. })) = &refused
        else {
            return Err(refused);
        };
        let why = format!(
            "the data folder {} cannot be written ({detail}): what is stored can be read, and nothing new comes until this process may write there",
            folder.display()
        );
        Ok(DataSources::over(environment, Vault::forgetful(why)?, None))
    }

    /// Why stored data can be read and nothing else, if it is so.
    pub fn read_only_reason(&self) -> Option<&str> {
        self.shared.vault.read_only_reason()
    }

    fn over(environment: Environment, vault: Vault, folder: Option<FolderLock>) -> DataSources {
        let specification =
            Specification::open(&environment.data_dir, Arc::clone(&environment.catalog));
        let demo = demo::Demo::new(environment.clock.clone());
        let scheduled = environment.scheduled && vault.read_only_reason().is_none();
        let shared = Arc::new(Shared {
            environment: Arc::new(environment),
            vault: Arc::new(vault),
            specification: Arc::new(specification),
            _lock: folder,
            places: parking_lot::Mutex::default(),
            demo,
            watch: parking_lot::Mutex::default(),
        });
        if scheduled {
            *shared.watch.lock() = Some(tokio::spawn(watch(Arc::downgrade(&shared))));
        }
        DataSources { shared }
    }

    /// Opens every data source known from before, so that its schedule goes on. One that cannot be opened is logged and left. Returns how
    /// many are open.
    pub async fn resume(&self) -> Result<usize, DataSourceError> {
        let mut opened = 0;
        for key in self.shared.vault.keys(Purpose::DataSource)? {
            let resumed = async {
                // What cannot be read comes again with Grafana's next request.
                let Some((settings, client_secret)) = self.remembered(&key)? else {
                    return Ok(false);
                };
                self.datasource(&key, &settings, &client_secret).await.map(|_| true)
            };
            match resumed.await {
                Ok(true) => opened += 1,
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(datasource = %key, %error, "a data source could not be resumed")
                }
            }
        }
        Ok(opened)
    }

    /// The settings and the client secret that `key` was opened with last, unless they cannot be read.
    pub fn remembered(
        &self,
        key: &DataSourceKey,
    ) -> Result<Option<(Settings, Secret)>, DataSourceError> {
        let sealed = match self.shared.vault.get(key, Purpose::DataSource, SETTINGS) {
            // They come again with whoever knows them.
            Err(VaultError::WrongKey | VaultError::Tampered) => return Ok(None),
            sealed => sealed?,
        };
        let remembered = sealed.and_then(|plain| serde_json::from_slice::<Remembered>(&plain).ok());
        Ok(remembered.map(|remembered| (remembered.settings, remembered.client_secret)))
    }

    /// The data source of `key`, opened, or opened anew if its settings have changed. Whoever asked may go away: what was begun is finished.
    pub async fn datasource(
        &self,
        key: &DataSourceKey,
        settings: &Settings,
        client_secret: &Secret,
    ) -> Result<DataSource, DataSourceError> {
        let asked = Remembered { settings: settings.clone(), client_secret: client_secret.clone() };
        let mut place = self.place(key).lock_owned().await;
        if let Some(known) = place.as_ref().filter(|known| known.asked == asked) {
            return Ok(known.datasource.clone());
        }
        let (datasources, key) = (self.clone(), key.clone());
        let opening = tokio::spawn(async move {
            if let Some(outdated) = place.take() {
                outdated.datasource.close().await;
            }
            let datasource = datasources.open_anew(&key, &asked).await?;
            *place = Some(Open { datasource: datasource.clone(), asked });
            Ok(datasource)
        });
        match opening.await {
            Ok(opened) => opened,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }

    async fn open_anew(
        &self,
        key: &DataSourceKey,
        asked: &Remembered,
    ) -> Result<DataSource, DataSourceError> {
        self.remember(key, asked)?;
        let logs_in = asked.settings.demo && self.read_only_reason().is_none();
        let (settings, client_secret, origins) = match logs_in {
            true => self.shared.demo.application(&asked.settings).await?,
            false => (
                asked.settings.clone(),
                asked.client_secret.clone(),
                self.shared.environment.origins.clone(),
            ),
        };
        let Shared { environment, vault, specification, .. } = &*self.shared;
        let (environment, vault, specification) =
            (Arc::clone(environment), Arc::clone(vault), Arc::clone(specification));
        let key = key.clone();
        let datasource = blocking(move || {
            DataSource::open(
                environment,
                vault,
                specification,
                key,
                settings,
                client_secret,
                origins,
            )
        })
        .await?;
        if logs_in {
            demo::log_in(&datasource).await?;
        }
        Ok(datasource)
    }

    fn place(&self, key: &DataSourceKey) -> Arc<Mutex<Option<Open>>> {
        Arc::clone(self.shared.places.lock().entry(key.clone()).or_default())
    }

    /// All that are open, in the order of their keys. One that is just being opened is waited for.
    pub async fn all(&self) -> Vec<DataSource> {
        self.open_within(Duration::MAX).await
    }

    async fn open_within(&self, patience: Duration) -> Vec<DataSource> {
        let places: Vec<_> = self.shared.places.lock().values().cloned().collect();
        let mut datasources = Vec::new();
        for place in places {
            let Ok(place) = tokio::time::timeout(patience, place.lock()).await else { continue };
            datasources.extend(place.as_ref().map(|open| open.datasource.clone()));
        }
        datasources.sort_by(|a, b| a.key().cmp(b.key()));
        datasources
    }

    /// Those that are open and at hand, in the order of their keys: one that is just being opened or closed is left out.
    pub async fn at_hand(&self) -> Vec<DataSource> {
        self.open_within(A_MOMENT).await
    }

    /// Asks Oura for a newer specification, and lets every data source work with it. True if there was one.
    pub async fn check_specification(&self) -> Result<bool, CheckError> {
        let Environment { http, origins, clock, .. } = &*self.shared.environment;
        let Some(catalog) = self.shared.specification.check(http, origins, clock).await? else {
            return Ok(false);
        };
        tracing::info!(
            version = catalog.version,
            "a newer specification of Oura's API is in force"
        );
        // Twice: one that was just being opened may have begun with the older one.
        for _ in 0..2 {
            for datasource in self.all().await {
                if Arc::ptr_eq(&datasource.catalog(), &catalog) {
                    continue;
                }
                if let Err(error) = datasource.adopt(Arc::clone(&catalog)).await {
                    tracing::error!(datasource = %datasource.key(), %error, "tables stay as they were");
                }
            }
        }
        Ok(true)
    }

    /// Ends schedules and syncs; waits for the windows under way.
    pub async fn shutdown(&self) {
        if let Some(watch) = self.shared.watch.lock().take() {
            watch.abort();
        }
        let places: Vec<_> = self.shared.places.lock().drain().map(|(_, place)| place).collect();
        // All at once: one that takes long to end must not cost the others their orderly end.
        let mut closing = JoinSet::new();
        for place in places {
            closing.spawn(async move {
                if let Some(open) = place.lock().await.take() {
                    open.datasource.close().await;
                }
            });
        }
        closing.join_all().await;
    }

    fn remember(&self, key: &DataSourceKey, asked: &Remembered) -> Result<(), DataSourceError> {
        let plain = serde_json::to_vec(asked).expect("settings are plain data");
        let vault = &self.shared.vault;
        // One that was sealed with a lost key is written anew.
        let before = vault.get(key, Purpose::DataSource, SETTINGS).unwrap_or_default();
        if before.is_none_or(|before| before != plain) {
            vault.put(key, Purpose::DataSource, SETTINGS, &plain)?;
        }
        Ok(())
    }
}

/// How often to look whether something is due, and how long to wait after a check of the specification that failed.
const LOOK: Duration = Duration::from_secs(60);
const AFTER_FAILURE: Duration = Duration::from_secs(3600);

/// What time brings without a sync: days that pass where nobody is logged in; and a newer specification, asked for once a day as long as
/// anybody is, since who is not has nothing to do with Oura.
async fn watch(shared: Weak<Shared>) {
    let (mut refused, mut pause) = (None, LOOK);
    loop {
        let Some(clock) = shared.upgrade().map(|shared| shared.environment.clock.clone()) else {
            return;
        };
        clock.sleep(pause).await;
        pause = LOOK;
        let Some(shared) = shared.upgrade() else { return };
        let datasources = DataSources { shared };
        let (connected, others): (Vec<_>, Vec<_>) =
            datasources.at_hand().await.into_iter().partition(DataSource::is_connected);
        for datasource in others {
            datasource.reach_today().await;
        }
        if !datasources.shared.specification.is_due(clock.now()) || connected.is_empty() {
            continue;
        }
        if let Err(error) = datasources.check_specification().await {
            let said = Some(error.to_string());
            if refused != said {
                tracing::warn!(%error, "the specification stays as it is");
                refused = said;
            }
            pause = AFTER_FAILURE;
        }
    }
}
