//! Keeping the store complete and current: which windows are wanted (a pure function), fetching them, and when.

mod executor;
mod planner;
mod schedule;

pub use executor::{Executor, Progress};
pub use planner::{SyncScope, backfill, plan, wants};
pub use schedule::{Schedule, Sync};
