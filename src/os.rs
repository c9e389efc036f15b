//! Limits and resources of the operating system.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use tokio::runtime::Runtime;

/// Raises the soft limit of open files to the hard one, and turns core dumps off: they would
/// contain tokens and health data. Call it before other threads start.
pub fn prepare_process() {
    #[cfg(unix)]
    {
        set_limit(libc::RLIMIT_NOFILE as _, |limit| limit.rlim_cur = limit.rlim_max);
        set_limit(libc::RLIMIT_CORE as _, |limit| (limit.rlim_cur, limit.rlim_max) = (0, 0));
        // SAFETY: umask only sets a number of the process. It cannot fail.
        unsafe { libc::umask(0o077) };
    }
}

/// Returns the maximum number of open files, if it is known.
pub fn max_open_files() -> Option<usize> {
    #[cfg(unix)]
    {
        let limit = limit(libc::RLIMIT_NOFILE as _)?;
        usize::try_from(limit.rlim_cur).ok()
    }
    #[cfg(not(unix))]
    None
}

/// Returns whether `error` reports too many open files, of the process or of the system.
pub fn is_out_of_files(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
    }
    #[cfg(not(unix))]
    {
        let _ = error;
        false
    }
}

/// The files that SQLite opens at once for a connection: the database, its log, the log's index and
/// the folder.
const FILES_OF_CONNECTION: usize = 4;

/// The files that the async runtime opens for events and signals, and some for the first work.
const FILES_OF_RUNTIME: usize = 8;

/// Returns whether a connection of SQLite cannot open its files, because too many are open. For
/// libraries that hide the system's error, and that have closed some of the files already.
pub fn lacks_free_files() -> bool {
    lacks(FILES_OF_CONNECTION)
}

/// Whether `count` files cannot be opened, because too many are open.
fn lacks(count: usize) -> bool {
    let files: io::Result<Vec<File>> = (0..count).map(|_| File::open("/")).collect();
    files.is_err_and(|error| is_out_of_files(&error))
}

/// Starts the async runtime. The error is a sentence, with a remedy if one is known.
pub fn start_runtime() -> Result<Runtime, String> {
    // tokio panics without the files for its signals.
    if lacks(FILES_OF_RUNTIME) {
        return Err(format!(
            "could not start the async runtime: too many files are open. {RAISE_FILE_LIMIT}"
        ));
    }
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("could not start the async runtime: {error}"))
}

/// Returns whether files of `folder` can have record locks. SQLite uses them, and reports a file
/// system without locks as a busy file. Tries a file of its own; `true` if it cannot be created.
pub fn has_record_locks(folder: &Path) -> bool {
    let probe = folder.join(format!("lock-probe-{:016x}", rand::random::<u64>()));
    let Ok(file) = OpenOptions::new().create_new(true).write(true).open(&probe) else {
        return true;
    };
    let locked = try_lock_record(&file);
    // An empty file that cannot be removed does no harm.
    let _ = std::fs::remove_file(&probe);
    !matches!(locked, Err(TryLockError::Error(_)))
}

/// Locks the whole file with a record lock, which belongs to the open file.
#[cfg(target_os = "linux")]
pub fn try_lock_record(file: &File) -> Result<(), TryLockError> {
    use std::os::fd::AsRawFd;

    let whole_file = libc::flock {
        l_type: libc::F_WRLCK as _,
        l_whence: libc::SEEK_SET as _,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    // SAFETY: the descriptor is open, and the pointer is valid for the duration of the call.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &whole_file) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Err(TryLockError::WouldBlock),
        _ => Err(TryLockError::Error(error)),
    }
}

/// Locks the whole file.
#[cfg(not(target_os = "linux"))]
pub fn try_lock_record(file: &File) -> Result<(), TryLockError> {
    file.try_lock()
}

/// Returns the bytes that this process may still write to the file system of `folder`, if the
/// operating system reports them.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;

        let folder = std::ffi::CString::new(folder.as_os_str().as_bytes()).ok()?;
        let mut space = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
        // SAFETY: both pointers are valid for the duration of the call, and zeros are a valid value.
        let space = unsafe {
            if libc::statvfs(folder.as_ptr(), space.as_mut_ptr()) != 0 {
                return None;
            }
            space.assume_init()
        };
        // The types of both fields depend on the system.
        (space.f_bavail as u64).checked_mul(space.f_frsize as u64)
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

/// The remedy for too many open files, as full sentences.
pub const RAISE_FILE_LIMIT: &str = "Raise the limit of open files for Grafana, for example with \
                                    LimitNOFILE=65536 in its systemd unit, or lower the setting \
                                    max_open_datasources.";

#[cfg(unix)]
type Resource = libc::c_int;

#[cfg(unix)]
fn limit(resource: Resource) -> Option<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is valid for the duration of the call.
    let outcome = unsafe { libc::getrlimit(resource as _, &mut limit) };
    (outcome == 0).then_some(limit)
}

/// Changes a limit. A limit that the system rejects stays as it was.
#[cfg(unix)]
fn set_limit(resource: Resource, change: impl FnOnce(&mut libc::rlimit)) {
    if let Some(mut limit) = limit(resource) {
        change(&mut limit);
        // SAFETY: the pointer is valid for the duration of the call.
        unsafe { libc::setrlimit(resource as _, &limit) };
    }
}
