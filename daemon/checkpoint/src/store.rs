//! Where snapshots are kept: manifests by session, contents by their hash.
//!
//! ```text
//! blobs/<2 hex>/<62 hex>      a content, plain
//! manifests/<session>/<n>     the session's snapshots; the session as a hash, n goes up
//! temporary/                  what is being written
//! ```
//!
//! Nothing is ever half there: everything is written elsewhere and renamed. Not every blob is
//! synced, which would take minutes: one that a power failure emptied is known by its size when it
//! is put again, and by its hash when it is got. The invariant: a manifest's blobs stay as long as
//! the manifest; what removes blobs runs alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use moltis_core::{Code, Error, Result, SessionId};

use crate::manifest::{Hash, Manifest, hash};

/// More bytes than this are no manifest that was written here.
const MAX_MANIFEST: u64 = 256 << 20;

/// The folder.
pub(crate) struct Store {
    folder: PathBuf,
    /// Bytes that it holds, as far as it is known.
    pub(crate) used: AtomicU64,
    /// Names what is being written.
    written: AtomicU64,
}

impl Store {
    /// Makes the folder where there is none.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        for part in ["blobs", "manifests", "temporary"] {
            make(&folder.join(part)).map_err(|error| failed("can't be made", &error))?;
        }
        let folder = folder.to_owned();
        Ok(Self { folder, used: AtomicU64::default(), written: AtomicU64::default() })
    }

    /// The folder itself.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn blob(&self, hash: &Hash) -> PathBuf {
        let name = hex(hash);
        let (shard, rest) = name.split_at(2);
        self.folder.join("blobs").join(shard).join(rest)
    }

    pub(crate) fn manifests(&self) -> PathBuf {
        self.folder.join("manifests")
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.folder.join("blobs")
    }

    pub(crate) fn temporary(&self) -> PathBuf {
        self.folder.join("temporary")
    }

    /// Keeps a content.
    pub(crate) fn put(&self, hash: &Hash, content: &[u8]) -> Result<()> {
        let path = self.blob(hash);
        let is_there = fs::symlink_metadata(&path)
            .is_ok_and(|there| usize::try_from(there.len()).is_ok_and(|len| len == content.len()));
        if is_there {
            return Ok(());
        }
        if let Some(shard) = path.parent() {
            make(shard).map_err(|error| failed("can't be written", &error))?;
        }
        self.write(&path, content, false)
    }

    /// A content; `None` is one that is not there as it was.
    pub(crate) fn get(&self, wanted: &Hash) -> Option<Vec<u8>> {
        let content = fs::read(self.blob(wanted)).ok()?;
        (hash(&content) == *wanted).then_some(content)
    }

    /// Writes a file at once or not at all.
    fn write(&self, path: &Path, content: &[u8], sync: bool) -> Result<()> {
        let number = self.written.fetch_add(1, Relaxed);
        let temporary = self.temporary().join(format!("{}-{number}", std::process::id()));
        let written = new_file(&temporary)
            .and_then(|mut file| {
                file.write_all(content)?;
                if sync { file.sync_data() } else { Ok(()) }
            })
            .and_then(|()| fs::rename(&temporary, path));
        if let Err(error) = written {
            // The reason is told; whether the rest of it could be removed is not worth more.
            let _ = fs::remove_file(&temporary);
            return Err(failed("can't be written", &error));
        }
        let size = on_disk(u64::try_from(content.len()).unwrap_or_default());
        self.used.fetch_add(size, Relaxed);
        Ok(())
    }

    /// The session's last snapshot.
    pub(crate) fn last(&self, session: &SessionId) -> Option<(Name, Manifest)> {
        let session = session_hash(session);
        let mut numbers = self.numbers(&session);
        numbers.sort_unstable_by(|one, other| other.cmp(one));
        // The last may be one that is just being written.
        numbers.into_iter().find_map(|number| {
            let name = Name { session: session.clone(), number };
            let manifest = self.load(&name).ok()?;
            Some((name, manifest))
        })
    }

    fn numbers(&self, session: &str) -> Vec<u64> {
        let entries = fs::read_dir(self.manifests().join(session)).into_iter().flatten();
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
    }

    /// A snapshot by its name.
    pub(crate) fn load(&self, name: &Name) -> Result<Manifest> {
        let path = self.path(name);
        let gone = || {
            Error::new(Code::NotFound, format!("the checkpoint `{name}` is no longer kept"))
                .with_hint("the oldest go first; `checkpoints.max_mb` says how much may be kept")
        };
        let size = fs::symlink_metadata(&path).map_err(|_| gone())?.len();
        let bytes = match size {
            0..MAX_MANIFEST => fs::read(&path).map_err(|error| match error.kind() {
                ErrorKind::NotFound => gone(),
                _ => failed("can't be read", &error),
            })?,
            _ => Vec::new(),
        };
        Manifest::parse(&bytes)
            .map_err(|_| Error::new(Code::Storage, format!("the checkpoint `{name}` is damaged")))
    }

    /// Keeps a snapshot: as the session's next one, or in the place of the one that it equals.
    pub(crate) fn save(
        &self,
        session: &SessionId,
        manifest: &Manifest,
        place: Option<Name>,
    ) -> Result<Name> {
        let (name, is_new) = match place {
            Some(name) => (name, false),
            None => (self.next(session)?, true),
        };
        let written = self.write(&self.path(&name), &manifest.write(), true);
        if is_new && written.is_err() {
            let _ = fs::remove_file(self.path(&name));
        }
        written.map(|()| name)
    }

    /// A name that was never given, also not to a snapshot that has gone since: it goes by the
    /// clock. The empty file takes it.
    fn next(&self, session: &SessionId) -> Result<Name> {
        let session = session_hash(session);
        let folder = self.manifests().join(&session);
        make(&folder).map_err(|error| failed("can't be written", &error))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let last = self.numbers(&session).into_iter().max().unwrap_or_default();
        let mut number = last.max(u64::try_from(now).unwrap_or_default());
        loop {
            number += 1;
            let name = Name { session: session.clone(), number };
            match new_file(&self.path(&name)) {
                Ok(_) => return Ok(name),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed("can't be written", &error)),
            }
        }
    }

    pub(crate) fn path(&self, name: &Name) -> PathBuf {
        self.manifests().join(&name.session).join(name.number.to_string())
    }

    /// Removes the session's snapshots.
    pub(crate) fn forget(&self, session: &SessionId) -> Result<()> {
        match fs::remove_dir_all(self.manifests().join(session_hash(session))) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(failed("can't be removed", &error))
            }
            _ => Ok(()),
        }
    }
}

/// A snapshot's name: its session's hash and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) session: String,
    pub(crate) number: u64,
}

impl Name {
    /// The name that the text is.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let name = text.split_once('-').and_then(|(session, number)| {
            let is_hash = session.len() == 32
                && session.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            let number = number.parse().ok()?;
            is_hash.then(|| Self { session: session.to_owned(), number })
        });
        name.ok_or_else(|| Error::new(Code::Invalid, "this is no name of a checkpoint"))
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.session, self.number)
    }
}

/// A session's name may be any text: as a folder it is a hash.
fn session_hash(session: &SessionId) -> String {
    let mut name = hex(&hash(session.as_str().as_bytes()));
    name.truncate(32);
    name
}

pub(crate) fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A folder that only its owner sees.
fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// What a file of so many bytes takes of the disk: many small ones are no small matter.
pub(crate) fn on_disk(bytes: u64) -> u64 {
    bytes.max(1).next_multiple_of(4096)
}

/// What a file takes of the disk.
pub(crate) fn size_of(path: &Path) -> u64 {
    fs::symlink_metadata(path).map_or(0, |there| on_disk(there.len()))
}

/// What a person is told of a disk that failed.
pub(crate) fn failed(what: &str, error: &io::Error) -> Error {
    let told = Error::new(Code::Storage, format!("checkpoints {what}: {error}"));
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            told.with_hint("free some space, or lower `checkpoints.max_mb`")
        }
        _ => told,
    }
}
