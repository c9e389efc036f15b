//! `doctor`: looks at everything a data folder needs to work, changes nothing, and says what to do about what it finds.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use url::Url;

use crate::catalog::Catalog;
use crate::datasource::vault::Vault;
use crate::datasource::{DataSourceKey, StoredLogin, specification, stored_login};
use crate::oura::{self, Origins, Secret};
use crate::plugin::{ENCRYPTION_KEY, key_from};
use crate::store::Store;
use crate::time::{Clock, Instant};

#[derive(clap::Args, Debug)]
pub struct Args {
    /// The folder that holds the data; Grafana's is called ringside-oura-datasource-data
    #[arg(long, env = "RINGSIDE_DATA_DIR", default_value = "ringside-data")]
    data_dir: PathBuf,
    /// Another origin for Oura's API: a simulator, a proxy
    #[arg(long, env = "GF_PLUGIN_OURA_URL", value_parser = crate::plugin::origin)]
    oura_url: Option<Url>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Ok,
    Warn,
    Fail,
}

/// One line of the report.
#[derive(Debug)]
struct Finding {
    level: Level,
    subject: String,
    says: String,
    /// Empty when all is well.
    remedy: String,
}

/// A clock that is off by more than this, in seconds, makes logins fail.
const SKEW: i64 = 60;
/// Data older than this are worth a word, in seconds.
const STALE: i64 = 2 * 86_400;

/// Prints one line for each finding. The exit code is 1 if any of them is a failure.
pub async fn run(args: Args) -> ExitCode {
    let clock = Clock::system();
    let key = key_from(ENCRYPTION_KEY);
    let (folder, now) = (args.data_dir.clone(), clock.now());
    let local = tokio::task::spawn_blocking(move || examine(&folder, key.as_ref(), now)).await;
    let mut findings = local.unwrap_or_else(|error| {
        vec![fail("doctor", error.to_string(), "Report this: it is a fault of the program.")]
    });
    findings.extend(examine_network(args.oura_url.as_ref(), &clock).await);
    for Finding { level, subject, says, remedy } in &findings {
        let level = match level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        println!("{level:<5} {subject:<20} {says}");
        if !remedy.is_empty() {
            println!("{:<26} → {remedy}", "");
        }
    }
    let worst = findings.iter().map(|finding| finding.level).max();
    if worst == Some(Level::Fail) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Everything that is on this machine.
fn examine(data_dir: &Path, key: Option<&Secret>, now: Instant) -> Vec<Finding> {
    let catalog = specification::catalog(data_dir, Arc::new(Catalog::bundled()));
    let mut findings = vec![ok(
        "version",
        format!("gpx_oura {}, Oura's specification {}", env!("CARGO_PKG_VERSION"), catalog.version),
    )];
    if !data_dir.is_dir() {
        let says = format!("{} does not exist", data_dir.display());
        findings.push(fail(
            "data folder",
            says,
            "--data-dir says where to look; Grafana's is called ringside-oura-datasource-data.",
        ));
        return findings;
    }
    findings.push(writable(data_dir));
    findings.push(lock(data_dir));
    let vault = vault(data_dir, key, &mut findings);
    let keys = datasources(data_dir);
    if keys.is_empty() {
        findings.push(warn(
            "data sources",
            "none has been opened here".to_owned(),
            "Save one in Grafana, or run gpx_oura serve.",
        ));
    }
    for key in keys {
        database(data_dir, &key, &catalog, now, &mut findings);
        if let Some(vault) = &vault {
            findings.push(login(vault, &key, now));
        }
    }
    findings
}

fn writable(data_dir: &Path) -> Finding {
    let probe = data_dir.join(format!("doctor-{:016x}", rand::random::<u64>()));
    let written = std::fs::write(&probe, b"1").and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => ok("data folder", data_dir.display().to_string()),
        Err(error) => {
            let says = format!("{} cannot be written: {error}", data_dir.display());
            fail(
                "data folder",
                says,
                "Let the user that runs Grafana own the folder, and free space if there is none.",
            )
        }
    }
}

/// One process may use the folder, and that is no fault.
fn lock(data_dir: &Path) -> Finding {
    let path = data_dir.join("lock");
    let Ok(file) = std::fs::File::open(&path) else { return ok("lock", "never used".to_owned()) };
    match file.try_lock_shared() {
        Ok(()) => ok("lock", "free: no process works here now".to_owned()),
        Err(_) => ok(
            "lock",
            holder(&path).map_or("held by another process".to_owned(), |pid| {
                format!("held by process {pid}")
            }),
        ),
    }
}

/// The process that holds the lock; only Linux says.
fn holder(path: &Path) -> Option<String> {
    #[cfg(target_os = "linux")]
    {
        use std::os::linux::fs::MetadataExt;
        let inode = format!(":{}", std::fs::metadata(path).ok()?.st_ino());
        let locks = std::fs::read_to_string("/proc/locks").ok()?;
        let held = locks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let held = held
            .filter(|words| words.get(1) == Some(&"FLOCK"))
            .find(|words| words.get(5).is_some_and(|id| id.ends_with(&inode)))?;
        Some(held[4].to_owned())
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        None
    }
}

/// Opens the vault if that makes nothing new: a vault without its key would get another one.
fn vault(data_dir: &Path, key: Option<&Secret>, findings: &mut Vec<Finding>) -> Option<Arc<Vault>> {
    if !Vault::exists(data_dir) {
        findings.push(warn("vault", "there is none yet".to_owned(), "Connect a data source."));
        return None;
    }
    // With both, opening would seal everything anew, which is the plugin's business.
    let has_key_file = Vault::has_key_file(data_dir);
    let key = if has_key_file { None } else { key };
    if !has_key_file && key.is_none() {
        let remedy = "Set GF_PLUGIN_ENCRYPTION_KEY to the plugin's encryption_key to have the vault looked at.";
        findings.push(warn("vault", "its key is not here".to_owned(), remedy));
        return None;
    }
    let opened =
        Vault::open(data_dir, key).and_then(|vault| vault.audit().map(|audit| (vault, audit)));
    match opened {
        Err(error) => {
            findings.push(fail("vault", error.to_string(), ""));
            None
        }
        Ok((vault, audit)) => {
            findings.push(match audit.unreadable {
                0 => ok("vault", format!("{} entries, all readable", audit.readable)),
                count => {
                    let says = format!(
                        "{count} of {} entries do not open with this key",
                        count + audit.readable
                    );
                    fail(
                        "vault",
                        says,
                        "Set the former encryption key again, or connect again. The data stay.",
                    )
                }
            });
            Some(Arc::new(vault))
        }
    }
}

/// Every `<org>/<uid>` with a database.
fn datasources(data_dir: &Path) -> Vec<DataSourceKey> {
    let folders = |path: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    };
    let key = |path: &PathBuf| -> Option<DataSourceKey> {
        let names: Vec<&str> = path.iter().rev().take(2).filter_map(|name| name.to_str()).collect();
        format!("{}/{}", names.get(1)?, names.first()?).parse().ok()
    };
    let sources =
        folders(data_dir).into_iter().flat_map(|org| folders(&org)).filter_map(|path| key(&path));
    let mut keys: Vec<DataSourceKey> =
        sources.filter(|key| key.database(data_dir).exists()).collect();
    keys.sort();
    keys
}

fn database(
    data_dir: &Path,
    key: &DataSourceKey,
    catalog: &Arc<Catalog>,
    now: Instant,
    findings: &mut Vec<Finding>,
) {
    let subject = key.to_string();
    let path = key.database(data_dir);
    let opened = Store::open_existing(&path, Arc::clone(catalog)).and_then(|store| {
        let problems = store.inspector().check()?;
        let (collections, last_run) =
            (store.inspector().collections()?, store.inspector().last_run()?);
        Ok((store, problems, collections, last_run))
    });
    let (store, problems, collections, last_run) = match opened {
        Ok(opened) => opened,
        Err(error) => return findings.push(fail(&subject, error.to_string(), "")),
    };
    if let Some(problem) = problems.first() {
        let remedy = "Stop the plugin, move the file away and put a backup in its place; without one, everything is fetched again.";
        findings.push(fail(&subject, format!("{} is damaged: {problem}", path.display()), remedy));
    }
    let documents: u64 = collections.iter().map(|row| row.documents).sum();
    findings.push(ok(
        &subject,
        format!(
            "{documents} documents and rows, {:.1} MB, zone {}",
            store.size() as f64 / 1e6,
            store.zone()
        ),
    ));
    if let Some(message) = last_run.and_then(|run| run.message) {
        findings.push(fail(
            &subject,
            format!("the last sync failed: {message}"),
            "The schedule tries again; see the login below.",
        ));
    }
    match collections.iter().filter_map(|row| row.last_sync).max() {
        None => findings.push(warn(
            &subject,
            "never synced".to_owned(),
            "Press Connect in the data source's settings.",
        )),
        Some(last) if now.seconds() - last.seconds() > STALE => {
            findings.push(warn(
                &subject,
                format!("last synced {last}"),
                "Is Grafana running, and the data source connected?",
            ));
        }
        Some(last) => findings.push(ok(&subject, format!("last synced {last}"))),
    }
    for row in collections.iter().filter(|row| row.state.is_trouble()) {
        findings.push(warn(
            &subject,
            format!("{}: {}", row.name, row.reason.as_deref().unwrap_or(row.state.as_str())),
            "",
        ));
    }
}

fn login(vault: &Arc<Vault>, key: &DataSourceKey, now: Instant) -> Finding {
    let subject = key.to_string();
    let again = "Connect again in the data source's settings.";
    match stored_login(vault, key) {
        Err(error) => fail(&subject, format!("login: {error}"), again),
        Ok(None) => {
            warn(&subject, "login: none".to_owned(), "Press Connect in the data source's settings.")
        }
        Ok(Some(StoredLogin { end_reason: Some(reason), .. })) => {
            fail(&subject, format!("login: it has ended ({reason})"), again)
        }
        Ok(Some(StoredLogin { grant, .. }))
            if grant.refresh_token.is_none() && grant.expires_at <= now =>
        {
            fail(&subject, "login: it has ended".to_owned(), again)
        }
        Ok(Some(StoredLogin { grant, .. })) => ok(
            &subject,
            format!("login: the token is good until {}, then it is renewed", grant.expires_at),
        ),
    }
}

async fn examine_network(oura_url: Option<&Url>, clock: &Clock) -> Vec<Finding> {
    let origins = oura_url.map_or_else(Origins::oura, Origins::at);
    let http = match oura::http_client() {
        Ok(http) => http,
        Err(error) => return vec![fail("network", error.to_string(), "")],
    };
    match oura::probe(&http, &origins, clock).await {
        Err(detail) => {
            let remedy = "Check this machine's network, name service and proxy; api.ouraring.com must be reachable over HTTPS.";
            vec![fail("Oura", format!("{} does not answer: {detail}", origins.api), remedy)]
        }
        Ok(skew) => vec![ok("Oura", format!("{} answers", origins.api)), time(skew)],
    }
}

fn time(skew: Option<i64>) -> Finding {
    match skew {
        None => ok("clock", "Oura does not say what time it is".to_owned()),
        Some(skew) if skew.abs() > SKEW => {
            let direction = if skew > 0 { "ahead of" } else { "behind" };
            let says = format!("{} seconds {direction} Oura's", skew.abs());
            fail(
                "clock",
                says,
                "Set this machine's clock right, with NTP for good; logins fail otherwise.",
            )
        }
        Some(_) => ok("clock", "right to the minute".to_owned()),
    }
}

fn ok(subject: &str, says: String) -> Finding {
    Finding { level: Level::Ok, subject: subject.to_owned(), says, remedy: String::new() }
}

fn warn(subject: &str, says: String, remedy: &str) -> Finding {
    Finding { level: Level::Warn, subject: subject.to_owned(), says, remedy: remedy.to_owned() }
}

fn fail(subject: &str, says: String, remedy: &str) -> Finding {
    Finding { level: Level::Fail, subject: subject.to_owned(), says, remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasource::SealedGrant;
    use crate::datasource::vault::Purpose;
    use crate::oura::GrantStore;
    use crate::oura::LoginBackend;
    use crate::oura::oauth::Grant;
    use crate::time::Tz;

    fn look(folder: &Path, key: Option<&str>) -> Vec<Finding> {
        examine(folder, key.map(Secret::new).as_ref(), Instant(1_800_000_000))
    }

    fn worst(findings: &[Finding]) -> Level {
        findings.iter().map(|finding| finding.level).max().unwrap()
    }

    fn says(findings: &[Finding], level: Level, text: &str) -> bool {
        findings.iter().any(|finding| finding.level == level && finding.says.contains(text))
    }

    fn with_a_store(folder: &Path) -> PathBuf {
        let path = DataSourceKey::single().database(folder);
        Store::open(&path, Arc::new(Catalog::bundled()), Tz::UTC).unwrap();
        path
    }

    #[test]
    fn a_folder_that_is_not_there_is_a_failure_and_an_empty_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        assert!(says(&look(&folder.path().join("nowhere"), None), Level::Fail, "does not exist"));
        let findings = look(folder.path(), None);
        assert_eq!(worst(&findings), Level::Warn);
        assert!(says(&findings, Level::Warn, "none has been opened here"));
        assert!(
            std::fs::read_dir(folder.path()).unwrap().next().is_none(),
            "looking leaves nothing behind"
        );
    }

    #[test]
    fn a_database_that_is_damaged_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = with_a_store(folder.path());
        assert!(says(&look(folder.path(), None), Level::Ok, "0 documents"));
        let mut bytes = std::fs::read(&path).unwrap();
        let (from, to) = (bytes.len() / 4, bytes.len() - 4096);
        bytes[from..to].fill(0xa5);
        std::fs::write(&path, bytes).unwrap();
        let _ = std::fs::remove_file(path.with_extension("db-wal"));
        assert_eq!(worst(&look(folder.path(), None)), Level::Fail);
    }

    #[test]
    fn a_vault_is_looked_at_without_making_it_another_key() {
        let folder = tempfile::tempdir().unwrap();
        with_a_store(folder.path());
        let vault = Vault::open(folder.path(), Some(&Secret::new("right"))).unwrap();
        vault.put(&DataSourceKey::single(), Purpose::DataSource, "settings", b"{}").unwrap();
        drop(vault);
        assert!(says(&look(folder.path(), None), Level::Warn, "its key is not here"));
        assert!(says(&look(folder.path(), Some("right")), Level::Ok, "1 entries, all readable"));
        assert!(says(
            &look(folder.path(), Some("wrong")),
            Level::Fail,
            "1 of 1 entries do not open"
        ));
        assert!(!folder.path().join("vault.key").exists());
    }

    #[test]
    fn a_login_that_is_over_is_a_failure_though_its_token_has_not_expired() {
        let folder = tempfile::tempdir().unwrap();
        with_a_store(folder.path());
        let vault = Arc::new(Vault::open(folder.path(), None).unwrap());
        let login = SealedGrant::new(vault, DataSourceKey::single());
        let grant = Grant {
            access_token: Secret::new("access"),
            refresh_token: Some(Secret::new("refresh")),
            expires_at: Instant(1_800_000_060),
            scopes: Vec::new(),
            backend: LoginBackend::Legacy,
        };
        login.save(&grant).unwrap();
        assert!(says(&look(folder.path(), None), Level::Ok, "the token is good until"));
        login.mark_ended("Oura no longer accepts its refresh token").unwrap();
        assert!(says(
            &look(folder.path(), None),
            Level::Fail,
            "it has ended (Oura no longer accepts"
        ));
    }

    #[test]
    fn a_clock_that_is_more_than_a_minute_off_is_a_failure() {
        assert_eq!(
            [None, Some(59), Some(-60), Some(61), Some(-3600)].map(|skew| time(skew).level),
            [Level::Ok, Level::Ok, Level::Ok, Level::Fail, Level::Fail]
        );
    }
}
