//! Keys that are lost or changed, logins that end: what was fetched stays, and says how old it is.

use std::time::Duration;

use crate::common::world::{World, ask, synced, word};
use crate::common::{at, database, select};
use ringside::datasource::{ConnectionState, DataSources, Environment, Trigger, rotate_vault};
use ringside::oura::Secret;
use ringside::time::Clock;
use tempfile::TempDir;

/// A person whose ring came `days` days ago, and the data folder of a process that ended when everything was fetched.
async fn fetched(days: i64) -> (World, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(days, Clock::starting_at(at("2026-11-20T12:00:00Z"), 0.0)).await;
    let datasources = DataSources::open(world.environment(folder.path())).unwrap();
    world.connected(&datasources).await;
    datasources.shutdown().await;
    (world, folder)
}

#[tokio::test]
async fn a_lost_key_means_connecting_again_and_not_lost_data() {
    let (world, folder) = fetched(10).await;
    let documents = "SELECT count(*) FROM oura_raw_documents";
    let before = select(&database(folder.path()), documents)[0][0].to_string();
    std::fs::remove_file(folder.path().join("vault.key")).unwrap();
    let datasources = DataSources::open(world.environment(folder.path())).unwrap();
    let datasource = world.datasource(&datasources).await;
    let status = datasource.status().unwrap();
    assert_eq!(status.state, ConnectionState::ReconnectNeeded);
    assert!(status.reason.unwrap().contains("another key"));
    assert_eq!(word(&datasource, documents).await, before);
    let notices = ask(&datasource, "SELECT day FROM days").await.notices;
    let end =
        format!("end on {}.", word(&datasource, "SELECT max(last_day) FROM collections").await);
    assert!(notices[0].contains("connect again") && notices[0].ends_with(&end), "{notices:?}");

    world.connect(&datasource).await;
    assert_eq!(datasource.status().unwrap().state, ConnectionState::Connected);
    assert_eq!(ask(&datasource, "SELECT day FROM days").await.notices, Vec::<String>::new());
}

#[tokio::test]
async fn a_new_key_disconnects_nobody_and_the_old_one_opens_nothing() {
    let (world, folder) = fetched(3).await;
    let with_key = |key: &str| Environment {
        encryption_key: Some(Secret::new(key)),
        ..world.environment(folder.path())
    };

    let audit = rotate_vault(folder.path(), None, &Secret::new("first")).unwrap();
    assert!(audit.readable >= 2 && audit.unreadable == 0, "{audit:?}");
    assert!(!folder.path().join("vault.key").exists(), "the key file is of no use any more");
    rotate_vault(folder.path(), Some(&Secret::new("first")), &Secret::new("second")).unwrap();

    let datasources = DataSources::open(with_key("second")).unwrap();
    let datasource = world.datasource(&datasources).await;
    assert_eq!(datasource.status().unwrap().state, ConnectionState::Connected);
    datasource.start_sync(Trigger::Manual).unwrap();
    synced(&datasource).await;
    assert_eq!(datasource.status().unwrap().sync.failure, None);
    datasources.shutdown().await;
    drop((datasource, datasources));
    let datasources = DataSources::open(with_key("first")).unwrap();
    assert_eq!(
        world.datasource(&datasources).await.status().unwrap().state,
        ConnectionState::ReconnectNeeded
    );
}

#[tokio::test]
async fn who_disconnects_without_the_key_is_disconnected_and_stays_so_when_the_key_is_back() {
    for deletes in [false, true] {
        let (world, folder) = fetched(3).await;
        rotate_vault(folder.path(), None, &Secret::new("first")).unwrap();
        let with_key = |key: &str| Environment {
            encryption_key: Some(Secret::new(key)),
            ..world.environment(folder.path())
        };

        let datasources = DataSources::open(with_key("second")).unwrap();
        let datasource = world.datasource(&datasources).await;
        assert_eq!(datasource.status().unwrap().state, ConnectionState::ReconnectNeeded);
        match deletes {
            true => datasource.delete_data().await.unwrap(),
            false => datasource.disconnect().await.unwrap(),
        }
        assert_eq!(datasource.status().unwrap().state, ConnectionState::NotConnected);
        datasources.shutdown().await;
        drop((datasource, datasources));
        let datasources = DataSources::open(with_key("first")).unwrap();
        assert_eq!(
            world.datasource(&datasources).await.status().unwrap().state,
            ConnectionState::NotConnected
        );
    }
}

#[tokio::test]
async fn data_that_nobody_brings_up_to_date_says_how_old_it_is() {
    let (world, folder) = fetched(3).await;

    let later = Clock::starting_at(at("2026-11-24T12:00:00Z"), 0.0);
    let datasources =
        DataSources::open(Environment { clock: later, ..world.environment(folder.path()) })
            .unwrap();
    let datasource = world.datasource(&datasources).await;
    let notices = ask(&datasource, "SELECT day FROM days").await.notices;
    let end = word(&datasource, "SELECT max(last_day) FROM collections").await;
    assert_eq!(
        notices,
        [format!(
            "The last sync was 4 days ago; the data source's settings say why. The data shown end on {end}."
        )]
    );
}

#[tokio::test]
async fn a_collection_that_stands_still_is_named_while_the_others_go_on() {
    let (world, folder) = fetched(3).await;

    world.simulator.faults().add("collection=sleep,invalid_json".parse().unwrap());
    // A day's token has ended by the clock here, and is renewed. Fast, since what may pass is asked for again.
    let later = Clock::starting_at(at("2026-11-24T12:00:00Z"), 60.0);
    let datasources =
        DataSources::open(Environment { clock: later, ..world.environment(folder.path()) })
            .unwrap();
    let datasource = world.datasource(&datasources).await;
    datasource.start_sync(Trigger::Manual).unwrap();
    synced(&datasource).await;
    let notices = ask(&datasource, "SELECT day FROM days").await.notices;
    assert_eq!(
        notices,
        ["Nothing new has come of sleep for 4 days; the data source's settings say why."]
    );
}

#[tokio::test]
async fn a_sync_says_how_long_the_rest_will_take() {
    let progress =
        ringside::datasource::Progress { windows: 40, windows_done: 10, ..Default::default() };
    assert_eq!(progress.time_left(Duration::from_secs(20)), Some(Duration::from_secs(60)));
    let begun = ringside::datasource::Progress { windows: 40, ..Default::default() };
    assert_eq!(begun.time_left(Duration::from_secs(20)), None, "nothing can be said yet");
}
