//! `CollectMetrics`: this process as Prometheus sees it, on `/metrics/plugins/<id>`. The call names no data source: all are reported.

use std::fmt::Write;

use grafana_plugin_sdk::pluginv2::CollectMetricsResponse;
use grafana_plugin_sdk::pluginv2::collect_metrics_response::Payload;

use super::opening::Opening;
use crate::account::{Account, ConnectionState};

pub async fn answer(opening: &Opening) -> CollectMetricsResponse {
    let accounts = match opening.now() {
        Some(accounts) => accounts.all().await,
        None => Vec::new(),
    };
    let text = tokio::task::spawn_blocking(move || exposition(&accounts)).await.unwrap_or_default();
    CollectMetricsResponse { metrics: Some(Payload { prometheus: text.into_bytes() }) }
}

/// A gauge: name, help, and what it is for one account; `None` leaves the account out.
type Gauge = (&'static str, &'static str, fn(&Account, &crate::account::Status) -> Option<f64>);

const GAUGES: [Gauge; 5] = [
    ("ringside_connected", "Whether the data source is connected to Oura.", |_, status| {
        Some(f64::from(status.state == ConnectionState::Connected))
    }),
    ("ringside_documents", "Documents kept.", |_, status| {
        Some(status.collections.iter().map(|collection| collection.documents as f64).sum())
    }),
    ("ringside_database_bytes", "Size of the database, its log included.", |account, _| Some(account.database_size() as f64)),
    ("ringside_last_sync_timestamp_seconds", "When a collection was last synced.", |_, status| {
        status.sync.last_sync.map(|at| at.seconds() as f64)
    }),
    ("ringside_sync_running", "Whether a sync is under way.", |_, status| Some(f64::from(status.sync.running))),
];

/// Prometheus' text format, version 0.0.4. Label values are organisation ids and uids, which need no escaping.
fn exposition(accounts: &[Account]) -> String {
    let mut text = String::from("# HELP ringside_up Whether the plugin answers.\n# TYPE ringside_up gauge\nringside_up 1\n");
    let known: Vec<_> = accounts.iter().filter_map(|account| Some((account, account.status().ok()?))).collect();
    for (name, help, measure) in GAUGES {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (account, status) in &known {
            if let Some(value) = measure(account, status) {
                let (org, uid) = (account.key().org(), account.key().uid());
                let _ = writeln!(text, "{name}{{org=\"{org}\",datasource=\"{uid}\"}} {value}");
            }
        }
    }
    text
}
