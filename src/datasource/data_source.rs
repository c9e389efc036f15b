//! A data source: its login, its syncs and its queries behind one handle.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use super::disk_space::DiskSpace;
use super::environment::Environment;
use super::error::DataSourceError;
use super::key::DataSourceKey;
use super::login::{Login, LoginStart};
use super::measures::{Measures, read_measures};
use super::notice::Notices;
use super::queries::Queries;
use super::records::Records;
use super::settings::Settings;
use super::specification::Specification;
use super::status::{Status, read_status};
use super::sync_control::{Backfill, SyncControl};
use super::vault::Vault;
use crate::blocking::blocking;
use crate::catalog::Catalog;
use crate::oura::oauth::{Application, OAuth};
use crate::oura::{Client, Origins, RedirectUri, Secret};
use crate::query::annotations::AnnotationsQuery;
use crate::query::metrics::MetricsQuery;
use crate::query::{
    Engine, Format, Limits, QueryContext, QueryError, QueryResult, RowStream, SqlQuery,
};
use crate::store::{Batches, Store, StoreUsage, Trigger, find_damage};
use crate::sync::{Progress, Schedule};
use crate::time::{Clock, Instant, Tz};

/// The time between two checks of the database file, in seconds.
const CHECK_INTERVAL: i64 = 86_400;

/// A data source. Cheap to clone; clones share their state.
///
/// It composes three parts that do not see each other's state, except that notices read the state
/// of the connection: login, syncs and queries.
#[derive(Clone)]
pub struct DataSource {
    inner: Arc<Inner>,
}

struct Inner {
    key: DataSourceKey,
    settings: Arc<Settings>,
    limits: Limits,
    min_free_bytes: u64,
    clock: Clock,
    specification: Arc<Specification>,
    records: Arc<Records>,
    login: Arc<Login>,
    sync: SyncControl,
    queries: Queries,
}

/// The identity and configuration with which a data source opens.
pub(super) struct Configuration {
    pub(super) key: DataSourceKey,
    pub(super) settings: Settings,
    pub(super) client_secret: Secret,
    pub(super) origins: Origins,
}

impl DataSource {
    /// Opens the store and, if a grant is stored, starts the schedule. Blocks for some
    /// milliseconds.
    pub(super) fn open(
        environment: &Environment,
        vault: Arc<Vault>,
        specification: Arc<Specification>,
        records: Arc<Records>,
        configuration: Configuration,
    ) -> Result<DataSource, DataSourceError> {
        let Configuration { key, settings, client_secret, origins } = configuration;
        let settings = Arc::new(settings);
        let clock = environment.clock.clone();
        let store = open_store(environment, &vault, &specification, &key, &settings)?;
        store.set_suspect(records.get(&key).damage.is_some());
        let oauth = OAuth {
            http: environment.http.clone(),
            origins: origins.clone(),
            application: Application { client_id: settings.client_id.clone(), client_secret },
            clock: clock.clone(),
        };
        let login =
            Arc::new(Login::new(key.clone(), Arc::clone(&settings), vault, oauth, store.clone()));
        let gate = environment.rate_gates.of(&origins, &settings.client_id);
        let http = environment.http.clone();
        let client = Client::new(http, origins, login.access_tokens(), clock.clone(), gate);
        let schedule = if environment.scheduled {
            Schedule::Every(settings.sync_interval())
        } else {
            Schedule::OnRequest
        };
        let sync = SyncControl::new(
            key.clone(),
            Arc::clone(&settings),
            store.clone(),
            client,
            clock.clone(),
            schedule,
            environment.full_sync_interval,
        );
        let is_read_only = login.read_only_reason().is_some();
        let needs_notices = !settings.demo || is_read_only;
        let notices = needs_notices.then(|| {
            Notices::new(Arc::clone(&login), Arc::clone(&settings), store.clone(), clock.clone())
        });
        let engine = Engine::new(store.clone(), store.zone(), environment.limits);
        let queries = Queries::new(engine, store, notices);
        if !is_read_only {
            login.record_connection()?;
            sync.rebuild_if_outdated()?;
            if login.grant()?.is_some() {
                sync.start(None)?;
            }
        }
        let inner = Inner {
            key,
            settings,
            limits: environment.limits,
            min_free_bytes: environment.min_free_bytes,
            clock,
            specification,
            records,
            login,
            sync,
            queries,
        };
        Ok(DataSource { inner: Arc::new(inner) })
    }

    /// The organisation and uid.
    pub fn key(&self) -> &DataSourceKey {
        &self.inner.key
    }

    /// The settings with which the data source was opened.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The limits of queries.
    pub fn limits(&self) -> Limits {
        self.inner.limits
    }

    /// Returns why the data source is read-only, if it is.
    pub fn read_only_reason(&self) -> Option<&str> {
        self.inner.login.read_only_reason()
    }

    /// Returns the catalogue in use. A newer specification may replace it at any time.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.inner.sync.store().catalog()
    }

    /// The time zone in which the stored days begin.
    pub fn zone(&self) -> Tz {
        self.inner.sync.store().zone()
    }

    /// The path of the database.
    pub fn database(&self) -> PathBuf {
        self.inner.sync.store().path().to_owned()
    }

    /// Returns the size of the database with its write-ahead log, in bytes.
    pub fn database_size(&self) -> u64 {
        self.inner.sync.store().size()
    }

    /// Starts a login, which the same `user` must complete within ten minutes.
    pub fn start_login(
        &self,
        redirect: &RedirectUri,
        user: &str,
    ) -> Result<LoginStart, DataSourceError> {
        self.require_writable()?;
        self.inner.login.start(redirect, user)
    }

    /// Completes the login behind `state`, and starts the first sync.
    pub async fn finish_login(
        &self,
        code: &Secret,
        state: &Secret,
        user: &str,
    ) -> Result<(), DataSourceError> {
        self.require_writable()?;
        self.inner.login.finish(code, state, user).await?;
        let datasource = self.clone();
        blocking(move || datasource.inner.sync.start(Some(Trigger::Login))).await?;
        Ok(())
    }

    /// Returns the error for a redirect address that Oura rejected. It contains the address if
    /// `user` started the login behind `state`.
    pub fn redirect_not_registered(&self, state: &Secret, user: &str) -> DataSourceError {
        self.inner.login.redirect_not_registered(state, user)
    }

    /// Returns whether `user` started the login behind `state`, and has not completed it.
    pub fn has_pending_login(&self, state: &Secret, user: &str) -> bool {
        self.inner.login.has_pending(state, user)
    }

    /// Stops the syncs, and revokes and deletes the tokens. Keeps the health data.
    pub async fn disconnect(&self) -> Result<(), DataSourceError> {
        self.require_writable()?;
        self.inner.sync.stop().await;
        self.inner.login.disconnect().await
    }

    /// Disconnects, and deletes the health data.
    pub async fn delete_data(&self) -> Result<BTreeMap<String, usize>, DataSourceError> {
        self.disconnect().await?;
        let deleted = self.inner.sync.delete_all().await?;
        self.inner.login.forget_person()?;
        Ok(deleted)
    }

    /// Requests a sync. Returns its run id immediately. A request during a run joins that run.
    pub fn start_sync(&self, trigger: Trigger) -> Result<i64, DataSourceError> {
        self.require_writable()?;
        self.inner.sync.request(trigger)
    }

    /// Queues days to be fetched again and requests a sync. Returns the id of the run that fetches
    /// them, which starts after the current run.
    pub fn backfill(&self, request: &Backfill) -> Result<i64, DataSourceError> {
        self.require_writable()?;
        self.inner.sync.backfill(request)
    }

    /// Returns the progress of the current run, or of the last one of this process.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.inner.sync.progress()
    }

    /// Reads the status. Blocks for a few small reads.
    pub fn status(&self) -> Result<Status, DataSourceError> {
        let Inner { key, login, sync, specification, records, clock, .. } = &*self.inner;
        let status = read_status(login, sync, specification, records.get(key).damage, clock.now())?;
        Ok(Status { disk: self.disk_space(), ..status })
    }

    fn disk_space(&self) -> Option<DiskSpace> {
        let database = self.database();
        let folder = database.parent()?;
        DiskSpace::measure(folder, self.database_size(), self.inner.min_free_bytes)
    }

    /// Reads the measurements. Blocks for a few small reads.
    pub fn measures(&self) -> Result<Measures, DataSourceError> {
        let Inner { login, sync, queries, clock, .. } = &*self.inner;
        read_measures(self.status()?, login, sync, queries, clock.now())
    }

    /// Runs a query. Its result has a notice if the data is outdated.
    pub async fn query(
        &self,
        query: &SqlQuery,
        context: &QueryContext,
    ) -> Result<QueryResult, QueryError> {
        self.inner.queries.run(query, context).await
    }

    /// Runs a query as [`DataSource::query`] does, and returns its rows while they are read, in
    /// `batches`.
    pub async fn stream(
        &self,
        query: &SqlQuery,
        context: &QueryContext,
        batches: Batches,
    ) -> Result<RowStream, QueryError> {
        self.inner.queries.stream(query, context, batches).await
    }

    /// Runs a metrics query. Returns the result and its format.
    ///
    /// If a limit truncates the result, runs it again with longer steps that cover the whole range.
    pub async fn query_metrics(
        &self,
        metrics: &MetricsQuery,
        context: &QueryContext,
    ) -> Result<(QueryResult, Format), QueryError> {
        self.inner.queries.run_metrics(metrics, context).await
    }

    /// Runs an annotations query. Returns the result and its format.
    pub async fn query_annotations(
        &self,
        annotations: &AnnotationsQuery,
        context: &QueryContext,
    ) -> Result<(QueryResult, Format), QueryError> {
        self.inner.queries.run_annotations(annotations, context).await
    }

    /// Writes a consistent copy of the database to `to`, which must not exist.
    pub async fn export_sqlite(&self, to: PathBuf) -> Result<(), DataSourceError> {
        self.inner.sync.copy_to(to).await
    }

    /// Replaces the catalogue. Queries use the old tables until the new ones are complete.
    pub(super) async fn set_catalog(&self, catalog: Arc<Catalog>) -> Result<(), DataSourceError> {
        self.inner.sync.set_catalog(catalog).await
    }

    /// Returns whether no caller holds a clone of this handle, except the registry.
    pub(super) fn is_unused(&self) -> bool {
        Arc::strong_count(&self.inner) == 1
    }

    /// Returns whether this data source is unused, and no sync is running or requested.
    pub(super) fn is_idle(&self) -> bool {
        self.is_unused() && !self.inner.sync.is_running()
    }

    /// Returns whether the schedule runs, which requires a login.
    pub(super) fn is_connected(&self) -> bool {
        self.inner.sync.is_started()
    }

    /// Returns when the schedule starts the next sync, if it is known.
    pub(super) fn next_sync(&self) -> Option<Instant> {
        self.inner.sync.next()
    }

    /// Returns whether this data source is logged in to Oura itself.
    pub(super) fn is_connected_to_oura(&self) -> bool {
        !self.inner.settings.demo && self.inner.sync.is_started()
    }

    /// Extends the calendar through today, so that coverage has a row for days without a sync.
    pub(super) async fn extend_calendar(&self) {
        self.inner.sync.extend_calendar().await;
    }

    /// Reads every page of the database and records the outcome. Takes seconds per gigabyte.
    pub async fn check_database(&self) {
        let datasource = self.clone();
        blocking(move || {
            let Inner { key, records, sync, clock, .. } = &*datasource.inner;
            match find_damage(sync.store().path()) {
                Ok(damage) => {
                    if let Some(damage) = &damage {
                        tracing::error!(datasource = %key, damage, "the stored data is damaged");
                    }
                    sync.store().set_suspect(damage.is_some());
                    records.update(key, |record| {
                        record.checked_at = Some(clock.now());
                        record.damage = damage;
                    });
                }
                Err(error) => {
                    tracing::warn!(datasource = %key, %error, "could not check the stored data")
                }
            }
        })
        .await;
    }

    /// Returns whether the database was not checked for a day, or SQLite reported damage that no
    /// check has recorded.
    pub(super) fn is_check_due(&self) -> bool {
        let Inner { key, records, sync, clock, .. } = &*self.inner;
        let record = records.get(key);
        let is_new_suspicion = sync.store().is_suspect() && record.damage.is_none();
        let last = record.checked_at.unwrap_or(Instant(0)).seconds();
        is_new_suspicion || (clock.now().seconds() - last).abs() >= CHECK_INTERVAL
    }

    /// Returns a handle that knows whether the database is open.
    pub(super) fn usage(&self) -> StoreUsage {
        self.inner.sync.store().usage()
    }

    /// Stops syncs and rebuilds. Waits for the windows, token refresh and write in progress.
    pub(super) async fn close(&self) {
        let Inner { login, sync, .. } = &*self.inner;
        sync.stop_rebuilds();
        sync.stop().await;
        login.settle().await;
        sync.wait_for_writer().await;
    }

    fn require_writable(&self) -> Result<(), DataSourceError> {
        match self.read_only_reason() {
            Some(reason) => Err(DataSourceError::ReadOnly { reason: reason.to_owned() }),
            None => Ok(()),
        }
    }
}

/// Opens or creates the store. In a read-only data folder, opens an existing one.
fn open_store(
    environment: &Environment,
    vault: &Vault,
    specification: &Specification,
    key: &DataSourceKey,
    settings: &Settings,
) -> Result<Store, DataSourceError> {
    let zone = settings.zone()?;
    let path = key.database(&environment.data_dir);
    match vault.read_only_reason() {
        None => Ok(Store::open(&path, specification.catalog(), zone)?),
        Some(_) if path.exists() => Ok(Store::open_existing(&path, specification.catalog())?),
        Some(reason) => Err(DataSourceError::ReadOnly { reason: reason.to_owned() }),
    }
}
