//! Any text as a query, from the macros through the guard and SQLite to the frames.
#![no_main]

use std::cell::Cell;

#[path = "../mutation.rs"]
mod mutation;
#[path = "../properties.rs"]
#[allow(dead_code)]
mod properties;

/// How many queries there are between two looks at the files.
const LOOK: u32 = 64;

thread_local! {
    static WORLD: properties::World = properties::World::new();
    static ASKED: Cell<u32> = const { Cell::new(0) };
}

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutation::mutate(data, size, max_size, seed)
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    WORLD.with(|world| {
        world.answers(text);
        ASKED.set(ASKED.get() + 1);
        if ASKED.get().is_multiple_of(LOOK) {
            world.is_untouched();
        }
    });
});
