//! The repository that a directory is the root of, and why a directory is none.
//!
//! Not here: anything that changes it. The invariant: a [`Repository`] has a commit checked out, files
//! of its own, and its directory is the whole of it.

use std::path::{Path, PathBuf};

use moltis_core::error::{Code, Error, Result};

use crate::git::{Ask, Failed, Git};

/// A repository.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    /// The root of its files, without links on the way.
    pub(crate) root: PathBuf,
    /// What its worktrees have in common: objects, branches, configuration.
    pub(crate) common: PathBuf,
    /// What this root alone has: its index, mostly.
    own: PathBuf,
    /// `sha1` or `sha256`.
    pub(crate) format: String,
    /// The commit that is checked out.
    pub(crate) head: String,
}

impl Repository {
    /// The one that this directory is the root of.
    ///
    /// # Errors
    /// `Invalid` where it is none, or none that can have worktrees; a person can read why.
    pub(crate) async fn of(git: &Git, directory: &Path) -> Result<Self> {
        let shown = directory.display();
        let root = directory.canonicalize().map_err(|error| {
            Error::new(Code::NotFound, format!("the directory {shown} can't be opened: {error}"))
        })?;
        let words = ["rev-parse", "--path-format=absolute", "--is-bare-repository"];
        let ask = Ask::new(&root, words).word("--git-common-dir").word("--absolute-git-dir");
        let found = git.ask(ask.word("--show-object-format")).await;
        let found = found.map_err(|failed| none(&root, &failed))?;
        let found: Vec<&str> = found.lines().collect();
        let [bare, common, own, format] = found.as_slice() else {
            return Err(unclear(&root));
        };
        if *bare == "true" {
            let text = format!("{shown} is a repository without files (bare)");
            return Err(invalid(text, "bind the session to a clone of it"));
        }
        let (common, own) = (PathBuf::from(common), PathBuf::from(own));
        whole(git, &root).await?;
        if is_submodule(&common) {
            let text = format!("{shown} is a submodule of another repository");
            return Err(invalid(text, "bind the session to the repository that it is part of"));
        }
        let words = ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"];
        let head = git.ask(Ask::new(&root, words)).await.map_err(|_| {
            let text = format!("the repository {shown} has no commit yet");
            invalid(text, "commit something first: a worktree begins at a commit")
        })?;
        Ok(Self { root, common, own, format: (*format).to_owned(), head })
    }

    /// The repository of files that may have been lost; nothing is asked of them.
    ///
    /// # Errors
    /// As [`Repository::of`].
    pub(crate) async fn again(git: &Git, root: &str) -> Result<Self> {
        Self::of(git, Path::new(root)).await
    }

    /// What a worktree alone has; it is named as its directory is.
    pub(crate) fn admin(&self, worktree: &Path) -> PathBuf {
        self.common.join("worktrees").join(worktree.file_name().unwrap_or_default())
    }

    /// The index of its root.
    pub(crate) fn index(&self) -> PathBuf {
        self.own.join("index")
    }

    /// The name of its directory, of letters that are plain everywhere.
    pub(crate) fn name(&self) -> String {
        let name = self.root.file_name().unwrap_or_default().to_string_lossy();
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' };
        let name: String = name.chars().map(plain).take(40).collect();
        if name.is_empty() { "repository".to_owned() } else { name }
    }
}

/// Makes sure that the directory is the root of the files, not a folder within.
async fn whole(git: &Git, root: &Path) -> Result<()> {
    let words = ["rev-parse", "--path-format=absolute", "--show-toplevel"];
    let top = git.ask(Ask::new(root, words)).await.map_err(|failed| none(root, &failed))?;
    if Path::new(&top) == root {
        return Ok(());
    }
    let text = format!("{} is a folder within the repository {top}", root.display());
    Err(invalid(text, "bind the session to the root of the repository"))
}

/// A submodule's repository lies in that of the one that it is part of.
fn is_submodule(common: &Path) -> bool {
    let mut steps = common.components().map(std::path::Component::as_os_str);
    steps.any(|step| step == ".git") && steps.any(|step| step == "modules")
}

fn none(root: &Path, failed: &Failed) -> Error {
    let shown = root.display();
    match failed {
        Failed::Refused(why) if why.contains("not a git repository") => invalid(
            format!("{shown} is not a git repository"),
            "a worktree needs one: `git init`, or leave the session shared",
        ),
        // The person's own list of such is not read: it is in their configuration.
        Failed::Refused(why) if why.contains("dubious ownership") => invalid(
            format!("the repository {shown} belongs to another user"),
            "a session has a worktree only of what belongs to whoever runs moltisd",
        ),
        failed => {
            Error::new(Code::Invalid, format!("the repository {shown} can't be read: {failed}"))
        }
    }
}

fn unclear(root: &Path) -> Error {
    let text = format!("the repository {} has a path that is no text", root.display());
    Error::new(Code::Invalid, text)
}

fn invalid(text: String, hint: &str) -> Error {
    Error::new(Code::Invalid, text).with_hint(hint)
}
