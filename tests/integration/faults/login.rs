//! Logins that go wrong.

use ringside::datasource::{
    ConnectionState, DataSourceKey, DataSources, Environment, Settings, Trigger,
};
use ringside::oura::Secret;
use ringside::simulator::{Config, Fault, Misbehaviour, Registration};
use ringside::store::CollectionState;
use ringside::time::Clock;
use serde_json::json;
use std::time::Duration;

use super::world::*;

fn standing() -> Clock {
    Clock::starting_at(morning(), 0.0)
}

#[tokio::test]
async fn a_wrong_client_secret_is_said_to_be_wrong() {
    let world = World::new(person(), standing()).await;
    let key = DataSourceKey::new(1, "typo").unwrap();
    let datasource = world
        .datasources
        .datasource(&key, &settings(), &Secret::new("not-the-secret"))
        .await
        .unwrap();
    let back = allowed(&datasource).await;
    let answer = call(&datasource, USER, "/oauth/callback", json!(back)).await;
    assert_eq!((answer.0, &answer.1["error"]["code"]), (400, &json!("wrong_client")));
    assert_says(&said(&answer), &["client id and secret", "copy both again"]);
    assert_eq!(datasource.status().unwrap().state, ConnectionState::NotConnected);

    // Corrected, the same data source connects.
    let datasource = world.datasources.datasource(&key, &settings(), &secret()).await.unwrap();
    log_in(&datasource).await;
    assert_eq!(datasource.status().unwrap().state, ConnectionState::Connected);
}

#[tokio::test]
async fn without_a_client_id_nobody_is_sent_to_oura() {
    let world = World::new(person(), standing()).await;
    let key = DataSourceKey::new(1, "empty").unwrap();
    let datasource =
        world.datasources.datasource(&key, &Default::default(), &Secret::default()).await.unwrap();
    let answer = call(&datasource, USER, "/oauth/start", json!({ "redirectUri": REDIRECT })).await;
    assert_says(&said(&answer), &["client id", "missing", "Oura"]);
    assert_eq!(datasource.status().unwrap().state, ConnectionState::NotConfigured);
}

#[tokio::test]
async fn a_cancelled_consent_can_be_given_after_all() {
    let world = World::new(person(), standing()).await;
    let back = at_oura(&press_connect(&world.datasource).await, "cancel", &[]).await;
    assert_eq!(back["error"], "access_denied");
    let answer = call(&world.datasource, USER, "/oauth/callback", json!(back)).await;
    assert_eq!((answer.0, &answer.1["error"]["code"]), (400, &json!("consent_cancelled")));
    assert_says(&said(&answer), &["cancelled", "Press Connect"]);
    log_in(&world.datasource).await;
}

#[tokio::test]
async fn a_state_is_good_once() {
    let world = World::new(person(), standing()).await;
    let back = allowed(&world.datasource).await;
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(back)).await.0, 200);
    let again = call(&world.datasource, USER, "/oauth/callback", json!(back)).await;
    assert_eq!((again.0, &again.1["error"]["code"]), (400, &json!("used_state")));
    assert_says(&said(&again), &["finished already", "Connect again"]);
    // What became of it is told to who used it, and to nobody else.
    let stranger = call(&world.datasource, "mallory", "/oauth/callback", json!(back)).await;
    assert_eq!(stranger.1["error"]["code"], "unknown_state");
    assert_eq!(world.datasource.status().unwrap().state, ConnectionState::Connected);
}

#[tokio::test]
async fn a_state_is_good_for_ten_minutes() {
    let clock = Clock::starting_at(morning(), 3000.0);
    let world = World::new(person(), clock.clone()).await;
    let back = allowed(&world.datasource).await;
    clock.sleep(Duration::from_secs(602)).await;
    let late = call(&world.datasource, USER, "/oauth/callback", json!(back)).await;
    assert_eq!((late.0, &late.1["error"]["code"]), (400, &json!("expired_state")));
    assert_says(&said(&late), &["ten minutes", "Connect again"]);
}

#[tokio::test]
async fn a_login_ends_where_it_began() {
    let world = World::new(person(), standing()).await;
    let other = world
        .datasources
        .datasource(&DataSourceKey::new(2, "oura").unwrap(), &settings(), &secret())
        .await
        .unwrap();
    let back = allowed(&world.datasource).await;
    let elsewhere = call(&other, USER, "/oauth/callback", json!(back)).await;
    assert_eq!(elsewhere.1["error"]["code"], "other_datasource");
    assert_says(&said(&elsewhere), &["another data source", "Connect again"]);
    let stranger = call(&other, "mallory", "/oauth/callback", json!(back)).await;
    assert_eq!(
        stranger.1["error"]["code"], "unknown_state",
        "a state of others is like one that never was"
    );
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(back)).await.0, 200);
}

#[tokio::test]
async fn a_state_that_never_was_is_unknown() {
    let world = World::new(person(), standing()).await;
    let answer = call(
        &world.datasource,
        USER,
        "/oauth/callback",
        json!({ "code": "c0de", "state": "never" }),
    )
    .await;
    assert_eq!((answer.0, &answer.1["error"]["code"]), (400, &json!("unknown_state")));
    assert_says(&said(&answer), &["not known here", "Connect again"]);
}

#[tokio::test]
async fn an_address_that_is_not_registered_is_named() {
    let world = World::new(person(), standing()).await;
    let started: url::Url = press_connect(&world.datasource).await.parse().unwrap();
    let state = started.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    for error in [
        json!({ "error": "invalid_request", "state": state }),
        json!({ "error": "redirect_uri_mismatch", "error_description": "no such redirect", "state": state }),
    ] {
        let answer = call(&world.datasource, USER, "/oauth/callback", error).await;
        assert_eq!(
            (answer.0, &answer.1["error"]["code"]),
            (400, &json!("redirect_not_registered"))
        );
        assert_says(
            &said(&answer),
            &["not registered", "Register", REDIRECT, "press Connect again"],
        );
    }
    let answer = call(
        &world.datasource,
        "mallory",
        "/oauth/callback",
        json!({ "error": "invalid_request", "state": state }),
    )
    .await;
    assert!(!said(&answer).contains(REDIRECT), "where others come back to is theirs");
    assert_says(&said(&answer), &["address that the settings page shows"]);
}

#[tokio::test]
async fn a_clock_that_is_off_is_said_to_be_when_a_code_expires_by_it() {
    // Ten minutes ahead, and fast: the code has expired at Oura by the time it comes back.
    let clock = Clock::starting_at(morning().plus(600), 3000.0);
    let world = World::new(Config { clock: clock.clone(), ..person() }, standing()).await;
    let back = allowed(&world.datasource).await;
    clock.sleep(Duration::from_secs(602)).await;
    let answer = call(&world.datasource, USER, "/oauth/callback", json!(back)).await;
    assert_eq!((answer.0, &answer.1["error"]["code"]), (400, &json!("clock_off")));
    assert_says(
        &said(&answer),
        &["clock of this machine", "minutes behind Oura's", "press Connect again"],
    );
}

#[tokio::test]
async fn only_who_began_a_login_finishes_it() {
    let world = World::new(person(), standing()).await;
    let back = allowed(&world.datasource).await;
    let stranger = call(&world.datasource, "mallory", "/oauth/callback", json!(back)).await;
    assert_eq!((stranger.0, &stranger.1["error"]["code"]), (403, &json!("other_user")));
    assert_says(&said(&stranger), &["another user", "Connect yourself"]);
    assert_eq!(world.datasource.status().unwrap().state, ConnectionState::NotConnected);
    // The stranger's attempt takes nothing from the one who began.
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(back)).await.0, 200);
}

#[tokio::test]
async fn an_application_of_the_new_portal_connects_and_refreshes() {
    let clock = brisk();
    let config = Config {
        registered_at: Registration::Portal,
        clock: clock.clone(),
        token_lifetime: 120,
        ..person()
    };
    let world = World::new(config, clock.clone()).await;
    assert_eq!(log_in(&world.datasource).await.failure, None);
    clock.sleep(Duration::from_secs(121)).await;
    assert_eq!(sync(&world.datasource).await.failure, None);
    assert_eq!(world.unwell().keys().collect::<Vec<_>>(), Vec::<&String>::new());
    let journal = world.simulator.requests();
    assert!(journal.count("/oauth/v2/ext/oauth-token") >= 2, "{:?}", journal.by_path());
    // The legacy login was tried for the code; who answered is remembered.
    assert_eq!(journal.count("/oauth/token"), 1);
}

#[tokio::test]
async fn a_login_that_ended_at_oura_is_asked_for_again_and_the_data_stays() {
    let world = World::connected().await;
    world.simulator.revoke_all();
    let failure = sync(&world.datasource).await.failure.unwrap();
    assert_says(&failure, &["login", "ended", "press Connect"]);
    let status = world.datasource.status().unwrap();
    assert_eq!(status.state, ConnectionState::ReconnectNeeded);
    assert_says(&status.reason.unwrap(), &["press Connect", "data so far stays"]);
    assert_eq!(world.unwell().len(), 0, "the collections are not to blame");

    let sql = json!({ "sql": "SELECT count(*) AS nights FROM nights" });
    let (code, answer) = call(&world.datasource, USER, "/sql", sql.clone()).await;
    assert_eq!(code, 200, "{answer}");
    assert!(answer["rows"][0][0].as_i64().unwrap() > 10, "{answer}");

    // Nobody at Oura is asked again with the dead token.
    let asked = world.simulator.requests().log().len();
    assert!(sync(&world.datasource).await.failure.is_some());
    assert_eq!(world.simulator.requests().log().len(), asked);

    let run = world.datasource.status().unwrap().sync.run.unwrap();
    let back = allowed(&world.datasource).await;
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(back)).await.0, 200);
    assert_eq!(ended(&world.datasource, run + 1).await.failure, None);
    world.assert_whole();
}

#[tokio::test]
async fn a_burned_refresh_token_survives_a_restart_as_a_login_that_has_ended() {
    let clock = brisk();
    let world =
        World::new(Config { clock: clock.clone(), token_lifetime: 300, ..person() }, clock.clone())
            .await;
    log_in(&world.datasource).await;
    world.simulator.revoke_all();
    let world = world.restarted(clock.clone()).await;
    clock.sleep(Duration::from_secs(300)).await;
    assert_says(&sync(&world.datasource).await.failure.unwrap(), &["ended", "press Connect"]);
    assert_eq!(world.datasource.status().unwrap().state, ConnectionState::ReconnectNeeded);
}

#[tokio::test]
async fn a_token_answer_that_is_cut_ends_the_login_once_and_the_data_stays() {
    let clock = brisk();
    let world =
        World::new(Config { clock: clock.clone(), token_lifetime: 300, ..person() }, clock.clone())
            .await;
    log_in(&world.datasource).await;
    // Oura has handled it, and the answer is lost on the way: the pair that was sent is dead, the new one is nobody's.
    world.simulator.faults().add(Fault::on_path("/oauth/token", Misbehaviour::HalfBody).times(1));
    clock.sleep(Duration::from_secs(300)).await;
    assert_says(&sync(&world.datasource).await.failure.unwrap(), &["login could not be reached"]);
    assert_says(&sync(&world.datasource).await.failure.unwrap(), &["ended", "press Connect"]);
    let asked = world.simulator.requests().count("/oauth/token");

    // A restart knows it, and shows nobody the dead token again.
    let world = world.restarted(clock.clone()).await;
    let status = world.datasource.status().unwrap();
    assert_eq!(status.state, ConnectionState::ReconnectNeeded);
    assert_says(&status.reason.unwrap(), &["press Connect", "data so far stays"]);
    assert!(sync(&world.datasource).await.failure.is_some());
    assert_eq!(world.simulator.requests().count("/oauth/token"), asked);
    assert!(world.select("SELECT count(*) FROM nights")[0][0].as_i64() > Some(10));
    let run = world.datasource.status().unwrap().sync.run.unwrap();
    let back = allowed(&world.datasource).await;
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(back)).await.0, 200);
    assert_eq!(ended(&world.datasource, run + 1).await.failure, None);
    assert_eq!(world.datasource.status().unwrap().state, ConnectionState::Connected);
}

#[tokio::test]
async fn a_clock_that_is_not_ouras_disturbs_no_sync() {
    for skew in [-3600, 3600] {
        let ahead = Config { clock: Clock::starting_at(morning().plus(skew), 0.0), ..person() };
        let world = World::new(ahead, brisk()).await;
        assert_eq!(log_in(&world.datasource).await.failure, None, "{skew}");
        assert_eq!(world.unwell().len(), 0, "{skew}");
    }
}

#[tokio::test]
async fn a_vault_that_was_changed_from_outside_costs_the_login_and_nothing_else() {
    let world = World::connected().await;
    let nights = world.select("SELECT count(*) FROM nights");
    let World { simulator, folder, datasources, datasource } = world;
    drop(datasource);
    datasources.shutdown().await;
    drop(datasources);
    let vault = rusqlite::Connection::open(folder.path().join("vault.db")).unwrap();
    let table: String = vault
        .query_row("SELECT name FROM sqlite_schema WHERE sql LIKE '%sealed%' AND type = 'table' ORDER BY name LIMIT 1", [], |row| {
            row.get(0)
        })
        .unwrap();
    let flipped = format!(
        "UPDATE {table} SET sealed = CAST(substr(sealed, 1, length(sealed) - 1)
                 || CASE hex(substr(sealed, -1)) WHEN '00' THEN x'01' ELSE x'00' END AS BLOB)
         WHERE purpose = 'grant'"
    );
    assert!(vault.execute(&flipped, []).unwrap() >= 1);
    drop(vault);

    let datasources = DataSources::open(environment(folder.path(), &simulator, brisk())).unwrap();
    let datasource =
        datasources.datasource(&DataSourceKey::single(), &settings(), &secret()).await.unwrap();
    let status = datasource.status().unwrap();
    assert_eq!(status.state, ConnectionState::ReconnectNeeded);
    assert_says(&status.reason.unwrap(), &["changed from outside", "connect again"]);
    let run = status.sync.run.unwrap();
    let world = World { simulator, folder, datasources, datasource };
    assert_eq!(world.select("SELECT count(*) FROM nights"), nights);
    let back = allowed(&world.datasource).await;
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(back)).await.0, 200);
    assert_eq!(ended(&world.datasource, run + 1).await.failure, None);
}

#[tokio::test]
async fn another_persons_ring_does_not_mix_with_the_history_that_is_kept() {
    let World { simulator, folder, datasources, datasource } = World::connected().await;
    let held = datasource.status().unwrap().sync.documents;
    drop((simulator, datasource));
    datasources.shutdown().await;
    drop(datasources);

    let somebody = oura(Config { seed: 8, ..person() }).await;
    let datasources = DataSources::open(environment(folder.path(), &somebody, brisk())).unwrap();
    let datasource =
        datasources.datasource(&DataSourceKey::single(), &settings(), &secret()).await.unwrap();
    let back = allowed(&datasource).await;
    let answer = call(&datasource, USER, "/oauth/callback", json!(back)).await;
    assert_eq!((answer.0, &answer.1["error"]["code"]), (409, &json!("other_person")));
    assert_says(
        &said(&answer),
        &["not the one whose history is kept", "second data source", "delete"],
    );
    assert_eq!(datasource.status().unwrap().sync.documents, held, "nothing was fetched");
    assert_eq!(somebody.requests().count("/oauth/revoke"), 1, "the login is given back");

    // Without the former history it is as good as any.
    datasource.delete_data().await.unwrap();
    let back = allowed(&datasource).await;
    assert_eq!(call(&datasource, USER, "/oauth/callback", json!(back)).await.0, 200);
    assert_eq!(ended(&datasource, 1).await.failure, None);
    assert!(
        datasource
            .status()
            .unwrap()
            .collections
            .iter()
            .all(|collection| collection.state == CollectionState::Ok)
    );
}

#[tokio::test]
async fn while_oura_does_not_say_whose_login_it_is_no_history_takes_it() {
    let world = World::connected().await;
    for fault in ["status=503", "status=404", "status=403", "status=401", "scope", "invalid_json"] {
        world.simulator.faults().clear();
        world.simulator.faults().add(format!("collection=personal_info,{fault}").parse().unwrap());
        let back = allowed(&world.datasource).await;
        let answer = call(&world.datasource, USER, "/oauth/callback", json!(back)).await;
        assert_eq!(
            (answer.0, &answer.1["error"]["code"]),
            (503, &json!("person_unknown")),
            "{fault}"
        );
        assert_says(&said(&answer), &["whose ring", "not mixed", "Press Connect again"]);
    }
    world.simulator.faults().clear();
    assert_eq!(
        world.datasource.status().unwrap().state,
        ConnectionState::Connected,
        "the former login holds"
    );
    let back = allowed(&world.datasource).await;
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(back)).await.0, 200);
}

#[tokio::test]
async fn a_person_is_known_again_whatever_is_fetched_of_them() {
    let few = Settings { collections: vec!["daily_sleep".to_owned()], ..settings() };
    let first = oura(person()).await;
    let folder = tempfile::tempdir().unwrap();
    let datasources = DataSources::open(environment(folder.path(), &first, brisk())).unwrap();
    let datasource =
        datasources.datasource(&DataSourceKey::single(), &few, &secret()).await.unwrap();
    log_in(&datasource).await;
    assert_eq!(
        first
            .requests()
            .log()
            .iter()
            .filter(|request| request.collection() == Some("personal_info"))
            .count(),
        1
    );
    drop(datasource);
    datasources.shutdown().await;
    drop(datasources);

    let somebody = oura(Config { seed: 8, ..person() }).await;
    let datasources = DataSources::open(environment(folder.path(), &somebody, brisk())).unwrap();
    let datasource =
        datasources.datasource(&DataSourceKey::single(), &few, &secret()).await.unwrap();
    let back = allowed(&datasource).await;
    let answer = call(&datasource, USER, "/oauth/callback", json!(back)).await;
    assert_eq!((answer.0, &answer.1["error"]["code"]), (409, &json!("other_person")));
}

#[tokio::test]
async fn a_history_that_never_said_whose_it_is_takes_its_own_person_and_no_other() {
    let World { simulator, folder, datasources, datasource } = World::new(person(), brisk()).await;
    simulator.faults().add("collection=personal_info,status=500".parse().unwrap());
    log_in(&datasource).await;
    datasource.disconnect().await.unwrap();
    let held = datasource.status().unwrap().sync.documents;
    assert!(held > 100);
    drop(datasource);
    datasources.shutdown().await;
    drop(datasources);

    let somebody = oura(Config { seed: 8, ..person() }).await;
    let datasources = DataSources::open(environment(folder.path(), &somebody, brisk())).unwrap();
    let datasource =
        datasources.datasource(&DataSourceKey::single(), &settings(), &secret()).await.unwrap();
    // Whether Oura says who logs in or not: it is not known who was here.
    for fault in [None, Some("collection=personal_info,status=500")] {
        somebody.faults().clear();
        fault.into_iter().for_each(|fault| somebody.faults().add(fault.parse().unwrap()));
        let answer =
            call(&datasource, USER, "/oauth/callback", json!(allowed(&datasource).await)).await;
        assert_eq!(
            (answer.0, &answer.1["error"]["code"]),
            (409, &json!("other_person")),
            "{fault:?}"
        );
    }
    assert_eq!(datasource.status().unwrap().state, ConnectionState::NotConnected);
    // Nothing can be compared.
    somebody.faults().clear();
    somebody.faults().add("path=/v2,status=500".parse().unwrap());
    let answer =
        call(&datasource, USER, "/oauth/callback", json!(allowed(&datasource).await)).await;
    assert_eq!((answer.0, &answer.1["error"]["code"]), (503, &json!("person_unknown")));
    drop(datasource);
    datasources.shutdown().await;
    drop(datasources);

    let datasources = DataSources::open(environment(folder.path(), &simulator, brisk())).unwrap();
    let datasource =
        datasources.datasource(&DataSourceKey::single(), &settings(), &secret()).await.unwrap();
    let run = datasource.status().unwrap().sync.run.unwrap();
    let answer =
        call(&datasource, USER, "/oauth/callback", json!(allowed(&datasource).await)).await;
    assert_eq!(
        answer,
        (200, json!({ "state": "connected" })),
        "the same person, of whom Oura says nothing still"
    );
    simulator.faults().clear();
    ended(&datasource, run + 1).await;
    World { simulator, folder, datasources, datasource }.assert_whole();
}

#[tokio::test]
async fn who_disconnects_during_a_renewal_gives_the_new_pair_back() {
    let world = World::connected().await;
    world
        .simulator
        .faults()
        .add(Fault::on_path("/oauth/token", Misbehaviour::Delay(Duration::from_secs(2))));
    // The token is refused once, and a new pair is on its way.
    world.simulator.faults().add("collection=sleep,status=401,times=1".parse().unwrap());
    world.datasource.start_sync(Trigger::Manual).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.datasource.disconnect().await.unwrap();
    let journal = world.simulator.requests();
    let login: Vec<&str> = journal
        .log()
        .iter()
        .map(|request| request.path.as_str())
        .filter(|path| path.starts_with("/oauth"))
        .collect();
    assert_eq!(
        login[login.len() - 2..],
        ["/oauth/token", "/oauth/revoke"],
        "not the one that the new pair replaced"
    );
    assert_eq!(world.datasource.status().unwrap().state, ConnectionState::NotConnected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_sync_is_the_logins_own() {
    for _ in 0..10 {
        let (folder, simulator) = (tempfile::tempdir().unwrap(), oura(person()).await);
        let scheduled =
            Environment { scheduled: true, ..environment(folder.path(), &simulator, standing()) };
        let datasources = DataSources::open(scheduled).unwrap();
        let few = Settings { collections: vec!["daily_sleep".to_owned()], ..settings() };
        let datasource =
            datasources.datasource(&DataSourceKey::single(), &few, &secret()).await.unwrap();
        log_in(&datasource).await;
        let world = World { simulator, folder, datasources, datasource };
        assert_eq!(
            world.select("SELECT run, trigger FROM sync_runs"),
            [[json!(1), json!("login")]]
        );
        world.datasources.shutdown().await;
    }
}

#[tokio::test]
async fn a_login_is_followed_by_a_sync_that_begins_after_it() {
    let world = World::connected().await;
    let old = world.slow_run().await;
    let back = allowed(&world.datasource).await;
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(back)).await.0, 200);
    let own = tokio::time::timeout(Duration::from_secs(60), ended(&world.datasource, old + 1))
        .await
        .expect("a run follows");
    assert_eq!(own.failure, None);
    let runs = world.select(&format!(
        "SELECT run, trigger, state FROM sync_runs WHERE run >= {old} ORDER BY run"
    ));
    assert_eq!(runs[1], [json!(old + 1), json!("login"), json!("done")], "{runs:?}");
    world.assert_whole();
}
