//! The status of a data source: its connection, its syncs and its collections.

use serde::Serialize;

use super::disk_space::DiskSpace;
use super::error::DataSourceError;
use super::gaps::{SUMMARY_DAYS, summarize};
use super::login::Login;
use super::specification::Specification;
use super::sync_control::{SyncControl, SyncStatus};
use crate::catalog::Recorded;
use crate::store::{CollectionRow, CollectionState, ConnectionState, Gap, GapReason, Store};
use crate::time::{Day, Instant, as_rfc3339_or_null};

/// The response of `GET status`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub struct Status {
    /// Whether a login exists.
    pub state: ConnectionState,
    /// The reason of the state, if more is known.
    pub reason: Option<String>,
    /// The granted scopes. Empty if Oura did not list them.
    pub scopes: Vec<String>,
    /// The damage of the stored data, if it is damaged. `POST data/repair` is the remedy.
    pub damage: Option<String>,
    /// The free space of the data folder, if the operating system reports it.
    pub disk: Option<DiskSpace>,
    /// The progress and outcome of syncs.
    pub sync: SyncStatus,
    /// The version of Oura's API specification in use, for example `1.43`.
    pub specification: String,
    /// The last successful check for a newer specification.
    #[serde(serialize_with = "as_rfc3339_or_null")]
    #[cfg_attr(test, ts(as = "Option<String>"), schema(value_type = Option<String>))]
    pub specification_checked_at: Option<Instant>,
    /// Every collection of the specification, by name.
    pub collections: Vec<CollectionStatus>,
}

/// The state and extent of a collection.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub struct CollectionStatus {
    /// The collection's name in Oura's API.
    pub name: String,
    /// The number of stored documents or rows.
    pub documents: u64,
    /// The first day with data.
    pub first_day: Option<Day>,
    /// The last day with data.
    pub last_day: Option<Day>,
    /// The last successful fetch.
    #[serde(serialize_with = "as_rfc3339_or_null")]
    #[cfg_attr(test, ts(as = "Option<String>"), schema(value_type = Option<String>))]
    pub last_sync: Option<Instant>,
    /// The outcome of the last fetch.
    pub state: CollectionState,
    /// Why the collection is not available.
    pub reason: Option<String>,
    /// The completeness of the last 30 days in one line.
    pub summary: String,
}

/// Reads the status of a data source. Blocks for a few small reads.
///
/// `damage` is the finding of the last check. Without readable pages, the status lacks collections.
/// The caller adds the disk.
pub(super) fn read_status(
    login: &Login,
    sync: &SyncControl,
    specification: &Specification,
    damage: Option<String>,
    now: Instant,
) -> Result<Status, DataSourceError> {
    let grant = login.grant()?;
    let (state, reason) = login.connection()?;
    let store = sync.store();
    let stored = read_collections(store, now).and_then(|collections| {
        let last_sync = collections.iter().filter_map(|collection| collection.last_sync).max();
        Ok((collections, sync.status(last_sync)?))
    });
    let (collections, sync_status) = match stored {
        Err(DataSourceError::Store(error)) if error.is_damage() => {
            store.note_error(&error);
            (Vec::new(), SyncStatus::failed(error.to_string()))
        }
        stored => stored?,
    };
    let damage =
        damage.or_else(|| store.is_suspect().then(|| "SQLite reported damaged pages".to_owned()));
    Ok(Status {
        damage,
        disk: None,
        state,
        reason,
        scopes: grant.map(|grant| grant.scopes).unwrap_or_default(),
        sync: sync_status,
        specification: store.catalog().version.clone(),
        specification_checked_at: specification.checked_at(),
        collections,
    })
}

fn read_collections(store: &Store, now: Instant) -> Result<Vec<CollectionStatus>, DataSourceError> {
    // Data of the present day may still arrive.
    let yesterday = now.day(store.zone()).plus(-1);
    let gaps = store.inspector().gaps(yesterday.plus(1 - SUMMARY_DAYS), yesterday)?;
    let rows = store.inspector().collections()?;
    Ok(rows.into_iter().map(|row| collection_status(row, &gaps)).collect())
}

fn collection_status(row: CollectionRow, all_gaps: &[Gap]) -> CollectionStatus {
    // A day without a workout or a tag is not a gap.
    let counts_empty_days = Recorded::of(&row.name).is_daily();
    let gaps: Vec<&Gap> = all_gaps
        .iter()
        .filter(|gap| gap.collection == row.name)
        .filter(|gap| counts_empty_days || gap.reason != GapReason::Empty)
        .collect();
    CollectionStatus {
        summary: summarize(row.reason.as_deref(), row.last_sync.is_some(), &gaps),
        name: row.name,
        documents: row.documents,
        first_day: row.first_day,
        last_day: row.last_day,
        last_sync: row.last_sync,
        state: row.state,
        reason: row.reason,
    }
}
