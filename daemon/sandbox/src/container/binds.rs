//! What of the machine is seen inside a container: the workspace, and nothing that Moltis itself or
//! the engine keeps.
//!
//! What steers programs outside of the sandbox ([`STEERING`]) is mounted once more, to be read only,
//! and what it lies in is a mount of its own, so that neither can be moved out of the way from
//! inside. An engine follows symbolic links when it mounts, so there may be none on the way; since
//! one could be put there after this has looked, the container proves by their inodes that what is
//! mounted is what was looked at.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use moltis_core::error::{Code, Error, Result};
use moltis_core::policy::STEERING;
use moltis_core::sandbox::Mount;

use super::spec::{Bind, HOME, WORKSPACE};
use crate::linked::{Linked, Seen};

/// What is mounted of a workspace. Blocks on the disk. `private` are paths that a workspace may not
/// hold: the daemon's data, the engine's socket.
pub(super) fn binds(workspace: &Path, mount: Mount, private: &[PathBuf]) -> Result<Vec<Bind>> {
    let writable = match mount {
        Mount::None => return Ok(Vec::new()),
        Mount::ReadOnly => false,
        Mount::ReadWrite => true,
    };
    let source = workspace.canonicalize().map_err(|error| {
        let text = format!("the workspace {} can't be opened: {error}", workspace.display());
        Error::new(Code::NotFound, text)
    })?;
    if let Some(held) = private.iter().find(|path| path.starts_with(&source)) {
        let text = format!(
            "the workspace {} holds {}, which programs in the sandbox may not see",
            source.display(),
            held.display()
        );
        let hint = "choose a folder further down, or run without a workspace";
        return Err(Error::new(Code::Denied, text).with_hint(hint));
    }
    let mut binds = vec![Bind {
        inode: inode(&source)?,
        source: source.clone(),
        target: WORKSPACE.to_owned(),
        writable,
    }];
    if writable {
        keep_worktrees(&source);
        for steering in STEERING {
            protect(&source, steering, &mut binds)?;
        }
    }
    Ok(binds)
}

/// Adds what protects one path, if it is there.
fn protect(workspace: &Path, steering: &str, binds: &mut Vec<Bind>) -> Result<()> {
    let mut path = workspace.to_owned();
    let mut target = WORKSPACE.to_owned();
    let mut steps = steering.split('/').peekable();
    while let Some(step) = steps.next() {
        path.push(step);
        target = format!("{target}/{step}");
        let Ok(found) = path.symlink_metadata() else { return Ok(()) };
        if found.is_symlink() {
            let text = format!("`{steering}` in the workspace leads elsewhere by a symbolic link");
            let hint = "what steers other programs can't be protected so: mount it read-only";
            return Err(Error::new(Code::Denied, text).with_hint(hint));
        }
        // That of a worktree: a file, which says where its repository is.
        let last = steps.peek().is_none() || found.is_file();
        if !last && !found.is_dir() {
            return Ok(());
        }
        if binds.iter().all(|bind| bind.target != target) {
            let bind = Bind {
                source: path.clone(),
                target: target.clone(),
                writable: !last,
                inode: proved(found.ino()),
            };
            binds.push(bind);
        }
        if last {
            break;
        }
    }
    Ok(())
}

/// Makes the folder of a repository's worktrees, so that it can be protected: git makes it anyway, as
/// soon as there is one, and a container that is there by then would not have it protected.
fn keep_worktrees(workspace: &Path) {
    let git = workspace.join(".git");
    let is_repository = git.symlink_metadata().is_ok_and(|found| found.is_dir());
    if is_repository && git.join("HEAD").is_file() {
        // Where it can't be made, nor can it be made inside.
        let _ = std::fs::create_dir(git.join("worktrees"));
    }
}

/// What is mounted of the repository that a workspace is a worktree of, and the folder in memory that
/// this is mounted in. Blocks on the disk.
pub(super) fn repository(
    workspace: &Path,
    mount: Mount,
    private: &[PathBuf],
) -> Result<(Vec<Bind>, Option<String>)> {
    let (mut binds, mut memory) = (Vec::new(), None);
    let Some(linked) = linked(workspace).filter(|_| mount != Mount::None) else {
        return Ok((binds, memory));
    };
    if private.iter().any(|path| linked.holds(path)) || linked.packed().is_none() {
        return Ok((binds, memory));
    }
    for (path, seen) in linked.places(mount == Mount::ReadWrite) {
        // An engine takes no other.
        let Some(target) = path.to_str().map(str::to_owned) else { return Ok((Vec::new(), None)) };
        if seen == Seen::Memory {
            memory = Some(target);
            continue;
        }
        let found = path.symlink_metadata();
        let found = found.map_err(|error| Error::new(Code::Invalid, error.to_string()))?;
        let (inode, writable) = (proved(found.ino()), seen == Seen::Writable);
        binds.push(Bind { source: path, target, writable, inode });
    }
    Ok((binds, memory))
}

/// Which `packed-refs` that repository has. Blocks on the disk.
pub(super) fn packed(workspace: &Path) -> Option<u64> {
    linked(workspace)?.packed()
}

fn linked(workspace: &Path) -> Option<Linked> {
    Linked::of(&workspace.canonicalize().ok()?)
}

/// A session's home that is kept, made if it is not there. Blocks on the disk.
pub(super) fn home(path: &Path, (uid, gid): (u32, u32)) -> Result<Bind> {
    let broken = |error: std::io::Error| {
        Error::new(Code::Storage, format!("the home {} can't be made: {error}", path.display()))
    };
    if !path.exists() {
        std::fs::create_dir_all(path).map_err(broken)?;
        if rustix::process::getuid().is_root() {
            let owner = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
            rustix::fs::chown(path, Some(owner.0), Some(owner.1))
                .map_err(|error| broken(error.into()))?;
        }
    }
    let inode = inode(path)?;
    Ok(Bind { source: path.to_owned(), target: HOME.to_owned(), writable: true, inode })
}

/// The folder with the socket that leads out, seen there. Blocks on the disk.
pub(super) fn opening(folder: &Path, target: &str) -> Result<Bind> {
    let inode = inode(folder)?;
    Ok(Bind { source: folder.to_owned(), target: target.to_owned(), writable: false, inode })
}

fn inode(path: &Path) -> Result<Option<u64>> {
    let found = path.metadata().map_err(|error| Error::new(Code::Invalid, error.to_string()))?;
    if found.is_dir() {
        return Ok(proved(found.ino()));
    }
    Err(Error::new(Code::Invalid, format!("the workspace {} is no folder", path.display())))
}

/// An inode that can be asked for inside: elsewhere than on Linux an engine is a machine of its own,
/// whose numbers are others.
fn proved(inode: u64) -> Option<u64> {
    cfg!(target_os = "linux").then_some(inode)
}

#[cfg(test)]
#[path = "binds_tests.rs"]
mod tests;
