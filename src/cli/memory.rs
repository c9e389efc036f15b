//! How this process asks for memory.

/// Blocks from this size on are the system's again as soon as they are freed, in bytes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: libc::c_int = 1 << 20;

/// Keeps what one large answer needed from staying with the process. glibc raises the size from which it does so itself to that of the
/// largest block it has seen freed, and keeps an arena for each thread: a few large answers later ten times their memory is held.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn return_large_blocks() {
    // SAFETY: mallopt may be called at any time; called first thing, no other thread allocates meanwhile.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
}

/// Other allocators give large blocks back by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn return_large_blocks() {}
