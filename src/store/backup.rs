//! The copy of a database before its format changes, and the way back to it.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::checksums;
use super::damage::set_aside;
use super::error::StoreError;
use super::files::create_private_file;
use crate::os;
use crate::time::Instant;

/// The part of a copy's name between the name of the database and its format.
const INFIX: &str = ".backup-of-format-";

/// The suffix of a copy that is not complete.
const INCOMPLETE: &str = ".incomplete";

/// How long a copy is kept.
const KEPT: Duration = Duration::from_secs(30 * 86_400);

/// The space that a migration needs, in sizes of the database: the copy, SQLite's temporary file,
/// the write-ahead log and the grown file.
const NEEDED_SIZES: u64 = 4;

/// Why no copy can be restored. `Display` includes the remedy.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// No copy exists.
    #[error(
        "No copy of a former format is next to {0}: a migration makes it, and it is kept for 30 \
         days"
    )]
    NoBackup(PathBuf),
    /// The files cannot be renamed.
    #[error("{path} cannot be replaced: {source}. Use a user who may write its folder")]
    File {
        /// The database.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
}

/// Copies the database at `path` of the format `format`, as only the current user can read. Of
/// former copies, the last one stays until this one is complete.
pub(super) fn write(connection: &Connection, path: &Path, format: u32) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let needed = NEEDED_SIZES * size(connection)?;
    if let Some(free) = os::free_bytes(folder).filter(|free| *free < needed) {
        return Err(StoreError::NoRoomForBackup { path: path.to_owned(), needed, free });
    }
    let backup = suffixed(path, &format!("{INFIX}{format}"));
    let draft = suffixed(&backup, INCOMPLETE);
    let failed =
        |error: io::Error| StoreError::Copy { path: backup.clone(), detail: error.to_string() };
    remove(&draft).map_err(failed)?;
    create_private_file(&draft).map_err(failed)?;
    let copied = checksums::copy(connection, &draft)
        .and_then(|()| delete_all_but(path, Some(&draft)).map_err(failed))
        .and_then(|()| std::fs::rename(&draft, &backup).map_err(failed));
    if copied.is_err() {
        // The first error is the one to report.
        let _ = remove(&draft);
    }
    copied?;
    tracing::info!(backup = %backup.display(), "copied the database before changing its format");
    Ok(())
}

/// Returns the newest copy of the database at `path` with a format of at most `known`.
pub(super) fn newest(path: &Path, known: u32) -> Option<PathBuf> {
    let copies = copies(path).ok()?;
    let complete = copies.into_iter().filter_map(|copy| Some((format_of(&copy)?, copy)));
    complete.filter(|(format, _)| *format <= known).max().map(|(_, copy)| copy)
}

/// Replaces the database at `path`, which no connection may use, by the copy that the last
/// migration made. Returns the new path of the replaced file, and the copy's format.
pub fn restore(path: &Path, now: Instant) -> Result<(PathBuf, u32), RestoreError> {
    let backup = newest(path, u32::MAX).ok_or_else(|| RestoreError::NoBackup(path.to_owned()))?;
    let format = format_of(&backup).unwrap_or_default();
    let failed = |source| RestoreError::File { path: path.to_owned(), source };
    let aside = set_aside(path, now).map_err(failed)?;
    std::fs::rename(backup, path).map_err(failed)?;
    Ok((aside, format))
}

/// Deletes copies that are old, and incomplete ones.
pub(super) fn sweep(path: &Path) {
    for copy in copies(path).into_iter().flatten() {
        let modified = std::fs::metadata(&copy).and_then(|metadata| metadata.modified());
        let age = modified.ok().and_then(|modified| modified.elapsed().ok());
        if format_of(&copy).is_none() || age.is_some_and(|age| age > KEPT) {
            // The next opening tries again.
            let _ = remove(&copy);
        }
    }
}

/// Deletes all copies of the database at `path`.
pub(super) fn delete_all(path: &Path) -> io::Result<()> {
    delete_all_but(path, None)
}

fn delete_all_but(path: &Path, kept: Option<&Path>) -> io::Result<()> {
    copies(path)?
        .iter()
        .filter(|copy| Some(copy.as_path()) != kept)
        .try_for_each(|copy| remove(copy))
}

/// The copies of the database at `path`, incomplete ones included.
fn copies(path: &Path) -> io::Result<Vec<PathBuf>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(Vec::new());
    };
    let prefix = format!("{}{INFIX}", name.to_string_lossy());
    let mut copies = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            copies.push(entry.path());
        }
    }
    Ok(copies)
}

/// The format in the name of a complete copy.
fn format_of(copy: &Path) -> Option<u32> {
    copy.to_str()?.rsplit_once(INFIX)?.1.parse().ok()
}

fn size(connection: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    Ok(connection.query_row(sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
