//! The plugin process: a handshake line on standard output, gRPC on a socket, and a clean exit.

use std::io::Write;
use std::os::unix::process::parent_id;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::handler::Handler;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::ServingStatus;

use super::controller::Controller;
use super::hclog;
use super::offline::ANSWERS;
use super::services::{MAX_REQUEST, add_services};
use super::settings::{OperatorSettings, OwnerSettings};
use super::socket::{self, Socket};
use super::startup::Startup;
use crate::doors::{Link, Relay, forward};
use crate::os;

/// Grafana's handshake cookie: a variable and its value.
pub const COOKIE: (&str, &str) = ("grafana_plugin_type", "datasource");

/// The protocol version of go-plugin, and that of Grafana's plugins.
const PROTOCOL: &str = "1|2";

/// The service name in go-plugin's health check.
const HEALTH_SERVICE: &str = "plugin";

/// Maximum duration of a shutdown. Grafana kills the process after two seconds.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(1_500);

/// Interval of the check for the parent process: an orphan receives no signal.
const PARENT_CHECK_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
enum ProcessError {
    #[error("could not open the socket: {0}")]
    Socket(#[source] std::io::Error),
    #[error("could not write the handshake: {0}")]
    Handshake(#[source] std::io::Error),
    #[error("could not install signal handlers: {0}")]
    Signals(#[source] std::io::Error),
    #[error("the gRPC server failed: {0}")]
    Serve(#[from] tonic::transport::Error),
}

/// Returns whether Grafana started this process.
pub fn is_started_by_grafana() -> bool {
    std::env::var(COOKIE.0).is_ok_and(|value| value == COOKIE.1)
}

/// Runs the plugin until Grafana requests its end, or is gone.
pub fn run() -> ExitCode {
    let parent = parent_id();
    hclog::install();
    let runtime = match os::start_runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(serve(parent));
    // Queries on blocking threads do not delay the exit: reads may stop at any time.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the plugin ended");
            ExitCode::FAILURE
        }
    }
}

/// The source of the responses.
#[derive(Clone)]
enum Backend {
    /// The data sources of this process.
    Own(Startup),
    /// The process that owns the data.
    Owner(OwnerSettings),
}

async fn serve(parent: u32) -> Result<(), ProcessError> {
    let settings = OperatorSettings::from_env().ok();
    let owner = settings.as_ref().and_then(|settings| settings.owner.clone());
    // Behind a door, the plugin has no data folder.
    let data_folder = settings
        .filter(|settings| settings.owner.is_none())
        .and_then(|settings| settings.plugin_data_dir().ok());
    let parents = socket::parents(data_folder);
    let (socket, listener) = Socket::bind(&parents).map_err(ProcessError::Socket)?;
    // Ctrl-C in a terminal reaches the whole process group. Grafana handles it, and then requests
    // a shutdown.
    let _ignored_interrupt = signal(SignalKind::interrupt()).map_err(ProcessError::Signals)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(ProcessError::Signals)?;
    handshake(&socket).map_err(ProcessError::Handshake)?;
    let sweep = socket.sweep(parents);
    tokio::task::spawn_blocking(sweep);

    let backend = match owner {
        Some(owner) => Backend::Owner(owner),
        None => Backend::Own(Startup::begin(|| {
            let settings = OperatorSettings::from_env()?;
            settings.environment(settings.plugin_data_dir()?, true)
        })),
    };
    let shutdown_requested = Arc::new(Notify::new());
    let ending = Arc::new(Notify::new());
    let (sender, connections) = mpsc::channel(1);
    let mut serving = tokio::spawn(serve_grpc(
        backend.clone(),
        Arc::clone(&shutdown_requested),
        connections,
        Arc::clone(&ending),
    ));
    let why = tokio::select! {
        ended = &mut serving => return Ok(ended.unwrap_or(Ok(()))?),
        () = shutdown_requested.notified() => "Grafana requested it",
        _ = terminated.recv() => "SIGTERM",
        () = wait_until_orphaned(parent) => "the parent process is gone",
        () = wait_until_unread() => "standard output has no reader",
        error = socket.accept(listener, sender) => {
            // Grafana starts a plugin again that has ended.
            tracing::error!(%error, "the socket was removed, and could not be created again");
            "the socket is gone"
        }
    };
    tracing::info!(why, "shutting down");
    ending.notify_one();
    let close_data_sources = async {
        if let Backend::Own(startup) = backend
            && let Some(datasources) = startup.opened()
        {
            datasources.shutdown().await;
        }
    };
    let _ =
        tokio::time::timeout(SHUTDOWN_TIMEOUT, async { tokio::join!(serving, close_data_sources) })
            .await;
    Ok(())
}

/// Writes `1|2|unix|<path>|grpc`, the first line on standard output.
fn handshake(socket: &Socket) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{PROTOCOL}|unix|{}|grpc", socket.path().display())?;
    out.flush()
}

async fn serve_grpc(
    backend: Backend,
    shutdown_requested: Arc<Notify>,
    connections: mpsc::Receiver<std::io::Result<UnixStream>>,
    ending: Arc<Notify>,
) -> Result<(), tonic::transport::Error> {
    let (mut reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status(HEALTH_SERVICE, ServingStatus::Serving).await;
    let local = Routes::new(health).add_service(Controller { stop: shutdown_requested });
    let routes = match backend {
        Backend::Own(startup) => add_services(local, startup),
        Backend::Owner(OwnerSettings { address, token }) => {
            tracing::info!(owner = %address, "forwarding every call to the owner");
            let relay = Relay::new(Link::new(address), &token, MAX_REQUEST, ANSWERS);
            let forward = forward.with_state(Arc::new(relay));
            local.into_axum_router().fallback_service(forward).into()
        }
    };
    Server::builder()
        .add_routes(routes)
        .serve_with_incoming_shutdown(ReceiverStream::new(connections), async move {
            ending.notified().await
        })
        .await
}

/// Waits until the pipe of standard output has no reader.
///
/// A host reads it until the plugin ends (go-plugin's client.go, `Start`). This detects a parent
/// that died before its id was read: the id is then that of another process, which stays.
async fn wait_until_unread() {
    // SAFETY: standard output is file descriptor 1, and this process never closes it.
    let registered =
        unsafe { AsyncFd::register_with_interest(std::io::stdout(), Interest::WRITABLE) };
    if let Ok(out) = registered {
        while out
            .ready(Interest::WRITABLE)
            .await
            .is_ok_and(|guard| !guard.ready().is_write_closed())
        {
            tokio::time::sleep(PARENT_CHECK_INTERVAL).await;
        }
        return;
    }
    // Standard output is a file, which has no reader.
    std::future::pending().await
}

/// Waits until `parent` is no longer the parent of this process.
async fn wait_until_orphaned(parent: u32) {
    while parent_id() == parent {
        tokio::time::sleep(PARENT_CHECK_INTERVAL).await;
    }
}
