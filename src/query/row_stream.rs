//! A query result that arrives while it is read, so that its memory does not grow with its rows.

use std::io;

use tokio::sync::mpsc;

use super::cancel::CancelOnDrop;
use super::error::QueryError;
use super::result::QueryResult;
use crate::store::ColumnBatch;

/// The rows of a query in batches. Dropping it stops the query.
pub struct RowStream {
    /// The result with the first batch of rows, possibly the only one.
    pub head: QueryResult,
    /// Whether the first batch is the only one.
    pub(super) is_whole: bool,
    /// The other batches. The last one comes with `true`.
    pub(super) rest: mpsc::Receiver<Result<(ColumnBatch, bool), QueryError>>,
    pub(super) _cancel: CancelOnDrop,
}

impl RowStream {
    /// Whether the first batch has all rows.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Passes each batch to `write`, and returns the number of rows. Blocks: call it on a blocking
    /// thread.
    pub fn for_each<E: From<QueryError>>(
        mut self,
        mut write: impl FnMut(&ColumnBatch) -> Result<(), E>,
    ) -> Result<usize, E> {
        // Frees each batch before the next one.
        let mut batch = std::mem::take(&mut self.head.batch);
        let mut is_last = self.is_whole;
        let mut rows = 0;
        loop {
            write(&batch)?;
            rows += batch.rows;
            if is_last {
                return Ok(rows);
            }
            drop(batch);
            let next = self.rest.blocking_recv();
            (batch, is_last) =
                next.unwrap_or_else(|| Err(QueryError::Unavailable("the query panicked".into())))?;
        }
    }
}

/// For a writer of rows when the query fails.
impl From<QueryError> for io::Error {
    fn from(error: QueryError) -> io::Error {
        io::Error::other(error)
    }
}
