//! The owner's part of a lake: the salt of the pseudonyms, and the withdrawn data sources. It stays
//! in the data folder, so that readers of the lake cannot compute a pseudonym.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use ring::hmac;
use serde::{Deserialize, Serialize};

use super::error::LakeError;
use crate::format::hex;
use crate::store::create_private_file;

/// The file in the data folder.
const FILE_NAME: &str = "lake.json";

/// The keyed hash of this text identifies a salt.
const CHECKED_TEXT: &str = "ringside lake";

/// The number of shards. It is part of the lake's format.
pub(super) const SHARDS: u8 = 64;

/// The content of the file.
#[derive(Serialize, Deserialize)]
struct Content {
    /// 32 random bytes in hexadecimal digits.
    salt: String,
    /// The data sources that are not published.
    #[serde(default)]
    withdrawn: BTreeSet<String>,
}

/// The owner of a lake.
pub struct Owner {
    path: PathBuf,
    content: Content,
    key: hmac::Key,
}

/// The name of a person in a lake.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pseudonym {
    /// 16 hexadecimal digits.
    pub name: String,
    /// The shard of the person's rows.
    pub shard: u8,
}

impl Owner {
    /// Reads the owner's file in `data_dir`.
    pub fn open(data_dir: &Path) -> Result<Owner, LakeError> {
        let path = data_dir.join(FILE_NAME);
        let content = read(&path)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, content.salt.as_bytes());
        Ok(Owner { path, content, key })
    }

    /// Reads the owner's file in `data_dir`, or creates it with a random salt.
    pub fn create(data_dir: &Path) -> Result<Owner, LakeError> {
        let path = data_dir.join(FILE_NAME);
        if !path.exists() {
            let content =
                Content { salt: hex(&rand::random::<[u8; 32]>()), withdrawn: BTreeSet::new() };
            write_new(&path, &content).map_err(|error| LakeError::Salt {
                file: path.clone(),
                detail: error.to_string(),
            })?;
        }
        Owner::open(data_dir)
    }

    /// Returns whether `data_dir` has the owner's file, so that it may have published to a lake.
    pub fn exists(data_dir: &Path) -> bool {
        data_dir.join(FILE_NAME).exists()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the pseudonym of the data source `key`.
    pub fn pseudonym(&self, key: &str) -> Pseudonym {
        let tag = hmac::sign(&self.key, key.as_bytes());
        let tag = tag.as_ref();
        Pseudonym { name: hex(&tag[..8]), shard: tag[0] % SHARDS }
    }

    /// Returns a text that is equal for equal salts, and does not reveal them.
    pub(super) fn salt_check(&self) -> String {
        hex(&hmac::sign(&self.key, CHECKED_TEXT.as_bytes()).as_ref()[..16])
    }

    /// Returns whether the data source `key` must not be published.
    pub fn is_withdrawn(&self, key: &str) -> bool {
        self.content.withdrawn.contains(key)
    }

    /// Reads the withdrawn data sources from the file, which another process may have changed.
    pub(super) fn stored_withdrawals(&self) -> Result<BTreeSet<String>, LakeError> {
        Ok(read(&self.path)?.withdrawn)
    }

    /// Sets whether the data source `key` may be published.
    pub fn set_withdrawn(&mut self, key: &str, withdrawn: bool) -> Result<(), LakeError> {
        let failed = |error: std::io::Error| LakeError::Salt {
            file: self.path.clone(),
            detail: error.to_string(),
        };
        // Until the end of this function, no other process changes the file.
        let lock = File::create(self.path.with_extension("lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        self.content = read(&self.path)?;
        let changed = if withdrawn {
            self.content.withdrawn.insert(key.to_owned())
        } else {
            self.content.withdrawn.remove(key)
        };
        if !changed {
            return Ok(());
        }
        let new = self.path.with_extension("json.new");
        let _ = std::fs::remove_file(&new);
        write_new(&new, &self.content)
            .and_then(|()| std::fs::rename(&new, &self.path))
            .map_err(failed)
    }
}

fn read(path: &Path) -> Result<Content, LakeError> {
    let unusable = |detail: String| LakeError::Salt { file: path.to_owned(), detail };
    let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    let content: Content =
        serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
    if content.salt.len() < 32 {
        return Err(unusable("its salt has fewer than 32 characters".to_owned()));
    }
    Ok(content)
}

/// Writes a file that only the current user can read.
fn write_new(path: &Path, content: &Content) -> std::io::Result<()> {
    let mut file = create_private_file(path)?;
    file.write_all(&serde_json::to_vec_pretty(content)?)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudonym_depends_on_salt_and_key() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [one, other] = folders.each_ref().map(|folder| Owner::create(folder.path()).unwrap());
        let again = Owner::create(folders[0].path()).unwrap();
        assert_eq!(one.pseudonym("1/oura"), again.pseudonym("1/oura"));
        assert_eq!(one.salt_check(), again.salt_check());
        assert_ne!(one.pseudonym("1/oura").name, one.pseudonym("1/ann").name);
        assert_ne!(one.pseudonym("1/oura").name, other.pseudonym("1/oura").name);
        assert_ne!(one.salt_check(), other.salt_check());
        assert_eq!(one.pseudonym("1/oura").name.len(), 16);
    }

    #[test]
    fn withdrawal_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let mut owner = Owner::create(folder.path()).unwrap();
        owner.set_withdrawn("1/oura", true).unwrap();
        assert!(Owner::open(folder.path()).unwrap().is_withdrawn("1/oura"));
        owner.set_withdrawn("1/oura", false).unwrap();
        assert!(!Owner::open(folder.path()).unwrap().is_withdrawn("1/oura"));
    }
}
