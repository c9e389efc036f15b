//! What a person sets for a data source.

use serde::{Deserialize, Serialize};

use super::DataSourceError;
use crate::oura::oauth::SCOPES;
use crate::time::{Day, Tz};

pub(crate) const DEFAULT_INTERVAL_MINUTES: u32 = 30;
/// More often than this brings nothing new: Oura's own data come every few minutes at best.
pub(crate) const MIN_INTERVAL_MINUTES: u32 = 5;

/// `jsonData` of a data source; everything has a default. Unknown fields are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Settings {
    pub client_id: String,
    /// Separated by spaces; empty asks for all.
    pub scopes: String,
    /// IANA name; empty is UTC.
    pub timezone: String,
    /// 0 = the default, 30.
    pub sync_interval_minutes: u32,
    /// Without one: until two empty years.
    #[serde(deserialize_with = "day_or_nothing")]
    #[cfg_attr(test, ts(optional))]
    pub history_start: Option<Day>,
    /// A synthetic person instead of a login.
    pub demo: bool,
    /// Names of collections to sync; empty = all.
    pub collections: Vec<String>,
}

impl Settings {
    pub fn zone(&self) -> Result<Tz, DataSourceError> {
        match self.timezone.trim() {
            "" => Ok(Tz::UTC),
            name => {
                name.parse().map_err(|_| DataSourceError::UnknownTimezone { name: name.to_owned() })
            }
        }
    }

    pub fn sync_interval_minutes(&self) -> u32 {
        match self.sync_interval_minutes {
            0 => DEFAULT_INTERVAL_MINUTES,
            minutes => minutes.max(MIN_INTERVAL_MINUTES),
        }
    }

    /// The scopes to ask for.
    pub fn scopes(&self) -> Vec<String> {
        let chosen: Vec<String> = self.scopes.split_whitespace().map(str::to_owned).collect();
        if chosen.is_empty() {
            SCOPES.iter().map(|scope| (*scope).to_owned()).collect()
        } else {
            chosen
        }
    }
}

/// An emptied form field is sent as an empty string.
fn day_or_nothing<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Day>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.filter(|text| !text.trim().is_empty())
        .map(|text| text.trim().parse().map_err(serde::de::Error::custom))
        .transpose()
}
