//! Putting back what was changed.
//!
//! Everything happens inside of directories that [`Root`] opened: whatever becomes a symlink
//! meanwhile, nothing outside of the workspace is touched. The invariant: what is not as it was
//! left is not touched, also if that becomes so at the last moment ([`crate::spot`]).

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use moltis_core::checkpoint::{Kept, Undone};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RawMode, fchmod, mkdirat, openat, symlinkat, unlinkat,
};
use rustix::io::Errno;

use crate::compare::Change;
use crate::manifest::{Entry, Manifest, above};
use crate::root::{Root, look, look_at};
use crate::spot::{Left, Spot};
use crate::store::Store;

/// A directory's owner may do with it what is needed.
const OPEN: u16 = 0o700;

/// An undo in progress.
pub(crate) struct Undo<'a> {
    pub(crate) root: &'a Root,
    pub(crate) store: &'a Store,
    /// What is to be again.
    pub(crate) before: &'a Manifest,
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
        spot.discard(&seen)?;
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

#[cfg(test)]
#[path = "undo_tests.rs"]
mod tests;
