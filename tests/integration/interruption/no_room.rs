//! A disk that is full at any time.

use rand::Rng;

use super::world::*;
use crate::common::{database, select};

/// The number of full disks, unless `FULL_DISKS` sets another.
const FULL_DISKS: u64 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_writes_at_any_time_change_no_document() {
    let (seed, mut random) = seeded_rng();
    let full_disks = env_or("FULL_DISKS", FULL_DISKS);
    let undisturbed = undisturbed().await;
    let now = undisturbed.now;

    let simulator = simulator(now).await;
    let folder = connected_folder(&simulator).await;
    let size = || std::fs::metadata(database(folder.path())).unwrap().len();
    let mut failed = 0;
    for _ in 0..full_disks {
        // No file may grow beyond a number of blocks of 512 bytes. The signal is ignored, so that
        // the write fails instead of the process.
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
    println!("{full_disks} full disks; {failed} ended the sync");
    assert!(failed > 0, "seed {seed}");
    assert!(Program::start(folder.path(), &simulator.origin(), now).ended().await);
    equals_undisturbed(folder.path(), undisturbed, seed);
}
