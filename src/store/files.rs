//! Files and folders that only the current user can read.

use std::fs::File;
use std::path::Path;

/// Creates `folder` and its missing parents, with mode 0700 on Unix.
pub(crate) fn create_private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Creates a new file, with mode 0600 on Unix. Fails if `path` exists.
pub(crate) fn create_private_file(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The prefix of the copies that a download makes next to the database.
pub(crate) const EXPORT_PREFIX: &str = "export-";

/// Makes the database at `path`, its other files and its folder private, as older versions did not.
/// A file of another user keeps its mode.
pub(super) fn make_private(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let set = |path: &Path, mode| {
            // A link would lead to another file.
            if path.symlink_metadata().is_ok_and(|metadata| !metadata.is_symlink()) {
                let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
            }
        };
        for suffix in ["", "-wal", "-shm"] {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            set(Path::new(&name), 0o600);
        }
        if let Some(folder) = path.parent() {
            set(folder, 0o700);
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// Deletes the copies that a killed process left next to the database at `path`.
pub(super) fn delete_exports(path: &Path) {
    let entries = path.parent().map(std::fs::read_dir).into_iter().flatten().flatten().flatten();
    for entry in entries {
        if entry.file_name().to_string_lossy().starts_with(EXPORT_PREFIX) {
            // The next opening tries again.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
