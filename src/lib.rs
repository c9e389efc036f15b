//! Ringside: the Grafana data source for Oura rings.
//!
//! One crate in layers; a module may use those below it, never those above:
//!
//! ```text
//! cli → plugin → doors → api → datasource, frames → sync, query → oura, store → catalog → time
//! ```
//!
//! `lake` is above `frames`, and only `cli` uses it.
//!
//! `simulator` is separate: Oura's API with a synthetic person, for tests and demo data.
//! `docs/architecture.md` has the reasons.

pub mod api;
mod blocking;
pub mod catalog;
pub mod cli;
pub mod datasource;
mod doors;
pub mod error_source;
mod format;
pub mod frames;
mod held_body;
pub mod lake;
pub mod memory;
mod os;
pub mod oura;
pub mod plugin;
pub mod query;
pub mod simulator;
pub mod sql;
pub mod store;
pub mod sync;
pub mod time;
