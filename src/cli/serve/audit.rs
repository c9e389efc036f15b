//! The audit log: one JSON line for each change, export, deletion and refused call.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde::Serialize;

use crate::store::create_private_file;

/// The name of the log in the data folder.
pub const FILE_NAME: &str = "audit.jsonl";

/// The size in bytes at which a new file begins. One earlier file is kept, with the suffix `.1`.
const MAX_FILE: u64 = 16 << 20;

/// One line of the log.
#[derive(Debug, Serialize)]
pub struct Entry<'a> {
    /// RFC 3339, in UTC.
    pub time: String,
    /// `allowed` or `refused`.
    pub outcome: &'static str,
    /// The name of the token, if it is valid.
    pub name: Option<&'a str>,
    /// The address of the caller, or of the proxy in front of the server.
    pub address: Option<IpAddr>,
    /// The HTTP method.
    pub method: &'a str,
    /// The path without its parameters, which may have a login's code.
    pub path: &'a str,
    /// The HTTP status of the response.
    pub status: u16,
    /// Further facts of the route, for example the number of deleted rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<&'a serde_json::Value>,
}

/// The file of the log. It is opened at the first entry.
pub struct AuditLog {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl AuditLog {
    /// The log at `path`.
    pub fn at(path: PathBuf) -> AuditLog {
        AuditLog { path, file: Mutex::new(None) }
    }

    /// Appends an entry. A failure is logged, and does not fail the request: a full disk must not
    /// stop a revocation.
    pub fn record(&self, entry: &Entry<'_>) {
        let mut line = serde_json::to_vec(entry).unwrap_or_default();
        line.push(b'\n');
        let mut file = self.file.lock();
        if let Err(error) = append(&mut file, &self.path, &line) {
            *file = None;
            tracing::error!(path = %self.path.display(), %error, "could not write the audit log");
        }
    }
}

fn append(file: &mut Option<File>, path: &Path, line: &[u8]) -> std::io::Result<()> {
    // The file may not exist yet.
    let size = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    if size + line.len() as u64 > MAX_FILE {
        *file = None;
        std::fs::rename(path, path.with_extension("jsonl.1"))?;
    }
    let opened = match file {
        Some(opened) => opened,
        None => file.insert(open(path)?),
    };
    // One call for the whole line, so that lines of two processes do not mix.
    opened.write_all(line)
}

/// Opens the log for appending. Only the current user can read it.
fn open(path: &Path) -> std::io::Result<File> {
    match create_private_file(path) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    OpenOptions::new().append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_file_is_set_aside_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        std::fs::write(&path, vec![b' '; MAX_FILE as usize]).unwrap();
        let log = AuditLog::at(path.clone());
        let entry = Entry {
            time: String::new(),
            outcome: "refused",
            name: None,
            address: None,
            method: "GET",
            path: "/api/status",
            status: 401,
            detail: None,
        };
        log.record(&entry);
        log.record(&entry);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains(r#""outcome":"refused","name":null,"#), "{text}");
        assert!(folder.path().join("audit.jsonl.1").exists());
    }
}
