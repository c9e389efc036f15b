//! Forwards Grafana's calls to the owner, byte for byte.
//!
//! The bytes of requests and responses stay as they are, so the owner and the plugin may have
//! different versions. Only a call that fails is decoded: Grafana gets a response per query.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use parking_lot::Mutex;

use super::link::{Link, LinkError};
use super::rpc::{self, Code};
use super::{REFUSAL_HEADER, VERSION, VERSION_HEADER};
use crate::api::ApiError;
use crate::oura::Secret;

/// Bytes of a response that are collected before the first one is forwarded. A response that ends
/// within them is forwarded whole, or replaced by an error.
const MAX_COLLECTED: usize = 1 << 20;

/// The response to a method while the owner gives none.
pub struct OfflineAnswer {
    /// The path of the method.
    pub path: &'static str,
    /// Whether the method returns one message. Its responses are collected, if they are small.
    pub is_one_message: bool,
    /// Encodes the response to the message of a request. `None` if the request is malformed.
    pub encode: fn(&[u8], &ApiError) -> Option<Vec<u8>>,
}

/// The plugin's side of a door.
pub struct Relay {
    link: Link,
    /// `Bearer <token>`.
    authorization: HeaderValue,
    /// Largest request, in bytes.
    max_request: usize,
    answers: &'static [OfflineAnswer],
    /// The version of the owner's last response.
    owner_version: Mutex<Option<HeaderValue>>,
}

impl Relay {
    /// A relay over `link`. A token with control characters is sent as an empty one, which the owner
    /// rejects.
    pub fn new(
        link: Link,
        token: &Secret,
        max_request: usize,
        answers: &'static [OfflineAnswer],
    ) -> Relay {
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", token.reveal()))
            .unwrap_or(HeaderValue::from_static("Bearer"));
        authorization.set_sensitive(true);
        let owner_version = Mutex::default();
        Relay { link, authorization, max_request, answers, owner_version }
    }

    async fn call(&self, path: &str, headers: HeaderMap, message: Bytes) -> Outcome {
        let mut request = Request::post(path).body(Body::from(message)).map_err(|error| {
            LinkError::Lost { owner: self.link.address().to_string(), detail: error.to_string() }
        })?;
        *request.headers_mut() = headers;
        let headers = request.headers_mut();
        headers.remove(header::HOST);
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        headers.insert(VERSION_HEADER, HeaderValue::from_static(VERSION));
        let response = self.check(self.link.send(request).await?)?;
        if self.answer(path).is_some_and(|answer| answer.is_one_message) {
            self.collect(response).await
        } else {
            Ok(self.stream(response, None))
        }
    }

    fn answer(&self, path: &str) -> Option<&'static OfflineAnswer> {
        self.answers.iter().find(|answer| answer.path == path)
    }

    /// Rejects a response that is not an owner's, or an owner's refusal.
    fn check(&self, response: Response<Incoming>) -> Result<Response<Incoming>, LinkError> {
        let owner = || self.link.address().to_string();
        let headers = response.headers();
        let is_grpc = headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(rpc::CONTENT_TYPE.as_bytes()));
        if response.status() != StatusCode::OK || !is_grpc {
            return Err(LinkError::NotAnOwner {
                owner: owner(),
                status: response.status().as_u16(),
            });
        }
        let Some(refusal) = headers.get(REFUSAL_HEADER) else {
            self.log_version(headers);
            return Ok(response);
        };
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let detail = text(&rpc::MESSAGE).unwrap_or("without a reason").to_owned();
        Err(match refusal.as_bytes() {
            b"busy" => LinkError::Busy { owner: owner(), detail },
            _ => LinkError::Token { owner: owner(), detail },
        })
    }

    /// Logs an owner of another version, once.
    fn log_version(&self, headers: &HeaderMap) {
        let version = headers.get(VERSION_HEADER);
        let mut known = self.owner_version.lock();
        if known.as_ref() == version {
            return;
        }
        *known = version.cloned();
        if let Some(version) = version.filter(|version| *version != VERSION) {
            tracing::info!(owner = ?version, plugin = VERSION, "the owner has another version");
        }
    }

    /// Reads a response up to [`MAX_COLLECTED`] bytes, so that a lost connection is still an
    /// answer. The rest is streamed.
    async fn collect(&self, response: Response<Incoming>) -> Outcome {
        let (parts, mut body) = response.into_parts();
        let mut collected = Vec::new();
        while collected.len() < MAX_COLLECTED {
            let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
            let frame = match frame.await {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Err(self.link.lost(&error)),
                None => break,
            };
            match frame.into_data() {
                Ok(data) => collected.extend_from_slice(&data),
                Err(frame) => {
                    let data = VecDeque::from([collected.into()]);
                    let whole = rpc::Whole { data, trailers: frame.into_trailers().ok() };
                    return Ok(Response::from_parts(parts, Body::new(whole)));
                }
            }
        }
        Ok(self.stream(Response::from_parts(parts, body), Some(collected.into())))
    }

    fn stream(&self, response: Response<Incoming>, collected: Option<Bytes>) -> Response {
        let owner = self.link.address().to_string();
        response.map(|body| Body::new(Stream { collected, body: Some(body), owner }))
    }
}

type Outcome = Result<Response, LinkError>;

/// Forwards one call. The owner's response is passed on as it arrives.
pub async fn forward(State(relay): State<Arc<Relay>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let message = match rpc::read(body, relay.max_request).await {
        Ok(message) => message,
        Err(refusal) => return refusal,
    };
    let error = match relay.call(path, parts.headers, message.clone()).await {
        Ok(response) => return response,
        Err(error) => ApiError::from(&error),
    };
    let encoded =
        relay.answer(path).and_then(|answer| (answer.encode)(&rpc::message(&message)?, &error));
    match encoded {
        Some(message) => rpc::respond(vec![message.into()]),
        None => rpc::refuse(Code::Unavailable, &error.full_text()),
    }
}

/// A response that is forwarded as it arrives. A lost connection ends it with a status.
struct Stream {
    collected: Option<Bytes>,
    body: Option<Incoming>,
    owner: String,
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(collected) = self.collected.take() {
            return Poll::Ready(Some(Ok(Frame::data(collected))));
        }
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let error = match ready!(Pin::new(body).poll_frame(context)) {
            Some(Err(error)) => error,
            frame => return Poll::Ready(frame),
        };
        let lost = LinkError::Lost { owner: self.owner.clone(), detail: error.to_string() };
        self.body = None;
        let text = ApiError::from(&lost).full_text();
        let trailers = rpc::status(Code::Unavailable, &text);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.collected.is_none() && self.body.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
