//! Storing a window in one transaction: its documents or rows, the coverage of its days, the end of
//! the window, and the state of its collection.

use std::collections::BTreeSet;

use super::error::StoreError;
use super::window::{Arrivals, QueuedWindow, WriteStats};
use super::window_writer::WindowWriter;
use super::writer::Writer;
use super::{calendar, collections, queue, runs};
use crate::catalog::{Storage, Style};
use crate::sql::quote_identifier;
use crate::time::{Day, Instant};

impl Writer {
    /// Stores the complete response to a window. `now` is the time of the fetch.
    ///
    /// `settled_through` returns the last day that can no longer change. Later days are stored as
    /// partial.
    pub fn put_window(
        &self,
        queued: &QueuedWindow,
        documents: &[Box<[u8]>],
        now: Instant,
        settled_through: impl FnOnce(&Arrivals) -> Day,
    ) -> Result<WriteStats, StoreError> {
        let mut connection = self.lock();
        // Read with the connection locked, so that the catalogue matches the tables.
        let catalog = self.catalog();
        let transaction = connection.transaction()?;
        let mut stats = WriteStats::default();
        // A collection that left the catalogue has no tables to write.
        if let Some(collection) = catalog.get(&queued.window.collection) {
            let window = WindowWriter {
                transaction: &transaction,
                collection,
                zone: self.zone(),
                now,
                queued,
            };
            stats = window.store(documents, settled_through)?;
        } else {
            queue::finish(&transaction, queued, now)?;
        }
        self.refresh_if_due(&transaction)?;
        transaction.commit()?;
        Ok(stats)
    }
}

impl WindowWriter<'_> {
    fn store(
        &self,
        documents: &[Box<[u8]>],
        settled_through: impl FnOnce(&Arrivals) -> Day,
    ) -> Result<WriteStats, StoreError> {
        let (stats, touched_days) = match self.collection.storage {
            Storage::Documents => self.store_documents(documents)?,
            Storage::Rows => (self.store_rows(documents)?, BTreeSet::new()),
        };
        if !matches!(self.collection.style, Style::TokenOnly | Style::Singleton) {
            self.store_coverage(settled_through)?;
            self.recount_neighbours(&touched_days)?;
        }
        collections::recount(self.transaction, self.collection)?;
        queue::finish(self.transaction, self.queued, self.now)?;
        // The collection is well only if no other failed window waits.
        let failure = queue::describe_failure(self.transaction, self.collection)?;
        let name = &self.collection.name;
        collections::record_sync(self.transaction, name, failure.as_deref(), self.now)?;
        runs::count_window(self.transaction, stats)?;
        Ok(stats)
    }

    /// Stores the number of documents of each day in the window, and whether it can still change.
    fn store_coverage(
        &self,
        settled_through: impl FnOnce(&Arrivals) -> Day,
    ) -> Result<(), StoreError> {
        let days = self.count_days()?;
        let last_days = collections::last_days(self.transaction)?;
        let settled = settled_through(&Arrivals {
            collection: &self.collection.name,
            today: self.now.day(self.zone),
            last_days: &last_days,
            newest_in_window: days.iter().rev().find(|(_, count)| *count > 0).map(|(day, _)| *day),
        });
        let mut insert = self.transaction.prepare_cached(
            "INSERT INTO coverage_data (resource, day, documents, partial, fetched_at)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET documents = excluded.documents, partial = excluded.partial,
                 fetched_at = excluded.fetched_at",
        )?;
        for (day, count) in days {
            let name = &self.collection.name;
            insert.execute((name, day.to_string(), count, day > settled, self.now.0))?;
            calendar::add_day(self.transaction, day, self.zone)?;
        }
        Ok(())
    }

    /// Counts the documents or rows of each day in the window, in order.
    pub(super) fn count_days(&self) -> Result<Vec<(Day, i64)>, StoreError> {
        let count = match self.collection.storage {
            Storage::Documents => "SELECT count(*) FROM oura_raw_documents
                 WHERE resource = ?1 AND day = ?2 AND deleted_at IS NULL AND ?3 < ?4"
                .to_owned(),
            Storage::Rows => format!(
                "SELECT count(*) FROM {} WHERE time >= ?3 AND time < ?4 AND ?1 IS NOT ?2",
                quote_identifier(&self.collection.table)
            ),
        };
        let mut count = self.transaction.prepare_cached(&count)?;
        let window = &self.queued.window;
        let mut days = Vec::new();
        for day in window.from.through(window.to) {
            let midnight = day.midnight(self.zone).0;
            let next_midnight = day.plus(1).midnight(self.zone).0;
            let parameters = (&self.collection.name, day.to_string(), midnight, next_midnight);
            days.push((day, count.query_row(parameters, |row| row.get(0))?));
        }
        Ok(days)
    }

    /// Counts the documents of covered days outside the window again. Their documents can come with
    /// it, because the range of a request is wider than its window, or move into it.
    fn recount_neighbours(&self, touched_days: &BTreeSet<String>) -> Result<(), StoreError> {
        let mut recount = self.transaction.prepare_cached(
            "UPDATE coverage_data
             SET documents = (SELECT count(*) FROM oura_raw_documents AS raw
                              WHERE raw.resource = ?1 AND raw.day = ?2 AND raw.deleted_at IS NULL)
             WHERE resource = ?1 AND day = ?2",
        )?;
        let from = self.queued.window.from.to_string();
        let to = self.queued.window.to.to_string();
        for day in touched_days.iter().filter(|day| **day < from || **day > to) {
            recount.execute((&self.collection.name, day))?;
        }
        Ok(())
    }
}
