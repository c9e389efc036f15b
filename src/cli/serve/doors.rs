//! The port for doors: it finds the door of each call by its token, and bounds slow readers.
//!
//! The role in a call is Grafana's word. The door in the extensions of the request is the owner's,
//! and `plugin` applies it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use http_body::Frame;
use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::audit::Entry;
use super::gate::{Gate, Refusal};
use super::server::Peer;
use crate::api::ApiError;
use crate::doors::rpc::{self, Code};
use crate::doors::{REFUSAL_HEADER, VERSION, VERSION_HEADER};
use crate::held_body::HeldBody;
use crate::time::Clock;

/// How long a response waits for a door that does not read it.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// Lets a call with the token of a door pass to the services, with the door in the extensions.
pub async fn pass(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let path = request.uri().path().to_owned();
    let token = match gate.authenticate(request.headers(), peer) {
        Err(refusal) => return refuse(&gate, &request, None, &refusal),
        Ok(token) => token,
    };
    let Some(door) = token.door() else {
        return refuse(&gate, &request, Some(&token.name), &not_a_door().into());
    };
    // Replicas behind one address are one door, and its token has a limit.
    let place = match gate.admit(&token.name, None) {
        Err(refusal) => return refuse(&gate, &request, Some(&token.name), &refusal),
        Ok(place) => place,
    };
    tracing::debug!(door = door.name, path, "call");
    request.extensions_mut().insert(door);
    let mut response = next.run(request).await;
    response.headers_mut().insert(VERSION_HEADER, HeaderValue::from_static(VERSION));
    response
        .map(|body| Body::new(Awaited::new(Body::new(HeldBody::new(body, place)), READ_TIMEOUT)))
}

fn not_a_door() -> ApiError {
    let message = "the token is not that of a door";
    ApiError::new(403, "not_a_door", message, "Use `gpx_oura token add NAME --role door`.")
}

/// Refuses a call with a gRPC status, and writes it to the audit log.
fn refuse(gate: &Gate, request: &Request, name: Option<&str>, refusal: &Refusal) -> Response {
    let error = &refusal.error;
    gate.audit.record(&Entry {
        time: Clock::system().now().to_string(),
        outcome: "refused",
        name,
        address: request.extensions().get::<Peer>().map(|peer| peer.0),
        method: Method::POST.as_str(),
        path: request.uri().path(),
        status: error.status,
        detail: None,
    });
    let (code, kind) = match error.status {
        401 => (Code::Unauthenticated, "token"),
        429 => (Code::ResourceExhausted, "busy"),
        _ => (Code::PermissionDenied, "token"),
    };
    let mut response = rpc::refuse(code, &error.message);
    response.headers_mut().insert(REFUSAL_HEADER, HeaderValue::from_static(kind));
    response
}

/// A body that is dropped, with the memory that it holds, when its reader stalls.
///
/// HTTP/2 asks a body for more only when the reader has room, so a task watches the time.
struct Awaited {
    state: Arc<Mutex<Reading>>,
    watch: AbortHandle,
}

struct Reading {
    /// `None` after the reader has stalled.
    body: Option<Body>,
    /// When the reader last asked. `None` while it waits for the body.
    asked_at: Option<Instant>,
}

impl Awaited {
    fn new(body: Body, timeout: Duration) -> Awaited {
        let reading = Reading { body: Some(body), asked_at: Some(Instant::now()) };
        let state = Arc::new(Mutex::new(reading));
        let watch = tokio::spawn(drop_stalled(Arc::clone(&state), timeout)).abort_handle();
        Awaited { state, watch }
    }
}

/// Drops the body once its reader has not asked for more within `timeout`.
async fn drop_stalled(state: Arc<Mutex<Reading>>, timeout: Duration) {
    loop {
        let asked_at = state.lock().asked_at.unwrap_or_else(Instant::now);
        sleep_until(asked_at + timeout).await;
        let mut reading = state.lock();
        if reading.asked_at == Some(asked_at) {
            tracing::warn!("a door reads too slowly: its response is dropped");
            reading.body = None;
            return;
        }
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl http_body::Body for Awaited {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut reading = self.state.lock();
        reading.asked_at = None;
        let Some(body) = &mut reading.body else {
            let stalled = std::io::Error::from(std::io::ErrorKind::TimedOut);
            return Poll::Ready(Some(Err(axum::Error::new(stalled))));
        };
        let frame = ready!(Pin::new(body).poll_frame(context));
        reading.asked_at = Some(Instant::now());
        Poll::Ready(frame)
    }

    // A response with only a status must end with its headers.
    fn is_end_stream(&self) -> bool {
        self.state.lock().body.as_ref().is_some_and(http_body::Body::is_end_stream)
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;

    use super::*;

    async fn next(body: &mut Awaited) -> Option<Result<Frame<Bytes>, axum::Error>> {
        std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await
    }

    /// Reports its end, as a response that holds memory.
    struct Held(Option<tokio::sync::oneshot::Sender<()>>);

    impl Drop for Held {
        fn drop(&mut self) {
            let _ = self.0.take().map(|sender| sender.send(()));
        }
    }

    #[tokio::test]
    async fn unread_response_releases_its_memory() {
        let (sender, dropped) = tokio::sync::oneshot::channel();
        let stream = tokio_stream::iter([Ok::<_, std::io::Error>("first"), Ok("second")]);
        let held = HeldBody::new(Body::from_stream(stream), Held(Some(sender)));
        let mut body = Awaited::new(Body::new(held), Duration::from_millis(20));
        assert!(next(&mut body).await.unwrap().unwrap().is_data());
        dropped.await.unwrap();
        assert!(next(&mut body).await.unwrap().is_err());
    }

    #[tokio::test]
    async fn slow_body_is_awaited() {
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let stream = Body::from_stream(tokio_stream::StreamExt::chain(
            tokio_stream::once(Ok::<_, std::io::Error>(Bytes::from_static(b"first"))),
            tokio_stream::StreamExt::map(
                tokio_stream::wrappers::UnboundedReceiverStream::new({
                    let (items, stream) = tokio::sync::mpsc::unbounded_channel();
                    tokio::spawn(async move {
                        let _ = receiver.await;
                        let _ = items.send(Bytes::from_static(b"second"));
                    });
                    stream
                }),
                Ok,
            ),
        ));
        let timeout = Duration::from_millis(20);
        let mut body = Awaited::new(stream, timeout);
        assert!(next(&mut body).await.unwrap().is_ok());
        let waiting = next(&mut body);
        let mut waiting = std::pin::pin!(waiting);
        assert!(tokio::time::timeout(5 * timeout, waiting.as_mut()).await.is_err());
        sender.send(()).unwrap();
        assert!(waiting.await.unwrap().is_ok());
    }
}
