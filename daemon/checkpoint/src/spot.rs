//! One path in its open directory, and how what is there is exchanged for something else.
//!
//! The invariants: a file goes from the one state to the other in one step, and what was not
//! expected stays. The new file is not put over the old one but exchanged with it; then the old one
//! is looked at once more, and exchanged back if it is not the one that was expected. Where a file
//! system can't exchange, the look comes right before.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, RenameFlags, linkat, renameat, renameat_with, unlinkat};
use rustix::io::Errno;

use crate::manifest::{Entry, hash};
use crate::root::{Found, Unread, look, read, target};
use crate::skipped::shown;

/// Names that are tried for a file that is being written, before it is given up.
const NAMES: u32 = 16;

/// Why something is left as it is.
#[derive(Debug)]
pub(crate) enum Left {
    /// It is not as it was left.
    Changed,
    /// There is something else in it.
    NotEmpty,
    /// What it was is not there any more.
    Lost,
    /// Something of another name holds what was displaced.
    Aside(Vec<u8>),
    Failed(io::Error),
}

impl From<io::Error> for Left {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Errno> for Left {
    fn from(error: Errno) -> Self {
        Self::Failed(error.into())
    }
}

impl Left {
    /// What a person is told.
    pub(crate) fn why(&self) -> String {
        match self {
            Self::Changed => "it was changed since".to_owned(),
            Self::NotEmpty => "other files are in it".to_owned(),
            Self::Lost => "its former content was damaged in the store".to_owned(),
            Self::Aside(name) => {
                format!("it was changed at the same time; what was there is `{}`", shown(name))
            }
            Self::Failed(error) => error.to_string(),
        }
    }
}

/// A path's last name in its open directory.
pub(crate) struct Spot<'a> {
    pub(crate) directory: OwnedFd,
    pub(crate) name: &'a [u8],
}

/// What was displaced is what had been seen: renaming changes neither.
fn is_untouched(found: Option<Found>, seen: &Found) -> bool {
    found.is_some_and(|found| {
        found.kind == seen.kind
            && found.place == seen.place
            && found.size == seen.size
            && found.mode == seen.mode
            && found.stamp.modified == seen.stamp.modified
    })
}

impl Spot<'_> {
    /// What is there, if it is still this.
    pub(crate) fn seen(&self, expected: &Entry) -> Result<Option<Found>, Left> {
        let directory = self.directory.as_fd();
        let Some(found) = look(directory, self.name)? else {
            return Ok(None);
        };
        match expected {
            Entry::File { mode, size, hash: expected, .. } => {
                if found.kind != FileType::RegularFile || (found.mode, found.size) != (*mode, *size)
                {
                    return Ok(None);
                }
                match read(directory, self.name, *size) {
                    Ok((content, found)) if hash(&content) == *expected => Ok(Some(found)),
                    Ok(_) | Err(Unread::TooLarge | Unread::Restless | Unread::Odd) => Ok(None),
                    Err(Unread::Failed(error)) => Err(error.into()),
                }
            }
            Entry::Link { target: expected } => {
                let is_same =
                    found.kind == FileType::Symlink && target(directory, self.name)? == *expected;
                Ok(is_same.then_some(found))
            }
            Entry::Directory { mode } => {
                let is_same = found.kind == FileType::Directory && found.mode == *mode;
                Ok(is_same.then_some(found))
            }
        }
    }

    /// Makes something under a name that is free.
    pub(crate) fn fresh(
        &self,
        mut make: impl FnMut(&[u8]) -> Result<(), Left>,
    ) -> Result<Vec<u8>, Left> {
        let process = std::process::id();
        for number in 0..NAMES {
            let name = format!(".moltis-undo-{process}-{number}").into_bytes();
            match make(&name) {
                Ok(()) => return Ok(name),
                Err(Left::Failed(error)) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(left) => return Err(left),
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists).into())
    }

    /// Removes what was seen.
    pub(crate) fn discard(&self, seen: &Found) -> Result<(), Left> {
        let at = &self.directory;
        let aside = self.move_aside()?;
        if is_untouched(look(at.as_fd(), &aside)?, seen) {
            return Ok(unlinkat(at, aside.as_slice(), AtFlags::empty())?);
        }
        match renameat_with(at, aside.as_slice(), at, self.name, RenameFlags::NOREPLACE) {
            Ok(()) => Err(Left::Changed),
            Err(_) => Err(Left::Aside(aside)),
        }
    }

    /// Gives what is there another name.
    fn move_aside(&self) -> Result<Vec<u8>, Left> {
        let from = &self.directory;
        self.fresh(|name| {
            match renameat_with(from, self.name, from, name, RenameFlags::NOREPLACE) {
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                    if look(from.as_fd(), name)?.is_some() {
                        return Err(Errno::EXIST.into());
                    }
                    Ok(renameat(from, self.name, from, name)?)
                }
                Err(Errno::NOENT) => Err(Left::Changed),
                done => Ok(done?),
            }
        })
    }

    /// Puts what was written where nothing is.
    pub(crate) fn place(&self, fresh: &[u8]) -> Result<(), Left> {
        let at = &self.directory;
        let placed = match renameat_with(at, fresh, at, self.name, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                linkat(at, fresh, at, self.name, AtFlags::empty())
                    .and_then(|()| unlinkat(at, fresh, AtFlags::empty()))
            }
            done => done,
        };
        match placed {
            Err(Errno::EXIST) => Err(Left::Changed),
            done => Ok(done?),
        }
    }

    /// Puts what was written in the place of what was seen.
    pub(crate) fn exchange(&self, fresh: &[u8], seen: &Found) -> Result<(), Left> {
        let at = &self.directory;
        let ours = look(at.as_fd(), fresh)?.ok_or(Left::Changed)?;
        match renameat_with(at, fresh, at, self.name, RenameFlags::EXCHANGE) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Err(Left::Changed),
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                if !is_untouched(look(at.as_fd(), self.name)?, seen) {
                    return Err(Left::Changed);
                }
                return Ok(renameat(at, fresh, at, self.name)?);
            }
            Err(error) => return Err(error.into()),
        }
        if is_untouched(look(at.as_fd(), fresh)?, seen) {
            // What is left over if this fails is only what was undone.
            let _ = unlinkat(at, fresh, AtFlags::empty());
            return Ok(());
        }
        renameat_with(at, fresh, at, self.name, RenameFlags::EXCHANGE)
            .map_err(|_| Left::Aside(fresh.to_vec()))?;
        // Someone may have been here in between once more: that is theirs, not ours to remove.
        if is_untouched(look(at.as_fd(), fresh)?, &ours) {
            Err(Left::Changed)
        } else {
            Err(Left::Aside(fresh.to_vec()))
        }
    }
}
