//! The whole database: `GET export` downloads a copy, `POST data/delete` deletes everything.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::ApiError;
use super::body::{Json, Parameters};
use super::caller::Admin;
use crate::datasource::DataSource;
use crate::store::EXPORT_PREFIX;

/// Size of one chunk of a download, in bytes. At most two chunks are in memory.
const CHUNK_SIZE: usize = 256 << 10;

/// The parameters of `GET export`.
#[derive(Deserialize)]
pub(super) struct ExportOptions {
    #[serde(default = "default_format")]
    format: String,
}

fn default_format() -> String {
    "sqlite".to_owned()
}

/// Returns the whole database as a SQLite file.
pub(super) async fn export(
    _: Admin,
    State(datasource): State<DataSource>,
    Parameters(options): Parameters<ExportOptions>,
) -> Result<Response, ApiError> {
    if options.format != "sqlite" {
        let message = format!("unknown export format {:?}", options.format);
        return Err(ApiError::new(400, "bad_format", message, "Use format=sqlite."));
    }
    let copy = TemporaryCopy::in_folder_of(&datasource.database());
    datasource.export_sqlite(copy.path.clone()).await?;
    let file = File::open(&copy.path).map_err(|error| {
        let message = format!("could not read the database copy: {error}");
        ApiError::new(500, "export", message, "Try again.")
    })?;
    // The open file stays readable without its name. However the download ends, no copy of
    // health data stays on disk.
    drop(copy);
    let disposition = format!("attachment; filename=\"oura-{}.db\"", datasource.key().uid());
    let headers =
        [(CONTENT_TYPE, "application/vnd.sqlite3".to_owned()), (CONTENT_DISPOSITION, disposition)];
    Ok((headers, stream(file)).into_response())
}

/// A file name in the data source's private folder. Dropping it removes the file.
struct TemporaryCopy {
    path: PathBuf,
}

impl TemporaryCopy {
    fn in_folder_of(database: &Path) -> TemporaryCopy {
        let name = format!("{EXPORT_PREFIX}{:016x}.db", rand::random::<u64>());
        TemporaryCopy { path: database.with_file_name(name) }
    }
}

impl Drop for TemporaryCopy {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Reads `file` on a blocking thread, at the speed of the receiver.
fn stream(mut file: File) -> Body {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(1);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut chunk = Vec::with_capacity(CHUNK_SIZE);
            let read = (&mut file).take(CHUNK_SIZE as u64).read_to_end(&mut chunk);
            let is_last = match read {
                Ok(0) => return,
                Ok(_) => false,
                Err(_) => true,
            };
            let receiver_is_gone = sender.blocking_send(read.map(|_| chunk.into())).is_err();
            if receiver_is_gone || is_last {
                return;
            }
        }
    });
    Body::from_stream(ReceiverStream::new(receiver))
}

/// The body of `POST data/delete`: the data source's uid, as confirmation.
#[derive(Deserialize)]
pub(super) struct Confirmation {
    confirm: String,
}

/// The response of `POST data/delete`.
#[derive(Serialize)]
pub(super) struct Deleted {
    state: &'static str,
}

pub(super) async fn delete(
    _: Admin,
    State(datasource): State<DataSource>,
    Json(confirmation): Json<Confirmation>,
) -> Result<Json<Deleted>, ApiError> {
    let uid = datasource.key().uid();
    if confirmation.confirm != uid {
        return Err(ApiError::new(
            400,
            "not_confirmed",
            "deleting all data requires the data source's uid as confirmation",
            format!("Send {{\"confirm\": {uid:?}}}."),
        ));
    }
    datasource.delete_data().await?;
    Ok(Json(Deleted { state: "deleted" }))
}
