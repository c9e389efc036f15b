//! The socket on which Grafana talks to this process: in a folder that only this user can enter, gone when the process ends, or, where it was
//! killed, when the next one begins.

use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixListener;

/// The beginning of the folder's name; a random number follows.
const NAME: &str = "gpx_oura-";

/// The socket's name in it.
const SOCKET: &str = "grpc";

/// A process that has just made its folder may not listen yet.
const BEGINNING: Duration = Duration::from_secs(60);

/// A socket's address has room for about 104 bytes on macOS and 108 on Linux.
const MAX_PATH: usize = 100;

/// Removes its folder when dropped.
pub struct Socket {
    folder: PathBuf,
    path: PathBuf,
}

impl Socket {
    /// Listens in a new folder under `$TMPDIR`, or under `/tmp` where there is none or its path is too long.
    pub fn bind() -> io::Result<(Socket, UnixListener)> {
        let name = format!("{NAME}{:016x}", rand::random::<u64>());
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

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes, when called, the folders beside this one that killed processes of this user left. Blocks on the file system.
    pub fn sweep(&self) -> impl FnOnce() + Send + 'static {
        let own = self.folder.clone();
        move || {
            let (Some(parent), Ok(this)) = (own.parent(), own.symlink_metadata()) else { return };
            let folders =
                std::fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
            for left in folders.filter(|folder| *folder != own && is_left(folder, this.uid())) {
                // What cannot be removed is no worse than before.
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

/// Whether `folder` held the socket of a process of user `uid` that has ended.
fn is_left(folder: &Path, uid: u32) -> bool {
    let name =
        folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix(NAME));
    let is_ours = |metadata: &Metadata| metadata.is_dir() && metadata.uid() == uid;
    let is_old = |metadata: &Metadata| {
        metadata.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age > BEGINNING))
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
    async fn nobody_else_can_reach_the_socket_and_nothing_of_it_stays() {
        let (socket, _listener) = Socket::bind().unwrap();
        let folder = socket.path().parent().unwrap().to_owned();
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        drop(socket);
        assert!(!folder.exists());
    }

    /// Makes a folder as old as one that an earlier process left.
    fn grow_old(folder: &Path) {
        let long_ago = std::time::SystemTime::now() - 2 * BEGINNING;
        std::fs::File::open(folder).unwrap().set_modified(long_ago).unwrap();
    }

    #[tokio::test]
    async fn what_killed_processes_left_is_swept_and_nothing_else() {
        let (killed, listener) = Socket::bind().unwrap();
        drop(listener);
        let (working, _listener) = Socket::bind().unwrap();
        let (beginning, listener) = Socket::bind().unwrap();
        drop(listener);
        let (this, _this_listener) = Socket::bind().unwrap();
        let named_otherwise = this.folder.with_file_name(format!("{NAME}notes"));
        std::fs::create_dir_all(&named_otherwise).unwrap();
        for folder in [&killed.folder, &working.folder, &this.folder, &named_otherwise] {
            grow_old(folder);
        }
        this.sweep()();
        assert!(!killed.folder.exists());
        let kept = [&working.folder, &beginning.folder, &this.folder, &named_otherwise];
        assert!(kept.iter().all(|folder| folder.exists()));
        std::fs::remove_dir(named_otherwise).unwrap();
    }

    #[test]
    fn a_folder_of_another_user_is_not_swept() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join(format!("{NAME}{:016x}", 7));
        std::fs::create_dir(&folder).unwrap();
        grow_old(&folder);
        let uid = folder.symlink_metadata().unwrap().uid();
        assert!(is_left(&folder, uid) && !is_left(&folder, uid + 1));
    }
}
