//! An HTTP server for unit tests with scripted responses and a log of its requests.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, Response, StatusCode, header};
use parking_lot::Mutex;
use url::{Url, form_urlencoded};

use super::oauth::{Application, OAuth};
use super::{Origins, Secret, http_client};
use crate::time::Clock;

/// One request as the server received it.
#[derive(Clone, Debug)]
pub(super) struct ReceivedRequest {
    pub(super) path: String,
    pub(super) query: String,
    pub(super) form: HashMap<String, String>,
    pub(super) bearer: String,
    pub(super) user_agent: String,
}

/// One scripted response.
pub(super) struct FakeResponse {
    status: u16,
    retry_after: Option<&'static str>,
    location: Option<&'static str>,
    /// Empty: a date that cannot be parsed.
    date: &'static str,
    body: String,
    is_complete: bool,
}

/// Creates a response without special headers.
pub(super) fn respond(status: u16, body: impl Into<String>) -> FakeResponse {
    FakeResponse {
        status,
        retry_after: None,
        location: None,
        date: "",
        body: body.into(),
        is_complete: true,
    }
}

impl FakeResponse {
    pub(super) fn retry_after(self, seconds: &'static str) -> FakeResponse {
        FakeResponse { retry_after: Some(seconds), ..self }
    }

    pub(super) fn location(self, address: &'static str) -> FakeResponse {
        FakeResponse { location: Some(address), ..self }
    }

    pub(super) fn date(self, date: &'static str) -> FakeResponse {
        FakeResponse { date, ..self }
    }

    /// Breaks off the connection in the middle of the body.
    pub(super) fn incomplete(self) -> FakeResponse {
        FakeResponse { is_complete: false, ..self }
    }

    fn into_http(self) -> Response<Body> {
        let mut response = Response::builder().status(StatusCode::from_u16(self.status).unwrap());
        for (name, value) in [
            (header::RETRY_AFTER, self.retry_after),
            (header::LOCATION, self.location),
            (header::DATE, Some(self.date)),
        ] {
            if let Some(value) = value {
                response = response.header(name, value);
            }
        }
        let body = if self.is_complete {
            Body::from(self.body)
        } else {
            let half = self.body[..self.body.len() / 2].to_owned();
            Body::from_stream(tokio_stream::iter([Ok(half), Err(io::Error::other("cut"))]))
        };
        response.body(body).unwrap()
    }
}

/// A running server. Clones share its request log.
#[derive(Clone)]
pub(super) struct FakeServer {
    origin: Url,
    requests: Arc<Mutex<Vec<ReceivedRequest>>>,
}

impl FakeServer {
    /// Starts a server that answers every request by `script`.
    pub(super) async fn new(
        script: impl Fn(&ReceivedRequest) -> FakeResponse + Send + Sync + 'static,
    ) -> FakeServer {
        FakeServer::with_async_script(move |request| std::future::ready(script(&request))).await
    }

    /// Starts a server like [`FakeServer::new`] with responses that can wait.
    pub(super) async fn with_async_script<F: Future<Output = FakeResponse> + Send + 'static>(
        script: impl Fn(ReceivedRequest) -> F + Send + Sync + 'static,
    ) -> FakeServer {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        let script = Arc::new(script);
        let app = Router::new().fallback(move |request: Request| {
            let log = Arc::clone(&log);
            let script = Arc::clone(&script);
            async move {
                let request = read_request(request).await;
                log.lock().push(request.clone());
                script(request).await.into_http()
            }
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        FakeServer { origin, requests }
    }

    /// Starts a server that sends `responses` in order and repeats the last one.
    pub(super) async fn sequence(responses: impl IntoIterator<Item = FakeResponse>) -> FakeServer {
        let mut responses: Vec<FakeResponse> = responses.into_iter().collect();
        responses.reverse();
        let responses = Mutex::new(responses);
        FakeServer::new(move |_| {
            let mut responses = responses.lock();
            if responses.len() > 1 {
                return responses.pop().unwrap();
            }
            let last = &responses[0];
            FakeResponse { body: last.body.clone(), ..*last }
        })
        .await
    }

    pub(super) fn origins(&self) -> Origins {
        Origins::at(&self.origin)
    }

    /// Returns the requests received so far.
    pub(super) fn requests(&self) -> Vec<ReceivedRequest> {
        self.requests.lock().clone()
    }

    /// Returns an OAuth client for this server as both login back ends.
    pub(super) fn oauth(&self, clock: &Clock) -> OAuth {
        OAuth {
            http: http_client().unwrap(),
            origins: self.origins(),
            application: Application {
                client_id: "the-client".to_owned(),
                client_secret: Secret::new("planted-client-secret"),
            },
            clock: clock.clone(),
        }
    }
}

async fn read_request(request: Request) -> ReceivedRequest {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let header = |name: HeaderName| {
        parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    ReceivedRequest {
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        form: form_urlencoded::parse(&body).into_owned().collect(),
        bearer: header(header::AUTHORIZATION).trim_start_matches("Bearer ").to_owned(),
        user_agent: header(header::USER_AGENT),
    }
}
