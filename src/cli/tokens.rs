//! The tokens of `serve`: a file with their names, roles and hashes. `token` changes it, and
//! `serve` reads it again after each change.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::api::Role;
use crate::datasource::{DataSourceKey, InvalidKey, is_door_name};
use crate::doors::{Cap, Door, Grants};
use crate::format::hex;
use crate::oura::Secret;
use crate::store::{create_private_file, create_private_folder};
use crate::time::{Day, Instant, Tz};

/// The name of the token file in the data folder.
pub const FILE_NAME: &str = "tokens.json";

/// The start of each created token, so that secret scanners and people recognise it.
const PREFIX: &str = "ringside_";

/// Random bytes of a token. A hash without salt and stretching is enough for this many.
const RANDOM_BYTES: usize = 32;

/// Maximum length of a name.
const MAX_NAME: usize = 64;

/// Maximum size of a token file, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// A token as the file has it: without the token itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Its unique name, for the audit log and for `token revoke`.
    pub name: String,
    /// The role of its callers.
    pub role: TokenRole,
    /// The SHA-256 of the token in hexadecimal digits.
    hash: String,
    /// The tables and views that it may read, in lower case. `None` for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<BTreeSet<String>>,
    /// The most that callers behind a door may do.
    #[serde(default, skip_serializing_if = "Cap::is_default")]
    pub cap: Cap,
    /// The data sources of others that a door shows.
    #[serde(default, skip_serializing_if = "Grants::is_empty")]
    pub grants: Grants,
    /// It expires at the start of this day (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Day>,
}

/// The role of a token, as the command line and the file name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TokenRole {
    /// Reads data, schema and status
    Read,
    /// Reads, changes, exports and deletes
    Admin,
    /// Connects a Grafana to `serve --doors`. Of no use for the HTTP API
    Door,
}

impl TokenRole {
    /// The role of the HTTP API's callers. `None` for a door.
    pub fn api_role(self) -> Option<Role> {
        match self {
            TokenRole::Read => Some(Role::Reader),
            TokenRole::Admin => Some(Role::Admin),
            TokenRole::Door => None,
        }
    }

    /// The name in the file and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            TokenRole::Read => "read",
            TokenRole::Admin => "admin",
            TokenRole::Door => "door",
        }
    }
}

/// The restrictions of a new token.
#[derive(Clone, Debug, Default)]
pub struct Restrictions {
    /// See [`Token::tables`].
    pub tables: Option<BTreeSet<String>>,
    /// See [`Token::expires`].
    pub expires: Option<Day>,
    /// See [`Token::cap`].
    pub cap: Cap,
    /// See [`Token::grants`].
    pub grants: Grants,
}

/// Parses `LOCAL=DATASOURCE`: a grant of a door.
pub fn grant(text: &str) -> Result<(DataSourceKey, DataSourceKey), InvalidKey> {
    let form = || InvalidKey::Form(text.to_owned());
    let (local, granted) = text.split_once('=').ok_or_else(form)?;
    let local: DataSourceKey = local.parse()?;
    // A Grafana knows only its own organisations and uids.
    if local.door().is_some() { Err(form()) } else { Ok((local, granted.parse()?)) }
}

impl Token {
    /// A token of a known text without an expiry, for example from the environment.
    pub fn of_secret(name: &str, role: TokenRole, secret: &Secret) -> Token {
        Token {
            name: name.to_owned(),
            role,
            hash: hash(secret.reveal()),
            tables: None,
            cap: Cap::default(),
            grants: Grants::default(),
            expires: None,
        }
    }

    /// Returns the door of the token, if it is one.
    pub fn door(&self) -> Option<Door> {
        (self.role == TokenRole::Door).then(|| Door {
            name: self.name.clone(),
            cap: self.cap,
            grants: self.grants.clone(),
        })
    }

    /// Whether it has expired.
    pub fn is_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|day| now >= day.midnight(Tz::UTC))
    }
}

/// Why the token file cannot be read or changed. `Display` includes the remedy.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("{path} cannot be used: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The file has another format.
    #[error(
        "{path} is not a token file: {detail}. Restore it, or remove it and add the tokens again"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The mistake.
        detail: String,
    },
    /// A token has this name.
    #[error("a token named {0} exists; revoke it first, or choose another name")]
    Exists(String),
    /// No token has this name.
    #[error("no token named {0} found; `gpx_oura token list` lists the names")]
    Unknown(String),
    /// The name is empty, too long or has other characters.
    #[error(
        "invalid name {0:?}: use up to {MAX_NAME} letters, digits, dots, hyphens and underscores"
    )]
    Name(String),
    /// A list of tables for a token that administers, or that is a door.
    #[error("--tables restricts reading; use it with --role read")]
    TablesOfOther,
    /// A cap or grants for a token that is not a door.
    #[error("--cap and --grant describe a door; use them with --role door")]
    NotADoor,
    /// The name is not that of a door.
    #[error(
        "invalid name of a door {0:?}: use up to 40 lower-case letters, digits and hyphens, with a \
         letter first. It is the name of a folder"
    )]
    DoorName(String),
    /// No grant exists for this data source of the door's Grafana.
    #[error("the door shows nothing as {0}; `gpx_oura token list` lists its grants")]
    NoGrant(DataSourceKey),
    /// The expiry is in the past.
    #[error("{0} has passed; choose a later day for --expires")]
    Expired(Day),
}

/// The content of a token file.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    tokens: Vec<Token>,
}

/// A token file. It need not exist.
pub struct TokenFile {
    path: PathBuf,
}

impl TokenFile {
    /// The file at `path`.
    pub fn at(path: PathBuf) -> TokenFile {
        TokenFile { path }
    }

    /// Returns the tokens.
    pub fn read(&self) -> Result<Vec<Token>, TokenError> {
        let metadata = match std::fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.unusable(error)),
        };
        if metadata.len() > MAX_FILE {
            return Err(self.malformed("it is larger than 1 MiB"));
        }
        let text = std::fs::read(&self.path).map_err(|error| self.unusable(error))?;
        let content: Content =
            serde_json::from_slice(&text).map_err(|error| self.malformed(error))?;
        Ok(content.tokens)
    }

    /// Adds a token and returns its text, which is stored nowhere.
    pub fn add(
        &self,
        name: &str,
        role: TokenRole,
        restrictions: Restrictions,
        now: Instant,
    ) -> Result<Secret, TokenError> {
        let is_allowed = |char: char| char.is_ascii_alphanumeric() || ".-_".contains(char);
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(is_allowed) {
            return Err(TokenError::Name(name.to_owned()));
        }
        let Restrictions { tables, expires, cap, grants } = restrictions;
        if role != TokenRole::Read && tables.is_some() {
            return Err(TokenError::TablesOfOther);
        }
        if role != TokenRole::Door && !(cap.is_default() && grants.is_empty()) {
            return Err(TokenError::NotADoor);
        }
        if role == TokenRole::Door && !is_door_name(name) {
            return Err(TokenError::DoorName(name.to_owned()));
        }
        let text =
            format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; RANDOM_BYTES]>()));
        let name = name.to_owned();
        let token = Token { name, role, hash: hash(&text), tables, cap, grants, expires };
        if let Some(day) = expires.filter(|_| token.is_expired(now)) {
            return Err(TokenError::Expired(day));
        }
        self.change(|tokens| {
            if tokens.iter().any(|known| known.name == token.name) {
                return Err(TokenError::Exists(token.name));
            }
            tokens.push(token);
            Ok(())
        })?;
        Ok(Secret::new(text))
    }

    /// Removes the token with this name.
    pub fn revoke(&self, name: &str) -> Result<(), TokenError> {
        self.change(|tokens| {
            let position = tokens
                .iter()
                .position(|token| token.name == name)
                .ok_or_else(|| TokenError::Unknown(name.to_owned()))?;
            tokens.remove(position);
            Ok(())
        })
    }

    /// Lets the door `name` show `granted` as its data source `local`, read-only. `None` ends it.
    pub fn set_grant(
        &self,
        name: &str,
        local: DataSourceKey,
        granted: Option<DataSourceKey>,
    ) -> Result<(), TokenError> {
        self.change(|tokens| {
            let token = tokens
                .iter_mut()
                .find(|token| token.name == name)
                .ok_or_else(|| TokenError::Unknown(name.to_owned()))?;
            if token.role != TokenRole::Door {
                return Err(TokenError::NotADoor);
            }
            match granted {
                Some(granted) => {
                    token.grants.insert(local, granted);
                }
                None => {
                    token.grants.remove(&local).ok_or(TokenError::NoGrant(local))?;
                }
            }
            Ok(())
        })
    }

    /// Replaces the file with a changed one in one step. Two changes at a time follow each other.
    fn change(
        &self,
        change: impl FnOnce(&mut Vec<Token>) -> Result<(), TokenError>,
    ) -> Result<(), TokenError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        create_private_folder(folder).map_err(|error| self.unusable(error))?;
        let lock = folder.join(format!("{FILE_NAME}.lock"));
        let lock = File::options().create(true).truncate(false).write(true).open(lock);
        let lock = lock.map_err(|error| self.unusable(error))?;
        lock.lock().map_err(|error| self.unusable(error))?;
        let mut tokens = self.read()?;
        change(&mut tokens)?;
        let new = self.path.with_extension(format!("{:016x}.new", rand::random::<u64>()));
        let text = serde_json::to_vec_pretty(&Content { tokens })
            .map_err(|error| self.malformed(error))?;
        let written = create_private_file(&new)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .and_then(|()| std::fs::rename(&new, &self.path));
        written.map_err(|error| {
            // The incomplete file has no use, and the first error is the one to report.
            let _ = std::fs::remove_file(&new);
            self.unusable(error)
        })
    }

    fn unusable(&self, source: std::io::Error) -> TokenError {
        TokenError::File { path: self.path.clone(), source }
    }

    fn malformed(&self, detail: impl ToString) -> TokenError {
        TokenError::Malformed { path: self.path.clone(), detail: detail.to_string() }
    }
}

/// The valid tokens of a running server: fixed ones, and those of a file that may change.
pub struct Tokens {
    fixed: HashMap<String, Token>,
    file: TokenFile,
    current: parking_lot::RwLock<Current>,
}

/// The tokens of the file, and the state of the file that they come from.
#[derive(Default)]
struct Current {
    stamp: Option<(SystemTime, u64)>,
    tokens: HashMap<String, Token>,
}

impl Tokens {
    /// The tokens in `fixed` and those in `file`. Fails if the file is malformed.
    pub fn new(fixed: Vec<Token>, file: TokenFile) -> Result<Tokens, TokenError> {
        let stamp = stamp(&file.path);
        let current = Current { stamp, tokens: by_hash(file.read()?) };
        Ok(Tokens { fixed: by_hash(fixed), file, current: parking_lot::RwLock::new(current) })
    }

    /// Whether no token exists.
    pub fn is_empty(&self) -> bool {
        self.fixed.is_empty() && self.current.read().tokens.is_empty()
    }

    /// Returns the token with this text. Finds it by its hash, so that the duration reveals nothing
    /// about other tokens.
    ///
    /// Reads a changed file first. While the file is malformed, the tokens of the last valid one
    /// stay, except after its removal.
    pub fn find(&self, text: &str) -> Option<Token> {
        let now = stamp(&self.file.path);
        if self.current.read().stamp != now {
            match self.file.read() {
                Ok(tokens) => {
                    *self.current.write() = Current { stamp: now, tokens: by_hash(tokens) };
                }
                Err(error) => tracing::error!(%error, "could not read the tokens"),
            }
        }
        let hash = hash(text);
        self.fixed.get(&hash).cloned().or_else(|| self.current.read().tokens.get(&hash).cloned())
    }
}

/// The time and the size of a file, which differ after a change.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn by_hash(tokens: Vec<Token>) -> HashMap<String, Token> {
    tokens.into_iter().map(|token| (token.hash.clone(), token)).collect()
}

fn hash(token: &str) -> String {
    hex(&Sha256::digest(token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Clock;

    #[test]
    fn tokens_are_stored_hashed_and_found_until_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data").join(FILE_NAME);
        let now = Clock::system().now();
        let add = |name: &str, role, tables| {
            let restrictions = Restrictions { tables, ..Restrictions::default() };
            TokenFile::at(path.clone()).add(name, role, restrictions, now)
        };
        let tokens = Tokens::new(Vec::new(), TokenFile::at(path.clone())).unwrap();
        assert!(tokens.is_empty());
        let text = add("grafana", TokenRole::Read, Some(["days".to_owned()].into())).unwrap();
        assert!(!std::fs::read_to_string(&path).unwrap().contains(text.reveal()));
        assert_eq!(tokens.find(text.reveal()).unwrap().name, "grafana");
        assert!(tokens.find("ringside_other").is_none());

        let again = add("grafana", TokenRole::Read, None).unwrap_err();
        assert!(matches!(again, TokenError::Exists(_)));
        let tables = add("a", TokenRole::Admin, Some(BTreeSet::new())).unwrap_err();
        assert!(matches!(tables, TokenError::TablesOfOther));
        for name in ["", "a b", "../x", &"x".repeat(65)] {
            assert!(matches!(add(name, TokenRole::Read, None).unwrap_err(), TokenError::Name(_)));
        }
        let file = TokenFile::at(path.clone());
        let expired =
            Restrictions { expires: Some("2020-01-01".parse().unwrap()), ..Default::default() };
        let past = file.add("old", TokenRole::Read, expired, now);
        assert!(matches!(past.unwrap_err(), TokenError::Expired(_)));

        file.revoke("grafana").unwrap();
        assert!(tokens.find(text.reveal()).is_none());
        assert!(matches!(file.revoke("grafana").unwrap_err(), TokenError::Unknown(_)));
    }

    #[test]
    fn door_has_a_name_for_a_folder_a_cap_and_grants() {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::at(folder.path().join(FILE_NAME));
        let now = Clock::system().now();
        let reader = || Restrictions { cap: Cap::Reader, ..Restrictions::default() };
        for name in ["1", "Lab", "a.b", "a_b", "-a"] {
            let error = file.add(name, TokenRole::Door, Restrictions::default(), now).unwrap_err();
            assert!(matches!(error, TokenError::DoorName(_)), "{name}");
        }
        let error = file.add("a", TokenRole::Read, reader(), now).unwrap_err();
        assert!(matches!(error, TokenError::NotADoor));
        file.add("lab", TokenRole::Door, reader(), now).unwrap();
        let (local, granted) = grant("2/ann=home/1/oura").unwrap();
        file.set_grant("lab", local.clone(), Some(granted.clone())).unwrap();
        let door = || file.read().unwrap()[0].door().unwrap();
        let expected = Door {
            name: "lab".to_owned(),
            cap: Cap::Reader,
            grants: [(local.clone(), granted)].into(),
        };
        assert_eq!(door(), expected);
        file.set_grant("lab", local.clone(), None).unwrap();
        assert!(door().grants.is_empty());
        let again = file.set_grant("lab", local, None).unwrap_err();
        assert!(matches!(again, TokenError::NoGrant(_)));
        for text in ["1/a", "home/1/a=1/b", "1/a=", "=1/a"] {
            assert!(grant(text).is_err(), "{text}");
        }
    }

    #[test]
    fn malformed_file_keeps_the_last_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let file = TokenFile::at(path.clone());
        let now = Clock::system().now();
        let text = file.add("a", TokenRole::Admin, Restrictions::default(), now).unwrap();
        let tokens = Tokens::new(Vec::new(), TokenFile::at(path.clone())).unwrap();
        std::fs::write(&path, "{").unwrap();
        assert!(tokens.find(text.reveal()).is_some());
        assert!(Tokens::new(Vec::new(), TokenFile::at(path.clone())).is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(tokens.find(text.reveal()).is_none());
    }
}
