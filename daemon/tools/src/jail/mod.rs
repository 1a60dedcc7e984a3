//! The workspace, and nothing but the workspace.
//!
//! A call opens the workspace's directory once; everything after is relative to that descriptor.
//! Reading asks the kernel to stay beneath it (`openat2` with `RESOLVE_BENEATH`, Linux 5.6 and
//! later) and, where the kernel can not, walks there step by step; changing always walks, because
//! the walk knows what a path really leads to. Links that stay inside are followed; those that lead
//! out, and absolute ones, are refused.
//!
//! Not here: whether a look or a change is allowed (`core::policy`). The invariant: no file outside
//! of the workspace's tree is opened, made, changed or removed, whatever is moved about or linked
//! meanwhile. A hard link is a file of the tree like any other: it is read, whatever other names it
//! has, and a change gives the name a file of its own and leaves the other names as they were. What
//! is mounted in the tree is in the tree.

mod inside;
mod target;
mod walk;

use std::fs::File;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, openat};
use rustix::io::Errno;

pub(crate) use inside::Inside;
pub(crate) use target::{Parents, Target};

/// Opening something that may turn out to be a pipe or a terminal must neither wait nor adopt it.
const LOOK: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// A list of names to read.
const LIST: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Why something in the workspace can not be reached, for the model.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The workspace itself can not be opened.
    #[error("the workspace can not be opened: {0}")]
    NoWorkspace(Errno),
    /// Nothing is there.
    #[error("`{0}` does not exist")]
    Missing(String),
    /// It leads out of the workspace.
    #[error(
        "`{0}` leads out of the workspace or through an absolute link: only what is inside can be reached"
    )]
    Outside(String),
    /// A file is wanted.
    #[error("`{0}` is a directory, not a file")]
    Directory(String),
    /// A directory is wanted.
    #[error("`{0}` is not a directory, or passes through something that is not")]
    NotDirectory(String),
    /// A pipe, a device, a socket.
    #[error("`{0}` is neither a file nor a directory: pipes, devices and sockets are not opened")]
    Special(String),
    /// It is not what the person was asked about.
    #[error(
        "`{path}` is really `{real}`, which steers programs outside of the sandbox: to change it, name it by that path"
    )]
    Steers {
        /// What was named.
        path: String,
        /// What it is.
        real: String,
    },
    /// It can not be told what it is, because it is moved about all the time.
    #[error("`{0}` changed again and again while it was looked up: try again")]
    Unstable(String),
    /// The call was stopped.
    #[error("stopped before it was done")]
    Stopped,
    /// What the system said.
    #[error("`{path}`: {errno}")]
    System {
        /// What was named.
        path: String,
        /// What it said.
        errno: Errno,
    },
}

impl Refusal {
    fn of(path: &Inside, errno: Errno) -> Self {
        let path = path.shown().to_owned();
        match errno {
            Errno::NOENT => Self::Missing(path),
            Errno::XDEV => Self::Outside(path),
            Errno::ISDIR => Self::Directory(path),
            Errno::NOTDIR => Self::NotDirectory(path),
            // Opening a socket, or a device without a driver.
            Errno::NXIO | Errno::NODEV => Self::Special(path),
            Errno::AGAIN => Self::Unstable(path),
            errno => Self::System { path, errno },
        }
    }
}

/// How a path is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The kernel stays beneath the root.
    #[cfg(target_os = "linux")]
    Kernel,
    /// The walk does.
    Walk,
}

impl Way {
    #[cfg(target_os = "linux")]
    fn of(root: &OwnedFd) -> Self {
        // An old kernel, or a filter of system calls that keeps us from asking.
        match beneath(root, Path::new("."), walk::PASS) {
            Err(Errno::NOSYS | Errno::PERM) => Self::Walk,
            _ => Self::Kernel,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn of(_root: &OwnedFd) -> Self {
        Self::Walk
    }
}

/// The workspace's directory, open.
pub(crate) struct Jail {
    root: OwnedFd,
    way: Way,
}

impl Jail {
    /// Opens the workspace. Its own path is the owner's word and may lead through links.
    ///
    /// # Errors
    /// Where it is no directory that can be opened.
    pub(crate) fn open(workspace: &Path) -> Result<Self, Refusal> {
        let flags = walk::PASS.difference(OFlags::NOFOLLOW);
        let root = rustix::fs::open(workspace, flags, Mode::empty());
        let root = root.map_err(Refusal::NoWorkspace)?;
        let way = Way::of(&root);
        Ok(Self { root, way })
    }

    /// Opens a file to be read.
    ///
    /// # Errors
    /// Where it is no regular file of the workspace.
    pub(crate) fn file(&self, path: &Inside) -> Result<(File, Stat), Refusal> {
        let opened = self.open_file(path.as_path()).map_err(|errno| Refusal::of(path, errno))?;
        regular(opened, path)
    }

    /// Opens a directory to be listed.
    ///
    /// # Errors
    /// Where it is no directory of the workspace.
    pub(crate) fn directory(&self, path: &Inside) -> Result<OwnedFd, Refusal> {
        self.open_directory(path.as_path()).map_err(|errno| Refusal::of(path, errno))
    }

    /// Whether the path is a directory of the workspace.
    ///
    /// # Errors
    /// Where it can not be reached at all.
    pub(crate) fn is_directory(&self, path: &Inside) -> Result<bool, Refusal> {
        match self.directory(path) {
            Ok(_) => Ok(true),
            Err(Refusal::NotDirectory(_)) => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }

    /// Finds where a file is to be changed or made.
    ///
    /// # Errors
    /// Where that is not in the workspace, is no regular file, or is really a path that steers
    /// programs outside and was not named as such.
    pub(crate) fn target(&self, path: &Inside, parents: Parents) -> Result<Target, Refusal> {
        Target::find(self.root.as_fd(), path, parents)
    }

    fn open_file(&self, path: &Path) -> Result<OwnedFd, Errno> {
        match self.way {
            #[cfg(target_os = "linux")]
            Way::Kernel => beneath(&self.root, path, LOOK),
            Way::Walk => {
                let spot = walk::spot(self.root.as_fd(), path)?;
                let flags = LOOK | OFlags::NOFOLLOW;
                match openat(&spot.found.dir, &spot.name, flags, Mode::empty()) {
                    // It became a link after it was none.
                    Err(Errno::LOOP) => Err(Errno::AGAIN),
                    opened => opened,
                }
            }
        }
    }

    fn open_directory(&self, path: &Path) -> Result<OwnedFd, Errno> {
        match self.way {
            #[cfg(target_os = "linux")]
            Way::Kernel => {
                let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
                beneath(&self.root, path, LIST)
            }
            Way::Walk => {
                let found = walk::directory(self.root.as_fd(), path)?;
                openat(&found.dir, ".", LIST, Mode::empty())
            }
        }
    }
}

/// Has the kernel find a path beneath a directory.
#[cfg(target_os = "linux")]
fn beneath(root: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    use rustix::fs::{ResolveFlags, openat2};
    /// The kernel gives up on `..` when anything anywhere was renamed meanwhile.
    const TRIES: usize = 64;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..TRIES {
        match openat2(root, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            opened => return opened,
        }
    }
    Err(Errno::AGAIN)
}

/// The same, if it is a regular file.
fn regular(opened: OwnedFd, path: &Inside) -> Result<(File, Stat), Refusal> {
    let stat = fstat(&opened).map_err(|errno| Refusal::of(path, errno))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok((File::from(opened), stat)),
        FileType::Directory => Err(Refusal::Directory(path.shown().to_owned())),
        _ => Err(Refusal::Special(path.shown().to_owned())),
    }
}

/// Opens a directory's entry that is a directory and no link.
///
/// # Errors
/// What the system said.
pub(crate) fn step_into(dir: &OwnedFd, name: &std::ffi::CStr) -> Result<OwnedFd, Errno> {
    openat(dir, name, LIST | OFlags::NOFOLLOW, Mode::empty())
}

/// Opens a directory's entry that is a regular file and no link.
///
/// # Errors
/// As [`Jail::file`].
pub(crate) fn entry(
    dir: &OwnedFd,
    name: &std::ffi::CStr,
    path: &Inside,
) -> Result<(File, Stat), Refusal> {
    let opened = openat(dir, name, LOOK | OFlags::NOFOLLOW, Mode::empty());
    regular(opened.map_err(|errno| Refusal::of(path, errno))?, path)
}

#[cfg(test)]
#[path = "jail_tests.rs"]
mod tests;

// Two names are exchanged in one step only there.
#[cfg(all(test, target_os = "linux"))]
#[path = "race_tests.rs"]
pub(crate) mod race_tests;
