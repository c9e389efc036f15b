//! A disk that is full, at any moment.

use rand::Rng;

use super::world::*;
use crate::common::{database, select, wanted};

/// How often there is no room, unless `FULL_DISKS` says otherwise.
const FULL_DISKS: u64 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_fail_at_any_moment_change_nothing() {
    let (seed, mut random) = chances();
    let full_disks = wanted("FULL_DISKS", FULL_DISKS);
    let fair = undisturbed().await;
    let now = fair.now;

    let simulator = simulator(now).await;
    let folder = connected_folder(&simulator).await;
    let size = || std::fs::metadata(database(folder.path())).unwrap().len();
    let mut failed = 0;
    for _ in 0..full_disks {
        // No file may grow beyond some blocks of 512 bytes, the log among them; the signal that would kill is ignored, so the write fails.
        let blocks =
            random.random_range(200..1_500) + size() / 512 * u64::from(random.random_bool(0.7));
        let limit = format!("ulimit -f {blocks}; trap '' XFSZ;");
        failed += u64::from(
            !Program::start_after(&limit, folder.path(), &simulator.origin(), now).ended().await,
        );
        assert_eq!(
            select(&database(folder.path()), "PRAGMA integrity_check")[0][0],
            "ok",
            "seed {seed}"
        );
    }
    println!("{full_disks} full disks, of which {failed} ended the sync");
    assert!(failed > 0, "seed {seed}");
    assert!(Program::start(folder.path(), &simulator.origin(), now).ended().await);
    holds(folder.path(), fair, seed);
}
