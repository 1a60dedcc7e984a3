//! The places where a workspace touches the machine: what in it steers programs outside.
//!
//! Whatever of [`STEERING`] is in the workspace's root can be read inside, not changed; the folders
//! above it can not be moved away, since the kernel does not move what something is mounted on. What
//! is not there can not be made either: an empty folder is put in its place and hidden below a
//! read-only one while programs run (a folder, since git takes no notice of an empty one), and taken
//! away when the last of them has ended. One place is a file, which git does not take a folder for: it
//! is made to say what holds without it. Not here: folders below the root, which a program may make
//! anew anyway; the checks of the file tools. The invariant: what is taken away was put here, and is
//! an empty folder or that file.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moltis_core::error::{Code, Error, Result};
use moltis_core::policy::{ELSEWHERE, STEERING};

/// How a place of the workspace is seen inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seam {
    /// As the rest of it, but it stays where it is.
    Pinned,
    /// To be read only.
    Fixed,
    /// As an empty folder.
    Absent,
    /// As a file that says [`HERE`].
    Here,
}

/// What a git folder says whose configuration is its own: the same as nothing.
pub(super) const HERE: &str = ".\n";

/// The seams of the workspaces that are in use.
pub(super) struct Seams {
    /// Folders that were put in the place of nothing, and how many sandboxes need them.
    absent: Mutex<BTreeMap<PathBuf, usize>>,
    /// Where they are written down, for a daemon that ends without taking them away.
    record: PathBuf,
}

/// The seams of one workspace, for as long as this lives.
pub(super) struct Lease {
    seams: Arc<Seams>,
    /// Relative to the workspace; those above before those below.
    pub(super) places: Vec<(PathBuf, Seam)>,
    taken: Vec<PathBuf>,
}

impl Seams {
    /// Takes away what an earlier daemon left, and writes down in this file what is put from now on.
    pub(super) fn new(record: PathBuf) -> io::Result<Self> {
        match fs::read_to_string(&record) {
            Ok(left) => left.lines().for_each(|path| remove(Path::new(path))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        fs::write(&record, "")?;
        Ok(Self { absent: Mutex::new(BTreeMap::new()), record })
    }

    /// Makes sure of the seams of this workspace.
    ///
    /// # Errors
    /// Where one is a link, which can not be held in its place.
    pub(super) fn take(self: &Arc<Self>, workspace: &Path) -> Result<Lease> {
        let mut lease = Lease { seams: Arc::clone(self), places: Vec::new(), taken: Vec::new() };
        let mut absent = self.lock();
        // Written down first: a daemon that ends after this leaves lines too many, not folders.
        let missing: Vec<PathBuf> = STEERING
            .iter()
            .flat_map(|place| Path::new(place).ancestors())
            .filter(|place| *place != Path::new(""))
            .map(|place| workspace.join(place))
            .filter(|place| fs::symlink_metadata(place).is_err())
            .collect();
        self.write_down(&absent, &missing).map_err(|error| unsure(workspace, &error))?;
        for steering in STEERING {
            let mut path = PathBuf::new();
            for step in Path::new(steering) {
                path.push(step);
                let seam = self.seam(&mut absent, workspace, &path, path == Path::new(steering))?;
                let Some(seam) = seam else { break };
                let is_put = matches!(seam, Seam::Absent | Seam::Here);
                if is_put && !lease.places.iter().any(|(known, _)| *known == path) {
                    lease.taken.push(workspace.join(&path));
                    *absent.entry(workspace.join(&path)).or_default() += 1;
                }
                if !lease.places.iter().any(|(known, _)| *known == path) {
                    lease.places.push((path.clone(), seam));
                }
                if seam != Seam::Pinned {
                    break;
                }
            }
        }
        drop(absent);
        lease.places.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(lease)
    }

    /// What becomes of one place; `None` where nothing can be made there.
    fn seam(
        &self,
        absent: &mut BTreeMap<PathBuf, usize>,
        workspace: &Path,
        path: &Path,
        last: bool,
    ) -> Result<Option<Seam>> {
        let whole = workspace.join(path);
        if absent.contains_key(&whole) {
            return Ok(Some(put(&whole)));
        }
        match fs::symlink_metadata(&whole) {
            Ok(found) if found.is_symlink() => Err(linked(path)),
            Ok(found) if found.is_dir() && !last => Ok(Some(Seam::Pinned)),
            Ok(_) => Ok(Some(Seam::Fixed)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match make(&whole) {
                Ok(()) => Ok(Some(put(&whole))),
                Err(error) if unwritable(&error) => Ok(None),
                Err(error) => Err(unsure(path, &error)),
            },
            Err(error) => Err(unsure(path, &error)),
        }
    }

    fn write_down(&self, absent: &BTreeMap<PathBuf, usize>, more: &[PathBuf]) -> io::Result<()> {
        let all = absent.keys().chain(more);
        let lines: Vec<String> = all.map(|path| format!("{}\n", path.display())).collect();
        // Whole at every moment: a daemon may end at any.
        let new = self.record.with_extension("new");
        fs::write(&new, lines.concat())?;
        fs::rename(&new, &self.record)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, usize>> {
        self.absent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut absent = self.seams.lock();
        for path in &self.taken {
            let Some(count) = absent.get_mut(path) else { continue };
            *count -= 1;
            if *count == 0 {
                absent.remove(path);
                remove(path);
            }
        }
        if let Err(error) = self.seams.write_down(&absent, &[]) {
            tracing::warn!(%error, "the record of placeholders could not be written");
        }
    }
}

/// What is put in a place where nothing is.
fn put(path: &Path) -> Seam {
    if path.ends_with(ELSEWHERE) { Seam::Here } else { Seam::Absent }
}

fn make(path: &Path) -> io::Result<()> {
    if put(path) == Seam::Absent {
        return fs::create_dir(path);
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    io::Write::write_all(&mut file, HERE.as_bytes())
}

/// Removes what was put; anything else there is someone's.
fn remove(path: &Path) {
    let is_ours = || fs::read_to_string(path).is_ok_and(|text| text == HERE);
    let removed = match put(path) {
        Seam::Here if is_ours() => fs::remove_file(path),
        _ => fs::remove_dir(path),
    };
    match removed {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "a placeholder could not be removed");
        }
    }
}

/// Who can't make it out here can't make it inside.
fn unwritable(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

fn linked(path: &Path) -> Error {
    let path = path.display();
    Error::new(Code::Denied, format!("`{path}` of the workspace is a link, which can't be guarded"))
        .with_hint("let the sandbox read the workspace only, or put what it leads to in its place")
}

fn unsure(path: &Path, error: &io::Error) -> Error {
    let path = path.display();
    Error::new(Code::Unavailable, format!("`{path}` of the workspace can't be guarded: {error}"))
}
