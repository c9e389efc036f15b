//! Which data source: organisation and uid, fit to name a folder.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The name of a data source's file.
const DATABASE: &str = "oura.db";

/// A data source across organisations. The uid has only characters that Grafana allows in one and that are safe in a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DataSourceKey {
    org: i64,
    uid: String,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a data source uid: it may have letters, digits, - and _, 1 to 40 of them")]
pub struct BadUid(String);

impl DataSourceKey {
    pub fn new(org: i64, uid: &str) -> Result<DataSourceKey, BadUid> {
        let fits = (1..=40).contains(&uid.len())
            && uid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if fits {
            Ok(DataSourceKey { org, uid: uid.to_owned() })
        } else {
            Err(BadUid(uid.to_owned()))
        }
    }

    /// The data source of a process that serves only one.
    pub fn single() -> DataSourceKey {
        DataSourceKey { org: 1, uid: "oura".to_owned() }
    }

    pub fn org(&self) -> i64 {
        self.org
    }

    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// `<data>/<org>/<uid>`.
    pub fn folder(&self, data_dir: &Path) -> PathBuf {
        data_dir.join(self.org.to_string()).join(&self.uid)
    }

    /// The data source's SQLite file in its folder.
    pub fn database(&self, data_dir: &Path) -> PathBuf {
        self.folder(data_dir).join(DATABASE)
    }
}

/// `<org>/<uid>`, as in the folder's name.
impl fmt::Display for DataSourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.org, self.uid)
    }
}

impl FromStr for DataSourceKey {
    type Err = BadUid;

    fn from_str(text: &str) -> Result<DataSourceKey, BadUid> {
        let (org, uid) = text.split_once('/').ok_or_else(|| BadUid(text.to_owned()))?;
        DataSourceKey::new(org.parse().map_err(|_| BadUid(text.to_owned()))?, uid)
    }
}
