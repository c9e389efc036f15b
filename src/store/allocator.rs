//! The allocator of SQLite: the program's own, with a charge for each block.
//!
//! SQLite calls the progress handler between instructions only: neither while it prepares a
//! statement, nor within a function. It allocates in both. A failed allocation ends the statement
//! with SQLITE_NOMEM, a case that SQLite handles and tests everywhere.
//!
//! SQLite must have its allocator before its first use. No other module configures SQLite.

use std::alloc::Layout;
use std::os::raw::{c_int, c_void};
use std::ptr;
use std::sync::OnceLock;

use rusqlite::ffi;

use super::meter;

/// Bytes before each block, which hold its size. SQLite requires blocks at multiples of 8.
const HEADER: usize = 8;

/// Bytes of each block for its header and the system's notes, which count as well.
const OVERHEAD: usize = HEADER + 8;

/// Gives SQLite its allocator. Call it before any other use of SQLite in the process.
///
/// Fails with SQLITE_MISUSE if SQLite was used before. Then statements would run without limits.
pub(super) fn install_allocator() -> rusqlite::Result<()> {
    static CODE: OnceLock<c_int> = OnceLock::new();
    let code = *CODE.get_or_init(|| {
        let methods = ffi::sqlite3_mem_methods {
            xMalloc: Some(malloc),
            xFree: Some(free),
            xRealloc: Some(realloc),
            xSize: Some(size),
            xRoundup: Some(round_up),
            xInit: Some(init),
            xShutdown: Some(shutdown),
            pAppData: ptr::null_mut(),
        };
        // SAFETY: the arguments are those that the documentation of each option states. SQLite
        // copies the methods. It rejects the call if it is in use already, and the lock keeps two
        // calls of this program apart.
        unsafe {
            match ffi::sqlite3_config(ffi::SQLITE_CONFIG_MALLOC, &raw const methods) {
                // SQLite's own statistics would take a lock for each allocation.
                ffi::SQLITE_OK => {
                    // The zone of the machine is never the one that a query means. With this
                    // setting, the modifiers that read it fail with an error.
                    ffi::sqlite3_test_control(
                        ffi::SQLITE_TESTCTRL_LOCALTIME_FAULT,
                        c_int::from(true),
                    );
                    ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, c_int::from(false))
                }
                code => code,
            }
        }
    });
    match code {
        ffi::SQLITE_OK => Ok(()),
        code => Err(rusqlite::Error::SqliteFailure(
            ffi::Error::new(code),
            Some("SQLite was in use before its allocator was installed".to_owned()),
        )),
    }
}

/// The layout of a block of `bytes` with its header.
fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.checked_add(HEADER)?, HEADER).ok()
}

unsafe extern "C" fn malloc(bytes: c_int) -> *mut c_void {
    let Ok(bytes) = usize::try_from(bytes) else { return ptr::null_mut() };
    let Some(layout) = layout(bytes) else { return ptr::null_mut() };
    if !meter::allocate(bytes + OVERHEAD) {
        return ptr::null_mut();
    }
    // SAFETY: the layout is not empty, because of its header.
    let block = unsafe { std::alloc::alloc(layout) };
    // SAFETY: `block` is null or the start of such a block.
    unsafe { after_header(block, bytes) }
}

unsafe extern "C" fn realloc(block: *mut c_void, bytes: c_int) -> *mut c_void {
    let Ok(bytes) = usize::try_from(bytes) else { return ptr::null_mut() };
    // SAFETY: SQLite passes a block of this allocator.
    let (start, known) = unsafe { before_header(block) };
    let (Some(old), Some(_)) = (layout(known), layout(bytes)) else { return ptr::null_mut() };
    let more = bytes.saturating_sub(known);
    if more > 0 && !meter::allocate(more) {
        return ptr::null_mut();
    }
    // SAFETY: `start` was allocated with the layout `old`, and `layout` accepted the new size.
    let moved = unsafe { std::alloc::realloc(start, old, bytes + HEADER) };
    meter::free(if moved.is_null() { more } else { known.saturating_sub(bytes) });
    // SAFETY: `moved` is null or the start of a block of the new size.
    unsafe { after_header(moved, bytes) }
}

unsafe extern "C" fn free(block: *mut c_void) {
    if block.is_null() {
        return;
    }
    // SAFETY: SQLite passes a block of this allocator.
    let (start, bytes) = unsafe { before_header(block) };
    meter::free(bytes + OVERHEAD);
    if let Some(layout) = layout(bytes) {
        // SAFETY: `start` was allocated with this layout.
        unsafe { std::alloc::dealloc(start, layout) };
    }
}

unsafe extern "C" fn size(block: *mut c_void) -> c_int {
    if block.is_null() {
        return 0;
    }
    // SAFETY: SQLite passes a block of this allocator. Its size came as a c_int.
    unsafe { before_header(block).1 as c_int }
}

unsafe extern "C" fn round_up(bytes: c_int) -> c_int {
    bytes.saturating_add(7) & !7
}

unsafe extern "C" fn init(_: *mut c_void) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn shutdown(_: *mut c_void) {}

/// Writes the size of a block into its header. Returns the memory after it, or null.
///
/// # Safety
///
/// `block` is null, or a block with a header and `bytes`.
unsafe fn after_header(block: *mut u8, bytes: usize) -> *mut c_void {
    if block.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the block starts with a header, which is large enough for a size and aligned to 8.
    unsafe {
        block.cast::<u64>().write(bytes as u64);
        block.add(HEADER).cast()
    }
}

/// Returns the start of a block, and its size without the header.
///
/// # Safety
///
/// [`after_header`] returned `block`, which is not null.
unsafe fn before_header(block: *mut c_void) -> (*mut u8, usize) {
    // SAFETY: the header precedes the memory that SQLite has.
    unsafe {
        let start = block.cast::<u8>().sub(HEADER);
        (start, start.cast::<u64>().read() as usize)
    }
}
