//! A door: its name, its cap and its grants. The owner applies them to every call.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::datasource::{DataSourceKey, InvalidKey};

/// The most that callers behind a door may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cap {
    /// Callers read, also with the role Admin
    Reader,
    /// Callers have the role that Grafana sends
    #[default]
    Admin,
}

impl Cap {
    /// Whether it restricts nothing.
    pub fn is_default(&self) -> bool {
        *self == Cap::default()
    }
}

/// Data sources of the door's Grafana that show a data source of the owner, read-only.
///
/// The key is the organisation and uid in the door's Grafana, the value the owner's data source.
pub type Grants = BTreeMap<DataSourceKey, DataSourceKey>;

/// A Grafana that the owner serves. In the extensions of its calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// The name of its token, and the first part of the keys of its data sources.
    pub name: String,
    /// The most that its callers may do.
    pub cap: Cap,
    /// Data sources of others that it shows.
    pub grants: Grants,
}

/// The data source of a call through a door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// A data source of the door.
    Own(DataSourceKey),
    /// A granted data source, which the door may only read.
    Granted(DataSourceKey),
}

impl Door {
    /// Returns the data source that the door's Grafana calls `local`. Fails if the name of the door
    /// cannot be part of a key.
    pub fn reach(&self, local: &DataSourceKey) -> Result<Reached, InvalidKey> {
        match self.grants.get(local) {
            Some(granted) => Ok(Reached::Granted(granted.clone())),
            None => DataSourceKey::of_door(&self.name, local.org(), local.uid()).map(Reached::Own),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doors_reach_own_and_granted_data_sources_only() {
        let home = "home/1/oura".parse::<DataSourceKey>().unwrap();
        let door = |name: &str, grants: &[(&str, &str)]| Door {
            name: name.to_owned(),
            cap: Cap::Admin,
            grants: grants
                .iter()
                .map(|(local, key)| (local.parse().unwrap(), key.parse().unwrap()))
                .collect(),
        };
        let local = |text: &str| text.parse::<DataSourceKey>().unwrap();
        assert_eq!(door("home", &[]).reach(&local("1/oura")), Ok(Reached::Own(home.clone())));
        let lab = door("lab", &[("2/ann", "home/1/oura")]);
        assert_eq!(lab.reach(&local("2/ann")), Ok(Reached::Granted(home)));
        assert_eq!(lab.reach(&local("1/oura")), Ok(Reached::Own(local("lab/1/oura"))));
        // A Grafana cannot name a data source of another door.
        assert_eq!(lab.reach(&local("home/1/oura")), Ok(Reached::Own(local("lab/1/oura"))));
        for name in ["", "1", "../home", "Home"] {
            assert!(door(name, &[]).reach(&local("1/oura")).is_err(), "{name}");
        }
    }
}
