//! Checksums of database pages, in a layer between SQLite and the operating system's files.
//!
//! SQLite detects damage only where it breaks a structure. A flipped bit within a value would be a
//! wrong answer. So each page ends with a checksum in the format of SQLite's own extension
//! (<https://sqlite.org/cksumvfs.html>): 8 reserved bytes, which the header of the file announces.
//! Other programs can read such a file, and merge its log. If they change rows, as Litestream does,
//! the pages count as damaged, unless the operator's setting [`set_page_checksums`] is off.
//!
//! | file | written | verified |
//! |---|---|---|
//! | database | each page gets its checksum | each page that is read |
//! | write-ahead log | as SQLite writes it, with a checksum of its own for each frame | each frame that a read-only connection reads, and each frame before it is copied into the database. SQLite verifies all frames when it opens a log |
//!
//! A mismatch is SQLITE_CORRUPT. Files without checksums, such as the vault, pass unchanged.

use std::fs::File;
use std::io;
use std::os::raw::{c_int, c_void};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, ffi};

use super::error::StoreError;
use super::{journal, meter};

/// The length of a checksum in bytes: the reserved bytes of each page.
const CHECKSUM: usize = 8;

/// The identifier of this application in the header of a file with checksums. It makes the layer
/// verify a file even if the number of reserved bytes is damaged.
const APPLICATION: u32 = u32::from_be_bytes(*b"RING");

/// The identifier of this application in the header of a file without verified pages.
const UNVERIFIED: u32 = u32::from_be_bytes(*b"open");

/// Whether databases have checksums. See [`set_page_checksums`].
static IS_ENABLED: AtomicBool = AtomicBool::new(true);

/// Turns checksums off for all databases that are opened for writing afterwards, so that other
/// programs may change them, or on again. The files keep the setting for programs that only read.
pub fn set_page_checksums(is_enabled: bool) {
    IS_ENABLED.store(is_enabled, Ordering::Relaxed);
}

/// Bytes of the header of a database, as far as this module reads it.
const HEADER: usize = 100;

/// The headers of a write-ahead log, and of each frame in it.
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// The first bytes of a log with checksums over big-endian words. Those over little-endian words
/// have the last bit cleared.
const LOG_MAGIC: u32 = 0x377f_0683;

/// The facts in the header of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    page_size: usize,
    /// Whether the pages have room for checksums, so that they are written.
    has_room: bool,
    /// Whether the pages must have valid checksums.
    is_checked: bool,
}

impl Header {
    /// Reads the first bytes of a database. Returns `None` for anything else.
    fn read(bytes: &[u8]) -> Option<Header> {
        if bytes.len() < HEADER || !bytes.starts_with(b"SQLite format 3\0") {
            return None;
        }
        let has_room = usize::from(bytes[20]) == CHECKSUM;
        Some(Header {
            page_size: match u16::from_be_bytes([bytes[16], bytes[17]]) {
                1 => 1 << 16,
                size => usize::from(size),
            },
            has_room,
            is_checked: match big_endian(&bytes[68..]) {
                _ if !IS_ENABLED.load(Ordering::Relaxed) => false,
                UNVERIFIED => false,
                APPLICATION => true,
                _ => has_room,
            },
        })
    }
}

/// The order of the bytes in the words that a checksum adds.
#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

/// SQLite's checksum of pages and frames: two sums over pairs of words, each added to the other.
/// `bytes` has a multiple of 8 bytes. It finds every single flipped bit.
fn checksum(bytes: &[u8], order: Order, (mut first, mut second): (u32, u32)) -> (u32, u32) {
    let word = match order {
        Order::Little => u32::from_le_bytes,
        Order::Big => u32::from_be_bytes,
    };
    for pair in bytes.chunks_exact(8) {
        first = first.wrapping_add(word([pair[0], pair[1], pair[2], pair[3]]));
        first = first.wrapping_add(second);
        second = second.wrapping_add(word([pair[4], pair[5], pair[6], pair[7]]));
        second = second.wrapping_add(first);
    }
    (first, second)
}

/// Returns the checksum of a page without its last bytes, as it is stored in them.
fn page_checksum(page: &[u8]) -> [u8; CHECKSUM] {
    let (first, second) = checksum(&page[..page.len() - CHECKSUM], Order::Little, (0, 0));
    let mut stored = [0; CHECKSUM];
    stored[..4].copy_from_slice(&first.to_le_bytes());
    stored[4..].copy_from_slice(&second.to_le_bytes());
    stored
}

/// Whether a page ends with its checksum, or with zeros in the place of one.
///
/// Another program that merges the log into the file writes zeros: see [`read`]. Such a page had the
/// checksum of its frame until then. A page of zeros only is a lost page: SQLite reads no empty one.
fn is_intact(page: &[u8]) -> bool {
    let (body, stored) = page.split_at(page.len() - CHECKSUM);
    if stored == [0; CHECKSUM] {
        return body.iter().any(|byte| *byte != 0);
    }
    stored == page_checksum(page)
}

fn big_endian(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// Gives the pages of a new database room for checksums. A file with pages stays unchanged.
pub(super) fn reserve_in_new(connection: &Connection) -> Result<(), StoreError> {
    let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    if pages == 0 && IS_ENABLED.load(Ordering::Relaxed) {
        reserve(connection, CHECKSUM as c_int)?;
    }
    Ok(())
}

/// Gives the pages of an older file checksums, by writing it once more. Without checksums, marks the
/// file as not verified. Returns whether its pages are verified.
///
/// With a rollback journal the file stays as it is: a rollback would write its old pages.
pub(super) fn add(connection: &Connection) -> Result<bool, StoreError> {
    const UNCHANGED: c_int = -1;
    let application: u32 =
        connection.query_row("PRAGMA application_id", [], |row| row.get(0)).unwrap_or_default();
    let is_enabled = IS_ENABLED.load(Ordering::Relaxed);
    let has_room = reserve(connection, UNCHANGED)? == CHECKSUM as c_int;
    if is_enabled && (!has_room || application == UNVERIFIED) {
        if !journal::has_write_ahead_log(connection)? {
            return Ok(false);
        }
        reserve(connection, CHECKSUM as c_int)?;
        connection.execute_batch("VACUUM")?;
    }
    let wanted = if is_enabled { APPLICATION } else { UNVERIFIED };
    if application != wanted {
        connection.pragma_update(None, "application_id", wanted)?;
    }
    Ok(is_enabled)
}

/// Sets the reserved bytes of pages for new files and for VACUUM, unless `bytes` is negative.
/// Returns the former number.
fn reserve(connection: &Connection, mut bytes: c_int) -> rusqlite::Result<c_int> {
    // SAFETY: the connection is open during the call, and this operation reads and writes one
    // integer through the pointer.
    let code = unsafe {
        ffi::sqlite3_file_control(
            connection.handle(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_RESERVE_BYTES,
            (&raw mut bytes).cast(),
        )
    };
    match code {
        ffi::SQLITE_OK => Ok(bytes),
        code => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)),
    }
}

/// Writes a consistent copy of the database to `to`, an empty file, and waits until it is durable.
pub(super) fn copy(source: &Connection, to: &Path) -> Result<(), StoreError> {
    source.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    complete(to)
        .map_err(|error| StoreError::Copy { path: to.to_owned(), detail: error.to_string() })
}

/// Writes the missing checksums of a file that VACUUM INTO made. SQLite writes pages of a new file
/// before its header, so that the layer cannot know that they have room for one.
fn complete(path: &Path) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom, Write};
    let mut file = File::options().read(true).write(true).open(path)?;
    let mut start = [0; HEADER];
    file.read_exact(&mut start)?;
    let Some(header) = Header::read(&start).filter(|header| header.has_room) else {
        return file.sync_all();
    };
    let mut page = vec![0; header.page_size];
    for number in 0..file.metadata()?.len() / header.page_size as u64 {
        let offset = number * header.page_size as u64;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(&mut page)?;
        let (body, stored) = page.split_at(header.page_size - CHECKSUM);
        if stored != page_checksum(&page) && body.iter().any(|byte| *byte != 0) {
            file.seek(SeekFrom::Start(offset + body.len() as u64))?;
            file.write_all(&page_checksum(&page))?;
        }
    }
    file.sync_all()
}

/// Puts the layer between SQLite and its files, for all connections that open afterwards.
pub(super) fn install() -> rusqlite::Result<()> {
    static CODE: OnceLock<c_int> = OnceLock::new();
    // SAFETY: SQLite's own file system lives until the process ends.
    let code = *CODE.get_or_init(|| unsafe {
        let base = ffi::sqlite3_vfs_find(std::ptr::null());
        let memory = ffi::sqlite3_vfs_find(c"memdb".as_ptr());
        if base.is_null() || memory.is_null() {
            return ffi::SQLITE_ERROR;
        }
        let room = (*base).szOsFile.max((*memory).szOsFile) as usize;
        let tail_at = room.next_multiple_of(align_of::<Tail>());
        // A copy of SQLite's file system with another way to open files: its other functions work
        // on paths.
        let layer = Box::leak(Box::new(ffi::sqlite3_vfs {
            szOsFile: (tail_at + size_of::<Tail>()) as c_int,
            pNext: std::ptr::null_mut(),
            zName: c"ringside".as_ptr(),
            xOpen: Some(open),
            ..*base
        }));
        let _ = LAYER.set(Layer { base, memory, tail_at });
        ffi::sqlite3_vfs_register(layer, c_int::from(true))
    });
    match code {
        ffi::SQLITE_OK => Ok(()),
        code => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)),
    }
}

/// SQLite's own file system, and the place of a [`Tail`] behind each of its open files.
struct Layer {
    base: *mut ffi::sqlite3_vfs,
    /// SQLite's file system in memory.
    memory: *mut ffi::sqlite3_vfs,
    tail_at: usize,
}

// SAFETY: the pointers are only read, and their targets live until the process ends.
unsafe impl Send for Layer {}
// SAFETY: as above. SQLite calls the functions of a file system from all threads.
unsafe impl Sync for Layer {}

static LAYER: OnceLock<Layer> = OnceLock::new();

/// The layer's notes on an open file, in the memory behind it. One connection uses a file, from one
/// thread at a time.
struct Tail {
    /// SQLite's functions for this file, some of them replaced.
    methods: ffi::sqlite3_io_methods,
    base: *const ffi::sqlite3_io_methods,
    kind: Kind,
}

enum Kind {
    Database {
        /// `None` until the header was read, and after a checkpoint began: another connection may
        /// have written it.
        header: Option<Header>,
        is_read_only: bool,
        is_in_checkpoint: bool,
    },
    Log {
        database: *mut ffi::sqlite3_file,
    },
}

/// # Safety
///
/// `file` was opened by [`open`] as a database or log, and is not closed.
unsafe fn tail<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Tail {
    let at = LAYER.get().map_or(0, |layer| layer.tail_at);
    // SAFETY: SQLite allocated as many bytes as the layer asked for, at a multiple of 8, and `open`
    // has written the tail.
    unsafe { &mut *file.byte_add(at).cast::<Tail>() }
}

unsafe extern "C" fn open(
    _layer: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let Some(Layer { base, memory, tail_at }) = LAYER.get() else { return ffi::SQLITE_ERROR };
    // The statement of a user writes no file. The rows that it sorts count towards its memory.
    let is_temporary = name.is_null() && meter::is_running();
    let system = if is_temporary { *memory } else { *base };
    // SAFETY: SQLite's own function gets its own file system and SQLite's arguments. Afterwards the
    // file has methods, or opening failed.
    unsafe {
        let Some(open) = (*system).xOpen else { return ffi::SQLITE_ERROR };
        let code = open(system, name, file, flags, out_flags);
        let kind = if flags & ffi::SQLITE_OPEN_MAIN_DB != 0 {
            Kind::Database {
                header: None,
                is_read_only: flags & ffi::SQLITE_OPEN_READONLY != 0,
                is_in_checkpoint: false,
            }
        } else if flags & ffi::SQLITE_OPEN_WAL != 0 {
            Kind::Log { database: ffi::sqlite3_database_file_object(name) }
        } else {
            return code;
        };
        let base = (*file).pMethods;
        if code != ffi::SQLITE_OK || base.is_null() {
            return code;
        }
        let methods = ffi::sqlite3_io_methods {
            // Version 3 reads pages as mapped memory, which no function could verify.
            iVersion: (*base).iVersion.min(2),
            xClose: Some(close),
            xRead: Some(read),
            xWrite: Some(write),
            xFileControl: Some(file_control),
            ..*base
        };
        let tail = file.byte_add(*tail_at).cast::<Tail>();
        tail.write(Tail { methods, base, kind });
        (*file).pMethods = &raw const (*tail).methods;
        code
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the file is open. SQLite does not use it afterwards, and a tail has nothing to drop.
    unsafe {
        let base = tail(file).base;
        (*file).pMethods = base;
        (*base).xClose.map_or(ffi::SQLITE_ERROR, |close| close(file))
    }
}

/// Reads without a check.
///
/// # Safety
///
/// `buffer` has room for `amount` bytes, and `file` is open.
unsafe fn read_base(
    file: *mut ffi::sqlite3_file,
    buffer: *mut c_void,
    amount: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: as the caller states.
    unsafe {
        (*tail(file).base)
            .xRead
            .map_or(ffi::SQLITE_IOERR_READ, |read| read(file, buffer, amount, offset))
    }
}

/// Reads `N` bytes without a check. Returns `None` if the file has no such bytes.
///
/// # Safety
///
/// `file` is open.
unsafe fn read_bytes<const N: usize>(file: *mut ffi::sqlite3_file, offset: i64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    // SAFETY: the buffer has `N` bytes.
    let code = unsafe { read_base(file, bytes.as_mut_ptr().cast(), N as c_int, offset) };
    (code == ffi::SQLITE_OK).then_some(bytes)
}

/// The header of an open database, if it has one.
///
/// # Safety
///
/// `file` is an open database.
unsafe fn known_header(file: *mut ffi::sqlite3_file) -> Option<Header> {
    // SAFETY: the file is open.
    unsafe {
        if let Kind::Database { header: header @ None, .. } = &mut tail(file).kind {
            let bytes = read_bytes::<HEADER>(file, 0);
            *header = bytes.and_then(|bytes| Header::read(&bytes));
        }
        match tail(file).kind {
            Kind::Database { header, .. } => header,
            Kind::Log { .. } => None,
        }
    }
}

/// Remembers a header that is read or written.
fn note_header(tail: &mut Tail, bytes: &[u8], offset: i64) {
    if let Kind::Database { header, .. } = &mut tail.kind
        && offset == 0
        && bytes.len() >= HEADER
    {
        *header = Header::read(bytes);
    }
}

/// Reads and verifies. SQLite gets pages with zeros in the place of their checksum, so that the log,
/// into which it writes the changed pages, has no outdated checksums.
unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    buffer: *mut c_void,
    amount: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: SQLite passes an open file, and a buffer of `amount` bytes, which are then filled.
    unsafe {
        let code = read_base(file, buffer, amount, offset);
        if code != ffi::SQLITE_OK {
            return code;
        }
        let bytes = std::slice::from_raw_parts_mut(buffer.cast::<u8>(), amount as usize);
        note_header(tail(file), bytes, offset);
        let is_valid = match tail(file).kind {
            Kind::Database { .. } => match known_header(file) {
                Some(header) if header.has_room && bytes.len() == header.page_size => {
                    let is_valid = !header.is_checked || is_intact(bytes);
                    bytes[header.page_size - CHECKSUM..].fill(0);
                    is_valid
                }
                _ => true,
            },
            Kind::Log { database } => {
                !is_verified(database) || is_valid_frame(file, bytes, offset).unwrap_or(true)
            }
        };
        if is_valid { code } else { ffi::SQLITE_CORRUPT }
    }
}

/// Whether reads of the log verify its frames. The connection that writes may read frames of its
/// own transaction: their checksums follow with the commit.
///
/// # Safety
///
/// `database` is the open database of a log.
unsafe fn is_verified(database: *mut ffi::sqlite3_file) -> bool {
    // SAFETY: SQLite closes the log before its database.
    match unsafe { &tail(database).kind } {
        Kind::Database { is_read_only, is_in_checkpoint, .. } => *is_read_only || *is_in_checkpoint,
        Kind::Log { .. } => false,
    }
}

/// Whether the page at `offset` of a log has the checksum in its frame. Returns `None` if it is not
/// the page of a frame.
///
/// # Safety
///
/// `file` is an open log.
unsafe fn is_valid_frame(file: *mut ffi::sqlite3_file, page: &[u8], offset: i64) -> Option<bool> {
    let frame = FRAME_HEADER + page.len();
    let start = usize::try_from(offset).ok()?.checked_sub(FRAME_HEADER)?;
    let number = start.checked_sub(LOG_HEADER)?;
    if page.len() < 512 || number % frame != 0 {
        return None;
    }
    // SAFETY: the file is open.
    let log = unsafe { read_bytes::<LOG_HEADER>(file, 0)? };
    if big_endian(&log[8..]) as usize != page.len() || big_endian(&log) | 1 != LOG_MAGIC {
        return None;
    }
    let order = if big_endian(&log) == LOG_MAGIC { Order::Big } else { Order::Little };
    // The checksum of a frame continues that of the frame before, or of the log's header.
    let before = if number == 0 { LOG_HEADER } else { start - page.len() };
    // SAFETY: the file is open.
    let (before, header) = unsafe {
        let before = read_bytes::<8>(file, (before - 8) as i64)?;
        (before, read_bytes::<FRAME_HEADER>(file, start as i64)?)
    };
    let sums = checksum(&header[..8], order, (big_endian(&before), big_endian(&before[4..])));
    let sums = checksum(page, order, sums);
    Some(sums == (big_endian(&header[16..]), big_endian(&header[20..])))
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    buffer: *const c_void,
    amount: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: SQLite passes an open file, and a buffer of `amount` bytes.
    unsafe {
        let Some(write) = (*tail(file).base).xWrite else { return ffi::SQLITE_IOERR_WRITE };
        if matches!(tail(file).kind, Kind::Log { .. }) {
            return write(file, buffer, amount, offset);
        }
        let bytes = std::slice::from_raw_parts(buffer.cast::<u8>(), amount as usize);
        note_header(tail(file), bytes, offset);
        match known_header(file) {
            Some(header) if header.has_room && bytes.len() == header.page_size => {
                let mut page = bytes.to_vec();
                let stored = page.len() - CHECKSUM;
                page[stored..].copy_from_slice(&page_checksum(bytes));
                write(file, page.as_ptr().cast(), amount, offset)
            }
            _ => write(file, buffer, amount, offset),
        }
    }
}

unsafe extern "C" fn file_control(
    file: *mut ffi::sqlite3_file,
    operation: c_int,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: SQLite passes an open file and the operation's own argument.
    unsafe {
        let tail = tail(file);
        if let Kind::Database { header, is_in_checkpoint, .. } = &mut tail.kind {
            match operation {
                ffi::SQLITE_FCNTL_CKPT_START => (*header, *is_in_checkpoint) = (None, true),
                ffi::SQLITE_FCNTL_CKPT_DONE => *is_in_checkpoint = false,
                _ => {}
            }
        }
        let base = (*tail.base).xFileControl;
        base.map_or(ffi::SQLITE_NOTFOUND, |control| control(file, operation, argument))
    }
}
