//! Encodes fields as one Arrow IPC file.
//!
//! The columns share their memory with the query result. Their bytes are copied only once, into the
//! file.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field as ArrowField, Schema};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use serde::Serialize;

use super::{EncodedFrame, Field, Meta};

/// Space for the schema and the footer, in bytes.
const OVERHEAD: usize = 4 << 10;

/// The approximate size of a frame of these fields, in bytes.
pub fn size(fields: &[Field]) -> usize {
    fields.iter().map(|field| field.values.get_buffer_memory_size()).sum()
}

/// Encodes one frame. All fields must have the same length.
pub fn encode(fields: &[Field], meta: &Meta<'_>, ref_id: &str) -> Result<EncodedFrame, ArrowError> {
    let metadata = HashMap::from([
        ("name".to_owned(), String::new()),
        ("refId".to_owned(), ref_id.to_owned()),
        ("meta".to_owned(), json(meta)?),
    ]);
    let arrow_fields = fields.iter().map(arrow_field).collect::<Result<Vec<_>, _>>()?;
    let schema = Arc::new(Schema::new_with_metadata(arrow_fields, metadata));
    let columns: Vec<ArrayRef> = fields.iter().map(|field| field.values.clone()).collect();
    let rows = columns.first().map_or(0, |column| column.len());

    let batch = RecordBatch::try_new_with_options(
        schema.clone(),
        columns,
        &RecordBatchOptions::new().with_row_count(Some(rows)),
    )?;
    let mut writer = FileWriter::try_new(Vec::with_capacity(size(fields) + OVERHEAD), &schema)?;
    writer.write(&batch)?;
    writer.finish()?;
    writer.into_inner()
}

fn arrow_field(field: &Field) -> Result<ArrowField, ArrowError> {
    let mut metadata = HashMap::new();
    if let Some(labels) = &field.labels {
        metadata.insert("labels".to_owned(), json(labels)?);
    }
    if let Some(config) = &field.config {
        metadata.insert("config".to_owned(), json(config)?);
    }
    // Alert rules require a time field that is not nullable. Value fields are always nullable, so
    // that their type does not depend on the data.
    let data_type = field.values.data_type();
    let nullable = !matches!(data_type, DataType::Timestamp(..)) || field.values.null_count() > 0;
    Ok(ArrowField::new(&field.name, data_type.clone(), nullable).with_metadata(metadata))
}

fn json(value: &impl Serialize) -> Result<String, ArrowError> {
    serde_json::to_string(value).map_err(|error| ArrowError::JsonError(error.to_string()))
}
