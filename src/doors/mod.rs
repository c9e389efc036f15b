//! Doors: several Grafanas, one owner.
//!
//! The owner is a `serve` process with all logins, syncs and databases. A door is a Grafana with a
//! plugin that forwards every call to the owner, byte for byte, over one HTTP/2 connection.
//!
//! | file | side | purpose |
//! |---|---|---|
//! | `link.rs` | plugin | the connection, which is opened again when it is lost |
//! | `relay.rs` | plugin | forwards calls, and answers them while the owner cannot |
//! | `rpc.rs` | both | gRPC responses without a codec |
//! | `tls.rs` | both | certificates in files |
//! | `door.rs` | owner | the caller of a call, and the data sources that it may use |

mod door;
mod link;
mod relay;
pub mod rpc;
pub mod tls;

pub use door::{Cap, Door, Grants, Reached};
pub use link::{Link, OwnerAddress, OwnerAddressError};
pub use relay::{OfflineAnswer, Relay, forward};

/// The header with the version of the program that sends a call or its response.
pub const VERSION_HEADER: &str = "ringside-version";

/// The response header with the code of an owner's refusal, next to the gRPC status.
pub const REFUSAL_HEADER: &str = "ringside-refusal";

/// This program's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
