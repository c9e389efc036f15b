//! The vault's files: created for their owner only, and atomically.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::error::VaultError;
use super::seal::{KEY_LENGTH, SALT_LENGTH, random_key};
use crate::store::install_allocator;
use crate::store::{create_private_folder, set_journal};

/// The file name of the key that is used without an operator's key.
pub(super) const KEY_FILE: &str = "vault.key";
/// `PRAGMA application_id`: "RgVt".
const APPLICATION_ID: i32 = 0x5267_5674;
/// The layout version, `PRAGMA user_version`.
const LAYOUT_VERSION: i32 = 1;
/// The time that a statement waits for another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause between attempts to turn on write-ahead logging.
const WAL_RETRY_DELAY: Duration = Duration::from_millis(20);

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

/// Creates `folder` with mode 0700. An existing folder keeps its mode.
pub(super) fn create_folder(folder: &Path) -> Result<(), VaultError> {
    create_private_folder(folder).map_err(|error| VaultError::from_io(folder, &error))
}

/// Opens or creates the database. Every commit is durable.
pub(super) fn open_database(path: &Path) -> Result<Connection, VaultError> {
    reject_link(path)?;
    // SQLite creates the -wal and -shm files with the mode of the database.
    private_options()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|file| make_private(&file))
        .map_err(|error| VaultError::from_io(path, &error))?;
    connect(path).map_err(|error| error.with_path(path))
}

/// Returns the salt for the operator's key. Creates it in a vault without one.
pub(super) fn read_salt(connection: &Connection) -> Result<[u8; SALT_LENGTH], VaultError> {
    let salt: [u8; SALT_LENGTH] = rand::random();
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS parameters (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT",
    )?;
    connection.execute("INSERT OR IGNORE INTO parameters VALUES ('salt', ?1)", [salt])?;
    let sql = "SELECT value FROM parameters WHERE name = 'salt'";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// Fails if `path` is a symbolic link, which could redirect secrets.
fn reject_link(path: &Path) -> Result<(), VaultError> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => Err(VaultError::Link { path: path.to_owned() }),
        _ => Ok(()),
    }
}

/// Opens a private database in memory.
pub(super) fn open_memory() -> Result<Connection, VaultError> {
    connect(Path::new(":memory:"))
}

fn connect(path: &Path) -> Result<Connection, VaultError> {
    install_allocator()?;
    let mut connection = open_with_journal(path)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "secure_delete", true)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let application_id: i32 =
        transaction.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let layout_version: i32 =
        transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match (tables, application_id, layout_version) {
        (0, _, _) => {
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", LAYOUT_VERSION)?;
            transaction.commit()?;
        }
        (_, APPLICATION_ID, LAYOUT_VERSION) => drop(transaction),
        (_, APPLICATION_ID, found) => {
            let known = LAYOUT_VERSION;
            return Err(VaultError::NewerVersion { path: path.to_owned(), found, known });
        }
        _ => return Err(VaultError::NotAVault { path: path.to_owned() }),
    }
    Ok(connection)
}

/// Opens the file and turns on write-ahead logging, a lasting property of the file.
///
/// Retries for [`BUSY_TIMEOUT`] while another process does the same, because SQLite does not wait
/// here.
fn open_with_journal(path: &Path) -> rusqlite::Result<Connection> {
    let open = || {
        let connection = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        set_journal(connection, path)
    };
    let start = Instant::now();
    loop {
        match open() {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && start.elapsed() < BUSY_TIMEOUT =>
            {
                #[expect(clippy::disallowed_methods, reason = "opens on a blocking thread")]
                std::thread::sleep(WAL_RETRY_DELAY);
            }
            outcome => return outcome,
        }
    }
}

/// Reads a key file, if it exists.
pub(super) fn read_key(path: &Path) -> Result<Option<[u8; KEY_LENGTH]>, VaultError> {
    reject_link(path)?;
    match fs::read(path) {
        Ok(bytes) => {
            bytes.try_into().map(Some).map_err(|_| VaultError::NotAKey { path: path.to_owned() })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(VaultError::from_io(path, &error)),
    }
}

/// Creates a key file with a random key. Processes that do this concurrently get the same key.
pub(super) fn create_key(path: &Path) -> Result<[u8; KEY_LENGTH], VaultError> {
    let key = random_key();
    create_atomically(path, &key).map_err(|error| VaultError::from_io(path, &error))?;
    read_key(path)?.ok_or_else(|| VaultError::NotAKey { path: path.to_owned() })
}

/// Creates `path` with `bytes`, completely or not at all. Leaves an existing file unchanged.
fn create_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension(format!("key.{}", uuid::Uuid::new_v4()));
    let mut file = private_options().create_new(true).write(true).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    // Unlike a rename, a link never replaces an existing file. Not every file system has links.
    let created = match fs::hard_link(&draft, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => fs::rename(&draft, path),
        _ => fs::remove_file(&draft),
    };
    created.inspect_err(|_| drop(fs::remove_file(&draft)))?;
    sync_folder(path)
}

fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(unix)]
fn make_private(file: &File) -> io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
}

#[cfg(not(unix))]
fn make_private(_: &File) -> io::Result<()> {
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
