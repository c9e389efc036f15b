//! The integration tests: the whole product against a simulated Oura. One binary, because each
//! further one would link the whole crate once more.

#![expect(
    clippy::disallowed_methods,
    reason = "tests act as clients of their own, and read the real time"
)]

mod catalog;
mod certificates;
mod common;
mod damage;
mod demo;
mod documents;
mod faults;
mod hostile;
mod http;
mod insights;
#[cfg(unix)]
mod interruption;
#[cfg(unix)]
mod lake;
mod layers;
mod odd_documents;
#[cfg(unix)]
mod power;
mod quiet;
mod recorded;
mod resilience;
mod secrets;
#[cfg(target_os = "linux")]
mod soak;
mod specification;
#[cfg(target_os = "linux")]
mod surroundings;
mod upgrade;
