//! Several data sources of several organisations in one process: the faults of one are not the others'.

use std::time::{Duration, Instant};

use ringside::datasource::{
    ConnectionState, DataSource, DataSourceKey, DataSources, Settings, Trigger,
};
use ringside::oura::Secret;
use ringside::simulator::{Fault, Misbehaviour, Target};
use ringside::store::CollectionState;
use serde_json::json;

use super::world::*;

async fn data_source(datasources: &DataSources, org: i64, uid: &str) -> DataSource {
    datasources
        .datasource(&DataSourceKey::new(org, uid).unwrap(), &settings(), &secret())
        .await
        .unwrap()
}

async fn count(datasource: &DataSource, sql: &str) -> i64 {
    let (status, answer) = call(datasource, USER, "/sql", json!({ "sql": sql })).await;
    assert_eq!(status, 200, "{answer}");
    answer["rows"][0][0].as_i64().unwrap()
}

#[tokio::test]
async fn a_login_that_ended_and_a_database_that_is_none_leave_the_others_alone() {
    let world = World::new(person(), brisk()).await;
    let ended_login = data_source(&world.datasources, 1, "ended").await;
    log_in(&ended_login).await;
    world.simulator.revoke_all();
    assert!(sync(&ended_login).await.failure.is_some());

    // The same uid in another organisation is another data source.
    let well = data_source(&world.datasources, 2, "ended").await;
    assert_eq!(log_in(&well).await.failure, None);
    assert_eq!(well.status().unwrap().state, ConnectionState::Connected);
    assert_eq!(ended_login.status().unwrap().state, ConnectionState::ReconnectNeeded);

    let broken = DataSourceKey::new(1, "broken").unwrap();
    let folder = broken.folder(world.folder.path());
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("oura.db"), "Dear diary, this is no database. ".repeat(100))
        .unwrap();
    let error = world.datasources.datasource(&broken, &settings(), &secret()).await.err().unwrap();
    assert_says(&error.to_string(), &["oura.db", "not a database", "Move it away"]);

    let wrong_zone =
        ringside::datasource::Settings { timezone: "Middle/Earth".to_owned(), ..settings() };
    let error = world
        .datasources
        .datasource(&DataSourceKey::new(3, "zone").unwrap(), &wrong_zone, &secret())
        .await
        .err()
        .unwrap();
    assert_says(&format!("{error} {}", error.hint()), &["Middle/Earth", "Europe/Vienna"]);

    assert_eq!(sync(&well).await.failure, None);
    let nights = count(&well, "SELECT count(*) FROM nights").await;
    assert!(nights > 10 && nights == count(&ended_login, "SELECT count(*) FROM nights").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_store_that_is_busy_for_long_holds_up_neither_status_nor_queries() {
    let world = World::connected().await;
    let busy = rusqlite::Connection::open(world.datasource.database()).unwrap();
    busy.execute_batch("BEGIN IMMEDIATE").unwrap();
    let datasource = world.datasource.clone();
    let beginning = tokio::task::spawn_blocking(move || {
        datasource.start_sync(Trigger::Manual).map_err(|error| error.to_string())
    });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let begun = std::time::Instant::now();
    assert_eq!(world.datasource.status().unwrap().state, ConnectionState::Connected);
    assert!(count(&world.datasource, "SELECT count(*) FROM nights").await > 10);
    assert!(begun.elapsed() < std::time::Duration::from_secs(4), "{:?}", begun.elapsed());
    busy.execute_batch("ROLLBACK").unwrap();
    let run = beginning.await.unwrap().unwrap();
    assert_eq!(ended(&world.datasource, run).await.failure, None);
}

#[tokio::test]
async fn one_that_takes_long_to_close_holds_up_no_other() {
    let world = World::connected().await;
    let slow = DataSourceKey::new(1, "slow").unwrap();
    let datasource = world.datasources.datasource(&slow, &settings(), &secret()).await.unwrap();
    log_in(&datasource).await;
    // Its login is being renewed, and Oura takes its time.
    world.simulator.revoke_all();
    world
        .simulator
        .faults()
        .add(Fault::on_path("/oauth/token", Misbehaviour::Delay(Duration::from_secs(4))));
    datasource.start_sync(Trigger::Manual).unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let reopening = tokio::spawn({
        let datasources = world.datasources.clone();
        async move {
            datasources
                .datasource(&slow, &Settings { sync_interval_minutes: 60, ..settings() }, &secret())
                .await
        }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    world.datasources.datasource(&DataSourceKey::single(), &settings(), &secret()).await.unwrap();
    let at_hand: Vec<String> = world
        .datasources
        .at_hand()
        .await
        .iter()
        .map(|datasource| datasource.key().to_string())
        .collect();
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(at_hand, ["1/oura"]);
    let reopened = reopening.await.unwrap().unwrap();
    assert_eq!(reopened.settings().sync_interval_minutes(), 60);
    assert_eq!(world.datasources.at_hand().await.len(), 2);
}

#[tokio::test]
async fn after_a_restart_the_broken_one_is_left_out_and_the_others_resume() {
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
    // "oura" of the first process was never connected, and is there as well.
    assert_eq!(datasources.resume().await.unwrap(), 2);
    let keys: Vec<String> =
        datasources.all().await.iter().map(|datasource| datasource.key().to_string()).collect();
    assert_eq!(keys, ["1/oura", "2/b"]);
    let well = data_source(&datasources, 2, "b").await;
    assert_eq!(sync(&well).await.failure, None);
    assert_eq!(std::fs::read(&database).unwrap(), b"no database");
}

#[tokio::test]
async fn what_one_is_refused_the_other_gets() {
    let world = World::new(person(), brisk()).await;
    let limited = data_source(&world.datasources, 1, "limited").await;
    let fault = Fault::new(
        Target::Path("/v2/".to_owned()),
        Misbehaviour::Status { status: 429, retry_after: Some(900) },
    );
    world.simulator.faults().add(fault.times(4));
    let back = allowed(&limited).await;
    assert_eq!(call(&limited, USER, "/oauth/callback", json!(back)).await.0, 200);
    while world.simulator.requests().log().iter().filter(|request| request.status == 429).count()
        < 4
    {
        tokio::task::yield_now().await;
    }
    // The first waits for fifteen minutes; the second is done long before.
    let other = data_source(&world.datasources, 2, "other").await;
    assert_eq!(log_in(&other).await.failure, None);
    assert!(
        other
            .status()
            .unwrap()
            .collections
            .iter()
            .all(|collection| collection.state == CollectionState::Ok)
    );
    assert!(limited.status().unwrap().sync.running);
    assert_eq!(limited.status().unwrap().sync.documents, 0);

    // New settings for the first do not wait for Oura, nor does anybody else.
    let begun = std::time::Instant::now();
    let renewed = world
        .datasources
        .datasource(limited.key(), &settings(), &Secret::new("another"))
        .await
        .unwrap();
    assert_eq!(renewed.status().unwrap().state, ConnectionState::Connected);
    assert!(begun.elapsed().as_secs() < 600);
}
