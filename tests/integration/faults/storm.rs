//! Everything at once, at random: refusals, cut and slow answers, pages out of order, a login that fails and tokens that end, restarts in
//! between. When it is over one quiet sync leaves the store equal to what Oura has, and Oura was hardly asked more than in fair weather.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use ringside::simulator::{Config, Fault, Journal, Misbehaviour, Target, Violation};
use ringside::time::Clock;

use super::world::*;
use crate::common::wanted;

/// How many storms there are, unless `STORMS` says otherwise.
const STORMS: u64 = 6;
/// Syncs while a storm goes on.
const SYNCS: usize = 3;
/// Seconds that a token is good for, by a clock that runs at sixty times the speed: several end in each storm.
const TOKEN_LIFETIME: i64 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_after_a_storm_is_what_oura_has() {
    let first: u64 = wanted("STORM_SEED", rand::random());
    let fair = fair_weather().await;
    let mut spoilt = 0;
    for seed in (0..wanted("STORMS", STORMS)).map(|storm| first.wrapping_add(storm)) {
        println!("STORM_SEED={seed} STORMS=1");
        let asked = storm(seed).await;
        let allowed = (1.2 * (fair.load + asked.syncs * fair.update) as f64) as usize;
        println!(
            "  {} faults of {} kinds spoilt {} of {} answers, {} tokens, {} syncs: {} pages came whole, {allowed} allowed",
            asked.faults,
            asked.kinds,
            asked.spoilt,
            asked.requests,
            asked.tokens,
            asked.syncs,
            asked.whole
        );
        assert!(
            asked.whole <= allowed,
            "{} pages came whole; undisturbed {fair:?}; seed {seed}",
            asked.whole
        );
        spoilt += asked.spoilt;
    }
    assert!(spoilt > 0, "storms that spoil nothing prove nothing; first seed {first}");
}

/// Requests that an undisturbed history load takes, and a sync after it.
#[derive(Debug)]
struct Fair {
    load: usize,
    update: usize,
}

async fn fair_weather() -> Fair {
    let world = World::connected().await;
    let load = whole(&world.simulator.requests());
    assert_eq!(sync(&world.datasource).await.failure, None);
    Fair { load, update: whole(&world.simulator.requests()) - load }
}

/// Pages that were answered as they should be.
fn whole(journal: &Journal) -> usize {
    journal
        .log()
        .iter()
        .filter(|request| {
            request.collection().is_some() && request.status == 200 && !request.spoilt
        })
        .count()
}

struct Asked {
    faults: usize,
    kinds: usize,
    requests: usize,
    spoilt: usize,
    tokens: usize,
    syncs: usize,
    whole: usize,
}

async fn storm(seed: u64) -> Asked {
    let mut random = StdRng::seed_from_u64(seed);
    let mut world =
        World::new(Config { token_lifetime: TOKEN_LIFETIME, ..person() }, brisk()).await;
    let faults = weather(&mut random);
    let kinds = faults
        .iter()
        .map(|fault| std::mem::discriminant(&fault.does))
        .collect::<std::collections::HashSet<_>>()
        .len();
    let back = allowed(&world.datasource).await;
    for fault in &faults {
        world.simulator.faults().add(fault.clone());
    }
    let mut syncs = 0;
    // Once Oura's login works for a moment: the code is good for ten minutes.
    while call(&world.datasource, USER, "/oauth/callback", serde_json::json!(back)).await.0 != 200 {
        world.simulator.faults().clear();
    }
    world.simulator.faults().clear();
    faults.iter().for_each(|fault| world.simulator.faults().add(fault.clone()));
    for _ in 0..SYNCS {
        syncs += 1;
        if random.random_bool(0.5) {
            // In the middle of the work, wherever that is.
            tokio::time::sleep(Duration::from_millis(random.random_range(1..400))).await;
            world = world.restarted(Clock::starting_at(morning(), 60.0)).await;
        } else {
            sync(&world.datasource).await;
        }
    }
    world.simulator.faults().clear();
    while sync(&world.datasource).await.failure.is_some() || !world.unwell().is_empty() {
        syncs += 1;
        assert!(
            syncs < SYNCS + 5,
            "{:?} {:?}; seed {seed}",
            world.datasource.status().unwrap().sync.failure,
            world.unwell()
        );
    }
    world.assert_whole();
    assert_eq!(
        world.select("SELECT count(*) FROM sync_windows WHERE done_at IS NULL")[0][0],
        0,
        "seed {seed}"
    );
    assert_eq!(
        world.select("SELECT max(revision), count(deleted_at) FROM oura_raw_documents")[0],
        [1, 0],
        "seed {seed}"
    );
    let journal = world.simulator.requests();
    assert_eq!(journal.violations(Violation::RefreshTokenReused), 0, "seed {seed}");
    assert_eq!(journal.violations(Violation::NoUserAgent), 0, "seed {seed}");
    Asked {
        faults: faults.len(),
        kinds,
        requests: journal.log().len(),
        spoilt: journal.log().iter().filter(|request| request.spoilt).count(),
        tokens: journal.count("/oauth/token"),
        syncs: syncs + 1,
        whole: whole(&journal),
    }
}

/// Some faults on some of the requests.
fn weather(random: &mut StdRng) -> Vec<Fault> {
    let status = |status| Misbehaviour::Status { status, retry_after: None };
    let anywhere = [
        status(500),
        status(502),
        status(503),
        Misbehaviour::Status { status: 429, retry_after: Some(3) },
        Misbehaviour::HalfBody,
        Misbehaviour::InvalidJson,
        Misbehaviour::Drip(Duration::from_millis(2)),
        Misbehaviour::Delay(Duration::from_millis(30)),
        Misbehaviour::Duplicated,
    ];
    // Of rows with the same key the last counts: out of order, that would be another one.
    let of_documents = [
        Misbehaviour::Shuffled,
        Misbehaviour::EndlessPages,
        Misbehaviour::ScopeMissing,
        status(404),
        status(400),
    ];
    let at_login = [status(500), status(503), Misbehaviour::Delay(Duration::from_millis(30))];
    let mut faults: Vec<Fault> = Vec::new();
    for does in anywhere.choose_multiple(random, 4) {
        faults.push(Fault::new(Target::Path("/v2/".to_owned()), does.clone()));
    }
    for collection in
        ["sleep", "daily_activity", "workout", "enhanced_tag"].choose_multiple(random, 2)
    {
        faults.push(Fault::on_collection(
            collection,
            of_documents.choose(random).expect("there are some").clone(),
        ));
    }
    faults.push(Fault::on_path(
        "/oauth/token",
        at_login.choose(random).expect("there are some").clone(),
    ));
    for fault in &mut faults {
        fault.probability = random.random_range(0.02..0.25);
    }
    faults
}
