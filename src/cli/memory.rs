//! Settings of the memory allocator.

/// Freed blocks of at least this size return to the system at once, in bytes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: libc::c_int = 1 << 20;

/// Keeps freed memory small: large blocks return to the system at once, and threads share as many
/// arenas as there are processors.
///
/// By default, glibc raises the size of large blocks to that of the largest freed one, and has an
/// arena for each thread, up to eight for each processor. Each keeps the freed memory of its threads. After
/// a few large responses, the process then holds ten times their memory.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn configure_allocator() {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let arenas = libc::c_int::try_from(processors).unwrap_or(libc::c_int::MAX);
    // SAFETY: mallopt may be called at any time. This is the first call of `main`, so no other
    // thread allocates at the same time.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_ARENA_MAX, arenas);
    }
}

/// Does nothing: other allocators return large blocks by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn configure_allocator() {}
