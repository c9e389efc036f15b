//! `kill -9`, again and again.

use std::path::Path;
use std::time::Duration;

use rand::Rng;
use ringside::simulator::{Fault, Misbehaviour, Simulator, Target, Violation};

use super::world::*;
use crate::common::{database, select, wanted};

/// How often the program is killed, unless `KILLS` says otherwise.
const KILLS: usize = 20;
/// Seconds that a token is good for, so few that it is renewed before every request.
const TOKEN_LIFETIME: i64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_any_moment_change_nothing() {
    let (seed, mut random) = chances();
    let most_kills = wanted("KILLS", KILLS);
    let fair = undisturbed().await;
    let now = fair.now;

    let simulator = simulator(now).await;
    let folder = connected_folder(&simulator).await;
    let before = asked(&simulator);
    let (mut kills, mut starts) = (0, 1);
    while kills < most_kills {
        starts += 1;
        let mut program = Program::start(folder.path(), &simulator.origin(), now);
        // Requests, not seconds: the moment lies in the middle of the work however fast the machine is.
        at_work(
            &mut program,
            &simulator,
            random.random_range(0..2 * (fair.update + fair.load / most_kills)),
        )
        .await;
        if program.has_ended() {
            continue;
        }
        program.kill();
        kills += 1;
        assert_eq!(
            select(&database(folder.path()), "PRAGMA quick_check")[0][0],
            "ok",
            "seed {seed}"
        );
    }
    assert!(Program::start(folder.path(), &simulator.origin(), now).ended().await);
    let sent = asked(&simulator) - before;
    // The last week is asked for again at every start, and so is what was under way.
    let most = fair.load + starts * (fair.update + 4 * AT_ONCE);
    println!(
        "{kills} kills, {starts} starts; {} requests undisturbed, {sent} with the kills, {most} allowed",
        fair.load
    );
    if holds(folder.path(), fair, seed) {
        assert!(
            sent <= most,
            "{sent} requests instead of {}; at most {most}; seed {seed}",
            fair.load
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_amid_faults_and_renewals_cost_a_login_at_most() {
    let (seed, mut random) = chances();
    let most_kills = wanted("KILLS", KILLS) / 2;
    let fair = undisturbed().await;
    let now = fair.now;

    let simulator = simulator_with(now, |config| config.token_lifetime = TOKEN_LIFETIME).await;
    let folder = connected_folder(&simulator).await;
    let (mut kills, mut starts, mut lost) = (0, 0, 0);
    misbehave(&simulator);
    while kills < most_kills {
        starts += 1;
        let mut program = Program::start(folder.path(), &simulator.origin(), now);
        at_work(
            &mut program,
            &simulator,
            random.random_range(0..4 * (fair.update + fair.load / most_kills)),
        )
        .await;
        if !program.has_ended() {
            program.kill();
            kills += 1;
            assert_eq!(
                select(&database(folder.path()), "PRAGMA quick_check")[0][0],
                "ok",
                "seed {seed}"
            );
        }
        if login_lost(&simulator, folder.path(), &mut lost, seed).await {
            misbehave(&simulator);
        }
    }
    simulator.faults().clear();
    while !Program::start(folder.path(), &simulator.origin(), now).ended().await {
        starts += 1;
        assert!(
            login_lost(&simulator, folder.path(), &mut lost, seed).await,
            "nothing else is wrong; seed {seed}"
        );
    }
    let journal = simulator.requests();
    let spoilt = journal.log().iter().filter(|request| request.spoilt).count();
    let renewals = journal.count("/oauth/token");
    println!(
        "{kills} kills, {starts} starts, {renewals} renewals, {spoilt} answers spoilt: {lost} logins lost"
    );
    assert!(renewals > fair.load / 2 && spoilt > 0, "seed {seed}");
    holds(folder.path(), fair, seed);
}

/// Answers that fail or come late, and renewals that take their time.
fn misbehave(simulator: &Simulator) {
    let api = Target::Path("/v2/".to_owned());
    let late = |milliseconds| Misbehaviour::Delay(Duration::from_millis(milliseconds));
    for (target, does, probability) in [
        (api.clone(), Misbehaviour::Status { status: 503, retry_after: None }, 0.03),
        (api.clone(), Misbehaviour::HalfBody, 0.03),
        (api.clone(), Misbehaviour::Duplicated, 0.1),
        (api, late(5), 0.2),
        (Target::Path("/oauth/token".to_owned()), late(10), 0.5),
    ] {
        simulator.faults().add(Fault { probability, ..Fault::new(target, does) });
    }
}

/// Whether a kill came between Oura's new pair and the vault. Nothing tells but the old token, shown once more; then a person connects
/// again.
async fn login_lost(simulator: &Simulator, folder: &Path, lost: &mut usize, seed: u64) -> bool {
    let shown_twice = simulator.requests().violations(Violation::RefreshTokenReused);
    assert!(shown_twice <= *lost + 1, "a dead token is shown once; seed {seed}");
    let is_lost = shown_twice > *lost;
    if is_lost {
        *lost = shown_twice;
        simulator.faults().clear();
        log_in(folder, simulator).await;
    }
    is_lost
}
