//! Data sources: login, syncs and queries, without a protocol.
//!
//! `api`, `plugin` and `cli` use this module through [`DataSources`], the registry, and
//! [`DataSource`], a handle on three parts:
//!
//! | part | file | sees |
//! |---|---|---|
//! | login | `login.rs` | vault, OAuth, tokens, pending logins, person check |
//! | syncs | `sync_control.rs` | store, client, schedule |
//! | queries | `queries.rs` | engine, counters, notices |
//!
//! The files of this module do not import each other in circles.

mod data_source;
mod demo;
mod disk_space;
mod environment;
mod error;
mod folder_lock;
mod gaps;
mod key;
mod login;
mod measures;
mod notice;
mod queries;
mod records;
mod registry;
mod rotation;
pub(crate) mod settings;
pub mod specification;
mod status;
mod sync_control;
pub mod vault;

pub use crate::store::{ConnectionState, Trigger};
pub use crate::sync::Progress;
pub use data_source::DataSource;
pub use disk_space::{DiskSpace, MIN_FREE_BYTES};
pub use environment::{Environment, MAX_OPEN};
pub use error::DataSourceError;
pub use key::{DataSourceKey, InvalidKey, is_door_name};
#[cfg(test)]
pub(crate) use login::SealedGrant;
pub use login::{LoginStart, PendingLogin, StoredLogin, stored_login};
pub use measures::Measures;
pub use records::{Record, read_record};
pub use registry::{DataSources, Forgotten};
pub use rotation::rotate_vault;
pub use settings::Settings;
pub use status::{CollectionStatus, Status};
pub use sync_control::{Backfill, SyncStatus};
