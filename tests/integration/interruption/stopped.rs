//! A program that is stopped for a while, as on a machine that sleeps.

use std::time::Duration;

use rand::Rng;

use super::world::*;
/// The number of stops and their seconds, unless `STOPS` and `STOP_SECONDS` set others.
const STOPS: usize = 4;
const STOP_SECONDS: u64 = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_program_continues() {
    let (seed, mut random) = seeded_rng();
    let max_stops = env_or("STOPS", STOPS);
    let seconds = env_or("STOP_SECONDS", STOP_SECONDS);
    let undisturbed = undisturbed().await;
    let now = undisturbed.now;

    let simulator = simulator(now).await;
    let folder = connected_folder(&simulator).await;
    let before = requests(&simulator);
    let mut program = Program::start(folder.path(), &simulator.origin(), now);
    let mut stops = 0;
    while stops < max_stops {
        program
            .after_requests(&simulator, random.random_range(1..undisturbed.load / max_stops))
            .await;
        if program.has_ended() {
            break;
        }
        program.signal("STOP").await;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        program.signal("CONT").await;
        stops += 1;
    }
    assert!(program.ended().await, "seed {seed}");
    let sent = requests(&simulator) - before;
    println!(
        "stopped {stops} times for {seconds} s; {} requests undisturbed, {sent} with the stops",
        undisturbed.load
    );
    assert!(
        stops > 0 && sent <= undisturbed.load + stops * CONCURRENT_WINDOWS,
        "{sent} requests instead of {}; seed {seed}",
        undisturbed.load
    );
    equals_undisturbed(folder.path(), undisturbed, seed);
}
