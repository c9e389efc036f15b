//! A simulated Oura with one person, and data sources that connect to it.

use std::path::Path;

use ringside::datasource::{
    DataSource, DataSourceError, DataSourceKey, DataSources, Environment, Settings,
};
use ringside::oura::{self, Origins, Secret};
use ringside::query::{QueryContext, QueryResult, SqlQuery};
use ringside::simulator::{self, Config, Consent, Simulator};
use ringside::time::{Clock, Day, Tz};

/// The redirect URL of the logins.
pub const REDIRECT: &str = "http://localhost:3000/connections/datasources/edit/oura";

pub struct World {
    pub simulator: Simulator,
    pub clock: Clock,
    pub settings: Settings,
    pub secret: Secret,
}

impl World {
    /// A person with data since `days` days ago.
    pub async fn new(days: i64, clock: Clock) -> World {
        World::with(days, clock, |_| {}).await
    }

    /// The same after `change`.
    pub async fn with(days: i64, clock: Clock, change: impl FnOnce(&mut Config)) -> World {
        super::secret_scanner::install();
        let first_day: Day = clock.now().day(Tz::UTC).plus(-days);
        let mut config =
            Config { consent: Consent::Allow, ..Config::new(11, first_day, clock.clone()) };
        change(&mut config);
        let settings = Settings {
            client_id: config.client_id.clone(),
            history_start: Some(first_day),
            ..Settings::default()
        };
        let secret = Secret::new(config.client_secret.clone());
        let simulator = Simulator::start(config, ([127, 0, 0, 1], 0).into()).await.unwrap();
        World { simulator, clock, settings, secret }
    }

    pub fn environment(&self, folder: &Path) -> Environment {
        let origins = Origins::at(&self.simulator.origin());
        Environment { clock: self.clock.clone(), ..Environment::at(folder, origins).unwrap() }
    }

    /// The data source in its stored state.
    pub async fn datasource(&self, datasources: &DataSources) -> DataSource {
        datasources
            .datasource(&DataSourceKey::single(), &self.settings, &self.secret)
            .await
            .unwrap()
    }

    /// A data folder with a login and the documents of its first sync, which no process uses.
    pub async fn synced_folder(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let datasources = DataSources::open(self.environment(folder.path())).unwrap();
        drop(self.connected(&datasources).await);
        datasources.shutdown().await;
        folder
    }

    /// The data source after a login and its first sync.
    pub async fn connected(&self, datasources: &DataSources) -> DataSource {
        let datasource = self.datasource(datasources).await;
        self.connect(&datasource).await;
        datasource
    }

    /// Presses *Connect* and *Allow*, and waits for the sync that follows.
    pub async fn connect(&self, datasource: &DataSource) {
        connect(datasource, "ann").await.unwrap();
        synced(datasource).await;
    }
}

/// Presses *Connect* on the data source's page and *Allow* at Oura, as `user`.
pub async fn connect(datasource: &DataSource, user: &str) -> Result<(), DataSourceError> {
    // Reading the system's certificates takes long compared with a login on an accelerated clock.
    let http = oura::http_client().unwrap();
    let start = datasource.start_login(&REDIRECT.parse().unwrap(), user)?;
    let (code, state) = simulator::consent(&http, &start.authorize_url).await.unwrap();
    datasource.finish_login(&Secret::new(code), &Secret::new(state), user).await
}

/// Waits until the requested or current sync has ended.
pub async fn synced(datasource: &DataSource) {
    datasource.progress().wait_for(|progress| progress.finished).await.unwrap();
}

/// The result of `sql` over all times.
pub async fn query(datasource: &DataSource, sql: &str) -> QueryResult {
    let context = QueryContext {
        from_ms: 0,
        to_ms: 4_102_444_800_000,
        interval: std::time::Duration::from_secs(60),
        max_data_points: 1000,
    };
    datasource
        .query(&SqlQuery { raw_sql: sql.to_owned(), ..SqlQuery::default() }, &context)
        .await
        .unwrap()
}

/// The first column of the first row, as text.
pub async fn first_cell(datasource: &DataSource, sql: &str) -> String {
    let result = query(datasource, sql).await;
    let options = arrow::util::display::FormatOptions::default();
    arrow::util::display::ArrayFormatter::try_new(&result.batch.columns[0].values, &options)
        .unwrap()
        .value(0)
        .to_string()
}
