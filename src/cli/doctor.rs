//! `doctor`: checks the data folder, the vault, the databases, the logins and the network.
//!
//! It changes nothing, and prints a remedy for every problem.

use std::fs::TryLockError;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use url::Url;

use super::output::stdout;
use crate::catalog::Catalog;
use crate::datasource::vault::{Vault, check_key_length};
use crate::datasource::{
    DataSourceKey, MIN_FREE_BYTES, StoredLogin, read_record, specification, stored_login,
};
use crate::format::grouped;
use crate::os::{self, RAISE_FILE_LIMIT};
use crate::oura::{self, Origins, ProbeError, Secret};
use crate::plugin::{ENCRYPTION_KEY, key_from};
use crate::store::{NEEDS_LOCKS, Store, StoreError, find_damage};
use crate::time::{Clock, Instant, Tz};

#[derive(clap::Args, Debug)]
pub struct Args {
    /// The data folder. Grafana's is named ringside-oura-datasource-data
    #[arg(long, env = "RINGSIDE_DATA_DIR", default_value = "ringside-data")]
    data_dir: PathBuf,
    /// Origin of Oura's API, for a simulator or a proxy
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
    message: String,
    /// Empty without a problem.
    remedy: String,
}

/// Largest clock difference that logins tolerate, in seconds.
const MAX_CLOCK_SKEW: i64 = 60;
/// Days without a request that cause a warning: the default of `forget_after_days`.
const MAX_UNNAMED_DAYS: i64 = 30;
/// Age of the last sync that causes a warning, in seconds.
const MAX_SYNC_AGE: i64 = 2 * 86_400;

/// Prints one line for each finding. The exit code is 1 if one of them is a failure.
pub async fn run(args: Args) -> ExitCode {
    let clock = Clock::system();
    let key = key_from(ENCRYPTION_KEY);
    let (folder, now) = (args.data_dir.clone(), clock.now());
    let local = tokio::task::spawn_blocking(move || check_local(&folder, key.as_ref(), now)).await;
    let mut findings = local.unwrap_or_else(|error| {
        vec![fail("doctor", error.to_string(), "Report this bug of gpx_oura.")]
    });
    findings.extend(check_network(args.oura_url.as_ref(), &clock).await);
    for Finding { level, subject, message, remedy } in &findings {
        let level = match level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        line(&format!("{level:<5} {subject:<20} {message}"));
        if !remedy.is_empty() {
            line(&format!("{:<26} → {remedy}", ""));
        }
    }
    let worst = findings.iter().map(|finding| finding.level).max();
    if worst == Some(Level::Fail) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn line(text: &str) {
    // The exit code reports the findings even if they cannot be printed.
    let _ = writeln!(stdout(), "{text}");
}

/// Checks everything on this machine.
fn check_local(data_dir: &Path, key: Option<&Secret>, now: Instant) -> Vec<Finding> {
    let catalog = specification::catalog(data_dir, Arc::new(Catalog::bundled()));
    let mut findings = vec![ok(
        "version",
        format!("gpx_oura {}, Oura's specification {}", env!("CARGO_PKG_VERSION"), catalog.version),
    )];
    if !data_dir.is_dir() {
        let message = format!("{} does not exist", data_dir.display());
        findings.push(fail(
            "data folder",
            message,
            "Set --data-dir. Grafana's data folder is named ringside-oura-datasource-data.",
        ));
        return findings;
    }
    findings.push(check_writable(data_dir));
    findings.extend(check_space(data_dir));
    findings.push(check_lock(data_dir));
    let vault = check_vault(data_dir, key, &mut findings);
    let keys = find_datasources(data_dir);
    if keys.is_empty() && !os::lacks_free_files() {
        findings.push(warn(
            "data sources",
            "none found".to_owned(),
            "Save a data source in Grafana, or run gpx_oura serve.",
        ));
    }
    findings.extend(check_modes(data_dir, &keys));
    if let Some(Err(error)) = key.map(check_key_length) {
        findings.push(fail("encryption key", error.to_string(), ""));
    }
    for key in keys {
        check_database(data_dir, &key, &catalog, now, &mut findings);
        if let Some(vault) = &vault {
            findings.push(check_login(vault, &key, now));
            findings.extend(check_naming(vault, data_dir, &key, now));
        }
    }
    findings
}

fn check_writable(data_dir: &Path) -> Finding {
    let probe = data_dir.join(format!("doctor-{:016x}", rand::random::<u64>()));
    let written = std::fs::write(&probe, b"1").and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => ok("data folder", data_dir.display().to_string()),
        Err(error) => {
            let message = format!("could not write to {}: {error}", data_dir.display());
            let remedy = if os::is_out_of_files(&error) {
                RAISE_FILE_LIMIT
            } else {
                "Make the user that runs Grafana own the folder. Free disk space if it is full."
            };
            fail("data folder", message, remedy)
        }
    }
}

fn check_space(data_dir: &Path) -> Option<Finding> {
    let free = os::free_bytes(data_dir)?;
    let message = format!("{} MiB free", grouped(free >> 20));
    Some(if free < MIN_FREE_BYTES {
        warn("disk", message, "Free disk space. A sync that finds no space fails.")
    } else {
        ok("disk", message)
    })
}

/// Warns about files that other users may read or that belong to another user than the data folder.
#[cfg(unix)]
fn check_modes(data_dir: &Path, keys: &[DataSourceKey]) -> Vec<Finding> {
    use std::os::unix::fs::MetadataExt;

    let Ok(folder) = data_dir.metadata() else { return Vec::new() };
    let mut paths = vec![data_dir.to_owned()];
    paths.extend(["vault.db", "vault.key"].map(|name| data_dir.join(name)));
    paths.extend(keys.iter().flat_map(|key| [key.folder(data_dir), key.database(data_dir)]));
    let mut findings = Vec::new();
    for path in paths {
        let Ok(metadata) = path.symlink_metadata() else { continue };
        if metadata.mode() & 0o077 != 0 {
            let mode = if metadata.is_dir() { "700" } else { "600" };
            findings.push(warn(
                "modes",
                format!("other users may read {}", path.display()),
                &format!("Run chmod {mode} {}.", path.display()),
            ));
        }
        if metadata.uid() != folder.uid() {
            findings.push(warn(
                "owners",
                format!("{} belongs to another user than the data folder", path.display()),
                "Make the user that runs Grafana own the folder and its files.",
            ));
        }
    }
    findings
}

#[cfg(not(unix))]
fn check_modes(_: &Path, _: &[DataSourceKey]) -> Vec<Finding> {
    Vec::new()
}

/// Reports the process that uses the folder. That is not a problem.
fn check_lock(data_dir: &Path) -> Finding {
    let path = data_dir.join("lock");
    let Ok(file) = std::fs::File::open(&path) else { return ok("lock", "unused".to_owned()) };
    match file.try_lock_shared() {
        Ok(()) => ok("lock", "free: no process uses the folder".to_owned()),
        Err(TryLockError::Error(error)) => {
            warn("lock", format!("this file system has no flock ({error})"), NEEDS_LOCKS)
        }
        Err(TryLockError::WouldBlock) => ok(
            "lock",
            lock_holder(&path).map_or("held by another process".to_owned(), |pid| {
                format!("held by process {pid}")
            }),
        ),
    }
}

/// Returns the process that holds the lock. Only known on Linux.
fn lock_holder(path: &Path) -> Option<String> {
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

/// Opens the vault, unless that would change it: a vault without its key would get a new one.
fn check_vault(
    data_dir: &Path,
    key: Option<&Secret>,
    findings: &mut Vec<Finding>,
) -> Option<Arc<Vault>> {
    if !Vault::exists(data_dir) {
        findings.push(warn("vault", "not created yet".to_owned(), "Connect a data source."));
        return None;
    }
    // With both keys, opening would encrypt everything again. The plugin does that.
    let has_key_file = Vault::has_key_file(data_dir);
    let key = if has_key_file { None } else { key };
    if !has_key_file && key.is_none() {
        let remedy =
            "Set GF_PLUGIN_ENCRYPTION_KEY to the plugin's encryption_key to check the vault.";
        findings.push(warn("vault", "not checked: its key is missing".to_owned(), remedy));
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
                    let message = format!(
                        "{count} of {} entries could not be decrypted",
                        count + audit.readable
                    );
                    fail(
                        "vault",
                        message,
                        "Set the previous encryption key again, or connect again. The data stays.",
                    )
                }
            });
            Some(Arc::new(vault))
        }
    }
}

/// Returns every `<org>/<uid>` and `<door>/<org>/<uid>` with a database.
fn find_datasources(data_dir: &Path) -> Vec<DataSourceKey> {
    let folders = |path: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    };
    let two_deep: Vec<PathBuf> =
        folders(data_dir).iter().flat_map(|folder| folders(folder)).collect();
    let three_deep = two_deep.iter().flat_map(|folder| folders(folder));
    let key = |path: &Path| -> Option<DataSourceKey> {
        let name = path.strip_prefix(data_dir).ok()?.to_str()?;
        name.replace(std::path::MAIN_SEPARATOR, "/").parse().ok()
    };
    let mut keys: Vec<DataSourceKey> = two_deep
        .iter()
        .cloned()
        .chain(three_deep)
        .filter_map(|path| key(&path))
        .filter(|key| key.database(data_dir).exists())
        .collect();
    keys.sort();
    keys
}

fn check_database(
    data_dir: &Path,
    key: &DataSourceKey,
    catalog: &Arc<Catalog>,
    now: Instant,
    findings: &mut Vec<Finding>,
) {
    let subject = key.to_string();
    let path = key.database(data_dir);
    let remedy = format!(
        "End the plugin, and run gpx_oura repair --data-dir {} --datasource {key}. The login is \
         kept, and the next sync fetches everything again.",
        data_dir.display()
    );
    match find_damage(&path) {
        Ok(None) => {}
        Ok(Some(damage)) => {
            let message = format!("{} is damaged: {damage}", path.display());
            findings.push(fail(&subject, message, &remedy));
        }
        Err(error) => return findings.push(store_failure(&subject, &error)),
    }
    let opened = Store::open_existing(&path, Arc::clone(catalog)).and_then(|store| {
        let (collections, last_run) =
            (store.inspector().collections()?, store.inspector().last_run()?);
        Ok((store, collections, last_run))
    });
    let (store, collections, last_run) = match opened {
        Ok(opened) => opened,
        // The finding above names the remedy.
        Err(error) if error.is_damage() => return,
        Err(error) => return findings.push(store_failure(&subject, &error)),
    };
    if let Ok(false) = store.inspector().has_write_ahead_log() {
        findings.push(warn(
            &subject,
            "the file system has no shared memory: queries and syncs wait for each other"
                .to_owned(),
            "Move the data folder to a local disk.",
        ));
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
            "The next scheduled sync retries it. See the login below.",
        ));
    }
    match collections.iter().filter_map(|row| row.last_sync).max() {
        None => findings.push(warn(
            &subject,
            "never synced".to_owned(),
            "Press Connect in the data source's settings.",
        )),
        Some(last) if now.seconds() - last.seconds() > MAX_SYNC_AGE => {
            findings.push(warn(
                &subject,
                format!("last synced {last}"),
                "Check that Grafana is running and the data source is connected.",
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

/// A database that cannot be opened.
fn store_failure(subject: &str, error: &StoreError) -> Finding {
    let remedy = match error {
        StoreError::NoLocks { .. } => NEEDS_LOCKS,
        StoreError::TooManyFiles => RAISE_FILE_LIMIT,
        _ => "",
    };
    fail(subject, error.to_string(), remedy)
}

fn check_login(vault: &Arc<Vault>, key: &DataSourceKey, now: Instant) -> Finding {
    let subject = key.to_string();
    let again = "Connect again in the data source's settings.";
    match stored_login(vault, key) {
        Err(error) => fail(&subject, format!("login: {error}"), again),
        Ok(None) => {
            warn(&subject, "login: none".to_owned(), "Press Connect in the data source's settings.")
        }
        Ok(Some(StoredLogin { end_reason: Some(reason), .. })) => {
            fail(&subject, format!("login: ended ({reason})"), again)
        }
        Ok(Some(StoredLogin { grant, .. }))
            if grant.refresh_token.is_none() && grant.expires_at <= now =>
        {
            fail(&subject, "login: ended".to_owned(), again)
        }
        Ok(Some(StoredLogin { grant, .. })) => ok(
            &subject,
            format!("login: the token expires at {} and is then refreshed", grant.expires_at),
        ),
    }
}

/// Warns about a data source that Grafana may have deleted.
fn check_naming(
    vault: &Arc<Vault>,
    data_dir: &Path,
    key: &DataSourceKey,
    now: Instant,
) -> Option<Finding> {
    let named_at = read_record(vault, key).named_at?;
    let days = (now.seconds() - named_at.seconds()) / 86_400;
    let message = format!("last named {days} days ago, on {}", named_at.day(Tz::UTC));
    (days >= MAX_UNNAMED_DAYS).then(|| {
        warn(
            &key.to_string(),
            message,
            &format!(
                "If it was deleted in Grafana, run gpx_oura forget {key} --data-dir {} to revoke \
                 its login and erase its data.",
                data_dir.display()
            ),
        )
    })
}

async fn check_network(oura_url: Option<&Url>, clock: &Clock) -> Vec<Finding> {
    let origins = oura_url.map_or_else(Origins::oura, Origins::at);
    let http = match oura::http_client() {
        Ok(http) => http,
        Err(error) => return vec![fail("network", error.to_string(), "")],
    };
    match oura::probe(&http, &origins, clock).await {
        Err(error) => {
            let of_cause = match &error {
                ProbeError::Network(error) => error.remedy(),
                ProbeError::Server { .. } => Some("Try again later: Oura has a fault."),
            };
            let remedy = of_cause.unwrap_or(
                "Check the network, DNS and proxy of this machine. It must reach \
                 api.ouraring.com over HTTPS.",
            );
            vec![fail("Oura", format!("{} is not reachable: {error}", origins.api), remedy)]
        }
        Ok(skew) => vec![ok("Oura", format!("{} is reachable", origins.api)), check_clock(skew)],
    }
}

fn check_clock(skew: Option<i64>) -> Finding {
    match skew {
        None => ok("clock", "not checked: Oura did not send its time".to_owned()),
        Some(skew) if skew.abs() > MAX_CLOCK_SKEW => {
            let direction = if skew > 0 { "ahead of" } else { "behind" };
            let message = format!("{} seconds {direction} Oura's clock", skew.abs());
            fail(
                "clock",
                message,
                "Correct the clock of this machine, best with NTP. Logins fail otherwise.",
            )
        }
        Some(_) => ok("clock", "correct to the minute".to_owned()),
    }
}

fn ok(subject: &str, message: String) -> Finding {
    Finding { level: Level::Ok, subject: subject.to_owned(), message, remedy: String::new() }
}

fn warn(subject: &str, message: String, remedy: &str) -> Finding {
    Finding { level: Level::Warn, subject: subject.to_owned(), message, remedy: remedy.to_owned() }
}

fn fail(subject: &str, message: String, remedy: &str) -> Finding {
    Finding { level: Level::Fail, subject: subject.to_owned(), message, remedy: remedy.to_owned() }
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

    fn check(folder: &Path, key: Option<&str>) -> Vec<Finding> {
        check_local(folder, key.map(Secret::new).as_ref(), Instant(1_800_000_000))
    }

    fn worst(findings: &[Finding]) -> Level {
        findings.iter().map(|finding| finding.level).max().unwrap()
    }

    fn has(findings: &[Finding], level: Level, text: &str) -> bool {
        findings.iter().any(|finding| finding.level == level && finding.message.contains(text))
    }

    fn create_store(folder: &Path) -> PathBuf {
        let path = DataSourceKey::single().database(folder);
        Store::open(&path, Arc::new(Catalog::bundled()), Tz::UTC).unwrap();
        path
    }

    #[test]
    fn missing_folder_is_a_failure_and_empty_folder_is_not() {
        let folder = tempfile::tempdir().unwrap();
        assert!(has(&check(&folder.path().join("nowhere"), None), Level::Fail, "does not exist"));
        let findings = check(folder.path(), None);
        assert_eq!(worst(&findings), Level::Warn);
        assert!(has(&findings, Level::Warn, "none found"));
        assert!(
            std::fs::read_dir(folder.path()).unwrap().next().is_none(),
            "the check created a file"
        );
    }

    #[test]
    fn damaged_database_is_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let path = create_store(folder.path());
        assert!(has(&check(folder.path(), None), Level::Ok, "0 documents"));
        let mut bytes = std::fs::read(&path).unwrap();
        let (from, to) = (bytes.len() / 4, bytes.len() - 4096);
        bytes[from..to].fill(0xa5);
        std::fs::write(&path, bytes).unwrap();
        let _ = std::fs::remove_file(path.with_extension("db-wal"));
        assert_eq!(worst(&check(folder.path(), None)), Level::Fail);
    }

    #[cfg(unix)]
    #[test]
    fn modes_of_others_and_short_keys_are_reported() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(folder.path(), private).unwrap();
        let path = create_store(folder.path());
        let key = "a key of 16 letters or more";
        Vault::open(folder.path(), Some(&Secret::new(key))).unwrap();
        assert!(!has(&check(folder.path(), Some(key)), Level::Warn, "other users may read"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let findings = check(folder.path(), Some("short"));
        assert!(has(&findings, Level::Warn, "other users may read"));
        assert!(has(&findings, Level::Fail, "fewer than 16 characters"));
        create_store(folder.path());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    /// Only the superuser can give files to other users.
    #[cfg(unix)]
    #[test]
    fn files_of_other_users_are_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = create_store(folder.path());
        let of_others = "belongs to another user than the data folder";
        assert!(!has(&check(folder.path(), None), Level::Warn, of_others));
        if std::os::unix::fs::chown(&path, Some(12_345), None).is_ok() {
            assert!(has(&check(folder.path(), None), Level::Warn, of_others));
        }
    }

    #[test]
    fn vault_check_creates_no_key() {
        let folder = tempfile::tempdir().unwrap();
        create_store(folder.path());
        let vault =
            Vault::open(folder.path(), Some(&Secret::new("the right encryption key"))).unwrap();
        vault.put(&DataSourceKey::single(), Purpose::DataSource, "settings", b"{}").unwrap();
        drop(vault);
        assert!(has(&check(folder.path(), None), Level::Warn, "not checked: its key is missing"));
        assert!(has(
            &check(folder.path(), Some("the right encryption key")),
            Level::Ok,
            "1 entries, all readable"
        ));
        assert!(has(
            &check(folder.path(), Some("a wrong encryption key")),
            Level::Fail,
            "1 of 1 entries could not be decrypted"
        ));
        assert!(!folder.path().join("vault.key").exists());
    }

    #[test]
    fn ended_login_is_a_failure_with_a_valid_token() {
        let folder = tempfile::tempdir().unwrap();
        create_store(folder.path());
        let vault = Arc::new(Vault::open(folder.path(), None).unwrap());
        let login = SealedGrant::new(vault, DataSourceKey::single());
        let grant = Grant {
            access_token: Secret::new("access"),
            refresh_token: Some(Secret::new("refresh")),
            expires_at: Instant(1_800_000_060),
            lifetime: 3600,
            scopes: Vec::new(),
            backend: LoginBackend::Legacy,
        };
        login.save(&grant).unwrap();
        assert!(has(&check(folder.path(), None), Level::Ok, "the token expires at"));
        login.mark_ended("Oura no longer accepts its refresh token").unwrap();
        assert!(has(&check(folder.path(), None), Level::Fail, "ended (Oura no longer accepts"));
    }

    #[test]
    fn clock_skew_above_a_minute_is_a_failure() {
        assert_eq!(
            [None, Some(59), Some(-60), Some(61), Some(-3600)].map(|skew| check_clock(skew).level),
            [Level::Ok, Level::Ok, Level::Ok, Level::Fail, Level::Fail]
        );
    }
}
