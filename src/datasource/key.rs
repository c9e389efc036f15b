//! The key of a data source: its organisation and uid, and the door of its Grafana. Also the name
//! of its folder.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a data source's database file.
const DATABASE: &str = "oura.db";
/// The longest uid that Grafana allows, in bytes. Also the longest name of a door.
const MAX_UID_LENGTH: usize = 40;

/// Identifies a data source across organisations, and across the Grafanas of an owner.
///
/// Its parts contain only characters that are safe in a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DataSourceKey {
    /// The name of the Grafana's door. `None` for a data source of the process itself.
    door: Option<String>,
    org: i64,
    uid: String,
}

/// An invalid data source uid, door or key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidKey {
    /// The uid is empty, too long or has other characters.
    #[error("Invalid data source uid {0:?}: use 1 to 40 letters, digits, - and _")]
    Uid(String),
    /// The name of the door has another form.
    #[error(
        "Invalid door {0:?}: use 1 to 40 lower-case letters, digits and hyphens, with a letter first"
    )]
    Door(String),
    /// The text has another number of parts, or the organisation is not a number.
    #[error("Invalid data source {0:?}: use ORG/UID, or DOOR/ORG/UID behind a door")]
    Form(String),
}

/// Returns whether `name` can be the name of a door.
///
/// It begins with a letter, so that its folder is not that of an organisation. It has no upper-case
/// letters, which some file systems do not distinguish.
pub fn is_door_name(name: &str) -> bool {
    (1..=MAX_UID_LENGTH).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

impl DataSourceKey {
    /// Creates a key. Fails unless `uid` has 1 to 40 ASCII letters, digits, `-` and `_`.
    pub fn new(org: i64, uid: &str) -> Result<DataSourceKey, InvalidKey> {
        let is_valid = (1..=MAX_UID_LENGTH).contains(&uid.len())
            && uid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if is_valid {
            Ok(DataSourceKey { door: None, org, uid: uid.to_owned() })
        } else {
            Err(InvalidKey::Uid(uid.to_owned()))
        }
    }

    /// Creates the key of a data source behind a door. Fails as [`DataSourceKey::new`] does, and
    /// for an invalid name of the door.
    pub fn of_door(door: &str, org: i64, uid: &str) -> Result<DataSourceKey, InvalidKey> {
        if !is_door_name(door) {
            return Err(InvalidKey::Door(door.to_owned()));
        }
        Ok(DataSourceKey { door: Some(door.to_owned()), ..DataSourceKey::new(org, uid)? })
    }

    /// The data source of a process without Grafana: `1/oura`.
    pub fn single() -> DataSourceKey {
        DataSourceKey { door: None, org: 1, uid: "oura".to_owned() }
    }

    /// The name of the door, if the data source belongs to one.
    pub fn door(&self) -> Option<&str> {
        self.door.as_deref()
    }

    /// The id of the organisation in Grafana.
    pub fn org(&self) -> i64 {
        self.org
    }

    /// The uid, unique within the organisation.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// The data source's folder: `<data>/<org>/<uid>`, or `<data>/<door>/<org>/<uid>`.
    pub fn folder(&self, data_dir: &Path) -> PathBuf {
        data_dir.join(self.to_string())
    }

    /// The data source's SQLite file in its folder.
    pub fn database(&self, data_dir: &Path) -> PathBuf {
        self.folder(data_dir).join(DATABASE)
    }
}

/// Formats the key as `<org>/<uid>` or `<door>/<org>/<uid>`, as in the folder's path.
impl fmt::Display for DataSourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(door) = &self.door {
            write!(f, "{door}/")?;
        }
        write!(f, "{}/{}", self.org, self.uid)
    }
}

impl FromStr for DataSourceKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<DataSourceKey, InvalidKey> {
        let form = || InvalidKey::Form(text.to_owned());
        let parts: Vec<&str> = text.split('/').collect();
        let org = |text: &str| text.parse().map_err(|_| form());
        match parts[..] {
            [number, uid] => DataSourceKey::new(org(number)?, uid),
            [door, number, uid] => DataSourceKey::of_door(door, org(number)?, uid),
            _ => Err(form()),
        }
    }
}

impl TryFrom<String> for DataSourceKey {
    type Error = InvalidKey;

    fn try_from(text: String) -> Result<DataSourceKey, InvalidKey> {
        text.parse()
    }
}

impl From<DataSourceKey> for String {
    fn from(key: DataSourceKey) -> String {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_read_as_it_is_written() {
        for text in ["1/oura", "-7/a_B-9", "lab/1/oura", "clinic-2/12/x"] {
            let key: DataSourceKey = text.parse().unwrap();
            assert_eq!(key.to_string(), text);
            assert_eq!(key.folder(Path::new("/data")), Path::new("/data").join(text));
        }
        for text in ["oura", "a/oura", "1/1/oura", "Lab/1/oura", "../1/oura", "lab/1/..", "a/b/1/c"]
        {
            assert!(text.parse::<DataSourceKey>().is_err(), "{text}");
        }
    }
}
