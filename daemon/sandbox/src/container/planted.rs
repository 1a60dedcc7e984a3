//! What a program puts into the workspace that would steer programs outside, where nothing was.
//!
//! A container can't be kept from making what is not there: an engine mounts only over what is, and
//! would leave the places behind on the disk. So it is looked before a program runs and after it has
//! ended, and what came meanwhile is set aside under a name that steers nothing, with all its
//! contents. Not here: what is there already, which is mounted read-only ([`super::binds`]); folders
//! below the root. The invariant: nothing is removed, nothing is replaced, and no link is followed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use moltis_core::policy::{STEERING, WORKTREES};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, openat, renameat_with, statat};
use rustix::io::Errno;
use tokio::task::spawn_blocking;

/// What follows the name of what was set aside.
const ASIDE: &str = "from-sandbox";

/// How many names are tried.
const NAMES: u32 = 100;

/// What was looked at for the programs of one container that run to their end.
#[derive(Default)]
pub(super) struct Planted(Mutex<Vec<Arc<Absent>>>);

impl Planted {
    /// Looks, before a program runs.
    pub(super) async fn before(&self, workspace: &Path) -> Option<Arc<Absent>> {
        let workspace = workspace.to_owned();
        let absent = Arc::new(spawn_blocking(move || Absent::look(&workspace)).await.ok()?);
        self.lock().push(Arc::clone(&absent));
        Some(absent)
    }

    /// Sets aside what came, after a program has ended: a sentence for each.
    pub(super) async fn after(&self, own: Option<Arc<Absent>>) -> Vec<String> {
        let looked = self.lock().clone();
        let said = set_aside(looked).await;
        drop(own);
        // Nobody else holds those of programs that have ended, or that nobody waits for any more.
        self.lock().retain(|absent| Arc::strong_count(absent) > 1);
        said
    }

    /// The same, after the container was ended with all that ran in it.
    pub(super) async fn ended(&self) {
        let looked = std::mem::take(&mut *self.lock());
        set_aside(looked).await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Absent>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn set_aside(looked: Vec<Arc<Absent>>) -> Vec<String> {
    let setting =
        spawn_blocking(move || looked.iter().flat_map(|absent| absent.set_aside()).collect());
    setting.await.unwrap_or_default()
}

/// The places of a workspace where nothing is that steers.
pub(super) struct Absent {
    workspace: PathBuf,
    /// Relative to the workspace.
    places: Vec<PathBuf>,
}

impl Absent {
    /// Looks. Blocks on the disk.
    pub(super) fn look(workspace: &Path) -> Self {
        let mut places = Vec::new();
        // What comes there while a program runs is another session's worktree.
        for steering in STEERING.iter().filter(|steering| **steering != WORKTREES) {
            let steps = Path::new(steering).ancestors().filter(|step| *step != Path::new(""));
            let missing = steps.filter(|step| workspace.join(step).symlink_metadata().is_err());
            // The topmost: with it goes what is below.
            if let Some(place) = missing.last().map(Path::to_owned)
                && !places.contains(&place)
            {
                places.push(place);
            }
        }
        Self { workspace: workspace.to_owned(), places }
    }

    /// Sets aside what is there now. Gives a sentence for each. Blocks on the disk.
    pub(super) fn set_aside(&self) -> Vec<String> {
        let there = self.places.iter().filter(|place| self.is_there(place));
        there.filter_map(|place| self.set_one_aside(place)).collect()
    }

    fn is_there(&self, place: &Path) -> bool {
        self.workspace.join(place).symlink_metadata().is_ok()
    }

    fn set_one_aside(&self, place: &Path) -> Option<String> {
        let name = place.file_name()?.to_str()?;
        let folder = place.parent().unwrap_or(Path::new(""));
        let said = match rename(&self.workspace, folder, name) {
            Ok(Some(new)) => format!("is now `{}`", folder.join(new).display()),
            Ok(None) => return None,
            Err(error) => format!("could not be set aside ({error}): look at it before you use it"),
        };
        let place = place.display();
        tracing::warn!(%place, "a program made what steers programs outside of the sandbox");
        Some(format!("`{place}` steers programs outside of the sandbox and {said}"))
    }
}

/// Gives what has this name another one, in the same folder; `None` where there is nothing.
fn rename(workspace: &Path, folder: &Path, name: &str) -> Result<Option<String>, Errno> {
    let mut held = openat(CWD, workspace, FLAGS, Mode::empty())?;
    for step in folder {
        held = openat(&held, step, FLAGS, Mode::empty())?;
    }
    if statat(&held, name, AtFlags::SYMLINK_NOFOLLOW).err() == Some(Errno::NOENT) {
        return Ok(None);
    }
    for number in 1..=NAMES {
        let new = match number {
            1 => format!("{name}.{ASIDE}"),
            _ => format!("{name}.{ASIDE}-{number}"),
        };
        match renameat_with(&held, name, &held, &new, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(Some(new)),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Errno::EXIST)
}

const FLAGS: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_came_meanwhile_is_set_aside_and_what_was_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = folder.path();
        fs::create_dir(workspace.join(".git")).unwrap();
        fs::write(workspace.join(".mcp.json"), "mine").unwrap();
        let absent = Absent::look(workspace);
        assert!(absent.set_aside().is_empty());
        fs::create_dir(workspace.join(".git/hooks")).unwrap();
        fs::write(workspace.join(".git/hooks/pre-commit"), "evil").unwrap();
        fs::write(workspace.join(".envrc"), "evil").unwrap();
        fs::write(workspace.join(".envrc.from-sandbox"), "earlier").unwrap();
        fs::write(workspace.join(".mcp.json"), "mine, newer").unwrap();
        let said = absent.set_aside();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].contains("`.git/hooks.from-sandbox`"), "{said:?}");
        assert!(!workspace.join(".git/hooks").exists() && !workspace.join(".envrc").exists());
        let read = |path: &str| fs::read_to_string(workspace.join(path)).unwrap();
        assert_eq!(read(".git/hooks.from-sandbox/pre-commit"), "evil");
        assert_eq!(read(".envrc.from-sandbox"), "earlier");
        assert_eq!(read(".envrc.from-sandbox-2"), "evil");
        assert_eq!(read(".mcp.json"), "mine, newer");
    }

    #[test]
    fn a_folder_that_became_a_link_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let (workspace, elsewhere) = (folder.path().join("w"), folder.path().join("elsewhere"));
        fs::create_dir_all(workspace.join(".git")).unwrap();
        fs::create_dir_all(elsewhere.join("hooks")).unwrap();
        let absent = Absent::look(&workspace);
        fs::remove_dir(workspace.join(".git")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, workspace.join(".git")).unwrap();
        let said = absent.set_aside();
        assert!(said[0].contains("could not be set aside"), "{said:?}");
        assert!(elsewhere.join("hooks").exists());
    }
}
