//! The other side of the protocol: starts a plugin as Grafana does, and calls it. For the demo and
//! tests.

use std::collections::HashMap;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use arrow::error::ArrowError;
use arrow::ipc::reader::FileReader;
use arrow::record_batch::RecordBatch;
use grafana_plugin_sdk::pluginv2 as proto;
use hyper_util::rt::TokioIo;
use proto::data_client::DataClient;
use proto::diagnostics_client::DiagnosticsClient;
use proto::resource_client::ResourceClient;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio_stream::StreamExt;
use tonic::codec::ProstCodec;
use tonic::transport::{Channel, Endpoint};

use super::controller::{Empty, SHUTDOWN};
use super::process::COOKIE;
use crate::oura::Secret;

/// Grafana's limit for the handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);
/// Grafana's limit for a shutdown, before it kills the process.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);
/// Largest response, in bytes: Grafana's own limit.
const MAX_RESPONSE: usize = (1 << 31) - 1;

/// A running plugin. Dropping it kills the process.
pub struct Host {
    child: Child,
    /// Open but unread: a plugin ends when its output has no reader.
    _out: Lines<BufReader<ChildStdout>>,
    channel: Channel,
}

/// A failed call or start of a plugin.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant describes it")]
pub enum HostError {
    #[error("could not start the plugin: {0}")]
    Start(#[source] std::io::Error),
    #[error("the plugin ended or printed no handshake within a minute")]
    NoHandshake,
    #[error("invalid handshake {0:?}: expected 1|2|unix|<socket>|grpc")]
    Handshake(String),
    #[error("could not connect to the plugin: {0}")]
    Connect(#[from] tonic::transport::Error),
    #[error("the call failed: {0}")]
    Call(#[from] tonic::Status),
    #[error("the plugin returned no response for {0}")]
    NoResponse(String),
    #[error("invalid frame: {0}")]
    Frame(#[from] ArrowError),
    #[error("could not wait for the plugin's end: {0}")]
    Wait(#[source] std::io::Error),
    #[error("the plugin did not end within two seconds")]
    StillRunning,
}

/// The data source and the user of a call, which Grafana sends with each one.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// The number of the organisation.
    pub org: i64,
    /// The uid of the data source.
    pub uid: String,
    /// The data source's `jsonData`.
    pub json_data: serde_json::Value,
    /// `clientSecret` of its `secureJsonData`.
    pub client_secret: Secret,
    /// The user's login name.
    pub login: String,
    /// The user's role: `Admin`, `Editor`, `Viewer` or `None`.
    pub role: String,
}

/// A query as a panel sends it.
#[derive(Clone, Debug)]
pub struct PanelQuery {
    /// The letter of the query.
    pub ref_id: String,
    /// The query's own JSON.
    pub json: serde_json::Value,
    /// The start of the range in milliseconds since 1970, included.
    pub from_ms: i64,
    /// The end of the range in milliseconds since 1970, included.
    pub to_ms: i64,
    /// The distance between two points in milliseconds.
    pub interval_ms: i64,
    /// The width of the panel in points.
    pub max_data_points: i64,
}

/// The response to one query.
#[derive(Debug)]
pub struct QueryOutcome {
    /// The decoded frames.
    pub frames: Vec<Frame>,
    /// Message and hint.
    pub error: Option<String>,
    /// An HTTP status.
    pub status: i32,
}

/// A decoded data frame.
#[derive(Debug)]
pub struct Frame {
    /// The schema's metadata: `name`, `refId` and `meta`.
    pub metadata: HashMap<String, String>,
    /// The rows.
    pub batches: Vec<RecordBatch>,
}

impl Frame {
    /// Reads an Arrow IPC file.
    pub fn decode(bytes: &[u8]) -> Result<Frame, ArrowError> {
        let reader = FileReader::try_new(std::io::Cursor::new(bytes), None)?;
        let metadata = reader.schema().metadata().clone().into();
        Ok(Frame { metadata, batches: reader.collect::<Result<_, _>>()? })
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

/// The response to a resource call.
#[derive(Debug)]
pub struct ResourceResponse {
    /// The HTTP status.
    pub status: i32,
    /// The body, from all messages of the response.
    pub body: Vec<u8>,
}

impl ResourceResponse {
    /// Parses the body. Returns null if it is not JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// The result of *Save & test*.
#[derive(Debug)]
pub struct Health {
    /// Whether the data source works.
    pub ok: bool,
    /// The text for the user.
    pub message: String,
    /// The state of connection, sync and collections.
    pub details: serde_json::Value,
}

impl Host {
    /// Starts `binary`. Its environment contains only the handshake's variables and `environment`.
    pub async fn launch(
        binary: &Path,
        environment: &[(String, String)],
    ) -> Result<Host, HostError> {
        let mut child = Command::new(binary)
            .env_clear()
            .env(COOKIE.0, COOKIE.1)
            .env("PLUGIN_PROTOCOL_VERSIONS", "2")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(HostError::Start)?;
        if let Some(log) = child.stderr.take() {
            tokio::spawn(forward_log(log));
        }
        let out = child.stdout.take().ok_or(HostError::NoHandshake)?;
        let mut lines = BufReader::new(out).lines();
        let line = match tokio::time::timeout(HANDSHAKE_TIMEOUT, lines.next_line()).await {
            Ok(Ok(Some(line))) => line,
            _ => return Err(HostError::NoHandshake),
        };
        let socket = match line.split('|').collect::<Vec<_>>()[..] {
            ["1", "2", "unix", socket, "grpc", ..] => socket.to_owned(),
            _ => return Err(HostError::Handshake(line)),
        };
        let connector = tower::service_fn(move |_| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        // A placeholder address: the connector uses the socket.
        let channel =
            Endpoint::from_static("http://plugin").connect_with_connector(connector).await?;
        Ok(Host { child, _out: lines, channel })
    }

    /// Returns the process id while the plugin runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Runs several queries in one call, as a panel does. Returns the outcomes by refId.
    pub async fn query(
        &self,
        datasource: &CallContext,
        queries: &[PanelQuery],
    ) -> Result<HashMap<String, QueryOutcome>, HostError> {
        let request = proto::QueryDataRequest {
            plugin_context: Some(datasource.context()),
            queries: queries.iter().map(PanelQuery::message).collect(),
            ..Default::default()
        };
        let mut client =
            DataClient::new(self.channel.clone()).max_decoding_message_size(MAX_RESPONSE);
        let mut responses = client.query_data(request).await?.into_inner().responses;
        let mut outcomes = HashMap::with_capacity(queries.len());
        for query in queries {
            let response = responses
                .remove(&query.ref_id)
                .ok_or_else(|| HostError::NoResponse(query.ref_id.clone()))?;
            let frames = response
                .frames
                .iter()
                .map(|bytes| Frame::decode(bytes))
                .collect::<Result<_, _>>()?;
            let error = Some(response.error).filter(|error| !error.is_empty());
            outcomes.insert(
                query.ref_id.clone(),
                QueryOutcome { frames, error, status: response.status },
            );
        }
        Ok(outcomes)
    }

    /// Calls a route below the data source's resources: `status`, `coverage?collection=sleep`.
    pub async fn resource(
        &self,
        datasource: &CallContext,
        method: &str,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<ResourceResponse, HostError> {
        let json = || proto::StringList { values: vec!["application/json".to_owned()] };
        let request = proto::CallResourceRequest {
            plugin_context: Some(datasource.context()),
            path: path.split('?').next().unwrap_or_default().to_owned(),
            method: method.to_owned(),
            url: path.to_owned(),
            headers: body.map(|_| ("Content-Type".to_owned(), json())).into_iter().collect(),
            body: body.map(|body| body.to_string().into_bytes()).unwrap_or_default().into(),
        };
        let mut client =
            ResourceClient::new(self.channel.clone()).max_decoding_message_size(MAX_RESPONSE);
        let mut chunks = client.call_resource(request).await?.into_inner();
        let mut response: Option<ResourceResponse> = None;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            response
                .get_or_insert_with(|| ResourceResponse { status: chunk.code, body: Vec::new() })
                .body
                .extend_from_slice(&chunk.body);
        }
        response.ok_or_else(|| HostError::NoResponse(path.to_owned()))
    }

    /// Runs *Save & test*.
    pub async fn health(&self, datasource: &CallContext) -> Result<Health, HostError> {
        let request = proto::CheckHealthRequest {
            plugin_context: Some(datasource.context()),
            ..Default::default()
        };
        let response =
            DiagnosticsClient::new(self.channel.clone()).check_health(request).await?.into_inner();
        Ok(Health {
            ok: response.status() == proto::check_health_response::HealthStatus::Ok,
            details: serde_json::from_slice(&response.json_details).unwrap_or_default(),
            message: response.message,
        })
    }

    /// Returns the metrics in Prometheus' text format.
    pub async fn metrics(&self) -> Result<String, HostError> {
        let response = DiagnosticsClient::new(self.channel.clone())
            .collect_metrics(proto::CollectMetricsRequest::default())
            .await?;
        let payload = response.into_inner().metrics.unwrap_or_default();
        Ok(String::from_utf8_lossy(&payload.prometheus).into_owned())
    }

    /// Requests a shutdown, and waits for it for the time that Grafana allows.
    pub async fn shutdown(mut self) -> Result<ExitStatus, HostError> {
        let mut grpc = tonic::client::Grpc::new(self.channel.clone());
        grpc.ready().await?;
        let path = axum::http::uri::PathAndQuery::from_static(SHUTDOWN);
        let _: tonic::Response<Empty> =
            grpc.unary(tonic::Request::new(Empty {}), path, ProstCodec::default()).await?;
        drop((grpc, self.channel));
        match tokio::time::timeout(SHUTDOWN_TIMEOUT, self.child.wait()).await {
            Ok(ended) => ended.map_err(HostError::Wait),
            Err(_) => Err(HostError::StillRunning),
        }
    }
}

impl CallContext {
    fn context(&self) -> proto::PluginContext {
        let settings = proto::DataSourceInstanceSettings {
            uid: self.uid.clone(),
            name: "Oura".to_owned(),
            json_data: self.json_data.to_string().into_bytes(),
            decrypted_secure_json_data: [(
                "clientSecret".to_owned(),
                self.client_secret.reveal().to_owned(),
            )]
            .into(),
            ..Default::default()
        };
        let user = proto::User {
            login: self.login.clone(),
            role: self.role.clone(),
            ..Default::default()
        };
        proto::PluginContext {
            org_id: self.org,
            plugin_id: super::PLUGIN_ID.to_owned(),
            user: Some(user),
            data_source_instance_settings: Some(settings),
            ..Default::default()
        }
    }
}

impl PanelQuery {
    fn message(&self) -> proto::DataQuery {
        proto::DataQuery {
            ref_id: self.ref_id.clone(),
            max_data_points: self.max_data_points,
            interval_ms: self.interval_ms,
            time_range: Some(proto::TimeRange {
                from_epoch_ms: self.from_ms,
                to_epoch_ms: self.to_ms,
            }),
            json: self.json.to_string().into_bytes(),
            query_type: String::new(),
        }
    }
}

/// Forwards the plugin's log lines to the log of this process.
async fn forward_log(log: impl AsyncRead + Unpin) {
    let mut lines = BufReader::new(log).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let entry: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        match (entry["@level"].as_str(), entry["@message"].as_str()) {
            (Some("error"), Some(message)) => tracing::error!(target: "plugin", "{message}"),
            (Some("warn"), Some(message)) => tracing::warn!(target: "plugin", "{message}"),
            (Some(_), Some(message)) => tracing::debug!(target: "plugin", "{message}"),
            _ => tracing::warn!(target: "plugin", "{line}"),
        }
    }
}
