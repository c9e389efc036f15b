//! A server of HTTP/1.1, or of HTTP/2 over TLS for doors, with limits on connections and times: slow
//! or silent clients take nothing from others, and do not delay the end.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http_body::Body as _;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep};
use tokio_rustls::TlsAcceptor;
use tower::{Service, ServiceExt};

use crate::doors::tls::ServerFiles;
use crate::held_body::HeldBody;

/// How long a client may take for the head of a request, the wait for it included.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a response waits for a client that reads nothing.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// Maximum number of open connections.
const MAX_CONNECTIONS: usize = 512;

/// Maximum number of open connections of one address. A proxy in front of the server is one.
const MAX_CONNECTIONS_OF_ADDRESS: usize = 128;

/// Maximum size of a request's head, in bytes.
const MAX_HEAD: usize = 32 << 10;

/// The pause after a failed accept, for example because the process has too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Requests of one connection of a door at the same time. Others wait at the door.
const MAX_STREAMS: u32 = 64;

/// Bytes that a door may send ahead for one request, and for all of its connection.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Interval of pings to a door, which find a connection that no packet passes any more.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// The protocol of a port.
#[derive(Clone)]
pub enum Protocol {
    /// HTTP/1.1 for browsers and scripts.
    Http1,
    /// HTTP/2 for doors, with the certificate for TLS.
    Doors(Option<Arc<ServerFiles>>),
}

/// Serves `router` until `stop` is complete. Then requests in progress may take `grace`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    protocol: Protocol,
    stop: impl Future<Output = ()>,
    grace: Duration,
) {
    let mut stop = pin!(stop);
    let (stopping, stopped) = watch::channel(false);
    let mut connections = Connections::default();
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    if let Some(connection) = connections.admit(peer.ip()) {
                        let router = router.clone();
                        let protocol = protocol.clone();
                        running.spawn(connection.serve(stream, router, protocol, stopped.clone()));
                    }
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = running.join_next() => {}
        }
    }
    drop(listener);
    stopping.send_replace(true);
    let _ =
        tokio::time::timeout(grace, async { while running.join_next().await.is_some() {} }).await;
}

/// The open connections, oldest first.
#[derive(Default)]
struct Connections {
    open: Vec<Arc<Connection>>,
}

/// An open connection.
struct Connection {
    peer: IpAddr,
    /// The number of requests that have arrived.
    arrived: AtomicUsize,
    /// The number of responses that are sent. The client of one is known to behave.
    responded: AtomicUsize,
    /// Closes the connection.
    evicted: Notify,
    is_closed: AtomicBool,
}

impl Connections {
    /// Returns a new connection of `peer`. At a limit, the oldest one without a request in progress
    /// makes room, first of those that never had a response. Returns `None` if all have one.
    fn admit(&mut self, peer: IpAddr) -> Option<Arc<Connection>> {
        self.open.retain(|connection| !connection.is_closed.load(Ordering::Relaxed));
        let of_peer = self.open.iter().filter(|connection| connection.peer == peer).count();
        if of_peer >= MAX_CONNECTIONS_OF_ADDRESS {
            self.evict(|connection| connection.peer == peer)?;
        } else if self.open.len() >= MAX_CONNECTIONS {
            self.evict(|_| true)?;
        }
        let connection = Arc::new(Connection {
            peer,
            arrived: AtomicUsize::new(0),
            responded: AtomicUsize::new(0),
            evicted: Notify::new(),
            is_closed: AtomicBool::new(false),
        });
        self.open.push(Arc::clone(&connection));
        Some(connection)
    }

    fn evict(&mut self, may_go: impl Fn(&Connection) -> bool) -> Option<()> {
        let is_idle = |connection: &Arc<Connection>| may_go(connection) && !connection.is_busy();
        let is_silent = |connection: &Arc<Connection>| {
            is_idle(connection) && connection.responded.load(Ordering::Relaxed) == 0
        };
        let silent = self.open.iter().position(is_silent);
        let index = silent.or_else(|| self.open.iter().position(is_idle))?;
        self.open.remove(index).evicted.notify_one();
        Some(())
    }
}

impl Connection {
    /// Whether a request has arrived and its response is not sent yet.
    fn is_busy(&self) -> bool {
        self.arrived.load(Ordering::Relaxed) > self.responded.load(Ordering::Relaxed)
    }

    /// Serves requests until the client leaves, is too slow or is evicted, or the server stops.
    async fn serve(
        self: Arc<Connection>,
        stream: TcpStream,
        router: Router,
        protocol: Protocol,
        stopped: watch::Receiver<bool>,
    ) {
        let service = TowerToHyperService::new(Tracked { router, connection: Arc::clone(&self) });
        // Small responses must not wait for more bytes.
        let _ = stream.set_nodelay(true);
        let stream = WriteTimeout { inner: stream, timer: None };
        let serving = async {
            match protocol {
                Protocol::Http1 => {
                    let http = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .header_read_timeout(HEADER_TIMEOUT)
                        .max_buf_size(MAX_HEAD)
                        .serve_connection(TokioIo::new(stream), service);
                    self.run(http, |http| http.graceful_shutdown(), stopped).await;
                }
                Protocol::Doors(None) => {
                    let http = http2().serve_connection(TokioIo::new(stream), service);
                    self.run(http, |http| http.graceful_shutdown(), stopped).await;
                }
                Protocol::Doors(Some(files)) => {
                    let acceptor = TlsAcceptor::from(files.config());
                    let accepted = tokio::time::timeout(HEADER_TIMEOUT, acceptor.accept(stream));
                    let Ok(Ok(stream)) = accepted.await else { return };
                    let http = http2().serve_connection(TokioIo::new(stream), service);
                    self.run(http, |http| http.graceful_shutdown(), stopped).await;
                }
            }
        };
        tokio::select! {
            () = serving => {}
            () = self.evicted.notified() => {}
        }
        self.is_closed.store(true, Ordering::Relaxed);
    }

    /// Runs a connection until its end. When the server stops, `finish` refuses further requests.
    async fn run<C: Future>(
        &self,
        http: C,
        finish: impl FnOnce(Pin<&mut C>),
        mut stopped: watch::Receiver<bool>,
    ) {
        let mut http = pin!(http);
        let is_stopping = async {
            // The server holds the sender until its end.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        tokio::select! {
            // An error is the fault of a client that is gone.
            _ = http.as_mut() => return,
            () = is_stopping => {}
        }
        finish(http.as_mut());
        if self.is_busy() {
            let _ = http.await;
        }
    }
}

/// The settings of a door's connection.
fn http2() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEAD as u32)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(WRITE_TIMEOUT);
    builder
}

/// The routes, for one connection.
#[derive(Clone)]
struct Tracked {
    router: Router,
    connection: Arc<Connection>,
}

impl Service<Request<hyper::body::Incoming>> for Tracked {
    type Response = Response;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<hyper::body::Incoming>) -> Self::Future {
        let arriving = Arriving(Arc::clone(&self.connection));
        let busy = Busy(Arc::clone(&self.connection));
        let router = self.router.clone();
        let mut request = if request.body().is_end_stream() {
            drop(arriving);
            request.map(Body::new)
        } else {
            request.map(|body| Body::new(HeldBody::new(body, arriving)))
        };
        request.extensions_mut().insert(Peer(self.connection.peer));
        Box::pin(async move {
            let response = router.oneshot(request).await?;
            Ok(response.map(|body| Body::new(HeldBody::new(body, busy))))
        })
    }
}

/// The address of the client, in the extensions of its requests. Behind a proxy, the proxy's.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// Makes a connection busy once the request has arrived.
struct Arriving(Arc<Connection>);

impl Drop for Arriving {
    fn drop(&mut self) {
        self.0.arrived.fetch_add(1, Ordering::Relaxed);
    }
}

/// Ends with the response.
struct Busy(Arc<Connection>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.responded.fetch_add(1, Ordering::Relaxed);
    }
}

/// A stream with writes that fail after [`WRITE_TIMEOUT`] without progress.
struct WriteTimeout {
    inner: TcpStream,
    /// Runs while the client does not read.
    timer: Option<Pin<Box<Sleep>>>,
}

impl WriteTimeout {
    /// Passes a result on. While it is pending, the time runs.
    fn within_timeout<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.timer = None;
            return written;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(WRITE_TIMEOUT)));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for WriteTimeout {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for WriteTimeout {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.within_timeout(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.within_timeout(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
