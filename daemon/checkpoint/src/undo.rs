//! Putting back what was changed.
//!
//! Everything happens inside of directories that [`Root`] opened: whatever becomes a symlink
//! meanwhile, nothing outside of the workspace is touched. The invariants: what is not as it was
//! left is not touched, also if that becomes so at the last moment; and each file goes from the one
//! state to the other in one step.
//!
//! That last moment: the new file is not put over the old one but exchanged with it, then the old
//! one is looked at once more, and exchanged back if it is not the one that was expected. Where a
//! file system can't exchange, the look comes right before.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};

use moltis_core::checkpoint::{Kept, Undone};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RawMode, RenameFlags, fchmod, linkat, mkdirat, openat,
    renameat, renameat_with, symlinkat, unlinkat,
};
use rustix::io::Errno;

use crate::compare::Change;
use crate::manifest::{Entry, Manifest, above, hash};
use crate::root::{Found, Root, Unread, look, look_at, read, target};
use crate::skipped::shown;
use crate::store::Store;

/// Names that are tried for a file that is being written, before it is given up.
const NAMES: u32 = 16;

/// A directory's owner may do with it what is needed.
const OPEN: u16 = 0o700;

/// Why something is left as it is.
#[derive(Debug)]
enum Left {
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
    fn why(&self) -> String {
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

/// An undo in progress.
pub(crate) struct Undo<'a> {
    pub(crate) root: &'a Root,
    pub(crate) store: &'a Store,
    /// What is to be again.
    pub(crate) before: &'a Manifest,
}

/// A path's last name in its open directory.
struct Spot<'a> {
    directory: OwnedFd,
    name: &'a [u8],
}

impl Undo<'_> {
    /// Undoes the changes, which are in order.
    pub(crate) fn run(&self, changes: &[Change<'_>]) -> Undone {
        let mut undone = Undone::default();
        // What blocks the way goes first, the deepest first of all.
        let mut removed: Vec<Result<bool, Left>> = Vec::with_capacity(changes.len());
        for change in changes.iter().rev() {
            removed.push(if goes_first(change) { self.remove(change) } else { Ok(false) });
        }
        for (change, removed) in changes.iter().zip(removed.into_iter().rev()) {
            let done = match (removed, change.before) {
                (Ok(_), Some(before)) => self.restore(change, before),
                (removed, _) => removed,
            };
            match done {
                Ok(true) => undone.restored.push(change.undone()),
                Ok(false) => {}
                Err(left) => {
                    undone.kept.push(Kept { path: change.name(), why: left.why() });
                }
            }
        }
        self.close_directories(changes);
        undone
    }

    /// Directories that may not be written to were open until everything in them was put back.
    fn close_directories(&self, changes: &[Change<'_>]) {
        for change in changes.iter().rev() {
            let Some(Entry::Directory { mode }) = change.before else { continue };
            let Ok(directory) = self.root.directory(change.path) else { continue };
            let is_open = look_at(&directory).is_ok_and(|found| found.mode == mode | OPEN);
            if mode & OPEN != OPEN && is_open {
                // It stays more open than it was: nothing is lost by that.
                let _ = fchmod(directory, permissions(*mode));
            }
        }
    }

    /// Takes away what is not to be there, or not as what it is. `false`: it is gone already.
    fn remove(&self, change: &Change<'_>) -> Result<bool, Left> {
        let (Some(spot), Some(after)) = (self.spot(change.path)?, change.after) else {
            return Ok(false);
        };
        let directory = spot.directory.as_fd();
        if after.is_directory() {
            return match unlinkat(directory, spot.name, AtFlags::REMOVEDIR) {
                Ok(()) => Ok(true),
                Err(Errno::NOENT) => Ok(false),
                Err(Errno::NOTEMPTY | Errno::EXIST) => Err(Left::NotEmpty),
                Err(Errno::NOTDIR) => Err(Left::Changed),
                Err(error) => Err(error.into()),
            };
        }
        let Some(seen) = spot.seen(after)? else {
            return match look(directory, spot.name)? {
                None => Ok(false),
                Some(_) => Err(Left::Changed),
            };
        };
        let aside = spot.move_aside()?;
        if !is_untouched(look(directory, &aside)?, &seen) {
            return match renameat_with(
                directory,
                aside.as_slice(),
                directory,
                spot.name,
                RenameFlags::NOREPLACE,
            ) {
                Ok(()) => Err(Left::Changed),
                Err(_) => Err(Left::Aside(aside)),
            };
        }
        unlinkat(directory, aside.as_slice(), AtFlags::empty())?;
        Ok(true)
    }

    /// Makes something be again what it was. `false`: it is so already.
    fn restore(&self, change: &Change<'_>, before: &Entry) -> Result<bool, Left> {
        let spot = match self.spot(change.path)? {
            None if change.after.is_none() || goes_first(change) => {
                self.make_way(change.path)?;
                self.spot(change.path)?
            }
            spot => spot,
        };
        // It was to be there, and went with the directory that it is in.
        let spot = spot.ok_or(Left::Changed)?;
        if let Entry::Directory { mode } = before {
            return self.restore_directory(&spot, change, *mode);
        }
        if spot.seen(before)?.is_some() {
            return Ok(false);
        }
        let seen = match change.after {
            Some(after) if !goes_first(change) => Some(spot.seen(after)?.ok_or(Left::Changed)?),
            _ if look(spot.directory.as_fd(), spot.name)?.is_some() => return Err(Left::Changed),
            _ => None,
        };
        let fresh = self.write(&spot, before)?;
        let placed = match seen {
            None => spot.place(&fresh),
            Some(seen) => spot.exchange(&fresh, &seen),
        };
        if placed.as_ref().is_err_and(|left| !matches!(left, Left::Aside(_))) {
            // Best effort: what failed is told.
            let _ = unlinkat(&spot.directory, fresh.as_slice(), AtFlags::empty());
        }
        placed.map(|()| true)
    }

    fn restore_directory(
        &self,
        spot: &Spot<'_>,
        change: &Change<'_>,
        mode: u16,
    ) -> Result<bool, Left> {
        let directory = spot.directory.as_fd();
        let wanted = permissions(mode | OPEN);
        let found = look(directory, spot.name)?;
        match (found, change.after) {
            (Some(found), _) if found.kind == FileType::Directory && found.mode == mode => {
                return Ok(false);
            }
            // There was none, and a person made one: theirs is as good.
            (Some(found), None) if found.kind == FileType::Directory => return Ok(false),
            (Some(found), Some(Entry::Directory { mode }))
                if found.kind == FileType::Directory && found.mode == *mode => {}
            (Some(_), _) => return Err(Left::Changed),
            (None, _) => mkdirat(directory, spot.name, wanted)?,
        }
        let made = self.root.step(directory, spot.name)?;
        fchmod(made, wanted)?;
        Ok(true)
    }

    /// Makes the directories again that the path was in: a person removed what was left of them.
    fn make_way(&self, path: &[u8]) -> Result<(), Left> {
        let directories: Vec<&[u8]> = above(path).collect();
        for directory in directories.into_iter().rev() {
            let Some(Entry::Directory { mode }) = self.before.entries.get(directory) else {
                return Err(Left::Changed);
            };
            let spot = self.spot(directory)?.ok_or(Left::Changed)?;
            match mkdirat(&spot.directory, spot.name, permissions(mode | OPEN)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Where the path is; `None` where the directory that it is in is not there.
    fn spot<'p>(&self, path: &'p [u8]) -> Result<Option<Spot<'p>>, Left> {
        let (parent, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&b""[..], path),
        };
        match self.root.directory(parent) {
            Ok(directory) => Ok(Some(Spot { directory, name })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => match Errno::from_io_error(&error) {
                // A symlink or a file where a directory was.
                Some(Errno::LOOP | Errno::NOTDIR) => Err(Left::Changed),
                _ => Err(error.into()),
            },
        }
    }

    /// Writes what was there under another name, next to where it belongs.
    fn write(&self, spot: &Spot<'_>, entry: &Entry) -> Result<Vec<u8>, Left> {
        match entry {
            Entry::Directory { .. } => Err(Left::Changed),
            Entry::Link { target } => {
                spot.fresh(|name| Ok(symlinkat(target.as_slice(), &spot.directory, name)?))
            }
            Entry::File { mode, hash, .. } => {
                let content = self.store.get(hash).ok_or(Left::Lost)?;
                let mut made = None;
                let name = spot.fresh(|name| {
                    let flags = OFlags::WRONLY
                        | OFlags::CREATE
                        | OFlags::EXCL
                        | OFlags::NOFOLLOW
                        | OFlags::CLOEXEC;
                    made = Some(openat(&spot.directory, name, flags, Mode::RUSR | Mode::WUSR)?);
                    Ok(())
                })?;
                let written = made.map_or(Ok(()), |made| fill(made.into(), &content, *mode));
                if let Err(error) = written {
                    let _ = unlinkat(&spot.directory, name.as_slice(), AtFlags::empty());
                    return Err(error.into());
                }
                Ok(name)
            }
        }
    }
}

fn fill(mut file: File, content: &[u8], mode: u16) -> io::Result<()> {
    file.write_all(content)?;
    fchmod(&file, permissions(mode))?;
    // Else a power failure may leave the name with nothing in it.
    file.sync_data()
}

fn permissions(mode: u16) -> Mode {
    Mode::from_raw_mode(RawMode::from(mode))
}

/// It must be out of the way before anything is put back: it is not to be there, or is a directory
/// where something else was, or the other way round.
fn goes_first(change: &Change<'_>) -> bool {
    match (change.before, change.after) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(before), Some(after)) => before.is_directory() != after.is_directory(),
    }
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
    fn seen(&self, expected: &Entry) -> Result<Option<Found>, Left> {
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
    fn fresh(&self, mut make: impl FnMut(&[u8]) -> Result<(), Left>) -> Result<Vec<u8>, Left> {
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
    fn place(&self, fresh: &[u8]) -> Result<(), Left> {
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
    fn exchange(&self, fresh: &[u8], seen: &Found) -> Result<(), Left> {
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

#[cfg(test)]
#[path = "undo_tests.rs"]
mod tests;
