//! What is seen of the repository that a workspace is a git worktree of.
//!
//! The `.git` of a worktree is a file that names a folder in the repository, by an absolute path that
//! git inside has to find. So the repository's git folder is seen under its own path; but it is put
//! together anew: a folder in memory, in which there is what git needs. Objects, branches and what the
//! worktree has of its own can be written as far as the workspace can; all that steers git can be read;
//! whatever a program puts beside that is in memory, and is never seen by a git outside. The price is
//! that nothing of `packed-refs` and `config` is replaced inside: no branch or tag is deleted there,
//! nothing is packed.
//!
//! A workspace may come from anywhere, and its `.git` may name any folder of the machine. So the
//! repository must name the workspace in its turn, which only who can write the repository can have
//! written. Not here: what mounts ([`crate::bubblewrap`], [`crate::container`]); repositories below a
//! workspace's root. The invariant: nothing is seen of a folder that does not name the workspace.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Bytes of a file that is a path.
const MOST: u64 = 16 << 10;

/// Folders of a repository that are written wherever something is committed.
const WRITTEN: &[&str] = &["objects", "refs", "logs"];

/// What else git reads of it.
const READ: &[&str] = &[
    "HEAD",
    "config",
    "config.worktree",
    "packed-refs",
    "shallow",
    "info",
    "hooks",
    "modules",
    "lfs",
    "worktrees",
];

/// What a worktree has of its own, and what in it steers git.
const STEERS: &[&str] = &["commondir", "gitdir", "config.worktree", "modules", "locked"];

/// Where nothing of a repository can be put inside: there is something else.
const TAKEN: &[&str] = &[
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/workspace",
];

/// How a path is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// As an empty folder in memory.
    Memory,
    /// As it is.
    Writable,
    /// As it is, and to be read only.
    ReadOnly,
}

/// The repository of a worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Linked {
    /// Its git folder, without links on the way.
    common: PathBuf,
    /// What the worktree has of its own in it.
    own: PathBuf,
}

impl Linked {
    /// That of a workspace, if it is the root of a worktree; the path has no links on the way. Blocks on
    /// the disk.
    pub(crate) fn of(workspace: &Path) -> Option<Self> {
        let file = workspace.join(".git");
        let own = PathBuf::from(line(&file)?.strip_prefix("gitdir: ")?.to_owned());
        let worktrees = own.parent()?;
        let common = worktrees.parent()?;
        let is_real = own.canonicalize().is_ok_and(|real| real == own);
        if !is_real || worktrees.file_name()? != "worktrees" || !is_repository(common) {
            return None;
        }
        // Relative or not, as git wrote it.
        let names = |name: &str, wanted: &Path| {
            let named = line(&own.join(name)).map(|path| own.join(path).canonicalize());
            named.is_some_and(|named| named.is_ok_and(|named| named == wanted))
        };
        let is_its = names("gitdir", &file) && names("commondir", common);
        let is_free = !TAKEN.iter().any(|taken| common.starts_with(taken));
        (is_its && is_free).then(|| Self { common: common.to_owned(), own: own.clone() })
    }

    /// Whether this path is in what is seen.
    pub(crate) fn holds(&self, path: &Path) -> bool {
        path.starts_with(&self.common)
    }

    /// What is seen under its own path, the outer before the inner. Blocks on the disk.
    pub(crate) fn places(&self, writable: bool) -> Vec<(PathBuf, Seen)> {
        let written = if writable { Seen::Writable } else { Seen::ReadOnly };
        let is_there = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|it| !it.is_symlink());
        let mut places = vec![(self.common.clone(), Seen::Memory)];
        let of_common = |names: &[&str], seen: Seen| {
            let paths = names.iter().map(|name| self.common.join(name));
            paths.filter(is_there).map(|path| (path, seen)).collect::<Vec<_>>()
        };
        places.extend(of_common(WRITTEN, written));
        places.extend(of_common(READ, Seen::ReadOnly));
        places.push((self.own.clone(), written));
        if writable {
            let steers = STEERS.iter().map(|name| self.own.join(name)).filter(is_there);
            places.extend(steers.map(|path| (path, Seen::ReadOnly)));
        }
        places
    }

    /// Which `packed-refs` this is: git outside puts another in its place as it packs branches, and
    /// who still sees the old one misses them. Makes an empty one where there is none, for one that was
    /// made inside would take branches with it. Blocks on the disk.
    pub(crate) fn packed(&self) -> Option<u64> {
        let path = self.common.join("packed-refs");
        if let Err(error) = fs::OpenOptions::new().write(true).create_new(true).open(&path)
            && error.kind() != std::io::ErrorKind::AlreadyExists
        {
            tracing::warn!(%error, "a repository without packed-refs can't be given one");
        }
        fs::symlink_metadata(path).ok().map(|found| found.ino())
    }
}

/// A file with a path in it.
fn line(path: &Path) -> Option<String> {
    let found = fs::symlink_metadata(path).ok()?;
    if !found.is_file() || found.len() > MOST {
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    Some(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

fn is_repository(common: &Path) -> bool {
    let is_folder =
        |name: &str| fs::symlink_metadata(common.join(name)).is_ok_and(|found| found.is_dir());
    common.join("HEAD").is_file() && is_folder("objects") && is_folder("refs")
}

#[cfg(test)]
#[path = "linked_tests.rs"]
mod tests;
