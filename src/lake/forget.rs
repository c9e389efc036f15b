//! Removing a person from a lake.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::error::LakeError;
use super::log::{Action, Log, Snapshot, Txn, outdated};
use super::owner::Pseudonym;
use super::partition::Partition;
use super::publish::{Fresh, application_prefix, partitions_of, stored_schema};
use super::storage::StorageClock;
use super::table::LakeTable;
use super::{ATTEMPTS, Lake};

impl Lake {
    /// Withdraws the data source `key`: removes its rows from all tables, deletes the files that
    /// contained them, and excludes it from later publications. Returns the number of deleted
    /// files.
    pub async fn forget(&mut self, key: &str) -> Result<usize, LakeError> {
        // First, so that a simultaneous publication does not bring the rows back.
        self.owner.set_withdrawn(key, true)?;
        self.current.lock().remove(key);
        let pseudonym = self.owner.pseudonym(key);
        let clock = self.storage.clock().await?;
        let mut deleted = 0;
        for table in self.table_names().await? {
            deleted += self.forget_in(&table, &pseudonym, &clock).await?;
        }
        Ok(deleted)
    }

    /// Removes the rows and the files of withdrawn people that a table still has: `forget` was
    /// killed, or a publication that began before it added their rows again. Looks once for each
    /// person.
    pub(super) async fn finish_withdrawals(&self) -> Result<(), LakeError> {
        let mut withdrawn = self.owner.stored_withdrawals()?;
        {
            let mut forgotten = self.forgotten.lock();
            forgotten.retain(|key| withdrawn.contains(key));
            withdrawn.retain(|key| !forgotten.contains(key));
        }
        if withdrawn.is_empty() {
            return Ok(());
        }
        let clock = self.storage.clock().await?;
        for table in self.table_names().await? {
            for key in &withdrawn {
                self.forget_in(&table, &self.owner.pseudonym(key), &clock).await?;
            }
        }
        self.forgotten.lock().extend(withdrawn);
        Ok(())
    }

    /// Allows the publication of a withdrawn data source.
    pub fn readmit(&mut self, key: &str) -> Result<(), LakeError> {
        self.owner.set_withdrawn(key, false)
    }

    async fn forget_in(
        &self,
        table: &str,
        pseudonym: &Pseudonym,
        clock: &StorageClock,
    ) -> Result<usize, LakeError> {
        let log = Log::new(&self.storage, table);
        for _ in 0..ATTEMPTS {
            let snapshot = log.read().await?;
            if !self.remove_rows(&log, &snapshot, pseudonym, clock).await? {
                continue;
            }
            log.checkpoint(clock.now_ms()).await?;
            return self.delete_removed(&log, pseudonym.shard).await;
        }
        Err(LakeError::Contended(table.to_owned()))
    }

    /// Commits the removal. Returns false if another process was faster.
    pub(super) async fn remove_rows(
        &self,
        log: &Log,
        snapshot: &Snapshot,
        pseudonym: &Pseudonym,
        clock: &StorageClock,
    ) -> Result<bool, LakeError> {
        let Some(stored) = &snapshot.meta_data else { return Ok(true) };
        let schema = stored_schema(log, stored)?;
        // A later publication begins from the start.
        let txns: Vec<Txn> = published(snapshot, pseudonym)
            .map(|txn| Txn { version: -1, last_updated: Some(clock.now_ms()), ..txn.clone() })
            .collect();
        let work: BTreeMap<Partition, Vec<Fresh>> = partitions_of(snapshot, pseudonym)
            .map(|partition| (partition, vec![Fresh::None(pseudonym.name.clone())]))
            .collect();
        let table = LakeTable::stored(&log.table, Arc::new(schema));
        let Some(changes) = self.rewrite_all(&table, snapshot, work, clock).await? else {
            return Ok(false);
        };
        if txns.is_empty() && changes.removed.is_empty() {
            return Ok(true);
        }
        let txns = txns.into_iter().map(|txn| Action { txn: Some(txn), ..Action::default() });
        let added = changes.added_files();
        let actions: Vec<Action> = txns.chain(changes.into_actions()).collect();
        let now = clock.now_ms();
        let is_first = log.commit(snapshot, "DELETE", BTreeMap::new(), actions, now).await?;
        if !is_first {
            self.discard(&log.table, &added).await?;
        }
        Ok(is_first)
    }

    /// Deletes the removed files of a shard at once. The log names them also after their deletion.
    async fn delete_removed(&self, log: &Log, shard: u8) -> Result<usize, LakeError> {
        let snapshot = log.read().await?;
        let folder = format!("/shard={shard}/");
        let removed: BTreeSet<String> = outdated(&snapshot, i64::MAX)
            .iter()
            .filter(|path| path.contains(&folder))
            .map(|path| format!("{}/{path}", log.table))
            .collect();
        let mut deleted = 0;
        for file in self.storage.list(&log.table).await? {
            if removed.contains(&file.path) {
                self.storage.delete(&file.path).await?;
                deleted += 1;
            }
        }
        Ok(deleted)
    }
}

/// The published versions of a person in a table.
fn published<'a>(
    snapshot: &'a Snapshot,
    pseudonym: &Pseudonym,
) -> impl Iterator<Item = &'a Txn> + use<'a> {
    let prefix = application_prefix(pseudonym);
    let is_published = move |txn: &&Txn| txn.app_id.starts_with(&prefix) && txn.version >= 0;
    snapshot.txns.values().filter(is_published)
}
