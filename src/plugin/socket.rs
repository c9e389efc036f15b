//! The socket for Grafana, in a folder that only this user can enter.
//!
//! The folder is removed when the process ends. The next process removes that of a killed one.

use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixListener;

/// The prefix of the folder's name. A random number follows.
const FOLDER_PREFIX: &str = "gpx_oura-";

/// The socket's name in the folder.
const SOCKET: &str = "grpc";

/// Minimum age of an abandoned folder: a new process may not listen yet.
const MIN_ABANDONED_AGE: Duration = Duration::from_secs(60);

/// Maximum length of a socket's path: the systems allow about 104 bytes on macOS and 108 on Linux.
const MAX_PATH: usize = 100;

/// The socket's folder. Dropping it removes the folder.
pub struct Socket {
    folder: PathBuf,
    path: PathBuf,
}

impl Socket {
    /// Listens in a new folder under `$TMPDIR`. Falls back to `/tmp` if that is unset or too long.
    pub fn bind() -> io::Result<(Socket, UnixListener)> {
        let name = format!("{FOLDER_PREFIX}{:016x}", rand::random::<u64>());
        let preferred = std::env::temp_dir();
        let parent =
            if preferred.as_os_str().len() + name.len() + "//".len() + SOCKET.len() <= MAX_PATH {
                preferred
            } else {
                PathBuf::from("/tmp")
            };
        let folder = parent.join(name);
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        let socket = Socket { path: folder.join(SOCKET), folder };
        let listener = UnixListener::bind(&socket.path)?;
        Ok((socket, listener))
    }

    /// Returns the path of the socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns a function that removes the folders of killed processes of this user. It blocks on
    /// the file system.
    pub fn sweep(&self) -> impl FnOnce() + Send + 'static {
        let own = self.folder.clone();
        move || {
            let (Some(parent), Ok(this)) = (own.parent(), own.symlink_metadata()) else { return };
            let folders =
                std::fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
            for left in folders.filter(|folder| *folder != own && is_abandoned(folder, this.uid()))
            {
                // The next process tries again.
                let _ = std::fs::remove_dir_all(left);
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Returns whether `folder` belongs to an ended process of user `uid`.
fn is_abandoned(folder: &Path, uid: u32) -> bool {
    let name = folder
        .file_name()
        .and_then(|name| name.to_str())
        .and_then(|name| name.strip_prefix(FOLDER_PREFIX));
    let is_ours = |metadata: &Metadata| metadata.is_dir() && metadata.uid() == uid;
    let is_old = |metadata: &Metadata| {
        metadata.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age > MIN_ABANDONED_AGE))
    };
    name.is_some_and(|name| name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
        && folder.symlink_metadata().is_ok_and(|metadata| is_ours(&metadata) && is_old(&metadata))
        && UnixStream::connect(folder.join(SOCKET)).is_err_and(|error| {
            matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound)
        })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn socket_is_private_and_is_removed() {
        let (socket, _listener) = Socket::bind().unwrap();
        let folder = socket.path().parent().unwrap().to_owned();
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        drop(socket);
        assert!(!folder.exists());
    }

    /// Makes a folder as old as an abandoned one.
    fn make_old(folder: &Path) {
        #[expect(clippy::disallowed_methods, reason = "file times are real times")]
        let long_ago = std::time::SystemTime::now() - 2 * MIN_ABANDONED_AGE;
        std::fs::File::open(folder).unwrap().set_modified(long_ago).unwrap();
    }

    #[tokio::test]
    async fn only_abandoned_folders_are_swept() {
        let (killed, listener) = Socket::bind().unwrap();
        drop(listener);
        let (working, _listener) = Socket::bind().unwrap();
        let (beginning, listener) = Socket::bind().unwrap();
        drop(listener);
        let (this, _this_listener) = Socket::bind().unwrap();
        let named_otherwise = this.folder.with_file_name(format!("{FOLDER_PREFIX}notes"));
        std::fs::create_dir_all(&named_otherwise).unwrap();
        for folder in [&killed.folder, &working.folder, &this.folder, &named_otherwise] {
            make_old(folder);
        }
        this.sweep()();
        assert!(!killed.folder.exists());
        let kept = [&working.folder, &beginning.folder, &this.folder, &named_otherwise];
        assert!(kept.iter().all(|folder| folder.exists()));
        std::fs::remove_dir(named_otherwise).unwrap();
    }

    #[test]
    fn folder_of_another_user_is_not_swept() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join(format!("{FOLDER_PREFIX}{:016x}", 7));
        std::fs::create_dir(&folder).unwrap();
        make_old(&folder);
        let uid = folder.symlink_metadata().unwrap().uid();
        assert!(is_abandoned(&folder, uid) && !is_abandoned(&folder, uid + 1));
    }
}
