//! Oura fails as a whole, or for one day only.

use ringside::datasource::{Backfill, DataSourceKey, DataSources, Environment, Settings};
use ringside::simulator::{Config, Fault, Misbehaviour, Target};
use ringside::time::{Clock, Tz};
use serde_json::json;

use super::world::*;
use crate::common::wait::poll_until;

fn status(status: u16) -> Misbehaviour {
    Misbehaviour::Status { status, retry_after: None }
}

#[tokio::test]
async fn outage_fails_the_sync_and_the_next_one_recovers() {
    let world = World::new(person(), brisk()).await;
    let everything = Target::Path("/v2/".to_owned());
    let redirect = allowed(&world.datasource).await;
    world.simulator.faults().add(Fault::new(everything, status(503)));
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(redirect)).await.0, 200);
    assert_contains(
        &ended(&world.datasource, 1).await.failure.unwrap(),
        &["503", "next sync tries again"],
    );
    let asked = world
        .simulator
        .requests()
        .log()
        .iter()
        .filter(|request| request.collection().is_some())
        .count();
    assert!(asked <= 14 * 4, "{asked} requests during an outage");
    let sync_status = world.datasource.status().unwrap().sync;
    assert_contains(&sync_status.failure.unwrap(), &["503"]);
    assert!(sync_status.percent < 1.0, "{}", sync_status.percent);

    world.simulator.faults().clear();
    assert_eq!(sync(&world.datasource).await.failure, None);
    assert_eq!(world.datasource.status().unwrap().sync.percent, 100.0);
    world.assert_whole();
}

#[tokio::test]
async fn days_of_an_outage_are_not_fetched() {
    let world = World::connected()
        .await
        .restarted(Clock::starting_at(morning().plus(13 * 86_400), 60.0))
        .await;
    let summary = || world.collection("workout").summary;
    assert_contains(&summary(), &["12 of the last 30 days not fetched yet"]);
    world.simulator.faults().add(Fault::new(Target::Path("/v2/".to_owned()), status(503)));
    assert_contains(&sync(&world.datasource).await.failure.unwrap(), &["503"]);
    assert_contains(&summary(), &["12 of the last 30 days not fetched yet"]);
    let days = "SELECT min(day), max(day), count(*) FROM coverage
                WHERE collection = 'workout' AND reason = 'not_fetched'";
    assert_eq!(world.select(days), [[json!("2026-06-16"), json!("2026-06-28"), json!(13)]]);
}

#[tokio::test]
async fn days_without_a_login_are_not_fetched() {
    let World { simulator, folder, datasources, datasource } = World::connected().await;
    datasource.disconnect().await.unwrap();
    datasources.shutdown().await;
    drop((datasource, datasources));
    // The schedule looks at the calendar every minute of this clock.
    let clock = Clock::starting_at(morning().plus(3 * 86_400), 600.0);
    let scheduled =
        Environment { scheduled: true, ..environment(folder.path(), &simulator, clock) };
    let datasources = DataSources::open(scheduled).unwrap();
    let datasource =
        datasources.datasource(&DataSourceKey::single(), &settings(), &secret()).await.unwrap();
    let world = World { simulator, folder, datasources, datasource };
    let days = "SELECT count(*), max(day) FROM coverage
                WHERE collection = 'workout' AND reason = 'not_fetched'";
    poll_until("extending the calendar", || world.select(days)[0][0] == 3).await;
    assert_eq!(world.select(days), [[json!(3), json!("2026-06-18")]]);
    // Today is not over, so it does not count.
    assert_contains(
        &world.collection("workout").summary,
        &["2 of the last 30 days not fetched yet"],
    );
}

#[tokio::test]
async fn outage_during_a_load_keeps_the_fetched_documents() {
    let world = World::new(person(), brisk()).await;
    world
        .simulator
        .faults()
        .add(Fault::new(Target::Path("/v2/".to_owned()), status(500)).after(25));
    assert_contains(&log_in(&world.datasource).await.failure.unwrap(), &["500"]);
    let percent = world.datasource.status().unwrap().sync.percent;
    assert!(percent > 1.0 && percent < 99.0, "{percent}");
    world.simulator.faults().clear();
    assert_eq!(sync(&world.datasource).await.failure, None);
    world.assert_whole();
}

#[tokio::test]
async fn one_failing_day_hides_no_other_day() {
    // The range ends of these collections are exclusive, inclusive and exclusive.
    for (collection, zone) in [
        ("daily_activity", "UTC"),
        ("daily_stress", "Europe/Vienna"),
        ("sleep", "America/New_York"),
    ] {
        assert_only_one_day_is_missing(collection, zone).await;
    }
}

async fn assert_only_one_day_is_missing(collection: &str, zone: &str) {
    let world = World::new(person(), brisk()).await;
    let settings = Settings { timezone: zone.to_owned(), ..settings() };
    let datasource =
        world.datasources.datasource(&DataSourceKey::single(), &settings, &secret()).await.unwrap();
    let world = World { datasource, ..world };
    let bad_day = first_day().plus(5);
    world.simulator.faults().add(Fault::on_collection(collection, status(500)).on_day(bad_day));
    assert_eq!(
        log_in(&world.datasource).await.failure,
        None,
        "one failing collection does not fail the sync"
    );
    assert!(world.datasource.status().unwrap().sync.percent < 100.0);
    for _ in 0..3 {
        sync(&world.datasource).await;
    }
    let trouble = world.collection(collection);
    assert_eq!(trouble.state.as_str(), "error");
    assert_contains(
        trouble.reason.as_deref().unwrap(),
        &[&format!("{bad_day}: Oura returned HTTP status 500"), "next sync tries again"],
    );
    let lacking = format!(
        "SELECT day, reason FROM coverage
         WHERE collection = '{collection}' AND state = 'not_fetched' ORDER BY day"
    );
    assert_eq!(
        world.select(&lacking),
        [[json!(bad_day.to_string()), json!("failed")]],
        "{collection} {zone}"
    );
    let failed = format!(
        "SELECT DISTINCT day FROM coverage WHERE collection = '{collection}' AND reason = 'failed'"
    );
    assert_eq!(world.select(&failed).len(), 1, "only this day failed");
    world.assert_whole_but(&[collection]);

    world.simulator.faults().clear();
    assert_eq!(sync(&world.datasource).await.failure, None);
    assert_eq!(world.failing().len(), 0);
    world.assert_whole();
}

#[tokio::test]
async fn failing_recent_day_does_not_block_newer_days() {
    let world = World::new(person(), brisk()).await;
    let bad_day = morning().day(Tz::UTC).plus(-3);
    world.simulator.faults().add(Fault::on_collection("daily_stress", status(500)).on_day(bad_day));
    log_in(&world.datasource).await;
    for _ in 0..3 {
        sync(&world.datasource).await;
    }
    let asked = || {
        world
            .simulator
            .requests()
            .log()
            .iter()
            .filter(|request| request.collection() == Some("daily_stress"))
            .count()
    };
    for _ in 0..3 {
        let before = asked();
        sync(&world.datasource).await;
        assert!(asked() - before <= 4 + 10, "{} requests for one failing day", asked() - before);
        let fresh = "SELECT day FROM coverage
                     WHERE collection = 'daily_stress' AND reason IN ('failed', 'not_fetched')";
        assert_eq!(world.select(fresh), [[json!(bad_day.to_string())]]);
        let last = "SELECT last_sync >= (SELECT max(started_at) FROM sync_runs) FROM collections
                    WHERE name = 'daily_stress'";
        assert_eq!(world.select(last), [[json!(1)]], "every sync fetches the other days");
    }
}

#[tokio::test]
async fn server_limit_on_ranges_costs_few_rejections() {
    let short = Fault::on_collection("daily_sleep", Misbehaviour::LongestRange(10));
    let history = 400;
    let first_day = morning().day(Tz::UTC).plus(-history);
    let world = World::new(Config { first_day, faults: vec![short], ..person() }, brisk()).await;
    log_in(&world.datasource).await;
    let run = world.datasource.backfill(&Backfill {
        days: history as u32,
        resources: vec!["daily_sleep".to_owned()],
        ..Backfill::default()
    });
    assert_eq!(ended(&world.datasource, run.unwrap()).await.failure, None);
    assert_eq!(world.failing().len(), 0);
    let journal = world.simulator.requests();
    let refused = journal
        .log()
        .iter()
        .filter(|request| request.collection() == Some("daily_sleep") && request.status == 400)
        .count();
    assert!(refused <= 2 * 5, "{refused} rejections");
    assert!(world.select("SELECT count(*) FROM daily_sleep")[0][0].as_i64() > Some(history - 40));
}

#[tokio::test]
async fn oversized_backfill_starts_at_the_first_ring() {
    let world = World::connected().await;
    let answer =
        call(&world.datasource, USER, "/backfill", json!({ "days": 3, "offset_days": u32::MAX }))
            .await;
    assert_eq!((answer.0, &answer.1["error"]["code"]), (400, &json!("before_any_ring")));
    let answer = call(
        &world.datasource,
        USER,
        "/backfill",
        json!({ "days": u32::MAX, "resources": ["vO2_max"] }),
    )
    .await;
    assert_eq!(answer.0, 202, "{}", answer.1);
    assert_eq!(ended(&world.datasource, 2).await.failure, None);
    assert_eq!(sync(&world.datasource).await.failure, None);
    assert_eq!(
        world.select("SELECT min(day) FROM coverage WHERE collection = 'vO2_max'"),
        [[json!("2015-01-01")]]
    );
    world.assert_whole();
}
