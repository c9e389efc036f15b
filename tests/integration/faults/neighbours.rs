//! Several data sources of several organisations in one process: the faults of one data source
//! leave the others alone.

use ringside::datasource::{
    ConnectionState, DataSource, DataSourceKey, DataSources, Settings, Trigger,
};
use ringside::oura::Secret;
use ringside::simulator::{Fault, Misbehaviour, Target};
use ringside::store::CollectionState;
use serde_json::json;

use super::world::*;
use crate::common::wait::must_finish;

async fn data_source(datasources: &DataSources, org: i64, uid: &str) -> DataSource {
    let key = DataSourceKey::new(org, uid).unwrap();
    datasources.datasource(&key, &settings(), &secret()).await.unwrap()
}

/// The first number of a query's response.
async fn count(datasource: &DataSource, sql: &str) -> i64 {
    let (status, body) = call(datasource, USER, "/sql", json!({ "sql": sql })).await;
    assert_eq!(status, 200, "{body}");
    body["rows"][0][0].as_i64().unwrap()
}

#[tokio::test]
async fn ended_login_and_broken_database_leave_others_alone() {
    let world = World::new(person(), brisk()).await;
    let ended_login = data_source(&world.datasources, 1, "ended").await;
    log_in(&ended_login).await;
    world.simulator.revoke_all();
    assert!(sync(&ended_login).await.failure.is_some());

    // The same uid in another organisation is another data source.
    let healthy = data_source(&world.datasources, 2, "ended").await;
    assert_eq!(log_in(&healthy).await.failure, None);
    assert_eq!(healthy.status().unwrap().state, ConnectionState::Connected);
    assert_eq!(ended_login.status().unwrap().state, ConnectionState::ReconnectNeeded);

    let broken = DataSourceKey::new(1, "broken").unwrap();
    let folder = broken.folder(world.folder.path());
    std::fs::create_dir_all(&folder).unwrap();
    let text = "Dear diary, this is not a database. ".repeat(100);
    std::fs::write(folder.join("oura.db"), text).unwrap();
    let error = world.datasources.datasource(&broken, &settings(), &secret()).await.err().unwrap();
    let text = format!("{error} {}", error.hint());
    assert_contains(&text, &["oura.db", "not a database", "Press Repair"]);

    let wrong_zone = Settings { timezone: "Middle/Earth".to_owned(), ..settings() };
    let key = DataSourceKey::new(3, "zone").unwrap();
    let error = world.datasources.datasource(&key, &wrong_zone, &secret()).await.err().unwrap();
    assert_contains(&format!("{error} {}", error.hint()), &["Middle/Earth", "Europe/Vienna"]);

    assert_eq!(sync(&healthy).await.failure, None);
    let nights = count(&healthy, "SELECT count(*) FROM nights").await;
    assert!(nights > 10 && nights == count(&ended_login, "SELECT count(*) FROM nights").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn status_and_queries_work_while_the_store_is_busy() {
    let world = World::connected().await;
    let writer = rusqlite::Connection::open(world.datasource.database()).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    let run = world.datasource.start_sync(Trigger::Manual).unwrap();
    assert_eq!(world.datasource.status().unwrap().state, ConnectionState::Connected);
    let nights = count(&world.datasource, "SELECT count(*) FROM nights");
    assert!(must_finish("a query during a write", nights).await > 10);
    writer.execute_batch("ROLLBACK").unwrap();
    assert_eq!(ended(&world.datasource, run).await.failure, None);
}

#[tokio::test]
async fn slow_closing_of_a_data_source_delays_no_other() {
    let world = World::connected().await;
    let slow = DataSourceKey::new(1, "slow").unwrap();
    let datasource = world.datasources.datasource(&slow, &settings(), &secret()).await.unwrap();
    log_in(&datasource).await;
    // The renewal of its login is under way: closing the data source waits for it.
    let token_route = Target::Path("/oauth/token".to_owned());
    let mut barrier = world.simulator.faults().hold(token_route);
    world.simulator.revoke_all();
    datasource.start_sync(Trigger::Manual).unwrap();
    barrier.wait_for_arrivals(1).await;
    let reopening = tokio::spawn({
        let datasources = world.datasources.clone();
        let settings = Settings { sync_interval_minutes: 60, ..settings() };
        async move { datasources.datasource(&slow, &settings, &secret()).await }
    });
    // While the data source is being reopened, it is not at hand.
    let reopening_began = async {
        while world.datasources.ready().await.len() > 1 {
            tokio::task::yield_now().await;
        }
    };
    must_finish("listing the data sources at hand", reopening_began).await;
    let (key, settings, secret) = (DataSourceKey::single(), settings(), secret());
    let other = world.datasources.datasource(&key, &settings, &secret);
    must_finish("opening another data source", other).await.unwrap();
    let ready = must_finish("listing", world.datasources.ready()).await;
    let ready: Vec<String> = ready.iter().map(|datasource| datasource.key().to_string()).collect();
    assert_eq!(ready, ["1/oura"]);
    barrier.open();
    let reopened = reopening.await.unwrap().unwrap();
    assert_eq!(reopened.settings().sync_interval_minutes(), 60);
    assert_eq!(world.datasources.ready().await.len(), 2);
}

#[tokio::test]
async fn restart_resumes_all_but_the_broken_data_source() {
    let world = World::new(person(), brisk()).await;
    for (org, uid) in [(1, "a"), (2, "b")] {
        log_in(&data_source(&world.datasources, org, uid).await).await;
    }
    let World { simulator, folder, datasources, datasource } = world;
    drop(datasource);
    datasources.shutdown().await;
    drop(datasources);
    let database = DataSourceKey::new(1, "a").unwrap().folder(folder.path()).join("oura.db");
    for tail in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{tail}", database.display()));
    }
    std::fs::write(&database, "no database").unwrap();

    let datasources = DataSources::open(environment(folder.path(), &simulator, brisk())).unwrap();
    // The first process also had "oura", which never logged in.
    assert_eq!(datasources.resume().await.unwrap(), 2);
    let keys: Vec<String> =
        datasources.all().await.iter().map(|datasource| datasource.key().to_string()).collect();
    assert_eq!(keys, ["1/oura", "2/b"]);
    let healthy = data_source(&datasources, 2, "b").await;
    assert_eq!(sync(&healthy).await.failure, None);
    assert_eq!(std::fs::read(&database).unwrap(), b"no database");
}

#[tokio::test]
async fn rate_limit_of_an_application_fails_no_sync() {
    let world = World::new(person(), brisk()).await;
    let limited = data_source(&world.datasources, 1, "limited").await;
    let fault = Fault::new(
        Target::Path("/v2/".to_owned()),
        Misbehaviour::Status { status: 429, retry_after: Some(300) },
    );
    world.simulator.faults().add(fault.times(4));
    let redirect = allowed(&limited).await;
    assert_eq!(call(&limited, USER, "/oauth/callback", json!(redirect)).await.0, 200);
    world.simulator.wait_until(|journal| journal.count_status(429) == 4).await;
    assert!(limited.status().unwrap().sync.running);

    // New settings for a data source do not wait for Oura.
    let (settings, another_secret) = (settings(), Secret::new("another"));
    let reopening = world.datasources.datasource(limited.key(), &settings, &another_secret);
    let reopened = must_finish("reopening a rate-limited data source", reopening).await.unwrap();
    assert_eq!(reopened.status().unwrap().state, ConnectionState::Connected);

    // The login of another person succeeds during the pause, and the sync follows the pause.
    let other = data_source(&world.datasources, 2, "other").await;
    assert_eq!(log_in(&other).await.failure, None);
    let collections = other.status().unwrap().collections;
    assert!(collections.iter().all(|collection| collection.state == CollectionState::Ok));
}
