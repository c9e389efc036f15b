//! The services of Grafana's protocol as HTTP routes: for the socket of a plugin, and for doors.

use axum::Router;
use grafana_plugin_sdk::pluginv2::diagnostics_server::DiagnosticsServer;
use grafana_plugin_sdk::pluginv2::resource_server::ResourceServer;
use tonic::service::Routes;

use super::Plugin;
use super::data_service::DataService;
use super::startup::Startup;
use crate::datasource::DataSources;

/// Largest request, in bytes. Alert rules and expressions batch queries, and tonic's default is
/// 4 MiB.
pub const MAX_REQUEST: usize = 16 << 20;

/// Adds the services for data sources: queries, resources, health and metrics.
pub fn add_services(routes: Routes, startup: Startup) -> Routes {
    let data = DataService { startup: startup.clone(), max_request: MAX_REQUEST };
    let plugin = Plugin::new(startup);
    routes
        .add_service(DiagnosticsServer::new(plugin.clone()).max_decoding_message_size(MAX_REQUEST))
        .add_service(ResourceServer::new(plugin).max_decoding_message_size(MAX_REQUEST))
        .add_service(data)
}

/// Returns the services for the doors of an owner. Each request has its
/// [`Door`](crate::doors::Door) in the extensions.
pub fn door_services(datasources: DataSources) -> Router {
    add_services(Routes::default(), Startup::opened_with(datasources)).into_axum_router()
}
