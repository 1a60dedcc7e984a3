//! A session's own copy of the files of a repository: a git worktree on a branch of its own.
//!
//! The machine's git does the work; a library of it would be larger than all that is done here. The
//! modules: [`git`] runs it with nothing of what it usually picks up, [`repository`] finds out what a
//! directory is, [`aside`] reads and writes files without the repository's configuration, [`make`] and
//! [`leave`] are the two things that are done.
//!
//! Not here: which session has one (`session`), and what of a repository programs in the sandbox can
//! see (`sandbox`). The invariants: nothing that a repository brings along runs; what can't be made
//! whole is taken back; what is in a worktree and nowhere else is not removed.

mod aside;
mod git;
mod leave;
mod make;
mod repository;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use moltis_core::error::{Code, Error, Result};
use moltis_core::id::SessionId;
use moltis_core::worktree::{Left, Made, Worktree, Worktrees};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::git::Git;
use crate::repository::Repository;

/// The worktrees of all sessions, in a folder.
pub struct GitWorktrees {
    keeper: Arc<Keeper>,
    /// What was begun and is taken back when nobody waits for it any more.
    tasks: TaskTracker,
}

/// What does the work.
pub(crate) struct Keeper {
    /// `None` where the machine has no git.
    git: Option<Git>,
    /// The folder, without links on the way.
    folder: PathBuf,
    /// What branches begin with.
    prefix: String,
    /// One thing at a time: git locks a repository, and fails rather than waits.
    one: Mutex<()>,
}

impl GitWorktrees {
    /// Worktrees in this folder, on branches that begin with this. Blocks on the disk.
    ///
    /// # Errors
    /// `Storage` where the folder can't be made.
    pub fn open(folder: &Path, prefix: &str) -> Result<Self> {
        let made = std::fs::create_dir_all(folder).and_then(|()| folder.canonicalize());
        let folder = made.map_err(|error| {
            Error::new(Code::Storage, format!("make {}: {error}", folder.display()))
        })?;
        let (git, prefix, one) = (Git::find(), prefix.to_owned(), Mutex::new(()));
        let keeper = Arc::new(Keeper { git, folder, prefix, one });
        Ok(Self { keeper, tasks: TaskTracker::new() })
    }
}

#[async_trait]
impl Worktrees for GitWorktrees {
    async fn suits(&self, directory: &Path) -> bool {
        let Ok(git) = self.keeper.git() else { return false };
        // Most directories are none, and that is seen without a program.
        directory.join(".git").exists() && Repository::of(git, directory).await.is_ok()
    }

    async fn make(
        &self,
        session: &SessionId,
        directory: &Path,
        from: Option<&str>,
    ) -> Result<Made> {
        let keeper = self.keeper.clone();
        let (session, directory) = (session.clone(), directory.to_owned());
        let from = from.map(str::to_owned);
        let stop = CancellationToken::new();
        let _stopped = stop.clone().drop_guard();
        let making = async move { keeper.make(&session, &directory, from.as_deref(), &stop).await };
        let made = self.tasks.spawn(making).await;
        made.map_err(|error| Error::new(Code::Internal, error.to_string()))?
    }

    async fn leave(&self, worktree: &Worktree) -> Left {
        self.keeper.leave(worktree).await
    }
}

impl Keeper {
    fn git(&self) -> Result<&Git> {
        self.git.as_ref().ok_or_else(|| {
            Error::new(Code::NotConfigured, "git is not on this machine: there are no worktrees")
                .with_hint("install git and restart moltisd, or leave the session shared")
        })
    }
}
