//! Git on the files of a repository, without the configuration of that repository.
//!
//! Whoever writes files by git, or compares them, runs the filters that the repository's configuration
//! names, and no switch of git turns all of them off: their names are not known beforehand, and what a
//! file includes under a condition is not seen before the condition holds. So here git is given a
//! repository of our own, which has a configuration of ours and borrows nothing but the objects. Files
//! come out as they are stored: what a filter would have made of them (Git LFS, mostly) is not there.
//!
//! Not here: branches, and the list of worktrees; asking about those runs no filter. The invariant: no
//! run of this module reads a configuration that it did not write.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::git::{Ask, Failed, Git};
use crate::repository::Repository;

/// A repository that borrows another one's objects; gone when this is.
pub(crate) struct Aside<'a> {
    git: &'a Git,
    repository: &'a Repository,
    folder: PathBuf,
}

impl<'a> Aside<'a> {
    /// One in a folder of ours, where this commit is checked out. Blocks on the disk for a moment.
    pub(crate) fn new(
        git: &'a Git,
        repository: &'a Repository,
        place: &Path,
        head: &str,
    ) -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = place.join(format!("{ASIDE}{}-{number}", std::process::id()));
        let aside = Self { git, repository, folder };
        fs::create_dir_all(aside.folder.join("refs"))?;
        fs::create_dir_all(aside.folder.join("objects"))?;
        fs::write(aside.folder.join("HEAD"), format!("{head}\n"))?;
        let format = match repository.format.as_str() {
            "sha1" => "[core]\n\trepositoryformatversion = 0\n".to_owned(),
            other => format!(
                "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = {other}\n"
            ),
        };
        // What the person keeps out of sight in this repository is no change of anybody's.
        let exclude = repository.common.join("info/exclude");
        let exclude = exclude.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"");
        let config = format!("{format}[core]\n\tbare = false\n\texcludesFile = \"{exclude}\"\n");
        fs::write(aside.folder.join("config"), config)?;
        Ok(aside)
    }

    /// Writes all files of the commit, and the index that tells of them last.
    pub(crate) async fn check_out(
        &self,
        commit: &str,
        files: &Path,
        index: &Path,
    ) -> Result<(), Failed> {
        let words = ["read-tree", "--reset", "-u", commit];
        self.ask(Ask::new(files, words), files, index).await.map(drop)
    }

    /// How many files, or folders of new ones, are not as in this index or in the commit.
    pub(crate) async fn changed(&self, files: &Path, index: &Path) -> Result<u64, Failed> {
        let words = ["status", "--porcelain", "--ignore-submodules=all"];
        let ask = Ask::new(files, words).word("--untracked-files=normal").word("--no-renames");
        let said = self.ask(ask, files, index).await?;
        Ok(said.lines().count() as u64)
    }

    /// The same against the commit alone: whoever wrote an index may have marked files in it that git
    /// then passes over.
    pub(crate) async fn differs(&self, commit: &str, files: &Path) -> Result<u64, Failed> {
        let index = self.folder.join("index");
        self.ask(Ask::new(files, ["read-tree", commit]), files, &index).await?;
        self.changed(files, &index).await
    }

    async fn ask(&self, ask: Ask<'_>, files: &Path, index: &Path) -> Result<String, Failed> {
        let ask = ask
            .with("GIT_DIR", &self.folder)
            .with("GIT_WORK_TREE", files)
            .with("GIT_OBJECT_DIRECTORY", self.repository.common.join("objects"))
            .with("GIT_INDEX_FILE", index)
            .long();
        self.git.ask(ask).await
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(%error, "a folder of git could not be removed");
        }
    }
}

/// How the folders begin that are only used while git runs.
const ASIDE: &str = "aside-";
