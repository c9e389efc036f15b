//! Many random faults at once: rejections, truncated and slow responses, pages out of order, a
//! failing login, expiring tokens and restarts. One sync after the storm, the store equals Oura,
//! for hardly more requests than without faults.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use ringside::datasource::Trigger;
use ringside::simulator::{Config, Fault, Journal, Misbehaviour, Target, Violation};
use ringside::time::Clock;

use super::world::*;
use crate::common::{env_or, seeded_rng};

/// The number of storms, unless `STORMS` sets another.
const STORMS: u64 = 6;
/// Syncs during a storm.
const SYNCS: usize = 3;
/// Seconds of an access token's life. At sixty times the real speed, several expire in each storm.
const TOKEN_LIFETIME: i64 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_equals_oura_after_a_storm_of_faults() {
    let (first, _) = seeded_rng();
    let undisturbed = undisturbed().await;
    let mut spoilt = 0;
    for seed in (0..env_or("STORMS", STORMS)).map(|storm| first.wrapping_add(storm)) {
        println!("TEST_SEED={seed} STORMS=1");
        let storm = storm(seed).await;
        let max_pages =
            (1.2 * (undisturbed.load + storm.syncs * undisturbed.update) as f64) as usize;
        println!("  {storm:?}, at most {max_pages} complete pages allowed");
        assert!(
            storm.complete_pages <= max_pages,
            "{} complete pages; {undisturbed:?}; seed {seed}",
            storm.complete_pages
        );
        spoilt += storm.spoilt;
    }
    assert!(spoilt > 0, "no response was spoilt; first seed {first}");
}

/// Pages of an undisturbed history load, and of a sync after it.
#[derive(Debug)]
struct Undisturbed {
    load: usize,
    update: usize,
}

async fn undisturbed() -> Undisturbed {
    let world = World::connected().await;
    let load = complete_pages(&world.simulator.requests());
    assert_eq!(sync(&world.datasource).await.failure, None);
    Undisturbed { load, update: complete_pages(&world.simulator.requests()) - load }
}

/// Pages that were served without a fault.
fn complete_pages(journal: &Journal) -> usize {
    journal
        .log()
        .iter()
        .filter(|request| {
            request.collection().is_some() && request.status == 200 && !request.spoilt
        })
        .count()
}

/// Counts of one storm.
#[derive(Debug)]
#[expect(dead_code, reason = "printed with `Debug`")]
struct Storm {
    faults: usize,
    kinds: usize,
    requests: usize,
    spoilt: usize,
    renewals: usize,
    syncs: usize,
    complete_pages: usize,
}

async fn storm(seed: u64) -> Storm {
    let mut random = StdRng::seed_from_u64(seed);
    let mut world =
        World::new(Config { token_lifetime: TOKEN_LIFETIME, ..person() }, brisk()).await;
    let faults = random_faults(&mut random);
    let kinds = faults
        .iter()
        .map(|fault| std::mem::discriminant(&fault.does))
        .collect::<std::collections::HashSet<_>>()
        .len();
    let redirect = allowed(&world.datasource).await;
    for fault in &faults {
        world.simulator.faults().add(fault.clone());
    }
    let mut syncs = 0;
    // The code is valid for ten minutes, so the login is repeated without faults.
    while call(&world.datasource, USER, "/oauth/callback", serde_json::json!(redirect)).await.0
        != 200
    {
        world.simulator.faults().clear();
    }
    world.simulator.faults().clear();
    faults.iter().for_each(|fault| world.simulator.faults().add(fault.clone()));
    for _ in 0..SYNCS {
        syncs += 1;
        if random.random_bool(0.5) {
            // Restarts in the middle of a sync, after a number of requests that does not depend on
            // the speed of the machine.
            let run = world.datasource.start_sync(Trigger::Manual).unwrap();
            let requests = world.simulator.requests().log().len() + random.random_range(1..60);
            tokio::select! {
                () = world.simulator.wait_for_answers(requests) => {}
                _ = ended(&world.datasource, run) => {}
            }
            world = world.restarted(Clock::starting_at(morning(), 60.0)).await;
        } else {
            sync(&world.datasource).await;
        }
    }
    world.simulator.faults().clear();
    while sync(&world.datasource).await.failure.is_some() || !world.failing().is_empty() {
        syncs += 1;
        assert!(
            syncs < SYNCS + 5,
            "{:?} {:?}; seed {seed}",
            world.datasource.status().unwrap().sync.failure,
            world.failing()
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
    Storm {
        faults: faults.len(),
        kinds,
        requests: journal.log().len(),
        spoilt: journal.log().iter().filter(|request| request.spoilt).count(),
        renewals: journal.count("/oauth/token"),
        syncs: syncs + 1,
        complete_pages: complete_pages(&journal),
    }
}

/// Random faults on some of the requests.
fn random_faults(random: &mut StdRng) -> Vec<Fault> {
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
    // Not on rows: of rows with the same key the last counts, which another order would change.
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
        faults.push(Fault::on_collection(collection, of_documents.choose(random).unwrap().clone()));
    }
    faults.push(Fault::on_path("/oauth/token", at_login.choose(random).unwrap().clone()));
    for fault in &mut faults {
        fault.probability = random.random_range(0.02..0.25);
    }
    faults
}
