//! The store as a whole: what is opened and closed with the daemon.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use moltis_core::env::Env;
use moltis_core::journal::Journal;
use moltis_core::vault::Vault;
use redb::Builder;
use redb::backends::FileBackend;

use crate::engine::{CACHE_BYTES, Care, Engine, Opener, Room};
use crate::error::{Error, Result};
use crate::journal::StoreJournal;
use crate::key::sync_folder;
use crate::lock::Lock;
use crate::projector::{self, Signal};
use crate::tables::FORMAT;
use crate::vault::StoreVault;
use crate::writer::Writer;
use crate::{overlay, paths};

/// An open store. Everything that was acknowledged stays, however the store ends; [`Store::close`]
/// also brings the transcripts up to the log.
pub struct Store {
    journal: Arc<StoreJournal>,
    vault: Arc<StoreVault>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    _lock: Lock,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.journal.dir).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store of a data directory, or makes one. Nothing here reads the events: it takes
    /// as long for a large store as for a small one, after a crash, too.
    ///
    /// # Errors
    /// When another process has the directory, the store is of a newer format (it is not touched
    /// then), it is damaged, or a file can't be used.
    pub fn open(dir: &Path, env: Arc<dyn Env>) -> Result<Self> {
        create_folder(dir)?;
        let lock = Lock::take(dir)?;
        let path = dir.join(paths::DATABASE);
        if let Some(found) = overlay::format_of(&path)?.filter(|found| *found > FORMAT) {
            return Err(Error::Newer { found, known: FORMAT });
        }
        create_database(&path, Arc::clone(&env))?;
        let folder = dir.to_owned();
        let room: Room = Box::new(move || {
            let stat = rustix::fs::statvfs(&folder).ok()?;
            Some(stat.f_bavail.saturating_mul(stat.f_frsize))
        });
        Self::start(dir, lock, opener(path), room, env)
    }

    /// Starts a store over whatever opens its database.
    pub(crate) fn start(
        dir: &Path,
        lock: Lock,
        opener: Opener,
        room: Room,
        env: Arc<dyn Env>,
    ) -> Result<Self> {
        let engine = Arc::new(Engine::open(opener, room, env)?);
        let signal = Arc::new(Signal::default());
        let (writer, writing) = Writer::start(Arc::clone(&engine), Arc::clone(&signal))?;
        let projecting = projector::start(
            dir.to_owned(),
            Arc::clone(&engine),
            writer.clone(),
            Arc::clone(&signal),
        );
        let projecting = match projecting {
            Ok(projecting) => projecting,
            Err(error) => {
                writer.stop();
                return Err(error);
            }
        };
        let vault = StoreVault::new(dir.to_owned(), Arc::clone(&engine), writer.clone());
        let journal = StoreJournal { dir: dir.to_owned(), engine, writer, signal };
        Ok(Self {
            journal: Arc::new(journal),
            vault: Arc::new(vault),
            // In the order in which they are to end.
            threads: Mutex::new(vec![projecting, writing]),
            _lock: lock,
        })
    }

    /// The journal.
    pub fn journal(&self) -> Arc<dyn Journal> {
        Arc::clone(&self.journal) as Arc<dyn Journal>
    }

    /// The vault.
    pub fn vault(&self) -> Arc<dyn Vault> {
        Arc::clone(&self.vault) as Arc<dyn Vault>
    }

    /// Brings transcripts up to the log as far as that takes a moment, closes the database and ends
    /// the threads. Calls that come later are told that the store is closed.
    pub async fn close(self) {
        let closed = tokio::task::spawn_blocking(move || drop(self)).await;
        if let Err(error) = closed {
            tracing::error!(%error, "the store was not closed in order");
        }
    }

    #[cfg(test)]
    pub(crate) fn parts(&self) -> &StoreJournal {
        &self.journal
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.journal.signal.stop();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
            // The projector is through: nothing but callers can want to write now.
            self.journal.writer.stop();
        }
    }
}

/// Makes a data directory that only its owner sees.
pub(crate) fn create_folder(dir: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(Error::file("create", dir))
}

/// Makes the database file if there is none. It appears under its name when it is whole: a half
/// made one could not be opened.
fn create_database(path: &Path, env: Arc<dyn Env>) -> Result<()> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > 0 => return Ok(()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::file("examine", path)(error)),
    }
    let new = path.with_extension("redb.new");
    match std::fs::remove_file(&new) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::file("remove", new)(error)),
    }
    Engine::open(opener(new.clone()), Box::new(|| None), env)?.end();
    let file = std::fs::File::open(&new).map_err(Error::file("open", &new))?;
    file.sync_all().map_err(Error::file("sync", &new))?;
    std::fs::rename(&new, path).map_err(Error::file("rename", &new))?;
    sync_folder(path)
}

/// Opens the database file of a data directory.
fn opener(path: PathBuf) -> Opener {
    Box::new(move |care| {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(Error::file("open", &path))?;
        if care == Care::Thorough {
            // After a failed write the kernel may hold pages that never reached the disk. What is
            // verified next must come from there.
            if let Err(error) = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed) {
                tracing::debug!(%error, "the kernel keeps its pages");
            }
        }
        let database = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(care == Care::Thorough)
            .create_with_backend(FileBackend::new(file)?)?;
        Ok(database)
    })
}
