//! Everything at once: panels, resource calls, attacks and restarts, on `serve` and on the plugin.
//! By default for some seconds; `MIXED_MINUTES=30` is the long form, with several restarts and the
//! syncs of demo data.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use tokio::task::JoinSet;

use super::attacks::{Attack, findings};
use super::targets::{Kind, Target, data_folder, file_handles, memory};
use crate::common::{env_or, seeded_rng};

/// Runs of one program in the long form, each ended by SIGTERM under attack.
const RUNS: u32 = 6;

/// Attackers and well-behaved callers at once.
const ATTACKERS: u64 = 2;
const CALLERS: usize = 2;

/// The pause of a well-behaved caller between two calls.
const PAUSE: Duration = Duration::from_millis(100);

/// The bound of every time, which a busy machine keeps.
const MAX_TIME: Duration = Duration::from_secs(10);

/// The bound of the memory that a program keeps after attacks, in bytes.
const MAX_KEPT_MEMORY: u64 = 400 << 20;

/// The bound of file handles after attacks.
const MAX_FILE_HANDLES: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn well_behaved_callers_get_no_error_under_attack() {
    let (seed, _) = seeded_rng();
    let minutes: u64 = env_or("MIXED_MINUTES", 0);
    let (runs, total) = match minutes {
        0 => (1, Duration::from_secs(6)),
        minutes => (RUNS, Duration::from_secs(60 * minutes)),
    };
    let source = data_folder();
    let mut running = JoinSet::new();
    for kind in [Kind::Serve, Kind::Plugin] {
        let source = source.path().to_owned();
        running.spawn(async move {
            for run in 0..runs {
                let target = Arc::new(Target::start(kind, &source).await);
                if minutes > 0 {
                    target.start_demo().await;
                }
                run_mixed(kind, &target, total / runs, seed + u64::from(run)).await;
            }
        });
    }
    running.join_all().await;
}

/// Attacks one program and calls it as a well-behaved caller, then ends it.
async fn run_mixed(kind: Kind, target: &Arc<Target>, duration: Duration, seed: u64) {
    target.neighbour().await;
    let stopped = Arc::new(AtomicBool::new(false));
    let latencies = Arc::new(Mutex::new(Vec::new()));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (target, stopped) = (Arc::clone(target), Arc::clone(&stopped));
        let latencies = Arc::clone(&latencies);
        callers.spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                let asked = Instant::now();
                target.neighbour().await;
                target.check_health().await;
                latencies.lock().push(asked.elapsed());
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
    let mut attackers = attack(target, seed, &stopped);
    tokio::time::sleep(duration).await;
    stopped.store(true, Ordering::Relaxed);
    callers.join_all().await;
    attackers.join_all().await;
    let (kept, handles) = (memory(target.pid()), file_handles(target.pid()));

    // The program ends under attack.
    attackers = attack(target, seed, &Arc::new(AtomicBool::new(false)));
    tokio::time::sleep(PAUSE).await;
    let ended = target.end().await;
    attackers.abort_all();

    let mut latencies = latencies.lock();
    latencies.sort();
    let quantile = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    println!(
        "{kind:?}: {} calls, p50 {:?}, p99 {:?}, max {:?}; kept {} MB, {handles} handles, ended in \
         {ended:?}",
        latencies.len(),
        quantile(0.5),
        quantile(0.99),
        quantile(1.0),
        kept >> 20,
    );
    assert!(quantile(0.99) <= MAX_TIME, "{kind:?}: {:?}", quantile(0.99));
    assert!(kept <= MAX_KEPT_MEMORY, "{kind:?}: {} MB after the attacks", kept >> 20);
    assert!(handles <= MAX_FILE_HANDLES, "{kind:?}: {handles} handles after the attacks");
    assert!(ended <= MAX_TIME, "{kind:?}: ended after {ended:?}");
}

/// Starts attackers, each with random attacks until `stopped`.
fn attack(target: &Arc<Target>, seed: u64, stopped: &Arc<AtomicBool>) -> JoinSet<()> {
    let attacks: Arc<Vec<Attack>> =
        Arc::new(findings().into_iter().flat_map(|finding| finding.attacks).collect());
    let mut attackers = JoinSet::new();
    for attacker in 0..ATTACKERS {
        let (target, stopped) = (Arc::clone(target), Arc::clone(stopped));
        let attacks = Arc::clone(&attacks);
        let mut random = StdRng::seed_from_u64(seed.wrapping_add(attacker));
        attackers.spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                let attack = attacks.choose(&mut random).expect("there are attacks");
                target.send(&attack.send).await;
                tokio::task::yield_now().await;
            }
        });
    }
    attackers
}
