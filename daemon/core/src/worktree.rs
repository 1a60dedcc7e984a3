//! The port to git worktrees: a session's own copy of the files of a repository.
//!
//! Two sessions in one directory see each other's changes; with a worktree each has files and a branch
//! of its own, and the history is common. Not here: how git is asked. The invariant: whatever is in a
//! worktree and nowhere else is never removed by Moltis.

use std::path::Path;

use async_trait::async_trait;

use crate::error::Result;
use crate::id::SessionId;

/// Where a session works that is bound to a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tree {
    /// In the directory itself, with whoever else works there.
    Shared,
    /// In a git worktree of its own.
    Own,
}

impl Tree {
    /// The name on the wire and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Own => "own",
        }
    }

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Shared, Self::Own].into_iter().find(|one| one.as_str() == name)
    }
}

/// A session's worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worktree {
    /// Where it is, absolute.
    pub path: String,
    /// The root of the repository that it is a worktree of, absolute: what the session is bound to.
    pub repository: String,
    /// Its branch, without `refs/heads/`.
    pub branch: String,
    /// The commit that it began at.
    pub base: String,
}

/// A worktree that was made, or that was there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The worktree.
    pub worktree: Worktree,
    /// Files of the repository's directory whose changes are not committed, and so not in it.
    pub left_out: u64,
    /// The repository has submodules, which are empty in it.
    pub submodules: bool,
}

/// What became of a worktree that is not needed any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing was in it that is not elsewhere: it is gone, and its branch.
    Removed,
    /// It is kept: a sentence that says where, why, and how it is removed.
    Kept(String),
}

/// Makes and removes worktrees.
///
/// Called by `session`; implemented in `worktree`. Nothing that a repository brings along is run:
/// neither its hooks nor the filters that its configuration names.
#[async_trait]
pub trait Worktrees: Send + Sync {
    /// Whether a directory is the root of a repository that can have worktrees. Where that can't be
    /// told it is none.
    async fn suits(&self, directory: &Path) -> bool;

    /// Makes the session's worktree of the repository whose root is `directory`, on a branch of its
    /// own, from the commit that is checked out there or from this one. One that is there already is
    /// given back as it is, and one whose directory was lost is made again on its branch. Dropping
    /// this takes back what it began.
    ///
    /// # Errors
    /// [`crate::Code::NotConfigured`] without git, [`crate::Code::Invalid`] where the directory can
    /// have no worktree, [`crate::Code::Conflict`] where its branch can't be made,
    /// [`crate::Code::Storage`] where the files could not be written. Nothing is left of it then.
    async fn make(&self, session: &SessionId, directory: &Path, from: Option<&str>)
    -> Result<Made>;

    /// Removes a worktree and its branch, unless something is in them that is nowhere else. What git
    /// ignores is not looked at and goes with it.
    async fn leave(&self, worktree: &Worktree) -> Left;
}
