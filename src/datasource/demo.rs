//! A data source with a synthetic person: the simulator inside this process, logged in to by the same steps as a person takes.

use tokio::sync::OnceCell;

use super::{DataSource, DataSourceError, Settings};
use crate::oura::{Origins, Secret};
use crate::simulator::{self, Simulator};
use crate::time::{Clock, Day, Tz};

/// How much of the synthetic person's life there is.
const DAYS: i64 = 3 * 365;

/// The simulator behind every demo data source of this process; starts with the first.
pub(super) struct Demo {
    clock: Clock,
    simulator: OnceCell<Simulator>,
}

impl Demo {
    pub(super) fn new(clock: Clock) -> Demo {
        Demo { clock, simulator: OnceCell::new() }
    }

    /// What a demo data source works with instead of its own application.
    pub(super) async fn application(
        &self,
        settings: &Settings,
    ) -> Result<(Settings, Secret, Origins), DataSourceError> {
        let config = simulator::Config::new(1, first_day(&self.clock), self.clock.clone());
        let (client_id, client_secret) = (config.client_id.clone(), config.client_secret.clone());
        let start = || Simulator::start(config, ([127, 0, 0, 1], 0).into());
        let simulator = self
            .simulator
            .get_or_try_init(start)
            .await
            .map_err(|error| DataSourceError::Demo { detail: error.to_string() })?;
        let settings = Settings { client_id, ..settings.clone() };
        Ok((settings, Secret::new(client_secret), Origins::at(&simulator.origin())))
    }
}

fn first_day(clock: &Clock) -> Day {
    clock.now().day(Tz::UTC).plus(-DAYS)
}

/// Presses *Connect* and *Allow*. The simulator of an earlier process knows no grant of that one, so this is done each time.
pub(super) async fn log_in(datasource: &DataSource) -> Result<(), DataSourceError> {
    const USER: &str = "demo";
    let redirect = "http://localhost/connections/datasources/edit/demo"
        .parse()
        .expect("a valid redirect address");
    let start = datasource.start_login(&redirect, USER)?;
    let consent =
        simulator::consent(&datasource.inner.environment.http, &start.authorize_url).await;
    let (code, state) = consent.map_err(|detail| DataSourceError::Demo { detail })?;
    datasource.finish_login(&Secret::new(code), &Secret::new(state), USER).await
}
