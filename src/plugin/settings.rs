//! The operator's settings for the whole process.
//!
//! They come from `[plugin.ringside-oura-datasource]` in Grafana's configuration, or from
//! `GF_PLUGIN_…` in the environment. Only these can change Oura's address: the settings of a data
//! source never contain a host.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::datasource::{Environment, MAX_OPEN};
use crate::doors::{OwnerAddress, OwnerAddressError};
use crate::memory;
use crate::oura::{HttpClientError, Origins, Secret};
use crate::query::{Limits, interval};
use crate::store::set_page_checksums;

/// The plugin's id in Grafana.
pub const PLUGIN_ID: &str = "ringside-oura-datasource";

/// The variable with the encryption key of the vault.
pub const ENCRYPTION_KEY: &str = "GF_PLUGIN_ENCRYPTION_KEY";

/// The default of [`OperatorSettings::forget_after`].
const FORGET_AFTER_DAYS: u32 = 30;

/// The operator's settings. Each has a default.
#[derive(Clone, Debug)]
pub struct OperatorSettings {
    /// The data folder. See [`OperatorSettings::plugin_data_dir`] for the default.
    pub data_dir: Option<PathBuf>,
    /// The key of the vault. Default: a key file in the data folder.
    pub encryption_key: Option<Secret>,
    /// The origin of Oura's API and login, for a simulator or a proxy.
    pub oura_url: Option<Url>,
    /// The limits of one query.
    pub limits: Limits,
    /// Whether the metrics contain families of each data source.
    pub metrics_per_datasource: bool,
    /// Whether each page of a database has a checksum. Without, other programs may write the files.
    pub page_checksums: bool,
    /// The maximum number of open data sources.
    pub max_open: usize,
    /// The days after which a data source that Grafana does not name stops fetching.
    pub forget_after: u32,
    /// The longest time between two full syncs. `None` makes each sync a full one.
    pub full_sync_interval: Option<Duration>,
    /// The owner to which the plugin forwards every call. `None` owns the data itself.
    pub owner: Option<OwnerSettings>,
}

/// The owner of the data, and the token of this Grafana at it.
#[derive(Clone, Debug)]
pub struct OwnerSettings {
    /// Its address.
    pub address: OwnerAddress,
    /// The token of a door.
    pub token: Secret,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant describes it")]
pub enum SettingsError {
    #[error("invalid setting {variable}={value:?}: {expected}")]
    Value { variable: &'static str, value: String, expected: &'static str },
    #[error(
        "missing setting owner_token: create a token with `gpx_oura token add NAME --role door` \
         at the owner"
    )]
    NoOwnerToken,
    #[error("missing setting data_dir, and the program's path has no folder for a default")]
    NoDataFolder,
    #[error(transparent)]
    Http(#[from] HttpClientError),
}

impl OperatorSettings {
    /// Reads the settings from the environment.
    pub fn from_env() -> Result<OperatorSettings, SettingsError> {
        OperatorSettings::read(|variable| std::env::var(variable).ok())
    }

    /// Reads the settings through `variable`.
    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<OperatorSettings, SettingsError> {
        let set = |name: &str| variable(name).and_then(trimmed);
        let optional_number = |name: &'static str| match set(name) {
            None => Ok(None),
            Some(value) => match value.parse() {
                Ok(number) if number > 0 => Ok(Some(number)),
                _ => Err(SettingsError::Value {
                    variable: name,
                    value,
                    expected: "use a whole number of at least 1",
                }),
            },
        };
        let whole_number = |name: &'static str, default: usize| {
            optional_number(name).map(|number| number.unwrap_or(default))
        };
        let default = Limits::default();
        let forget_after = whole_number("GF_PLUGIN_FORGET_AFTER_DAYS", FORGET_AFTER_DAYS as usize)?;
        Ok(OperatorSettings {
            data_dir: set("GF_PLUGIN_DATA_DIR").map(PathBuf::from),
            encryption_key: set(ENCRYPTION_KEY).map(Secret::new),
            metrics_per_datasource: set("GF_PLUGIN_METRICS_PER_DATASOURCE")
                .map_or(Ok(false), |value| switch("GF_PLUGIN_METRICS_PER_DATASOURCE", value))?,
            page_checksums: set("GF_PLUGIN_PAGE_CHECKSUMS")
                .map_or(Ok(true), |value| switch("GF_PLUGIN_PAGE_CHECKSUMS", value))?,
            max_open: whole_number("GF_PLUGIN_MAX_OPEN_DATASOURCES", MAX_OPEN)?,
            forget_after: forget_after.try_into().unwrap_or(u32::MAX),
            full_sync_interval: optional_number("GF_PLUGIN_FULL_SYNC_HOURS")?.map(hours),
            owner: owner(set)?,
            oura_url: set("GF_PLUGIN_OURA_URL").map(oura_url).transpose()?,
            limits: Limits {
                timeout: set("GF_PLUGIN_QUERY_TIMEOUT").map_or(Ok(default.timeout), duration)?,
                max_rows: whole_number("GF_PLUGIN_QUERY_MAX_ROWS", default.max_rows)?,
                max_bytes: whole_number("GF_PLUGIN_QUERY_MAX_BYTES", default.max_bytes)?,
                max_memory: whole_number("GF_PLUGIN_QUERY_MAX_MEMORY", default.max_memory)?,
                concurrency: whole_number("GF_PLUGIN_QUERY_CONCURRENCY", default.concurrency)?,
            },
        })
    }

    /// Applies the settings that all data sources of the process share: memory and checksums.
    pub fn apply_to_process(&self) {
        memory::set_process_limit(self.limits.process_memory());
        set_page_checksums(self.page_checksums);
    }

    /// Returns the environment of the data sources in `data_dir`. `scheduled` enables scheduled
    /// syncs.
    pub fn environment(
        &self,
        data_dir: PathBuf,
        scheduled: bool,
    ) -> Result<Environment, SettingsError> {
        let origins = self.oura_url.as_ref().map_or_else(Origins::oura, Origins::at);
        let encryption_key = self.encryption_key.clone();
        self.apply_to_process();
        Ok(Environment {
            limits: self.limits,
            encryption_key,
            metrics_per_datasource: self.metrics_per_datasource,
            max_open: self.max_open,
            forget_after: Some(self.forget_after),
            full_sync_interval: self.full_sync_interval,
            scheduled,
            ..Environment::at(data_dir, origins)?
        })
    }

    /// Returns the data folder of a plugin. Default: `<id>-data` next to the plugins folder,
    /// because a signature covers all files in the plugin's own folder.
    pub fn plugin_data_dir(&self) -> Result<PathBuf, SettingsError> {
        if let Some(folder) = &self.data_dir {
            return Ok(folder.clone());
        }
        let program = std::env::current_exe().map_err(|_| SettingsError::NoDataFolder)?;
        let above_plugins = program.ancestors().nth(3).ok_or(SettingsError::NoDataFolder)?;
        Ok(above_plugins.join(format!("{PLUGIN_ID}-data")))
    }
}

/// Reads an encryption key from the environment. Trims it, because it may come from a file with a
/// line break at its end.
pub fn key_from(variable: &str) -> Option<Secret> {
    std::env::var(variable).ok().and_then(trimmed).map(Secret::new)
}

/// Reads the settings of the owner, if there is one.
fn owner(set: impl Fn(&str) -> Option<String>) -> Result<Option<OwnerSettings>, SettingsError> {
    const URL: &str = "GF_PLUGIN_OWNER_URL";
    const WITHOUT_TLS: &str = "GF_PLUGIN_OWNER_WITHOUT_TLS";
    let Some(value) = set(URL) else { return Ok(None) };
    let is_plain_allowed =
        set(WITHOUT_TLS).map_or(Ok(false), |value| switch(WITHOUT_TLS, value))?;
    let authorities = set("GF_PLUGIN_OWNER_CA").map(PathBuf::from);
    let address = OwnerAddress::new(&value, authorities, is_plain_allowed).map_err(|error| {
        let expected = match error {
            OwnerAddressError::Form => "use an address such as https://ringside.example.com:8790",
            OwnerAddressError::Unencrypted => {
                "use https, or set owner_without_tls = true if the network itself is encrypted"
            }
        };
        SettingsError::Value { variable: URL, value, expected }
    })?;
    let token = set("GF_PLUGIN_OWNER_TOKEN").ok_or(SettingsError::NoOwnerToken)?;
    Ok(Some(OwnerSettings { address, token: Secret::new(token) }))
}

/// Returns the trimmed text, unless it is empty.
fn trimmed(text: String) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn switch(variable: &'static str, value: String) -> Result<bool, SettingsError> {
    match value.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(SettingsError::Value { variable, value, expected: "use true or false" }),
    }
}

fn oura_url(value: String) -> Result<Url, SettingsError> {
    origin(&value).map_err(|expected| SettingsError::Value {
        variable: "GF_PLUGIN_OURA_URL",
        value,
        expected,
    })
}

/// Parses an address of Oura. Returns the expected form as the error.
pub fn origin(text: &str) -> Result<Url, &'static str> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err("use an address such as http://127.0.0.1:8080"),
    }
}

/// A number of hours, at most a century.
fn hours(number: usize) -> Duration {
    Duration::from_secs(3600 * number.min(876_000) as u64)
}

/// Parses `500ms`, `30s` or `1m30s`. A number without a unit is seconds.
fn duration(value: String) -> Result<Duration, SettingsError> {
    let seconds = value.parse::<u64>().ok().filter(|seconds| *seconds > 0).map(Duration::from_secs);
    seconds.or_else(|| interval::parse(&value)).ok_or(SettingsError::Value {
        variable: "GF_PLUGIN_QUERY_TIMEOUT",
        value,
        expected: "use a duration such as 30s, 500ms or 2m",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<OperatorSettings, SettingsError> {
        OperatorSettings::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn missing_variables_have_defaults() {
        let settings = settings(&[("GF_PLUGIN_DATA_DIR", "  ")]).unwrap();
        assert!(
            settings.data_dir.is_none()
                && settings.oura_url.is_none()
                && settings.encryption_key.is_none()
                && settings.full_sync_interval.is_none()
        );
        assert_eq!(settings.limits.timeout, Limits::default().timeout);
    }

    #[test]
    fn owner_needs_a_token() {
        let url = ("GF_PLUGIN_OWNER_URL", "https://ringside:8790");
        assert!(matches!(settings(&[url]), Err(SettingsError::NoOwnerToken)));
        let owner = settings(&[url, ("GF_PLUGIN_OWNER_TOKEN", "t\n")]).unwrap().owner.unwrap();
        assert_eq!((owner.address.to_string().as_str(), owner.token.reveal()), (url.1, "t"));
    }

    #[test]
    fn limits_have_units() {
        for (text, milliseconds) in [("30s", 30_000), ("500ms", 500), ("2m", 120_000), ("7", 7_000)]
        {
            assert_eq!(
                settings(&[("GF_PLUGIN_QUERY_TIMEOUT", text)]).unwrap().limits.timeout,
                Duration::from_millis(milliseconds)
            );
        }
        assert_eq!(settings(&[("GF_PLUGIN_QUERY_MAX_ROWS", "10")]).unwrap().limits.max_rows, 10);
        let quiet = settings(&[("GF_PLUGIN_FULL_SYNC_HOURS", "4")]).unwrap();
        assert_eq!(quiet.full_sync_interval, Some(Duration::from_secs(4 * 3600)));
    }

    #[test]
    fn invalid_setting_is_named() {
        for (variable, value) in [
            ("GF_PLUGIN_QUERY_TIMEOUT", "soon"),
            ("GF_PLUGIN_METRICS_PER_DATASOURCE", "yes"),
            ("GF_PLUGIN_QUERY_TIMEOUT", "0s"),
            ("GF_PLUGIN_QUERY_TIMEOUT", "99999999999999999999m"),
            ("GF_PLUGIN_QUERY_MAX_ROWS", "-1"),
            ("GF_PLUGIN_QUERY_CONCURRENCY", "0"),
            ("GF_PLUGIN_FULL_SYNC_HOURS", "0"),
            ("GF_PLUGIN_FULL_SYNC_HOURS", "1.5"),
            ("GF_PLUGIN_OURA_URL", "file:///etc"),
            ("GF_PLUGIN_OWNER_URL", "ringside:8790"),
            ("GF_PLUGIN_OWNER_URL", "http://ringside:8790"),
        ] {
            let error = settings(&[(variable, value)]).unwrap_err().to_string();
            assert!(error.contains(variable) && error.contains(value), "{error}");
        }
    }
}
