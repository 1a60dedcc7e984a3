//! Making a worktree, whole or not at all.
//!
//! First git is told of it, without files; then its files are written aside from the repository's
//! configuration; the index that tells of them is written last, so that a worktree without one is half
//! made, and is made anew. It is locked, as the sandbox sees it under another path and would take it for
//! one that was removed. Not here: when it is made.

use std::path::{Path, PathBuf};
use std::{fs, io};

use moltis_core::error::{Code, Error, Result};
use moltis_core::id::SessionId;
use moltis_core::worktree::{Made, Worktree};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::Keeper;
use crate::aside::Aside;
use crate::git::{Ask, Failed, Git};
use crate::repository::Repository;

/// Letters of a session's name in that of its branch.
const SHORT_NAME: usize = 8;

/// Why it is locked; git tells it to whoever wants to remove it.
const LOCKED: &str = "a session of Moltis works in it";

/// What is going to be made.
struct Plan {
    repository: Repository,
    path: PathBuf,
    branch: String,
    /// The commit that it begins at.
    base: String,
    /// The branch is there already, from an earlier life of the session.
    continues: bool,
}

impl Keeper {
    /// See [`moltis_core::worktree::Worktrees::make`]. Where `stop` is cancelled, what was begun is
    /// taken back.
    pub(crate) async fn make(
        &self,
        session: &SessionId,
        directory: &Path,
        from: Option<&str>,
        stop: &CancellationToken,
    ) -> Result<Made> {
        let git = self.git()?;
        let _one_at_a_time = self.one.lock().await;
        let repository = Repository::of(git, directory).await?;
        let path = self.place(&repository, session);
        let branch = format!("{}/{}", self.prefix, short(session));
        let base = match from {
            None => repository.head.clone(),
            Some(from) => commit(git, &repository, from).await?,
        };
        let tip = commit(git, &repository, &format!("refs/heads/{branch}")).await.ok();
        if let Some(tip) = &tip
            && is_whole(&repository, &path)
        {
            let base = common_base(git, &repository, tip).await;
            let plan = Plan { repository, path, branch, base, continues: true };
            return self.told(git, plan).await;
        }
        let plan = Plan {
            base: tip.clone().unwrap_or(base),
            continues: tip.is_some(),
            repository,
            path,
            branch,
        };
        clear(git, &plan).await;
        if let Err(error) = self.write(&git.until(stop), &plan).await {
            take_back(git, &plan).await;
            return Err(error);
        }
        self.told(git, plan).await
    }

    /// Where a session's worktree of a repository is: outside of the repository, one folder for each
    /// of those, so that no two repositories of one name meet.
    pub(crate) fn place(&self, repository: &Repository, session: &SessionId) -> PathBuf {
        let hash = Sha256::digest(repository.root.as_os_str().as_encoded_bytes());
        let hash: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(format!("{}-{hash}", repository.name())).join(session.as_str())
    }

    async fn write(&self, git: &Git, plan: &Plan) -> Result<()> {
        let Plan { repository, path, branch, base, continues } = plan;
        let parent = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(parent).map_err(|error| unwritten(path, &error.to_string()))?;
        let words = ["worktree", "add", "--quiet", "--no-checkout", "--lock", "--reason", LOCKED];
        let ask = Ask::new(&repository.root, words);
        let ask = if *continues {
            ask.word(path).word(branch)
        } else {
            ask.word("--no-track").word("-b").word(branch).word(path).word(base)
        };
        git.ask(ask).await.map_err(|failed| unmade(branch, &failed))?;
        let admin = repository.admin(path);
        // Programs in the sandbox may not make one, for it steers git outside: so there is one.
        fs::write(admin.join("config.worktree"), "")
            .map_err(|error| unwritten(path, &error.to_string()))?;
        let aside = Aside::new(git, repository, &self.folder, base)
            .map_err(|error| unwritten(path, &error.to_string()))?;
        let written = aside.check_out(base, path, &admin.join("index")).await;
        written.map_err(|failed| unwritten(path, &failed.to_string()))
    }

    /// What there is to say of a worktree that is there.
    async fn told(&self, git: &Git, plan: Plan) -> Result<Made> {
        let Plan { repository, path, branch, base, .. } = plan;
        let text = |path: &Path| {
            let text = path.to_str().map(str::to_owned);
            text.ok_or_else(|| Error::new(Code::Invalid, "the path of the repository is no text"))
        };
        let worktree =
            Worktree { path: text(&path)?, repository: text(&repository.root)?, branch, base };
        let words = ["ls-tree", "--name-only", &repository.head, ".gitmodules"];
        let modules = git.ask(Ask::new(&repository.root, words)).await;
        let left_out = match Aside::new(git, &repository, &self.folder, &repository.head) {
            Ok(aside) => aside.changed(&repository.root, &repository.index()).await.unwrap_or(0),
            // It is only said to be helpful.
            Err(_) => 0,
        };
        let submodules = modules.is_ok_and(|names| !names.is_empty());
        Ok(Made { worktree, left_out, submodules })
    }
}

/// The beginning of a session's name.
fn short(session: &SessionId) -> &str {
    let name = session.as_str();
    name.get(..SHORT_NAME).unwrap_or(name)
}

/// The commit that a name means.
async fn commit(git: &Git, repository: &Repository, name: &str) -> Result<String> {
    let name = format!("{name}^{{commit}}");
    let words = ["rev-parse", "--verify", "--quiet", "--end-of-options", &name];
    let found = git.ask(Ask::new(&repository.root, words)).await;
    found.map_err(|_| {
        let shown = repository.root.display();
        Error::new(Code::NotFound, format!("{shown} has no commit `{name}`"))
    })
}

/// Where a branch left what is checked out.
async fn common_base(git: &Git, repository: &Repository, tip: &str) -> String {
    let words = ["merge-base", &repository.head, tip];
    let base = git.ask(Ask::new(&repository.root, words)).await;
    base.unwrap_or_else(|_| tip.to_owned())
}

/// A worktree is there, and was made to its end.
fn is_whole(repository: &Repository, path: &Path) -> bool {
    let admin = repository.admin(path);
    let points = fs::read_to_string(path.join(".git")).unwrap_or_default();
    points.trim() == format!("gitdir: {}", admin.display()) && admin.join("index").is_file()
}

/// Takes away what an earlier try left, and what git knows of a directory that was lost.
async fn clear(git: &Git, plan: &Plan) {
    if plan.path.exists() || plan.repository.admin(&plan.path).exists() {
        forget(git, plan).await;
    }
}

/// Takes back what was begun.
async fn take_back(git: &Git, plan: &Plan) {
    forget(git, plan).await;
    if !plan.continues {
        let branch = format!("refs/heads/{}", plan.branch);
        let words = ["update-ref", "-d", &branch, &plan.base];
        // Where it was not made, or someone has already used it, it stays as it is.
        let _ = git.ask(Ask::new(&plan.repository.root, words)).await;
    }
    if let Some(parent) = plan.path.parent() {
        // Other sessions' worktrees may be in it.
        let _ = fs::remove_dir(parent);
    }
}

async fn forget(git: &Git, plan: &Plan) {
    let words = ["worktree", "remove", "--force", "--force"];
    let removed = git.ask(Ask::new(&plan.repository.root, words).word(&plan.path)).await;
    let admin = plan.repository.admin(&plan.path);
    // What git does not know as a worktree is a folder of ours, without anything that was worked on.
    if removed.is_err() && is_half(&admin, &plan.path) {
        let _ = fs::remove_dir_all(&plan.path);
        let _ = fs::remove_dir_all(&admin);
    }
}

/// What git knows of a worktree was not written to its end, or is of this one.
fn is_half(admin: &Path, worktree: &Path) -> bool {
    match fs::read_to_string(admin.join("gitdir")) {
        Ok(points) => points.trim().is_empty() || Path::new(points.trim()) == worktree.join(".git"),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn unmade(branch: &str, failed: &Failed) -> Error {
    let text = format!("the branch {branch} and its worktree can't be made: {failed}");
    let hint =
        "is there a branch of that name? `workspace.branch_prefix` chooses another beginning";
    Error::new(Code::Conflict, text).with_hint(hint)
}

fn unwritten(path: &Path, why: &str) -> Error {
    let text = format!("the worktree {} can't be written: {why}", path.display());
    Error::new(Code::Storage, text).with_hint("is the disk full? nothing of it was left")
}
