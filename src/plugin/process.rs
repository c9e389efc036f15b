//! The process as Grafana starts it: one handshake line on standard output, gRPC on a socket, and an end that leaves nothing behind.

use std::io::Write;
use std::os::unix::process::parent_id;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use grafana_plugin_sdk::pluginv2::diagnostics_server::DiagnosticsServer;
use grafana_plugin_sdk::pluginv2::resource_server::ResourceServer;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic_health::ServingStatus;

use super::controller::Controller;
use super::data_service::DataService;
use super::settings::OperatorSettings;
use super::socket::Socket;
use super::startup::Startup;
use super::{Plugin, hclog};

/// Grafana's handshake: this variable has this value in a plugin's environment.
pub const COOKIE: (&str, &str) = ("grafana_plugin_type", "datasource");

/// go-plugin's protocol 1, Grafana's plugin protocol 2.
const PROTOCOL: &str = "1|2";

/// The service whose health go-plugin asks for.
const HEALTH_SERVICE: &str = "plugin";

/// Largest request, in bytes. Alert rules and expressions batch queries, and tonic's own limit is 4 MiB.
const MAX_REQUEST: usize = 64 << 20;

/// Grafana kills what has not ended two seconds after it was told to.
const FAREWELL: Duration = Duration::from_millis(1_500);

/// How often to look whether the parent is still there: nothing tells an orphan that it is one.
const PARENT_CHECK: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
enum ProcessError {
    #[error("the socket for Grafana cannot be opened: {0}")]
    Socket(#[source] std::io::Error),
    #[error("the handshake cannot be written: {0}")]
    Handshake(#[source] std::io::Error),
    #[error("signals cannot be received: {0}")]
    Signals(#[source] std::io::Error),
    #[error("gRPC ended: {0}")]
    Serve(#[from] tonic::transport::Error),
}

/// Whether Grafana started this process.
pub fn is_wanted() -> bool {
    std::env::var(COOKIE.0).is_ok_and(|value| value == COOKIE.1)
}

/// Runs until Grafana asks it to end, ends itself, or is gone.
pub fn run() -> ExitCode {
    let parent = parent_id();
    hclog::install();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(serve(parent));
    // A query on a blocking thread does not hold the process back: reads can be cut off at any time.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the plugin ended");
            ExitCode::FAILURE
        }
    }
}

async fn serve(parent: u32) -> Result<(), ProcessError> {
    let (socket, listener) = Socket::bind().map_err(ProcessError::Socket)?;
    // An interrupt from the terminal reaches the whole process group; it is for Grafana, which then tells us.
    let _swallowed = signal(SignalKind::interrupt()).map_err(ProcessError::Signals)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(ProcessError::Signals)?;
    handshake(&socket).map_err(ProcessError::Handshake)?;
    let sweep = socket.sweep();
    tokio::task::spawn_blocking(sweep);

    let startup = Startup::begin(|| {
        let settings = OperatorSettings::from_env()?;
        settings.environment(settings.plugin_data_dir()?, true)
    });
    let (asked, ending) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let mut serving =
        tokio::spawn(grpc(startup.clone(), Arc::clone(&asked), listener, Arc::clone(&ending)));
    let why = tokio::select! {
        ended = &mut serving => return Ok(ended.unwrap_or(Ok(()))?),
        () = asked.notified() => "Grafana asked",
        _ = terminated.recv() => "terminated",
        () = orphaned(parent) => "the parent is gone",
        () = unread() => "nobody reads what this process prints",
    };
    tracing::info!(why, "ending");
    ending.notify_one();
    let accounts_closed = async {
        if let Some(datasources) = startup.now() {
            datasources.shutdown().await;
        }
    };
    let _ = tokio::time::timeout(FAREWELL, async { tokio::join!(serving, accounts_closed) }).await;
    Ok(())
}

/// `1|2|unix|<path>|grpc`, the first thing on standard output.
fn handshake(socket: &Socket) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{PROTOCOL}|unix|{}|grpc", socket.path().display())?;
    out.flush()
}

async fn grpc(
    startup: Startup,
    asked: Arc<Notify>,
    listener: tokio::net::UnixListener,
    ending: Arc<Notify>,
) -> Result<(), tonic::transport::Error> {
    let (mut reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status(HEALTH_SERVICE, ServingStatus::Serving).await;
    let data = DataService { startup: startup.clone(), max_request: MAX_REQUEST };
    let plugin = Plugin::new(startup);
    Server::builder()
        .add_service(health)
        .add_service(Controller { stop: asked })
        .add_service(DiagnosticsServer::new(plugin.clone()).max_decoding_message_size(MAX_REQUEST))
        .add_service(ResourceServer::new(plugin).max_decoding_message_size(MAX_REQUEST))
        .add_service(data)
        .serve_with_incoming_shutdown(UnixListenerStream::new(listener), async move {
            ending.notified().await
        })
        .await
}

/// Resolves when the pipe behind standard output has no reader any more. Whoever starts a plugin reads it for as long as it lives
/// (go-plugin's client.go, `Start`). This tells of a parent that died before its id could be asked: the one who took its place stays.
async fn unread() {
    // SAFETY: it is file descriptor 1 for as long as the process lives, and nobody closes that.
    let registered =
        unsafe { AsyncFd::register_with_interest(std::io::stdout(), Interest::WRITABLE) };
    if let Ok(out) = registered {
        while out
            .ready(Interest::WRITABLE)
            .await
            .is_ok_and(|guard| !guard.ready().is_write_closed())
        {
            tokio::time::sleep(PARENT_CHECK).await;
        }
        return;
    }
    // A file has no reader.
    std::future::pending().await
}

/// Resolves when `parent` is this process's parent no more.
async fn orphaned(parent: u32) {
    while parent_id() == parent {
        tokio::time::sleep(PARENT_CHECK).await;
    }
}
