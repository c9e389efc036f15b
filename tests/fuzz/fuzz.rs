//! Fuzzes one property, which the variable `FUZZ_PROPERTY` names. One binary for all of them,
//! because each further one would link the whole crate once more.
#![no_main]

use std::cell::Cell;
use std::sync::LazyLock;
use std::time::Duration;

mod mutation;
mod properties;

use properties::Property;

/// The number of inputs between two checks of the files.
const CHECK_INTERVAL: u32 = 64;

/// The processor's time that one input may take. A busy machine does not count, unlike in
/// libFuzzer's own limit.
const MAX_CPU_TIME: Duration = Duration::from_secs(3);

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
        .unwrap_or_else(|| libfuzzer_sys::fuzzer_mutate(data, size, max_size))
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    WORLD.with(|world| {
        let before = cpu_time();
        PROPERTY.check(world, data);
        let spent = cpu_time() - before;
        assert!(spent < MAX_CPU_TIME, "the input took {spent:?}");
        INPUTS.set(INPUTS.get() + 1);
        if INPUTS.get().is_multiple_of(CHECK_INTERVAL) {
            world.check_files();
        }
    });
});

/// The processor's time of this process so far.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for the duration of the call.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
