//! Removing a worktree, unless something is in it that is nowhere else.
//!
//! What counts is what git keeps: files that it ignores are not looked at. Who wrote the worktree's
//! index may have marked files in it as unchanged, so files are compared with the commit itself. Not
//! here: the end of what runs in it; that comes first.

use std::path::Path;

use moltis_core::error::Result;
use moltis_core::worktree::{Left, Worktree};

use crate::Keeper;
use crate::aside::Aside;
use crate::git::{Ask, Failed, Git};
use crate::repository::Repository;

impl Keeper {
    /// See [`moltis_core::worktree::Worktrees::leave`].
    pub(crate) async fn leave(&self, worktree: &Worktree) -> Left {
        let _one_at_a_time = self.one.lock().await;
        let why = match self.remove(worktree).await {
            Ok(None) => return Left::Removed,
            Ok(Some(why)) => why,
            Err(error) => error.message,
        };
        let Worktree { path, repository, branch, .. } = worktree;
        let (root, place) = (quoted(repository), quoted(path));
        Left::Kept(format!(
            "the worktree {path} is kept: {why}; to remove it with all that is in it: git -C {root} \
             worktree remove -f -f {place} && git -C {root} branch -D {}",
            quoted(branch)
        ))
    }

    /// Removes it, or says why not.
    async fn remove(&self, worktree: &Worktree) -> Result<Option<String>> {
        let git = self.git()?;
        let path = Path::new(&worktree.path);
        if !path.starts_with(&self.folder) {
            return Ok(Some("it is not one that Moltis made".to_owned()));
        }
        let repository = Repository::again(git, &worktree.repository).await?;
        let kept = match self.nowhere_else(git, &repository, worktree).await {
            Ok(kept) => kept,
            Err(failed) => Some(format!("what is in it can't be told: {failed}")),
        };
        if kept.is_some() {
            return Ok(kept);
        }
        let words = ["worktree", "remove", "--force", "--force"];
        if let Err(failed) = git.ask(Ask::new(&repository.root, words).word(path)).await
            && (path.exists() || repository.admin(path).exists())
        {
            return Ok(Some(failed.to_string()));
        }
        let branch = format!("refs/heads/{}", worktree.branch);
        if let Some(tip) = tip(git, &repository, &branch).await {
            let words = ["update-ref", "-d", &branch, &tip];
            if let Err(failed) = git.ask(Ask::new(&repository.root, words)).await {
                tracing::warn!(branch, %failed, "a branch could not be removed");
            }
        }
        if let Some(parent) = path.parent() {
            // Other sessions' worktrees may be in it.
            let _ = std::fs::remove_dir(parent);
        }
        Ok(None)
    }

    /// What of a worktree is nowhere else, if anything is.
    async fn nowhere_else(
        &self,
        git: &Git,
        repository: &Repository,
        worktree: &Worktree,
    ) -> Result<Option<String>, Failed> {
        let path = Path::new(&worktree.path);
        let branch = format!("refs/heads/{}", worktree.branch);
        let mut ends = Vec::from_iter(tip(git, repository, &branch).await);
        if path.exists() {
            let admin = repository.admin(path);
            let words = ["rev-parse", "--verify", "--end-of-options", "HEAD^{commit}"];
            let head = git.ask(Ask::new(&repository.root, words).with("GIT_DIR", admin)).await?;
            let aside = Aside::new(git, repository, &self.folder, &head);
            let changed = aside.map_err(Failed::NotStarted)?.differs(&head, path).await?;
            match changed {
                0 => {}
                1 => return Ok(Some("a change in it is not committed".to_owned())),
                many => return Ok(Some(format!("{many} changes in it are not committed"))),
            }
            ends.push(head);
        }
        for end in ends {
            // Where it began is no exception: a fork may be all that still has what its parent did.
            if !is_elsewhere(git, repository, &end, &branch).await? {
                return Ok(Some(format!("no branch but {} has its commits", worktree.branch)));
            }
        }
        Ok(None)
    }
}

/// The commit of a branch, if there is one.
async fn tip(git: &Git, repository: &Repository, branch: &str) -> Option<String> {
    let words = ["rev-parse", "--verify", "--quiet", "--end-of-options", branch];
    git.ask(Ask::new(&repository.root, words)).await.ok()
}

/// Whether another branch, of here or of a remote, a tag, or what is checked out in the repository
/// leads to a commit.
async fn is_elsewhere(
    git: &Git,
    repository: &Repository,
    commit: &str,
    branch: &str,
) -> Result<bool, Failed> {
    // Two, for one of them may be the branch itself.
    let words = ["for-each-ref", "--count=2", "--format=%(refname)", "--contains", commit];
    let ask = Ask::new(&repository.root, words);
    let names = git.ask(ask.word("refs/heads").word("refs/remotes").word("refs/tags")).await?;
    if names.lines().any(|name| name != branch) {
        return Ok(true);
    }
    let words = ["merge-base", "--is-ancestor", commit, &repository.head];
    Ok(git.ask(Ask::new(&repository.root, words)).await.is_ok())
}

/// As a shell takes it.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}
