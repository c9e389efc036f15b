//! The data source of a request. It opens with the request.

use crate::datasource::{DataSource, DataSourceError, DataSourceKey, DataSources, Settings};
use crate::oura::Secret;

/// A data source that may not be open, with the settings to open it.
#[derive(Clone)]
pub struct Target {
    /// The data sources of the process.
    pub datasources: DataSources,
    /// The organisation and uid.
    pub key: DataSourceKey,
    /// The settings of the data source.
    pub settings: Settings,
    /// The client secret of its application.
    pub client_secret: Secret,
}

impl Target {
    /// Opens the data source if necessary.
    pub async fn open(&self) -> Result<DataSource, DataSourceError> {
        self.datasources.datasource(&self.key, &self.settings, &self.client_secret).await
    }
}
