//! The look at a workspace that makes a manifest of it.
//!
//! The workspace may be hostile and may be changed all the while. The invariants: nothing outside
//! of it is read, nothing in it is waited for, and what is not told of is left out by name, so that
//! it is never mistaken for something that is gone.
//!
//! What the session's last snapshot held stays watched, whatever `.gitignore` says by now, however
//! long it takes to say it, and however many files have come: else a program could hide what it does behind either.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use moltis_core::{Code, Error, Result};
use rustix::fs::{Dir, FileType};
use tokio_util::sync::CancellationToken;

use crate::manifest::{Entry, Manifest, above, hash};
use crate::root::{Found, Root, Unread, look, read, target};
use crate::rules::Rules;
use crate::skipped::{Skipped, Why};
use crate::store::Store;

/// How much a snapshot may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Files, symlinks and directories.
    pub(crate) entries: usize,
    /// Bytes of a file.
    pub(crate) file: u64,
    /// Bytes in all.
    pub(crate) bytes: u64,
    /// Directories in one another: each takes a descriptor while it is looked at.
    pub(crate) depth: usize,
    /// Names in a directory, and names that are left out in all.
    pub(crate) names: usize,
    /// The time that the rules of what is ignored may take.
    pub(crate) patience: Duration,
}

impl Limits {
    pub(crate) const USUAL: Self = Self {
        entries: 50_000,
        file: 8 << 20,
        bytes: 512 << 20,
        depth: 64,
        names: 100_000,
        patience: Duration::from_secs(5),
    };
}

/// A file that changed so many seconds before a look began may have changed again within the same
/// tick of the file system's clock.
const RACY: i64 = 2;

/// A look in progress.
pub(crate) struct Walk<'a> {
    pub(crate) root: &'a Root,
    pub(crate) store: &'a Store,
    /// The session's last snapshot of the workspace.
    pub(crate) known: &'a Manifest,
    pub(crate) limits: Limits,
    pub(crate) stop: &'a CancellationToken,
    /// Directories that are never looked into: the daemon's own, by device and inode.
    pub(crate) off_limits: &'a [(u64, u64)],
}

/// What a look found.
pub(crate) struct Seen {
    pub(crate) manifest: Manifest,
    pub(crate) skipped: Skipped,
    /// Files were read, not only known again.
    pub(crate) has_read: bool,
}

/// The look's state.
struct Look<'a> {
    walk: Walk<'a>,
    rules: Rules,
    seen: Seen,
    /// Entries that may still be added to those that are known.
    room: usize,
    /// Bytes that may still be.
    bytes: u64,
}

/// What is looked at in a directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    All,
    /// Only what the last snapshot held.
    Known,
}

impl<'a> Walk<'a> {
    /// Looks at everything; contents that are new are put into the store.
    pub(crate) fn run(self, taken: i64, rules: Rules, workspace: Vec<u8>) -> Result<Seen> {
        let limits = self.limits;
        let manifest = Manifest { taken, workspace, ..Manifest::default() };
        let mut look = Look {
            room: limits.entries.saturating_sub(self.known.entries.len()),
            bytes: limits.bytes.saturating_sub(self.known.bytes()),
            walk: self,
            rules,
            seen: Seen { manifest, skipped: Skipped::default(), has_read: false },
        };
        let root: &'a Root = look.walk.root;
        look.directory(root.top(), b"", Scope::All, 0)?;
        Ok(look.seen)
    }
}

impl Look<'_> {
    fn directory(
        &mut self,
        directory: BorrowedFd<'_>,
        path: &[u8],
        scope: Scope,
        depth: usize,
    ) -> Result<()> {
        let Some(names) = self.names(directory, path) else {
            return Ok(());
        };
        let (layers, are_rules_followed) = self.rules.enter(directory, path);
        if !are_rules_followed {
            self.seen.skipped.add(Why::Rules, &join(path, b".gitignore"));
        }
        for name in names {
            if self.walk.stop.is_cancelled() {
                return Err(Error::new(
                    Code::Unavailable,
                    "nobody waits for the snapshot any more",
                ));
            }
            self.name(directory, path, &name, scope, depth)?;
        }
        self.rules.leave(layers);
        Ok(())
    }

    /// The names in a directory, in order.
    fn names(&mut self, directory: BorrowedFd<'_>, path: &[u8]) -> Option<BTreeSet<Vec<u8>>> {
        let Ok(entries) = Dir::read_from(directory) else {
            self.leave_out(path, Some(Why::Unreadable));
            return None;
        };
        let mut names = BTreeSet::new();
        for entry in entries {
            let Ok(entry) = entry else {
                self.leave_out(path, Some(Why::Unreadable));
                return None;
            };
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                names.insert(name.to_vec());
            }
            if names.len() > self.walk.limits.names {
                self.seen.manifest.unnamed.insert(path.to_vec());
                self.seen.skipped.add(Why::TooMany, path);
                return Some(self.known_names(path));
            }
        }
        Some(names)
    }

    /// The names that the last snapshot held of a directory.
    fn known_names(&self, path: &[u8]) -> BTreeSet<Vec<u8>> {
        let start = join(path, b"");
        let below = self.walk.known.entries.range(start.clone()..);
        below
            .map_while(|(path, _)| path.strip_prefix(start.as_slice()))
            .filter(|rest| !rest.contains(&b'/'))
            .map(<[u8]>::to_vec)
            .collect()
    }

    fn name(
        &mut self,
        directory: BorrowedFd<'_>,
        parent: &[u8],
        name: &[u8],
        scope: Scope,
        depth: usize,
    ) -> Result<()> {
        let path = join(parent, name);
        if name == b".git" {
            self.leave_out(&path, None);
            return Ok(());
        }
        let found = match look(directory, name) {
            Ok(Some(found)) => found,
            // Gone since it was listed.
            Ok(None) => return Ok(()),
            Err(_) => {
                self.leave_out(&path, Some(Why::Unreadable));
                return Ok(());
            }
        };
        let is_directory = found.kind == FileType::Directory;
        let is_known = self.walk.known.entries.contains_key(&path);
        let is_ignored = self.rules.ignores(&path, is_directory);
        if !is_known && (is_ignored || scope == Scope::Known) {
            self.leave_out(&path, None);
            return Ok(());
        }
        if !is_known && self.rules.are_given_up() {
            self.leave_out(&path, Some(Why::Slow));
            return Ok(());
        }
        if !is_known {
            if self.room == 0 {
                self.leave_out(&path, Some(Why::TooMany));
                return Ok(());
            }
            self.room -= 1;
        }
        match found.kind {
            FileType::Directory => {
                let scope = if is_ignored { Scope::Known } else { scope };
                if self.walk.off_limits.contains(&found.place) {
                    self.leave_out(&path, None);
                    return Ok(());
                }
                self.keep(path.clone(), Entry::Directory { mode: found.mode });
                self.subdirectory(directory, name, &path, scope, depth + 1)
            }
            FileType::RegularFile => self.file(directory, name, path, found),
            FileType::Symlink => {
                match target(directory, name) {
                    Ok(target) => self.keep(path, Entry::Link { target }),
                    Err(_) => self.leave_out(&path, Some(Why::Restless)),
                }
                Ok(())
            }
            _ => {
                self.leave_out(&path, Some(Why::Odd));
                Ok(())
            }
        }
    }

    fn subdirectory(
        &mut self,
        directory: BorrowedFd<'_>,
        name: &[u8],
        path: &[u8],
        scope: Scope,
        depth: usize,
    ) -> Result<()> {
        if depth > self.walk.limits.depth {
            self.leave_out(path, Some(Why::TooDeep));
            return Ok(());
        }
        match self.walk.root.step(directory, name) {
            Ok(inner) => self.directory(inner.as_fd(), path, scope, depth),
            // It may not be one any more.
            Err(_) => {
                self.leave_out(path, Some(Why::Unreadable));
                Ok(())
            }
        }
    }

    fn file(
        &mut self,
        directory: BorrowedFd<'_>,
        name: &[u8],
        path: Vec<u8>,
        found: Found,
    ) -> Result<()> {
        let known = self.walk.known.entries.get(&path);
        let had = known.map_or(0, Entry::size);
        self.bytes += had;
        let most = self.walk.limits.file.min(self.bytes);
        if let Some(Entry::File { size, hash, stamp, .. }) = known
            && *size == found.size
            && *stamp == found.stamp
            && *size <= most
            && stamp.changed.0.max(stamp.modified.0) < self.walk.known.taken - RACY
        {
            self.bytes -= size;
            let entry = Entry::File { mode: found.mode, size: *size, hash: *hash, stamp: *stamp };
            self.keep(path, entry);
            return Ok(());
        }
        self.seen.has_read = true;
        match read(directory, name, most) {
            Ok((content, found)) => {
                let hash = hash(&content);
                self.walk.store.put(&hash, &content)?;
                self.bytes -= found.size;
                let Found { mode, size, stamp, .. } = found;
                self.keep(path, Entry::File { mode, size, hash, stamp });
            }
            Err(Unread::TooLarge) if found.size <= self.walk.limits.file => {
                self.leave_out(&path, Some(Why::NoRoom));
            }
            Err(Unread::TooLarge) => self.leave_out(&path, Some(Why::TooLarge)),
            Err(Unread::Restless) => self.leave_out(&path, Some(Why::Restless)),
            Err(Unread::Odd) => self.leave_out(&path, Some(Why::Odd)),
            Err(Unread::Failed(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(Unread::Failed(_)) => self.leave_out(&path, Some(Why::Unreadable)),
        }
        Ok(())
    }

    fn keep(&mut self, path: Vec<u8>, entry: Entry) {
        self.seen.manifest.entries.insert(path, entry);
    }

    fn leave_out(&mut self, path: &[u8], why: Option<Why>) {
        if let Some(why) = why {
            self.seen.skipped.add(why, path);
        }
        let Manifest { left_out, unnamed, .. } = &mut self.seen.manifest;
        // What was watched is always named: it must not be mistaken for something that is gone.
        let is_named =
            left_out.len() < self.walk.limits.names || self.walk.known.entries.contains_key(path);
        if is_named {
            left_out.insert(path.to_vec());
            return;
        }
        let directory = above(path).next().unwrap_or_default();
        if !unnamed.contains(directory) {
            unnamed.insert(directory.to_vec());
            self.seen.skipped.add(Why::Unnamed, directory);
        }
    }
}

fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() { name.to_vec() } else { [directory, b"/", name].concat() }
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
