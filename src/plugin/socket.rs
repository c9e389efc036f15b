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
use tokio::sync::mpsc;

use crate::store::create_private_folder;

/// The prefix of the folder's name. A random number follows.
const FOLDER_PREFIX: &str = "gpx_oura-";

/// The socket's name in the folder.
const SOCKET: &str = "grpc";

/// Minimum age of an abandoned folder: a new process may not listen yet.
const MIN_ABANDONED_AGE: Duration = Duration::from_secs(60);

/// Maximum length of a socket's path: the systems allow about 104 bytes on macOS and 108 on Linux.
const MAX_PATH: usize = 100;

/// The variable with the folder for sockets that Grafana sets.
const FOLDER_VARIABLE: &str = "PLUGIN_UNIX_SOCKET_DIR";

/// The time between two checks for the socket's file.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The pause after a failed `accept`, for example without a free file handle.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// The socket's folder. Dropping it removes the folder.
#[derive(Debug)]
pub struct Socket {
    folder: PathBuf,
    path: PathBuf,
}

/// Returns the folders in which the socket may be, most preferred first: the one that Grafana
/// names, the folders for temporary files, and the data folder.
pub fn parents(data_folder: Option<PathBuf>) -> Vec<PathBuf> {
    let named = std::env::var_os(FOLDER_VARIABLE).filter(|name| !name.is_empty());
    let mut parents: Vec<PathBuf> = named.map(PathBuf::from).into_iter().collect();
    parents.extend([std::env::temp_dir(), PathBuf::from("/tmp")]);
    parents.extend(data_folder);
    parents.dedup();
    parents
}

impl Socket {
    /// Listens in a new folder under the first usable one of `parents`. The error has the reason
    /// for each of them.
    pub fn bind(parents: &[PathBuf]) -> io::Result<(Socket, UnixListener)> {
        let mut reasons = Vec::new();
        for parent in parents {
            match Socket::bind_under(parent) {
                Ok(bound) => return Ok(bound),
                Err(error) => reasons.push(format!("{}: {error}", parent.display())),
            }
        }
        Err(io::Error::other(format!(
            "no folder for it can be used ({}). Set {FOLDER_VARIABLE} to a writable folder with a \
             short path",
            reasons.join("; ")
        )))
    }

    fn bind_under(parent: &Path) -> io::Result<(Socket, UnixListener)> {
        let folder = parent.join(format!("{FOLDER_PREFIX}{:016x}", rand::random::<u64>()));
        let path = folder.join(SOCKET);
        if path.as_os_str().len() > MAX_PATH {
            return Err(io::Error::other(format!("the path is longer than {MAX_PATH} bytes")));
        }
        create_private_folder(parent)?;
        let socket = Socket { folder, path };
        let listener = socket.listen()?;
        Ok((socket, listener))
    }

    /// Creates the folder if it is missing, and listens in it.
    fn listen(&self) -> io::Result<UnixListener> {
        match std::fs::DirBuilder::new().mode(0o700).create(&self.folder) {
            // Only the folder of this process counts: anybody can create one below /tmp.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let metadata = self.folder.symlink_metadata()?;
                let is_private = metadata.is_dir() && metadata.mode() & 0o077 == 0;
                if !is_private {
                    return Err(error);
                }
            }
            outcome => outcome?,
        }
        UnixListener::bind(&self.path)
    }

    /// Sends each connection to `sender`. Listens again if the socket's file is gone, as after a
    /// clean-up of temporary files. Returns the reason if that fails.
    pub async fn accept(
        &self,
        mut listener: UnixListener,
        sender: mpsc::Sender<io::Result<tokio::net::UnixStream>>,
    ) -> io::Error {
        let mut check = tokio::time::interval(CHECK_INTERVAL);
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((connection, _)) => {
                        // Without a receiver, the process is ending.
                        let _ = sender.send(Ok(connection)).await;
                    }
                    Err(error) => {
                        tracing::error!(%error, "could not accept a connection of Grafana");
                        tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                    }
                },
                _ = check.tick() => {
                    if self.path.symlink_metadata().is_ok() {
                        continue;
                    }
                    match self.listen() {
                        Ok(renewed) => listener = renewed,
                        Err(error) => return error,
                    }
                    tracing::warn!(
                        path = %self.path.display(),
                        "the socket was removed: listening again"
                    );
                }
            }
        }
    }

    /// Returns the path of the socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns a function that removes the folders of killed processes of this user below
    /// `parents`. It blocks on the file system.
    pub fn sweep(&self, parents: Vec<PathBuf>) -> impl FnOnce() + Send + 'static {
        let own = self.folder.clone();
        move || {
            let Ok(this) = own.symlink_metadata() else { return };
            let entries = parents.iter().flat_map(std::fs::read_dir).flatten().flatten();
            let folders = entries.map(|entry| entry.path());
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

    fn bind() -> (Socket, UnixListener) {
        Socket::bind(&[std::env::temp_dir()]).unwrap()
    }

    #[tokio::test]
    async fn first_usable_folder_is_used() {
        let good = tempfile::tempdir().unwrap();
        let file = good.path().join("file");
        std::fs::write(&file, "").unwrap();
        let long = good.path().join("x".repeat(MAX_PATH));
        let unusable = [file.join("below"), long.clone(), PathBuf::from("/proc/no-folder")];
        let error = Socket::bind(&unusable).unwrap_err().to_string();
        assert!(error.contains(FOLDER_VARIABLE) && error.contains("/proc/no-folder"), "{error}");
        let parents = [&unusable[..], &[good.path().join("new")]].concat();
        let (socket, _listener) = Socket::bind(&parents).unwrap();
        assert!(socket.path().starts_with(good.path().join("new")));
    }

    #[tokio::test]
    async fn removed_socket_listens_again() {
        let parent = tempfile::tempdir().unwrap();
        let parents = [parent.path().to_owned()];
        let (socket, listener) = Socket::bind(&parents).unwrap();
        let path = socket.path().to_owned();
        let (sender, mut connections) = mpsc::channel(1);
        let accepting = tokio::spawn(async move { socket.accept(listener, sender).await });
        for removed in [path.parent().unwrap(), path.as_path()] {
            if removed.is_dir() {
                std::fs::remove_dir_all(removed).unwrap();
            } else {
                std::fs::remove_file(removed).unwrap();
            }
            let _connection = loop {
                match tokio::net::UnixStream::connect(&path).await {
                    Ok(connection) => break connection,
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            };
            assert!(connections.recv().await.unwrap().is_ok());
        }
        // Another user may take the name of the folder.
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path.parent().unwrap(), "").unwrap();
        assert_eq!(accepting.await.unwrap().kind(), ErrorKind::AlreadyExists);
    }

    #[tokio::test]
    async fn socket_is_private_and_is_removed() {
        let (socket, _listener) = bind();
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
        let (killed, listener) = bind();
        drop(listener);
        let (working, _listener) = bind();
        let (beginning, listener) = bind();
        drop(listener);
        let (this, _this_listener) = bind();
        let named_otherwise = this.folder.with_file_name(format!("{FOLDER_PREFIX}notes"));
        std::fs::create_dir_all(&named_otherwise).unwrap();
        for folder in [&killed.folder, &working.folder, &this.folder, &named_otherwise] {
            make_old(folder);
        }
        this.sweep(vec![std::env::temp_dir()])();
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
