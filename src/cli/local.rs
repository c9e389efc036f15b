//! What the commands without Grafana share: which data folder, which application, which Oura.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use tracing_subscriber::filter::LevelFilter;
use url::Url;

use super::{Failure, log};
use crate::catalog::Catalog;
use crate::datasource::{
    DataSource, DataSourceKey, DataSources, Environment, Settings, specification,
};
use crate::oura::{Origins, Secret};
use crate::plugin::{ENCRYPTION_KEY, key_from};
use crate::store::Store;
use crate::time::{Day, Tz};

/// The folder with the data, and whose.
#[derive(Args, Clone, Debug)]
pub struct Folder {
    /// The folder that holds the data; Grafana's is called ringside-oura-datasource-data
    #[arg(long, env = "RINGSIDE_DATA_DIR", default_value = "ringside-data")]
    pub data_dir: PathBuf,
    /// Organisation and uid of the data source, as in its folder's name
    #[arg(long, default_value_t = DataSourceKey::single())]
    pub datasource: DataSourceKey,
}

impl Folder {
    /// The store, for reading beside whatever process writes it.
    pub fn store(&self) -> Result<Store, Failure> {
        let path = self.datasource.database(&self.data_dir);
        if !path.exists() {
            return Err(format!(
                "there is no {}; --data-dir and --datasource say where to look",
                path.display()
            )
            .into());
        }
        let catalog = specification::catalog(&self.data_dir, Arc::new(Catalog::bundled()));
        Ok(Store::open_existing(&path, catalog)?)
    }

    /// The zone that the stored days begin in; of what cannot be read, its opening will say why.
    fn zone(&self) -> Tz {
        self.store().map_or(Tz::UTC, |store| store.zone())
    }
}

/// The application registered with Oura, and how to sync. What is not given stays as it was the last time.
#[derive(Args, Clone, Debug)]
pub struct Application {
    #[command(flatten)]
    pub folder: Folder,
    /// The application's client id, from its page at Oura
    #[arg(long, env = "OURA_CLIENT_ID")]
    pub client_id: Option<String>,
    /// Only from the environment: a command line can be seen by every user of the machine
    #[arg(skip = std::env::var("OURA_CLIENT_SECRET").unwrap_or_default())]
    pub client_secret: String,
    /// Another origin for Oura's API and login: a simulator, a proxy
    #[arg(long, env = "GF_PLUGIN_OURA_URL", value_parser = crate::plugin::origin)]
    pub oura_url: Option<Url>,
    /// The first day wanted; if it was never given, until two empty years
    #[arg(long)]
    pub history_start: Option<Day>,
    /// IANA name of the time zone in which days begin; UTC if it was never given
    #[arg(long, env = "RINGSIDE_TIMEZONE")]
    pub timezone: Option<String>,
    /// Minutes between syncs; 30 if it was never given
    #[arg(long)]
    pub sync_interval: Option<u32>,
    /// The least that is logged on standard error; without it, `info` while serving and `warn` else
    #[arg(long, env = "RINGSIDE_LOG", value_parser = PossibleValuesParser::new(log::LEVELS).try_map(|level| level.parse::<LevelFilter>()))]
    pub log_level: Option<LevelFilter>,
}

impl Application {
    /// Opens the data folder, which no other process may use meanwhile, and the data source in it. A schedule can begin where nothing can
    /// be written: then stored data can be read.
    pub async fn open(&self, scheduled: bool) -> Result<(DataSources, DataSource), Failure> {
        log::install(self.log_level.unwrap_or(if scheduled {
            LevelFilter::INFO
        } else {
            LevelFilter::WARN
        }));
        let origins = self.oura_url.as_ref().map_or_else(Origins::oura, Origins::at);
        let environment = Environment {
            encryption_key: key_from(ENCRYPTION_KEY),
            scheduled,
            ..Environment::at(&self.folder.data_dir, origins)?
        };
        let datasources = if scheduled {
            DataSources::open_or_read_only(environment)?
        } else {
            DataSources::open(environment)?
        };
        let (settings, secret) = match datasources.stored_settings(&self.folder.datasource)? {
            Some(remembered) => remembered,
            None => (
                Settings { timezone: self.folder.zone().name().to_owned(), ..Settings::default() },
                Secret::default(),
            ),
        };
        let secret = if self.client_secret.is_empty() {
            secret
        } else {
            Secret::new(self.client_secret.clone())
        };
        let datasource = datasources
            .datasource(&self.folder.datasource, &self.changed(settings), &secret)
            .await?;
        Ok((datasources, datasource))
    }

    /// `settings` with what was given on the command line instead of what was.
    fn changed(&self, settings: Settings) -> Settings {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        Settings {
            client_id: given(&self.client_id).unwrap_or(settings.client_id),
            timezone: given(&self.timezone).unwrap_or(settings.timezone),
            sync_interval_minutes: self.sync_interval.unwrap_or(settings.sync_interval_minutes),
            history_start: self.history_start.or(settings.history_start),
            ..settings
        }
    }
}
