//! A file that is to be changed or made: the directory that it is in, held open, and its name.
//!
//! Not here: what is written. The invariant: a change is a new file that takes the name in one step
//! (so a reader sees the old or the new one, and a link that took the name meanwhile is replaced,
//! not followed); it never lands on a path that steers programs outside unless exactly that path
//! was named, and so judged.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use moltis_core::policy::is_steering;
use rustix::fs::{AtFlags, Mode, OFlags, Stat, fchmod, fdatasync, mkdirat, openat};
use rustix::fs::{renameat, unlinkat};
use rustix::io::Errno;

use super::walk::{Spot, directory, spot};
use super::{Inside, LOOK, Refusal, regular};

/// What becomes of directories that are missing above a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parents {
    /// They are made.
    Made,
    /// Then there is no file either.
    Needed,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Target {
    dir: OwnedFd,
    name: OsString,
    path: Inside,
}

impl Target {
    /// Finds it.
    pub(super) fn find(
        root: BorrowedFd<'_>,
        path: &Inside,
        parents: Parents,
    ) -> Result<Self, Refusal> {
        let refuse = |errno| Refusal::of(path, errno);
        let spot = match spot(root, path.as_path()) {
            Err(Errno::NOENT) if parents == Parents::Made => {
                make_parents(root, path)?;
                spot(root, path.as_path()).map_err(refuse)?
            }
            found => found.map_err(refuse)?,
        };
        let Spot { found, name } = spot;
        check(path, &found.real.join(&name))?;
        Ok(Self { dir: found.dir, name, path: path.clone() })
    }

    /// The file as it is; `None` where there is none.
    ///
    /// # Errors
    /// Where there is something else than a regular file.
    pub(crate) fn read(&self) -> Result<Option<(File, Stat)>, Refusal> {
        match openat(&self.dir, &self.name, LOOK | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(opened) => regular(opened, &self.path).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP) => Err(Refusal::Unstable(self.path.shown().to_owned())),
            Err(errno) => Err(Refusal::of(&self.path, errno)),
        }
    }

    /// Gives the name a new file with this content, durable, and with the permissions of `before`.
    ///
    /// # Errors
    /// What the system said; the old file is untouched then.
    pub(crate) fn replace(&self, content: &[u8], before: Option<&Stat>) -> Result<(), Refusal> {
        let draft = format!(".moltis-{:016x}", random());
        let done = self.draft(&draft, content, before).and_then(|()| {
            renameat(&self.dir, &draft, &self.dir, &self.name)
                .map_err(|errno| Refusal::of(&self.path, errno))
        });
        if done.is_err() {
            // Best effort: that it is left over is a smaller harm than hiding what went wrong.
            unlinkat(&self.dir, &draft, AtFlags::empty()).ok();
        }
        done
    }

    fn draft(&self, draft: &str, content: &[u8], before: Option<&Stat>) -> Result<(), Refusal> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let refuse = |errno| Refusal::of(&self.path, errno);
        let made = openat(&self.dir, draft, flags | OFlags::CLOEXEC, Mode::from_raw_mode(0o666));
        let mut file = File::from(made.map_err(refuse)?);
        file.write_all(content).map_err(|error| refuse(errno_of(&error)))?;
        if let Some(before) = before {
            // Not the bits that would run it as someone else.
            fchmod(file.as_fd(), Mode::from_raw_mode(before.st_mode & 0o777)).map_err(refuse)?;
        }
        fdatasync(file.as_fd()).map_err(refuse)
    }
}

/// Makes the directories above a path that are missing.
fn make_parents(root: BorrowedFd<'_>, path: &Inside) -> Result<(), Refusal> {
    let refuse = |errno| Refusal::of(path, errno);
    let parent = path.as_path().parent().unwrap_or(Path::new(""));
    let mut prefixes: Vec<&Path> =
        parent.ancestors().filter(|prefix| !prefix.as_os_str().is_empty()).collect();
    prefixes.reverse();
    for prefix in prefixes {
        match directory(root, prefix) {
            Ok(_) => continue,
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(refuse(errno)),
        }
        let (Some(above), Some(name)) = (prefix.parent(), prefix.file_name()) else { continue };
        let above = directory(root, above).map_err(refuse)?;
        // The whole path counts: a directory alone may steer nothing yet.
        let rest = path.as_path().strip_prefix(prefix).unwrap_or(Path::new(""));
        check(path, &above.real.join(name).join(rest))?;
        match mkdirat(&above.dir, name, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(refuse(errno)),
        }
    }
    Ok(())
}

/// Refuses what is really a path that steers programs outside, unless it was named by that path.
fn check(path: &Inside, real: &Path) -> Result<(), Refusal> {
    let real = real.to_string_lossy();
    if real != path.as_str() && is_steering(&real) {
        return Err(Refusal::Steers { path: path.as_str().to_owned(), real: real.into_owned() });
    }
    Ok(())
}

fn errno_of(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// A name that nothing else has; `O_EXCL` catches the rest.
fn random() -> u64 {
    getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()))
}
