//! Publishing to a lake after syncs, while the server runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};

use super::super::lake::people;
use crate::blocking::blocking;
use crate::catalog::Catalog;
use crate::datasource::specification;
use crate::lake::{Lake, LakeError, Owner, Person};

/// The time between two looks at the databases.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// The pause after a failure. It doubles with each further one.
const RETRY_DELAY: Duration = Duration::from_secs(30);

/// The longest pause after a failure.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(1800);

/// The time between two deletions of old files.
const VACUUM_INTERVAL: Duration = Duration::from_secs(24 * 3600);

/// Publishes the data sources of a folder to a lake.
pub(super) struct Publisher {
    /// The lake.
    pub place: String,
    /// The data folder.
    pub data_dir: PathBuf,
    /// The shortest time between two publications.
    pub interval: Duration,
}

/// The times and sizes of the files of each database. Any write changes them.
type Fingerprint = BTreeMap<PathBuf, (SystemTime, u64)>;

impl Publisher {
    /// Publishes after each change, until the future is dropped. Failures are logged and repeated:
    /// syncs do not depend on the lake.
    pub async fn run(self) {
        let mut lake = None;
        let mut published = Fingerprint::new();
        let mut failures = 0;
        let mut next_vacuum = Instant::now();
        loop {
            let (people, present) = self.look().await;
            if present == published {
                sleep(POLL_INTERVAL).await;
                continue;
            }
            match self.publish(&mut lake, &people, &mut next_vacuum).await {
                Ok(()) => {
                    published = present;
                    failures = 0;
                    sleep(self.interval).await;
                }
                Err(error) => {
                    let factor = 1 << failures.min(6);
                    let delay = (RETRY_DELAY * factor).min(MAX_RETRY_DELAY);
                    tracing::error!(lake = %self.place, %error, retry_in = ?delay, "not published");
                    // Settings and rights may have changed.
                    lake = None;
                    failures += 1;
                    sleep(delay).await;
                }
            }
        }
    }

    async fn look(&self) -> (Vec<Person>, Fingerprint) {
        let data_dir = self.data_dir.clone();
        blocking(move || {
            let people = people(&data_dir).unwrap_or_default();
            let files = people.iter().flat_map(|person| {
                let mut log = person.database.clone().into_os_string();
                log.push("-wal");
                [person.database.clone(), log.into()]
            });
            let fingerprint = files.filter_map(|path| Some((path.clone(), stamp(&path)?)));
            let fingerprint = fingerprint.collect();
            (people, fingerprint)
        })
        .await
    }

    async fn publish(
        &self,
        lake: &mut Option<Lake>,
        people: &[Person],
        next_vacuum: &mut Instant,
    ) -> Result<(), LakeError> {
        let lake = match lake {
            Some(lake) => lake,
            None => lake.insert(Lake::open(&self.place, Owner::open(&self.data_dir)?).await?),
        };
        // A withdrawal by the command line counts at once.
        lake.reload_owner(&self.data_dir)?;
        let bundled = Arc::new(Catalog::bundled());
        let catalog = specification::catalog(&self.data_dir, bundled);
        let outcome = lake.publish(people, &catalog, false).await?;
        for skipped in &outcome.skipped {
            tracing::debug!(datasource = skipped.key, reason = skipped.reason, "not published");
        }
        if outcome.commits > 0 {
            tracing::info!(
                lake = self.place,
                commits = outcome.commits,
                rows = outcome.rows,
                "published"
            );
        }
        if Instant::now() >= *next_vacuum {
            lake.vacuum().await?;
            *next_vacuum = Instant::now() + VACUUM_INTERVAL;
        }
        Ok(())
    }
}

/// The time of the last change, and the size. `None` for a missing file.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
