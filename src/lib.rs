//! Ringside: the Grafana data source for Oura rings.
//!
//! One crate in layers; a module may use those below it, never those above:
//!
//! ```text
//! cli → plugin → api → datasource, frames → sync, query → oura, store → catalog → time
//! ```
//!
//! `simulator` stands beside them: Oura's API with a synthetic person behind it, for tests and demo data. `docs/architecture.md` says why.

pub mod api;
mod blocking;
pub mod catalog;
pub mod cli;
pub mod datasource;
pub mod error_source;
mod format;
pub mod frames;
pub mod oura;
pub mod plugin;
pub mod query;
pub mod simulator;
pub mod sql;
pub mod store;
pub mod sync;
pub mod time;
