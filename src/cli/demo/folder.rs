//! The demo's data folder, emptied for each demo: an earlier demo may have had another person, or
//! fewer days.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The file that marks a demo's folder. Only a marked folder without other files may be emptied.
const MARK: &str = "demo";

/// The files of a demo: names, or prefixes that contain a dot.
const DEMO_FILES: [&str; 6] = [MARK, "lock", "vault.", "specification.json", "1", "grafana"];

#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error(
        "{} contains {name:?}, which is not a demo's file. Choose another folder with --data-dir, \
         or remove this one yourself",
        folder.display()
    )]
    Strange { folder: PathBuf, name: String },
    #[error(
        "another process uses {}. End it, or choose another folder with --data-dir",
        .0.display()
    )]
    Used(PathBuf),
    #[error("could not use {}: {source}. Choose another folder with --data-dir", folder.display())]
    Unusable { folder: PathBuf, source: io::Error },
}

/// Creates or empties the demo's folder, and marks it. Deletes only files of an earlier demo, and
/// only in a folder without other files.
pub fn prepare(folder: &Path) -> Result<(), FolderError> {
    let unusable = |source: io::Error| FolderError::Unusable { folder: folder.to_owned(), source };
    crate::store::create_private_folder(folder).map_err(unusable)?;
    let names = names(folder).map_err(unusable)?;
    let is_a_demos = names.iter().any(|name| name == MARK);
    // The organization's folder must contain only the demo's data source.
    let others = if is_a_demos && names.iter().any(|name| name == "1") {
        self::names(&folder.join("1")).map_err(unusable)?
    } else {
        Vec::new()
    };
    let strange = names.iter().find(|name| !is_a_demos || !is_demo_file(name));
    if let Some(name) = strange.or_else(|| others.iter().find(|name| *name != "oura")) {
        return Err(FolderError::Strange { folder: folder.to_owned(), name: name.clone() });
    }
    let lock = folder.join("lock");
    let _held = match File::open(&lock) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unusable(error)),
        Ok(file) => match file.try_lock() {
            Ok(()) => Some(file),
            Err(TryLockError::WouldBlock) => return Err(FolderError::Used(folder.to_owned())),
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        },
    };
    // The mark is written first and removed last, so that an interrupted demo leaves a marked
    // folder.
    fs::write(folder.join(MARK), "A demo's data: the next demo deletes it.\n").map_err(unusable)?;
    for name in names.iter().filter(|name| *name != MARK) {
        let path = folder.join(name);
        let removed =
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(unusable)?;
    }
    Ok(())
}

fn is_demo_file(name: &str) -> bool {
    DEMO_FILES.iter().any(|left| name == *left || left.contains('.') && name.starts_with(left))
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        folder
    }

    #[test]
    fn a_new_folder_an_empty_one_and_an_earlier_demos_become_an_empty_demos() {
        let nothing = with(&[]);
        let earlier = with(&[
            "demo",
            "lock",
            "vault.db",
            "vault.key",
            "1/oura/oura.db",
            "1/oura/oura.db-wal",
        ]);
        for folder in [nothing.path(), &nothing.path().join("new"), earlier.path()] {
            let _ = fs::remove_dir(nothing.path().join("new"));
            prepare(folder).unwrap();
            assert_eq!(names(folder).unwrap(), [MARK]);
            fs::remove_file(folder.join(MARK)).unwrap();
        }
    }

    #[test]
    fn what_no_demo_left_is_never_deleted() {
        for files in [
            &["vault.db", "1/oura/oura.db"][..],
            &["holiday.jpg"],
            &["demo", "1/oura/oura.db", "holiday.jpg"],
            &["demo", "1/oura/oura.db", "1/another/oura.db"],
            &["demo", "2/oura/oura.db"],
        ] {
            let folder = with(files);
            let error = prepare(folder.path()).unwrap_err();
            assert!(
                matches!(error, FolderError::Strange { .. })
                    && error.to_string().contains("--data-dir"),
                "{error}"
            );
            assert!(files.iter().all(|file| folder.path().join(file).exists()), "{files:?}");
        }
    }

    #[test]
    fn a_folder_that_a_process_works_in_is_left_alone() {
        let folder = with(&["demo", "lock", "1/oura/oura.db"]);
        let held = File::open(folder.path().join("lock")).unwrap();
        held.lock().unwrap();
        assert!(matches!(prepare(folder.path()), Err(FolderError::Used(_))));
        assert!(folder.path().join("1/oura/oura.db").exists());
    }
}
