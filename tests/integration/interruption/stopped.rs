//! A program that does not run for a while, as on a machine that sleeps.

use std::time::Duration;

use rand::Rng;

use super::world::*;
use crate::common::wanted;

/// How often it is stopped, and for how many seconds, unless `STOPS` and `STOP_SECONDS` say otherwise.
const STOPS: usize = 4;
const STOP_SECONDS: u64 = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_stood_still_goes_on() {
    let (seed, mut random) = chances();
    let (most_stops, seconds) = (wanted("STOPS", STOPS), wanted("STOP_SECONDS", STOP_SECONDS));
    let fair = undisturbed().await;
    let now = fair.now;

    let simulator = simulator(now).await;
    let folder = connected_folder(&simulator).await;
    let before = asked(&simulator);
    let mut program = Program::start(folder.path(), &simulator.origin(), now);
    let mut stops = 0;
    while stops < most_stops {
        at_work(&mut program, &simulator, random.random_range(1..fair.load / most_stops)).await;
        if program.has_ended() {
            break;
        }
        program.signal("STOP");
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        program.signal("CONT");
        stops += 1;
    }
    assert!(program.ended().await, "seed {seed}");
    let sent = asked(&simulator) - before;
    println!(
        "stopped {stops} times for {seconds} s; {} requests undisturbed, {sent} with the stops",
        fair.load
    );
    assert!(
        stops > 0 && sent <= fair.load + stops * AT_ONCE,
        "{sent} requests instead of {}; seed {seed}",
        fair.load
    );
    holds(folder.path(), fair, seed);
}
