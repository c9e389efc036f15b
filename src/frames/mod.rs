//! Columns → Grafana data frames: Arrow IPC files whose schema metadata carries labels, units, frame type and notices.

use crate::catalog::Catalog;
use crate::query::{Answer, Format};

/// One data frame, encoded: an Arrow IPC *file* (with footer) as Grafana reads it.
pub type EncodedFrame = Vec<u8>;

#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("placeholder")]
    Placeholder,
}

/// The frames of one answer under `ref_id`. `time_series`: sorted, long turned to wide with labels; `table`: rows as they came.
pub fn frames(answer: &Answer, format: Format, ref_id: &str, catalog: &Catalog) -> Result<Vec<EncodedFrame>, FrameError> {
    let _ = (answer, format, ref_id, catalog);
    todo!()
}

pub fn rows_json(answer: &Answer, catalog: &Catalog) -> serde_json::Value {
    let _ = (answer, catalog);
    todo!()
}
