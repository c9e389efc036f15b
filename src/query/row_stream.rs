//! A query result that arrives while it is read, so that its memory does not grow with its rows.

use std::io;

use tokio::sync::{SemaphorePermit, mpsc};

use super::cancel::CancelOnDrop;
use super::error::QueryError;
use super::result::{QueryResult, truncation_notice};
use crate::store::ColumnBatch;

/// The batches after the first one. The last one comes with `true`.
pub(super) type LaterBatches = mpsc::Receiver<Result<(ColumnBatch, bool), QueryError>>;

/// The rows of a query in batches. Dropping it stops the query.
///
/// The iterator takes the first batch out of `head`, and then waits for the others. It blocks, so
/// call it on a blocking thread. Drop a batch before you request the next one.
pub struct RowStream {
    /// The result with the first batch of rows, possibly the only one. A limit that cuts off a later
    /// batch adds its notice.
    pub head: QueryResult,
    is_whole: bool,
    next: Next,
    rows: usize,
    is_truncated: bool,
    cancel: CancelOnDrop,
    _permit: Option<SemaphorePermit<'static>>,
}

/// The batch that comes next.
enum Next {
    First(Option<LaterBatches>),
    Later(LaterBatches),
    None,
}

impl RowStream {
    pub(super) fn new(
        head: QueryResult,
        rest: Option<LaterBatches>,
        cancel: CancelOnDrop,
        permit: Option<SemaphorePermit<'static>>,
    ) -> RowStream {
        RowStream {
            head,
            is_whole: rest.is_none(),
            next: Next::First(rest),
            rows: 0,
            is_truncated: false,
            cancel,
            _permit: permit,
        }
    }

    /// Returns a stream of one batch.
    #[cfg(test)]
    pub(crate) fn of(result: QueryResult) -> RowStream {
        RowStream::new(result, None, CancelOnDrop::default(), None)
    }

    /// Returns a guard for the reader of the rows. Dropping it stops the query, also while the stream
    /// waits for a batch.
    pub fn stop_on_drop(&self) -> CancelOnDrop {
        self.cancel.another()
    }

    /// Whether the first batch has all rows.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The number of rows of all batches so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether a limit cut off the batches so far.
    pub fn is_truncated(&self) -> bool {
        self.is_truncated
    }
}

impl Iterator for RowStream {
    type Item = Result<ColumnBatch, QueryError>;

    fn next(&mut self) -> Option<Result<ColumnBatch, QueryError>> {
        // A failure is the last item.
        let batch = match std::mem::replace(&mut self.next, Next::None) {
            Next::First(rest) => {
                self.next = rest.map_or(Next::None, Next::Later);
                std::mem::take(&mut self.head.batch)
            }
            Next::Later(mut rest) => {
                let next = rest.blocking_recv().unwrap_or_else(|| Err(QueryError::panicked()));
                let (batch, is_last) = match next {
                    Ok(next) => next,
                    Err(error) => return Some(Err(error)),
                };
                if !is_last {
                    self.next = Next::Later(rest);
                }
                let rows = self.rows + batch.rows;
                let notice = batch.truncation.map(|cut| truncation_notice(rows, cut));
                self.head.notices.extend(notice);
                batch
            }
            Next::None => return None,
        };
        self.rows += batch.rows;
        self.is_truncated |= batch.truncation.is_some();
        Some(Ok(batch))
    }
}

/// For a writer of rows when the query fails.
impl From<QueryError> for io::Error {
    fn from(error: QueryError) -> io::Error {
        io::Error::other(error)
    }
}
