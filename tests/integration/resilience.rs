//! Lost and rotated keys, and ended logins: the fetched data stays, with a notice of its age.

use std::time::Duration;

use crate::common::world::{World, first_cell, query, synced};
use crate::common::{at, database, select};
use ringside::datasource::{ConnectionState, DataSources, Environment, Trigger, rotate_vault};
use ringside::oura::Secret;
use ringside::time::Clock;
use tempfile::TempDir;

/// A person with data since `days` days ago, and a data folder with all of it.
async fn fetched(days: i64) -> (World, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(days, Clock::starting_at(at("2026-11-20T12:00:00Z"), 0.0)).await;
    let datasources = DataSources::open(world.environment(folder.path())).unwrap();
    world.connected(&datasources).await;
    datasources.shutdown().await;
    (world, folder)
}

#[tokio::test]
async fn lost_key_needs_reconnect_and_keeps_data() {
    let (world, folder) = fetched(10).await;
    let documents = "SELECT count(*) FROM oura_raw_documents";
    let before = select(&database(folder.path()), documents)[0][0].to_string();
    std::fs::remove_file(folder.path().join("vault.key")).unwrap();
    let datasources = DataSources::open(world.environment(folder.path())).unwrap();
    let datasource = world.datasource(&datasources).await;
    let status = datasource.status().unwrap();
    assert_eq!(status.state, ConnectionState::ReconnectNeeded);
    assert!(status.reason.unwrap().contains("another key"));
    assert_eq!(first_cell(&datasource, documents).await, before);
    let notices = query(&datasource, "SELECT day FROM days").await.notices;
    let end = format!(
        "The data ends on {}.",
        first_cell(&datasource, "SELECT max(last_day) FROM collections").await
    );
    assert!(notices[0].contains("Connect again") && notices[0].ends_with(&end), "{notices:?}");

    world.connect(&datasource).await;
    assert_eq!(datasource.status().unwrap().state, ConnectionState::Connected);
    assert_eq!(query(&datasource, "SELECT day FROM days").await.notices, Vec::<String>::new());
}

#[tokio::test]
async fn rotated_key_keeps_logins_and_replaces_the_old_key() {
    let (world, folder) = fetched(3).await;
    let with_key = |key: &str| Environment {
        encryption_key: Some(Secret::new(key)),
        ..world.environment(folder.path())
    };

    let audit = rotate_vault(folder.path(), None, &Secret::new("the first operator key")).unwrap();
    assert!(audit.readable >= 2 && audit.unreadable == 0, "{audit:?}");
    assert!(!folder.path().join("vault.key").exists(), "the key file is obsolete");
    rotate_vault(
        folder.path(),
        Some(&Secret::new("the first operator key")),
        &Secret::new("the second operator key"),
    )
    .unwrap();

    let datasources = DataSources::open(with_key("the second operator key")).unwrap();
    let datasource = world.datasource(&datasources).await;
    assert_eq!(datasource.status().unwrap().state, ConnectionState::Connected);
    datasource.start_sync(Trigger::Manual).unwrap();
    synced(&datasource).await;
    assert_eq!(datasource.status().unwrap().sync.failure, None);
    datasources.shutdown().await;
    drop((datasource, datasources));
    let datasources = DataSources::open(with_key("the first operator key")).unwrap();
    assert_eq!(
        world.datasource(&datasources).await.status().unwrap().state,
        ConnectionState::ReconnectNeeded
    );
}

#[tokio::test]
async fn disconnect_without_the_key_lasts_when_the_key_returns() {
    for deletes in [false, true] {
        let (world, folder) = fetched(3).await;
        rotate_vault(folder.path(), None, &Secret::new("the first operator key")).unwrap();
        let with_key = |key: &str| Environment {
            encryption_key: Some(Secret::new(key)),
            ..world.environment(folder.path())
        };

        let datasources = DataSources::open(with_key("the second operator key")).unwrap();
        let datasource = world.datasource(&datasources).await;
        assert_eq!(datasource.status().unwrap().state, ConnectionState::ReconnectNeeded);
        if deletes {
            datasource.delete_data().await.unwrap();
        } else {
            datasource.disconnect().await.unwrap();
        }
        assert_eq!(datasource.status().unwrap().state, ConnectionState::NotConnected);
        datasources.shutdown().await;
        drop((datasource, datasources));
        let datasources = DataSources::open(with_key("the first operator key")).unwrap();
        assert_eq!(
            world.datasource(&datasources).await.status().unwrap().state,
            ConnectionState::NotConnected
        );
    }
}

#[tokio::test]
async fn outdated_data_has_a_notice_with_its_age() {
    let (world, folder) = fetched(3).await;

    let later = Clock::starting_at(at("2026-11-24T12:00:00Z"), 0.0);
    let datasources =
        DataSources::open(Environment { clock: later, ..world.environment(folder.path()) })
            .unwrap();
    let datasource = world.datasource(&datasources).await;
    let notices = query(&datasource, "SELECT day FROM days").await.notices;
    let end = first_cell(&datasource, "SELECT max(last_day) FROM collections").await;
    assert_eq!(
        notices,
        [format!(
            "The last sync was 4 days ago. The data source's settings show the reason. \
             The data ends on {end}."
        )]
    );
}

#[tokio::test]
async fn stale_collection_is_named_in_a_notice() {
    let (world, folder) = fetched(3).await;

    world.simulator.faults().add("collection=sleep,invalid_json".parse().unwrap());
    // The access token has expired by this clock and is renewed. The clock is fast because of the
    // retries.
    let later = Clock::starting_at(at("2026-11-24T12:00:00Z"), 60.0);
    let datasources =
        DataSources::open(Environment { clock: later, ..world.environment(folder.path()) })
            .unwrap();
    let datasource = world.datasource(&datasources).await;
    datasource.start_sync(Trigger::Manual).unwrap();
    synced(&datasource).await;
    let notices = query(&datasource, "SELECT day FROM days").await.notices;
    assert_eq!(
        notices,
        ["No new data: sleep (4 days). The data source's settings show the reason."]
    );
}

#[tokio::test]
async fn sync_progress_estimates_the_remaining_time() {
    let progress =
        ringside::datasource::Progress { windows: 40, windows_done: 10, ..Default::default() };
    assert_eq!(progress.time_left(Duration::from_secs(20)), Some(Duration::from_secs(60)));
    let begun = ringside::datasource::Progress { windows: 40, ..Default::default() };
    assert_eq!(begun.time_left(Duration::from_secs(20)), None, "no estimate yet");
}
