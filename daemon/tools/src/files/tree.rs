//! Going through the files of the workspace, as `glob` and `grep` see it.
//!
//! Each directory is opened from the descriptor of the one above, and links are not followed: so
//! nothing outside is seen, whatever is moved about meanwhile. What `.gitignore` names is left out,
//! and so is `.git`. The invariants: at most [`ENTRIES`] entries in [`DEEPEST`] levels are looked
//! at, and it is told when there were more; the order is that of names.

use std::ffi::{CStr, CString};
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::fs::{AtFlags, Dir, FileType, statat};

use crate::jail::{Inside, entry, step_into};
use crate::off::Stop;

/// Entries that are looked at for one call.
const ENTRIES: usize = 200_000;

/// Levels of directories.
const DEEPEST: usize = 64;

/// Bytes of a `.gitignore`.
const IGNORE: u64 = 256 << 10;

/// A file that was come by.
pub(super) struct Passed<'a> {
    /// The directory that it is in.
    pub(super) dir: &'a OwnedFd,
    /// Its name there.
    pub(super) name: &'a CStr,
    /// Its path in the workspace.
    pub(super) path: String,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    GoOn,
    Enough,
}

/// Goes through a tree once.
pub(super) struct Walk<'a, F> {
    /// Is shown every file.
    pub(super) visit: F,
    pub(super) stop: &'a Stop,
    entries: usize,
    ignores: Vec<Gitignore>,
    incomplete: bool,
}

impl<'a, F: FnMut(Passed<'_>) -> Then> Walk<'a, F> {
    /// Shows every file beneath a directory, and tells whether some were not come by.
    pub(super) fn through(dir: OwnedFd, at: &Inside, stop: &'a Stop, visit: F) -> bool {
        let (entries, ignores) = (0, Vec::new());
        let mut walk = Self { visit, stop, entries, ignores, incomplete: false };
        walk.directory(&dir, at.as_str(), 0);
        walk.incomplete
    }

    fn directory(&mut self, dir: &OwnedFd, at: &str, depth: usize) -> Then {
        if depth == DEEPEST {
            self.incomplete = true;
            return Then::GoOn;
        }
        let ignores = self.ignores.len();
        self.ignores.extend(gitignore(dir, at));
        let mut then = Then::GoOn;
        for (name, kind) in self.list(dir) {
            then = self.entry(dir, at, &name, kind, depth);
            if then == Then::Enough {
                break;
            }
        }
        self.ignores.truncate(ignores);
        then
    }

    fn entry(
        &mut self,
        dir: &OwnedFd,
        at: &str,
        name: &CStr,
        kind: FileType,
        depth: usize,
    ) -> Then {
        if self.stop.is_due() {
            self.incomplete = true;
            return Then::Enough;
        }
        let text = name.to_string_lossy();
        let path = if at.is_empty() { text.into_owned() } else { format!("{at}/{text}") };
        match kind {
            FileType::Directory if name == c".git" || self.is_ignored(&path, true) => Then::GoOn,
            FileType::Directory => match step_into(dir, name) {
                Ok(below) => self.directory(&below, &path, depth + 1),
                // It is not ours to read, or it is something else by now.
                Err(_) => Then::GoOn,
            },
            FileType::RegularFile if !self.is_ignored(&path, false) => {
                (self.visit)(Passed { dir, name, path })
            }
            _ => Then::GoOn,
        }
    }

    /// What is in a directory, in the order of names.
    fn list(&mut self, dir: &OwnedFd) -> Vec<(CString, FileType)> {
        let mut names = Vec::new();
        let Ok(entries) = Dir::read_from(dir) else { return names };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            self.entries += 1;
            if self.entries > ENTRIES || self.stop.is_due() {
                self.incomplete = true;
                break;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                    Err(_) => continue,
                },
                kind => kind,
            };
            names.push((name.to_owned(), kind));
        }
        names.sort_by(|(a, _), (b, _)| a.cmp(b));
        names
    }

    /// The deepest `.gitignore` that has a say decides.
    fn is_ignored(&self, path: &str, is_directory: bool) -> bool {
        let path = Path::new("/").join(path);
        let said = self.ignores.iter().rev().map(|ignore| ignore.matched(&path, is_directory));
        said.into_iter().find(|said| !said.is_none()).is_some_and(|said| said.is_ignore())
    }
}

/// What a directory's `.gitignore` says. A line that is no pattern says nothing, as with git.
fn gitignore(dir: &OwnedFd, at: &str) -> Option<Gitignore> {
    let path = Inside::parse(".gitignore", None).ok()?;
    let (file, _) = entry(dir, c".gitignore", &path).ok()?;
    let mut bytes = Vec::new();
    file.take(IGNORE).read_to_end(&mut bytes).ok()?;
    let mut builder = GitignoreBuilder::new(Path::new("/").join(at));
    for line in String::from_utf8_lossy(&bytes).lines() {
        builder.add_line(None, line).ok();
    }
    builder.build().ok()
}

// Two names are exchanged in one step only there.
#[cfg(all(test, target_os = "linux"))]
#[path = "tree_tests.rs"]
mod tests;
