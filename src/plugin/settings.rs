//! What the operator sets for the whole process: `[plugin.ringside-oura-datasource]` in Grafana's ini, `GF_PLUGIN_…` in the environment.
//!
//! Only here may anybody choose where Oura is: a data source's own settings never hold a host.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::datasource::Environment;
use crate::oura::{Origins, Secret};
use crate::query::Limits;

/// The plugin's id at Grafana.
pub const PLUGIN_ID: &str = "ringside-oura-datasource";

/// The variable that holds the key of the vault.
pub const ENCRYPTION_KEY: &str = "GF_PLUGIN_ENCRYPTION_KEY";

/// Everything has a default.
#[derive(Clone, Debug, Default)]
pub struct OperatorSettings {
    pub data_dir: Option<PathBuf>,
    pub encryption_key: Option<Secret>,
    /// Another origin for Oura's API and login.
    pub oura_url: Option<Url>,
    pub limits: Limits,
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{variable}={value:?} cannot be used: {expected}")]
    Value { variable: &'static str, value: String, expected: &'static str },
    #[error("no data folder is set, and none can be derived from the program's own path")]
    NoDataFolder,
    #[error("the HTTP client cannot be made: {0}")]
    Http(#[from] reqwest::Error),
}

impl OperatorSettings {
    pub fn from_env() -> Result<OperatorSettings, SettingsError> {
        OperatorSettings::read(|variable| std::env::var(variable).ok())
    }

    /// Reads the settings through `variable`.
    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<OperatorSettings, SettingsError> {
        let set = |name: &str| variable(name).and_then(trimmed);
        let whole_number = |name: &'static str, default: usize| match set(name) {
            None => Ok(default),
            Some(value) => match value.parse() {
                Ok(number) if number > 0 => Ok(number),
                _ => Err(SettingsError::Value {
                    variable: name,
                    value,
                    expected: "it must be a whole number, at least 1",
                }),
            },
        };
        let default = Limits::default();
        Ok(OperatorSettings {
            data_dir: set("GF_PLUGIN_DATA_DIR").map(PathBuf::from),
            encryption_key: set(ENCRYPTION_KEY).map(Secret::new),
            oura_url: set("GF_PLUGIN_OURA_URL").map(oura_url).transpose()?,
            limits: Limits {
                timeout: set("GF_PLUGIN_QUERY_TIMEOUT").map_or(Ok(default.timeout), duration)?,
                max_rows: whole_number("GF_PLUGIN_QUERY_MAX_ROWS", default.max_rows)?,
                max_bytes: whole_number("GF_PLUGIN_QUERY_MAX_BYTES", default.max_bytes)?,
                concurrency: whole_number("GF_PLUGIN_QUERY_CONCURRENCY", default.concurrency)?,
            },
        })
    }

    /// What data sources in `data_dir` share. `scheduled`: whether syncs happen by themselves.
    pub fn environment(
        &self,
        data_dir: PathBuf,
        scheduled: bool,
    ) -> Result<Environment, SettingsError> {
        let origins = self.oura_url.as_ref().map_or_else(Origins::oura, Origins::at);
        let encryption_key = self.encryption_key.clone();
        Ok(Environment {
            limits: self.limits,
            encryption_key,
            scheduled,
            ..Environment::at(data_dir, origins)?
        })
    }

    /// The data folder of a plugin: the operator's, else `<id>-data` beside the plugins folder. Never in the plugin's own folder, whose
    /// files its signature covers.
    pub fn plugin_data_dir(&self) -> Result<PathBuf, SettingsError> {
        if let Some(folder) = &self.data_dir {
            return Ok(folder.clone());
        }
        let program = std::env::current_exe().map_err(|_| SettingsError::NoDataFolder)?;
        let above_plugins = program.ancestors().nth(3).ok_or(SettingsError::NoDataFolder)?;
        Ok(above_plugins.join(format!("{PLUGIN_ID}-data")))
    }
}

/// An encryption key from the environment, which may come from a file that ends with a line break.
pub fn key_from(variable: &str) -> Option<Secret> {
    std::env::var(variable).ok().and_then(trimmed).map(Secret::new)
}

/// An empty setting counts as not set.
fn trimmed(text: String) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn oura_url(value: String) -> Result<Url, SettingsError> {
    origin(&value).map_err(|expected| SettingsError::Value {
        variable: "GF_PLUGIN_OURA_URL",
        value,
        expected,
    })
}

/// Where Oura is said to be; what it must be instead if it cannot be there.
pub fn origin(text: &str) -> Result<Url, &'static str> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err("it must be an address such as http://127.0.0.1:8080"),
    }
}

/// `500ms`, `30s`, `2m`; a bare number is seconds.
fn duration(value: String) -> Result<Duration, SettingsError> {
    let (number, unit) =
        value.split_at(value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len()));
    let milliseconds = match unit.trim() {
        "ms" => Some(1),
        "" | "s" => Some(1_000),
        "m" => Some(60_000),
        _ => None,
    };
    let total = number
        .parse::<u64>()
        .ok()
        .zip(milliseconds)
        .and_then(|(number, unit)| number.checked_mul(unit));
    match total {
        Some(total) if total > 0 => Ok(Duration::from_millis(total)),
        _ => Err(SettingsError::Value {
            variable: "GF_PLUGIN_QUERY_TIMEOUT",
            value,
            expected: "it must be a duration such as 30s, 500ms or 2m",
        }),
    }
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
    fn without_variables_everything_has_its_default() {
        let settings = settings(&[("GF_PLUGIN_DATA_DIR", "  ")]).unwrap();
        assert!(
            settings.data_dir.is_none()
                && settings.oura_url.is_none()
                && settings.encryption_key.is_none()
        );
        assert_eq!(settings.limits.timeout, Limits::default().timeout);
    }

    #[test]
    fn limits_are_read_with_their_units() {
        for (text, milliseconds) in [("30s", 30_000), ("500ms", 500), ("2m", 120_000), ("7", 7_000)]
        {
            assert_eq!(
                settings(&[("GF_PLUGIN_QUERY_TIMEOUT", text)]).unwrap().limits.timeout,
                Duration::from_millis(milliseconds)
            );
        }
        assert_eq!(settings(&[("GF_PLUGIN_QUERY_MAX_ROWS", "10")]).unwrap().limits.max_rows, 10);
    }

    #[test]
    fn a_setting_that_cannot_be_used_is_named() {
        for (variable, value) in [
            ("GF_PLUGIN_QUERY_TIMEOUT", "soon"),
            ("GF_PLUGIN_QUERY_TIMEOUT", "0s"),
            ("GF_PLUGIN_QUERY_TIMEOUT", "99999999999999999999m"),
            ("GF_PLUGIN_QUERY_MAX_ROWS", "-1"),
            ("GF_PLUGIN_QUERY_CONCURRENCY", "0"),
            ("GF_PLUGIN_OURA_URL", "file:///etc"),
        ] {
            let error = settings(&[(variable, value)]).unwrap_err().to_string();
            assert!(error.contains(variable) && error.contains(value), "{error}");
        }
    }
}
