//! A file that is busy with one long write, as while tables are derived anew: what asks and what starts waits for nothing.

use std::time::{Duration, Instant};

use ringside::datasource::{Backfill, Trigger};
use serde_json::json;

use super::world::*;

/// Holds the data source's file as a long write does, until it is dropped.
fn long_write(world: &World) -> rusqlite::Connection {
    let writer = rusqlite::Connection::open(world.datasource.database()).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    writer
}

/// Much shorter than the write.
#[track_caller]
fn assert_at_once(started: Instant) {
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_sync_that_is_asked_for_during_a_long_write_has_a_number_at_once_and_begins_after_it() {
    let world = World::connected().await;
    let before = world.datasource.status().unwrap().sync.run.unwrap();
    let writer = long_write(&world);
    let started = Instant::now();
    assert_eq!(
        call(&world.datasource, USER, "/sync", json!({})).await,
        (202, json!({ "run": before + 1 }))
    );
    // The only thread of this runtime goes on while the run waits for its row.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let sync = world.datasource.status().unwrap().sync;
    assert_eq!((sync.running, sync.run, sync.failure), (true, Some(before + 1), None));
    assert_eq!(world.datasource.start_sync(Trigger::Manual).unwrap(), before + 1, "it is joined");
    assert_at_once(started);
    drop(writer);
    assert_eq!(ended(&world.datasource, before + 1).await.failure, None);
    world.assert_whole();
}

#[tokio::test]
async fn a_login_during_a_long_write_is_finished_at_once() {
    let world = World::connected().await;
    let back = allowed(&world.datasource).await;
    let writer = long_write(&world);
    let started = Instant::now();
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(back)).await.0, 200);
    assert_at_once(started);
    drop(writer);
}

#[tokio::test]
async fn a_sync_that_the_file_does_not_take_says_so() {
    let world = World::connected().await;
    let before = world.datasource.status().unwrap().sync.run.unwrap();
    // Another run has its number.
    rusqlite::Connection::open(world.datasource.database())
        .unwrap()
        .execute("INSERT INTO sync_runs (run, started_at, trigger, state, windows) VALUES (?1, 0, 'manual', 'done', 0)", [before + 1])
        .unwrap();
    assert_says(&sync(&world.datasource).await.failure.unwrap(), &["database"]);
    assert_eq!(sync(&world.datasource).await.failure, None, "the next one goes well");
}

#[tokio::test]
async fn a_backfill_that_is_asked_for_while_a_run_is_under_way_has_a_run_of_its_own() {
    let world = World::connected().await;
    let under_way = world.slow_run().await;
    let request = Backfill { days: 3, offset_days: 10, resources: vec!["daily_sleep".to_owned()] };
    assert_eq!(
        world.datasource.backfill(&request).unwrap(),
        under_way + 1,
        "the one under way may be past it"
    );
    assert_eq!(
        world.datasource.start_sync(Trigger::Manual).unwrap(),
        under_way,
        "whatever else is wanted joins it"
    );
    assert!(world.datasource.status().unwrap().sync.running);
    assert_eq!(ended(&world.datasource, under_way + 1).await.failure, None);
    let runs = world.select(&format!(
        "SELECT run, trigger, state FROM sync_runs WHERE run >= {under_way} ORDER BY run"
    ));
    assert_eq!(
        runs,
        [
            [json!(under_way), json!("manual"), json!("done")],
            [json!(under_way + 1), json!("backfill"), json!("done")]
        ]
    );
    assert_eq!(
        world.select("SELECT count(*) FROM sync_windows WHERE done_at IS NULL"),
        [[json!(0)]]
    );
    let done =
        "SELECT count(*) FROM sync_windows WHERE reason = 'backfill' AND done_at IS NOT NULL";
    assert_eq!(world.select(done), [[json!(1)]]);
}
