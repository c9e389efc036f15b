//! One data source in numbers, for a monitoring system. Counts are of this process and begin again when the settings change.

use std::collections::BTreeMap;

use super::{ConnectionState, DataSource, DataSourceError};
use crate::oura::ResponseCount;
use crate::query::QueryCounts;
use crate::store::{CollectionState, WindowReason};
use crate::time::Instant;

#[derive(Clone, Debug)]
pub struct Measures {
    pub connected: bool,
    /// Collections by state.
    pub collections: BTreeMap<CollectionState, u64>,
    /// By collection.
    pub documents: BTreeMap<String, u64>,
    pub database_bytes: u64,
    pub last_sync: Option<Instant>,
    /// Since the last sync.
    pub sync_age_seconds: Option<i64>,
    pub sync_running: bool,
    pub token_expires_at: Option<Instant>,
    pub windows_waiting: BTreeMap<WindowReason, u64>,
    pub queries_waiting: u64,
    pub answers: Vec<ResponseCount>,
    pub retries: u64,
    pub queries: QueryCounts,
}

impl DataSource {
    /// Blocks for as long as a few small reads take.
    pub fn measures(&self) -> Result<Measures, DataSourceError> {
        let inner = &self.inner;
        let status = self.status()?;
        let mut collections = BTreeMap::new();
        for collection in &status.collections {
            *collections.entry(collection.state).or_default() += 1;
        }
        let now = inner.environment.clock.now();
        Ok(Measures {
            connected: status.state == ConnectionState::Connected,
            collections,
            documents: status
                .collections
                .into_iter()
                .map(|collection| (collection.name, collection.documents))
                .collect(),
            database_bytes: self.database_size(),
            last_sync: status.sync.last_sync,
            sync_age_seconds: status.sync.last_sync.map(|last| now.seconds() - last.seconds()),
            sync_running: status.sync.running,
            token_expires_at: inner.tokens.current()?.map(|grant| grant.expires_at),
            windows_waiting: inner.store.inspector().queue_lengths()?,
            queries_waiting: inner.engine.waiting() as u64,
            answers: inner.client.response_counts(),
            retries: inner.client.request_counts().retries,
            queries: inner.queries.read(),
        })
    }
}
