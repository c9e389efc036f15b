//! A database that is busy with one long write, for example while typed tables are rebuilt.
//! Requests and new runs do not wait for it.

use ringside::datasource::{Backfill, Trigger};
use serde_json::json;

use super::world::*;
use crate::common::wait::must_finish;

/// Locks the data source's database as a long write does, until it is dropped.
fn long_write(world: &World) -> rusqlite::Connection {
    let writer = rusqlite::Connection::open(world.datasource.database()).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    writer
}

#[tokio::test]
async fn sync_requested_during_a_long_write_starts_after_it() {
    let world = World::connected().await;
    let before = world.datasource.status().unwrap().sync.run.unwrap();
    let writer = long_write(&world);
    let request = call(&world.datasource, USER, "/sync", json!({}));
    let response = must_finish("requesting a sync during a write", request).await;
    assert_eq!(response, (202, json!({ "run": before + 1 })));
    // The run waits for the writer: lets it get there. It must not block this runtime's only
    // thread.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let sync = world.datasource.status().unwrap().sync;
    assert_eq!((sync.running, sync.run, sync.failure), (true, Some(before + 1), None));
    let joined = world.datasource.start_sync(Trigger::Manual).unwrap();
    assert_eq!(joined, before + 1, "a second request joins the run");
    drop(writer);
    assert_eq!(ended(&world.datasource, before + 1).await.failure, None);
    world.assert_whole();
}

#[tokio::test]
async fn login_finishes_during_a_long_write() {
    let world = World::connected().await;
    let redirect = allowed(&world.datasource).await;
    let writer = long_write(&world);
    let callback = call(&world.datasource, USER, "/oauth/callback", json!(redirect));
    assert_eq!(must_finish("a login during a write", callback).await.0, 200);
    drop(writer);
}

#[tokio::test]
async fn run_that_cannot_be_stored_reports_the_database() {
    let world = World::connected().await;
    let before = world.datasource.status().unwrap().sync.run.unwrap();
    // Takes the number of the next run.
    rusqlite::Connection::open(world.datasource.database())
        .unwrap()
        .execute(
            "INSERT INTO sync_runs (run, started_at, trigger, state, windows)
             VALUES (?1, 0, 'manual', 'done', 0)",
            [before + 1],
        )
        .unwrap();
    assert_contains(&sync(&world.datasource).await.failure.unwrap(), &["database"]);
    assert_eq!(sync(&world.datasource).await.failure, None, "the next run succeeds");
}

#[tokio::test]
async fn backfill_requested_during_a_run_gets_its_own_run() {
    let world = World::connected().await;
    let (current, barrier) = world.held_run().await;
    let request = Backfill { days: 3, offset_days: 10, resources: vec!["daily_sleep".to_owned()] };
    let backfill = world.datasource.backfill(&request).unwrap();
    assert_eq!(backfill, current + 1, "the current run may be past these days");
    let joined = world.datasource.start_sync(Trigger::Manual).unwrap();
    assert_eq!(joined, current, "other requests join the current run");
    assert!(world.datasource.status().unwrap().sync.running);
    barrier.open();
    assert_eq!(ended(&world.datasource, backfill).await.failure, None);
    let runs = world.select(&format!(
        "SELECT run, trigger, state FROM sync_runs WHERE run >= {current} ORDER BY run"
    ));
    assert_eq!(
        runs,
        [
            [json!(current), json!("manual"), json!("done")],
            [json!(backfill), json!("backfill"), json!("done")]
        ]
    );
    let queued = "SELECT count(*) FROM sync_windows WHERE done_at IS NULL";
    assert_eq!(world.select(queued), [[json!(0)]]);
    let done =
        "SELECT count(*) FROM sync_windows WHERE reason = 'backfill' AND done_at IS NOT NULL";
    assert_eq!(world.select(done), [[json!(1)]]);
}
