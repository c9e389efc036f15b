//! The interface to the storage of a login.

use super::oauth::Grant;

/// A failure to read or write the stored grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantStoreError {
    /// The process lacks permission to read or write the file.
    #[error("The stored login cannot be accessed: {detail}")]
    NotAccessible {
        /// The file and the system's error.
        detail: String,
    },
    /// The disk is full. The previous grant is still stored.
    #[error("The login cannot be stored because the disk is full: {detail}")]
    DiskFull {
        /// The file.
        detail: String,
    },
    /// The process has no free file handle.
    #[error("The stored login cannot be read or written: {detail}")]
    TooManyFiles {
        /// The file and the remedy.
        detail: String,
    },
    /// Any other failure of the storage.
    #[error("The stored login cannot be used: {detail}")]
    Failed {
        /// The cause.
        detail: String,
    },
}

/// Storage for one grant. Each call blocks on the disk, and is durable when it returns.
pub trait GrantStore: Send + Sync {
    /// Returns the stored grant. A grant that cannot be decrypted counts as missing.
    fn load(&self) -> Result<Option<Grant>, GrantStoreError>;
    /// Stores `grant` in place of the previous one.
    fn save(&self, grant: &Grant) -> Result<(), GrantStoreError>;
    /// Deletes the grant and its end reason.
    fn clear(&self) -> Result<(), GrantStoreError>;
    /// Returns the reason passed to [`GrantStore::mark_ended`] for the stored grant.
    fn end_reason(&self) -> Result<Option<String>, GrantStoreError>;
    /// Marks the stored grant as ended, so that its dead token is not sent again, even after a
    /// restart. The mark does not apply to later grants.
    fn mark_ended(&self, reason: &str) -> Result<(), GrantStoreError>;
}
