//! The gRPC service `pluginv2.Data`, with the error source of each response.
//!
//! Without the error source, Grafana's metrics blame the plugin for every mistake in a query.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{Request, Response as HttpResponse};
use axum::response::Response;
use tonic::Status;
use tonic::body::BoxBody;
use tonic::server::NamedService;

use super::query_codec::{self, RequestError};
use super::query_data;
use super::startup::Startup;
use crate::blocking::blocking_if_large;
use crate::doors::Door;
use crate::doors::rpc::{self, Code};
use crate::held_body::HeldBody;

/// The path of the only method in use.
pub const QUERY_DATA: &str = "/pluginv2.Data/QueryData";

/// The service. Cheap to clone.
///
/// It reads and writes messages without tonic's codec, which copies a response of hundreds of
/// megabytes on an async thread.
#[derive(Clone)]
pub struct DataService {
    /// The data sources that answer the queries.
    pub startup: Startup,
    /// Largest request, in bytes.
    pub max_request: usize,
}

impl NamedService for DataService {
    const NAME: &'static str = "pluginv2.Data";
}

impl tower::Service<Request<BoxBody>> for DataService {
    type Response = HttpResponse<BoxBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<BoxBody>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            if request.uri().path() != QUERY_DATA {
                return Ok(Status::unimplemented("unknown method").into_http());
            }
            let response = service.respond(request).await.unwrap_or_else(|refusal| refusal);
            Ok(response.map(tonic::body::boxed))
        })
    }
}

impl DataService {
    /// The error is the response to a request that is too large or malformed.
    async fn respond(&self, request: Request<BoxBody>) -> Result<Response, Response> {
        let (parts, body) = request.into_parts();
        let body = rpc::read(Body::new(body), self.max_request).await?;
        let malformed = || {
            let text = "the message is compressed or incomplete";
            rpc::refuse(Code::InvalidArgument, text)
        };
        let message = rpc::message(&body).ok_or_else(malformed)?;
        let size = message.len();
        let request = blocking_if_large(size, move || query_codec::decode(&message)).await;
        let request = request.map_err(|error| {
            let code = match error {
                RequestError::TooManyQueries => Code::ResourceExhausted,
                RequestError::Malformed(_) => Code::InvalidArgument,
            };
            rpc::refuse(code, &error.to_string())
        })?;
        let door = parts.extensions.get::<Door>();
        let (response, charge) = query_data::handle(&self.startup, door, request).await;
        let response = rpc::respond(response.into_pieces());
        Ok(response.map(|body| Body::new(HeldBody::new(body, charge))))
    }
}
