//! The vault's files: made readable for their owner alone, and whole or not there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::VaultError;
use super::seal::{KEY_LENGTH, random_key};
use crate::store::create_private_folder;

/// `PRAGMA application_id`: "RgVt".
const APPLICATION: i32 = 0x5267_5674;
/// `PRAGMA user_version`.
const VERSION: i32 = 1;

const SCHEMA: &str = "
    CREATE TABLE entries (
        datasource TEXT NOT NULL,
        purpose    TEXT NOT NULL,
        name       TEXT NOT NULL,
        key_id     BLOB NOT NULL,
        sealed     BLOB NOT NULL,
        expires_at INTEGER,
        PRIMARY KEY (datasource, purpose, name)
    ) STRICT, WITHOUT ROWID";

/// Creates `folder` with 0700; one that exists keeps its mode.
pub(super) fn create_folder(folder: &Path) -> Result<(), VaultError> {
    create_private_folder(folder).map_err(|error| VaultError::of_file(folder, &error))
}

/// Opens or creates the database, durable at each commit.
pub(super) fn open_database(path: &Path) -> Result<Connection, VaultError> {
    // SQLite gives its -wal and -shm the mode of the database.
    private()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|file| restrict(&file))
        .map_err(|error| VaultError::of_file(path, &error))?;
    connect(path).map_err(|error| error.at(path))
}

/// A database of this process alone, gone when it is closed.
pub(super) fn open_memory() -> Result<Connection, VaultError> {
    connect(Path::new(":memory:"))
}

fn connect(path: &Path) -> Result<Connection, VaultError> {
    let mut connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(Duration::from_secs(5))?;
    write_ahead(&connection)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "secure_delete", true)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let number = |pragma| transaction.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (tables, number("application_id")?, number("user_version")?) {
        (0, _, _) => {
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
            transaction.commit()?;
        }
        (_, APPLICATION, VERSION) => drop(transaction),
        (_, APPLICATION, found) => {
            return Err(VaultError::NewerVersion { path: path.to_owned(), found, known: VERSION });
        }
        _ => return Err(VaultError::NotAVault { path: path.to_owned() }),
    }
    Ok(connection)
}

/// Turns on write-ahead logging, which stays with the file. SQLite does not wait for another process that does the same just now.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let turn_on = || connection.pragma_update(None, "journal_mode", "wal");
    for _ in 0..100 {
        match turn_on() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                std::thread::sleep(Duration::from_millis(20))
            }
            outcome => return outcome,
        }
    }
    turn_on()
}

/// The key in the file, `None` without a file.
pub(super) fn read_key(path: &Path) -> Result<Option<[u8; KEY_LENGTH]>, VaultError> {
    match fs::read(path) {
        Ok(bytes) => {
            bytes.try_into().map(Some).map_err(|_| VaultError::NotAKey { path: path.to_owned() })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(VaultError::of_file(path, &error)),
    }
}

/// A new key in a new file; if another process makes one at the same time, both get the same.
pub(super) fn create_key(path: &Path) -> Result<[u8; KEY_LENGTH], VaultError> {
    let key = random_key();
    publish(path, &key).map_err(|error| VaultError::of_file(path, &error))?;
    read_key(path)?.ok_or_else(|| VaultError::NotAKey { path: path.to_owned() })
}

/// Makes `path` appear with all of `bytes` in it, unless it is there already.
fn publish(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension(format!("key.{}", uuid::Uuid::new_v4()));
    let mut file = private().create_new(true).write(true).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    // A link fails where a file is, which a rename would replace; but not every file system has links.
    let published = match fs::hard_link(&draft, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => fs::rename(&draft, path),
        _ => fs::remove_file(&draft),
    };
    published.inspect_err(|_| drop(fs::remove_file(&draft)))?;
    sync_folder(path)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(unix)]
fn restrict(file: &File) -> io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
}

#[cfg(not(unix))]
fn restrict(_: &File) -> io::Result<()> {
    Ok(())
}

/// Makes the folder's new entry durable.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
