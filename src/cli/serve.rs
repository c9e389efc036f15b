//! `serve`: the resource routes on a port, under `/api/`, and scheduled syncs. For Grafana Cloud,
//! notebooks and scripts.

mod server;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use super::Failure;
use super::local::Application;
use super::output::stdout;
use crate::api::{self, ApiError, Caller, Role, Target};
use crate::oura::Secret;

/// How long requests in progress may continue after SIGTERM.
const GRACE_PERIOD: Duration = Duration::from_secs(5);

/// How long syncs in progress may continue after SIGTERM. What they lose is fetched again.
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
}

/// The hashes of the bearer tokens.
#[derive(Clone)]
struct Tokens {
    read: [u8; 32],
    admin: [u8; 32],
}

pub async fn run(args: Args) -> Result<(), Failure> {
    let tokens = Arc::new(Tokens::from_environment()?);
    if !args.listen.ip().is_loopback() && !args.expose {
        return Err(format!(
            "other machines can reach {}; add --expose if you want that (see serve --help)",
            args.listen
        )
        .into());
    }
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| format!("could not listen on {}: {error}", args.listen))?;
    let (datasources, datasource) = args.application.open(true).await?;
    let key = datasource.key().clone();
    // A repair needs the database closed.
    drop(datasource);
    let (settings, client_secret) = datasources.stored_settings(&key)?.unwrap_or_default();
    let target = Target { datasources: datasources.clone(), key, settings, client_secret };
    let routes = Router::new().fallback(move |request| api::respond(target.clone(), request));
    let router = router(routes, tokens);
    if let Some(why) = datasources.read_only_reason() {
        eprintln!("gpx_oura: {why}. Then restart serve");
    }
    writeln!(stdout(), "listening on http://{}", listener.local_addr()?)?;
    let (stopping, mut stopped) = watch::channel(false);
    let serving = server::serve(
        listener,
        router,
        async move {
            // The sender is dropped after the server has ended.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        },
        GRACE_PERIOD,
    );
    let ending = async {
        wait_for_stop().await;
        stopping.send_replace(true);
        // Tokens first: a renewal in progress must reach the vault.
        let _ = timeout(SHUTDOWN_TIMEOUT, datasources.shutdown()).await;
    };
    tokio::join!(serving, ending);
    Ok(())
}

fn router(routes: Router, tokens: Arc<Tokens>) -> Router {
    let api = routes.layer(middleware::from_fn_with_state(tokens, identify));
    Router::new()
        .nest("/api", api)
        .fallback(async || ApiError::from(StatusCode::NOT_FOUND))
        .layer(middleware::map_response(forbid_caching_and_guessing))
}

/// Forbids caches to store health data, and browsers to guess another type of content.
async fn forbid_caching_and_guessing(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Adds the caller of the bearer token to the request. Rejects a request without a valid token.
async fn identify(State(tokens): State<Arc<Tokens>>, mut request: Request, next: Next) -> Response {
    let credentials =
        request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(caller) = credentials.and_then(bearer_token).and_then(|token| tokens.caller(token))
    else {
        return (
            StatusCode::UNAUTHORIZED,
            [(header::WWW_AUTHENTICATE, "Bearer")],
            ApiError::new(
                401,
                "unauthenticated",
                "missing or invalid token",
                "Send the header Authorization: Bearer <token>.",
            ),
        )
            .into_response();
    };
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// Returns the token of `Bearer <token>`. The scheme is case-insensitive (RFC 9110 §11.1).
fn bearer_token(credentials: &str) -> Option<&str> {
    let (scheme, token) = credentials.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl Tokens {
    fn from_environment() -> Result<Tokens, Failure> {
        let token = |name: &str| {
            let token = std::env::var(name).unwrap_or_default();
            match token.len() {
                16.. => Ok(Secret::new(token)),
                _ => Err(format!(
                    "set {name} to at least 16 characters; `openssl rand -hex 32` creates a token"
                )),
            }
        };
        let read = token("RINGSIDE_READ_TOKEN")?;
        let admin = token("RINGSIDE_ADMIN_TOKEN")?;
        if read == admin {
            return Err("RINGSIDE_READ_TOKEN and RINGSIDE_ADMIN_TOKEN must differ".into());
        }
        Ok(Tokens { read: hash(read.reveal()), admin: hash(admin.reveal()) })
    }

    /// Returns the caller of a token. Compares hashes, so that the duration reveals nothing about
    /// the token.
    fn caller(&self, token: &str) -> Option<Caller> {
        let hash = hash(token);
        let role = if hash == self.admin {
            Role::Admin
        } else if hash == self.read {
            Role::Reader
        } else {
            return None;
        };
        Some(Caller { user: format!("{role:?}").to_lowercase(), role })
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
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
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    async fn ask(path: &str, authorization: &str) -> (u16, serde_json::Value) {
        let tokens = Tokens { read: hash("read"), admin: hash("admin") };
        let routes = Router::new()
            .route("/caller", get(async |caller: Caller| format!("{:?}", caller.user)));
        let request = Request::get(path)
            .header(header::AUTHORIZATION, authorization)
            .body(Body::empty())
            .unwrap();
        let answer = router(routes, Arc::new(tokens)).oneshot(request).await.unwrap();
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store", "{path}");
        assert_eq!(answer.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        let status = answer.status().as_u16();
        (
            status,
            serde_json::from_slice(&to_bytes(answer.into_body(), 1 << 20).await.unwrap()).unwrap(),
        )
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
