//! The one opening of a sandbox that may reach single hosts: a socket in a folder of its own.
//!
//! The sandbox has no network. What its programs say to the proxy goes through a relay inside
//! (`relay.sh`) to this socket, which is all that is seen of the folder inside, and out here to the
//! [`Outlet`]. Not here: which hosts. The invariant: a socket serves one sandbox, and is gone with
//! it, with whatever came through it; what a daemon that was killed left is swept by the next one.

use std::fs;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener as Listener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use moltis_core::error::{Code, Error, Result};
use moltis_core::id::SessionId;
use moltis_core::sandbox::Outlet;
use tokio::net::UnixListener;
use tokio::task::JoinSet;

use crate::container::runtime::fresh;

/// Where the folder is inside.
pub(crate) const INSIDE: &str = "/run/moltis";

/// The relay, for shells inside.
pub(crate) const RELAY: &str = include_str!("relay.sh");

/// The program that it needs.
pub(crate) const PROGRAM: &str = "socat";

/// What programs are told. Not `ALL_PROXY`: nothing but HTTP and what goes by CONNECT is taken.
pub(crate) const ENVIRONMENT: &[(&str, &str)] = &[
    ("HTTP_PROXY", "http://127.0.0.1:3128"),
    ("HTTPS_PROXY", "http://127.0.0.1:3128"),
    ("NO_PROXY", "localhost,127.0.0.1,::1"),
    ("http_proxy", "http://127.0.0.1:3128"),
    ("https_proxy", "http://127.0.0.1:3128"),
    ("no_proxy", "localhost,127.0.0.1,::1"),
];

/// The socket in the folder.
const SOCKET: &str = "proxy";

/// Connections of a sandbox at once; more wait until one has ended.
const MOST: usize = 64;

/// How long is waited where the machine can't take a connection now.
const PAUSE: Duration = Duration::from_millis(100);

/// Makes openings.
#[derive(Clone)]
pub(crate) struct Openings {
    folder: PathBuf,
    outlet: Option<Arc<dyn Outlet>>,
}

/// An opening; dropping it closes it.
pub(crate) struct Opening {
    folder: PathBuf,
    _listening: JoinSet<()>,
}

impl Openings {
    /// Openings to this outlet, below the daemon's data.
    pub(crate) fn new(data_dir: &Path, outlet: Option<Arc<dyn Outlet>>) -> Self {
        Self { folder: data_dir.join("run").join("sandbox").join("openings"), outlet }
    }

    /// Removes what an earlier daemon left, or what this one is about to leave.
    pub(crate) fn sweep(&self) {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "openings of sandboxes were left behind and stay");
            }
            _ => {}
        }
    }

    /// The hosts that they lead to.
    pub(crate) fn hosts(&self) -> Vec<String> {
        self.outlet.as_ref().map(|outlet| outlet.hosts()).unwrap_or_default()
    }

    /// Why there are none, where there are none.
    pub(crate) fn why_not(&self) -> Option<&'static str> {
        if !cfg!(target_os = "linux") {
            // Engines run in a virtual machine there, where a socket of this one is not seen.
            return Some("single hosts can be allowed on Linux only: the network is none, or open");
        }
        self.outlet.is_none().then_some("single hosts can't be allowed: nothing leads to them")
    }

    /// An opening for a sandbox of this session.
    ///
    /// # Errors
    /// Where there are none, or the disk does not take one.
    pub(crate) async fn open(&self, session: &SessionId) -> Result<Opening> {
        let outlet = match (&self.outlet, self.why_not()) {
            (Some(outlet), None) => Arc::clone(outlet),
            (_, why) => return Err(refused(why.unwrap_or("single hosts can't be allowed"))),
        };
        let (all, folder) = (self.folder.clone(), self.folder.join(fresh()?));
        let made = folder.clone();
        let making = tokio::task::spawn_blocking(move || listener(&all, &made));
        let made = making.await.map_err(io::Error::other).flatten();
        let listener = made.and_then(UnixListener::from_std).map_err(|error| {
            Error::new(Code::Storage, format!("the sandbox can't be opened to hosts: {error}"))
        })?;
        let mut listening = JoinSet::new();
        listening.spawn(listen(listener, session.clone(), outlet));
        Ok(Opening { folder, _listening: listening })
    }
}

impl Opening {
    /// The folder that is to be seen at [`INSIDE`].
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "the opening of a sandbox could not be removed");
            }
            _ => {}
        }
    }
}

/// Why a network of single hosts is refused.
pub(crate) fn refused(why: &str) -> Error {
    let hint = "choose `none` or `open` for the network of the session";
    Error::new(Code::Invalid, why).with_hint(hint)
}

/// A socket in a folder of its own. Others on the machine do not get to it: the folder of all is
/// closed to them. Inside, programs are others than the daemon where that is root.
fn listener(all: &Path, folder: &Path) -> io::Result<Listener> {
    fs::create_dir_all(all)?;
    fs::set_permissions(all, fs::Permissions::from_mode(0o700))?;
    fs::create_dir(folder)?;
    // The kernel takes no path of a socket above 107 bytes; this one is always short.
    let opened = fs::File::open(folder)?;
    let through = format!("/proc/self/fd/{}/{SOCKET}", opened.as_raw_fd());
    let listener = Listener::bind(through)?;
    listener.set_nonblocking(true)?;
    fs::set_permissions(folder.join(SOCKET), fs::Permissions::from_mode(0o666))?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    Ok(listener)
}

/// Takes connections, each in a task that ends with this.
async fn listen(listener: UnixListener, session: SessionId, outlet: Arc<dyn Outlet>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            taken = listener.accept(), if connections.len() < MOST => {
                match taken.and_then(|(stream, _)| stream.into_std()) {
                    Ok(stream) => {
                        let (session, outlet) = (session.clone(), Arc::clone(&outlet));
                        connections.spawn(async move { outlet.serve(&session, stream).await });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection out of a sandbox could not be taken");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

#[cfg(test)]
#[path = "opening_tests.rs"]
mod tests;
