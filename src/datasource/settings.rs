//! The settings of a data source.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::DataSourceError;
use crate::catalog::Catalog;
use crate::oura::oauth::SCOPES;
use crate::sync;
use crate::time::{Day, Tz};

pub(crate) const DEFAULT_INTERVAL_MINUTES: u32 = 30;
/// Shorter intervals fetch no new data, because Oura updates its own every few minutes at best.
pub(crate) const MIN_INTERVAL_MINUTES: u32 = 5;

/// The settings of a data source, as in its `jsonData`.
///
/// Every field has a default. Unknown fields are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Settings {
    /// The client ID of the application registered with Oura.
    pub client_id: String,
    /// The scopes to request, separated by spaces. Empty requests all.
    pub scopes: String,
    /// The IANA name of the time zone in which days begin. Empty is UTC.
    pub timezone: String,
    /// Minutes between syncs. 0 is the default, 30.
    pub sync_interval_minutes: u32,
    /// The first day to import. `None` imports backwards until two consecutive years have no data.
    #[serde(deserialize_with = "deserialize_optional_day")]
    #[cfg_attr(test, ts(optional))]
    pub history_start: Option<Day>,
    /// Serves a synthetic person instead of logging in to Oura.
    pub demo: bool,
    /// The collections to sync. Empty syncs all.
    pub collections: Vec<String>,
}

impl Settings {
    /// Parses the time zone.
    pub fn zone(&self) -> Result<Tz, DataSourceError> {
        let name = self.timezone.trim();
        if name.is_empty() {
            return Ok(Tz::UTC);
        }
        name.parse().map_err(|_| DataSourceError::UnknownTimezone { name: name.to_owned() })
    }

    /// Returns the minutes between syncs, at least 5.
    pub fn sync_interval_minutes(&self) -> u32 {
        match self.sync_interval_minutes {
            0 => DEFAULT_INTERVAL_MINUTES,
            minutes => minutes.max(MIN_INTERVAL_MINUTES),
        }
    }

    /// Returns the time between syncs.
    pub(super) fn sync_interval(&self) -> Duration {
        Duration::from_secs(60 * u64::from(self.sync_interval_minutes()))
    }

    /// Returns the scopes to request.
    pub fn scopes(&self) -> Vec<String> {
        let chosen: Vec<String> = self.scopes.split_whitespace().map(str::to_owned).collect();
        if chosen.is_empty() {
            SCOPES.iter().map(|scope| (*scope).to_owned()).collect()
        } else {
            chosen
        }
    }

    /// Returns whether syncs fetch the collection: the settings include it, and Oura offers it.
    pub(super) fn fetches(&self, catalog: &Catalog, collection: &str) -> bool {
        sync::wants(&self.collections, collection) && catalog.get(collection).is_some()
    }
}

/// Reads an optional day. An empty text is a cleared form field.
fn deserialize_optional_day<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Day>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    match text.as_deref().map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(serde::de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The host that gets the client secret is the operator's choice.
    #[test]
    fn settings_name_no_host() {
        let json = r#"{"clientId": "a", "url": "https://a.example", "ouraUrl": "https://a.example",
            "origin": "https://a.example", "tokenUrl": "https://a.example"}"#;
        let settings: Settings = serde_json::from_str(json).unwrap();
        assert_eq!(settings, Settings { client_id: "a".to_owned(), ..Settings::default() });
    }
}
