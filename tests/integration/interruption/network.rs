//! A network that is interrupted.

use rand::Rng;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::world::*;
use crate::common::{database, select};

/// The number of interruptions, unless `CUTS` sets another.
const CUTS: usize = 4;

/// A proxy in front of the simulator that can be cut. A cut breaks all connections and closes new
/// ones at once.
struct Proxy {
    origin: url::Url,
    is_up: watch::Sender<bool>,
    /// How many connections were closed at once.
    rejected: watch::Receiver<usize>,
}

impl Proxy {
    async fn to(origin: url::Url) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let target = format!("{}:{}", origin.host_str().unwrap(), origin.port().unwrap());
        let (is_up, up) = watch::channel(true);
        let (reject, rejected) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut up = up.clone();
                if !*up.borrow_and_update() {
                    reject.send_modify(|rejected| *rejected += 1);
                    continue;
                }
                let target = target.clone();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(target).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = up.wait_for(|up| !up) => {}
                    }
                });
            }
        });
        Proxy { origin: format!("http://{address}/").parse().unwrap(), is_up, rejected }
    }

    /// Cuts the network until it has rejected `count` connections, or `program` has ended.
    async fn cut(&mut self, program: &mut Program, count: usize) {
        self.is_up.send_replace(false);
        let rejected = *self.rejected.borrow_and_update() + count;
        tokio::select! {
            _ = self.rejected.wait_for(|now| *now >= rejected) => {}
            () = program.wait() => {}
        }
        self.is_up.send_replace(true);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn network_interruptions_change_no_document() {
    let (seed, mut random) = seeded_rng();
    let max_cuts = env_or("CUTS", CUTS);
    let undisturbed = undisturbed().await;
    let now = undisturbed.now;

    let simulator = simulator(now).await;
    let folder = connected_folder(&simulator).await;
    let mut proxy = Proxy::to(simulator.origin()).await;
    let before = requests(&simulator);
    let mut cuts = 0;
    let mut starts = 1;
    let mut program = Program::start(folder.path(), &proxy.origin, now);
    while cuts < max_cuts {
        program
            .after_requests(&simulator, random.random_range(1..undisturbed.load / max_cuts))
            .await;
        if program.has_ended() {
            break;
        }
        cuts += 1;
        // Retries bridge short cuts, and long ones end the run.
        proxy.cut(&mut program, random.random_range(1..12)).await;
    }
    program.ended().await;
    while !is_complete(folder.path()) {
        starts += 1;
        assert!(starts < 6, "seed {seed}");
        Program::start(folder.path(), &proxy.origin, now).ended().await;
    }
    println!(
        "{cuts} cuts, {starts} starts; {} requests undisturbed, {} with the cuts",
        undisturbed.load,
        requests(&simulator) - before
    );
    assert!(cuts > 0, "seed {seed}");
    equals_undisturbed(folder.path(), undisturbed, seed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_host_name_is_reported_as_a_network_failure() {
    let now = undisturbed().await.now;
    let simulator = simulator(now).await;
    let folder = connected_folder(&simulator).await;
    // RFC 2606 reserves this domain: the host does not exist.
    let nowhere = "http://oura.invalid/".parse().unwrap();
    assert!(!Program::start(folder.path(), &nowhere, now).ended().await, "the sync must fail");
    let message =
        select(&database(folder.path()), "SELECT message FROM sync_runs WHERE state = 'failed'");
    let message = message[0][0].as_str().unwrap();
    assert!(
        message.contains("Could not reach Oura") && message.contains("next sync tries again"),
        "{message}"
    );
    assert!(Program::start(folder.path(), &simulator.origin(), now).ended().await);
    assert!(is_complete(folder.path()));
}

/// Whether all windows are done and all collections are `ok`.
fn is_complete(folder: &std::path::Path) -> bool {
    let left = "SELECT (SELECT count(*) FROM sync_windows WHERE done_at IS NULL)
                     + (SELECT count(*) FROM collections WHERE state <> 'ok')";
    select(&database(folder), left)[0][0] == 0
}
