//! The programs under attack: `serve` over HTTP, and the plugin over gRPC, each as a process of its
//! own with a copy of one data folder.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringside::catalog::Catalog;
use ringside::datasource::DataSourceKey;
use ringside::oura::Secret;
use ringside::plugin::host::{CallContext, Host, PanelQuery};
use ringside::store::Store;
use ringside::time::Tz;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::attacks::{Client, Send};

pub const READ_TOKEN: &str = "read-token-of-the-attacks";
const ADMIN_TOKEN: &str = "admin-token-of-the-attacks";

/// How long silent clients stay.
const SILENCE: Duration = Duration::from_secs(2);

/// The limits of the programs, so that the attacks are quick.
const QUICK_LIMITS: [(&str, &str); 3] = [
    ("GF_PLUGIN_QUERY_TIMEOUT", "1s"),
    ("GF_PLUGIN_QUERY_MAX_MEMORY", "67108864"),
    ("GF_PLUGIN_QUERY_MAX_BYTES", "67108864"),
];

/// Whether the programs run with their own limits, for the figures in the documents.
pub fn is_full() -> bool {
    std::env::var_os("HOSTILE_FULL").is_some()
}

fn environment(folder: &Path) -> Vec<(String, String)> {
    let mut environment = vec![
        ("RINGSIDE_READ_TOKEN".to_owned(), READ_TOKEN.to_owned()),
        ("RINGSIDE_ADMIN_TOKEN".to_owned(), ADMIN_TOKEN.to_owned()),
        ("GF_PLUGIN_DATA_DIR".to_owned(), folder.to_str().unwrap().to_owned()),
        // No sync reaches Oura: the data source has no login.
        ("GF_PLUGIN_OURA_URL".to_owned(), "http://127.0.0.1:9/".to_owned()),
    ];
    if !is_full() {
        environment.extend(QUICK_LIMITS.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    environment
}

/// A data folder with 400 days and 2,000 heart rates.
pub fn data_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = DataSourceKey::single().database(folder.path());
    drop(Store::open(&path, Arc::new(Catalog::bundled()), Tz::UTC).unwrap());
    let writer = rusqlite::Connection::open(&path).unwrap();
    writer
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
             INSERT INTO heartrate (time, bpm, source)
             SELECT 1700000000 + 300 * i, 50 + i % 40, 'awake' FROM n;
             INSERT INTO calendar (day, time)
             SELECT date('2023-11-15', i || ' days'), 1700002800 + 86400 * i
             FROM (SELECT row_number() OVER () AS i FROM heartrate LIMIT 400);
             PRAGMA wal_checkpoint(TRUNCATE)",
        )
        .unwrap();
    folder
}

/// One program under attack.
pub enum Target {
    Serve {
        child: Child,
        address: String,
        http: reqwest::Client,
        /// The client of a well-behaved caller, with an address of its own: limits count for each.
        neighbour: reqwest::Client,
        _folder: tempfile::TempDir,
    },
    Plugin {
        host: Host,
        _folder: tempfile::TempDir,
    },
}

/// The kind of a [`Target`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Serve,
    Plugin,
}

fn caller(org: i64) -> CallContext {
    CallContext {
        org,
        uid: "oura".to_owned(),
        json_data: json!({}),
        client_secret: Secret::default(),
        login: "viewer".to_owned(),
        role: "Viewer".to_owned(),
    }
}

fn panel(number: usize, json: &Value) -> PanelQuery {
    PanelQuery {
        ref_id: format!("Q{number}"),
        json: json.clone(),
        from_ms: 1_700_000_000_000,
        to_ms: 1_734_000_000_000,
        interval_ms: 60_000,
        max_data_points: 1_000,
    }
}

impl Target {
    /// Starts a program on a copy of the data in `source`.
    pub async fn start(kind: Kind, source: &Path) -> Target {
        let folder = tempfile::tempdir().unwrap();
        let key = DataSourceKey::single();
        std::fs::create_dir_all(key.folder(folder.path())).unwrap();
        std::fs::copy(key.database(source), key.database(folder.path())).unwrap();
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_gpx_oura"));
        let environment = environment(folder.path());
        match kind {
            Kind::Plugin => {
                let host = Host::launch(&binary, &environment).await.unwrap();
                Target::Plugin { host, _folder: folder }
            }
            Kind::Serve => {
                let mut child = Command::new(binary)
                    .args(["serve", "--listen", "127.0.0.1:0", "--log-level", "error"])
                    .arg("--data-dir")
                    .arg(folder.path())
                    .envs(environment)
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null())
                    .kill_on_drop(true)
                    .spawn()
                    .unwrap();
                let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
                let line = lines.next_line().await.unwrap().expect("serve ended at its start");
                let address = line.rsplit("//").next().unwrap().to_owned();
                let http = reqwest::Client::builder().no_proxy().build().unwrap();
                let neighbour = reqwest::Client::builder()
                    .no_proxy()
                    .local_address(std::net::IpAddr::from([127, 0, 0, 2]))
                    .build()
                    .unwrap();
                Target::Serve { child, address, http, neighbour, _folder: folder }
            }
        }
    }

    pub fn pid(&self) -> u32 {
        match self {
            Target::Serve { child, .. } => child.id(),
            Target::Plugin { host, .. } => host.pid(),
        }
        .expect("the program ended under attack")
    }

    /// Sends an attack once. Returns its outcome, or `None` if the target has no such entrance.
    pub async fn send(&self, attack: &Send) -> Option<String> {
        match (self, attack) {
            (Target::Serve { .. }, Send::Sql(query)) => {
                Some(self.resource("POST", "sql", Some(query)).await)
            }
            (_, Send::Resource(method, path, body)) => {
                Some(self.resource(method, path, body.as_ref()).await)
            }
            (Target::Serve { address, .. }, Send::Raw(bytes, client)) => {
                connect(address, bytes, *client, self.pid()).await;
                Some(String::new())
            }
            (Target::Plugin { host, .. }, Send::Sql(query) | Send::Panel(query)) => {
                Some(query_data(host, std::slice::from_ref(query)).await)
            }
            (Target::Plugin { host, .. }, Send::Panels(queries)) => {
                Some(query_data(host, queries).await)
            }
            (Target::Serve { .. }, Send::Panel(_) | Send::Panels(_))
            | (Target::Plugin { .. }, Send::Raw(..)) => None,
        }
    }

    async fn resource(&self, method: &str, path: &str, body: Option<&Value>) -> String {
        match self {
            Target::Serve { address, http, .. } => {
                let url = format!("http://{address}/api/{path}");
                let mut request = http
                    .request(method.parse().unwrap(), url)
                    .bearer_auth(READ_TOKEN)
                    .header("Content-Type", "application/json");
                if let Some(body) = body {
                    request = request.body(body.to_string());
                }
                outcome(request).await
            }
            Target::Plugin { host, .. } => {
                match host.resource(&caller(1), method, path, body).await {
                    Ok(response) => format!("{} ({} bytes)", response.status, response.body.len()),
                    Err(error) => error.to_string(),
                }
            }
        }
    }

    /// Calls as a well-behaved client: the status, and in the plugin a query of another
    /// organisation. Panics on an error.
    pub async fn neighbour(&self) {
        match self {
            Target::Serve { address, neighbour, .. } => {
                let request = neighbour.get(format!("http://{address}/api/status"));
                let answer = outcome(request.bearer_auth(ADMIN_TOKEN)).await;
                assert!(answer.starts_with("200"), "{answer}");
            }
            Target::Plugin { host, .. } => {
                let query = panel(0, &json!({ "rawSql": "SELECT 1" }));
                let outcomes = host.query(&caller(2), &[query]).await.unwrap();
                assert_eq!(outcomes["Q0"].error, None);
                let status = host.resource(&caller(2), "GET", "status", None).await.unwrap();
                assert_eq!(status.status, 200);
            }
        }
    }

    /// Checks the health as Grafana does, in the plugin. Panics on another failure than the missing
    /// settings.
    pub async fn check_health(&self) {
        if let Target::Plugin { host, .. } = self {
            let health = host.health(&caller(2)).await.unwrap();
            assert!(health.message.contains("Missing client ID"), "{}", health.message);
        }
    }

    /// Turns on demo data of a third organisation in the plugin, which syncs them.
    pub async fn start_demo(&self) {
        if let Target::Plugin { host, .. } = self {
            let demo = CallContext { json_data: json!({ "demo": true }), ..caller(3) };
            let status = host.resource(&demo, "GET", "status", None).await.unwrap();
            assert_eq!(status.status, 200);
        }
    }

    /// Sends SIGTERM and waits for the end, for at most half a minute. Returns the time that it took.
    pub async fn end(&self) -> Duration {
        let pid = self.pid();
        let begun = Instant::now();
        let status = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await.unwrap();
        assert!(status.success());
        while is_running(pid) && begun.elapsed() < Duration::from_secs(30) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        begun.elapsed()
    }
}

/// Whether a process runs. A zombie has ended.
fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Sends a request of `serve` and reads the response.
async fn outcome(request: reqwest::RequestBuilder) -> String {
    match request.send().await {
        Ok(mut response) => {
            let mut bytes = 0;
            while let Ok(Some(chunk)) = response.chunk().await {
                bytes += chunk.len();
            }
            format!("{} ({bytes} bytes)", response.status())
        }
        Err(error) => error.to_string(),
    }
}

async fn query_data(host: &Host, queries: &[Value]) -> String {
    let queries: Vec<_> =
        queries.iter().enumerate().map(|(number, query)| panel(number, query)).collect();
    match host.query(&caller(1), &queries).await {
        Ok(outcomes) => {
            let outcome = &outcomes["Q0"];
            let error: String = outcome.error.iter().flat_map(|e| e.chars().take(90)).collect();
            format!("{} {error}", outcome.status)
        }
        Err(error) => error.to_string().chars().take(90).collect(),
    }
}

/// Connects as a client of bad manners.
async fn connect(address: &str, bytes: &[u8], client: Client, pid: u32) {
    let count = match client {
        Client::Silent(count) | Client::Drip(count) => count,
        Client::Leaves => 3,
    };
    let busy = cpu_time(pid) + Duration::from_millis(200);
    let mut streams = Vec::new();
    for _ in 0..count {
        // The server may close a connection before all bytes are there.
        if let Ok(mut stream) = TcpStream::connect(address).await
            && stream.write_all(bytes).await.is_ok()
        {
            streams.push(stream);
        }
    }
    let begun = Instant::now();
    while begun.elapsed() < SILENCE {
        if matches!(client, Client::Leaves) && cpu_time(pid) >= busy {
            break;
        }
        if matches!(client, Client::Drip(_)) {
            for stream in &mut streams {
                let _ = stream.write_all(b"x").await;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How long the server keeps a client that sends `bytes` and reads nothing, at most a minute.
pub async fn time_until_cut(target: &Target, bytes: &[u8]) -> Duration {
    let Target::Serve { address, .. } = target else { panic!("only serve has connections") };
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    // After the cut, the system rejects further bytes.
    while begun.elapsed() < Duration::from_secs(60) && stream.write_all(b"x").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    begun.elapsed()
}

/// The peak of the resident memory of a process since [`reset_peak`], in bytes.
pub fn peak_memory(pid: u32) -> u64 {
    status_kilobytes(pid, "VmHWM:") << 10
}

/// The resident memory of a process in bytes.
pub fn memory(pid: u32) -> u64 {
    status_kilobytes(pid, "VmRSS:") << 10
}

fn status_kilobytes(pid: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))
        .unwrap_or_else(|error| panic!("the program ended under attack: {error}"));
    let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// The number of open files and connections of a process.
pub fn file_handles(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Lets the peak of a process start at its current memory.
pub fn reset_peak(pid: u32) {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
}

/// The processor time of a process so far.
pub fn cpu_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    Duration::from_millis(10 * (ticks(11).unwrap_or(0) + ticks(12).unwrap_or(0)))
}
