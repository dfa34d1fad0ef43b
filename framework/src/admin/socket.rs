//! A Unix socket in a service's directory, for its owner alone.

use std::fs::Permissions;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixSocket, UnixStream};

/// The longest path of a socket, in bytes: what Linux has room for, less the zero at its end.
pub(crate) const PATH_BYTES_MAX: usize = 107;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 16;

/// A socket that is listened to. Its file goes when it is dropped.
#[derive(Debug)]
pub(super) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// The file's number, so that nobody else's is taken away.
    inode: u64,
}

/// Why a socket could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum SocketError {
    #[error(
        "its path has {bytes} bytes, and a socket's has at most {PATH_BYTES_MAX}: use a shorter \
         data directory"
    )]
    PathTooLong { bytes: usize },
    #[error("there is a file of that name already, which is no socket: move it away")]
    NoSocket,
    #[error("tokio's runtime has no I/O: build it with enable_io or enable_all")]
    NoIo,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Socket {
    /// Makes the socket. One that is there was left by a process that was killed: whoever calls
    /// this has the directory's lock.
    pub(super) fn bind(path: &Path) -> Result<Self, SocketError> {
        let bytes = path.as_os_str().as_bytes().len();
        if bytes > PATH_BYTES_MAX {
            return Err(SocketError::PathTooLong { bytes });
        }
        match std::fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
            Ok(_) => return Err(SocketError::NoSocket),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        let socket = UnixSocket::new_stream()?;
        socket.bind(path)?;
        let inode = std::fs::symlink_metadata(path)?.ino();
        // Before it is listened to, nobody can connect: it is never open to others.
        std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
        // tokio panics here, and says so nowhere else, if its runtime was built without I/O.
        let listener = catch_unwind(AssertUnwindSafe(|| socket.listen(BACKLOG)));
        let listener = listener.map_err(|_| SocketError::NoIo)??;
        Ok(Socket { listener, path: path.to_owned(), inode })
    }

    /// The next connection. Cancellation safe.
    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        Ok(self.listener.accept().await?.0)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let found = std::fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| found.ino() == self.inode) {
            // What stays is replaced at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
