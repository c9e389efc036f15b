//! The options that commands share: data folder, application at Oura, and Oura's address.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use tracing_subscriber::filter::LevelFilter;
use url::Url;

use super::{Failure, log};
use crate::api::Target;
use crate::catalog::Catalog;
use crate::datasource::{
    DataSource, DataSourceKey, DataSources, Environment, Settings, specification,
};
use crate::oura::{Origins, Secret};
use crate::plugin::{ENCRYPTION_KEY, OperatorSettings, key_from};
use crate::store::Store;
use crate::time::{Day, Tz};

/// The data folder, and a data source in it.
#[derive(Args, Clone, Debug)]
pub struct Folder {
    /// The data folder. Grafana's is named ringside-oura-datasource-data
    #[arg(long, env = "RINGSIDE_DATA_DIR", default_value = "ringside-data")]
    pub data_dir: PathBuf,
    /// Organization and uid of the data source, as in its folder's path
    #[arg(long, default_value_t = DataSourceKey::single())]
    pub datasource: DataSourceKey,
}

impl Folder {
    /// Opens the store for reading. Another process may write it at the same time.
    pub fn store(&self) -> Result<Store, Failure> {
        let path = self.datasource.database(&self.data_dir);
        if !path.exists() {
            return Err(format!(
                "no database found at {}; set --data-dir and --datasource",
                path.display()
            )
            .into());
        }
        let catalog = specification::catalog(&self.data_dir, Arc::new(Catalog::bundled()));
        Ok(Store::open_existing(&path, catalog)?)
    }

    /// The time zone of the stored days. UTC if the store cannot be read; opening it reports why.
    fn zone(&self) -> Tz {
        self.store().map_or(Tz::UTC, |store| store.zone())
    }
}

/// The application registered with Oura, and the sync settings. Omitted options keep their
/// previous values.
#[derive(Args, Clone, Debug)]
pub struct Application {
    #[command(flatten)]
    pub folder: Folder,
    /// Client ID of the application, from its page at Oura [default: the previous one]
    #[arg(long, env = "OURA_CLIENT_ID")]
    pub client_id: Option<String>,
    /// Only from the environment: every user of the machine can see a command line
    #[arg(skip = std::env::var("OURA_CLIENT_SECRET").unwrap_or_default())]
    pub client_secret: String,
    /// Origin of Oura's API and login, for a simulator or a proxy
    #[arg(long, env = "GF_PLUGIN_OURA_URL", value_parser = crate::plugin::origin)]
    pub oura_url: Option<Url>,
    /// First day to import (YYYY-MM-DD). Default: import backwards until two consecutive years have
    /// no data
    #[arg(long)]
    pub history_start: Option<Day>,
    /// IANA name of the time zone in which days begin [default: the previous one, or UTC]
    #[arg(long, env = "RINGSIDE_TIMEZONE")]
    pub timezone: Option<String>,
    /// Minutes between syncs [default: the previous value, or 30]
    #[arg(long)]
    pub sync_interval: Option<u32>,
    /// Lowest level of log lines on standard error [default: info for serve, otherwise warn]
    #[arg(long, env = "RINGSIDE_LOG", value_parser = level_parser())]
    pub log_level: Option<LevelFilter>,
}

impl Application {
    /// Opens the data folder and a data source in it. See [`Application::open_folder`].
    pub async fn open(&self, scheduled: bool) -> Result<(DataSources, DataSource), Failure> {
        let target = self.open_folder(scheduled)?;
        let datasource = target.open().await?;
        Ok((target.datasources, datasource))
    }

    /// Opens the data folder, and returns the data source without opening it. No other process may
    /// use the folder. With a schedule, a read-only folder is opened for reading.
    pub fn open_folder(&self, scheduled: bool) -> Result<Target, Failure> {
        log::install(self.log_level.unwrap_or(if scheduled {
            LevelFilter::INFO
        } else {
            LevelFilter::WARN
        }));
        let origins = self.oura_url.as_ref().map_or_else(Origins::oura, Origins::at);
        let operator = OperatorSettings::from_env()?;
        operator.apply_to_process();
        let environment = Environment {
            limits: operator.limits,
            max_open: operator.max_open,
            metrics_per_datasource: operator.metrics_per_datasource,
            full_sync_interval: operator.full_sync_interval,
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
            Some(stored) => stored,
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
        Ok(Target {
            datasources,
            key: self.folder.datasource.clone(),
            settings: self.override_settings(settings),
            client_secret: secret,
        })
    }

    /// Returns `settings` with the values of the command line.
    fn override_settings(&self, settings: Settings) -> Settings {
        Settings {
            client_id: non_empty(&self.client_id).unwrap_or(settings.client_id),
            timezone: non_empty(&self.timezone).unwrap_or(settings.timezone),
            sync_interval_minutes: self.sync_interval.unwrap_or(settings.sync_interval_minutes),
            history_start: self.history_start.or(settings.history_start),
            ..settings
        }
    }
}

fn non_empty(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.trim().is_empty())
}

fn level_parser() -> impl TypedValueParser<Value = LevelFilter> {
    PossibleValuesParser::new(log::LEVELS).try_map(|level| level.parse::<LevelFilter>())
}
