//! The one file: where it is, and how it is replaced without ever being half there.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The largest file that is read.
const MAX_BYTES: u64 = 1024 * 1024;

/// How often an edit begins anew because someone else changed the file under it.
const EDIT_ATTEMPTS: u32 = 5;

/// Why the file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system refused.
    #[error("can't {doing} {path}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// It is larger than any configuration.
    #[error("{0} is larger than 1 MiB")]
    TooLarge(String),
    /// Someone keeps changing it.
    #[error("{0} is being changed by someone else")]
    Contended(String),
    /// There is no home directory to look in.
    #[error("neither HOME nor a directory for the configuration is given")]
    NoHome,
}

/// The home directory, as the environment has it.
pub fn home_dir(env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    env("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// The directory of the configuration: the flag, else `MOLTIS_CONFIG_DIR`, else
/// `~/.config/moltis`.
///
/// # Errors
/// When none of them is given.
pub fn config_dir(
    flag: Option<&Path>,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, FileError> {
    if let Some(dir) = flag {
        return Ok(dir.to_owned());
    }
    if let Some(dir) = env("MOLTIS_CONFIG_DIR").filter(|dir| !dir.is_empty()) {
        return Ok(PathBuf::from(dir));
    }
    home_dir(env).map(|home| home.join(".config/moltis")).ok_or(FileError::NoHome)
}

/// `moltis.toml` in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    path: PathBuf,
}

impl File {
    /// The file of a directory.
    pub fn new(dir: &Path) -> Self {
        Self { path: dir.join("moltis.toml") }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its text; `None` when it is not there.
    ///
    /// # Errors
    /// When it is there and can't be read, or is absurdly large.
    pub fn read(&self) -> Result<Option<String>, FileError> {
        match fs::metadata(&self.path) {
            Ok(about) if about.len() > MAX_BYTES => Err(FileError::TooLarge(self.name())),
            Ok(_) => fs::read_to_string(&self.path).map(Some).map_err(self.failed("read")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("read")(error)),
        }
    }

    /// Its permission bits, when it is there.
    pub fn mode(&self) -> Option<u32> {
        fs::metadata(&self.path).ok().map(|about| about.permissions().mode() & 0o7777)
    }

    /// Writes it if it is not there; says whether it did. An existing file is never touched.
    ///
    /// # Errors
    /// When the directory can't be made or written.
    pub fn create(&self, text: &str) -> Result<bool, FileError> {
        // One that is there may be in a directory that can't be written.
        if fs::symlink_metadata(&self.path).is_ok() {
            return Ok(false);
        }
        let dir = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(dir).map_err(self.failed("make the directory of"))?;
        let draft = self.write_draft(&self.path, text, 0o600)?;
        // A link fails where a rename would replace what appeared meanwhile.
        let linked = fs::hard_link(&draft, &self.path);
        let removed = fs::remove_file(&draft);
        match linked {
            Ok(()) => {
                removed.map_err(self.failed("tidy up beside"))?;
                sync_dir(dir);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(self.failed("create")(error)),
        }
    }

    /// Replaces its text by what `change` makes of it: all or nothing, mode and symbolic link
    /// kept. When someone else changed the file meanwhile, `change` is asked again.
    ///
    /// # Errors
    /// What `change` says, or that the disk refused.
    pub fn edit<E: From<FileError>>(
        &self,
        mut change: impl FnMut(&str) -> Result<String, E>,
    ) -> Result<(), E> {
        for _ in 0..EDIT_ATTEMPTS {
            let old = self.read()?;
            let new = change(old.as_deref().unwrap_or_default())?;
            if old.as_deref() == Some(new.as_str()) {
                return Ok(());
            }
            if self.replace(old.as_deref(), &new)? {
                return Ok(());
            }
        }
        Err(FileError::Contended(self.name()).into())
    }

    /// Compare and swap: writes `new` if the text is still `old`.
    fn replace(&self, old: Option<&str>, new: &str) -> Result<bool, FileError> {
        if old.is_none() {
            return self.create(new);
        }
        let target = fs::canonicalize(&self.path).map_err(self.failed("find"))?;
        let mode = self.mode().unwrap_or(0o600);
        let draft = self.write_draft(&target, new, mode)?;
        let unchanged = self.read().map(|now| now.as_deref() == old);
        if !matches!(unchanged, Ok(true)) {
            fs::remove_file(&draft).map_err(self.failed("tidy up beside"))?;
            return unchanged;
        }
        fs::rename(&draft, &target).map_err(self.failed("replace"))?;
        sync_dir(target.parent().unwrap_or(Path::new(".")));
        Ok(true)
    }

    /// A file beside the target with the whole text, on disk.
    fn write_draft(&self, target: &Path, text: &str, mode: u32) -> Result<PathBuf, FileError> {
        let draft = target.with_extension(format!("toml.{}.tmp", std::process::id()));
        // One of a process that died; a living one has another id.
        let _ = fs::remove_file(&draft);
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode & 0o777)
            .open(&draft)
            .and_then(|mut file| {
                // The umask may have taken bits away that the owner had set.
                file.set_permissions(fs::Permissions::from_mode(mode))?;
                file.write_all(text.as_bytes())?;
                file.sync_all()
            });
        match written {
            Ok(()) => Ok(draft),
            Err(error) => {
                let _ = fs::remove_file(&draft);
                Err(self.failed("write beside")(error))
            }
        }
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(io::Error) -> FileError {
        let path = self.name();
        move |source| FileError::Io { doing, path, source }
    }
}

/// Makes a rename last. A file system that can't sync a directory has nothing to sync.
fn sync_dir(dir: &Path) {
    if let Ok(dir) = fs::File::open(dir) {
        let _ = dir.sync_all();
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
