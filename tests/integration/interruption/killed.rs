//! The program is killed many times with `kill -9`, at random moments of a sync.

use std::path::Path;
use std::time::Duration;

use rand::Rng;
use ringside::simulator::{Fault, Misbehaviour, Simulator, Target, Violation};

use super::world::*;
use crate::common::{database, select};

/// The default number of kills. The environment variable `KILLS` overrides it.
const KILLS: usize = 20;
/// Lifetime of an access token in seconds, so short that every run needs several renewals. Each of
/// them ends the token that the concurrent windows use.
const TOKEN_LIFETIME: i64 = 1;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_any_time_change_no_document() {
    let (seed, mut random) = seeded_rng();
    let max_kills = env_or("KILLS", KILLS);
    let undisturbed = undisturbed().await;
    let now = undisturbed.now;

    let simulator = simulator(now).await;
    let folder = connected_folder(&simulator).await;
    let before = requests(&simulator);
    let mut kills = 0;
    let mut starts = 1;
    while kills < max_kills {
        starts += 1;
        let mut program = Program::start(folder.path(), &simulator.origin(), now);
        // The moment is counted in requests, so the kill interrupts the sync on any machine.
        program
            .after_requests(
                &simulator,
                random.random_range(0..2 * (undisturbed.update + undisturbed.load / max_kills)),
            )
            .await;
        if program.has_ended() {
            continue;
        }
        program.kill().await;
        kills += 1;
        assert_eq!(
            select(&database(folder.path()), "PRAGMA quick_check")[0][0],
            "ok",
            "seed {seed}"
        );
    }
    assert!(Program::start(folder.path(), &simulator.origin(), now).ended().await);
    let sent = requests(&simulator) - before;
    // Every start requests the last week again, and the windows that the kill interrupted.
    let max_requests = undisturbed.load + starts * (undisturbed.update + 4 * CONCURRENT_WINDOWS);
    println!(
        "{kills} kills, {starts} starts; {} requests undisturbed, {sent} with the kills, \
         {max_requests} allowed",
        undisturbed.load
    );
    if equals_undisturbed(folder.path(), undisturbed, seed) {
        assert!(
            sent <= max_requests,
            "{sent} requests instead of {}; at most {max_requests}; seed {seed}",
            undisturbed.load
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_amid_faults_and_renewals_lose_at_most_the_login() {
    let (seed, mut random) = seeded_rng();
    let max_kills = env_or("KILLS", KILLS) / 2;
    let undisturbed = undisturbed().await;
    let now = undisturbed.now;

    let simulator = simulator_with(now, |config| config.token_lifetime = TOKEN_LIFETIME).await;
    let folder = connected_folder(&simulator).await;
    let mut kills = 0;
    let mut starts = 0;
    let mut lost = 0;
    misbehave(&simulator);
    while kills < max_kills {
        starts += 1;
        let mut program = Program::start(folder.path(), &simulator.origin(), now);
        program
            .after_requests(
                &simulator,
                random.random_range(0..4 * (undisturbed.update + undisturbed.load / max_kills)),
            )
            .await;
        if !program.has_ended() {
            program.kill().await;
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
            "no other failure is expected; seed {seed}"
        );
    }
    let journal = simulator.requests();
    let spoilt = journal.log().iter().filter(|request| request.spoilt).count();
    let renewals = journal.count("/oauth/token");
    println!(
        "{kills} kills, {starts} starts, {renewals} renewals, {spoilt} responses spoilt: \
         {lost} logins lost"
    );
    assert!(renewals >= starts && spoilt > 0, "seed {seed}");
    equals_undisturbed(folder.path(), undisturbed, seed);
}

/// Adds faults: failed, truncated, duplicated and late responses, and slow renewals.
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

/// Returns whether a kill lost new tokens between Oura and the vault, and if so, connects again.
/// The sign of a lost login is that the program sends a spent refresh token again.
async fn login_lost(simulator: &Simulator, folder: &Path, lost: &mut usize, seed: u64) -> bool {
    let reused = simulator.requests().violations(Violation::RefreshTokenReused);
    assert!(reused <= *lost + 1, "a spent token is sent once; seed {seed}");
    let is_lost = reused > *lost;
    if is_lost {
        *lost = reused;
        simulator.faults().clear();
        log_in(folder, simulator).await;
    }
    is_lost
}
