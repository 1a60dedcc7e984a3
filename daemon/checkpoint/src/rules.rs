//! What a workspace's own `.gitignore` files say is not worth keeping.
//!
//! The rules are read through the workspace's descriptors, as everything in it is. What is outside
//! of it is read only upwards to the repository that the workspace is part of. The invariant: a
//! path's fate depends on the rules of the directories that it is in and on nothing else; the
//! person's global excludes are not asked.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::root::{Root, Unread, read};

/// More bytes of rules than this in one file are not followed.
pub(crate) const MAX_RULES: u64 = 64 << 10;

/// The rules that hold in a directory: each layer goes before those above it.
///
/// A program can write rules that take an hour to apply. They are given up when they have taken
/// longer than there is patience for.
pub(crate) struct Rules {
    /// The workspace.
    base: PathBuf,
    layers: Vec<Gitignore>,
    /// The time that they may still take.
    patience: Duration,
}

impl Rules {
    /// The rules from outside of the workspace's own tree: of the repository that it is in.
    pub(crate) fn of_workspace(root: &Root, base: &Path, patience: Duration) -> Self {
        let mut rules = Self { base: base.to_owned(), layers: Vec::new(), patience };
        let above = base.ancestors().skip(1);
        let is_repository = |path: &Path| path.join(".git").exists();
        let outside: Vec<&Path> = match above.clone().position(is_repository) {
            Some(top) if !is_repository(base) => above.take(top + 1).collect(),
            _ => Vec::new(),
        };
        for directory in outside.into_iter().rev() {
            if let Ok(outer) = Root::open(directory) {
                rules.push_from(outer.top(), b".gitignore", directory);
            }
        }
        // A home kept in git that ignores everything but its dotfiles does not mean this.
        if base.ancestors().any(|path| rules.matches(path, true)) {
            rules.layers.clear();
        }
        if let Ok(info) = root.directory(b".git/info") {
            rules.push_from(info.as_fd(), b"exclude", base);
        }
        rules
    }

    /// Adds the rules of a directory of the workspace; says how many layers to keep when it is
    /// left, and whether its rules could be followed.
    pub(crate) fn enter(&mut self, directory: BorrowedFd<'_>, path: &[u8]) -> (usize, bool) {
        let depth = self.layers.len();
        let at = self.base.join(OsStr::from_bytes(path));
        (depth, self.push_from(directory, b".gitignore", &at))
    }

    /// They took too long: what they say is not known any more.
    pub(crate) fn are_given_up(&self) -> bool {
        self.patience.is_zero()
    }

    /// Takes away what [`Self::enter`] added.
    pub(crate) fn leave(&mut self, depth: usize) {
        self.layers.truncate(depth);
    }

    /// The path is to be ignored.
    pub(crate) fn ignores(&mut self, path: &[u8], is_directory: bool) -> bool {
        if self.layers.is_empty() || self.are_given_up() {
            return false;
        }
        let start = Instant::now();
        let ignores = self.matches(&self.base.join(OsStr::from_bytes(path)), is_directory);
        self.patience = self.patience.saturating_sub(start.elapsed());
        ignores
    }

    fn matches(&self, path: &Path, is_directory: bool) -> bool {
        // A path outside of a layer's directory would be taken for one relative to it.
        for layer in self.layers.iter().rev().filter(|layer| path.starts_with(layer.path())) {
            match layer.matched(path, is_directory) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
        }
        false
    }

    fn push_from(&mut self, directory: BorrowedFd<'_>, name: &[u8], at: &Path) -> bool {
        if self.are_given_up() {
            return true;
        }
        let text = match read(directory, name, MAX_RULES) {
            Ok((text, _)) => text,
            Err(Unread::TooLarge) => return false,
            // None there, mostly.
            Err(_) => return true,
        };
        let start = Instant::now();
        let mut builder = GitignoreBuilder::new(at);
        for line in String::from_utf8_lossy(&text).lines() {
            // A line that is no rule is passed over, as git does.
            let _ = builder.add_line(None, line);
        }
        let built = builder.build();
        self.patience = self.patience.saturating_sub(start.elapsed());
        match built {
            Ok(layer) if layer.is_empty() => true,
            Ok(layer) => {
                self.layers.push(layer);
                true
            }
            Err(_) => false,
        }
    }
}
