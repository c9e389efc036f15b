//! A query result that arrives while it is read, so that its memory does not grow with its rows.

use std::io;

use tokio::sync::mpsc;

use super::cancel::CancelOnDrop;
use super::error::QueryError;
use super::result::{QueryResult, truncation_notice};
use crate::store::ColumnBatch;

/// The rows of a query in batches. Dropping it stops the query.
///
/// As an iterator, it returns the first batch, which leaves `head`, and then the others. It blocks:
/// call it on a blocking thread. Drop a batch before you ask for the next one.
pub struct RowStream {
    /// The result with the first batch of rows, possibly the only one. A limit that cuts off a later
    /// batch adds its notice.
    pub head: QueryResult,
    /// Whether the first batch is the only one.
    is_whole: bool,
    /// The other batches. The last one comes with `true`.
    rest: mpsc::Receiver<Result<(ColumnBatch, bool), QueryError>>,
    progress: Progress,
    rows: usize,
    is_truncated: bool,
    _cancel: CancelOnDrop,
}

/// The batch that comes next.
enum Progress {
    First,
    Later,
    None,
}

impl RowStream {
    pub(super) fn new(
        head: QueryResult,
        is_whole: bool,
        rest: mpsc::Receiver<Result<(ColumnBatch, bool), QueryError>>,
        cancel: CancelOnDrop,
    ) -> RowStream {
        RowStream {
            head,
            is_whole,
            rest,
            progress: Progress::First,
            rows: 0,
            is_truncated: false,
            _cancel: cancel,
        }
    }

    /// Returns a stream of one batch.
    #[cfg(test)]
    pub(crate) fn of(result: QueryResult) -> RowStream {
        RowStream::new(result, true, mpsc::channel(1).1, CancelOnDrop::default())
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
        let batch = match self.progress {
            Progress::First => {
                self.progress = if self.is_whole { Progress::None } else { Progress::Later };
                std::mem::take(&mut self.head.batch)
            }
            Progress::Later => {
                let next = self.rest.blocking_recv().unwrap_or_else(|| Err(QueryError::panicked()));
                // A failure is the last item.
                self.progress = Progress::None;
                let (batch, is_last) = match next {
                    Ok(next) => next,
                    Err(error) => return Some(Err(error)),
                };
                if !is_last {
                    self.progress = Progress::Later;
                }
                let rows = self.rows + batch.rows;
                let notice = batch.truncation.map(|cut| truncation_notice(rows, cut));
                self.head.notices.extend(notice);
                batch
            }
            Progress::None => return None,
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
