//! The data sources of this process. They open behind the handshake, which must not wait for a disk; calls wait for them instead.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::settings::SettingsError;
use crate::datasource::{DataSourceError, DataSources, Environment};

/// A data folder that cannot be used now may be usable later: an orphaned process lets go of it, a person mends its permissions.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// Why there are no data sources.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    DataSources(#[from] DataSourceError),
    #[error("the datasources could not be opened; the log says why")]
    Panicked,
}

type State = Option<Result<DataSources, Arc<Unavailable>>>;

/// Cheap to clone.
#[derive(Clone)]
pub struct Startup {
    state: watch::Receiver<State>,
}

impl Startup {
    /// Opens the data sources in the background, as often as it takes, and resumes their schedules. Calls meanwhile get the last error.
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
                        Some(why) => read_meanwhile(&sender, why, &datasources),
                    },
                    Ok(Err(error)) => publish(&sender, Err(error.into())),
                    Err(_) => return publish(&sender, Err(Unavailable::Panicked)),
                }
                tokio::time::sleep(TRY_AGAIN).await;
            }
        });
        Startup { state }
    }

    /// The data sources, as soon as it is known whether they open.
    pub async fn datasources(&self) -> Result<DataSources, Arc<Unavailable>> {
        match self.state.clone().wait_for(Option::is_some).await.as_deref() {
            Ok(Some(state)) => state.clone(),
            _ => Err(Arc::new(Unavailable::Panicked)),
        }
    }

    /// The data sources, if they are open already.
    pub fn now(&self) -> Option<DataSources> {
        self.state.borrow().clone().and_then(Result::ok)
    }
}

fn publish(sender: &watch::Sender<State>, outcome: Result<DataSources, Unavailable>) {
    let known =
        sender.borrow().as_ref().and_then(|state| state.as_ref().err().map(ToString::to_string));
    if let Err(error) = &outcome
        && known != Some(error.to_string())
    {
        tracing::error!(%error, "no data source can be served");
    }
    sender.send_replace(Some(outcome.map_err(Arc::new)));
}

/// Lets stored data be read until the folder can be written. Those that are read already stay as they are.
fn read_meanwhile(sender: &watch::Sender<State>, why: &str, datasources: &DataSources) {
    sender.send_if_modified(|state| {
        let reads_already = matches!(state, Some(Ok(_)));
        if !reads_already {
            tracing::error!("{why}");
            *state = Some(Ok(datasources.clone()));
        }
        !reads_already
    });
}

async fn resume(sender: &watch::Sender<State>, datasources: DataSources) {
    publish(sender, Ok(datasources.clone()));
    match datasources.resume().await {
        Ok(count) => tracing::info!(datasources = count, "ready"),
        Err(error) => {
            tracing::error!(%error, "schedules cannot go on before Grafana's next request")
        }
    }
}
