//! A clock that was wrong, or that goes on in another time zone: nothing is lost, nothing is skipped, and the schedule goes on.

use ringside::datasource::{DataSourceKey, DataSources, Environment, Settings};
use ringside::time::{Clock, Tz};

use super::world::*;

/// A process whose clock is `days` wrong syncs, between two whose clock is right.
async fn wrong_by(days: i64) {
    let world = World::new(person(), brisk()).await;
    log_in(&world.datasource).await;
    let world = world.restarted(Clock::starting_at(morning().plus(days * 86_400), 60.0)).await;
    let progress = sync(&world.datasource).await;
    assert!(progress.failure.is_none() || progress.failure.unwrap().contains("log in again"));
    world.assert_whole();
    let world = world.restarted(brisk()).await;
    log_in_again(&world).await;
    world.assert_whole();
    assert_eq!(
        world.select(
            "SELECT count(*) FROM oura_raw_documents WHERE deleted_at IS NOT NULL OR revision > 1"
        )[0][0],
        0
    );
}

async fn log_in_again(world: &World) {
    assert_eq!(sync(&world.datasource).await.failure, None);
    assert_eq!(world.unwell().len(), 0);
}

#[tokio::test]
async fn set_back_by_a_day() {
    wrong_by(-1).await;
}

#[tokio::test]
async fn set_back_by_a_month() {
    wrong_by(-31).await;
}

#[tokio::test]
async fn what_a_clock_ahead_took_for_settled_is_fetched_again_once_it_is_right() {
    // A computer without a battery for its clock: by its reckoning all of this was half a year ago.
    let world = World::new(person(), Clock::starting_at(morning().plus(180 * 86_400), 60.0)).await;
    assert_eq!(log_in(&world.datasource).await.failure, None);
    let settled = world.select("SELECT count(*) FROM coverage WHERE day >= '2026-06-14' AND state = 'partial' AND day < '2026-07-01'");
    assert_eq!(settled[0][0], 0, "its reckoning");

    // The days go on; the clock is right now.
    let days_later = morning().plus(3 * 86_400);
    let oura = oura(ringside::simulator::Config {
        clock: Clock::starting_at(days_later, 0.0),
        ..person()
    })
    .await;
    let World { folder, datasources, datasource, .. } = world;
    drop(datasource);
    datasources.shutdown().await;
    drop(datasources);
    let datasources =
        DataSources::open(environment(folder.path(), &oura, Clock::starting_at(days_later, 60.0)))
            .unwrap();
    let datasource =
        datasources.datasource(&DataSourceKey::single(), &settings(), &secret()).await.unwrap();
    let run = datasource.status().unwrap().sync.run.unwrap();
    let back = allowed(&datasource).await;
    assert_eq!(call(&datasource, USER, "/oauth/callback", serde_json::json!(back)).await.0, 200);
    assert_eq!(ended(&datasource, run + 1).await.failure, None);
    let held = datasource
        .status()
        .unwrap()
        .collections
        .into_iter()
        .find(|collection| collection.name == "daily_sleep")
        .unwrap()
        .last_day;
    let truth = oura.truth("daily_sleep", first_day(), days_later.day(Tz::UTC));
    assert_eq!(held.unwrap().to_string(), truth.last().unwrap()["day"]);
    assert!(held.unwrap() > morning().day(Tz::UTC));
}

#[tokio::test]
async fn the_schedule_of_a_clock_set_back_goes_on_within_an_interval() {
    let world = World::new(person(), brisk()).await;
    log_in(&world.datasource).await;
    let World { simulator, folder, datasources, datasource } = world;
    drop(datasource);
    datasources.shutdown().await;
    drop(datasources);
    let clock = Clock::starting_at(morning().plus(-31 * 86_400), 0.0);
    let datasources = DataSources::open(Environment {
        scheduled: true,
        ..environment(folder.path(), &simulator, clock.clone())
    })
    .unwrap();
    let datasource =
        datasources.datasource(&DataSourceKey::single(), &settings(), &secret()).await.unwrap();
    while datasource.status().unwrap().sync.next_sync.is_none() {
        tokio::task::yield_now().await;
    }
    let next = datasource.status().unwrap().sync.next_sync.unwrap();
    assert!(next >= clock.now() && next <= clock.now().plus(34 * 60), "{next}");
}

#[tokio::test]
async fn another_time_zone_while_history_is_missing_loses_no_hour() {
    let world = World::new(person(), brisk()).await;
    let in_zone = |timezone: &str, missing: i64| Settings {
        timezone: timezone.to_owned(),
        history_start: Some(first_day().plus(missing - 1)),
        ..settings()
    };
    let moved = async |settings| {
        world.datasources.datasource(&DataSourceKey::single(), &settings, &secret()).await.unwrap()
    };
    let datasource = moved(in_zone("America/Los_Angeles", 6)).await;
    assert_eq!(log_in(&datasource).await.failure, None);
    drop(datasource);
    let datasource = moved(in_zone("Pacific/Auckland", 0)).await;
    assert_eq!(sync(&datasource).await.failure, None);
    let world = World { datasource, ..world };
    world.assert_whole();
    let open = "SELECT day FROM coverage WHERE collection = 'heartrate' AND day < '2026-06-08' AND state NOT IN ('complete', 'empty')";
    assert_eq!(world.select(open), Vec::<Vec<serde_json::Value>>::new());
}
