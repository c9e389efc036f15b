//! Grafana's plugin protocol: handshake, gRPC services, and one handler per file.
//!
//! [`host`] is the other side: it starts a plugin as Grafana does.

mod call_resource;
mod check_health;
mod collect_metrics;
mod context;
mod controller;
mod data_service;
mod exposition;
mod hclog;
pub mod host;
mod messages;
mod offline;
mod process;
mod query_codec;
mod query_data;
mod services;
mod settings;
mod socket;
mod startup;

use std::pin::Pin;

use grafana_plugin_sdk::pluginv2 as proto;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, async_trait};

use check_health::HealthSyncs;
use context::Call;
use startup::Startup;

use crate::doors::Door;

pub use collect_metrics::exposition;
pub(crate) use hclog::log_filter;
pub use process::{is_started_by_grafana, run};
pub use services::door_services;
pub use settings::{ENCRYPTION_KEY, OperatorSettings, PLUGIN_ID, SettingsError, key_from, origin};

/// The services that Grafana calls. Each method has a handler in the file of its name. Cheap to
/// clone.
#[derive(Clone)]
struct Plugin {
    startup: Startup,
    health_syncs: HealthSyncs,
}

impl Plugin {
    fn new(startup: Startup) -> Plugin {
        Plugin { startup, health_syncs: HealthSyncs::default() }
    }
}

#[async_trait]
impl proto::diagnostics_server::Diagnostics for Plugin {
    async fn check_health(
        &self,
        request: Request<proto::CheckHealthRequest>,
    ) -> Result<Response<proto::CheckHealthResponse>, Status> {
        let door = request.extensions().get::<Door>().cloned();
        let context = request.into_inner().plugin_context;
        let call = Call { context: context.as_ref(), door: door.as_ref() };
        Ok(Response::new(check_health::handle(&self.startup, &self.health_syncs, call).await))
    }

    async fn collect_metrics(
        &self,
        request: Request<proto::CollectMetricsRequest>,
    ) -> Result<Response<proto::CollectMetricsResponse>, Status> {
        let door = request.extensions().get::<Door>();
        Ok(Response::new(collect_metrics::handle(&self.startup, door).await))
    }
}

#[async_trait]
impl proto::resource_server::Resource for Plugin {
    type CallResourceStream =
        Pin<Box<dyn Stream<Item = Result<proto::CallResourceResponse, Status>> + Send>>;

    async fn call_resource(
        &self,
        request: Request<proto::CallResourceRequest>,
    ) -> Result<Response<Self::CallResourceStream>, Status> {
        let door = request.extensions().get::<Door>().cloned();
        Ok(Response::new(Box::pin(
            call_resource::handle(&self.startup, door.as_ref(), request.into_inner()).await,
        )))
    }
}
