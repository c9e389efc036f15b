//! JSON bodies and URL parameters. Unreadable input becomes an [`ApiError`].

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::async_trait;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use url::form_urlencoded;

use super::{ApiError, MAX_BODY};
use crate::blocking::blocking_if_large;

/// A JSON body, of a request or a response. An absent request body reads as `{}`.
///
/// Other content types are rejected: a page of another site can make a browser post a form, but
/// not JSON.
pub(super) struct Json<T>(pub T);

#[async_trait]
impl<S: Send + Sync, T: DeserializeOwned + Send + 'static> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Json<T>, ApiError> {
        let declares_json = declares_json(request.headers());
        if announced_length(request.headers()).is_some_and(|length| length > MAX_DRAINED) {
            return Err(StatusCode::PAYLOAD_TOO_LARGE.into());
        }
        let body = timeout(BODY_TIMEOUT, read_body(request.into_body()))
            .await
            .map_err(|_| ApiError::from(StatusCode::REQUEST_TIMEOUT))??;
        let text = match (declares_json, body.as_ref()) {
            (Some(false), _) | (None, [_, ..]) => return Err(not_json()),
            (_, []) => Bytes::from_static(b"{}"),
            (Some(true), _) => body,
        };
        let parsed = blocking_if_large(text.len(), move || serde_json::from_slice(&text)).await;
        let value = parsed.map_err(|error| {
            ApiError::new(
                400,
                "bad_body",
                format!("invalid request body: {error}"),
                "Send one JSON object. The reference lists the fields of each route.",
            )
        })?;
        Ok(Json(value))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// Reads a body of at most [`MAX_BODY`] bytes.
///
/// The rest of a larger one is read and dropped, up to [`MAX_DRAINED`] bytes: a client that cannot
/// send its whole request sees a broken connection instead of the error.
async fn read_body(body: Body) -> Result<Bytes, ApiError> {
    let mut pieces = body.into_data_stream();
    let mut content = Vec::new();
    let mut length = 0;
    while length <= MAX_DRAINED
        && let Some(piece) = pieces.next().await
    {
        let piece = piece.map_err(|_| ApiError::from(StatusCode::BAD_REQUEST))?;
        length += piece.len();
        if length <= MAX_BODY {
            content.extend_from_slice(&piece);
        }
    }
    if length <= MAX_BODY { Ok(content.into()) } else { Err(StatusCode::PAYLOAD_TOO_LARGE.into()) }
}

/// Number of bytes of one body that are read at most.
const MAX_DRAINED: usize = 16 << 20;

/// How long a client may take for the body of a request.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// Size of one piece of a streamed response, in bytes. At most two pieces wait for the client.
const PIECE: usize = 64 << 10;

/// How long a streamed response waits for a client that reads nothing.
const PIECE_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum duration of a streamed response. Its rows stay in memory, or its query in a slot, until
/// its end.
const STREAM_TIMEOUT: Duration = Duration::from_secs(120);

/// Maximum duration of an admin's download.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(3_600);

/// Streams a JSON response. See [`stream`].
pub(super) fn stream_json(
    write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
) -> Response {
    stream("application/json", write)
}

/// Streams a response while a blocking thread writes it, at the speed of the client.
///
/// If the client is too slow or `write` fails, the response ends with a broken transfer.
pub(super) fn stream(
    content_type: &'static str,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
) -> Response {
    stream_while((), content_type, write)
}

/// Streams a response as [`stream`] does. Drops `guard` with the response, for example when the
/// client goes away.
pub(super) fn stream_while(
    guard: impl Send + 'static,
    content_type: &'static str,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
) -> Response {
    let pieces = stream_for(STREAM_TIMEOUT, write).into_data_stream();
    let guarded = pieces.map(move |piece| {
        let _ = &guard;
        piece
    });
    ([(CONTENT_TYPE, content_type)], Body::from_stream(guarded)).into_response()
}

/// Responds with a body that `write` writes at once. Only for one that takes microseconds.
pub(super) fn small(
    content_type: &'static str,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Response {
    let mut body = Vec::new();
    match write(&mut body) {
        Ok(()) => ([(CONTENT_TYPE, content_type)], body).into_response(),
        Err(error) => {
            ApiError::new(500, "internal", error.to_string(), "Try again.").into_response()
        }
    }
}

/// Streams an admin's download as [`stream`] does, with a longer limit.
pub(super) fn stream_download(
    write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
) -> Body {
    stream_for(DOWNLOAD_TIMEOUT, write)
}

fn stream_for(
    limit: Duration,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
) -> Body {
    let (sender, receiver) = mpsc::channel(1);
    let runtime = Handle::current();
    let failure = Arc::new(Mutex::new(Some(io::Error::other("the response is incomplete"))));
    let outcome = Arc::clone(&failure);
    tokio::task::spawn_blocking(move || {
        let deadline = Instant::now() + limit;
        let mut pieces = Pieces { piece: Vec::with_capacity(PIECE), sender, runtime, deadline };
        let written = write(&mut pieces).and_then(|()| pieces.flush());
        *outcome.lock() = written.err();
    });
    // Without an error at its end, the client would take an incomplete response for a whole one.
    let end = tokio_stream::once(()).filter_map(move |()| failure.lock().take().map(Err));
    Body::from_stream(ReceiverStream::new(receiver).map(Ok).chain(end))
}

/// Collects written bytes into pieces and sends them.
struct Pieces {
    piece: Vec<u8>,
    sender: mpsc::Sender<Bytes>,
    runtime: Handle,
    deadline: Instant,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        let taken = &bytes[..bytes.len().min(PIECE)];
        self.piece.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE)).into();
        let deadline = self.deadline.min(Instant::now() + PIECE_TIMEOUT);
        let sent = timeout_at(deadline, self.sender.send(piece));
        match self.runtime.block_on(sent) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// Rejects a change without the content type JSON, with or without a body.
///
/// Grafana identifies callers by a cookie, and a page of another site can make a browser send any
/// request except one that declares JSON.
pub fn check_change(method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    if method.is_safe() || declares_json(headers) == Some(true) { Ok(()) } else { Err(not_json()) }
}

fn not_json() -> ApiError {
    ApiError::new(
        415,
        "content_type",
        "the request body must be JSON",
        "Send Content-Type: application/json.",
    )
}

/// Rejects a range that ends before it begins.
pub(super) fn require_order<T: PartialOrd + Display>(from: T, to: T) -> Result<(), ApiError> {
    if from <= to {
        return Ok(());
    }
    Err(ApiError::new(
        400,
        "reversed_range",
        format!("the range ends before it begins: from {from}, to {to}"),
        "Exchange from and to. Without to, the range ends now.",
    ))
}

/// The length that the request's head announces.
fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether the content type is JSON, if the request has one.
fn declares_json(headers: &HeaderMap) -> Option<bool> {
    let content_type = headers.get(CONTENT_TYPE)?.to_str().unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    Some(essence.eq_ignore_ascii_case("application/json"))
}

/// The parameters of the URL.
pub(super) struct Parameters<T>(pub T);

#[async_trait]
impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Parameters<T>, ApiError> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(parameters)) => Ok(Parameters(parameters)),
            Err(rejection) => Err(invalid_parameters::<T>(&parts.uri, rejection.source())),
        }
    }
}

/// Returns an error that contains the first invalid parameter. An error about several parameters,
/// such as a duplicate, has their names in `reason`.
fn invalid_parameters<T: DeserializeOwned>(uri: &Uri, reason: Option<&dyn Error>) -> ApiError {
    let query = uri.query().unwrap_or_default();
    let message = form_urlencoded::parse(query.as_bytes())
        .find_map(|(name, value)| {
            let reason = parse_alone::<T>(&name, &value)?;
            Some(format!("invalid parameter {name}={value}: {reason}"))
        })
        .unwrap_or_else(|| format!("invalid parameters: {}", describe(reason)));
    ApiError::new(
        400,
        "bad_parameters",
        message,
        "Write numbers as digits and days as 2026-01-31. The reference lists the parameters.",
    )
}

/// Parses one parameter without the others. Returns the reason if that fails.
fn parse_alone<T: DeserializeOwned>(name: &str, value: &str) -> Option<String> {
    let uri =
        form_urlencoded::Serializer::new(String::from("/?")).append_pair(name, value).finish();
    let rejection = Query::<T>::try_from_uri(&uri.parse().ok()?).err()?;
    Some(describe(rejection.source()))
}

fn describe(reason: Option<&dyn Error>) -> String {
    reason.map_or_else(|| "malformed".to_owned(), ToString::to_string)
}

/// A body without fields of interest.
#[derive(serde::Deserialize)]
pub(super) struct EmptyBody {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Fields {
        #[expect(dead_code, reason = "the test only parses")]
        days: Option<u32>,
        #[expect(dead_code, reason = "the test only parses")]
        from: Option<crate::time::Day>,
    }

    async fn rejection(uri: &str) -> ApiError {
        let (mut parts, ()) = axum::http::Request::get(uri).body(()).unwrap().into_parts();
        Parameters::<Fields>::from_request_parts(&mut parts, &()).await.err().unwrap()
    }

    #[tokio::test]
    async fn invalid_parameter_is_named_with_value_and_hint() {
        for (uri, expected) in [
            ("/?from=2026-01-31&days=abc", "invalid parameter days=abc: invalid digit"),
            ("/?days=-1", "invalid parameter days=-1:"),
            ("/?days=3&from=yesterday", "invalid parameter from=yesterday:"),
            ("/?days=3&days=4", "duplicate field `days`"),
        ] {
            let error = rejection(uri).await;
            assert!(error.message.contains(expected) && !error.hint.is_empty(), "{error:?}");
        }
    }

    #[tokio::test]
    async fn failed_stream_breaks_the_transfer() {
        // Two pieces fill the way to the client before the failure.
        let failing = stream("text/csv", |out| {
            out.write_all(&[b'x'; 2 * PIECE])?;
            Err(io::ErrorKind::TimedOut.into())
        });
        let read = axum::body::to_bytes(failing.into_body(), usize::MAX).await;
        assert!(read.is_err(), "{read:?}");
        let whole = stream("text/csv", |out| out.write_all(&[b'x'; 3 * PIECE]));
        let read = axum::body::to_bytes(whole.into_body(), usize::MAX).await.unwrap();
        assert_eq!(read.len(), 3 * PIECE);
    }

    #[test]
    fn change_must_declare_json_and_read_need_not() {
        fn headers(content_type: &'static str) -> HeaderMap {
            HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())])
        }
        assert!(check_change(&Method::POST, &headers("application/json; charset=utf-8")).is_ok());
        assert!(check_change(&Method::GET, &HeaderMap::new()).is_ok());
        for headers in
            [HeaderMap::new(), headers("text/plain"), headers("application/x-www-form-urlencoded")]
        {
            assert_eq!(check_change(&Method::POST, &headers).unwrap_err().status, 415);
        }
    }
}
