//! `demo --grafana`: an installed Grafana with this plugin, demo data and all dashboards.
//!
//! Grafana gets its own settings and data in the demo's folder, so an existing installation and its
//! data stay unchanged. The plugin itself simulates Oura, as for each data source with demo data.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::{Child, Command};

use super::super::Failure;
use super::super::dashboard::DASHBOARDS;
use super::super::output::stdout;

/// The id in plugin.json, which is also the name of the plugin's folder.
const PLUGIN_ID: &str = "ringside-oura-datasource";
/// The data source of the demo and of the alert rules.
const DATASOURCE_UID: &str = "oura";
/// The oldest Grafana that can load the plugin: `grafanaDependency` in plugin.json.
const MIN_VERSION: (u32, u32) = (12, 3);
/// Grafana migrates its database at the first start, which takes half a minute on a slow machine.
const START_TIMEOUT: Duration = Duration::from_secs(180);
const POLL_INTERVAL: Duration = Duration::from_millis(300);
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// The lines of Grafana's log that an error shows.
const LOG_LINES: usize = 8;

/// A reason why the demo's Grafana does not start. `Display` includes the remedy.
#[derive(Debug, thiserror::Error)]
pub enum GrafanaError {
    /// No program.
    #[error(
        "no Grafana at {}: pass the folder of an installation, or its program bin/grafana",
        .0.display()
    )]
    NotFound(PathBuf),
    /// A program without the folder with its pages.
    #[error(
        "no conf/defaults.ini and public/ for {}: pass the folder of the installation with \
         --grafana-home",
        .0.display()
    )]
    NoHome(PathBuf),
    /// A version that cannot load the plugin.
    #[error(
        "Grafana {found} is too old for this plugin: install {}.{} or later",
        MIN_VERSION.0,
        MIN_VERSION.1
    )]
    TooOld {
        /// Its version.
        found: String,
    },
    /// Another program listens.
    #[error("port {0} is in use: choose another one with --port")]
    PortInUse(u16),
    /// No frontend of the plugin.
    #[error(
        "no plugin folder with module.js next to the program or in dist/: run `go tool mage build` \
         first, or use the program inside the unpacked package"
    )]
    NoPlugin,
    /// Grafana ended during its start, or the data source does not answer.
    #[error("Grafana did not start: {reason}. Its log is {}\n{}", log.display(), tail(log))]
    NotStarted {
        /// The failure.
        reason: String,
        /// Its log.
        log: PathBuf,
    },
}

/// Runs Grafana until Ctrl-C. `folder` is the demo's data folder, after its preparation.
pub async fn run(
    grafana: &Path,
    home: Option<&Path>,
    port: u16,
    folder: &Path,
) -> Result<(), Failure> {
    let installation = Installation::find(grafana, home)?;
    let plugin = plugin_folder()?;
    check_port(port)?;
    let folder = std::path::absolute(folder)?.join("grafana");
    write_settings(&folder, port, &plugin)?;
    let log = folder.join("grafana.log");
    let mut child = installation.start(&folder, &log)?;
    let address = format!("http://localhost:{port}");
    eprintln!("Grafana starts. Its log is {}", log.display());
    tokio::select! {
        ready = wait_until_ready(&mut child, port, &log) => ready?,
        () = ctrl_c() => return stop(child).await,
    }
    writeln!(
        stdout(),
        "Open {address}. Everyone on this machine is an administrator there.\nCtrl-C ends it."
    )?;
    tokio::select! {
        status = child.wait() => {
            let reason = format!("it ended with {}", status?);
            Err(GrafanaError::NotStarted { reason, log }.into())
        }
        () = ctrl_c() => stop(child).await,
    }
}

/// An installed Grafana.
#[derive(Debug)]
struct Installation {
    program: PathBuf,
    /// The folder with `conf/defaults.ini` and `public/`.
    home: PathBuf,
}

impl Installation {
    fn find(path: &Path, home: Option<&Path>) -> Result<Installation, Failure> {
        let path = std::path::absolute(path)?;
        let program = if path.is_dir() {
            let names = ["bin/grafana", "bin/grafana.exe", "grafana"];
            names.iter().map(|name| path.join(name)).find(|program| program.is_file())
        } else {
            path.is_file().then(|| path.clone())
        };
        let program = program.ok_or_else(|| GrafanaError::NotFound(path.clone()))?;
        let above = program.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
        let candidates = match home {
            Some(home) => vec![std::path::absolute(home)?],
            None => vec![
                path,
                above.to_owned(),
                above.join("share/grafana"),
                PathBuf::from("/usr/share/grafana"),
            ],
        };
        let home = candidates
            .into_iter()
            .find(|home| home.join("conf/defaults.ini").is_file() && home.join("public").is_dir())
            .ok_or_else(|| GrafanaError::NoHome(program.clone()))?;
        let installation = Installation { program, home };
        installation.check_version()?;
        Ok(installation)
    }

    fn check_version(&self) -> Result<(), Failure> {
        let found = self.version()?;
        if parse_version(&found).is_some_and(|version| version < MIN_VERSION) {
            return Err(GrafanaError::TooOld { found }.into());
        }
        Ok(())
    }

    /// Returns the version of the installation: of its file, of its sources, or of the program.
    fn version(&self) -> Result<String, Failure> {
        if let Ok(text) = fs::read_to_string(self.home.join("VERSION")) {
            return Ok(text.trim().trim_start_matches('v').to_owned());
        }
        if let Ok(text) = fs::read_to_string(self.home.join("package.json")) {
            let package: Value = serde_json::from_str(&text)?;
            if let Some(version) = package["version"].as_str() {
                return Ok(version.to_owned());
            }
        }
        let output = std::process::Command::new(&self.program).arg("-v").output();
        let output = output.map_err(|_| GrafanaError::NotFound(self.program.clone()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.split_whitespace().last().unwrap_or_default().to_owned())
    }

    fn start(&self, folder: &Path, log: &Path) -> Result<Child, Failure> {
        let output = File::create(log)?;
        let mut command = Command::new(&self.program);
        command
            .arg("server")
            .arg("--homepath")
            .arg(&self.home)
            .arg("--config")
            .arg(folder.join("grafana.ini"))
            .current_dir(&self.home)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true);
        // Variables of a configured Grafana would change the demo.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GF_") {
                command.env_remove(name);
            }
        }
        command.spawn().map_err(|_| GrafanaError::NotFound(self.program.clone()).into())
    }
}

/// Parses the first two numbers of a version. `None` for text without them.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(['.', '-', '+']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn check_port(port: u16) -> Result<(), Failure> {
    match TcpListener::bind(("127.0.0.1", port)) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            Err(GrafanaError::PortInUse(port).into())
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Returns the folder of the built plugin: the program's own, or dist/ of a source tree.
fn plugin_folder() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe()?;
    let candidates = [program.parent().map(Path::to_owned), std::path::absolute("dist").ok()];
    candidates
        .into_iter()
        .flatten()
        .find(|folder| folder.join("module.js").is_file() && folder.join("plugin.json").is_file())
        .ok_or_else(|| GrafanaError::NoPlugin.into())
}

/// Writes Grafana's settings, and the provisioning of data source, dashboards and alert rules.
fn write_settings(folder: &Path, port: u16, plugin: &Path) -> Result<(), Failure> {
    let provisioning = folder.join("provisioning");
    for name in ["datasources", "dashboards", "alerting", "plugins"] {
        fs::create_dir_all(provisioning.join(name))?;
    }
    let mut home_dashboard = PathBuf::new();
    for dashboard in DASHBOARDS {
        let parsed: Value = serde_json::from_str(dashboard)?;
        let uid = parsed["uid"].as_str().ok_or("a dashboard has no uid")?;
        let file = provisioning.join("dashboards").join(format!("{uid}.json"));
        fs::write(&file, dashboard)?;
        if uid == "oura-today" {
            home_dashboard = file;
        }
    }
    let path = |path: &Path| path.display().to_string();
    let provider = include_str!("../../../provisioning/dashboards/oura.yaml").replace(
        "/etc/grafana/provisioning/dashboards",
        &serde_json::to_string(&path(&provisioning.join("dashboards")))?,
    );
    fs::write(provisioning.join("dashboards/oura.yaml"), provider)?;
    fs::write(
        provisioning.join("alerting/oura.yaml"),
        include_str!("../../../provisioning/alerting/oura.yaml"),
    )?;
    fs::write(
        provisioning.join("datasources/oura.yaml"),
        include_str!("../../../deploy/demo.yaml"),
    )?;
    let installed = folder.join("plugins").join(PLUGIN_ID);
    copy_folder(plugin, &installed)?;
    install_program(&std::env::current_exe()?, &installed)?;
    let settings = format!(
        "[paths]\ndata = {}\nlogs = {}\nplugins = {}\nprovisioning = {}\n\
         [server]\nhttp_addr = 127.0.0.1\nhttp_port = {port}\n\
         [plugins]\nallow_loading_unsigned_plugins = {PLUGIN_ID}\npreinstall_disabled = true\n\
         [auth.anonymous]\nenabled = true\norg_role = Admin\n\
         [analytics]\nreporting_enabled = false\ncheck_for_updates = false\n\
         check_for_plugin_updates = false\n\
         [news]\nnews_feed_enabled = false\n\
         [dashboards]\ndefault_home_dashboard_path = {}\n",
        path(&folder.join("data")),
        path(&folder.join("logs")),
        path(&folder.join("plugins")),
        path(&provisioning),
        path(&home_dashboard),
    );
    fs::write(folder.join("grafana.ini"), settings)?;
    Ok(())
}

/// Copies a folder. Files are hard links where the file system allows it.
fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &copy)?;
        } else if fs::hard_link(entry.path(), &copy).is_err() {
            fs::copy(entry.path(), &copy)?;
        }
    }
    Ok(())
}

/// Puts the running program into the plugin's folder. A folder that was built without the program,
/// or with an older one, gets the version that writes the settings.
fn install_program(program: &Path, plugin: &Path) -> std::io::Result<()> {
    let target = plugin.join(backend_name());
    match fs::remove_file(&target) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::copy(program, target).map(drop)
}

/// Returns the file name under which Grafana starts the backend of this machine: that of Go's
/// names for the operating system and the architecture.
fn backend_name() -> String {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("gpx_oura_{system}_{architecture}{}", std::env::consts::EXE_SUFFIX)
}

/// Waits until the data source answers, which includes its first sync with the simulator.
async fn wait_until_ready(child: &mut Child, port: u16, log: &Path) -> Result<(), Failure> {
    let not_started =
        |reason: String| GrafanaError::NotStarted { reason, log: log.to_owned() }.into();
    let http = reqwest::Client::builder().no_proxy().build()?;
    let health = format!("http://127.0.0.1:{port}/api/datasources/uid/{DATASOURCE_UID}/health");
    let started = Instant::now();
    let mut last = "no response".to_owned();
    while started.elapsed() < START_TIMEOUT {
        if let Some(status) = child.try_wait()? {
            return Err(not_started(format!("it ended with {status}")));
        }
        if let Ok(response) = http.get(&health).send().await {
            if response.status().is_success() {
                return Ok(());
            }
            last = format!("the data source answers with status {}", response.status());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Err(not_started(format!("{last} after {} s", START_TIMEOUT.as_secs())))
}

/// Resolves at Ctrl-C, or at the signal that ends a service.
async fn ctrl_c() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// Ends Grafana, which ends the plugin.
async fn stop(mut child: Child) -> Result<(), Failure> {
    eprintln!("Grafana stops");
    #[cfg(unix)]
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        // SAFETY: `kill` takes two numbers. The child has not been waited for, so that its pid
        // belongs to no other process.
        unsafe { libc::kill(pid, libc::SIGTERM) };
    }
    if tokio::time::timeout(STOP_TIMEOUT, child.wait()).await.is_err() {
        child.kill().await?;
    }
    Ok(())
}

/// Returns the last lines of a log, or nothing.
fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An installation with a version file and a program that does nothing.
    fn installation(version: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in ["bin", "conf", "public"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("bin/grafana"), "").unwrap();
        fs::write(folder.path().join("conf/defaults.ini"), "").unwrap();
        fs::write(folder.path().join("VERSION"), version).unwrap();
        folder
    }

    fn message(found: Result<Installation, Failure>) -> String {
        found.unwrap_err().to_string()
    }

    #[test]
    fn installation_is_found_by_folder_and_by_program() {
        let folder = installation("12.4.0\n");
        for path in [folder.path().to_owned(), folder.path().join("bin/grafana")] {
            let found = Installation::find(&path, None).unwrap();
            assert_eq!(found.home, std::path::absolute(folder.path()).unwrap());
            assert_eq!(found.program, found.home.join("bin/grafana"));
        }
    }

    #[test]
    fn wrong_path_and_missing_home_name_the_remedy() {
        let folder = installation("12.4.0");
        let missing = Installation::find(&folder.path().join("nowhere"), None);
        assert!(message(missing).contains("pass the folder of an installation"));
        let empty = tempfile::tempdir().unwrap();
        let homeless = Installation::find(&folder.path().join("bin/grafana"), Some(empty.path()));
        assert!(message(homeless).contains("--grafana-home"));
    }

    #[test]
    fn plugin_folder_gets_the_running_program() {
        let built = tempfile::tempdir().unwrap();
        let program = built.path().join("gpx_oura");
        for older in [None, Some("older")] {
            let plugin = tempfile::tempdir().unwrap();
            let installed = plugin.path().join(backend_name());
            if let Some(older) = older {
                // `copy_folder` links files, so a write would change the built plugin.
                fs::write(built.path().join("linked"), older).unwrap();
                fs::hard_link(built.path().join("linked"), &installed).unwrap();
            }
            fs::write(&program, "program").unwrap();
            install_program(&program, plugin.path()).unwrap();
            assert_eq!(fs::read_to_string(&installed).unwrap(), "program");
        }
        assert_eq!(fs::read_to_string(built.path().join("linked")).unwrap(), "older");
        let manifest: Value = serde_json::from_str(include_str!("../../../plugin.json")).unwrap();
        let name = manifest["executable"].as_str().unwrap();
        assert!(backend_name().starts_with(&format!("{name}_")), "{name}");
    }

    #[test]
    fn old_versions_are_rejected() {
        for (version, is_too_old) in [
            ("11.6.1", true),
            ("12.2.9", true),
            ("v12.3.0", false),
            ("12.4.0-pre", false),
            ("13.0.1+security-01", false),
            ("unknown", false),
        ] {
            let folder = installation(version);
            let found = Installation::find(folder.path(), None);
            assert_eq!(found.is_err(), is_too_old, "{version}");
            if is_too_old {
                assert!(message(found).contains("install 12.3 or later"));
            }
        }
    }

    #[test]
    fn oldest_version_is_that_of_the_manifest() {
        let manifest: Value = serde_json::from_str(include_str!("../../../plugin.json")).unwrap();
        let dependency = manifest["dependencies"]["grafanaDependency"].as_str().unwrap();
        assert_eq!(parse_version(dependency.trim_start_matches(">=")), Some(MIN_VERSION));
        assert_eq!(manifest["id"], PLUGIN_ID);
    }

    #[test]
    fn used_port_is_reported() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = check_port(port).unwrap_err().to_string();
        assert!(error.contains(&port.to_string()) && error.contains("--port"), "{error}");
        drop(listener);
        check_port(port).unwrap();
    }

    #[test]
    fn settings_provision_everything() {
        let folder = tempfile::tempdir().unwrap();
        let plugin = tempfile::tempdir().unwrap();
        fs::create_dir(plugin.path().join("img")).unwrap();
        fs::write(plugin.path().join("img/logo.svg"), "<svg/>").unwrap();
        write_settings(folder.path(), 3456, plugin.path()).unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(read("grafana.ini").contains("http_port = 3456\n"));
        assert!(read("provisioning/dashboards/oura-data.json").contains("Oura data"));
        let dashboards = folder.path().join("provisioning/dashboards");
        assert!(read("provisioning/dashboards/oura.yaml").contains(dashboards.to_str().unwrap()));
        assert!(read("provisioning/alerting/oura.yaml").contains("isPaused: true"));
        assert!(read("provisioning/datasources/oura.yaml").contains("demo: true"));
        assert_eq!(read("plugins/ringside-oura-datasource/img/logo.svg"), "<svg/>");
    }
}
