//! A collection that misbehaves: its own state says what and what to do, the others come, and once it is well again so is everything.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringside::datasource::{Backfill, ConnectionState, DataSourceKey, Settings};
use ringside::simulator::{Config, Fault, Misbehaviour, Target};
use ringside::time::Clock;
use serde_json::json;

use super::world::*;
use crate::common::secret_scanner;

/// `fault` from the first sync on: `collection` alone ends in `state`, for a reason with all of `words`; and it recovers.
async fn misbehaving(collection: &str, does: Misbehaviour, state: &str, words: &[&str]) {
    let world = World::new(
        Config { faults: vec![Fault::on_collection(collection, does)], ..person() },
        brisk(),
    )
    .await;
    misbehaving_in(world, collection, state, words).await;
}

async fn misbehaving_in(world: World, collection: &str, state: &str, words: &[&str]) {
    let progress = log_in(&world.datasource).await;
    assert_eq!(progress.failure, None);
    let unwell = world.unwell();
    assert_eq!(unwell.keys().collect::<Vec<_>>(), [collection]);
    assert_eq!(unwell[collection].state.as_str(), state);
    assert_says(unwell[collection].reason.as_deref().unwrap(), words);
    assert_eq!(unwell[collection].documents, 0);
    world.assert_whole_but(&[collection]);
    let status = world.datasource.status().unwrap();
    assert_eq!((status.state, status.sync.failure), (ConnectionState::Connected, None));

    world.simulator.faults().clear();
    assert_eq!(sync(&world.datasource).await.failure, None);
    assert_eq!(world.unwell().keys().collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(world.collection(collection).reason, None);
    world.assert_whole();
}

fn status(status: u16) -> Misbehaviour {
    Misbehaviour::Status { status, retry_after: None }
}

#[tokio::test]
async fn not_offered() {
    misbehaving(
        "vO2_max",
        status(404),
        "not_available",
        &["does not offer", "every sync asks again"],
    )
    .await;
}

#[tokio::test]
async fn a_scope_is_missing() {
    misbehaving(
        "daily_stress",
        Misbehaviour::ScopeMissing,
        "scope_missing",
        &["daily", "not granted", "connect again"],
    )
    .await;
}

#[tokio::test]
async fn membership_has_expired() {
    misbehaving(
        "daily_readiness",
        Misbehaviour::MembershipExpired,
        "membership_ended",
        &["subscription", "expired", "membership"],
    )
    .await;
}

#[tokio::test]
async fn forbidden_without_a_reason() {
    misbehaving("sleep_time", status(403), "forbidden", &["refused", "Forbidden", "asks again"])
        .await;
}

#[tokio::test]
async fn a_401_that_names_no_scope_does_not_end_the_login() {
    misbehaving("session", status(401), "forbidden", &["refused", "Unauthorized"]).await;
}

#[tokio::test]
async fn the_app_is_too_old() {
    misbehaving("daily_resilience", status(426), "app_too_old", &["Oura app", "update"]).await;
}

#[tokio::test]
async fn the_server_fails() {
    misbehaving("sleep", status(500), "error", &["500", "next sync tries again"]).await;
}

#[tokio::test]
async fn a_status_nobody_knows() {
    misbehaving("workout", status(418), "error", &["418", "next sync tries again"]).await;
}

#[tokio::test]
async fn every_range_is_refused() {
    misbehaving(
        "daily_spo2",
        status(400),
        "error",
        &["refused the request", "next sync tries again"],
    )
    .await;
}

#[tokio::test]
async fn half_an_answer() {
    misbehaving(
        "heartrate",
        Misbehaviour::HalfBody,
        "error",
        &["could not be reached", "next sync tries again"],
    )
    .await;
}

#[tokio::test]
async fn an_answer_that_drips_for_longer_than_anybody_waits() {
    let drip = Fault::on_collection("sleep", Misbehaviour::Drip(Duration::from_millis(200)));
    let world = World::impatient(
        Config { faults: vec![drip], ..person() },
        brisk(),
        Duration::from_secs(2),
    )
    .await;
    misbehaving_in(
        world,
        "sleep",
        "error",
        &["could not be reached", "too long", "next sync tries again"],
    )
    .await;
}

#[tokio::test]
async fn no_json() {
    misbehaving(
        "daily_activity",
        Misbehaviour::InvalidJson,
        "error",
        &["makes no sense", "no JSON", "next sync tries again"],
    )
    .await;
}

#[tokio::test]
async fn a_page_of_another_shape() {
    misbehaving(
        "session",
        Misbehaviour::WrongShape,
        "error",
        &["makes no sense", "no page of documents", "next sync tries again"],
    )
    .await;
}

#[tokio::test]
async fn pages_in_a_circle() {
    misbehaving(
        "enhanced_tag",
        Misbehaviour::EndlessPages,
        "error",
        &["makes no sense", "page", "next sync tries again"],
    )
    .await;
}

#[tokio::test]
async fn rate_limited_alone() {
    let limited = Misbehaviour::Status { status: 429, retry_after: Some(2) };
    misbehaving("ring_battery_level", limited, "error", &["rate limit", "next sync tries again"])
        .await;
}

#[tokio::test]
async fn a_fault_of_a_moment_is_not_noticed() {
    for does in [status(500), status(503), Misbehaviour::HalfBody, Misbehaviour::InvalidJson] {
        let faults = vec![Fault::new(Target::Path("/v2/".to_owned()), does.clone()).times(3)];
        let world = World::new(Config { faults, ..person() }, brisk()).await;
        assert_eq!(log_in(&world.datasource).await.failure, None, "{does:?}");
        assert_eq!(world.unwell().len(), 0, "{does:?}: {:?}", world.unwell());
        world.assert_whole();
    }
}

#[tokio::test]
async fn scopes_left_unticked_close_their_collections_alone() {
    let world = World::new(person(), brisk()).await;
    let ticked =
        ["email", "personal", "daily", "heartrate", "workout", "session", "ring_configuration"];
    let back = at_oura(&press_connect(&world.datasource).await, "allow", &ticked).await;
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(back)).await.0, 200);
    assert_eq!(ended(&world.datasource, 1).await.failure, None);
    let unwell = world.unwell();
    let closed = [
        "daily_cardiovascular_age",
        "daily_resilience",
        "daily_spo2",
        "enhanced_tag",
        "tag",
        "vO2_max",
    ];
    assert_eq!(unwell.keys().collect::<Vec<_>>(), closed);
    for (name, scope) in
        closed.iter().zip(["heart_health", "stress", "spo2", "tag", "tag", "heart_health"])
    {
        assert_eq!(unwell[*name].state.as_str(), "scope_missing");
        assert_says(unwell[*name].reason.as_deref().unwrap(), &[scope, "connect again", "ticked"]);
    }
    world.assert_whole_but(&closed);
    assert_eq!(world.datasource.status().unwrap().state, ConnectionState::Connected);

    // Connecting again with everything ticked brings the rest.
    let back = allowed(&world.datasource).await;
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(back)).await.0, 200);
    ended(&world.datasource, 2).await;
    assert_eq!(world.unwell().len(), 0);
    world.assert_whole();
}

#[tokio::test]
async fn a_collection_that_goes_wrong_is_worth_a_warning_once() {
    let world = World::connected().await;
    let said = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&said);
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_ansi(false)
        .with_writer(move || Notes(Arc::clone(&writer)))
        .finish();
    let _listening = tracing::subscriber::set_default(subscriber);
    let warnings = || {
        let said = std::mem::take(&mut *said.lock().unwrap());
        secret_scanner::scan(&said);
        String::from_utf8(said).unwrap().matches("could not be fetched").count()
    };
    for does in [Misbehaviour::ScopeMissing, status(500)] {
        world.simulator.faults().add(Fault::on_collection("daily_stress", does));
        sync(&world.datasource).await;
        assert_eq!(warnings(), 1);
        sync(&world.datasource).await;
        assert_eq!(warnings(), 0, "its state says so");
        world.simulator.faults().clear();
        sync(&world.datasource).await;
        assert_eq!(world.unwell().len(), 0);
    }
}

struct Notes(Arc<Mutex<Vec<u8>>>);

impl Write for Notes {
    fn write(&mut self, said: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(said)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn windows_that_oura_refuses_are_no_part_of_what_is_left() {
    let world = World::new(person(), brisk()).await;
    let slow = Fault::on_collection("heartrate", Misbehaviour::Delay(Duration::from_secs(600)));
    world.simulator.faults().add(slow);
    let back = at_oura(
        &press_connect(&world.datasource).await,
        "allow",
        &["email", "personal", "heartrate"],
    )
    .await;
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(back)).await.0, 200);
    // Everything but the heart rate has been asked for: what is said of the run stands still.
    let unsettled =
        "SELECT count(*) FROM collections WHERE name <> 'heartrate' AND state = 'waiting'";
    let run = || world.select("SELECT windows, windows_done FROM sync_runs")[0].clone();
    let told = || {
        let progress = world.datasource.progress().borrow().clone();
        vec![json!(progress.windows), json!(progress.windows_done)]
    };
    for _ in 0..600 {
        if world.select(unsettled)[0][0] == 0 && run() == told() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(world.select(unsettled)[0][0], 0);
    assert_eq!(run(), told(), "windows, and how many are done");
    assert_eq!(
        told()[0].as_u64().unwrap() - told()[1].as_u64().unwrap(),
        2,
        "last week's heart rate, and what was before"
    );

    let world = world.restarted(brisk()).await;
    world.simulator.faults().clear();
    assert_eq!(sync(&world.datasource).await.failure, None);
    assert!(!world.unwell().is_empty());
    assert_eq!(world.datasource.measures().unwrap().windows_waiting.into_values().sum::<u64>(), 0);
    assert_eq!(world.datasource.status().unwrap().sync.percent, 100.0);
}

#[tokio::test]
async fn a_storm_of_429_is_waited_for() {
    let clock = brisk();
    let storm = Fault::new(
        Target::Path("/v2/".to_owned()),
        Misbehaviour::Status { status: 429, retry_after: Some(30) },
    );
    let config = Config { clock: clock.clone(), faults: vec![storm.after(5).times(4)], ..person() };
    let world = World::new(config, clock).await;
    assert_eq!(log_in(&world.datasource).await.failure, None);
    assert_eq!(world.unwell().len(), 0);
    let journal = world.simulator.requests();
    let limited: Vec<_> = journal.log().iter().filter(|request| request.status == 429).collect();
    assert_eq!(limited.len(), 4);
    // Once the last 429 was heard of, nobody asked before its time.
    let last = limited[3].at;
    let later = journal
        .log()
        .iter()
        .filter(|request| request.status == 200 && request.at > last.plus(5))
        .map(|request| request.at)
        .min();
    assert!(later.unwrap() >= last.plus(29), "{last} {later:?}");
}

#[tokio::test]
async fn a_rate_limit_that_never_ends_stops_the_run_and_the_next_one_goes_on() {
    let world = World::new(person(), brisk()).await;
    let limited = Misbehaviour::Status { status: 429, retry_after: Some(1) };
    world.simulator.faults().add(Fault::new(Target::Path("/v2/".to_owned()), limited).after(30));
    assert_says(
        &log_in(&world.datasource).await.failure.unwrap(),
        &["rate limit", "next sync tries again"],
    );
    let first = world.simulator.requests().log().len();
    assert!(first < 30 + 8 * 6 + 5, "{first} requests");
    let status = world.datasource.status().unwrap();
    assert_says(&status.sync.failure.unwrap(), &["rate limit"]);
    assert!(status.sync.percent > 0.0 && status.sync.percent < 100.0, "{}", status.sync.percent);

    world.simulator.faults().clear();
    assert_eq!(sync(&world.datasource).await.failure, None);
    world.assert_whole();
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_rate_limit() {
    let world = World::new(person(), Clock::starting_at(morning(), 0.0)).await;
    world.simulator.faults().add(Fault::new(
        Target::Path("/v2/".to_owned()),
        Misbehaviour::Status { status: 429, retry_after: Some(600) },
    ));
    let back = allowed(&world.datasource).await;
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(back)).await.0, 200);
    while world.simulator.requests().log().iter().all(|request| request.status != 429) {
        tokio::task::yield_now().await;
    }
    let ended = tokio::time::timeout(Duration::from_secs(60), world.datasources.shutdown()).await;
    assert!(ended.is_ok(), "a process that is told to end has ten seconds");
}

#[tokio::test]
async fn an_unknown_field_is_kept() {
    let world = World::new(person(), brisk()).await;
    for name in ["daily_sleep", "heartrate"] {
        world.simulator.faults().add(Fault::on_collection(name, Misbehaviour::UnknownField));
    }
    assert_eq!(log_in(&world.datasource).await.failure, None);
    assert_eq!(world.unwell().len(), 0);
    world.assert_whole_but(&["daily_sleep", "heartrate"]);
    let kept = "SELECT count(*), sum(json_extract(payload, '$.brand_new.value')) FROM oura_raw_documents WHERE resource = 'daily_sleep'";
    let kept = world.select(kept);
    assert!(kept[0][0].as_i64() > Some(10) && kept[0][0] == kept[0][1], "{kept:?}");
    let kept = world
        .select("SELECT count(*), sum(json_extract(extra, '$.brand_new.value')) FROM heartrate");
    assert!(kept[0][0].as_i64() > Some(100) && kept[0][0] == kept[0][1], "{kept:?}");
    fetched_again(&world).await;
}

#[tokio::test]
async fn a_value_of_another_type_is_kept() {
    let world = World::new(person(), brisk()).await;
    let wrong = ["daily_sleep", "sleep", "heartrate", "ring_battery_level", "workout"];
    for name in wrong {
        world.simulator.faults().add(Fault::on_collection(name, Misbehaviour::WrongType));
    }
    assert_eq!(log_in(&world.datasource).await.failure, None);
    assert_eq!(world.unwell().len(), 0);
    world.assert_whole_but(&wrong);
    for name in ["daily_sleep", "sleep", "workout"] {
        let counted = format!(
            "SELECT count(*), count(day), sum(json_type(payload, '$.id') = 'integer' AND json_type(payload, '$.day') = 'integer')
             FROM oura_raw_documents WHERE resource = '{name}'"
        );
        let truth = world.truth(name).len();
        assert_eq!(
            world.select(&counted),
            [[json!(truth), json!(truth), json!(truth)]],
            "{name}: each as it came, and on its day"
        );
    }
    let nested = "SELECT DISTINCT json_type(payload, '$.contributors.deep_sleep') FROM oura_raw_documents WHERE resource = 'daily_sleep'";
    assert_eq!(world.select(nested), [["text"]]);
    let scores = world.select("SELECT count(*), sum(score BETWEEN 1 AND 100) FROM daily_sleep");
    assert!(scores[0][0] == scores[0][1], "a number written as text is still a number: {scores:?}");
    let rates = world.select("SELECT count(*), sum(bpm BETWEEN 30 AND 220) FROM heartrate");
    assert!(rates[0][0].as_i64() > Some(100) && rates[0][0] == rates[0][1], "{rates:?}");
    // Whatever the documents hold, the dashboard's views answer.
    for view in ["nights", "days", "hypnogram", "samples", "coverage"] {
        let (status, answer) = call(
            &world.datasource,
            USER,
            "/sql",
            json!({ "sql": format!("SELECT * FROM {view} LIMIT 5") }),
        )
        .await;
        assert_eq!(status, 200, "{view}: {answer}");
    }
    fetched_again(&world).await;
}

/// Days that are settled are fetched again only when a person asks.
async fn fetched_again(world: &World) {
    world.simulator.faults().clear();
    let run =
        world.datasource.backfill(&Backfill { days: DAYS as u32, ..Backfill::default() }).unwrap();
    assert_eq!(ended(&world.datasource, run).await.failure, None);
    world.assert_whole();
}

#[tokio::test]
async fn order_and_repetition_change_nothing() {
    let faults = [Misbehaviour::Shuffled, Misbehaviour::Duplicated]
        .map(|does| Fault::new(Target::Path("/v2/".to_owned()), does));
    let world = World::new(Config { faults: faults.to_vec(), ..person() }, brisk()).await;
    assert_eq!(log_in(&world.datasource).await.failure, None);
    world.assert_whole_but(&["heartrate"]);
    assert_eq!(world.select("SELECT max(revision) FROM oura_raw_documents"), [[json!(1)]]);
}

#[tokio::test]
async fn a_backfill_fetches_what_the_settings_choose_unless_it_says_otherwise() {
    let world = World::new(person(), brisk()).await;
    let chosen =
        Settings { collections: vec!["Daily_Sleep".to_owned(), "gone".to_owned()], ..settings() };
    let datasource =
        world.datasources.datasource(&DataSourceKey::single(), &chosen, &secret()).await.unwrap();
    let run = log_in(&datasource).await.run;
    let answer = call(&datasource, USER, "/backfill", json!({ "days": 3 })).await;
    assert_eq!(answer, (202, json!({ "run": run + 1 })));
    assert_eq!(ended(&datasource, run + 1).await.failure, None);
    let fetched = "SELECT DISTINCT resource FROM sync_windows WHERE reason = 'backfill'";
    assert_eq!(world.select(fetched), [["daily_sleep"]]);
    assert_eq!(
        call(&datasource, USER, "/backfill?resources=workout", json!({ "days": 3 })).await.0,
        202
    );
    assert_eq!(ended(&datasource, run + 2).await.failure, None);
    assert_eq!(world.select(fetched), [["daily_sleep"], ["workout"]]);

    for (address, body, words) in [
        ("/backfill", json!({ "days": 3, "offset": 4 }), ["offset", "offset_days"]),
        ("/backfill?offset=4", json!({ "days": 3 }), ["offset=4", "offset_days"]),
        (
            "/backfill?resources=,",
            json!({ "days": 3 }),
            ["no collection", "resources=sleep,workout"],
        ),
    ] {
        let answer = call(&datasource, USER, address, body).await;
        assert_eq!(answer.0, 400, "{answer:?}");
        assert_says(&said(&answer), &words);
    }
    let datasource = {
        let gone = Settings { collections: vec!["gone".to_owned()], ..settings() };
        world.datasources.datasource(&DataSourceKey::single(), &gone, &secret()).await.unwrap()
    };
    let answer = call(&datasource, USER, "/backfill", json!({ "days": 3 })).await;
    assert_eq!((answer.0, &answer.1["error"]["code"]), (400, &json!("unknown_collection")));
}
