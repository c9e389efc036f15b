//! `gpx_oura serve` as a process, on the data of an earlier version's fixture.

use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use ringside::catalog::Catalog;
use ringside::store::Store;
use ringside::time::Tz;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::database;

pub const READ_TOKEN: &str = "read-token-of-the-tests";
pub const ADMIN_TOKEN: &str = "admin-token-of-the-tests";

/// A data folder with five days of a synthetic person. No login.
pub fn data_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = database(folder.path());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let fixture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/databases/format-2.db.gz");
    let mut content = Vec::new();
    let file = std::fs::File::open(fixture).unwrap();
    flate2::read::GzDecoder::new(file).read_to_end(&mut content).unwrap();
    std::fs::write(&path, content).unwrap();
    // The present format and tables, as after the first start.
    let store = Store::open(&path, Arc::new(Catalog::bundled()), Tz::UTC).unwrap();
    store.writer().rebuild().unwrap();
    drop(store);
    folder
}

/// A running server. Dropping it kills the process.
pub struct Server {
    pub origin: String,
    http: reqwest::Client,
    child: Child,
}

/// The status, the headers and the body of a response.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The code of an error. Asserts that it has a message and a hint.
    #[track_caller]
    pub fn code(&self) -> String {
        let error = &self.json()["error"];
        let is_filled = |field: &str| error[field].as_str().is_some_and(|text| !text.is_empty());
        assert!(is_filled("message") && is_filled("hint"), "{}", self.text());
        error["code"].as_str().unwrap().to_owned()
    }
}

impl Server {
    /// Starts a server on `folder` with further arguments.
    pub async fn start(folder: &Path, arguments: &[&str]) -> Server {
        Server::start_with(folder, arguments, &[]).await
    }

    /// The same with variables of the environment. An empty value removes a variable.
    pub async fn start_with(
        folder: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gpx_oura"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--data-dir"])
            .arg(folder)
            .args(arguments)
            .env("RINGSIDE_READ_TOKEN", READ_TOKEN)
            .env("RINGSIDE_ADMIN_TOKEN", ADMIN_TOKEN)
            // No sync reaches Oura: the data source has no login.
            .env("GF_PLUGIN_OURA_URL", "http://127.0.0.1:9/");
        for (name, value) in variables {
            match *value {
                "" => command.env_remove(name),
                value => command.env(name, value),
            };
        }
        let mut child =
            command.stdout(Stdio::piped()).stdin(Stdio::null()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().expect("serve ended at its start");
        let origin = line.strip_prefix("listening on ").unwrap().to_owned();
        // Tests look at redirects.
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Server { origin, http, child }
    }

    /// The largest resident memory of the process so far, in bytes.
    #[cfg(target_os = "linux")]
    pub fn peak_memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id().unwrap());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    /// A request below the origin, without a token.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method.parse().unwrap(), format!("{}{path}", self.origin))
    }

    /// Sends `request`.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        Answer { status, headers, body: response.bytes().await.unwrap().to_vec() }
    }

    /// Sends a GET request with `token`.
    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(self.request("GET", path).bearer_auth(token)).await
    }

    /// Sends a POST request with `token` and a JSON body.
    pub async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.send(self.request("POST", path).bearer_auth(token).json(body)).await
    }
}
