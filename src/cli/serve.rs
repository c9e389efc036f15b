//! `serve`: the resource routes on a port, under `/api/`, and scheduled syncs. For Grafana Cloud,
//! notebooks and scripts.

mod audit;
mod doors;
mod gate;
mod lake;
mod pages;
mod server;

use std::io::Write;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, Method, header};
use axum::middleware;
use axum::response::Response;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::Failure;
use super::local::Application;
use super::output::stdout;
use super::tokens::{self, Token, TokenFile, TokenRole, Tokens};
use crate::api::{self, Target};
use crate::blocking::blocking;
use crate::datasource::DataSources;
use crate::doors::tls::ServerFiles;
use crate::oura::Secret;
use crate::plugin;
use audit::AuditLog;
use gate::{Gate, Limits};
use server::Protocol;

/// How long requests in progress may continue after SIGTERM.
const GRACE_PERIOD: Duration = Duration::from_secs(5);

/// How long syncs in progress may continue after SIGTERM. The next sync fetches the rest.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(8);

#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    application: Application,
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// Allow an address that other machines can reach.
    ///
    /// Tokens and health data then cross the network unencrypted: put a TLS proxy in front.
    #[arg(long)]
    expose: bool,
    /// The token file of `token add` [default: tokens.json in the data folder]
    #[arg(long, env = "RINGSIDE_TOKENS")]
    tokens: Option<PathBuf>,
    /// The audit log [default: audit.jsonl in the data folder]
    #[arg(long, env = "RINGSIDE_AUDIT_LOG")]
    audit_log: Option<PathBuf>,
    /// Maximum number of requests of one token, and of one address, in a second
    #[arg(long, default_value = "10000")]
    max_requests: NonZeroU32,
    /// Maximum number of requests of one token, and of one address, at the same time
    #[arg(long, default_value = "128")]
    max_concurrent: NonZeroUsize,
    /// Origin of a web page that may call the API, for example https://notes.example.com. May be
    /// repeated. Default: none
    #[arg(long, value_name = "ORIGIN", value_parser = browser_origin)]
    allow_origin: Vec<HeaderValue>,
    /// The address for doors: Grafanas with a plugin that forwards its calls here
    #[arg(long, value_name = "ADDRESS")]
    doors: Option<SocketAddr>,
    /// The certificate of the address for doors, and of its authorities, in PEM format
    #[arg(long, env = "RINGSIDE_TLS_CERT", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of the certificate, in PEM format
    #[arg(long, env = "RINGSIDE_TLS_KEY", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Allow doors without TLS from other machines.
    ///
    /// Tokens and health data then cross the network unencrypted, unless the network encrypts them.
    #[arg(long)]
    doors_without_tls: bool,
    /// The lake to publish to after syncs: a folder, or s3://bucket/prefix, after `lake init`
    #[arg(long, env = "RINGSIDE_LAKE", value_name = "PLACE")]
    lake: Option<String>,
    /// Minimum number of seconds between two publications to the lake
    #[arg(long, env = "RINGSIDE_LAKE_INTERVAL", value_name = "SECONDS", default_value_t = 600)]
    lake_interval: u64,
}

/// Minimum length of a token from the environment, in characters.
const MIN_SECRET: usize = 16;

pub async fn run(args: Args) -> Result<(), Failure> {
    let fixed = fixed_tokens()?;
    if !args.listen.ip().is_loopback() && !args.expose {
        return Err(format!(
            "other machines can reach {}; add --expose if you want that (see serve --help)",
            args.listen
        )
        .into());
    }
    let doors = open_doors(&args).await?;
    let data_dir = &args.application.folder.data_dir;
    let file = args.tokens.clone().unwrap_or_else(|| data_dir.join(tokens::FILE_NAME));
    let tokens = Tokens::new(fixed, TokenFile::at(file))?;
    if tokens.is_empty() {
        eprintln!("gpx_oura: no token exists. `gpx_oura token add NAME` creates one at any time");
    }
    let audit = args.audit_log.clone().unwrap_or_else(|| data_dir.join(audit::FILE_NAME));
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| format!("could not listen on {}: {error}", args.listen))?;
    let target = args.application.open_folder(true)?;
    match target.open().await {
        // A repair needs the database closed, so nothing holds the data source.
        Ok(_) => {}
        // The data sources of doors do not depend on this one.
        Err(error) if doors.is_some() => {
            tracing::error!(datasource = %target.key, %error, "closed")
        }
        Err(error) => return Err(error.into()),
    }
    let datasources = target.datasources.clone();
    let limits = Limits { rate: args.max_requests, concurrency: args.max_concurrent.get() };
    let gate = Arc::new(Gate::new(tokens, AuditLog::at(audit), limits));
    let router = with_origins(router(routes(target), Arc::clone(&gate)), &args.allow_origin);
    if let Some(why) = datasources.read_only_reason() {
        eprintln!("gpx_oura: {why}. Then restart serve");
    }
    writeln!(stdout(), "listening on http://{}", listener.local_addr()?)?;
    if let Some(Doors { listener, certificate }) = &doors {
        let scheme = if certificate.is_some() { "https" } else { "http" };
        writeln!(stdout(), "doors at {scheme}://{}", listener.local_addr()?)?;
    }
    let (stopping, stopped) = watch::channel(false);
    let until_stopped = |mut stopped: watch::Receiver<bool>| async move {
        // The sender is dropped after the servers have ended.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    let stop = until_stopped(stopped.clone());
    let serving = server::serve(listener, router, Protocol::Http1, stop, GRACE_PERIOD);
    let serving_doors = async {
        let Some(Doors { listener, certificate }) = doors else { return };
        tokio::spawn(resume_all(datasources.clone()));
        let services = plugin::door_services(datasources.clone())
            .layer(middleware::from_fn_with_state(gate, doors::pass));
        let protocol = Protocol::Doors(certificate);
        server::serve(listener, services, protocol, until_stopped(stopped), GRACE_PERIOD).await;
    };
    // A container passes an unset variable as an empty text.
    if let Some(place) = args.lake.clone().filter(|place| !place.is_empty()) {
        let interval = Duration::from_secs(args.lake_interval);
        let publisher = lake::Publisher { place, data_dir: data_dir.clone(), interval };
        // The end of the process may interrupt a publication at any point.
        tokio::spawn(publisher.run());
    }
    let ending = async {
        wait_for_stop().await;
        stopping.send_replace(true);
        // Tokens first: a renewal in progress must reach the vault.
        let _ = timeout(SHUTDOWN_TIMEOUT, datasources.shutdown()).await;
    };
    tokio::join!(serving, serving_doors, ending);
    Ok(())
}

/// The port for doors.
struct Doors {
    listener: TcpListener,
    /// `None` without TLS.
    certificate: Option<Arc<ServerFiles>>,
}

/// Opens the port for doors, if the arguments contain one.
async fn open_doors(args: &Args) -> Result<Option<Doors>, Failure> {
    let Some(address) = args.doors else { return Ok(None) };
    let certificate = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => {
            Some(Arc::new(ServerFiles::open(certificate.clone(), key.clone())?))
        }
        _ => None,
    };
    if certificate.is_none() && !address.ip().is_loopback() && !args.doors_without_tls {
        return Err(format!(
            "doors at {address} need --tls-cert and --tls-key, because other machines can reach \
             it; add --doors-without-tls if the network itself is encrypted"
        )
        .into());
    }
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| format!("could not listen on {address}: {error}"))?;
    Ok(Some(Doors { listener, certificate }))
}

/// Continues the schedules of all data sources of the folder.
async fn resume_all(datasources: DataSources) {
    match datasources.resume().await {
        Ok(count) => tracing::info!(datasources = count, "serving doors"),
        Err(error) => tracing::error!(%error, "schedules resume with the next call of a door"),
    }
}

/// The routes below `/` and below `/api/`, behind the gate, and the pages and facts that need no
/// token.
fn router(routes: Router, gate: Arc<Gate>) -> Router {
    let api = routes.layer(middleware::from_fn_with_state(gate, gate::pass));
    Router::new()
        .route("/healthz", get(async || axum::Json(serde_json::json!({ "state": "ok" }))))
        .route("/openapi.json", get(pages::openapi))
        .route("/docs", get(pages::reference))
        .route("/oauth/start", get(pages::connect).fallback_service(api.clone()))
        .route("/oauth/callback", get(pages::connect).fallback_service(api.clone()))
        .nest("/api", api.clone())
        .fallback_service(api)
        .layer(middleware::map_response(forbid_caching_and_guessing))
}

/// Forbids caches to store health data, and browsers to guess another type of content.
async fn forbid_caching_and_guessing(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The routes of the API, and `GET metrics`.
fn routes(target: Target) -> Router {
    let datasources = target.datasources.clone();
    let metrics = async move || {
        let datasources = datasources.ready().await;
        let text = blocking(move || plugin::exposition(&datasources, true)).await;
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
    };
    Router::new()
        .route("/metrics", get(metrics))
        .fallback(move |request| api::respond(target.clone(), request))
}

/// Lets pages of `origins` read responses. Without origins, browsers keep other sites out.
fn with_origins(router: Router, origins: &[HeaderValue]) -> Router {
    if origins.is_empty() {
        return router;
    }
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::ACCEPT, header::AUTHORIZATION, header::CONTENT_TYPE]);
    // The answers to the browser's questions come from this layer.
    router.layer(cors).layer(middleware::map_response(forbid_caching_and_guessing))
}

/// Parses an origin: `https://host` or `https://host:port`.
fn browser_origin(text: &str) -> Result<HeaderValue, String> {
    let invalid = || format!("invalid origin {text}: use for example https://notes.example.com");
    let url: url::Url = text.parse().map_err(|_| invalid())?;
    let origin = url.origin();
    let is_origin = origin.is_tuple() && origin.ascii_serialization() == text;
    if !is_origin || !["http", "https"].contains(&url.scheme()) {
        return Err(invalid());
    }
    text.parse().map_err(|_| invalid())
}

/// The tokens of the environment, of files named there, and of systemd's credentials.
fn fixed_tokens() -> Result<Vec<Token>, Failure> {
    let mut tokens = Vec::new();
    for (variable, role, name) in [
        ("RINGSIDE_READ_TOKEN", TokenRole::Read, "reader"),
        ("RINGSIDE_ADMIN_TOKEN", TokenRole::Admin, "admin"),
    ] {
        let Some(secret) = secret(variable)? else { continue };
        if secret.reveal().len() < MIN_SECRET {
            return Err(format!(
                "set {variable} to at least {MIN_SECRET} characters; `openssl rand -hex 32` \
                 creates a token"
            )
            .into());
        }
        tokens.push((Token::of_secret(name, role, &secret), secret));
    }
    if let [(_, read), (_, admin)] = tokens.as_slice()
        && read == admin
    {
        return Err("RINGSIDE_READ_TOKEN and RINGSIDE_ADMIN_TOKEN must differ".into());
    }
    Ok(tokens.into_iter().map(|(token, _)| token).collect())
}

/// Returns the secret of the variable `NAME`, of the file that `NAME_FILE` names, or of the systemd
/// credential `name` with hyphens.
fn secret(variable: &str) -> Result<Option<Secret>, Failure> {
    // An empty variable is an unfilled line of a template.
    if let Ok(text) = std::env::var(variable)
        && !text.is_empty()
    {
        return Ok(Some(Secret::new(text)));
    }
    let named = std::env::var_os(format!("{variable}_FILE")).map(PathBuf::from);
    let credential = std::env::var_os("CREDENTIALS_DIRECTORY")
        .map(|folder| Path::new(&folder).join(variable.to_lowercase().replace('_', "-")))
        .filter(|path| path.exists());
    let Some(path) = named.or(credential) else { return Ok(None) };
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    Ok(Some(Secret::new(text.trim())))
}

/// Waits for Ctrl-C or SIGTERM.
async fn wait_for_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without signal handling, the process ends when it is killed.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use tower::ServiceExt;

    use super::*;
    use crate::api::{ApiError, Caller};

    async fn ask(path: &str, authorization: &str) -> (u16, serde_json::Value) {
        let folder = tempfile::tempdir().unwrap();
        let fixed = [("reader", TokenRole::Read, "read"), ("admin", TokenRole::Admin, "admin")]
            .map(|(name, role, text)| Token::of_secret(name, role, &Secret::new(text)));
        let file = TokenFile::at(folder.path().join(tokens::FILE_NAME));
        let limits = Limits { rate: NonZeroU32::MAX, concurrency: 1 };
        let audit = AuditLog::at(folder.path().join(audit::FILE_NAME));
        let gate = Gate::new(Tokens::new(fixed.into(), file).unwrap(), audit, limits);
        let routes = Router::new()
            .route("/caller", get(async |caller: Caller| format!("{:?}", caller.user)))
            .fallback(async || ApiError::from(axum::http::StatusCode::NOT_FOUND));
        let request = axum::extract::Request::get(path)
            .header(header::AUTHORIZATION, authorization)
            .body(Body::empty())
            .unwrap();
        let answer = router(routes, Arc::new(gate)).oneshot(request).await.unwrap();
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store", "{path}");
        assert_eq!(answer.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        let status = answer.status().as_u16();
        (
            status,
            serde_json::from_slice(&to_bytes(answer.into_body(), 1 << 20).await.unwrap()).unwrap(),
        )
    }

    #[test]
    fn only_an_origin_is_an_origin() {
        for origin in ["https://a.example", "http://localhost:8080"] {
            assert_eq!(browser_origin(origin).unwrap(), origin);
        }
        for other in ["*", "null", "https://a.example/", "https://a.example/x", "ftp://a", "a"] {
            assert!(browser_origin(other).unwrap_err().contains("https://notes"), "{other}");
        }
    }

    #[tokio::test]
    async fn token_identifies_the_caller_in_any_case_of_the_scheme() {
        for scheme in ["Bearer", "bearer", "BEARER"] {
            assert_eq!(ask("/api/caller", &format!("{scheme} admin")).await, (200, "admin".into()));
        }
        assert_eq!(ask("/api/caller", "Bearer  read").await, (200, "reader".into()));
        for wrong in ["Basic admin", "Bearer", "Beareradmin", "Bearer other", ""] {
            assert_eq!(ask("/api/caller", wrong).await.0, 401, "{wrong}");
        }
    }

    #[tokio::test]
    async fn unknown_path_is_a_json_error() {
        for path in ["/", "/api", "/favicon.ico", "/apis/status"] {
            let (status, body) = ask(path, "Bearer read").await;
            assert_eq!(
                (status, body["error"]["code"].as_str()),
                (404, Some("not_found")),
                "{path}"
            );
            assert!(body["error"]["hint"].as_str().unwrap().contains("status"));
        }
    }
}
