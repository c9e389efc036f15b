//! `serve`: the resource routes on a port, under `/api/`, and the schedule. For Grafana Cloud, notebooks and scripts.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use super::Failure;
use super::local::Application;
use crate::api::{self, ApiError, Caller, Role};
use crate::oura::Secret;

#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    application: Application,
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// Listen on an address that other machines can reach. Tokens and health data then cross the network as they are: put a proxy with
    /// TLS in front
    #[arg(long)]
    expose: bool,
}

/// The bearer tokens that callers show, as hashes.
#[derive(Clone)]
struct Tokens {
    read: [u8; 32],
    admin: [u8; 32],
}

pub async fn run(args: Args) -> Result<(), Failure> {
    let tokens = Arc::new(Tokens::from_environment()?);
    if !args.listen.ip().is_loopback() && !args.expose {
        return Err(
            format!("{} can be reached from other machines; if that is wanted, say --expose (and read its help)", args.listen).into()
        );
    }
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| format!("{} cannot be listened on: {error}", args.listen))?;
    let (datasources, datasource) = args.application.open(true).await?;
    let router = router(api::router(datasource), tokens);
    if let Some(why) = datasources.read_only_reason() {
        eprintln!("gpx_oura: {why}. Then start serve again");
    }
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, router).with_graceful_shutdown(stopped()).await?;
    datasources.shutdown().await;
    Ok(())
}

fn router(routes: Router, tokens: Arc<Tokens>) -> Router {
    let api = routes.layer(middleware::from_fn_with_state(tokens, identify));
    Router::new().nest("/api", api).fallback(async || ApiError::from(StatusCode::NOT_FOUND))
}

/// Puts the caller that the bearer token stands for into the request, or turns it away.
async fn identify(State(tokens): State<Arc<Tokens>>, mut request: Request, next: Next) -> Response {
    let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(caller) = shown.and_then(bearer).and_then(|token| tokens.caller(token)) else {
        return (
            StatusCode::UNAUTHORIZED,
            [(header::WWW_AUTHENTICATE, "Bearer")],
            ApiError::new(
                401,
                "unauthenticated",
                "this needs a token",
                "Send the header Authorization: Bearer <token>.",
            ),
        )
            .into_response();
    };
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// The token of `Bearer <token>`; the scheme's case does not matter (RFC 9110 §11.1).
fn bearer(credentials: &str) -> Option<&str> {
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
                    "{name} must be set, to 16 characters or more; `openssl rand -hex 32` makes a good one"
                )),
            }
        };
        let (read, admin) = (token("RINGSIDE_READ_TOKEN")?, token("RINGSIDE_ADMIN_TOKEN")?);
        if read == admin {
            return Err("RINGSIDE_READ_TOKEN and RINGSIDE_ADMIN_TOKEN must differ: who may read may not change".into());
        }
        Ok(Tokens { read: hash(read.reveal()), admin: hash(admin.reveal()) })
    }

    /// Hashes are compared, so that the time it takes says nothing about the token.
    fn caller(&self, token: &str) -> Option<Caller> {
        let shown = hash(token);
        let role = match () {
            () if shown == self.admin => Role::Admin,
            () if shown == self.read => Role::Reader,
            () => return None,
        };
        Some(Caller { user: format!("{role:?}").to_lowercase(), role })
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Ctrl-C, or a polite end by whoever started this.
async fn stopped() {
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
    // Without signals the process ends when it is killed.
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
        let routes =
            Router::new().route("/who", get(async |caller: Caller| format!("{:?}", caller.user)));
        let request = Request::get(path)
            .header(header::AUTHORIZATION, authorization)
            .body(Body::empty())
            .unwrap();
        let answer = router(routes, Arc::new(tokens)).oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        (
            status,
            serde_json::from_slice(&to_bytes(answer.into_body(), 1 << 20).await.unwrap()).unwrap(),
        )
    }

    #[tokio::test]
    async fn a_token_says_who_calls_whatever_the_case_of_its_scheme() {
        for scheme in ["Bearer", "bearer", "BEARER"] {
            assert_eq!(ask("/api/who", &format!("{scheme} admin")).await, (200, "admin".into()));
        }
        assert_eq!(ask("/api/who", "Bearer  read").await, (200, "reader".into()));
        for wrong in ["Basic admin", "Bearer", "Beareradmin", "Bearer other", ""] {
            assert_eq!(ask("/api/who", wrong).await.0, 401, "{wrong}");
        }
    }

    #[tokio::test]
    async fn what_is_not_there_says_so_in_json_outside_the_routes_too() {
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
