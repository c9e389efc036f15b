//! `kill -9`, again and again.

use rand::Rng;

use super::common::select;
use super::world::*;

/// How often the program is killed, unless `KILLS` says otherwise.
const KILLS: usize = 20;

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
        at_work(&mut program, &simulator, random.random_range(0..2 * (fair.update + fair.load / most_kills))).await;
        if program.has_ended() {
            continue;
        }
        program.kill();
        kills += 1;
        assert_eq!(select(&database(folder.path()), "PRAGMA quick_check")[0][0], "ok", "seed {seed}");
    }
    assert!(Program::start(folder.path(), &simulator.origin(), now).ended().await);
    let sent = asked(&simulator) - before;
    // The last week is asked for again at every start, and so is what was under way.
    let most = fair.load + starts * (fair.update + 4 * AT_ONCE);
    println!("{kills} kills, {starts} starts; {} requests undisturbed, {sent} with the kills, {most} allowed", fair.load);
    if holds(folder.path(), fair, seed) {
        assert!(sent <= most, "{sent} requests instead of {}; at most {most}; seed {seed}", fair.load);
    }
}
