//! `CheckHealth`, behind *Save & test*: starts a sync on a connected data source and says what there is, within ten seconds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use grafana_plugin_sdk::pluginv2::check_health_response::HealthStatus;
use grafana_plugin_sdk::pluginv2::{CheckHealthResponse, PluginContext};
use parking_lot::Mutex;
use serde_json::json;

use super::context;
use super::opening::Opening;
use crate::api::ApiError;
use crate::blocking::blocking;
use crate::datasource::{
    CollectionStatus, ConnectionState, DataSource, DataSourceError, DataSourceKey, Status, Trigger,
};
use crate::format::grouped;
use crate::store::CollectionState;

/// How long to wait for a sync: a person looks at a spinner meanwhile.
const PATIENCE: Duration = Duration::from_secs(8);
/// What may come on top of it, whatever the data source is busy with.
const MARGIN: Duration = Duration::from_secs(1);

/// Anybody may press the button as often as they like; Oura is asked this often at most.
const BETWEEN_SYNCS: Duration = Duration::from_secs(60);

/// When a health check last started a sync. Cheap to clone.
#[derive(Clone, Default)]
pub struct HealthSyncs {
    started: Arc<Mutex<HashMap<DataSourceKey, Instant>>>,
}

impl HealthSyncs {
    /// Whether it is time for another one; if so, this is it.
    fn due(&self, key: &DataSourceKey) -> bool {
        let mut started = self.started.lock();
        let due = started.get(key).is_none_or(|at| at.elapsed() >= BETWEEN_SYNCS);
        if due {
            started.insert(key.clone(), Instant::now());
        }
        due
    }
}

pub async fn answer(
    opening: &Opening,
    syncs: &HealthSyncs,
    context: Option<&PluginContext>,
) -> CheckHealthResponse {
    answer_by(tokio::time::Instant::now() + PATIENCE, opening, syncs, context).await
}

async fn answer_by(
    deadline: tokio::time::Instant,
    opening: &Opening,
    syncs: &HealthSyncs,
    context: Option<&PluginContext>,
) -> CheckHealthResponse {
    let looked = async {
        let datasource = context::datasource(opening, context).await?;
        let status = look(&datasource, syncs, deadline).await?;
        Ok::<_, ApiError>((status, datasource.read_only_reason().map(str::to_owned)))
    };
    match tokio::time::timeout_at(deadline + MARGIN, looked).await.unwrap_or_else(|_| Err(busy())) {
        Ok((status, Some(why))) => response(HealthStatus::Error, why, details(&status)),
        Ok((status, None)) => report(&status),
        Err(error) => response(
            HealthStatus::Error,
            error.message,
            json!({ "code": error.code, "verboseMessage": error.hint }),
        ),
    }
}

/// What was begun goes on without the one who asked.
fn busy() -> ApiError {
    let message =
        "the data source is busy with its changed settings or a newer version, and not ready yet";
    ApiError::new(503, "busy", message, "Press Save & test again in a minute; nothing is lost.")
}

/// The status, after the sync this check started if there was one to start and it ended before `deadline`.
async fn look(
    datasource: &DataSource,
    syncs: &HealthSyncs,
    deadline: tokio::time::Instant,
) -> Result<Status, DataSourceError> {
    let status = status_of(datasource).await?;
    if status.state != ConnectionState::Connected {
        return Ok(status);
    }
    let mut progress = datasource.progress();
    if syncs.due(datasource.key()) {
        let run = datasource.start_sync(Trigger::Health)?;
        // A sync that takes longer goes on, and the message says how far it is.
        let _ = tokio::time::timeout_at(
            deadline,
            progress.wait_for(|progress| progress.run >= run && progress.finished),
        )
        .await;
    }
    status_of(datasource).await
}

async fn status_of(datasource: &DataSource) -> Result<Status, DataSourceError> {
    let datasource = datasource.clone();
    blocking(move || datasource.status()).await
}

fn details(status: &Status) -> serde_json::Value {
    json!({ "state": status.state, "sync": status.sync, "collections": status.collections })
}

fn report(status: &Status) -> CheckHealthResponse {
    let details = details(status);
    match status.state {
        ConnectionState::NotConfigured => response(
            HealthStatus::Error,
            "The client id or the client secret is missing. Enter both from the application's page at Oura, and save.".to_owned(),
            details,
        ),
        ConnectionState::NotConnected => {
            response(HealthStatus::Error, "Not connected to Oura yet. Press Connect to log in.".to_owned(), details)
        }
        ConnectionState::ReconnectNeeded => {
            let reason = status.reason.as_deref().unwrap_or("Oura no longer accepts the login");
            response(HealthStatus::Error, format!("{reason}. The data so far stay; press Connect to log in again."), details)
        }
        ConnectionState::Connected => match &status.sync.failure {
            Some(failure) if !status.sync.running => {
                response(HealthStatus::Error, format!("Connected, but the last sync failed: {failure}"), details)
            }
            _ => response(HealthStatus::Ok, connected(status), details),
        },
    }
}

/// `Connected. 21,400 documents from 2023-11-25 to 2026-11-24; 19 of 19 collections up to date.` and what is not.
fn connected(status: &Status) -> String {
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
    let failing: Vec<String> = collections.iter().filter_map(trouble).collect();
    if !failing.is_empty() {
        text += &format!(" Not available: {}.", failing.join("; "));
    }
    text
}

/// `heartrate (scope_missing: …)`, for a collection that Oura does not give.
fn trouble(collection: &CollectionStatus) -> Option<String> {
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
    use grafana_plugin_sdk::pluginv2::DataSourceInstanceSettings;

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
    fn a_connected_data_source_says_how_much_it_holds_and_what_oura_keeps_back() {
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
            "Connected. 21,400 documents from 2023-11-25 to 2026-11-24; 2 of 3 collections up to date. \
             Not available: vO2_max (the scope heart_health is missing)."
        );
        assert!(
            serde_json::from_slice::<serde_json::Value>(&health.json_details).unwrap().is_object()
        );
    }

    #[test]
    fn a_data_source_that_is_not_connected_says_what_to_do() {
        for (state, remedy) in [
            (ConnectionState::NotConfigured, "Enter both"),
            (ConnectionState::NotConnected, "Press Connect"),
            (ConnectionState::ReconnectNeeded, "press Connect"),
        ] {
            let health = report(&status(state, Vec::new()));
            assert_eq!(health.status(), HealthStatus::Error);
            assert!(health.message.contains(remedy), "{}", health.message);
        }
    }

    #[test]
    fn a_sync_that_failed_is_an_error_with_its_reason() {
        let mut status = status(ConnectionState::Connected, Vec::new());
        status.sync.failure = Some("Oura answered 500".to_owned());
        assert!(report(&status).message.ends_with("failed: Oura answered 500"));
        status.sync.running = true;
        assert_eq!(report(&status).status(), HealthStatus::Ok);
    }

    #[tokio::test]
    async fn a_data_source_that_is_not_ready_yet_says_so_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::at(folder.path(), Origins::oura()).unwrap();
        // As long as another process has the folder, which is waited for, nothing opens.
        let _other = DataSources::open(environment.clone()).unwrap();
        let opening = Opening::begin(|| Ok(environment));
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
        let health = answer_by(deadline, &opening, &HealthSyncs::default(), Some(&context)).await;
        assert_eq!(health.status(), HealthStatus::Error);
        assert!(health.message.contains("not ready yet"), "{}", health.message);
    }

    #[test]
    fn the_button_starts_a_sync_at_most_once_a_minute_for_each_data_source() {
        let (syncs, one, two) = (
            HealthSyncs::default(),
            DataSourceKey::new(1, "a").unwrap(),
            DataSourceKey::new(2, "a").unwrap(),
        );
        assert!(syncs.due(&one) && !syncs.due(&one) && syncs.due(&two));
    }
}
