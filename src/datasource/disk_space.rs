//! Free space of the disk with the data folder.

use std::path::Path;

use serde::Serialize;

use crate::os;

/// The free bytes below which a disk counts as nearly full: a first import of three years takes
/// about 200 MB.
pub const MIN_FREE_BYTES: u64 = 256 << 20;

/// The free space for the data of a data source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub struct DiskSpace {
    /// The bytes that can still be written.
    pub free_bytes: u64,
    /// The bytes that should be free: 256 MiB, or the size of the database if that is larger. An
    /// upgrade writes new tables before it deletes the old ones.
    pub required_bytes: u64,
    /// Whether fewer bytes are free than required.
    pub nearly_full: bool,
}

impl DiskSpace {
    /// Measures the disk with `folder`. `None` if the operating system does not report its space.
    pub(crate) fn measure(
        folder: &Path,
        database_bytes: u64,
        min_free_bytes: u64,
    ) -> Option<DiskSpace> {
        Some(DiskSpace::new(os::free_bytes(folder)?, database_bytes, min_free_bytes))
    }

    fn new(free_bytes: u64, database_bytes: u64, min_free_bytes: u64) -> DiskSpace {
        let required_bytes = min_free_bytes.max(database_bytes);
        DiskSpace { free_bytes, required_bytes, nearly_full: free_bytes < required_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_is_compared_with_limit_and_database() {
        let nearly_full =
            |free, database| DiskSpace::new(free, database, MIN_FREE_BYTES).nearly_full;
        assert!(!nearly_full(MIN_FREE_BYTES, 0));
        assert!(nearly_full(MIN_FREE_BYTES - 1, 0));
        assert!(!nearly_full(2 * MIN_FREE_BYTES, 2 * MIN_FREE_BYTES));
        assert!(nearly_full(2 * MIN_FREE_BYTES, 2 * MIN_FREE_BYTES + 1));
    }

    #[test]
    fn space_of_a_folder_is_measured() {
        let folder = tempfile::tempdir().unwrap();
        let space = DiskSpace::measure(folder.path(), 0, 1);
        assert_eq!(space.is_some(), cfg!(unix));
        assert!(space.is_none_or(|space| space.free_bytes > 0 && !space.nearly_full));
        assert_eq!(DiskSpace::measure(&folder.path().join("missing"), 0, 1), None);
    }
}
