//! Deleting files that no reader needs: those that commits removed, and those of interrupted
//! publications.

use super::Lake;
use super::error::LakeError;
use super::log::{Log, outdated};
use super::storage::StorageClock;

/// How long a removed file stays, in milliseconds: readers of the version before may still need it.
const RETENTION_MS: i64 = 24 * 3600 * 1000;

/// How long commits before a checkpoint stay, in milliseconds.
const LOG_RETENTION_MS: i64 = 7 * RETENTION_MS;

impl Lake {
    /// Deletes files that were removed a day ago or that no commit names, and old commits. Returns
    /// the number of deleted data files.
    pub async fn vacuum(&self) -> Result<usize, LakeError> {
        let clock = self.storage.clock().await?;
        let mut deleted = 0;
        for table in self.table_names().await? {
            deleted += self.vacuum_table(&table, &clock).await?;
        }
        Ok(deleted)
    }

    async fn vacuum_table(&self, table: &str, clock: &StorageClock) -> Result<usize, LakeError> {
        // Before the list: files that are written later are newer.
        let now = clock.now_ms();
        let files = self.storage.list(table).await?;
        let log = Log::new(&self.storage, table);
        // Read after the list: a file that is in the list and in a later commit stays.
        let snapshot = log.read().await?;
        let removed = outdated(&snapshot, now - RETENTION_MS);
        let mut deleted = 0;
        for file in files {
            let Some(path) = file.path.strip_prefix(table).and_then(|path| path.strip_prefix('/'))
            else {
                continue;
            };
            let is_unknown = !snapshot.files.contains_key(path)
                && !snapshot.removed.contains_key(path)
                && file.written < now - RETENTION_MS;
            if is_data_file(path) && (is_unknown || removed.contains(path)) {
                self.storage.delete(&file.path).await?;
                deleted += 1;
            }
        }
        log.clean(&snapshot, now - LOG_RETENTION_MS).await?;
        Ok(deleted)
    }
}

/// Whether the program wrote the file at `path` below a table. Others stay.
pub(super) fn is_data_file(path: &str) -> bool {
    let mut parts = path.split('/');
    let matches =
        |part: Option<&str>, prefix: &str| part.is_some_and(|part| part.starts_with(prefix));
    matches(parts.next(), "month=")
        && matches(parts.next(), "shard=")
        && parts.next().is_some_and(|name| name.starts_with("part-") && name.ends_with(".parquet"))
        && parts.next().is_none()
}
