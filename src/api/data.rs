//! The data as a whole: `GET export` takes a copy away, `POST data/delete` ends it.

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

/// How much of a copy is in memory at a time: two pieces of this many bytes.
const PIECE: usize = 256 << 10;

#[derive(Deserialize)]
pub(super) struct Export {
    #[serde(default = "sqlite")]
    format: String,
}

fn sqlite() -> String {
    "sqlite".to_owned()
}

/// The whole database as a SQLite file.
pub(super) async fn export(
    _: Admin,
    State(datasource): State<DataSource>,
    Parameters(export): Parameters<Export>,
) -> Result<Response, ApiError> {
    if export.format != "sqlite" {
        return Err(ApiError::new(
            400,
            "bad_format",
            format!("{:?} is no export format", export.format),
            "Use format=sqlite.",
        ));
    }
    let copy = Copy::beside(&datasource.database());
    datasource.export_sqlite(copy.path.clone()).await?;
    let unreadable = |error: io::Error| {
        ApiError::new(500, "export", format!("the copy cannot be read: {error}"), "Try again.")
    };
    let file = File::open(&copy.path).map_err(unreadable)?;
    // An open file is read to its end though it has no name any more: however this ends, no copy of health data stays behind.
    drop(copy);
    let name = format!("attachment; filename=\"oura-{}.db\"", datasource.key().uid());
    let headers =
        [(CONTENT_TYPE, "application/vnd.sqlite3".to_owned()), (CONTENT_DISPOSITION, name)];
    Ok((headers, stream(file)).into_response())
}

/// A file's name in the data source's own private folder; the file is removed when dropped.
struct Copy {
    path: PathBuf,
}

impl Copy {
    fn beside(database: &Path) -> Copy {
        Copy { path: database.with_file_name(format!("export-{:016x}.db", rand::random::<u64>())) }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Reads on a blocking thread, as fast as the other side takes it.
fn stream(mut file: File) -> Body {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(1);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            let read = (&mut file).take(PIECE as u64).read_to_end(&mut piece);
            let goes_on = matches!(read, Ok(1..));
            // The end needs no piece of its own; a reader who went away needs no more.
            if matches!(read, Ok(0))
                || sender.blocking_send(read.map(|_| piece.into())).is_err()
                || !goes_on
            {
                return;
            }
        }
    });
    Body::from_stream(ReceiverStream::new(receiver))
}

/// The data source's uid, typed out by whoever wants its data gone.
#[derive(Deserialize)]
pub(super) struct Confirmation {
    confirm: String,
}

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
        let hint = format!("Send {{\"confirm\": {uid:?}}}.");
        return Err(ApiError::new(
            400,
            "not_confirmed",
            "deleting all data needs the data source's uid as confirmation",
            hint,
        ));
    }
    datasource.delete_data().await?;
    Ok(Json(Deleted { state: "deleted" }))
}
