//! The private copy of a hook's folder, and the hash that names its content.
//!
//! It copies first and hashes the copy, so that what is trusted is what will run, whoever changes
//! the original meanwhile. It does not decide what is trusted. The invariants: the hash covers
//! every folder's path and every file's path, bytes and whether it may be executed; a folder with anything but plain files
//! and folders in it has no hash; nothing larger than the bounds is read.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The most files, bytes and levels of a hook's folder.
const MAX_FILES: usize = 256;
const MAX_BYTES: u64 = 8 * 1024 * 1024;
const MAX_DEPTH: usize = 8;

/// The hash of a folder's content as it is now: 64 hexadecimal digits.
///
/// # Errors
/// Why the folder can't be hashed.
pub(crate) fn of(folder: &Path) -> Result<String, String> {
    walk(folder, None)
}

/// Copies a folder into `into`, which must not be there yet, and gives the hash of what was copied.
///
/// # Errors
/// Why it can't be. What was copied until then is left for [`remove`].
pub(crate) fn copy(folder: &Path, into: &Path) -> Result<String, String> {
    private_dir(into).map_err(|error| failed("make", into, &error))?;
    walk(folder, Some(into))
}

/// Takes a private copy away; one that is not there is fine.
///
/// # Errors
/// What the disk says.
pub(crate) fn remove(copy: &Path) -> io::Result<()> {
    match fs::remove_dir_all(copy) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// A new directory that only the owner may use.
pub(crate) fn private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// A file or a folder in a hook's folder.
struct Entry {
    /// Below the folder.
    relative: PathBuf,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain = 0,
    Executable = 1,
    Folder = 2,
}

fn walk(folder: &Path, into: Option<&Path>) -> Result<String, String> {
    let mut entries = Vec::new();
    gather(folder, Path::new(""), into, &mut entries)?;
    entries
        .sort_by(|a, b| a.relative.as_os_str().as_bytes().cmp(b.relative.as_os_str().as_bytes()));
    let mut hash = Sha256::new();
    // Whoever hashes something else of the same form must not come to the same value.
    hash.update(b"moltis hook folder 1\0");
    let mut left = MAX_BYTES;
    for entry in &entries {
        let bytes = match entry.kind {
            Kind::Folder => Vec::new(),
            Kind::Plain | Kind::Executable => contents(&folder.join(&entry.relative), &mut left)?,
        };
        let path = entry.relative.as_os_str().as_bytes();
        hash.update((path.len() as u64).to_be_bytes());
        hash.update(path);
        hash.update([entry.kind as u8]);
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(&bytes);
        if let Some(into) = into
            && entry.kind != Kind::Folder
        {
            let target = into.join(&entry.relative);
            keep(&target, &bytes, entry.kind == Kind::Executable)
                .map_err(|error| failed("write", &target, &error))?;
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Finds every file, and makes the folders of the copy on the way.
fn gather(
    folder: &Path,
    below: &Path,
    into: Option<&Path>,
    entries: &mut Vec<Entry>,
) -> Result<(), String> {
    if below.components().count() > MAX_DEPTH {
        return Err(format!("its folder is more than {MAX_DEPTH} levels deep"));
    }
    let dir = folder.join(below);
    for entry in fs::read_dir(&dir).map_err(|error| failed("read", &dir, &error))? {
        let entry = entry.map_err(|error| failed("read", &dir, &error))?;
        let relative = below.join(entry.file_name());
        let path = folder.join(&relative);
        let about = fs::symlink_metadata(&path).map_err(|error| failed("read", &path, &error))?;
        if entries.len() >= MAX_FILES {
            return Err(format!("its folder holds more than {MAX_FILES} files and folders"));
        }
        if about.is_dir() {
            if let Some(into) = into {
                let target = into.join(&relative);
                private_dir(&target).map_err(|error| failed("make", &target, &error))?;
            }
            entries.push(Entry { relative: relative.clone(), kind: Kind::Folder });
            gather(folder, &relative, into, entries)?;
        } else if about.is_file() {
            let executable = about.mode() & 0o111 != 0;
            let kind = if executable { Kind::Executable } else { Kind::Plain };
            entries.push(Entry { relative, kind });
        } else {
            // What a link leads to is not covered by the hash.
            let shown = relative.display();
            return Err(format!("its folder holds `{shown}`, which is no plain file"));
        }
    }
    Ok(())
}

/// The bytes of a file, if they still fit.
fn contents(path: &Path, left: &mut u64) -> Result<Vec<u8>, String> {
    let file = plain_file(path).map_err(|error| failed("read", path, &error))?;
    let mut bytes = Vec::new();
    file.take(*left + 1).read_to_end(&mut bytes).map_err(|error| failed("read", path, &error))?;
    *left = left
        .checked_sub(bytes.len() as u64)
        .ok_or_else(|| format!("its folder holds more than {} MiB", MAX_BYTES / 1024 / 1024))?;
    Ok(bytes)
}

/// Opens a file that is one: not through a link, and never waiting for the other end of a pipe.
pub(crate) fn plain_file(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no plain file")) }
}

fn keep(path: &Path, bytes: &[u8], executable: bool) -> io::Result<()> {
    let mode = if executable { 0o500 } else { 0o400 };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    // The umask may have taken the right to execute it away.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

fn failed(doing: &str, path: &Path, error: &io::Error) -> String {
    format!("can't {doing} `{}`: {error}", path.display())
}
