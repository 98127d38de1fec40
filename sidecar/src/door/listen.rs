//! Where the door is: an address, a socket of the file system, or both.

use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::serve::ListenerExt as _;
use rustix::fs::Mode;
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::serve::serve;
use super::{Door, router};
use crate::error::Error;
use crate::service::Desk;

/// The parts that run as long as the sidecar does.
type Parts = JoinSet<(&'static str, Result<(), Error>)>;

impl Door {
    /// Opens the door before anything else is tried, so that health can be asked for from the start.
    pub(crate) async fn open(
        self,
        desk: &Desk,
        parts: &mut Parts,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        if let Some(address) = self.config.http.tcp {
            let failed = move |source| Error::Listen { address, source };
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            let bound = listener.local_addr().map_err(failed)?;
            tracing::info!(address = %bound, "the door is open");
            let listener = listener.tap_io(|stream| {
                // It only makes answers later where it fails.
                drop(stream.set_nodelay(true));
            });
            let app: Router = router(self.clone(), desk.clone(), false);
            let serving = serve(listener, app, self.room.clone(), stop.clone());
            parts.spawn(async move {
                serving.await;
                ("its door", Ok(()))
            });
        }
        if let Some(path) = self.config.http.unix.clone() {
            let listener = bind(&path)?;
            tracing::info!(path = %path.display(), "the door is open");
            let (room, own) = (self.room.clone(), Socket(path.clone()));
            let app: Router = router(self, desk.clone(), true);
            let serving = serve(listener, app, room, stop.clone());
            parts.spawn(async move {
                serving.await;
                drop(own);
                ("its door", Ok(()))
            });
        }
        Ok(())
    }
}

/// Takes the socket out of the file system at the end.
struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

/// Binds a socket that only this user may open. One that nobody listens at any more is replaced; nothing else is.
fn bind(path: &Path) -> Result<UnixListener, Error> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => match std::os::unix::net::UnixStream::connect(path) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path).map_err(|error| refused(path, &error.to_string()))?;
            }
            Ok(_) => return Err(refused(path, "another process listens there")),
            Err(error) => return Err(refused(path, &error.to_string())),
        },
        Ok(_) => return Err(refused(path, "there is a file that is no socket")),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(refused(path, &error.to_string())),
    }
    // From its first moment on, not only once its mode was changed.
    let before = rustix::process::umask(Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path);
    rustix::process::umask(before);
    listener.map_err(|error| refused(path, &error.to_string()))
}

fn refused(path: &Path, why: &str) -> Error {
    Error::Socket { path: path.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn a_socket_is_its_owners_alone_and_replaces_only_what_nobody_listens_at() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pavane.sock");
        let listener = bind(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let error = bind(&path).unwrap_err().to_string();
        assert!(error.contains("another process listens there"), "{error}");
        drop(listener);
        bind(&path).unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "precious").unwrap();
        assert!(bind(&file).unwrap_err().to_string().contains("no socket"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    }
}
