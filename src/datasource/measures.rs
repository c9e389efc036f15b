//! The measurements of a data source for a monitoring system.

use std::collections::BTreeMap;

use super::error::DataSourceError;
use super::login::Login;
use super::queries::Queries;
use super::status::Status;
use super::sync_control::SyncControl;
use crate::oura::ResponseCount;
use crate::query::QueryCounts;
use crate::store::{CollectionState, ConnectionState, WindowReason};
use crate::time::Instant;

/// The measurements of a data source. Counters restart with the process and with changed settings.
#[derive(Clone, Debug)]
pub struct Measures {
    /// Whether a login exists.
    pub connected: bool,
    /// The number of collections by state.
    pub collections: BTreeMap<CollectionState, u64>,
    /// The number of stored documents by collection.
    pub documents: BTreeMap<String, u64>,
    /// The size of the database with its write-ahead log.
    pub database_bytes: u64,
    /// The last successful fetch of any collection.
    pub last_sync: Option<Instant>,
    /// The seconds since `last_sync`.
    pub sync_age_seconds: Option<i64>,
    /// Whether a run is requested or in progress.
    pub sync_running: bool,
    /// The expiry date of the access token.
    pub token_expires_at: Option<Instant>,
    /// The number of queued windows by reason.
    pub windows_waiting: BTreeMap<WindowReason, u64>,
    /// The number of queries that wait for a slot.
    pub queries_waiting: u64,
    /// The responses of Oura's API by collection and status.
    pub answers: Vec<ResponseCount>,
    /// The number of repeated requests to Oura's API.
    pub retries: u64,
    /// The outcomes and durations of queries.
    pub queries: QueryCounts,
}

/// Reads the measurements of a data source with this status. Blocks for a few small reads.
pub(super) fn read_measures(
    status: Status,
    login: &Login,
    sync: &SyncControl,
    queries: &Queries,
    now: Instant,
) -> Result<Measures, DataSourceError> {
    let mut collections = BTreeMap::new();
    let mut documents = BTreeMap::new();
    for collection in status.collections {
        *collections.entry(collection.state).or_default() += 1;
        documents.insert(collection.name, collection.documents);
    }
    let last_sync = status.sync.last_sync;
    Ok(Measures {
        connected: status.state == ConnectionState::Connected,
        collections,
        documents,
        database_bytes: sync.store().size(),
        last_sync,
        sync_age_seconds: last_sync.map(|last| now.seconds() - last.seconds()),
        sync_running: status.sync.running,
        token_expires_at: login.grant()?.map(|grant| grant.expires_at),
        windows_waiting: sync.store().inspector().queue_lengths()?,
        queries_waiting: queries.waiting(),
        answers: sync.client().response_counts(),
        retries: sync.client().request_counts().retries,
        queries: queries.counts(),
    })
}
