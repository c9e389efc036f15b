//! A server that answers what a test tells it to, and remembers what it was asked.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, StatusCode, header};
use url::{Url, form_urlencoded};

use super::oauth::{Application, OAuth};
use super::{Origins, Secret, http_client};
use crate::time::Clock;

/// One request, as the server saw it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) query: String,
    pub(super) form: HashMap<String, String>,
    pub(super) bearer: String,
    pub(super) user_agent: String,
}

/// What the server answers.
pub(super) struct Answer {
    status: u16,
    retry_after: Option<&'static str>,
    location: Option<&'static str>,
    /// Empty: no time that can be read.
    date: &'static str,
    body: String,
    whole: bool,
}

pub(super) fn answer(status: u16, body: impl Into<String>) -> Answer {
    Answer { status, retry_after: None, location: None, date: "", body: body.into(), whole: true }
}

impl Answer {
    pub(super) fn retry_after(self, seconds: &'static str) -> Answer {
        Answer { retry_after: Some(seconds), ..self }
    }

    pub(super) fn location(self, address: &'static str) -> Answer {
        Answer { location: Some(address), ..self }
    }

    pub(super) fn date(self, date: &'static str) -> Answer {
        Answer { date, ..self }
    }

    /// The body ends in the middle, and the connection with it.
    pub(super) fn half(self) -> Answer {
        Answer { whole: false, ..self }
    }

    fn response(self) -> Response<Body> {
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
        let body = if self.whole {
            Body::from(self.body)
        } else {
            let half = self.body[..self.body.len() / 2].to_owned();
            Body::from_stream(tokio_stream::iter([Ok(half), Err(io::Error::other("cut"))]))
        };
        response.body(body).unwrap()
    }
}

#[derive(Clone)]
pub(super) struct Fake {
    origin: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    /// Starts a server that answers every request with what `script` says.
    pub(super) async fn new(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Fake {
        Fake::slow(move |asked| std::future::ready(script(&asked))).await
    }

    /// As `new`, for answers that wait for something.
    pub(super) async fn slow<F: Future<Output = Answer> + Send + 'static>(
        script: impl Fn(Asked) -> F + Send + Sync + 'static,
    ) -> Fake {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, script) = (Arc::clone(&asked), Arc::new(script));
        let app = Router::new().fallback(move |request: Request| {
            let (log, script) = (Arc::clone(&log), Arc::clone(&script));
            async move {
                let asked = read(request).await;
                log.lock().unwrap().push(asked.clone());
                script(asked).await.response()
            }
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Fake { origin, asked }
    }

    /// A server for a sequence of requests; the last answer is repeated.
    pub(super) async fn sequence(answers: impl IntoIterator<Item = Answer>) -> Fake {
        let mut answers: Vec<Answer> = answers.into_iter().collect();
        answers.reverse();
        let answers = Mutex::new(answers);
        Fake::new(move |_| {
            let mut answers = answers.lock().unwrap();
            let last = answers.last().unwrap();
            let again = Answer { body: last.body.clone(), ..*last };
            if answers.len() > 1 { answers.pop().unwrap() } else { again }
        })
        .await
    }

    pub(super) fn origins(&self) -> Origins {
        Origins::at(&self.origin)
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

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

async fn read(request: Request) -> Asked {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let header = |name| {
        parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    Asked {
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        form: form_urlencoded::parse(&body).into_owned().collect(),
        bearer: header(header::AUTHORIZATION).trim_start_matches("Bearer ").to_owned(),
        user_agent: header(header::USER_AGENT),
    }
}
