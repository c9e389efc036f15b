//! A network that comes and goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::Rng;
use tokio::net::{TcpListener, TcpStream};

use super::world::*;
use crate::common::{database, select, wanted};

/// How often the network goes, unless `CUTS` says otherwise.
const CUTS: usize = 4;

/// A way to the simulator that can be cut: connections break, and new ones are closed at once.
struct Wire {
    origin: url::Url,
    up: Arc<AtomicBool>,
}

impl Wire {
    async fn to(origin: url::Url) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let up = Arc::new(AtomicBool::new(true));
        let (open, target) =
            (up.clone(), (origin.host_str().unwrap().to_owned(), origin.port().unwrap()));
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                if !open.load(Ordering::Relaxed) {
                    continue;
                }
                let (open, target) = (open.clone(), target.clone());
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(target).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        () = cut(&open) => {}
                    }
                });
            }
        });
        Wire { origin: format!("http://{address}/").parse().unwrap(), up }
    }
}

async fn cut(open: &AtomicBool) {
    while open.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_comes_and_goes_costs_time_and_nothing_else() {
    let (seed, mut random) = chances();
    let most_cuts = wanted("CUTS", CUTS);
    let fair = undisturbed().await;
    let now = fair.now;

    let simulator = simulator(now).await;
    let folder = connected_folder(&simulator).await;
    let wire = Wire::to(simulator.origin()).await;
    let before = asked(&simulator);
    let (mut cuts, mut starts) = (0, 1);
    let mut program = Program::start(folder.path(), &wire.origin, now);
    while cuts < most_cuts {
        at_work(&mut program, &simulator, random.random_range(1..fair.load / most_cuts)).await;
        if program.has_ended() {
            break;
        }
        wire.up.store(false, Ordering::Relaxed);
        cuts += 1;
        // Short ones are not noticed, long ones end the run.
        tokio::time::sleep(Duration::from_millis(random.random_range(5..1_500))).await;
        wire.up.store(true, Ordering::Relaxed);
    }
    program.ended().await;
    while !whole(folder.path()) {
        starts += 1;
        assert!(starts < 6, "seed {seed}");
        Program::start(folder.path(), &wire.origin, now).ended().await;
    }
    println!(
        "{cuts} cuts, {starts} starts; {} requests undisturbed, {} with the cuts",
        fair.load,
        asked(&simulator) - before
    );
    assert!(cuts > 0, "seed {seed}");
    holds(folder.path(), fair, seed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_nobody_knows_is_a_network_that_is_down() {
    let now = undisturbed().await.now;
    let simulator = simulator(now).await;
    let folder = connected_folder(&simulator).await;
    // RFC 2606: no such host exists anywhere.
    let nowhere = "http://oura.invalid/".parse().unwrap();
    assert!(
        !Program::start(folder.path(), &nowhere, now).ended().await,
        "it says that nothing came"
    );
    let said =
        select(&database(folder.path()), "SELECT message FROM sync_runs WHERE state = 'failed'");
    let said = said[0][0].as_str().unwrap();
    assert!(
        said.contains("could not be reached") && said.contains("next sync tries again"),
        "{said}"
    );
    assert!(Program::start(folder.path(), &simulator.origin(), now).ended().await);
    assert!(whole(folder.path()));
}

/// Nothing waits, and no collection rests.
fn whole(folder: &std::path::Path) -> bool {
    let left = "SELECT (SELECT count(*) FROM sync_windows WHERE done_at IS NULL) + (SELECT count(*) FROM collections WHERE state <> 'ok')";
    select(&database(folder), left)[0][0] == 0
}
