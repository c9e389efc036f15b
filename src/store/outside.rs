//! Storing documents that do not come from a window: those of an imported file.

use super::collections;
use super::error::StoreError;
use super::state::WindowReason;
use super::window::{QueuedWindow, Window, WriteStats};
use super::window_writer::WindowWriter;
use super::writer::Writer;
use crate::catalog::Storage;
use crate::time::{Day, Instant};

impl Writer {
    /// Adds documents of a collection. `now` is the time of the import.
    ///
    /// Their days are covered as partial, so that the next sync fetches them again. Call
    /// [`Writer::rebuild`] after the last documents: it derives rollups and calendar.
    pub fn add_documents(
        &self,
        collection: &str,
        documents: &[Box<[u8]>],
        now: Instant,
    ) -> Result<WriteStats, StoreError> {
        let mut connection = self.lock();
        let catalog = self.catalog();
        let Some(collection) = catalog.get(collection) else { return Ok(WriteStats::default()) };
        let transaction = connection.transaction()?;
        let window = |from: Day, to: Day| QueuedWindow {
            id: 0,
            window: Window {
                collection: collection.name.clone(),
                from,
                to,
                reason: WindowReason::History,
            },
            attempts: 0,
        };
        let today = now.day(self.zone());
        let queued = window(today, today);
        let writer = WindowWriter {
            transaction: &transaction,
            collection,
            zone: self.zone(),
            now,
            queued: &queued,
        };
        let (stats, days) = match collection.storage {
            Storage::Documents => writer.add_documents(documents)?,
            Storage::Rows => writer.add_rows(documents)?,
        };
        let mut days =
            days.iter().filter_map(|day| day.parse().ok()).filter(|day| writer.is_in_reach(*day));
        if let Some(first) = days.next() {
            let queued = window(first, days.next_back().unwrap_or(first));
            WindowWriter { queued: &queued, ..writer }.cover_partially()?;
        }
        collections::recount(&transaction, collection)?;
        transaction.commit()?;
        Ok(stats)
    }
}

impl WindowWriter<'_> {
    /// Covers the days of the window that have documents, as days that can still change.
    fn cover_partially(&self) -> Result<(), StoreError> {
        let mut insert = self.transaction.prepare_cached(
            "INSERT INTO coverage_data (resource, day, documents, partial, fetched_at)
             VALUES (?1, ?2, ?3, TRUE, ?4)
             ON CONFLICT DO UPDATE SET documents = excluded.documents",
        )?;
        for (day, count) in self.count_days()?.into_iter().filter(|(_, count)| *count > 0) {
            insert.execute((&self.collection.name, day.to_string(), count, self.now.0))?;
        }
        Ok(())
    }
}
