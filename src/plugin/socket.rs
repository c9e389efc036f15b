//! The socket on which Grafana talks to this process: in a folder that only this user can enter, gone when the process ends.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

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
        let name = format!("gpx_oura-{:016x}", rand::random::<u64>());
        let preferred = std::env::temp_dir();
        let parent = if preferred.as_os_str().len() + name.len() + "//grpc".len() <= MAX_PATH { preferred } else { PathBuf::from("/tmp") };
        let folder = parent.join(name);
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        let socket = Socket { path: folder.join("grpc"), folder };
        let listener = UnixListener::bind(&socket.path)?;
        Ok((socket, listener))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
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
}
