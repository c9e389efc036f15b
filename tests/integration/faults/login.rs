//! Logins that fail, end, or belong to another user or person.

use ringside::datasource::{
    ConnectionState, DataSource, DataSourceKey, DataSources, Environment, Settings, Trigger,
};
use ringside::oura::Secret;
use ringside::simulator::{Config, Fault, Misbehaviour, Registration, Target, Violation};
use ringside::store::CollectionState;
use ringside::time::Clock;
use serde_json::json;

use super::world::*;
use crate::common::wait::{must_finish, poll_until};

/// A clock that stands still in the morning.
fn standing() -> Clock {
    Clock::starting_at(morning(), 0.0)
}

/// Waits until queries see the connection in `state`, which is written in the background.
async fn await_recorded(datasource: &DataSource, state: ConnectionState) {
    let database = rusqlite::Connection::open(datasource.database()).unwrap();
    poll_until(&format!("sync_status.connection is {state}"), || {
        let sql = "SELECT state, database_bytes FROM connection_data";
        let read = |row: &rusqlite::Row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?));
        let (stored, bytes) = database.query_row(sql, [], read).unwrap();
        assert!(bytes > 100_000, "{bytes}");
        stored == state.as_str()
    })
    .await;
}

#[tokio::test]
async fn wrong_client_secret_is_reported() {
    let world = World::new(person(), standing()).await;
    let key = DataSourceKey::new(1, "typo").unwrap();
    let datasource = world
        .datasources
        .datasource(&key, &settings(), &Secret::new("not-the-secret"))
        .await
        .unwrap();
    let redirect = allowed(&datasource).await;
    let answer = call(&datasource, USER, "/oauth/callback", json!(redirect)).await;
    assert_eq!((answer.0, &answer.1["error"]["code"]), (400, &json!("wrong_client")));
    assert_contains(&error_text(&answer), &["client ID or the client secret", "copy both again"]);
    assert_eq!(datasource.status().unwrap().state, ConnectionState::NotConnected);

    // The same data source connects with the right secret.
    let datasource = world.datasources.datasource(&key, &settings(), &secret()).await.unwrap();
    log_in(&datasource).await;
    assert_eq!(datasource.status().unwrap().state, ConnectionState::Connected);
}

#[tokio::test]
async fn login_without_a_client_id_is_rejected() {
    let world = World::new(person(), standing()).await;
    let key = DataSourceKey::new(1, "empty").unwrap();
    let datasource =
        world.datasources.datasource(&key, &Default::default(), &Secret::default()).await.unwrap();
    let answer = call(&datasource, USER, "/oauth/start", json!({ "redirectUri": REDIRECT })).await;
    assert_contains(&error_text(&answer), &["client ID", "missing", "Oura"]);
    assert_eq!(datasource.status().unwrap().state, ConnectionState::NotConfigured);
}

#[tokio::test]
async fn login_succeeds_after_a_cancelled_consent() {
    let world = World::new(person(), standing()).await;
    let redirect = decide_at_oura(&start_login(&world.datasource).await, "cancel", &[]).await;
    assert_eq!(redirect["error"], "access_denied");
    let answer = call(&world.datasource, USER, "/oauth/callback", json!(redirect)).await;
    assert_eq!((answer.0, &answer.1["error"]["code"]), (400, &json!("consent_cancelled")));
    assert_contains(&error_text(&answer), &["cancelled", "Press Connect"]);
    log_in(&world.datasource).await;
}

#[tokio::test]
async fn used_state_is_rejected() {
    let world = World::new(person(), standing()).await;
    let redirect = allowed(&world.datasource).await;
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(redirect)).await.0, 200);
    let again = call(&world.datasource, USER, "/oauth/callback", json!(redirect)).await;
    assert_eq!((again.0, &again.1["error"]["code"]), (400, &json!("used_state")));
    assert_contains(&error_text(&again), &["already complete", "Connect again"]);
    // Other users do not learn that the state existed.
    let stranger = call(&world.datasource, "mallory", "/oauth/callback", json!(redirect)).await;
    assert_eq!(stranger.1["error"]["code"], "unknown_state");
    assert_eq!(world.datasource.status().unwrap().state, ConnectionState::Connected);
}

#[tokio::test]
async fn expired_state_is_rejected() {
    let clock = standing();
    let world = World::new(person(), clock.clone()).await;
    let redirect = allowed(&world.datasource).await;
    clock.advance(602);
    let late = call(&world.datasource, USER, "/oauth/callback", json!(redirect)).await;
    assert_eq!((late.0, &late.1["error"]["code"]), (400, &json!("expired_state")));
    assert_contains(&error_text(&late), &["ten minutes", "Connect again"]);
}

#[tokio::test]
async fn login_is_finished_by_its_own_data_source_only() {
    let world = World::new(person(), standing()).await;
    let other = world
        .datasources
        .datasource(&DataSourceKey::new(2, "oura").unwrap(), &settings(), &secret())
        .await
        .unwrap();
    let redirect = allowed(&world.datasource).await;
    let elsewhere = call(&other, USER, "/oauth/callback", json!(redirect)).await;
    assert_eq!(elsewhere.1["error"]["code"], "other_datasource");
    assert_contains(&error_text(&elsewhere), &["another data source", "Connect again"]);
    let stranger = call(&other, "mallory", "/oauth/callback", json!(redirect)).await;
    assert_eq!(
        stranger.1["error"]["code"], "unknown_state",
        "a state of another user looks unknown"
    );
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(redirect)).await.0, 200);
}

#[tokio::test]
async fn unknown_state_is_rejected() {
    let world = World::new(person(), standing()).await;
    let answer = call(
        &world.datasource,
        USER,
        "/oauth/callback",
        json!({ "code": "c0de", "state": "never" }),
    )
    .await;
    assert_eq!((answer.0, &answer.1["error"]["code"]), (400, &json!("unknown_state")));
    assert_contains(&error_text(&answer), &["unknown login", "Connect again"]);
}

#[tokio::test]
async fn unregistered_redirect_url_is_shown_only_to_its_user() {
    let world = World::new(person(), standing()).await;
    let started: url::Url = start_login(&world.datasource).await.parse().unwrap();
    let state = started.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    for error in [
        json!({ "error": "invalid_request", "state": state }),
        json!({
            "error": "redirect_uri_mismatch",
            "error_description": "no such redirect",
            "state": state,
        }),
    ] {
        let answer = call(&world.datasource, USER, "/oauth/callback", error).await;
        assert_eq!(
            (answer.0, &answer.1["error"]["code"]),
            (400, &json!("redirect_not_registered"))
        );
        assert_contains(
            &error_text(&answer),
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
    assert!(!error_text(&answer).contains(REDIRECT), "the redirect URL belongs to another user");
    assert_contains(&error_text(&answer), &["address that the settings page shows"]);
}

#[tokio::test]
async fn code_expired_by_a_wrong_clock_reports_the_clock() {
    // Oura's clock is ten minutes ahead, so the code expires there before the state expires here.
    let clock = Clock::starting_at(morning().plus(600), 0.0);
    let world = World::new(Config { clock: clock.clone(), ..person() }, standing()).await;
    let redirect = allowed(&world.datasource).await;
    clock.advance(602);
    let answer = call(&world.datasource, USER, "/oauth/callback", json!(redirect)).await;
    assert_eq!((answer.0, &answer.1["error"]["code"]), (400, &json!("clock_off")));
    assert_contains(
        &error_text(&answer),
        &["clock of this machine", "minutes behind Oura's", "press Connect again"],
    );
}

#[tokio::test]
async fn login_is_finished_by_its_own_user_only() {
    let world = World::new(person(), standing()).await;
    let redirect = allowed(&world.datasource).await;
    let stranger = call(&world.datasource, "mallory", "/oauth/callback", json!(redirect)).await;
    assert_eq!((stranger.0, &stranger.1["error"]["code"]), (403, &json!("other_user")));
    assert_contains(&error_text(&stranger), &["another user", "Connect yourself"]);
    assert_eq!(world.datasource.status().unwrap().state, ConnectionState::NotConnected);
    // The attempt of the other user does not consume the state.
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(redirect)).await.0, 200);
}

#[tokio::test]
async fn application_of_the_new_portal_connects_and_refreshes() {
    let clock = brisk();
    let config = Config {
        registered_at: Registration::Portal,
        clock: clock.clone(),
        token_lifetime: 120,
        ..person()
    };
    let world = World::new(config, clock.clone()).await;
    assert_eq!(log_in(&world.datasource).await.failure, None);
    clock.advance(121);
    assert_eq!(sync(&world.datasource).await.failure, None);
    assert_eq!(world.failing().keys().collect::<Vec<_>>(), Vec::<&String>::new());
    let journal = world.simulator.requests();
    assert!(journal.count("/oauth/v2/ext/oauth-token") >= 2, "{:?}", journal.by_path());
    // The code was tried at the legacy login once; the renewal goes to the portal directly.
    assert_eq!(journal.count("/oauth/token"), 1);
}

#[tokio::test]
async fn login_revoked_at_oura_needs_reconnect_and_keeps_data() {
    let world = World::connected().await;
    await_recorded(&world.datasource, ConnectionState::Connected).await;
    world.simulator.revoke_all();
    let failure = sync(&world.datasource).await.failure.unwrap();
    assert_contains(&failure, &["login", "ended", "press Connect"]);
    await_recorded(&world.datasource, ConnectionState::ReconnectNeeded).await;
    let status = world.datasource.status().unwrap();
    assert_eq!(status.state, ConnectionState::ReconnectNeeded);
    assert_contains(&status.reason.unwrap(), &["press Connect", "Stored data is kept"]);
    assert_eq!(world.failing().len(), 0, "no collection is at fault");

    let sql = json!({ "sql": "SELECT count(*) AS nights FROM nights" });
    let (code, answer) = call(&world.datasource, USER, "/sql", sql.clone()).await;
    assert_eq!(code, 200, "{answer}");
    assert!(answer["rows"][0][0].as_i64().unwrap() > 10, "{answer}");

    // The ended token is not sent again.
    let requests_before = world.simulator.requests().log().len();
    assert!(sync(&world.datasource).await.failure.is_some());
    assert_eq!(world.simulator.requests().log().len(), requests_before);

    let run = world.datasource.status().unwrap().sync.run.unwrap();
    let redirect = allowed(&world.datasource).await;
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(redirect)).await.0, 200);
    assert_eq!(ended(&world.datasource, run + 1).await.failure, None);
    await_recorded(&world.datasource, ConnectionState::Connected).await;
    world.datasource.disconnect().await.unwrap();
    await_recorded(&world.datasource, ConnectionState::NotConnected).await;
    world.assert_whole();
}

#[tokio::test]
async fn spent_refresh_token_after_a_restart_needs_reconnect() {
    let clock = brisk();
    let world =
        World::new(Config { clock: clock.clone(), token_lifetime: 300, ..person() }, clock.clone())
            .await;
    log_in(&world.datasource).await;
    world.simulator.revoke_all();
    let world = world.restarted(clock.clone()).await;
    clock.advance(300);
    assert_contains(&sync(&world.datasource).await.failure.unwrap(), &["ended", "press Connect"]);
    assert_eq!(world.datasource.status().unwrap().state, ConnectionState::ReconnectNeeded);
}

/// Each of these lifetimes is below the longest refresh margin, or equal to it.
#[tokio::test]
async fn short_lived_tokens_are_not_refreshed_for_each_request() {
    for token_lifetime in [60, 30, 4] {
        let clock = standing();
        let world = World::new(Config { token_lifetime, ..person() }, clock).await;
        assert_eq!(log_in(&world.datasource).await.failure, None);
        let journal = world.simulator.requests();
        let requests = journal.log().iter().filter(|sent| sent.path.starts_with("/v2/")).count();
        assert!(requests > 20, "{requests} requests");
        // The exchange of the login's code is the only one.
        assert_eq!(journal.count("/oauth/token"), 1, "{token_lifetime} s");
        world.assert_whole();
    }
}

#[tokio::test]
async fn truncated_token_response_keeps_the_login() {
    let clock = brisk();
    let world =
        World::new(Config { clock: clock.clone(), token_lifetime: 300, ..person() }, clock.clone())
            .await;
    log_in(&world.datasource).await;
    world.simulator.faults().add(Fault::on_path("/oauth/token", Misbehaviour::HalfBody).times(1));
    for _ in 0..2 {
        // Longer than the lifetime that a response without one gets.
        clock.advance(3600);
        assert_eq!(sync(&world.datasource).await.failure, None);
    }
    assert_eq!(world.simulator.requests().violations(Violation::RefreshTokenReused), 0);
}

#[tokio::test]
async fn unreadable_token_response_needs_reconnect_and_keeps_data() {
    let clock = brisk();
    let world =
        World::new(Config { clock: clock.clone(), token_lifetime: 300, ..person() }, clock.clone())
            .await;
    log_in(&world.datasource).await;
    // Oura spends the refresh token, but its response with the new tokens is lost.
    let lost = Fault::on_path("/oauth/token", Misbehaviour::InvalidJson).times(1);
    world.simulator.faults().add(lost);
    clock.advance(300);
    assert_contains(
        &sync(&world.datasource).await.failure.unwrap(),
        &["Invalid response from Oura's login"],
    );
    assert_contains(&sync(&world.datasource).await.failure.unwrap(), &["ended", "press Connect"]);
    let requests_before = world.simulator.requests().count("/oauth/token");

    // After a restart, the spent token is not sent again.
    let world = world.restarted(clock.clone()).await;
    let status = world.datasource.status().unwrap();
    assert_eq!(status.state, ConnectionState::ReconnectNeeded);
    assert_contains(&status.reason.unwrap(), &["press Connect", "Stored data is kept"]);
    assert!(sync(&world.datasource).await.failure.is_some());
    assert_eq!(world.simulator.requests().count("/oauth/token"), requests_before);
    assert!(world.select("SELECT count(*) FROM nights")[0][0].as_i64() > Some(10));
    let run = world.datasource.status().unwrap().sync.run.unwrap();
    let redirect = allowed(&world.datasource).await;
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(redirect)).await.0, 200);
    assert_eq!(ended(&world.datasource, run + 1).await.failure, None);
    assert_eq!(world.datasource.status().unwrap().state, ConnectionState::Connected);
}

#[tokio::test]
async fn clock_skew_of_an_hour_disturbs_no_sync() {
    for skew in [-3600, 3600] {
        let ahead = Config { clock: Clock::starting_at(morning().plus(skew), 0.0), ..person() };
        let world = World::new(ahead, brisk()).await;
        assert_eq!(log_in(&world.datasource).await.failure, None, "{skew}");
        assert_eq!(world.failing().len(), 0, "{skew}");
    }
}

#[tokio::test]
async fn tampered_vault_needs_reconnect_and_keeps_data() {
    let world = World::connected().await;
    let nights = world.select("SELECT count(*) FROM nights");
    let World { simulator, folder, datasources, datasource } = world;
    drop(datasource);
    datasources.shutdown().await;
    drop(datasources);
    let vault = rusqlite::Connection::open(folder.path().join("vault.db")).unwrap();
    let table: String = vault
        .query_row(
            "SELECT name FROM sqlite_schema WHERE sql LIKE '%sealed%' AND type = 'table'
             ORDER BY name LIMIT 1",
            [],
            |row| row.get(0),
        )
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
    assert_contains(&status.reason.unwrap(), &["modified outside this program", "connect again"]);
    let run = status.sync.run.unwrap();
    let world = World { simulator, folder, datasources, datasource };
    assert_eq!(world.select("SELECT count(*) FROM nights"), nights);
    let redirect = allowed(&world.datasource).await;
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(redirect)).await.0, 200);
    assert_eq!(ended(&world.datasource, run + 1).await.failure, None);
}

#[tokio::test]
async fn login_of_another_person_is_rejected() {
    let World { simulator, folder, datasources, datasource } = World::connected().await;
    let documents = datasource.status().unwrap().sync.documents;
    drop((simulator, datasource));
    datasources.shutdown().await;
    drop(datasources);

    let other_person = oura(Config { seed: 8, ..person() }).await;
    let datasources =
        DataSources::open(environment(folder.path(), &other_person, brisk())).unwrap();
    let datasource =
        datasources.datasource(&DataSourceKey::single(), &settings(), &secret()).await.unwrap();
    let redirect = allowed(&datasource).await;
    let answer = call(&datasource, USER, "/oauth/callback", json!(redirect)).await;
    assert_eq!((answer.0, &answer.1["error"]["code"]), (409, &json!("other_person")));
    assert_contains(
        &error_text(&answer),
        &["belongs to another Oura account", "second data source", "delete"],
    );
    assert_eq!(
        datasource.status().unwrap().sync.documents,
        documents,
        "the sync fetched no document"
    );
    assert_eq!(other_person.requests().count("/oauth/revoke"), 1, "the rejected login is revoked");

    // Without the former history, any person may log in.
    datasource.delete_data().await.unwrap();
    let redirect = allowed(&datasource).await;
    assert_eq!(call(&datasource, USER, "/oauth/callback", json!(redirect)).await.0, 200);
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
async fn login_of_an_unknown_person_is_rejected() {
    let world = World::connected().await;
    for fault in ["status=503", "status=404", "status=403", "status=401", "scope", "invalid_json"] {
        world.simulator.faults().clear();
        world.simulator.faults().add(format!("collection=personal_info,{fault}").parse().unwrap());
        let redirect = allowed(&world.datasource).await;
        let answer = call(&world.datasource, USER, "/oauth/callback", json!(redirect)).await;
        assert_eq!(
            (answer.0, &answer.1["error"]["code"]),
            (503, &json!("person_unknown")),
            "{fault}"
        );
        assert_contains(
            &error_text(&answer),
            &[
                "did not identify the person",
                "another person than the stored data",
                "Press Connect again",
            ],
        );
    }
    world.simulator.faults().clear();
    assert_eq!(
        world.datasource.status().unwrap().state,
        ConnectionState::Connected,
        "the former login stays"
    );
    let redirect = allowed(&world.datasource).await;
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(redirect)).await.0, 200);
}

#[tokio::test]
async fn person_is_recognized_when_few_collections_are_chosen() {
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

    let other_person = oura(Config { seed: 8, ..person() }).await;
    let datasources =
        DataSources::open(environment(folder.path(), &other_person, brisk())).unwrap();
    let datasource =
        datasources.datasource(&DataSourceKey::single(), &few, &secret()).await.unwrap();
    let redirect = allowed(&datasource).await;
    let answer = call(&datasource, USER, "/oauth/callback", json!(redirect)).await;
    assert_eq!((answer.0, &answer.1["error"]["code"]), (409, &json!("other_person")));
}

#[tokio::test]
async fn anonymous_history_accepts_only_its_own_person() {
    let World { simulator, folder, datasources, datasource } = World::new(person(), brisk()).await;
    simulator.faults().add("collection=personal_info,status=500".parse().unwrap());
    log_in(&datasource).await;
    datasource.disconnect().await.unwrap();
    let documents = datasource.status().unwrap().sync.documents;
    assert!(documents > 100);
    drop(datasource);
    datasources.shutdown().await;
    drop(datasources);

    let other_person = oura(Config { seed: 8, ..person() }).await;
    let datasources =
        DataSources::open(environment(folder.path(), &other_person, brisk())).unwrap();
    let datasource =
        datasources.datasource(&DataSourceKey::single(), &settings(), &secret()).await.unwrap();
    // The owner of the history is unknown, so the person of the login does not matter.
    for fault in [None, Some("collection=personal_info,status=500")] {
        other_person.faults().clear();
        fault.into_iter().for_each(|fault| other_person.faults().add(fault.parse().unwrap()));
        let answer =
            call(&datasource, USER, "/oauth/callback", json!(allowed(&datasource).await)).await;
        assert_eq!(
            (answer.0, &answer.1["error"]["code"]),
            (409, &json!("other_person")),
            "{fault:?}"
        );
    }
    assert_eq!(datasource.status().unwrap().state, ConnectionState::NotConnected);
    // Without the new login's documents, the histories cannot be compared.
    other_person.faults().clear();
    other_person.faults().add("path=/v2,status=500".parse().unwrap());
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
        "the same person, whom Oura still does not identify"
    );
    simulator.faults().clear();
    ended(&datasource, run + 1).await;
    World { simulator, folder, datasources, datasource }.assert_whole();
}

#[tokio::test]
async fn disconnect_during_a_renewal_revokes_the_new_tokens() {
    let world = World::connected().await;
    let token_route = Target::Path("/oauth/token".to_owned());
    let mut barrier = world.simulator.faults().hold(token_route);
    // Rejects the token once, so that it is renewed.
    world.simulator.faults().add("collection=sleep,status=401,times=1".parse().unwrap());
    world.datasource.start_sync(Trigger::Manual).unwrap();
    barrier.wait_for_arrivals(1).await;
    // The disconnection is polled first, so it starts during the renewal and waits for its end.
    let (disconnected, ()) = tokio::join!(world.datasource.disconnect(), async { barrier.open() });
    disconnected.unwrap();
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
        "the new tokens are revoked, not those they replaced"
    );
    assert_eq!(world.datasource.status().unwrap().state, ConnectionState::NotConnected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_scheduled_sync_is_the_one_after_the_login() {
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
async fn login_during_a_sync_is_followed_by_another_sync() {
    let world = World::connected().await;
    let (old, barrier) = world.held_run().await;
    let redirect = allowed(&world.datasource).await;
    assert_eq!(call(&world.datasource, USER, "/oauth/callback", json!(redirect)).await.0, 200);
    barrier.open();
    let own = must_finish("the run after the login", ended(&world.datasource, old + 1)).await;
    assert_eq!(own.failure, None);
    let runs = world.select(&format!(
        "SELECT run, trigger, state FROM sync_runs WHERE run >= {old} ORDER BY run"
    ));
    assert_eq!(runs[1], [json!(old + 1), json!("login"), json!("done")], "{runs:?}");
    world.assert_whole();
}
