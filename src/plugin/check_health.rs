//! `CheckHealth`, behind *Save & test*: starts a sync on a connected data source, and returns its
//! status within ten seconds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use grafana_plugin_sdk::pluginv2::CheckHealthResponse;
use grafana_plugin_sdk::pluginv2::check_health_response::HealthStatus;
use parking_lot::Mutex;
use serde_json::json;

use super::context::{self, Call};
use super::startup::Startup;
use crate::api::ApiError;
use crate::blocking::blocking;
use crate::datasource::{
    CollectionStatus, ConnectionState, DataSource, DataSourceError, DataSourceKey, Status, Trigger,
};
use crate::format::grouped;
use crate::store::{CollectionState, REPAIR};

/// Maximum wait for the sync, because the user looks at a spinner.
const SYNC_TIMEOUT: Duration = Duration::from_secs(8);
/// Maximum time for everything else, added to [`SYNC_TIMEOUT`].
const STATUS_TIMEOUT: Duration = Duration::from_secs(1);

/// Minimum time between two syncs that health checks start: every user may press the button.
const MIN_SYNC_INTERVAL: Duration = Duration::from_secs(60);

/// The time of the last sync that a health check started, by data source. Cheap to clone.
#[derive(Clone, Default)]
pub struct HealthSyncs {
    started: Arc<Mutex<HashMap<DataSourceKey, Instant>>>,
}

impl HealthSyncs {
    /// Returns whether another sync is due. If so, records it as started.
    fn take_turn(&self, key: &DataSourceKey) -> bool {
        let mut started = self.started.lock();
        let due = started.get(key).is_none_or(|at| at.elapsed() >= MIN_SYNC_INTERVAL);
        if due {
            started.insert(key.clone(), Instant::now());
        }
        due
    }
}

/// Checks the health of a data source.
pub async fn handle(startup: &Startup, syncs: &HealthSyncs, call: Call<'_>) -> CheckHealthResponse {
    check_until(tokio::time::Instant::now() + SYNC_TIMEOUT, startup, syncs, call).await
}

async fn check_until(
    deadline: tokio::time::Instant,
    startup: &Startup,
    syncs: &HealthSyncs,
    call: Call<'_>,
) -> CheckHealthResponse {
    let check = async {
        let (datasource, is_read_only) = context::datasource_and_rights(startup, call).await?;
        let status = if is_read_only {
            read_status(&datasource).await?
        } else {
            sync_and_read(&datasource, syncs, deadline).await?
        };
        Ok::<_, ApiError>((status, datasource.read_only_reason().map(str::to_owned)))
    };
    match tokio::time::timeout_at(deadline + STATUS_TIMEOUT, check)
        .await
        .unwrap_or_else(|_| Err(busy()))
    {
        Ok((status, Some(why))) => response(HealthStatus::Error, why, details(&status)),
        Ok((status, None)) => report(&status),
        Err(error) => fail(error),
    }
}

/// Returns `error` as the health of a data source.
pub fn fail(error: ApiError) -> CheckHealthResponse {
    let details = json!({ "code": error.code, "verboseMessage": error.hint });
    response(HealthStatus::Error, error.message, details)
}

/// The error for a check that times out. The work it started continues.
fn busy() -> ApiError {
    let message =
        "the data source is not ready yet: it is applying changed settings or a newer version";
    ApiError::new(503, "busy", message, "Press Save & test again in a minute. No data is lost.")
}

/// Starts a sync if one is due, waits for it until `deadline`, and returns the status.
async fn sync_and_read(
    datasource: &DataSource,
    syncs: &HealthSyncs,
    deadline: tokio::time::Instant,
) -> Result<Status, DataSourceError> {
    let status = read_status(datasource).await?;
    if status.state != ConnectionState::Connected {
        return Ok(status);
    }
    let mut progress = datasource.progress();
    if syncs.take_turn(datasource.key()) {
        let run = datasource.start_sync(Trigger::Health)?;
        // A longer sync continues, and the message contains its progress.
        let _ = tokio::time::timeout_at(
            deadline,
            progress.wait_for(|progress| progress.run >= run && progress.finished),
        )
        .await;
    }
    read_status(datasource).await
}

async fn read_status(datasource: &DataSource) -> Result<Status, DataSourceError> {
    let datasource = datasource.clone();
    blocking(move || datasource.status()).await
}

fn details(status: &Status) -> serde_json::Value {
    json!({
        "state": status.state,
        "damage": status.damage,
        "sync": status.sync,
        "collections": status.collections,
    })
}

fn report(status: &Status) -> CheckHealthResponse {
    if let Some(damage) = &status.damage {
        let message = format!("The stored data is damaged: {damage}. {REPAIR}");
        return response(HealthStatus::Error, message, details(status));
    }
    let error = match status.state {
        ConnectionState::NotConfigured => {
            "Missing client ID or client secret. Copy both from the application's page at Oura, \
             and save."
                .to_owned()
        }
        ConnectionState::NotConnected => {
            "Not connected to Oura yet. Press Connect to log in.".to_owned()
        }
        ConnectionState::ReconnectNeeded => {
            let reason = status.reason.as_deref().unwrap_or("Oura no longer accepts the login");
            format!("{reason}. Stored data stays. Press Connect to log in again.")
        }
        ConnectionState::Connected => match &status.sync.failure {
            Some(failure) if !status.sync.running => {
                format!("Connected, but the last sync failed: {failure}")
            }
            _ => return response(HealthStatus::Ok, summarize(status), details(status)),
        },
    };
    response(HealthStatus::Error, error, details(status))
}

/// `Connected. 21,400 documents from 2023-11-25 to 2026-11-24; 19 of 19 collections up to date.`,
/// and the unavailable collections.
fn summarize(status: &Status) -> String {
    let collections = &status.collections;
    let documents: u64 = collections.iter().map(|collection| collection.documents).sum();
    let first = collections.iter().filter_map(|collection| collection.first_day).min();
    let last = collections.iter().filter_map(|collection| collection.last_day).max();
    let range =
        first.zip(last).map(|(first, last)| format!(" from {first} to {last}")).unwrap_or_default();
    let current =
        collections.iter().filter(|collection| collection.state == CollectionState::Ok).count();
    let mut text = format!(
        "Connected. {} documents{range}; {current} of {} collections up to date.",
        grouped(documents),
        collections.len()
    );
    if status.sync.running {
        text += &format!(" A sync is running, {:.0} % done.", status.sync.percent);
    }
    let unavailable: Vec<String> = collections.iter().filter_map(describe_trouble).collect();
    if !unavailable.is_empty() {
        text += &format!(" Not available: {}.", unavailable.join("; "));
    }
    text
}

/// `heartrate (the scope heartrate is missing)`, for a collection that is not available.
fn describe_trouble(collection: &CollectionStatus) -> Option<String> {
    let (name, state) = (&collection.name, collection.state);
    state.is_trouble().then(|| match &collection.reason {
        Some(reason) => format!("{name} ({})", reason.trim_end_matches('.')),
        None => format!("{name} ({state})"),
    })
}

fn response(
    status: HealthStatus,
    message: String,
    details: serde_json::Value,
) -> CheckHealthResponse {
    CheckHealthResponse {
        status: status.into(),
        message,
        json_details: details.to_string().into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use grafana_plugin_sdk::pluginv2::{DataSourceInstanceSettings, PluginContext};

    use super::*;
    use crate::datasource::{DataSources, Environment, SyncStatus};
    use crate::oura::Origins;
    use crate::time::Day;

    fn collection(
        name: &str,
        state: CollectionState,
        documents: u64,
        reason: Option<&str>,
    ) -> CollectionStatus {
        CollectionStatus {
            name: name.to_owned(),
            documents,
            first_day: Day::new(2023, 11, 25),
            last_day: Day::new(2026, 11, 24),
            last_sync: None,
            state,
            reason: reason.map(str::to_owned),
            summary: String::new(),
        }
    }

    fn status(state: ConnectionState, collections: Vec<CollectionStatus>) -> Status {
        Status {
            state,
            reason: None,
            scopes: Vec::new(),
            damage: None,
            disk: None,
            sync: SyncStatus {
                running: false,
                percent: 100.0,
                run: Some(1),
                documents: 0,
                seconds_left: None,
                last_sync: None,
                next_sync: None,
                failure: None,
            },
            specification: "1.43".to_owned(),
            specification_checked_at: None,
            collections,
        }
    }

    #[test]
    fn connected_message_has_totals_and_unavailable_collections() {
        let collections = vec![
            collection("sleep", CollectionState::Ok, 1_400, None),
            collection("workout", CollectionState::Ok, 20_000, None),
            collection(
                "vO2_max",
                CollectionState::ScopeMissing,
                0,
                Some("the scope heart_health is missing."),
            ),
        ];
        let health = report(&status(ConnectionState::Connected, collections));
        assert_eq!(health.status(), HealthStatus::Ok);
        assert_eq!(
            health.message,
            "Connected. 21,400 documents from 2023-11-25 to 2026-11-24; \
             2 of 3 collections up to date. Not available: vO2_max (the scope heart_health is \
             missing)."
        );
        assert!(
            serde_json::from_slice::<serde_json::Value>(&health.json_details).unwrap().is_object()
        );
    }

    #[test]
    fn unconnected_message_has_a_remedy() {
        for (state, remedy) in [
            (ConnectionState::NotConfigured, "Copy both"),
            (ConnectionState::NotConnected, "Press Connect"),
            (ConnectionState::ReconnectNeeded, "Press Connect"),
        ] {
            let health = report(&status(state, Vec::new()));
            assert_eq!(health.status(), HealthStatus::Error);
            assert!(health.message.contains(remedy), "{}", health.message);
        }
    }

    #[test]
    fn failed_sync_is_an_error_with_its_reason() {
        let mut status = status(ConnectionState::Connected, Vec::new());
        status.sync.failure = Some("Oura answered 500".to_owned());
        assert!(report(&status).message.ends_with("failed: Oura answered 500"));
        status.sync.running = true;
        assert_eq!(report(&status).status(), HealthStatus::Ok);
    }

    #[test]
    fn damage_is_an_error_with_its_remedy() {
        for state in [ConnectionState::Connected, ConnectionState::ReconnectNeeded] {
            let mut status = status(state, Vec::new());
            status.damage = Some("page 7".to_owned());
            let health = report(&status);
            assert_eq!(health.status(), HealthStatus::Error);
            assert!(health.message.contains("damaged: page 7"), "{}", health.message);
            assert!(health.message.ends_with(REPAIR), "{}", health.message);
        }
    }

    #[tokio::test]
    async fn unready_data_source_is_reported_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::at(folder.path(), Origins::oura()).unwrap();
        // The other process holds the folder, so the data source does not open.
        let _other = DataSources::open(environment.clone()).unwrap();
        let startup = Startup::begin(|| Ok(environment));
        let context = PluginContext {
            org_id: 1,
            data_source_instance_settings: Some(DataSourceInstanceSettings {
                uid: "oura".to_owned(),
                ..Default::default()
            }),
            ..PluginContext::default()
        };
        // Waiting for the other process would end with another message.
        let deadline = tokio::time::Instant::now();
        let call = Call { context: Some(&context), door: None };
        let health = check_until(deadline, &startup, &HealthSyncs::default(), call).await;
        assert_eq!(health.status(), HealthStatus::Error);
        assert!(health.message.contains("not ready yet"), "{}", health.message);
    }

    #[test]
    fn sync_starts_at_most_once_a_minute_per_data_source() {
        let (syncs, one, two) = (
            HealthSyncs::default(),
            DataSourceKey::new(1, "a").unwrap(),
            DataSourceKey::new(2, "a").unwrap(),
        );
        assert!(syncs.take_turn(&one) && !syncs.take_turn(&one) && syncs.take_turn(&two));
    }
}
