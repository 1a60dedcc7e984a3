//! The workspace as a place that nothing leads out of.
//!
//! Everything in it is reached from its directory's descriptor, one name at a time, and no name is
//! ever followed as a symlink. The invariant: whatever is swapped for whatever in the meantime,
//! what is read and written here is inside of the workspace.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, open, openat, readlinkat, statat};
use rustix::io::Errno;

use crate::manifest::Stamp;

/// How often a file that changes while it is read is read anew.
const READS: usize = 3;

/// An open workspace.
pub(crate) struct Root {
    directory: OwnedFd,
    /// `NOFOLLOW`; a test that shows what this guards against has nothing.
    guard: OFlags,
}

/// What is there by some name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) kind: FileType,
    /// Its permission bits.
    pub(crate) mode: u16,
    pub(crate) size: u64,
    pub(crate) stamp: Stamp,
    /// Its device and inode.
    pub(crate) place: (u64, u64),
}

/// Why a file has no content that could be told.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It is larger than was asked for.
    TooLarge,
    /// It changed each time that it was read.
    Restless,
    /// It is no file, or not any more.
    Odd,
    /// The file system says why.
    Failed(io::Error),
}

impl From<Errno> for Unread {
    fn from(error: Errno) -> Self {
        match error {
            // A symlink now, or a socket.
            Errno::LOOP | Errno::NXIO => Self::Odd,
            other => Self::Failed(other.into()),
        }
    }
}

impl Root {
    /// Opens the workspace; its own path may lead over symlinks, which are the person's.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let directory = open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { directory, guard: OFlags::NOFOLLOW })
    }

    /// The same without the guard, to show that the guard is what guards.
    #[cfg(test)]
    pub(crate) fn unguarded(path: &Path) -> io::Result<Self> {
        Ok(Self { guard: OFlags::empty(), ..Self::open(path)? })
    }

    /// The workspace's own directory.
    pub(crate) fn top(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// A directory in another.
    pub(crate) fn step(&self, directory: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | self.guard;
        Ok(openat(directory, name, flags, Mode::empty())?)
    }

    /// The directory of this path, relative to the workspace; empty is the workspace.
    pub(crate) fn directory(&self, path: &[u8]) -> io::Result<OwnedFd> {
        let mut at = self.directory.try_clone()?;
        for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            at = self.step(at.as_fd(), name)?;
        }
        Ok(at)
    }
}

/// What is there by this name; `None` is nothing.
pub(crate) fn look(directory: BorrowedFd<'_>, name: &[u8]) -> io::Result<Option<Found>> {
    match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(found(&stat))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What an open file or directory is.
pub(crate) fn look_at(open: impl AsFd) -> io::Result<Found> {
    Ok(found(&fstat(open)?))
}

/// Where a symlink says that it leads.
pub(crate) fn target(directory: BorrowedFd<'_>, name: &[u8]) -> io::Result<Vec<u8>> {
    Ok(readlinkat(directory, name, Vec::new())?.into_bytes())
}

/// The content of a file of at most so many bytes, as it was at one moment.
pub(crate) fn read(
    directory: BorrowedFd<'_>,
    name: &[u8],
    most: u64,
) -> Result<(Vec<u8>, Found), Unread> {
    // Without NONBLOCK, a FIFO that took the file's place would hold this up for ever.
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mut file = File::from(openat(directory, name, flags, Mode::empty())?);
    let mut before = look_at(&file).map_err(Unread::Failed)?;
    for _ in 0..READS {
        if before.kind != FileType::RegularFile {
            return Err(Unread::Odd);
        }
        if before.size > most {
            return Err(Unread::TooLarge);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(before.size).unwrap_or_default());
        let content = file.by_ref().take(before.size + 1).read_to_end(&mut bytes);
        content.map_err(Unread::Failed)?;
        let after = look_at(&file).map_err(Unread::Failed)?;
        let is_whole = u64::try_from(bytes.len()).is_ok_and(|length| length == before.size);
        if is_whole && after.stamp == before.stamp && after.size == before.size {
            return Ok((bytes, after));
        }
        file.rewind().map_err(Unread::Failed)?;
        before = after;
    }
    Err(Unread::Restless)
}

fn found(stat: &Stat) -> Found {
    Found {
        kind: FileType::from_raw_mode(stat.st_mode),
        mode: number::<_, u16>(stat.st_mode & 0o777),
        size: number(stat.st_size),
        stamp: Stamp {
            modified: (number(stat.st_mtime), number(stat.st_mtime_nsec)),
            changed: (number(stat.st_ctime), number(stat.st_ctime_nsec)),
            inode: number(stat.st_ino),
        },
        place: (number(stat.st_dev), number(stat.st_ino)),
    }
}

/// The number in the type that is wanted: systems differ in theirs.
fn number<From: TryInto<To>, To: Default>(number: From) -> To {
    number.try_into().unwrap_or_default()
}
