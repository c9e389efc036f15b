//! `plugin.GRPCController`: Grafana's request to shut down. Grafana kills the process two seconds
//! later.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::http::{Request, Response as HttpResponse};
use tokio::sync::Notify;
use tonic::body::BoxBody;
use tonic::codec::ProstCodec;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Response, Status};

/// The message `plugin.Empty` of go-plugin.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Empty {}

/// The gRPC service `plugin.GRPCController` with its one method `Shutdown(Empty) → Empty`.
#[derive(Clone)]
pub struct Controller {
    /// Notified by the request.
    pub stop: Arc<Notify>,
}

/// The path of the method.
pub const SHUTDOWN: &str = "/plugin.GRPCController/Shutdown";

impl NamedService for Controller {
    const NAME: &'static str = "plugin.GRPCController";
}

impl tower::Service<Request<BoxBody>> for Controller {
    type Response = HttpResponse<BoxBody>;
    type Error = Infallible;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<BoxBody>) -> Self::Future {
        let controller = self.clone();
        Box::pin(async move {
            if request.uri().path() != SHUTDOWN {
                return Ok(Status::unimplemented("unknown method").into_http());
            }
            Ok(Grpc::new(ProstCodec::default()).unary(controller, request).await)
        })
    }
}

impl UnaryService<Empty> for Controller {
    type Response = Empty;
    type Future = std::future::Ready<Result<Response<Empty>, Status>>;

    fn call(&mut self, _: tonic::Request<Empty>) -> Self::Future {
        self.stop.notify_one();
        std::future::ready(Ok(Response::new(Empty {})))
    }
}
