//! Damaged database files: finding them, and setting them aside.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::{read_only, schema};
use crate::time::Instant;

/// The part of a file name that follows the name of the database it replaced.
const ASIDE: &str = ".damaged-";

/// The suffixes of a database's files: the file itself and its write-ahead log. SQLite creates the
/// log's index again.
const SUFFIXES: [&str; 2] = ["", "-wal"];

/// Reads every page of the file at `path` on a connection of its own. Returns SQLite's first
/// finding, or `None` if the file is intact. Takes seconds per gigabyte.
pub fn find_damage(path: &Path) -> Result<Option<String>, StoreError> {
    let check = || -> Result<String, StoreError> {
        let connection = read_only::open(path, schema::LOCK_TIMEOUT)?.connection;
        Ok(connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?)
    };
    match check() {
        Ok(finding) if finding == "ok" => Ok(None),
        // A finding has several lines. The first one names the table or tree.
        Ok(finding) => Ok(Some(finding.split_whitespace().collect::<Vec<_>>().join(" "))),
        Err(StoreError::Damaged { detail }) => Ok(Some(detail)),
        Err(error) => Err(error.at(path)),
    }
}

/// Renames the database at `path`, which no connection may use, and deletes the one that was set
/// aside before. Returns the new path.
pub fn set_aside(path: &Path, now: Instant) -> io::Result<PathBuf> {
    delete_set_aside(path)?;
    let aside = suffixed(path, &format!("{ASIDE}{}", now.seconds()));
    for suffix in SUFFIXES {
        match std::fs::rename(suffixed(path, suffix), suffixed(&aside, suffix)) {
            Err(error) if error.kind() == ErrorKind::NotFound && !suffix.is_empty() => {}
            outcome => outcome?,
        }
    }
    match std::fs::remove_file(suffixed(path, "-shm")) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(aside),
    }
}

/// Deletes the files that [`set_aside`] left for the database at `path`.
pub(super) fn delete_set_aside(path: &Path) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let prefix = format!("{}{ASIDE}", name.to_string_lossy());
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
