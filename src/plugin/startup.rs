//! The data sources of this process, opened in the background.
//!
//! The handshake must not wait for a disk. Calls wait instead.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::settings::SettingsError;
use crate::datasource::{DataSourceError, DataSources, Environment};

/// Pause between two attempts. A data folder can become usable later: an orphaned process ends, or
/// an operator corrects permissions.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// The reason that the data sources could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    DataSources(#[from] DataSourceError),
    #[error("the data sources could not be opened; see the plugin's log")]
    Panicked,
}

type State = Option<Result<DataSources, Arc<Unavailable>>>;

/// A handle on the data sources. Cheap to clone.
#[derive(Clone)]
pub struct Startup {
    state: watch::Receiver<State>,
}

impl Startup {
    /// Opens the data sources in the background and resumes their schedules. Retries until the data
    /// folder is writable. Until then, calls return the last error.
    pub fn begin(
        environment: impl FnOnce() -> Result<Environment, SettingsError> + Send + 'static,
    ) -> Startup {
        let (sender, state) = watch::channel(None);
        tokio::spawn(async move {
            let environment = match environment() {
                Ok(environment) => environment,
                Err(error) => return publish(&sender, Err(error.into())),
            };
            loop {
                let environment = environment.clone();
                match tokio::task::spawn_blocking(move || {
                    DataSources::open_or_read_only(environment)
                })
                .await
                {
                    Ok(Ok(datasources)) => match datasources.read_only_reason() {
                        None => return resume(&sender, datasources).await,
                        Some(why) => publish_read_only(&sender, why, &datasources),
                    },
                    Ok(Err(error)) => publish(&sender, Err(error.into())),
                    Err(_) => return publish(&sender, Err(Unavailable::Panicked)),
                }
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
        });
        Startup { state }
    }

    /// A handle on data sources that are open.
    pub fn opened_with(datasources: DataSources) -> Startup {
        let (sender, state) = watch::channel(Some(Ok(datasources)));
        drop(sender);
        Startup { state }
    }

    /// Returns the data sources after the first attempt to open them.
    pub async fn datasources(&self) -> Result<DataSources, Arc<Unavailable>> {
        match self.state.clone().wait_for(Option::is_some).await.as_deref() {
            Ok(Some(state)) => state.clone(),
            _ => Err(Arc::new(Unavailable::Panicked)),
        }
    }

    /// Returns the data sources if they are open.
    pub fn opened(&self) -> Option<DataSources> {
        self.state.borrow().clone().and_then(Result::ok)
    }
}

fn publish(sender: &watch::Sender<State>, outcome: Result<DataSources, Unavailable>) {
    let known =
        sender.borrow().as_ref().and_then(|state| state.as_ref().err().map(ToString::to_string));
    if let Err(error) = &outcome
        && known != Some(error.to_string())
    {
        tracing::error!(%error, "the data sources could not be opened");
    }
    sender.send_replace(Some(outcome.map_err(Arc::new)));
}

/// Serves stored data read-only until the folder is writable. Data sources that are served already
/// stay.
fn publish_read_only(sender: &watch::Sender<State>, why: &str, datasources: &DataSources) {
    sender.send_if_modified(|state| {
        let is_open = matches!(state, Some(Ok(_)));
        if !is_open {
            tracing::error!("{why}");
            *state = Some(Ok(datasources.clone()));
        }
        !is_open
    });
}

async fn resume(sender: &watch::Sender<State>, datasources: DataSources) {
    publish(sender, Ok(datasources.clone()));
    match datasources.resume().await {
        Ok(count) => tracing::info!(datasources = count, "ready"),
        Err(error) => {
            tracing::error!(%error, "schedules resume with the next request from Grafana")
        }
    }
}
