//! Dependencies that all data sources of a process share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::disk_space::MIN_FREE_BYTES;
use crate::catalog::Catalog;
use crate::oura::{self, HttpClientError, Origins, RateGates, Secret};
use crate::query::Limits;
use crate::time::Clock;

/// The default maximum number of open data sources.
pub const MAX_OPEN: usize = 512;

/// Dependencies and operator settings that all data sources of a process share.
#[derive(Clone)]
pub struct Environment {
    /// The folder for the vault, the specification and the databases.
    pub data_dir: PathBuf,
    /// The addresses of Oura's API and login.
    pub origins: Origins,
    /// The HTTP client for Oura.
    pub http: reqwest::Client,
    /// The queues for requests to Oura, one of each application.
    pub rate_gates: RateGates,
    /// The bundled catalogue. A newer specification in the data folder replaces it.
    pub catalog: Arc<Catalog>,
    /// The clock for expiry dates, schedules and timestamps.
    pub clock: Clock,
    /// The limits of queries.
    pub limits: Limits,
    /// The operator's key for the vault. `None` uses a key file in the data folder.
    pub encryption_key: Option<Secret>,
    /// The maximum number of open data sources. Idle ones are closed and open again when needed.
    pub max_open: usize,
    /// The days without a request after which a data source stops fetching. `None` for never.
    pub forget_after: Option<u32>,
    /// The free bytes below which the disk counts as nearly full. A larger database needs more.
    pub min_free_bytes: u64,
    /// Whether the metrics contain families with the organisation and uid of each data source.
    pub metrics_per_datasource: bool,
    /// The longest time between two full syncs. `None` makes each sync a full one.
    pub full_sync_interval: Option<Duration>,
    /// Whether syncs start at an interval. `false` syncs on request only.
    pub scheduled: bool,
}

impl Environment {
    /// Creates an environment with the system's clock, the bundled catalogue, the default limits, a
    /// key file and no schedule. Fails as [`oura::http_client`] does.
    pub fn at(
        data_dir: impl Into<PathBuf>,
        origins: Origins,
    ) -> Result<Environment, HttpClientError> {
        Ok(Environment {
            data_dir: data_dir.into(),
            origins,
            http: oura::http_client()?,
            rate_gates: RateGates::default(),
            catalog: Arc::new(Catalog::bundled()),
            clock: Clock::system(),
            limits: Limits::default(),
            encryption_key: None,
            max_open: MAX_OPEN,
            forget_after: None,
            min_free_bytes: MIN_FREE_BYTES,
            metrics_per_datasource: false,
            full_sync_interval: None,
            scheduled: false,
        })
    }
}
