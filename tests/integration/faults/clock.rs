//! A clock that is wrong, or that moves to another time zone. The store stays complete, and the
//! schedule continues.

use ringside::datasource::{DataSourceKey, DataSources, Environment, Settings};
use ringside::simulator::Config;
use ringside::time::{Clock, Tz};
use serde_json::Value;

use super::world::*;

/// Syncs in a process with a clock that is `days` behind, between two processes with a right clock.
async fn sync_with_a_clock_behind_by(days: i64) {
    let world = World::new(person(), brisk()).await;
    log_in(&world.datasource).await;
    let world = world.restarted(Clock::starting_at(morning().plus(-days * 86_400), 60.0)).await;
    assert_eq!(sync(&world.datasource).await.failure, None);
    world.assert_whole();
    let world = world.restarted(brisk()).await;
    assert_eq!(sync(&world.datasource).await.failure, None);
    assert_eq!(world.failing().len(), 0);
    world.assert_whole();
    let changed =
        "SELECT count(*) FROM oura_raw_documents WHERE deleted_at IS NOT NULL OR revision > 1";
    assert_eq!(world.select(changed)[0][0], 0);
}

#[tokio::test]
async fn clock_set_back_by_a_day_changes_no_document() {
    sync_with_a_clock_behind_by(1).await;
}

#[tokio::test]
async fn clock_set_back_by_a_month_changes_no_document() {
    sync_with_a_clock_behind_by(31).await;
}

#[tokio::test]
async fn days_settled_by_a_clock_ahead_are_fetched_again() {
    // A computer without a battery for its clock takes all of these days for half a year old.
    let world = World::new(person(), Clock::starting_at(morning().plus(180 * 86_400), 60.0)).await;
    assert_eq!(log_in(&world.datasource).await.failure, None);
    let open = "SELECT count(*) FROM coverage
                WHERE day >= '2026-06-14' AND day < '2026-07-01' AND state = 'partial'";
    assert_eq!(world.select(open)[0][0], 0, "all days count as settled");

    // Three days later the clock is right.
    let later = morning().plus(3 * 86_400);
    let oura = oura(Config { clock: Clock::starting_at(later, 0.0), ..person() }).await;
    let World { folder, datasources, datasource, .. } = world;
    drop(datasource);
    datasources.shutdown().await;
    drop(datasources);
    let clock = Clock::starting_at(later, 60.0);
    let datasources = DataSources::open(environment(folder.path(), &oura, clock)).unwrap();
    let datasource =
        datasources.datasource(&DataSourceKey::single(), &settings(), &secret()).await.unwrap();
    let run = datasource.status().unwrap().sync.run.unwrap();
    let redirect = allowed(&datasource).await;
    let response = call(&datasource, USER, "/oauth/callback", serde_json::json!(redirect)).await;
    assert_eq!(response.0, 200);
    assert_eq!(ended(&datasource, run + 1).await.failure, None);
    let collections = datasource.status().unwrap().collections;
    let sleep = collections.iter().find(|collection| collection.name == "daily_sleep").unwrap();
    let last_day = sleep.last_day.unwrap();
    let truth = oura.truth("daily_sleep", first_day(), later.day(Tz::UTC));
    assert_eq!(last_day.to_string(), truth.last().unwrap()["day"]);
    assert!(last_day > morning().day(Tz::UTC));
}

#[tokio::test]
async fn schedule_continues_after_the_clock_is_set_back() {
    let world = World::new(person(), brisk()).await;
    log_in(&world.datasource).await;
    let World { simulator, folder, datasources, datasource } = world;
    drop(datasource);
    datasources.shutdown().await;
    drop(datasources);
    let clock = Clock::starting_at(morning().plus(-31 * 86_400), 0.0);
    let environment = environment(folder.path(), &simulator, clock.clone());
    let datasources = DataSources::open(Environment { scheduled: true, ..environment }).unwrap();
    let datasource =
        datasources.datasource(&DataSourceKey::single(), &settings(), &secret()).await.unwrap();
    while datasource.status().unwrap().sync.next_sync.is_none() {
        tokio::task::yield_now().await;
    }
    let next = datasource.status().unwrap().sync.next_sync.unwrap();
    assert!(next >= clock.now() && next <= clock.now().plus(34 * 60), "{next}");
}

#[tokio::test]
async fn time_zone_change_during_the_history_load_loses_no_hour() {
    let world = World::new(person(), brisk()).await;
    let reopened = async |timezone: &str, missing_days: i64| {
        let settings = Settings {
            timezone: timezone.to_owned(),
            history_start: Some(first_day().plus(missing_days - 1)),
            ..settings()
        };
        let key = DataSourceKey::single();
        world.datasources.datasource(&key, &settings, &secret()).await.unwrap()
    };
    let datasource = reopened("America/Los_Angeles", 6).await;
    assert_eq!(log_in(&datasource).await.failure, None);
    drop(datasource);
    let datasource = reopened("Pacific/Auckland", 0).await;
    assert_eq!(sync(&datasource).await.failure, None);
    let world = World { datasource, ..world };
    world.assert_whole();
    let open = "SELECT day FROM coverage WHERE collection = 'heartrate' AND day < '2026-06-08'
                AND state NOT IN ('complete', 'empty')";
    assert_eq!(world.select(open), Vec::<Vec<Value>>::new());
}
