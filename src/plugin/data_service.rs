//! The gRPC service `pluginv2.Data`, with the error source of each response.
//!
//! Without the error source, Grafana's metrics blame the plugin for every mistake in a query.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::http::{Request, Response as HttpResponse};
use grafana_plugin_sdk::pluginv2::QueryDataRequest;
use tonic::body::BoxBody;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Response, Status};

use super::messages::QueryDataResponse;
use super::query_codec::QueryCodec;
use super::query_data;
use super::startup::Startup;
use crate::doors::Door;
use crate::held_body::HeldBody;
use crate::memory::Charge;

/// The path of the only method in use.
pub const QUERY_DATA: &str = "/pluginv2.Data/QueryData";

/// The service. Cheap to clone.
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
            let mut grpc =
                Grpc::new(QueryCodec::default()).max_decoding_message_size(service.max_request);
            let mut response = grpc.unary(service, request).await;
            let charge = response.extensions_mut().remove::<Arc<Charge>>();
            Ok(response.map(|body| tonic::body::boxed(HeldBody::new(body, charge))))
        })
    }
}

impl UnaryService<QueryDataRequest> for DataService {
    type Response = QueryDataResponse;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Self::Response>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<QueryDataRequest>) -> Self::Future {
        let startup = self.startup.clone();
        Box::pin(async move {
            let door = request.extensions().get::<Door>().cloned();
            let (response, charge) =
                query_data::handle(&startup, door.as_ref(), request.into_inner()).await;
            let mut response = Response::new(response);
            if let Some(charge) = charge {
                response.extensions_mut().insert(Arc::new(charge));
            }
            Ok(response)
        })
    }
}
