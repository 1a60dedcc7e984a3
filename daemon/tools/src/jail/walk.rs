//! Finding a path beneath a directory step by step, each from the descriptor of the one before.
//!
//! It follows links itself, so it knows under which names it passed: what a path really leads to.
//! Not here: what may be done with what is found. The invariant: every descriptor was opened from
//! the root's by a name that is no link, and `..` goes back to a descriptor that was passed, never
//! to what the system says is above: moving directories about meanwhile leads nowhere else.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, openat, readlinkat};
use rustix::io::Errno;

/// Links that are followed for one path, as many as Linux follows.
const LINKS: usize = 40;

/// Directories that are open at a time for one path.
const DEEPEST: usize = 100;

/// What a directory is opened with only to go on from it.
#[cfg(target_os = "linux")]
pub(super) const PASS: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
pub(super) const PASS: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A directory that was found.
pub(super) struct Found {
    /// The directory.
    pub(super) dir: OwnedFd,
    /// The names that it was reached by: no links, no `..`.
    pub(super) real: PathBuf,
}

/// Where a file is, or would be: no link is left to follow.
pub(super) struct Spot {
    /// The directory.
    pub(super) found: Found,
    /// The name in it.
    pub(super) name: OsString,
}

/// Finds a directory. The path may have links and `..`.
///
/// # Errors
/// `XDEV` where it leads out of the root, by `..` or by an absolute link; what the system said.
pub(super) fn directory(root: BorrowedFd<'_>, path: &Path) -> Result<Found, Errno> {
    let mut passed: Vec<(OwnedFd, OsString)> = Vec::new();
    let mut ahead = steps(path)?;
    let mut links = 0;
    while let Some(step) = ahead.pop() {
        if step == ".." {
            passed.pop().ok_or(Errno::XDEV)?;
            continue;
        }
        if passed.len() == DEEPEST {
            return Err(Errno::NAMETOOLONG);
        }
        let here = passed.last().map_or(root, |(dir, _)| dir.as_fd());
        match openat(here, &step, PASS, Mode::empty()) {
            Ok(dir) => passed.push((dir, step)),
            // A link, or a file: which of them differs from system to system.
            Err(Errno::LOOP | Errno::NOTDIR) => {
                let Some(target) = link(here, &step)? else { return Err(Errno::NOTDIR) };
                links += 1;
                if links > LINKS {
                    return Err(Errno::LOOP);
                }
                ahead.extend(steps(&target)?);
            }
            Err(errno) => return Err(errno),
        }
    }
    let real = passed.iter().map(|(_, name)| name).collect();
    let dir = match passed.pop() {
        Some((dir, _)) => dir,
        None => openat(root, ".", PASS, Mode::empty())?,
    };
    Ok(Found { dir, real })
}

/// Finds where a file is or would be, following links at its end too.
///
/// # Errors
/// As [`directory`]; `ISDIR` where the path can only be a directory.
pub(super) fn spot(root: BorrowedFd<'_>, path: &Path) -> Result<Spot, Errno> {
    let mut path = path.to_owned();
    for _ in 0..=LINKS {
        let name = path.file_name().ok_or(Errno::ISDIR)?.to_owned();
        let found = directory(root, path.parent().unwrap_or(Path::new("")))?;
        match link(found.dir.as_fd(), &name)? {
            Some(target) if target.is_absolute() => return Err(Errno::XDEV),
            Some(target) => path = found.real.join(target),
            None => return Ok(Spot { found, name }),
        }
    }
    Err(Errno::LOOP)
}

/// The steps of a path, the first one last.
fn steps(path: &Path) -> Result<Vec<OsString>, Errno> {
    if path.is_absolute() {
        return Err(Errno::XDEV);
    }
    let mut steps: Vec<OsString> = path
        .components()
        .map(|step| step.as_os_str().to_owned())
        .filter(|step| step != ".")
        .collect();
    steps.reverse();
    Ok(steps)
}

/// Where a link leads; `None` if this is no link, or nothing.
fn link(dir: BorrowedFd<'_>, name: &OsString) -> Result<Option<PathBuf>, Errno> {
    match readlinkat(dir, name, Vec::new()) {
        Ok(target) => Ok(Some(PathBuf::from(OsString::from_vec(target.into_bytes())))),
        Err(Errno::INVAL | Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}
