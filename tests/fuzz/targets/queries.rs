//! Fuzzes a query: macros, guard, SQLite and frames.
#![no_main]

use std::cell::Cell;

#[path = "../mutation.rs"]
mod mutation;
#[path = "../properties.rs"]
#[allow(dead_code)]
mod properties;

/// The number of queries between two checks of the files.
const CHECK_INTERVAL: u32 = 64;

thread_local! {
    static WORLD: properties::World = properties::World::new();
    static QUERIES: Cell<u32> = const { Cell::new(0) };
}

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutation::mutate(data, size, max_size, seed)
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    WORLD.with(|world| {
        world.check_query(text);
        QUERIES.set(QUERIES.get() + 1);
        if QUERIES.get().is_multiple_of(CHECK_INTERVAL) {
            world.check_files();
        }
    });
});
