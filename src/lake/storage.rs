//! The place of a lake: a folder, or a bucket and a prefix at an S3 service.

use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Instant as StdInstant;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::aws::AmazonS3Builder;
use object_store::client::{
    ClientConfigKey, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest,
    HttpResponse, HttpService,
};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode};
use tokio_stream::StreamExt;

use super::error::LakeError;
use crate::oura::http_client;
use crate::store::create_private_folder;

/// The file that a process writes to read the clock of the storage.
const CLOCK: &str = "_clock";

/// The code of S3 for a request with a time that is not its own.
const CLOCK_DIFFERS: &str = "RequestTimeTooSkewed";

/// The files of a lake. Clones share their connections.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    store: Arc<dyn ObjectStore>,
    /// The folder in the bucket, or the empty path.
    root: Path,
    /// The place as the user named it, without a slash at its end.
    pub place: String,
}

/// A file of a lake.
#[derive(Clone, Debug)]
pub(super) struct StoredFile {
    /// The path below the lake's folder.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, in milliseconds since 1970 by the clock of the storage.
    pub written: i64,
}

/// The clock of the storage. All publishers and readers of a lake share it, so that a machine with a
/// wrong clock deletes nothing too early or too late.
#[derive(Clone, Copy, Debug)]
pub(super) struct StorageClock {
    /// Its time when it was read, in milliseconds since 1970.
    read: i64,
    /// When it was read.
    since: StdInstant,
}

impl StorageClock {
    /// The current time in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        let passed = i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.read.saturating_add(passed)
    }
}

impl Storage {
    /// Opens `s3://bucket/prefix`, or a folder, which is created with `create`.
    pub fn open(place: &str, create: bool) -> Result<Storage, LakeError> {
        let place = place.trim_end_matches('/').to_owned();
        let invalid = |detail: String| LakeError::Place { place: place.clone(), detail };
        let (store, root): (Arc<dyn ObjectStore>, Path) =
            if let Some(rest) = place.strip_prefix("s3://") {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                let store = AmazonS3Builder::from_env()
                    .with_bucket_name(bucket)
                    .with_http_connector(Connector)
                    .build()
                    .map_err(|error| invalid(error.to_string()))?;
                let root = Path::parse(prefix).map_err(|error| invalid(error.to_string()))?;
                (Arc::new(store), root)
            } else if place.contains("://") && !place.starts_with("file://") {
                return Err(invalid("use s3://bucket/prefix or a folder".to_owned()));
            } else {
                let folder = FilePath::new(place.strip_prefix("file://").unwrap_or(&place));
                if create {
                    create_private_folder(folder).map_err(|error| invalid(error.to_string()))?;
                }
                let store = LocalFileSystem::new_with_prefix(folder)
                    .map_err(|error| invalid(error.to_string()))?
                    .with_fsync(true);
                (Arc::new(store), Path::default())
            };
        Ok(Storage { store, root, place })
    }

    fn at(&self, path: &str) -> Path {
        let root = self.root.parts();
        root.chain(Path::from(path).parts()).collect()
    }

    fn failed(&self, path: &str, error: &object_store::Error) -> LakeError {
        let name =
            if path.is_empty() { self.place.clone() } else { format!("{}/{path}", self.place) };
        let detail = describe(error);
        if detail.contains(CLOCK_DIFFERS) {
            return LakeError::Clock { name, detail };
        }
        LakeError::Storage { name, detail }
    }

    /// Reads a file. `None` if it does not exist.
    pub async fn read(&self, path: &str) -> Result<Option<Bytes>, LakeError> {
        let outcome = match self.store.get(&self.at(path)).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(path, &error)),
        }
    }

    /// Writes a file, in place of one with its name.
    pub async fn write(&self, path: &str, content: Bytes) -> Result<(), LakeError> {
        let written = self.store.put(&self.at(path), content.into()).await;
        written.map(|_| ()).map_err(|error| self.failed(path, &error))
    }

    /// Writes a new file. Returns false if a file has its name.
    ///
    /// The answer to a write can be lost. A repeated request then finds its own file, so read it
    /// before you believe that another process wrote it.
    pub async fn create(&self, path: &str, content: Bytes) -> Result<bool, LakeError> {
        let options = PutMode::Create.into();
        match self.store.put_opts(&self.at(path), content.into(), options).await {
            Ok(_) => Ok(true),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => Ok(false),
            Err(error) => Err(self.failed(path, &error)),
        }
    }

    /// Reads the clock of the storage: the time that it gives to a file.
    pub async fn clock(&self) -> Result<StorageClock, LakeError> {
        self.write(CLOCK, Bytes::new()).await?;
        let found = self.store.head(&self.at(CLOCK)).await;
        let since = StdInstant::now();
        let written = found.map_err(|error| self.failed(CLOCK, &error))?.last_modified;
        Ok(StorageClock { read: written.timestamp_millis(), since })
    }

    /// Deletes a file, if it exists.
    pub async fn delete(&self, path: &str) -> Result<(), LakeError> {
        match self.store.delete(&self.at(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(path, &error)),
        }
    }

    /// Lists all files below `folder`, sorted by path.
    pub async fn list(&self, folder: &str) -> Result<Vec<StoredFile>, LakeError> {
        let prefix = self.at(folder);
        let mut found = self.store.list(Some(&prefix));
        let mut files = Vec::new();
        while let Some(meta) = found.next().await {
            match meta {
                Ok(meta) => files.push(self.file(&meta)),
                Err(object_store::Error::NotFound { .. }) => break,
                Err(error) => return Err(self.failed(folder, &error)),
            }
        }
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(files)
    }

    /// Lists the folders of the lake, sorted.
    pub async fn folders(&self) -> Result<Vec<String>, LakeError> {
        let root = (!self.root.as_ref().is_empty()).then_some(&self.root);
        let found =
            self.store.list_with_delimiter(root).await.map_err(|error| self.failed("", &error))?;
        let mut names: Vec<String> = found
            .common_prefixes
            .iter()
            .filter_map(|path| Some(path.filename()?.to_owned()))
            .collect();
        names.sort();
        Ok(names)
    }

    fn file(&self, meta: &ObjectMeta) -> StoredFile {
        let path = meta
            .location
            .prefix_match(&self.root)
            .map_or_else(|| meta.location.to_string(), |parts| parts.collect::<Path>().to_string());
        StoredFile { path, size: meta.size, written: meta.last_modified.timestamp_millis() }
    }
}

/// Returns the message with its causes, which have the reason.
fn describe(error: &object_store::Error) -> String {
    use std::error::Error;
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let message = source.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = source.source();
    }
    crate::format::one_line(&text, 600)
}

/// Sends the requests to S3 with the program's own HTTP client, which trusts private authorities.
#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let http = http_client().map_err(|error| object_store::Error::Generic {
            store: "S3",
            source: Box::new(error),
        })?;
        let allows_http = options
            .get_config_value(&ClientConfigKey::AllowHttp)
            .is_some_and(|value| value == "true");
        Ok(HttpClient::new(Requests { http, allows_http }))
    }
}

#[derive(Debug)]
struct Requests {
    http: reqwest::Client,
    allows_http: bool,
}

/// A request without TLS that `AWS_ALLOW_HTTP` does not allow.
#[derive(Debug, thiserror::Error)]
#[error("the address has no TLS; use https, or set AWS_ALLOW_HTTP=true")]
struct WithoutTls;

#[async_trait]
impl HttpService for Requests {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if request.uri().scheme_str() == Some("http") && !self.allows_http {
            return Err(HttpError::new(HttpErrorKind::Unknown, WithoutTls));
        }
        let request = reqwest::Request::try_from(request.map(reqwest::Body::wrap))
            .map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let response = self.http.execute(request).await.map_err(http_error)?;
        let (status, headers) = (response.status(), response.headers().clone());
        // The files of a lake fit into memory.
        let mut answer = HttpResponse::new(response.bytes().await.map_err(http_error)?.into());
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }
}

/// The kind decides whether the request is repeated.
fn http_error(error: reqwest::Error) -> HttpError {
    let kind = if error.is_timeout() {
        HttpErrorKind::Timeout
    } else if error.is_connect() {
        HttpErrorKind::Connect
    } else {
        HttpErrorKind::Request
    };
    HttpError::new(kind, error)
}
