//! Fuzzes one property, which the variable `FUZZ_PROPERTY` names. One binary for all of them,
//! because each further one would link the whole crate once more.
#![no_main]

use std::cell::Cell;
use std::sync::LazyLock;

mod mutation;
mod properties;

use properties::Property;

/// The number of inputs between two checks of the files.
const CHECK_INTERVAL: u32 = 64;

static PROPERTY: LazyLock<Property> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_PROPERTY").unwrap_or_default();
    Property::of(&name).unwrap_or_else(|| panic!("FUZZ_PROPERTY={name:?} names no property"))
});

thread_local! {
    static WORLD: properties::World = properties::World::new();
    static INPUTS: Cell<u32> = const { Cell::new(0) };
}

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutation::mutate(*PROPERTY, data, size, max_size, seed)
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    WORLD.with(|world| {
        PROPERTY.check(world, data);
        INPUTS.set(INPUTS.get() + 1);
        if INPUTS.get().is_multiple_of(CHECK_INTERVAL) {
            world.check_files();
        }
    });
});
