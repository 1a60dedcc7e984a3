//! Looks into a place for folders with a `HOOK.md`.
//!
//! What it finds is nobody's word yet. The invariants: it reads no more than [`MAX_HOOKS`] files of
//! [`manifest::MAX_BYTES`] in a place, through no link, and says so when there was more.

use std::fs::{self, DirEntry};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::digest::plain_file;
use crate::manifest;
use crate::spec::HookSpec;

/// The most hooks of a place.
const MAX_HOOKS: usize = 256;

/// The most names in a place that are looked at.
const MAX_NAMES: usize = 4096;

/// A folder with a `HOOK.md` in it.
#[derive(Debug)]
pub(crate) struct Found {
    pub name: String,
    pub folder: PathBuf,
    /// What it says, or what is wrong with it.
    pub spec: Result<HookSpec, String>,
}

/// Where the hooks of a workspace are.
pub(crate) fn in_workspace(workspace: &Path) -> PathBuf {
    workspace.join(".moltis").join("hooks")
}

/// Where the hooks of the home are.
pub(crate) fn in_home(data_dir: &Path) -> PathBuf {
    data_dir.join("hooks")
}

/// The folders of a place, by name. A place that is not there has none.
pub(crate) fn folders(place: &Path) -> Vec<PathBuf> {
    let entries = match fs::read_dir(place) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            tracing::warn!(place = %place.display(), %error, "hooks can't be looked for");
            return Vec::new();
        }
    };
    let mut folders: Vec<PathBuf> =
        entries.take(MAX_NAMES).flatten().filter(is_folder).map(|entry| entry.path()).collect();
    folders.sort();
    folders
}

/// A folder, or a link to one: dotfiles often are. What is in it is hashed wherever it is.
fn is_folder(entry: &DirEntry) -> bool {
    entry
        .file_type()
        .is_ok_and(|kind| kind.is_dir() || (kind.is_symlink() && entry.path().is_dir()))
}

/// Reads all of a place.
pub(crate) fn scan(place: &Path) -> Vec<Found> {
    let mut found = Vec::new();
    for folder in folders(place) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if found.len() == MAX_HOOKS {
            let why =
                format!("there are more than {MAX_HOOKS} hooks: from here on they are left out");
            found.push(Found { name, folder, spec: Err(why) });
            break;
        }
        match read(&folder) {
            Ok(None) => {}
            Ok(Some(bytes)) => {
                let spec = manifest::manifest(&bytes, &name);
                found.push(Found { name, folder, spec });
            }
            Err(error) => {
                let spec = Err(format!("HOOK.md can't be read: {error}"));
                found.push(Found { name, folder, spec });
            }
        }
    }
    found
}

/// The bytes of a folder's `HOOK.md`, one more than are allowed at most.
fn read(folder: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match plain_file(&folder.join("HOOK.md")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(manifest::MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// What the private copy of a trusted folder says.
pub(crate) fn trusted(copy: &Path, name: &str) -> Result<HookSpec, String> {
    match read(copy) {
        Ok(Some(bytes)) => manifest::manifest(&bytes, name),
        Ok(None) => Err("its trusted copy is gone: enable it again".to_owned()),
        Err(error) => Err(format!("its trusted copy can't be read: {error}")),
    }
}
