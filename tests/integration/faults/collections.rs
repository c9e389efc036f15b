//! Faults of single collections. The state of the collection carries the reason and the remedy, the
//! other collections are fetched, and the collection recovers after the fault.

use std::time::Duration;

use ringside::datasource::{Backfill, ConnectionState, DataSourceKey, Settings};
use ringside::simulator::{Config, Fault, Misbehaviour, Target};
use ringside::time::Clock;
use serde_json::json;

use super::world::*;
use crate::common::ThreadLog;
use crate::common::wait::{must_finish, poll_until};

/// With `fault` from the first sync on, only `collection` ends in `state`, for a reason with all of
/// `words`. It recovers after the fault.
async fn recovers_from(collection: &str, does: Misbehaviour, state: &str, words: &[&str]) {
    let world = World::new(
        Config { faults: vec![Fault::on_collection(collection, does)], ..person() },
        brisk(),
    )
    .await;
    world_recovers(world, collection, state, words).await;
}

async fn world_recovers(world: World, collection: &str, state: &str, words: &[&str]) {
    let progress = log_in(&world.datasource).await;
    assert_eq!(progress.failure, None);
    let failing = world.failing();
    assert_eq!(failing.keys().collect::<Vec<_>>(), [collection]);
    assert_eq!(failing[collection].state.as_str(), state);
    assert_contains(failing[collection].reason.as_deref().unwrap(), words);
    assert_eq!(failing[collection].documents, 0);
    world.assert_whole_but(&[collection]);
    let status = world.datasource.status().unwrap();
    assert_eq!((status.state, status.sync.failure), (ConnectionState::Connected, None));

    world.simulator.faults().clear();
    assert_eq!(sync(&world.datasource).await.failure, None);
    assert_eq!(world.failing().keys().collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(world.collection(collection).reason, None);
    world.assert_whole();
}

fn status(status: u16) -> Misbehaviour {
    Misbehaviour::Status { status, retry_after: None }
}

/// One test for each fault of a single collection: its name, the collection, the fault, the state
/// that the collection ends in, and words of the reason.
macro_rules! faults_of_one_collection {
    ($($test:ident: $collection:literal, $fault:expr => $state:literal, $words:expr;)*) => {
        $(
            #[tokio::test]
            async fn $test() {
                recovers_from($collection, $fault, $state, &$words).await;
            }
        )*
    };
}

faults_of_one_collection! {
    unoffered_collection_is_not_available:
        "vO2_max", status(404) => "not_available", ["does not offer", "next sync checks again"];
    missing_scope_is_named:
        "daily_stress", Misbehaviour::ScopeMissing => "scope_missing",
        ["Missing scope", "daily", "connect again"];
    expired_membership_is_reported:
        "daily_readiness", Misbehaviour::MembershipExpired => "membership_ended",
        ["subscription", "expired", "membership"];
    forbidden_without_a_reason_is_reported:
        "sleep_time", status(403) => "forbidden", ["denied access", "Forbidden", "tries again"];
    unauthorized_collection_does_not_end_the_login:
        "session", status(401) => "forbidden", ["denied access", "Unauthorized"];
    outdated_app_is_reported:
        "daily_resilience", status(426) => "app_too_old", ["Oura app", "update"];
    server_error_is_retried_by_the_next_sync:
        "sleep", status(500) => "error", ["500", "next sync tries again"];
    unknown_status_is_retried_by_the_next_sync:
        "workout", status(418) => "error", ["418", "next sync tries again"];
    rejected_range_is_retried_by_the_next_sync:
        "daily_spo2", status(400) => "error", ["rejected the request", "next sync tries again"];
    truncated_response_is_retried_by_the_next_sync:
        "heartrate", Misbehaviour::HalfBody => "error",
        ["Could not reach Oura", "next sync tries again"];
    invalid_json_is_retried_by_the_next_sync:
        "daily_activity", Misbehaviour::InvalidJson => "error",
        ["Invalid response", "not JSON", "next sync tries again"];
    unexpected_page_shape_is_retried_by_the_next_sync:
        "session", Misbehaviour::WrongShape => "error",
        ["Invalid response", "not a page of documents", "next sync tries again"];
    circular_pages_are_retried_by_the_next_sync:
        "enhanced_tag", Misbehaviour::EndlessPages => "error",
        ["Invalid response", "page", "next sync tries again"];
    rate_limit_of_one_collection_is_retried_later:
        "ring_battery_level", Misbehaviour::Status { status: 429, retry_after: Some(2) } => "error",
        ["rate limit", "next sync tries again"];
}

#[tokio::test]
async fn response_slower_than_the_timeout_is_retried_later() {
    let drip = Misbehaviour::Drip(Duration::from_millis(200));
    let config = Config { faults: vec![Fault::on_collection("sleep", drip)], ..person() };
    let world = World::with_timeout(config, brisk(), Duration::from_secs(2)).await;
    let words = ["Could not reach Oura", "timed out", "next sync tries again"];
    world_recovers(world, "sleep", "error", &words).await;
}

#[tokio::test]
async fn brief_fault_leaves_no_trace() {
    for does in [status(500), status(503), Misbehaviour::HalfBody, Misbehaviour::InvalidJson] {
        let faults = vec![Fault::new(Target::Path("/v2/".to_owned()), does.clone()).times(3)];
        let world = World::new(Config { faults, ..person() }, brisk()).await;
        assert_eq!(log_in(&world.datasource).await.failure, None, "{does:?}");
        assert_eq!(world.failing().len(), 0, "{does:?}: {:?}", world.failing());
        world.assert_whole();
    }
}

#[tokio::test]
async fn unticked_scopes_close_only_their_collections() {
    let world = World::new(person(), brisk()).await;
    let ticked =
        ["email", "personal", "daily", "heartrate", "workout", "session", "ring_configuration"];
    let redirect = decide_at_oura(&start_login(&world.datasource).await, "allow", &ticked).await;
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(redirect)).await.0, 200);
    assert_eq!(ended(&world.datasource, 1).await.failure, None);
    let failing = world.failing();
    let closed = [
        "daily_cardiovascular_age",
        "daily_resilience",
        "daily_spo2",
        "enhanced_tag",
        "tag",
        "vO2_max",
    ];
    assert_eq!(failing.keys().collect::<Vec<_>>(), closed);
    for (name, scope) in
        closed.iter().zip(["heart_health", "stress", "spo2", "tag", "tag", "heart_health"])
    {
        assert_eq!(failing[*name].state.as_str(), "scope_missing");
        assert_contains(
            failing[*name].reason.as_deref().unwrap(),
            &[scope, "connect again", "checked"],
        );
    }
    world.assert_whole_but(&closed);
    assert_eq!(world.datasource.status().unwrap().state, ConnectionState::Connected);

    // Connecting again with all scopes ticked fetches the rest.
    let redirect = allowed(&world.datasource).await;
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(redirect)).await.0, 200);
    ended(&world.datasource, 2).await;
    assert_eq!(world.failing().len(), 0);
    world.assert_whole();
}

#[tokio::test]
async fn failing_collection_is_logged_once() {
    let world = World::connected().await;
    let log = ThreadLog::new();
    let warnings = || log.take().matches("could not be fetched").count();
    for does in [Misbehaviour::ScopeMissing, status(500)] {
        world.simulator.faults().add(Fault::on_collection("daily_stress", does));
        sync(&world.datasource).await;
        assert_eq!(warnings(), 1);
        sync(&world.datasource).await;
        assert_eq!(warnings(), 0, "its state reports it");
        world.simulator.faults().clear();
        sync(&world.datasource).await;
        assert_eq!(world.failing().len(), 0);
    }
}

#[tokio::test]
async fn rejected_windows_do_not_count_as_left() {
    let world = World::new(person(), brisk()).await;
    let heartrate = Target::Collection("heartrate".to_owned());
    let barrier = world.simulator.faults().hold(heartrate);
    let redirect = decide_at_oura(
        &start_login(&world.datasource).await,
        "allow",
        &["email", "personal", "heartrate"],
    )
    .await;
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(redirect)).await.0, 200);
    // Once all but the heart rate is fetched, the progress of the run stands still.
    let unsettled =
        "SELECT count(*) FROM collections WHERE name <> 'heartrate' AND state = 'waiting'";
    let run = || world.select("SELECT windows, windows_done FROM sync_runs")[0].clone();
    let reported = || {
        let progress = world.datasource.progress().borrow().clone();
        vec![json!(progress.windows), json!(progress.windows_done)]
    };
    poll_until("fetching all but the heart rate", || {
        world.select(unsettled)[0][0] == 0 && run() == reported()
    })
    .await;
    let windows_left = reported()[0].as_u64().unwrap() - reported()[1].as_u64().unwrap();
    assert_eq!(windows_left, 2, "the heart rate of the last week, and of the days before");

    let world = world.restarted(brisk()).await;
    barrier.open();
    assert_eq!(sync(&world.datasource).await.failure, None);
    assert!(!world.failing().is_empty());
    assert_eq!(world.datasource.measures().unwrap().windows_waiting.into_values().sum::<u64>(), 0);
    assert_eq!(world.datasource.status().unwrap().sync.percent, 100.0);
}

#[tokio::test]
async fn retry_after_of_a_rate_limit_is_respected() {
    let clock = brisk();
    let storm = Fault::new(
        Target::Path("/v2/".to_owned()),
        Misbehaviour::Status { status: 429, retry_after: Some(30) },
    );
    let config = Config { clock: clock.clone(), faults: vec![storm.after(5).times(4)], ..person() };
    let world = World::new(config, clock).await;
    assert_eq!(log_in(&world.datasource).await.failure, None);
    assert_eq!(world.failing().len(), 0);
    let journal = world.simulator.requests();
    let limited: Vec<_> = journal.log().iter().filter(|request| request.status == 429).collect();
    assert_eq!(limited.len(), 4);
    // Each of the three other senders may send a request or two before the last 429 arrives. All
    // further requests wait until the time it demands.
    let last = journal.log().iter().rposition(|request| request.status == 429).unwrap();
    let waited_until = journal.log()[last].at.plus(29);
    let early = journal.log()[last + 1..]
        .iter()
        .filter(|request| request.collection().is_some() && request.at < waited_until)
        .count();
    assert!(early <= 6, "{early} requests before {waited_until}");
}

#[tokio::test]
async fn endless_rate_limit_ends_the_run_and_the_next_continues() {
    let world = World::new(person(), brisk()).await;
    let limited = Misbehaviour::Status { status: 429, retry_after: Some(1) };
    world.simulator.faults().add(Fault::new(Target::Path("/v2/".to_owned()), limited).after(30));
    assert_contains(
        &log_in(&world.datasource).await.failure.unwrap(),
        &["rate limit", "next sync tries again"],
    );
    let first = world.simulator.requests().log().len();
    assert!(first < 30 + 8 * 6 + 5, "{first} requests");
    let status = world.datasource.status().unwrap();
    assert_contains(&status.sync.failure.unwrap(), &["rate limit"]);
    assert!(status.sync.percent > 0.0 && status.sync.percent < 100.0, "{}", status.sync.percent);

    world.simulator.faults().clear();
    assert_eq!(sync(&world.datasource).await.failure, None);
    world.assert_whole();
}

#[tokio::test]
async fn shutdown_does_not_wait_for_a_rate_limit() {
    let world = World::new(person(), Clock::starting_at(morning(), 0.0)).await;
    world.simulator.faults().add(Fault::new(
        Target::Path("/v2/".to_owned()),
        Misbehaviour::Status { status: 429, retry_after: Some(600) },
    ));
    let redirect = allowed(&world.datasource).await;
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(redirect)).await.0, 200);
    world.simulator.wait_until(|journal| journal.count_status(429) > 0).await;
    must_finish("shutting down during a rate limit", world.datasources.shutdown()).await;
}

#[tokio::test]
async fn unknown_field_is_stored() {
    let world = World::new(person(), brisk()).await;
    for name in ["daily_sleep", "heartrate"] {
        world.simulator.faults().add(Fault::on_collection(name, Misbehaviour::UnknownField));
    }
    assert_eq!(log_in(&world.datasource).await.failure, None);
    assert_eq!(world.failing().len(), 0);
    world.assert_whole_but(&["daily_sleep", "heartrate"]);
    let kept = "SELECT count(*), sum(json_extract(payload, '$.brand_new.value'))
                FROM oura_raw_documents WHERE resource = 'daily_sleep'";
    let kept = world.select(kept);
    assert!(kept[0][0].as_i64() > Some(10) && kept[0][0] == kept[0][1], "{kept:?}");
    let kept = world
        .select("SELECT count(*), sum(json_extract(extra, '$.brand_new.value')) FROM heartrate");
    assert!(kept[0][0].as_i64() > Some(100) && kept[0][0] == kept[0][1], "{kept:?}");
    assert_refetched(&world).await;
}

#[tokio::test]
async fn value_of_an_unexpected_type_is_stored() {
    let world = World::new(person(), brisk()).await;
    let wrong = ["daily_sleep", "sleep", "heartrate", "ring_battery_level", "workout"];
    for name in wrong {
        world.simulator.faults().add(Fault::on_collection(name, Misbehaviour::WrongType));
    }
    assert_eq!(log_in(&world.datasource).await.failure, None);
    assert_eq!(world.failing().len(), 0);
    world.assert_whole_but(&wrong);
    for name in ["daily_sleep", "sleep", "workout"] {
        let counted = format!(
            "SELECT count(*), count(day),
                    sum(json_type(payload, '$.id') = 'integer'
                        AND json_type(payload, '$.day') = 'integer')
             FROM oura_raw_documents WHERE resource = '{name}'"
        );
        let truth = world.truth(name).len();
        assert_eq!(
            world.select(&counted),
            [[json!(truth), json!(truth), json!(truth)]],
            "{name}: each unchanged, and on its day"
        );
    }
    let nested = "SELECT DISTINCT json_type(payload, '$.contributors.deep_sleep')
                  FROM oura_raw_documents WHERE resource = 'daily_sleep'";
    assert_eq!(world.select(nested), [["text"]]);
    let scores = world.select("SELECT count(*), sum(score BETWEEN 1 AND 100) FROM daily_sleep");
    assert!(scores[0][0] == scores[0][1], "a number written as text is still a number: {scores:?}");
    let rates = world.select("SELECT count(*), sum(bpm BETWEEN 30 AND 220) FROM heartrate");
    assert!(rates[0][0].as_i64() > Some(100) && rates[0][0] == rates[0][1], "{rates:?}");
    // The views of the dashboard still work.
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
    assert_refetched(&world).await;
}

/// Fetches the settled days again, which only a backfill does, and asserts that all is stored.
async fn assert_refetched(world: &World) {
    world.simulator.faults().clear();
    let run =
        world.datasource.backfill(&Backfill { days: DAYS as u32, ..Backfill::default() }).unwrap();
    assert_eq!(ended(&world.datasource, run).await.failure, None);
    world.assert_whole();
}

#[tokio::test]
async fn order_and_duplicates_change_no_document() {
    let faults = [Misbehaviour::Shuffled, Misbehaviour::Duplicated]
        .map(|does| Fault::new(Target::Path("/v2/".to_owned()), does));
    let world = World::new(Config { faults: faults.to_vec(), ..person() }, brisk()).await;
    assert_eq!(log_in(&world.datasource).await.failure, None);
    world.assert_whole_but(&["heartrate"]);
    assert_eq!(world.select("SELECT max(revision) FROM oura_raw_documents"), [[json!(1)]]);
}

/// The name of a collection never becomes a path or a host.
#[tokio::test]
async fn names_of_collections_are_no_paths() {
    let world = World::connected().await;
    for name in [
        "../personal_info",
        "sleep/../../../oauth/token",
        "sleep?x",
        "//evil.example/x",
        "%2e%2e/x",
    ] {
        let body = json!({ "days": 3, "resources": [name] });
        let answer = call(&world.datasource, USER, "/backfill", body).await;
        assert_eq!(
            (answer.0, &answer.1["error"]["code"]),
            (400, &json!("unknown_collection")),
            "{name}"
        );
    }
    for request in world.simulator.requests().log() {
        let is_known = request.path.starts_with("/oauth/") || request.path.starts_with("/v2/");
        assert!(is_known && !request.path.contains(".."), "{}", request.path);
    }
}

#[tokio::test]
async fn backfill_fetches_the_chosen_collections_by_default() {
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
        assert_contains(&error_text(&answer), &words);
    }
    let datasource = {
        let gone = Settings { collections: vec!["gone".to_owned()], ..settings() };
        world.datasources.datasource(&DataSourceKey::single(), &gone, &secret()).await.unwrap()
    };
    let answer = call(&datasource, USER, "/backfill", json!({ "days": 3 })).await;
    assert_eq!((answer.0, &answer.1["error"]["code"]), (400, &json!("unknown_collection")));
}
