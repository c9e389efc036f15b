//! All data: `GET export` downloads a copy, `POST data/delete` deletes everything.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use axum::Extension;
use axum::http::HeaderName;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::body::{Json, Parameters, stream_download};
use super::caller::{Admin, AuditDetail};
use super::{ALL_TIME, ApiError};
use crate::datasource::DataSource;
use crate::frames::{ParquetTable, TimeForm, write_csv};
use crate::query::{columns_query, export_query};
use crate::store::{Batches, EXPORT_PREFIX};
use crate::time::Day;

/// The parameters of `GET export`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportOptions {
    #[serde(default)]
    format: ExportFormat,
    /// The table or view, for `csv` and `parquet`.
    table: Option<String>,
    /// Only rows of this day or later, and documents that changed since.
    since: Option<Day>,
}

/// The format of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ExportFormat {
    /// The whole database.
    #[default]
    Sqlite,
    Csv,
    Parquet,
}

/// Returns the whole database as a SQLite file, or one table as CSV or Parquet.
pub(super) async fn export(
    _: Admin,
    Extension(datasource): Extension<DataSource>,
    Parameters(options): Parameters<ExportOptions>,
) -> Result<Response, ApiError> {
    match (options.format, &options.table, options.since) {
        (ExportFormat::Sqlite, None, None) => database(&datasource).await,
        (ExportFormat::Sqlite, ..) => Err(ApiError::new(
            400,
            "bad_parameters",
            "a SQLite file contains every table and every day",
            "Omit table and since, or use format=csv or format=parquet.",
        )),
        (format, Some(name), since) => table(&datasource, format, name, since).await,
        (_, None, _) => Err(ApiError::new(
            400,
            "bad_parameters",
            "missing parameter table",
            "Name a table or a view, for example table=nights. GET schema lists them.",
        )),
    }
}

async fn database(datasource: &DataSource) -> Result<Response, ApiError> {
    let copy = TemporaryCopy::in_folder_of(&datasource.database());
    datasource.export_sqlite(copy.path.clone()).await?;
    let mut file = File::open(&copy.path).map_err(|error| {
        let message = format!("could not read the database copy: {error}");
        ApiError::new(500, "export", message, "Try again.")
    })?;
    // The open file stays readable without its name. However the download ends, no copy of
    // health data stays on disk.
    drop(copy);
    let name = format!("oura-{}.db", datasource.key().uid());
    let body = stream_download(move |out| io::copy(&mut file, out).map(|_| ()));
    Ok((attachment("application/vnd.sqlite3", &name), body).into_response())
}

async fn table(
    datasource: &DataSource,
    format: ExportFormat,
    table: &str,
    since: Option<Day>,
) -> Result<Response, ApiError> {
    let head = datasource.query(&columns_query(table), &ALL_TIME).await?;
    let columns: Vec<String> = head.batch.columns.into_iter().map(|column| column.name).collect();
    let query = export_query(table, &columns, since, datasource.zone());
    if format == ExportFormat::Csv {
        let rows = datasource.stream(&query, &ALL_TIME, Batches::Untyped).await?;
        let body = stream_download(move |out| write_csv(rows, TimeForm::Iso, out).map(|_| ()));
        return Ok((attachment("text/csv", &format!("{table}.csv")), body).into_response());
    }
    let result = datasource.query(&query, &ALL_TIME).await?;
    if result.batch.truncation.is_some() {
        return Err(ApiError::new(
            413,
            "too_large",
            format!("{table} exceeds the limits of one query"),
            "Use since, the format csv or sqlite, or `gpx_oura export`.",
        ));
    }
    let catalog = datasource.catalog();
    let body = stream_download(move |out| {
        // The writer needs to be sent between threads, and `out` cannot be.
        let mut file = Vec::new();
        ParquetTable::new(&result, &catalog)
            .and_then(|table| table.write(&mut file))
            .map_err(io::Error::other)?;
        out.write_all(&file)
    });
    let headers = attachment("application/vnd.apache.parquet", &format!("{table}.parquet"));
    Ok((headers, body).into_response())
}

/// The headers of a download.
fn attachment(content_type: &'static str, name: &str) -> [(HeaderName, String); 2] {
    // A quoted name may not contain these. Names of tables do not.
    let name = name.replace(|char: char| !char.is_ascii_graphic() || "\"\\/".contains(char), "_");
    let disposition = format!("attachment; filename=\"{name}\"");
    [(CONTENT_TYPE, content_type.to_owned()), (CONTENT_DISPOSITION, disposition)]
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

/// The body of `POST data/delete`: the data source's uid, as confirmation.
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Confirmation {
    /// The uid of the data source.
    confirm: String,
}

/// The response of `POST data/delete`.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Deleted {
    state: &'static str,
    /// The number of deleted rows by table.
    rows: BTreeMap<String, usize>,
}

pub(super) async fn delete(
    _: Admin,
    Extension(datasource): Extension<DataSource>,
    Json(confirmation): Json<Confirmation>,
) -> Result<(Extension<AuditDetail>, Json<Deleted>), ApiError> {
    let uid = datasource.key().uid();
    if confirmation.confirm != uid {
        return Err(ApiError::new(
            400,
            "not_confirmed",
            "deleting all data requires the data source's uid as confirmation",
            format!("Send {{\"confirm\": {uid:?}}}."),
        ));
    }
    let rows = datasource.delete_data().await?;
    let detail = AuditDetail(serde_json::json!({ "deletedRows": rows }));
    Ok((Extension(detail), Json(Deleted { state: "deleted", rows })))
}
