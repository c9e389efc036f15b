//! The syncs of a data source: its schedule, its client of Oura's API and the writes to its store.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::error::DataSourceError;
use super::key::DataSourceKey;
use super::settings::Settings;
use crate::blocking::blocking;
use crate::catalog::Catalog;
use crate::oura::Client;
use crate::store::{RunRow, RunState, Store, StoreError, Trigger};
use crate::sync::{self, Executor, Progress, Schedule, Sync};
use crate::time::{Clock, Instant, as_rfc3339_or_null};

/// A request to fetch days again: `POST backfill`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Backfill {
    /// The number of days, at least 1.
    pub days: u32,
    /// The days from the last requested day to today.
    pub offset_days: u32,
    /// The names of the collections. Empty requests those of the settings.
    pub resources: Vec<String>,
}

/// The progress and outcome of syncs.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub struct SyncStatus {
    /// Whether a run is requested or in progress.
    pub running: bool,
    /// The completed share of the current run, or of the last one: 0 to 100.
    pub percent: f64,
    /// The id of the current run, or of the last one: a row of `sync_runs`.
    pub run: Option<i64>,
    /// The number of documents that this run fetched.
    pub documents: u64,
    /// The estimated seconds until the end of the current run.
    pub seconds_left: Option<u64>,
    /// The last successful fetch of any collection.
    #[serde(serialize_with = "as_rfc3339_or_null")]
    #[cfg_attr(test, ts(as = "Option<String>"), schema(value_type = Option<String>))]
    pub last_sync: Option<Instant>,
    /// The next scheduled run.
    #[serde(serialize_with = "as_rfc3339_or_null")]
    #[cfg_attr(test, ts(as = "Option<String>"), schema(value_type = Option<String>))]
    pub next_sync: Option<Instant>,
    /// Why the last run failed.
    pub failure: Option<String>,
}

impl SyncStatus {
    /// Returns the status without a run, because the runs could not be read.
    pub(super) fn failed(failure: String) -> SyncStatus {
        SyncStatus {
            running: false,
            percent: 0.0,
            run: None,
            documents: 0,
            seconds_left: None,
            last_sync: None,
            next_sync: None,
            failure: Some(failure),
        }
    }
}

/// The sync part of a data source: schedule, client and store.
///
/// It does not see logins. The facade starts it after a login, and stops it before a logout.
pub(super) struct SyncControl {
    key: DataSourceKey,
    settings: Arc<Settings>,
    store: Store,
    client: Client,
    clock: Clock,
    schedule: Schedule,
    full_sync_interval: Option<Duration>,
    /// `Some` while the data source is connected.
    running: Mutex<Option<Arc<Sync>>>,
}

impl SyncControl {
    pub(super) fn new(
        key: DataSourceKey,
        settings: Arc<Settings>,
        store: Store,
        client: Client,
        clock: Clock,
        schedule: Schedule,
        full_sync_interval: Option<Duration>,
    ) -> SyncControl {
        let running = Mutex::new(None);
        SyncControl { key, settings, store, client, clock, schedule, full_sync_interval, running }
    }

    /// Returns the store into which the syncs write.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the client with which the syncs request Oura's API.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Starts the schedule unless it is running, and a sync with the cause `trigger`, if any.
    pub(super) fn start(&self, trigger: Option<Trigger>) -> Result<(), StoreError> {
        let mut running = self.running.lock();
        if let Some(sync) = running.as_ref() {
            if let Some(trigger) = trigger {
                sync.request(trigger);
            }
            return Ok(());
        }
        let executor = Executor {
            store: self.store.clone(),
            client: self.client.clone(),
            clock: self.clock.clone(),
            history_start: self.settings.history_start,
            collections: self.settings.collections.clone(),
            full_sync_interval: self.full_sync_interval,
        };
        *running = Some(Arc::new(Sync::start(executor, self.schedule, trigger)?));
        Ok(())
    }

    /// Stops the schedule, and waits for the windows in progress.
    pub(super) async fn stop(&self) {
        let running = self.running.lock().take();
        if let Some(sync) = running {
            sync.stop().await;
        }
    }

    /// Returns whether a run is requested or in progress.
    pub(super) fn is_running(&self) -> bool {
        self.running.lock().as_ref().is_some_and(|sync| sync.is_running())
    }

    /// Returns when the schedule starts the next sync.
    pub(super) fn next(&self) -> Option<Instant> {
        self.running.lock().as_ref().and_then(|sync| sync.next())
    }

    /// Returns whether the schedule is running, which requires a login.
    pub(super) fn is_started(&self) -> bool {
        self.running.lock().is_some()
    }

    /// Requests a sync. Returns its run id immediately. A request during a run joins that run.
    pub(super) fn request(&self, trigger: Trigger) -> Result<i64, DataSourceError> {
        Ok(self.started()?.request(trigger))
    }

    /// Queues days to be fetched again and requests a sync. Returns the id of the run that fetches
    /// them.
    pub(super) fn backfill(&self, request: &Backfill) -> Result<i64, DataSourceError> {
        let sync = self.started()?;
        let catalog = self.store.catalog();
        let collections = self.backfill_collections(&catalog, &request.resources)?;
        if request.days == 0 {
            return Err(DataSourceError::NoDays);
        }
        let now = self.clock.now();
        let last = now.day(self.store.zone()).plus(-i64::from(request.offset_days));
        let first = last.plus(1 - i64::from(request.days));
        let windows = sync::backfill(&catalog, first, last, collections);
        if windows.is_empty() {
            return Err(DataSourceError::BeforeAnyRing);
        }
        self.store.writer().enqueue(&windows, now)?;
        Ok(sync.request(Trigger::Backfill))
    }

    /// Returns the collections of a backfill; empty for all. Fails for an unknown requested name,
    /// and if all collections of the settings are unknown.
    fn backfill_collections<'a>(
        &'a self,
        catalog: &Catalog,
        requested: &'a [String],
    ) -> Result<&'a [String], DataSourceError> {
        let is_unknown = |name: &&String| catalog.get(name).is_none();
        let chosen = &self.settings.collections;
        let unknown = if !requested.is_empty() {
            requested.iter().find(is_unknown)
        } else if chosen.iter().all(|name| is_unknown(&name)) {
            chosen.first()
        } else {
            None
        };
        match unknown {
            Some(name) => Err(DataSourceError::UnknownCollection { name: name.clone() }),
            None if requested.is_empty() => Ok(chosen),
            None => Ok(requested),
        }
    }

    fn started(&self) -> Result<Arc<Sync>, DataSourceError> {
        self.running.lock().clone().ok_or(DataSourceError::NotConnected)
    }

    /// Returns the progress of the current run, or of the last one of this process.
    pub(super) fn progress(&self) -> watch::Receiver<Progress> {
        match self.running.lock().as_ref() {
            Some(sync) => sync.progress(),
            None => {
                let idle = Progress { finished: true, ..Progress::default() };
                watch::Sender::new(idle).subscribe()
            }
        }
    }

    /// Returns the status of the current run, or of the last one.
    ///
    /// `last_sync` is the time of the last successful fetch of any collection.
    pub(super) fn status(&self, last_sync: Option<Instant>) -> Result<SyncStatus, DataSourceError> {
        let sync = self.running.lock().clone();
        let progress = self.progress().borrow().clone();
        let running = sync.as_ref().is_some_and(|sync| sync.is_running());
        let last_run = self.store.inspector().last_run()?;
        // A run without a row waits for the store, or failed to begin.
        let has_no_row = progress.run > last_run.as_ref().map_or(0, |run| run.run);
        let last_run = last_run.filter(|_| !(running && has_no_row));
        let percent =
            if running { progress.percent() } else { last_run.as_ref().map_or(0.0, ended_percent) };
        let seconds_left = match &last_run {
            Some(run) if running => self.seconds_left(run, &progress),
            _ => None,
        };
        let documents = if running {
            progress.documents
        } else {
            last_run.as_ref().map_or(0, |run| run.documents)
        };
        let run =
            if has_no_row { Some(progress.run) } else { last_run.as_ref().map(|run| run.run) };
        Ok(SyncStatus {
            running,
            percent: (percent * 10.0).round() / 10.0,
            run,
            documents,
            seconds_left,
            last_sync,
            next_sync: sync.as_ref().and_then(|sync| sync.next()),
            failure: if has_no_row {
                progress.failure
            } else {
                last_run.and_then(|run| run.message)
            },
        })
    }

    fn seconds_left(&self, run: &RunRow, progress: &Progress) -> Option<u64> {
        let elapsed = self.clock.now().seconds() - run.started_at.seconds();
        let elapsed = Duration::from_secs(u64::try_from(elapsed).ok()?);
        progress.time_left(elapsed).map(|left| left.as_secs())
    }

    /// Replaces the catalogue. Queries use the old tables until the new ones are complete.
    pub(super) async fn set_catalog(&self, catalog: Arc<Catalog>) -> Result<(), DataSourceError> {
        let store = self.store.clone();
        match blocking(move || store.writer().set_catalog(catalog)).await {
            // The next process that opens the store uses the new catalogue.
            Ok(()) | Err(StoreError::RebuildsStopped) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Rebuilds the tables in the background if the catalogue or the time zone has changed.
    pub(super) fn rebuild_if_outdated(&self) -> Result<(), StoreError> {
        if !self.store.is_outdated()? {
            return Ok(());
        }
        let store = self.store.clone();
        let key = self.key.clone();
        tokio::task::spawn_blocking(move || {
            tracing::info!(datasource = %key, "rebuilding tables");
            match store.writer().rebuild() {
                Ok(()) | Err(StoreError::RebuildsStopped) => {}
                Err(error) => {
                    tracing::error!(datasource = %key, %error, "could not rebuild tables")
                }
            }
        });
        Ok(())
    }

    /// Extends the calendar through today, so that coverage has a row for days without a sync.
    pub(super) async fn extend_calendar(&self) {
        let store = self.store.clone();
        let now = self.clock.now();
        if let Err(error) = blocking(move || store.extend_calendar(now)).await {
            tracing::warn!(datasource = %self.key, %error, "could not extend the calendar");
        }
    }

    /// Stops rebuilds of tables. The next process that opens the store repeats them.
    pub(super) fn stop_rebuilds(&self) {
        self.store.writer().stop_rebuilds();
    }

    /// Waits for the present write, so that it cannot block the next process that opens the store.
    pub(super) async fn wait_for_writer(&self) {
        let store = self.store.clone();
        blocking(move || store.writer().wait()).await;
    }

    /// Writes a consistent copy of the database to `to`, which must not exist.
    pub(super) async fn copy_to(&self, to: PathBuf) -> Result<(), DataSourceError> {
        let store = self.store.clone();
        Ok(blocking(move || store.copy_to(&to)).await?)
    }

    /// Deletes all health data. Returns the number of deleted rows by table.
    pub(super) async fn delete_all(&self) -> Result<BTreeMap<String, usize>, DataSourceError> {
        let store = self.store.clone();
        Ok(blocking(move || store.delete_all()).await?)
    }
}

/// Returns the percentage of windows that an ended run completed.
fn ended_percent(run: &RunRow) -> f64 {
    if run.windows > 0 {
        (100.0 * run.windows_done as f64 / run.windows as f64).min(100.0)
    } else if run.state == RunState::Done {
        100.0
    } else {
        0.0
    }
}
