//! A newer specification, published while the program runs.

use std::sync::Arc;

use crate::common::world::{World, synced, word};
use crate::common::{at, number, rows};
use ringside::catalog::Catalog;
use ringside::datasource::{DataSources, Environment, Trigger};
use ringside::store::Store;
use ringside::time::{Clock, Tz};
use serde_json::{Value, json};

fn clock() -> Clock {
    Clock::starting_at(at("2026-11-20T12:00:00Z"), 0.0)
}

/// The bundled document with other things in it.
fn document(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut document =
        serde_json::from_slice(include_bytes!("../../src/catalog/openapi.json")).unwrap();
    change(&mut document);
    serde_json::to_vec(&document).unwrap()
}

/// What a program knows that was built before `daily_stress` was published.
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
async fn a_new_collection_appears_by_itself_and_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(20, clock()).await;
    let datasources = DataSources::open(older_environment(&world, folder.path())).unwrap();
    let datasource = world.connected(&datasources).await;
    assert!(datasource.catalog().get("daily_stress").is_none());
    assert_eq!(datasource.status().unwrap().specification_checked_at, None);

    assert!(datasources.check_specification().await.unwrap());
    datasource.start_sync(Trigger::Manual).unwrap();
    synced(&datasource).await;
    let days: u32 = word(&datasource, "SELECT count(*) FROM daily_stress").await.parse().unwrap();
    assert!(days > 5, "{days}");
    let status = datasource.status().unwrap();
    assert_eq!(
        (status.specification.as_str(), status.specification_checked_at),
        ("1.43", Some(at("2026-11-20T12:00:00Z")))
    );
    assert!(!datasources.check_specification().await.unwrap(), "it is known now");

    datasources.shutdown().await;
    drop((datasource, datasources));
    let datasources = DataSources::open(older_environment(&world, folder.path())).unwrap();
    assert_eq!(world.datasource(&datasources).await.status().unwrap().specification, "1.43");
}

#[tokio::test]
async fn a_changed_type_widens_the_column_and_a_removed_collection_keeps_its_data() {
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
    assert_eq!(word(&datasource, "SELECT typeof(score) FROM daily_sleep").await, "text");
    assert_eq!(
        rows(&store, "SELECT type FROM pragma_table_info('heartrate') WHERE name = 'bpm'"),
        [[json!("REAL")]]
    );
    assert_eq!(
        word(&datasource, "SELECT state FROM collections WHERE name = 'sleep'").await,
        "removed"
    );
    assert!(number(&store, "SELECT count(*) FROM nights") > 5.0, "views go on with what is there");
}

#[tokio::test]
async fn a_document_that_cannot_be_used_changes_nothing() {
    let hollow = document(|document| {
        document["paths"]
            .as_object_mut()
            .unwrap()
            .retain(|path, _| path.ends_with("/sleep") || path.ends_with("/tag"));
    });
    let folder = tempfile::tempdir().unwrap();
    let world =
        World::with(5, clock(), |config| config.specifications.push(("1.44".to_owned(), hollow)))
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
async fn a_server_that_is_unwell_is_asked_once_an_hour() {
    let folder = tempfile::tempdir().unwrap();
    // Half an hour in two seconds.
    let fast = Clock::starting_at(at("2026-11-20T12:00:00Z"), 900.0);
    let world = World::with(3, fast.clone(), |config| {
        config.faults.push("path=/v2/static,status=503".parse().unwrap())
    })
    .await;
    let datasources =
        DataSources::open(Environment { scheduled: true, ..world.environment(folder.path()) })
            .unwrap();
    world.connected(&datasources).await;
    fast.sleep(std::time::Duration::from_secs(1800)).await;
    let journal = world.simulator.requests();
    let asked =
        journal.log().iter().filter(|request| request.path.starts_with("/v2/static")).count();
    assert_eq!(asked, 1);
    datasources.shutdown().await;
}
