//! Oura as a whole out of order, or out of order for one day: what ends, what goes on, and what is said.

use ringside::account::Backfill;
use ringside::simulator::{Config, Fault, Misbehaviour, Target};
use serde_json::json;

use super::world::*;

fn status(status: u16) -> Misbehaviour {
    Misbehaviour::Status { status, retry_after: None }
}

#[tokio::test]
async fn an_outage_ends_the_sync_says_so_and_is_over_with_the_next_one() {
    let world = World::new(person(), brisk()).await;
    let everything = Target::Path("/v2/".to_owned());
    let back = allowed(&world.account).await;
    world.simulator.faults().add(Fault::new(everything, status(503)));
    assert_eq!(call(&world.account, USER, "/oauth/callback", json!(back)).await.0, 200);
    assert_says(&ended(&world.account, 1).await.failure.unwrap(), &["503", "next sync tries again"]);
    let asked = world.simulator.requests().log().iter().filter(|request| request.collection().is_some()).count();
    assert!(asked <= 14 * 4, "{asked} requests to one that is out of order");
    let sync_status = world.account.status().unwrap().sync;
    assert_says(&sync_status.failure.unwrap(), &["503"]);
    assert!(sync_status.percent < 1.0, "{}", sync_status.percent);

    world.simulator.faults().clear();
    assert_eq!(sync(&world.account).await.failure, None);
    assert_eq!(world.account.status().unwrap().sync.percent, 100.0);
    world.assert_whole();
}

#[tokio::test]
async fn an_outage_in_the_middle_of_a_load_is_no_success_and_leaves_what_came() {
    let world = World::new(person(), brisk()).await;
    world.simulator.faults().add(Fault::new(Target::Path("/v2/".to_owned()), status(500)).after(25));
    assert_says(&log_in(&world.account).await.failure.unwrap(), &["500"]);
    let percent = world.account.status().unwrap().sync.percent;
    assert!(percent > 1.0 && percent < 99.0, "{percent}");
    world.simulator.faults().clear();
    assert_eq!(sync(&world.account).await.failure, None);
    world.assert_whole();
}

#[tokio::test]
async fn a_day_that_cannot_be_had_hides_no_other() {
    let world = World::new(person(), brisk()).await;
    let bad_day = first_day().plus(5);
    world.simulator.faults().add(Fault::on_collection("daily_activity", status(500)).on_day(bad_day));
    assert_eq!(log_in(&world.account).await.failure, None, "one collection is not the sync");
    assert!(world.account.status().unwrap().sync.percent < 100.0);
    for _ in 0..3 {
        sync(&world.account).await;
    }
    let activity = world.collection("daily_activity");
    assert_eq!(activity.state, "error");
    assert_says(activity.reason.as_deref().unwrap(), &["500", "next sync tries again"]);
    // A range is asked for with two days more on each side.
    let lacking = world.select("SELECT day FROM coverage WHERE collection = 'daily_activity' AND state = 'not_fetched' ORDER BY day");
    let hidden: Vec<String> = bad_day.plus(-2).through(bad_day.plus(2)).map(|day| day.to_string()).collect();
    assert_eq!(lacking.iter().map(|row| row[0].as_str().unwrap()).collect::<Vec<_>>(), hidden);
    world.assert_whole_but(&["daily_activity"]);

    world.simulator.faults().clear();
    assert_eq!(sync(&world.account).await.failure, None);
    assert_eq!(world.unwell().len(), 0);
    world.assert_whole();
}

#[tokio::test]
async fn a_server_that_takes_short_ranges_only_is_told_so_a_few_times_and_no_more() {
    let short = Fault::on_collection("daily_sleep", Misbehaviour::LongestRange(10));
    let history = 400;
    let first_day = morning().day(ringside::time::Tz::UTC).plus(-history);
    let world = World::new(Config { first_day, faults: vec![short], ..person() }, brisk()).await;
    log_in(&world.account).await;
    let run = world.account.backfill(&Backfill { days: history as u32, resources: vec!["daily_sleep".to_owned()], ..Backfill::default() });
    assert_eq!(ended(&world.account, run.unwrap()).await.failure, None);
    assert_eq!(world.unwell().len(), 0);
    let journal = world.simulator.requests();
    let refused = journal.log().iter().filter(|request| request.collection() == Some("daily_sleep") && request.status == 400).count();
    assert!(refused <= 2 * 5, "{refused} refusals");
    assert!(world.select("SELECT count(*) FROM daily_sleep")[0][0].as_i64() > Some(history - 40));
}

#[tokio::test]
async fn a_backfill_without_end_begins_with_the_first_ring_and_hurts_nobody() {
    let world = World::connected().await;
    let answer = call(&world.account, USER, "/backfill", json!({ "days": 3, "offset_days": u32::MAX })).await;
    assert_eq!((answer.0, &answer.1["error"]["code"]), (400, &json!("before_any_ring")));
    let answer = call(&world.account, USER, "/backfill", json!({ "days": u32::MAX, "resources": ["vO2_max"] })).await;
    assert_eq!(answer.0, 202, "{}", answer.1);
    assert_eq!(ended(&world.account, 2).await.failure, None);
    assert_eq!(sync(&world.account).await.failure, None);
    assert_eq!(world.select("SELECT min(day) FROM coverage WHERE collection = 'vO2_max'"), [[json!("2015-01-01")]]);
    world.assert_whole();
}
