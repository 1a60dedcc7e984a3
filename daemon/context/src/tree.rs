//! A directory tree that nothing leads out of, for reading.
//!
//! Every step is taken from the descriptor of the directory before it, and the kernel never follows
//! a link: links are followed here, and only while they stay inside. The invariant: whatever is
//! swapped for whatever in the meantime, what is read is a regular file of the tree, and no read
//! waits for anybody.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, open, openat, readlinkat, statat,
};

/// Links on the way to one file.
const MOST_LINKS: usize = 8;

/// Directories on the way to one file.
const MOST_DEPTH: usize = 64;

/// Names that are looked at in a directory.
const MOST_NAMES: usize = 1_000;

/// A FIFO must not hold a look up, and a terminal must not become ours.
const FILE: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// An open tree.
pub(crate) struct Tree {
    top: OwnedFd,
    /// A test that shows what the guard is for has none.
    is_guarded: bool,
}

/// Where a path leads.
enum Place {
    Directory(OwnedFd),
    File(File),
}

impl Tree {
    /// Opens the tree below this directory.
    pub(crate) fn open(top: &Path) -> io::Result<Self> {
        Ok(Self { top: open(top, DIRECTORY, Mode::empty())?, is_guarded: true })
    }

    /// The same without the guard, to show that the guard is what guards.
    #[cfg(test)]
    pub(crate) fn unguarded(top: &Path) -> io::Result<Self> {
        Ok(Self { is_guarded: false, ..Self::open(top)? })
    }

    /// The first bytes of a file, one more than `most` at most, and its size. `None` where there is
    /// no file that may be read.
    pub(crate) fn read(&self, path: &Path, most: usize) -> Option<(Vec<u8>, u64)> {
        match self.find(path).ok()? {
            Place::File(file) => head(file, most, self.is_guarded).ok(),
            Place::Directory(_) => None,
        }
    }

    /// Whether there is anything by this path.
    pub(crate) fn has(&self, path: &Path) -> bool {
        self.find(path).is_ok()
    }

    /// The names in a directory, in order; of the first [`MOST_NAMES`] that there are.
    pub(crate) fn names(&self, path: &Path) -> Vec<OsString> {
        let Ok(Place::Directory(directory)) = self.find(path) else { return Vec::new() };
        let Ok(entries) = Dir::read_from(directory) else { return Vec::new() };
        let name = |entry: rustix::fs::DirEntry| {
            OsStr::from_bytes(entry.file_name().to_bytes()).to_owned()
        };
        let named = entries.take(MOST_NAMES).filter_map(Result::ok).map(name);
        let mut names: Vec<OsString> = named.filter(|name| name != "." && name != "..").collect();
        names.sort_unstable();
        names
    }

    /// Follows a path, relative to the top, as far as it stays inside.
    fn find(&self, path: &Path) -> io::Result<Place> {
        if !self.is_guarded {
            return Ok(Place::File(File::from(openat(&self.top, path, FILE, Mode::empty())?)));
        }
        let mut way: Vec<OwnedFd> = Vec::new();
        let mut left: VecDeque<OsString> = steps(path)?.into();
        let mut links = 0;
        while let Some(step) = left.pop_front() {
            if step == ".." {
                way.pop().ok_or_else(outside)?;
                continue;
            }
            let at = way.last().map_or(self.top.as_fd(), AsFd::as_fd);
            match kind(at, &step)? {
                FileType::Symlink => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(outside());
                    }
                    let target = readlinkat(at, &step, Vec::new())?;
                    let target = steps(Path::new(OsStr::from_bytes(target.as_bytes())))?;
                    target.into_iter().rev().for_each(|step| left.push_front(step));
                }
                FileType::Directory if way.len() < MOST_DEPTH => {
                    let flags = DIRECTORY.union(OFlags::NOFOLLOW);
                    let next = openat(at, &step, flags, Mode::empty())?;
                    way.push(next);
                }
                FileType::RegularFile if left.is_empty() => {
                    let flags = FILE.union(OFlags::NOFOLLOW);
                    return Ok(Place::File(File::from(openat(at, &step, flags, Mode::empty())?)));
                }
                _ => return Err(outside()),
            }
        }
        let last = way.pop().map_or_else(|| self.top.try_clone(), Ok)?;
        Ok(Place::Directory(last))
    }
}

/// The first bytes of a file of the owner's, wherever links lead; see [`Tree::read`].
pub(crate) fn read_own(path: &Path, most: usize) -> Option<(Vec<u8>, u64)> {
    let file = openat(CWD, path, FILE, Mode::empty()).ok()?;
    head(File::from(file), most, true).ok()
}

fn head(file: File, most: usize, is_guarded: bool) -> io::Result<(Vec<u8>, u64)> {
    let stat = fstat(&file)?;
    // It may have become another kind of thing since it was looked at.
    if is_guarded && FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(outside());
    }
    let mut bytes = Vec::new();
    let most = most as u64 + 1;
    let read = file.take(most).read_to_end(&mut bytes);
    if is_guarded {
        read?;
    }
    let size = u64::try_from(stat.st_size).unwrap_or_default();
    Ok((bytes, size))
}

fn kind(directory: BorrowedFd<'_>, name: &OsStr) -> io::Result<FileType> {
    let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(stat.st_mode))
}

/// The steps of a relative path.
fn steps(path: &Path) -> io::Result<Vec<OsString>> {
    let mut steps = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => steps.push(name.to_owned()),
            Component::ParentDir => steps.push("..".into()),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return Err(outside()),
        }
    }
    Ok(steps)
}

fn outside() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "no file of the tree")
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
