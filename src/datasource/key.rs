//! The key of a data source: its organisation and uid. Also the name of its folder.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The name of a data source's database file.
const DATABASE: &str = "oura.db";
/// The longest uid that Grafana allows, in bytes.
const MAX_UID_LENGTH: usize = 40;

/// Identifies a data source across organisations.
///
/// The uid contains only characters that Grafana allows and that are safe in a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DataSourceKey {
    org: i64,
    uid: String,
}

/// An invalid data source uid or key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("Invalid data source uid {0:?}: use 1 to 40 letters, digits, - and _")]
pub struct InvalidUid(String);

impl DataSourceKey {
    /// Creates a key. Fails unless `uid` has 1 to 40 ASCII letters, digits, `-` and `_`.
    pub fn new(org: i64, uid: &str) -> Result<DataSourceKey, InvalidUid> {
        let is_valid = (1..=MAX_UID_LENGTH).contains(&uid.len())
            && uid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if is_valid {
            Ok(DataSourceKey { org, uid: uid.to_owned() })
        } else {
            Err(InvalidUid(uid.to_owned()))
        }
    }

    /// The data source of a process without Grafana: `1/oura`.
    pub fn single() -> DataSourceKey {
        DataSourceKey { org: 1, uid: "oura".to_owned() }
    }

    /// The id of the organisation in Grafana.
    pub fn org(&self) -> i64 {
        self.org
    }

    /// The uid, unique within the organisation.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// The data source's folder: `<data>/<org>/<uid>`.
    pub fn folder(&self, data_dir: &Path) -> PathBuf {
        data_dir.join(self.org.to_string()).join(&self.uid)
    }

    /// The data source's SQLite file in its folder.
    pub fn database(&self, data_dir: &Path) -> PathBuf {
        self.folder(data_dir).join(DATABASE)
    }
}

/// Formats the key as `<org>/<uid>`, as in the folder's path.
impl fmt::Display for DataSourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.org, self.uid)
    }
}

impl FromStr for DataSourceKey {
    type Err = InvalidUid;

    fn from_str(text: &str) -> Result<DataSourceKey, InvalidUid> {
        let (org, uid) = text.split_once('/').ok_or_else(|| InvalidUid(text.to_owned()))?;
        let org = org.parse().map_err(|_| InvalidUid(text.to_owned()))?;
        DataSourceKey::new(org, uid)
    }
}
