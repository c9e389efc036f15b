//! A file system that writes down the changes that SQLite makes to the files of one folder.
//!
//! It works above the program's own layer. The bytes of a write are read back from the file, so
//! that they are those that reach the disk.

use std::collections::HashMap;
use std::ffi::CStr;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::raw::{c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};

use parking_lot::Mutex;
use rusqlite::ffi;

/// One change of a file in the folder, by its name.
#[derive(Clone, Debug)]
pub enum Operation {
    Write {
        file: String,
        offset: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        file: String,
        length: usize,
    },
    /// All former changes of the file are durable.
    Sync {
        file: String,
    },
    Delete {
        file: String,
    },
}

/// The operations by folder.
static RECORDINGS: LazyLock<Mutex<HashMap<PathBuf, Vec<Operation>>>> =
    LazyLock::new(Mutex::default);

/// Records the operations on files that are opened in `folder` from now on.
pub fn record(folder: &Path) {
    install();
    RECORDINGS.lock().insert(folder.to_owned(), Vec::new());
}

/// The operations so far.
pub fn recorded(folder: &Path) -> Vec<Operation> {
    RECORDINGS.lock()[folder].clone()
}

/// The number of operations so far.
pub fn length(folder: &Path) -> usize {
    RECORDINGS.lock()[folder].len()
}

struct Layer {
    base: *mut ffi::sqlite3_vfs,
    tail_at: usize,
}

// SAFETY: the pointer is only read, and its target lives until the process ends.
unsafe impl Send for Layer {}
// SAFETY: as above.
unsafe impl Sync for Layer {}

static LAYER: OnceLock<Layer> = OnceLock::new();

struct Tail {
    methods: ffi::sqlite3_io_methods,
    base: *const ffi::sqlite3_io_methods,
    path: *mut PathBuf,
}

fn install() {
    ringside::store::prepare_sqlite().unwrap();
    LAYER.get_or_init(|| {
        // SAFETY: the program's file system is registered and lives until the process ends.
        unsafe {
            let base = ffi::sqlite3_vfs_find(std::ptr::null());
            let tail_at = ((*base).szOsFile as usize).next_multiple_of(align_of::<Tail>());
            let layer = Box::leak(Box::new(ffi::sqlite3_vfs {
                szOsFile: (tail_at + size_of::<Tail>()) as c_int,
                pNext: std::ptr::null_mut(),
                zName: c"recorder".as_ptr(),
                xOpen: Some(open),
                xDelete: Some(delete),
                ..*base
            }));
            assert_eq!(ffi::sqlite3_vfs_register(layer, 1), ffi::SQLITE_OK);
            Layer { base, tail_at }
        }
    });
}

/// The path of a file in a recorded folder.
unsafe fn recorded_path(name: *const c_char) -> Option<PathBuf> {
    if name.is_null() {
        return None;
    }
    // SAFETY: SQLite passes a string that ends with a zero.
    let path = PathBuf::from(unsafe { CStr::from_ptr(name) }.to_str().ok()?);
    RECORDINGS.lock().contains_key(path.parent()?).then_some(path)
}

fn note(path: &Path, operation: impl FnOnce(String) -> Operation) {
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut recordings = RECORDINGS.lock();
    recordings.get_mut(path.parent().unwrap()).unwrap().push(operation(name));
}

unsafe fn tail<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Tail {
    // SAFETY: `open` has written the tail behind each file that has these methods.
    unsafe { &mut *file.byte_add(LAYER.get().unwrap().tail_at).cast::<Tail>() }
}

unsafe extern "C" fn open(
    _layer: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let Layer { base, tail_at } = LAYER.get().unwrap();
    // SAFETY: the program's own function gets its own file system and SQLite's arguments.
    unsafe {
        let code = (**base).xOpen.unwrap()(*base, name, file, flags, out_flags);
        let Some(path) = recorded_path(name) else { return code };
        let base = (*file).pMethods;
        if code != ffi::SQLITE_OK || base.is_null() {
            return code;
        }
        let methods = ffi::sqlite3_io_methods {
            xClose: Some(close),
            xWrite: Some(write),
            xTruncate: Some(truncate),
            xSync: Some(sync),
            ..*base
        };
        let tail = file.byte_add(*tail_at).cast::<Tail>();
        tail.write(Tail { methods, base, path: Box::into_raw(Box::new(path)) });
        (*file).pMethods = &raw const (*tail).methods;
        code
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the file is open, and SQLite does not use it afterwards.
    unsafe {
        drop(Box::from_raw(tail(file).path));
        let base = tail(file).base;
        (*file).pMethods = base;
        (*base).xClose.unwrap()(file)
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    buffer: *const c_void,
    amount: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: the file is open, with SQLite's arguments.
    unsafe {
        let code = (*tail(file).base).xWrite.unwrap()(file, buffer, amount, offset);
        if code == ffi::SQLITE_OK {
            let path = &*tail(file).path;
            let mut bytes = vec![0; amount as usize];
            let mut reader = File::open(path).unwrap();
            reader.seek(SeekFrom::Start(offset as u64)).unwrap();
            reader.read_exact(&mut bytes).unwrap();
            let offset = offset as usize;
            note(path, |file| Operation::Write { file, offset, bytes });
        }
        code
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, length: i64) -> c_int {
    // SAFETY: the file is open.
    unsafe {
        let code = (*tail(file).base).xTruncate.unwrap()(file, length);
        if code == ffi::SQLITE_OK {
            let length = length as usize;
            note(&*tail(file).path, |file| Operation::Truncate { file, length });
        }
        code
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: the file is open.
    unsafe {
        let code = (*tail(file).base).xSync.unwrap()(file, flags);
        if code == ffi::SQLITE_OK {
            note(&*tail(file).path, |file| Operation::Sync { file });
        }
        code
    }
}

unsafe extern "C" fn delete(
    _layer: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync_folder: c_int,
) -> c_int {
    let base = LAYER.get().unwrap().base;
    // SAFETY: the program's own function gets its own file system and SQLite's arguments.
    unsafe {
        let code = (*base).xDelete.unwrap()(base, name, sync_folder);
        if code == ffi::SQLITE_OK
            && let Some(path) = recorded_path(name)
        {
            note(&path, |file| Operation::Delete { file });
        }
        code
    }
}
