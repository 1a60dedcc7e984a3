//! The daemon's socket: where it is, and how it is taken.
//!
//! It lies in a folder of mode 0700, is made under a closed umask and has mode 0600. Who holds the
//! lock beside it owns it: only then may a socket that a dead daemon left be removed. The
//! invariant: a socket that another program listens on, or that is not ours, is never touched.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::Mode;
use sha2::{Digest as _, Sha256};

use crate::error::Error;
use crate::folder;
use crate::lock::Lock;

/// The longest plain path; the kernel's limit is 107 on Linux and 103 elsewhere.
const LONGEST_PATH: usize = 100;

/// The umask belongs to the whole process: two of our own threads must not restore it for each
/// other.
static UMASK: Mutex<()> = Mutex::new(());

/// A bound socket, not served yet. Connections already wait in it.
#[derive(Debug)]
pub struct Bound {
    pub(crate) listener: UnixListener,
    pub(crate) place: Place,
}

impl Bound {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.place.path
    }

    /// The lock of the data directory, for those who use it longer than the socket is served.
    pub fn lock(&self) -> Lock {
        self.place.lock.clone()
    }
}

/// The socket's file; removed when dropped, if it is still this one.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    device: u64,
    inode: u64,
    // Dropped after the file was removed: nobody else can have made a new one before that.
    lock: Lock,
}

impl Place {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the socket's file unless somebody put another one there.
    pub(crate) fn remove(&self) {
        let Ok(metadata) = fs::symlink_metadata(&self.path) else { return };
        if (metadata.dev(), metadata.ino()) != (self.device, self.inode) {
            tracing::warn!(path = %self.path.display(), "the socket was replaced; left alone");
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "can't remove the socket");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The socket of a data directory: `<data-dir>/run/moltisd.sock`, or one in the runtime directory
/// when that is too long for the kernel. Clients find it by the same rule.
pub fn path(data_dir: &Path) -> PathBuf {
    let data_dir = absolute(data_dir);
    path_in(&data_dir, &runtime_dir(), own_uid())
}

/// Takes the socket of a data directory; both are made if need be.
///
/// # Errors
/// [`Error::Held`] when a daemon has the data directory; a folder or a socket that is not ours;
/// what the system refused.
pub fn bind(data_dir: &Path) -> Result<Bound, Error> {
    bind_in(&absolute(data_dir), &runtime_dir())
}

fn bind_in(data_dir: &Path, runtime: &Path) -> Result<Bound, Error> {
    let run = data_dir.join("run");
    folder::make_private(&run)?;
    let lock = Lock::take(&run.join("moltisd.lock"), data_dir)?;
    let path = path_in(data_dir, runtime, own_uid());
    if let Some(parent) = path.parent().filter(|parent| *parent != run) {
        folder::make_private(parent)?;
    }
    remove_stale(&path)?;
    let listener = bind_closed(&path).map_err(Error::io("bind", &path))?;
    let metadata = fs::symlink_metadata(&path).map_err(Error::io("examine", &path))?;
    let place = Place { device: metadata.dev(), inode: metadata.ino(), path, lock };
    let closed = fs::set_permissions(&place.path, Permissions::from_mode(0o600));
    closed.map_err(Error::io("close to others", &place.path))?;
    let ready = listener.set_nonblocking(true);
    ready.map_err(Error::io("prepare", &place.path))?;
    Ok(Bound { listener, place })
}

/// Binds so that there is no moment at which others could connect.
fn bind_closed(path: &Path) -> io::Result<UnixListener> {
    let _alone = UMASK.lock().unwrap_or_else(PoisonError::into_inner);
    let before = rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let listener = UnixListener::bind(path);
    rustix::process::umask(before);
    listener
}

/// Removes the socket that a dead daemon left. The lock is ours, so no living one made it.
fn remove_stale(path: &Path) -> Result<(), Error> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("examine", path)(error)),
    };
    if !metadata.file_type().is_socket() {
        return Err(Error::not_safe(path, "it is not a socket"));
    }
    if metadata.uid() != own_uid() {
        return Err(Error::not_safe(path, format!("it belongs to user {}", metadata.uid())));
    }
    if UnixStream::connect(path).is_ok() {
        return Err(Error::Listening { path: path.to_owned() });
    }
    tracing::info!(path = %path.display(), "removing the socket of a daemon that died");
    fs::remove_file(path).map_err(Error::io("remove", path))
}

fn path_in(data_dir: &Path, runtime: &Path, uid: u32) -> PathBuf {
    let plain = data_dir.join("run").join("moltisd.sock");
    if plain.as_os_str().len() <= LONGEST_PATH {
        return plain;
    }
    let digest = Sha256::digest(data_dir.as_os_str().as_encoded_bytes());
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    runtime.join(format!("moltis-{uid}")).join(format!("{name}.sock"))
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn runtime_dir() -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
    runtime.map_or_else(|| PathBuf::from("/tmp"), PathBuf::from)
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
#[path = "socket_tests.rs"]
mod tests;
