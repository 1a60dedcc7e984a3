//! What the owner decided about hooks: `hooks.json`, and the private copies that may run.
//!
//! It does not look for hooks. The invariants: `hooks.json` is replaced as a whole or not at all,
//! and what is in memory is what is on the disk; each trusted hash has a private copy in
//! `hooks-trusted/<hash>`, made before the hash is written down.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use moltis_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};

use crate::digest;
use crate::found;

/// The most hooks that decisions are kept of, and the most bytes of `hooks.json`.
const MAX_RECORDS: usize = 4096;
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The format that is written. A newer one is refused: it may mean that something is off.
const VERSION: u32 = 1;

/// What the owner decided about one folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The content that was trusted.
    pub hash: String,
    /// Whether it may run.
    pub enabled: bool,
}

/// All decisions. Paths that are not UTF-8 can't be written down, and so not be trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Decisions {
    version: u32,
    /// By the folder's path; for a workspace's `BOOT.md` by the file's.
    pub trusted: BTreeMap<String, Record>,
    /// Hooks of the configuration and built-in ones that the owner disabled, by [`crate::hook`]'s key.
    pub disabled: std::collections::BTreeSet<String>,
}

/// Where decisions and copies are kept.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    data_dir: PathBuf,
}

impl Shelf {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.to_owned() }
    }

    /// The copy of that content.
    pub(crate) fn copy_of(&self, hash: &str) -> PathBuf {
        self.copies().join(hash)
    }

    /// A directory that the hook of that name may write to, in every run the same.
    pub(crate) fn data_of(&self, name: &str) -> PathBuf {
        self.data_dir.join("hooks-data").join(name)
    }

    fn copies(&self) -> PathBuf {
        self.data_dir.join("hooks-trusted")
    }

    fn file(&self) -> PathBuf {
        self.data_dir.join("hooks.json")
    }

    /// Reads the decisions; there are none on a new machine.
    ///
    /// # Errors
    /// When the file is there and can't be understood: going on would forget which guards are on.
    pub(crate) fn read(&self) -> Result<Decisions> {
        let path = self.file();
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Decisions { version: VERSION, ..Decisions::default() });
            }
            Err(error) => return Err(storage("read", &path, &error)),
        };
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(|e| storage("read", &path, &e))?;
        let decisions: Decisions = serde_json::from_slice(&bytes).map_err(|error| {
            storage("understand", &path, &error).with_hint("move it away to trust no hook again")
        })?;
        if decisions.version > VERSION {
            let message = format!("`{}` was written by a newer Moltis", path.display());
            return Err(Error::new(Code::Storage, message));
        }
        Ok(decisions)
    }

    /// Replaces the decisions on the disk.
    ///
    /// # Errors
    /// What the disk says, or that there are too many; the old ones stay then.
    pub(crate) fn write(&self, decisions: &Decisions) -> Result<()> {
        if decisions.trusted.len() > MAX_RECORDS || decisions.disabled.len() > MAX_RECORDS {
            let message = format!("decisions about more than {MAX_RECORDS} hooks can't be kept");
            return Err(Error::new(Code::Busy, message)
                .with_hint("disable hooks of workspaces that are no more"));
        }
        let path = self.file();
        let text = serde_json::to_vec_pretty(decisions).map_err(|e| storage("write", &path, &e))?;
        replace(&path, &text).map_err(|error| storage("write", &path, &error))
    }

    /// Makes a private copy of the folder of the hook of that name, and gives its hash.
    ///
    /// # Errors
    /// Why the folder can't be trusted; no copy is left then.
    pub(crate) fn keep(&self, folder: &Path, name: &str) -> Result<String> {
        let copies = self.copies();
        fs::create_dir_all(&self.data_dir).map_err(|e| storage("make", &self.data_dir, &e))?;
        match digest::private_dir(&copies) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(storage("make", &copies, &error));
            }
            _ => {}
        }
        let draft = copies.join("new");
        // One that was not finished; decisions are taken one at a time.
        digest::remove(&draft).map_err(|error| storage("tidy up", &draft, &error))?;
        // What was copied must be a hook; what was listed before may be something else by now.
        let copied = digest::copy(folder, &draft)
            .and_then(|hash| found::trusted(&draft, name).map(|_| hash));
        let refused = |why| Error::new(Code::Invalid, format!("`{name}` can't be enabled: {why}"));
        let kept = copied.map_err(refused).and_then(|hash| {
            let copy = self.copy_of(&hash);
            // A hook may be running in there; but one that was tampered with must not stay.
            if digest::of(&copy).is_ok_and(|there| there == hash) {
                digest::remove(&draft).map_err(|error| storage("tidy up", &draft, &error))?;
                return Ok(hash);
            }
            digest::remove(&copy).map_err(|error| storage("replace", &copy, &error))?;
            fs::rename(&draft, &copy).map_err(|error| storage("keep", &copy, &error))?;
            Ok(hash)
        });
        if kept.is_err() {
            let _ = digest::remove(&draft);
        }
        kept
    }

    /// Takes away the copies that no decision names. Only while no hook runs: one may be in there.
    pub(crate) fn tidy(&self, decisions: &Decisions) {
        let Ok(entries) = fs::read_dir(self.copies()) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let named = |record: &Record| name.to_str() == Some(record.hash.as_str());
            if !decisions.trusted.values().any(named)
                && let Err(error) = digest::remove(&entry.path())
            {
                tracing::warn!(%error, "a copy of a hook can't be taken away");
            }
        }
    }
}

/// Writes beside and renames, so that a crash leaves the old text or the new one.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let draft = path.with_extension(format!("json.{}.tmp", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| file.write_all(text).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
        return written;
    }
    // A file system that can't sync a directory has nothing to sync.
    if let Ok(dir) = fs::File::open(dir) {
        let _ = dir.sync_all();
    }
    Ok(())
}

fn storage(doing: &str, path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(Code::Storage, format!("can't {doing} `{}`: {error}", path.display()))
}
