//! A newer specification, published while the program runs.

use std::sync::Arc;

use crate::common::wait::poll_until;
use crate::common::world::{World, first_cell, synced};
use crate::common::{at, number, rows};
use ringside::catalog::Catalog;
use ringside::datasource::{DataSources, Environment, Trigger};
use ringside::store::Store;
use ringside::time::{Clock, Instant, Tz};
use serde_json::{Value, json};

fn clock() -> Clock {
    Clock::starting_at(at("2026-11-20T12:00:00Z"), 0.0)
}

/// The bundled document after `change`.
fn document(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut document =
        serde_json::from_slice(include_bytes!("../../src/catalog/openapi.json")).unwrap();
    change(&mut document);
    serde_json::to_vec(&document).unwrap()
}

/// The catalogue of a program that was built before `daily_stress` was published.
fn older() -> Catalog {
    let mut catalog = Catalog::bundled();
    catalog.version = "1.42".to_owned();
    catalog.collections.retain(|collection| collection.name != "daily_stress");
    catalog
}

fn older_environment(world: &World, folder: &std::path::Path) -> Environment {
    Environment { catalog: Arc::new(older()), ..world.environment(folder) }
}

#[tokio::test]
async fn new_collection_appears_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(20, clock()).await;
    let datasources = DataSources::open(older_environment(&world, folder.path())).unwrap();
    let datasource = world.connected(&datasources).await;
    assert!(datasource.catalog().get("daily_stress").is_none());
    assert_eq!(datasource.status().unwrap().specification_checked_at, None);

    assert!(datasources.check_specification().await.unwrap());
    datasource.start_sync(Trigger::Manual).unwrap();
    synced(&datasource).await;
    let days: u32 =
        first_cell(&datasource, "SELECT count(*) FROM daily_stress").await.parse().unwrap();
    assert!(days > 5, "{days}");
    let status = datasource.status().unwrap();
    assert_eq!(
        (status.specification.as_str(), status.specification_checked_at),
        ("1.43", Some(at("2026-11-20T12:00:00Z")))
    );
    assert!(!datasources.check_specification().await.unwrap(), "the version is known now");

    datasources.shutdown().await;
    drop((datasource, datasources));
    let datasources = DataSources::open(older_environment(&world, folder.path())).unwrap();
    assert_eq!(world.datasource(&datasources).await.status().unwrap().specification, "1.43");
}

#[tokio::test]
async fn changed_type_widens_a_column_and_removal_keeps_data() {
    let newer = document(|document| {
        document["paths"].as_object_mut().unwrap().remove("/v2/usercollection/sleep");
        document["components"]["schemas"]["PublicDailySleep"]["properties"]["score"] =
            json!({"type": "string"});
        document["components"]["schemas"]["PublicHeartRateRow"]["properties"]["bpm"] =
            json!({"type": "number"});
    });
    let folder = tempfile::tempdir().unwrap();
    let world =
        World::with(20, clock(), |config| config.specifications.push(("1.50".to_owned(), newer)))
            .await;
    let datasources = DataSources::open(world.environment(folder.path())).unwrap();
    let datasource = world.connected(&datasources).await;
    let store = Store::open_existing(&datasource.database(), datasource.catalog()).unwrap();
    let counts = [
        "SELECT count(*) FROM sleep",
        "SELECT count(*) FROM samples WHERE series = 'sleep.hrv'",
        "SELECT sum(bpm) FROM heartrate",
    ];
    let before = counts.map(|sql| number(&store, sql));
    assert!(before.iter().all(|count| *count > 0.0));

    assert!(datasources.check_specification().await.unwrap());
    datasource.start_sync(Trigger::Manual).unwrap();
    synced(&datasource).await;
    assert_eq!(datasource.status().unwrap().specification, "1.50");
    assert_eq!(counts.map(|sql| number(&store, sql)), before);
    assert_eq!(first_cell(&datasource, "SELECT typeof(score) FROM daily_sleep").await, "text");
    assert_eq!(
        rows(&store, "SELECT type FROM pragma_table_info('heartrate') WHERE name = 'bpm'"),
        [[json!("REAL")]]
    );
    assert_eq!(
        first_cell(&datasource, "SELECT state FROM collections WHERE name = 'sleep'").await,
        "removed"
    );
    assert!(
        number(&store, "SELECT count(*) FROM nights") > 5.0,
        "views still show the stored documents"
    );
}

#[tokio::test]
async fn unusable_specification_changes_no_table() {
    let incomplete = document(|document| {
        document["paths"]
            .as_object_mut()
            .unwrap()
            .retain(|path, _| path.ends_with("/sleep") || path.ends_with("/tag"));
    });
    let folder = tempfile::tempdir().unwrap();
    let world = World::with(5, clock(), |config| {
        config.specifications.push(("1.44".to_owned(), incomplete))
    })
    .await;
    let datasources = DataSources::open(world.environment(folder.path())).unwrap();
    let datasource = world.datasource(&datasources).await;
    let error = datasources.check_specification().await.unwrap_err();
    assert!(error.to_string().contains("17 of 19 collections are missing"), "{error}");
    let status = datasource.status().unwrap();
    assert_eq!(
        (status.specification.as_str(), status.specification_checked_at.is_some()),
        ("1.43", true)
    );
    assert_eq!(datasource.zone(), Tz::UTC);
}

#[tokio::test]
async fn failing_specification_server_is_requested_once_an_hour() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let world = World::with(3, clock.clone(), |config| {
        config.faults.push("path=/v2/static,status=503".parse().unwrap())
    })
    .await;
    let datasources =
        DataSources::open(Environment { scheduled: true, ..world.environment(folder.path()) })
            .unwrap();
    world.connected(&datasources).await;
    let requested_at = || -> Vec<Instant> {
        let journal = world.simulator.requests();
        let log = journal.log().iter();
        log.filter(|request| request.path.starts_with("/v2/static"))
            .map(|request| request.at)
            .collect()
    };
    poll_until("requesting the specification twice", || {
        clock.advance(60);
        requested_at().len() >= 2
    })
    .await;
    let requested_at = requested_at();
    assert!(requested_at[1].seconds() - requested_at[0].seconds() >= 3600, "{requested_at:?}");
    datasources.shutdown().await;
}
