//! Settings of the memory allocator.

/// Freed blocks of at least this size return to the system at once, in bytes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: libc::c_int = 1 << 20;

/// Makes freed large blocks return to the system at once.
///
/// By default, glibc raises this threshold to the size of the largest freed block, and keeps an
/// arena per thread. After a few large responses, the process then holds ten times their memory.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn return_large_blocks() {
    // SAFETY: mallopt may be called at any time. This is the first call of `main`, so no other
    // thread allocates at the same time.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
}

/// Does nothing: other allocators return large blocks by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn return_large_blocks() {}
