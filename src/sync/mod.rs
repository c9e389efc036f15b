//! Keeping the store complete and current: planning windows, fetching them, and the schedule.
//!
//! The planner is a pure function. The policy decides when days are settled and windows suspect.
//! The executor runs one sync, and the schedule starts the runs one at a time.

mod executor;
mod failure;
mod fetch;
mod planner;
mod policy;
mod progress;
mod quiet;
mod ranges;
mod schedule;
#[cfg(test)]
mod tests;
mod tracker;

pub use executor::Executor;
pub use failure::{FAILURES, FailureAction, FailureRule};
pub use planner::{SyncScope, SyncState, backfill, plan, wants};
pub use policy::settled_after;
pub use progress::Progress;
pub use schedule::{Schedule, Sync};
