//! `CollectMetrics`: Prometheus metrics of this process and all its data sources.
//!
//! Grafana serves them on `/metrics/plugins/<id>`.

use grafana_plugin_sdk::pluginv2::CollectMetricsResponse;
use grafana_plugin_sdk::pluginv2::collect_metrics_response::Payload;

use super::exposition::{Exposition, Family, Kind, Label};
use super::startup::Startup;
use crate::datasource::{DataSource, Measures};
use crate::doors::Door;
use crate::query::LATENCY_BUCKETS;

/// Returns the metrics in Prometheus' text format. A door sees its own data sources only.
pub async fn handle(startup: &Startup, door: Option<&Door>) -> CollectMetricsResponse {
    let (mut datasources, is_detailed) = match startup.opened() {
        Some(datasources) => (datasources.ready().await, datasources.has_metrics_per_datasource()),
        None => (Vec::new(), false),
    };
    if let Some(door) = door {
        datasources.retain(|datasource| datasource.key().door() == Some(&door.name));
    }
    let text = tokio::task::spawn_blocking(move || exposition(&datasources, is_detailed))
        .await
        .unwrap_or_default();
    CollectMetricsResponse { metrics: Some(Payload { prometheus: text.into_bytes() }) }
}

/// The labels `org` and `uid` of a data source's samples, after `door` if it belongs to one.
type Source<'a> = [Label<'a>];

/// Writes the samples of one data source in a family.
type Writer = fn(&mut Family<'_>, &Source<'_>, &Measures);

/// The families of data sources.
const FAMILIES: &[(&str, Kind, &str, Writer)] = &[
    (
        "ringside_connected",
        Kind::Gauge,
        "Whether the data source is connected to Oura.",
        |family, source, measures| {
            family.sample(source, measures.connected.into());
        },
    ),
    (
        "ringside_token_expiry_timestamp_seconds",
        Kind::Gauge,
        "Expiry of the access token.",
        |family, source, measures| {
            optional(family, source, measures.token_expires_at.map(|at| at.seconds()));
        },
    ),
    (
        "ringside_requests_total",
        Kind::Counter,
        "Requests to Oura's API by HTTP status; none without a response.",
        |family, source, measures| {
            for answer in &measures.answers {
                let status = answer.status.map_or("none".to_owned(), |status| status.to_string());
                family.sample(
                    &with(source, &[("collection", &answer.collection), ("status", &status)]),
                    answer.count as f64,
                );
            }
        },
    ),
    (
        "ringside_retries_total",
        Kind::Counter,
        "Retried requests to Oura's API.",
        |family, source, measures| {
            family.sample(source, measures.retries as f64);
        },
    ),
    (
        "ringside_documents",
        Kind::Gauge,
        "Stored documents and rows.",
        |family, source, measures| {
            for (collection, documents) in &measures.documents {
                family.sample(&with(source, &[("collection", collection)]), *documents as f64);
            }
        },
    ),
    (
        "ringside_collections",
        Kind::Gauge,
        "Collections in each state.",
        |family, source, measures| {
            for (state, count) in &measures.collections {
                family.sample(&with(source, &[("state", state.as_str())]), *count as f64);
            }
        },
    ),
    (
        "ringside_last_sync_timestamp_seconds",
        Kind::Gauge,
        "Time of the last successful fetch.",
        |family, source, measures| {
            optional(family, source, measures.last_sync.map(|at| at.seconds()));
        },
    ),
    (
        "ringside_sync_age_seconds",
        Kind::Gauge,
        "Time since the last successful fetch.",
        |family, source, measures| {
            optional(family, source, measures.sync_age_seconds);
        },
    ),
    (
        "ringside_sync_running",
        Kind::Gauge,
        "Whether a sync is running.",
        |family, source, measures| {
            family.sample(source, measures.sync_running.into());
        },
    ),
    (
        "ringside_sync_windows_waiting",
        Kind::Gauge,
        "Queued windows, by reason.",
        |family, source, measures| {
            for (reason, count) in &measures.windows_waiting {
                family.sample(&with(source, &[("reason", reason.as_str())]), *count as f64);
            }
        },
    ),
    ("ringside_queries_waiting", Kind::Gauge, "Queued queries.", |family, source, measures| {
        family.sample(source, measures.queries_waiting as f64);
    }),
    (
        "ringside_queries_total",
        Kind::Counter,
        "Queries by outcome: ok, or the error code.",
        |family, source, measures| {
            for (outcome, count) in &measures.queries.outcomes {
                family.sample(&with(source, &[("outcome", outcome)]), *count as f64);
            }
        },
    ),
    (
        "ringside_query_limits_total",
        Kind::Counter,
        "Queries that reached a limit.",
        |family, source, measures| {
            for (limit, count) in &measures.queries.limits {
                family.sample(&with(source, &[("limit", limit)]), *count as f64);
            }
        },
    ),
    (
        "ringside_query_duration_seconds",
        Kind::Histogram,
        "Duration of queries, including time in the queue.",
        |family, source, measures| {
            let queries = &measures.queries;
            family.histogram(
                source,
                &LATENCY_BUCKETS,
                &queries.within,
                queries.total(),
                queries.seconds,
            );
        },
    ),
    (
        "ringside_database_bytes",
        Kind::Gauge,
        "Size of the database, including its write-ahead log.",
        |family, source, measures| {
            family.sample(source, measures.database_bytes as f64);
        },
    ),
];

fn with<'a>(source: &Source<'a>, labels: &[Label<'a>]) -> Vec<Label<'a>> {
    [source, labels].concat()
}

fn optional(family: &mut Family<'_>, source: &Source<'_>, value: Option<i64>) {
    if let Some(value) = value {
        family.sample(source, value as f64);
    }
}

/// Returns the metrics in Prometheus' text format: the families of the process and, if
/// `is_detailed`, those of each data source.
///
/// Grafana serves the metrics without a login by default. The families of data sources reveal their
/// organisations, uids and counts of documents.
pub fn exposition(datasources: &[DataSource], is_detailed: bool) -> String {
    let mut exposition = Exposition::default();
    exposition.family("ringside_up", Kind::Gauge, "Whether the plugin responds.").sample(&[], 1.0);
    let build = [("version", env!("CARGO_PKG_VERSION"))];
    exposition
        .family("ringside_build_info", Kind::Gauge, "The program's version.")
        .sample(&build, 1.0);
    if let Some(bytes) = resident_memory() {
        exposition
            .family(
                "ringside_resident_memory_bytes",
                Kind::Gauge,
                "Resident memory of the process.",
            )
            .sample(&[], bytes as f64);
    }
    if let Some(count) = open_files() {
        exposition
            .family("ringside_open_files", Kind::Gauge, "Open file descriptors of the process.")
            .sample(&[], count as f64);
    }
    exposition
        .family("ringside_open_datasources", Kind::Gauge, "Data sources that are open.")
        .sample(&[], datasources.len() as f64);
    if !is_detailed {
        return exposition.finish();
    }
    let known: Vec<(String, &DataSource, Measures)> = datasources
        .iter()
        .filter_map(|datasource| {
            Some((datasource.key().org().to_string(), datasource, datasource.measures().ok()?))
        })
        .collect();
    for (name, kind, help, write) in FAMILIES {
        let mut family = exposition.family(name, *kind, help);
        for (org, datasource, measures) in &known {
            let key = datasource.key();
            let mut labels: Vec<Label<'_>> =
                key.door().map(|door| ("door", door)).into_iter().collect();
            labels.extend([("org", org.as_str()), ("uid", key.uid())]);
            write(&mut family, &labels, measures);
        }
    }
    exposition.finish()
}

/// Returns the resident memory in bytes. Only known on Linux.
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

/// Returns the number of open file descriptors. Only known on Linux.
fn open_files() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::datasource::{DataSourceKey, DataSources, Environment, Settings};
    use crate::oura::{Origins, Secret};
    use crate::query::{Limits, QueryContext, SqlQuery};

    async fn datasources(data_dir: &std::path::Path) -> DataSources {
        let limits = Limits { max_rows: 1, ..Limits::default() };
        let environment =
            Environment { limits, ..Environment::at(data_dir, Origins::oura()).unwrap() };
        let datasources = DataSources::open(environment).unwrap();
        for uid in ["one", "two"] {
            datasources
                .datasource(
                    &DataSourceKey::new(3, uid).unwrap(),
                    &Settings::default(),
                    &Secret::default(),
                )
                .await
                .unwrap();
        }
        datasources
    }

    /// Checks that Prometheus accepts the text. Returns each sample's value by name and labels.
    fn parse(text: &str) -> HashMap<String, f64> {
        let (mut samples, mut families, mut open) = (HashMap::new(), Vec::new(), ("", ""));
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, words) = help.split_once(' ').expect("a help text");
                let (typed, kind) = lines
                    .next()
                    .and_then(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
                    .expect("a type");
                assert!(
                    typed == name
                        && !words.is_empty()
                        && ["counter", "gauge", "histogram"].contains(&kind),
                    "{line}"
                );
                assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
                assert!(name.starts_with("ringside_") && !families.contains(&name), "{name}");
                families.push(name);
                open = (name, kind);
                continue;
            }
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let name = series.split('{').next().unwrap_or_default();
            let base = match open.1 {
                "histogram" => ["_bucket", "_sum", "_count"]
                    .iter()
                    .find_map(|suffix| name.strip_suffix(suffix))
                    .unwrap_or(name),
                _ => name,
            };
            assert_eq!(base, open.0, "a sample outside its family");
            assert!(
                samples.insert(series.to_owned(), value.parse().expect("a number")).is_none(),
                "{series} twice"
            );
        }
        samples
    }

    #[tokio::test]
    async fn every_data_source_reports_its_queries() {
        let folder = tempfile::tempdir().unwrap();
        let datasources = datasources(folder.path()).await;
        let context = QueryContext {
            from_ms: 0,
            to_ms: 1,
            interval: std::time::Duration::from_secs(1),
            max_data_points: 1,
        };
        let all = datasources.ready().await;
        for sql in ["SELECT 1 UNION SELECT 2", "DELETE FROM sleep", "SELECT 1"] {
            let _ = all[0]
                .query(&SqlQuery { raw_sql: sql.to_owned(), ..SqlQuery::default() }, &context)
                .await;
        }
        let (text, process_text) =
            tokio::task::spawn_blocking(move || (exposition(&all, true), exposition(&all, false)))
                .await
                .unwrap();
        let samples = parse(&text);
        assert_eq!(parse(&process_text).get("ringside_open_datasources"), Some(&2.0));
        assert!(!process_text.contains("uid") && !process_text.contains("org"), "{process_text}");
        let value = |series: &str| samples.get(series).copied();
        assert_eq!(value("ringside_up"), Some(1.0));
        assert_eq!(value(r#"ringside_connected{org="3",uid="one"}"#), Some(0.0));
        assert_eq!(value(r#"ringside_queries_total{org="3",uid="one",outcome="ok"}"#), Some(2.0));
        assert_eq!(
            value(r#"ringside_queries_total{org="3",uid="one",outcome="not_select"}"#),
            Some(1.0)
        );
        assert_eq!(
            value(r#"ringside_query_limits_total{org="3",uid="one",limit="rows"}"#),
            Some(1.0)
        );
        assert_eq!(
            value(r#"ringside_query_duration_seconds_bucket{org="3",uid="one",le="+Inf"}"#),
            Some(3.0)
        );
        assert_eq!(value(r#"ringside_query_duration_seconds_count{org="3",uid="two"}"#), Some(0.0));
        assert!(value(r#"ringside_database_bytes{org="3",uid="two"}"#) > Some(4096.0));
        assert!(value("ringside_resident_memory_bytes").is_none_or(|bytes| bytes > 1e6));
    }
}
