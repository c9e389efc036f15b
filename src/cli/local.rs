//! What the commands without Grafana share: which data folder, which application, which Oura.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use url::Url;

use super::Failure;
use crate::account::{Account, Accounts, DatasourceKey, Environment, Settings, specification};
use crate::catalog::Catalog;
use crate::oura::{Origins, Secret};
use crate::store::Store;
use crate::time::Day;

/// The folder with the data, and whose.
#[derive(Args, Clone, Debug)]
pub struct Folder {
    /// The folder that holds the data; Grafana's is called ringside-oura-datasource-data
    #[arg(long, env = "RINGSIDE_DATA_DIR", default_value = "ringside-data")]
    pub data_dir: PathBuf,
    /// Organisation and uid of the data source, as in its folder's name
    #[arg(long, default_value_t = DatasourceKey::single())]
    pub datasource: DatasourceKey,
}

impl Folder {
    /// The store, for reading beside whatever process writes it.
    pub fn store(&self) -> Result<Store, Failure> {
        let path = self.datasource.folder(&self.data_dir).join("oura.db");
        if !path.exists() {
            return Err(format!("there is no {}; --data-dir and --datasource say where to look", path.display()).into());
        }
        let catalog = specification::catalog(&self.data_dir, Arc::new(Catalog::bundled()));
        Ok(Store::open_existing(&path, catalog)?)
    }
}

/// The application registered with Oura, and how to sync.
#[derive(Args, Clone, Debug)]
pub struct Application {
    #[command(flatten)]
    pub folder: Folder,
    /// The application's client id, from its page at Oura
    #[arg(long, env = "OURA_CLIENT_ID", default_value = "")]
    pub client_id: String,
    /// Only from the environment: a command line can be seen by every user of the machine
    #[arg(skip = std::env::var("OURA_CLIENT_SECRET").unwrap_or_default())]
    pub client_secret: String,
    /// Another origin for Oura's API and login: a simulator, a proxy
    #[arg(long, env = "GF_PLUGIN_OURA_URL", value_parser = crate::plugin::origin)]
    pub oura_url: Option<Url>,
    /// The first day wanted; without it, until two empty years
    #[arg(long)]
    pub history_start: Option<Day>,
    /// IANA name of the time zone in which days begin
    #[arg(long, env = "RINGSIDE_TIMEZONE", default_value = "UTC")]
    pub timezone: String,
    /// Minutes between syncs
    #[arg(long, default_value_t = 30)]
    pub sync_interval: u32,
}

impl Application {
    /// Opens the data folder, which no other process may use meanwhile, and the data source in it. A schedule can begin where nothing can
    /// be written: then stored data can be read.
    pub async fn open(&self, scheduled: bool) -> Result<(Accounts, Account), Failure> {
        let origins = self.oura_url.as_ref().map_or_else(Origins::oura, Origins::at);
        let encryption_key = std::env::var("GF_PLUGIN_ENCRYPTION_KEY").ok().filter(|key| !key.is_empty()).map(Secret::new);
        let environment = Environment { encryption_key, scheduled, ..Environment::at(&self.folder.data_dir, origins)? };
        let accounts = if scheduled { Accounts::open_or_read(environment)? } else { Accounts::open(environment)? };
        let settings = Settings {
            client_id: self.client_id.clone(),
            timezone: self.timezone.clone(),
            sync_interval_minutes: self.sync_interval,
            history_start: self.history_start,
            ..Settings::default()
        };
        let secret = Secret::new(self.client_secret.clone());
        let account = accounts.account(&self.folder.datasource, &settings, &secret).await?;
        Ok((accounts, account))
    }
}
