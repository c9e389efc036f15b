//! Demo data sources: a simulator of Oura in this process, and the login to it.

use tokio::sync::OnceCell;

use super::data_source::DataSource;
use super::error::DataSourceError;
use super::settings::Settings;
use crate::oura::{Origins, Secret};
use crate::simulator::{self, Simulator};
use crate::time::{Clock, Day, Tz};

/// The length of the synthetic history in days.
const HISTORY_DAYS: i64 = 3 * 365;
/// The seed of the synthetic person.
const SEED: u64 = 1;
/// The user of demo logins.
const USER: &str = "demo";
/// The redirect address of demo logins. No browser opens it.
const REDIRECT: &str = "http://localhost/connections/datasources/edit/demo";

/// The simulator of all demo data sources of this process. It starts with the first of them.
pub(super) struct Demo {
    clock: Clock,
    simulator: OnceCell<Simulator>,
}

/// The settings, client secret and addresses with which a demo data source uses the simulator.
pub(super) struct DemoApplication {
    pub(super) settings: Settings,
    pub(super) client_secret: Secret,
    pub(super) origins: Origins,
}

impl Demo {
    pub(super) fn new(clock: Clock) -> Demo {
        Demo { clock, simulator: OnceCell::new() }
    }

    /// Starts the simulator if necessary, and returns the application registered with it.
    pub(super) async fn application(
        &self,
        settings: &Settings,
    ) -> Result<DemoApplication, DataSourceError> {
        let config = simulator::Config::new(SEED, first_day(&self.clock), self.clock.clone());
        let client_id = config.client_id.clone();
        let client_secret = Secret::new(config.client_secret.clone());
        let simulator = self
            .simulator
            .get_or_try_init(|| Simulator::start(config, ([127, 0, 0, 1], 0).into()))
            .await
            .map_err(|error| DataSourceError::Demo { detail: error.to_string() })?;
        Ok(DemoApplication {
            settings: Settings { client_id, ..settings.clone() },
            client_secret,
            origins: Origins::at(&simulator.origin()),
        })
    }
}

fn first_day(clock: &Clock) -> Day {
    clock.now().day(Tz::UTC).plus(-HISTORY_DAYS)
}

/// Logs in to the simulator as a user does. Repeated in each process, because the simulator does
/// not remember the grants of an earlier one.
pub(super) async fn log_in(
    datasource: &DataSource,
    http: &reqwest::Client,
) -> Result<(), DataSourceError> {
    let redirect = REDIRECT.parse().expect("a valid redirect address");
    let start = datasource.start_login(&redirect, USER)?;
    let (code, state) = simulator::consent(http, &start.authorize_url)
        .await
        .map_err(|error| DataSourceError::Demo { detail: error.to_string() })?;
    datasource.finish_login(&Secret::new(code), &Secret::new(state), USER).await
}
