//! The open database, and its reopening after a failure.
//!
//! redb refuses every write after an I/O error until it is opened anew. The engine is the one
//! place that opens it. Readers never wait for the writer; while the file is being reopened they
//! are told so. A failed fsync is never tried again: what was in flight is given up, the kernel's
//! copy of the file is dropped, and the pages on disk are verified.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use moltis_core::env::Env;
use redb::{Database, Durability, ReadTransaction, ReadableDatabase, WriteTransaction};

use crate::error::{Error, Result};
use crate::tables::{FORMAT, META_FORMAT, META_INDEX, Tables, meta_number};
use crate::words;

/// Memory for pages of the file.
pub(crate) const CACHE_BYTES: usize = 16 << 20;

/// How the file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Care {
    /// Trusting it, as after a clean end or a crash.
    Usual,
    /// Verifying every page, as after a failed write.
    Thorough,
}

/// Opens the database; called again for each reopening.
pub(crate) type Opener = Box<dyn Fn(Care) -> Result<Database> + Send + Sync>;

/// How many bytes the disk has left, if that can be told.
pub(crate) type Room = Box<dyn Fn() -> Option<u64> + Send + Sync>;

/// The open database.
pub(crate) struct Engine {
    opener: Opener,
    room: Room,
    database: RwLock<Option<Database>>,
    /// It is closed for good.
    ended: AtomicBool,
    env: Arc<dyn Env>,
    trouble: Mutex<Option<String>>,
}

impl Engine {
    /// Opens the database and makes sure that it has this version's format and tables.
    pub(crate) fn open(opener: Opener, room: Room, env: Arc<dyn Env>) -> Result<Self> {
        let database = unpanicked(|| opener(Care::Usual))?;
        let engine = Self {
            opener,
            room,
            database: RwLock::new(Some(database)),
            ended: AtomicBool::new(false),
            env,
            trouble: Mutex::new(None),
        };
        unpanicked(|| engine.prepare()).inspect_err(|_| engine.close())?;
        Ok(engine)
    }

    /// Makes the tables of a new file. Writes nothing to one that has them.
    fn prepare(&self) -> Result<()> {
        if let Some(found) = found_format(&self.begin_read()?)? {
            return if found > FORMAT {
                Err(Error::Newer { found, known: FORMAT })
            } else {
                Ok(())
            };
        }
        let txn = self.begin_write()?;
        {
            let mut tables = Tables::open(&txn)?;
            tables.meta.insert(META_FORMAT, FORMAT.to_le_bytes().as_slice())?;
            tables.meta.insert(META_INDEX, words::VERSION.to_le_bytes().as_slice())?;
        }
        txn.commit()?;
        Ok(())
    }

    /// A consistent view of everything that is committed.
    pub(crate) fn begin_read(&self) -> Result<ReadTransaction> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        Ok(database.as_ref().ok_or_else(|| self.absent())?.begin_read()?)
    }

    /// A durable transaction that a crash does not make slow to recover from.
    pub(crate) fn begin_write(&self) -> Result<WriteTransaction> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let mut txn = database.as_ref().ok_or_else(|| self.absent())?.begin_write()?;
        txn.set_durability(Durability::Immediate)?;
        txn.set_quick_repair(true);
        Ok(txn)
    }

    /// Runs a reading function. A damaged page may make redb panic: that is an error here.
    pub(crate) fn view<T>(&self, read: impl FnOnce(&ReadTransaction) -> Result<T>) -> Result<T> {
        unpanicked(|| read(&self.begin_read()?))
    }

    /// Closes the database after a failure and opens it anew.
    pub(crate) fn reopen(&self, care: Care) -> Result<()> {
        self.close();
        let database = unpanicked(|| (self.opener)(care))?;
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = Some(database);
        Ok(())
    }

    /// A damaged database may panic once more here: that must end neither the writer nor the start.
    fn close(&self) {
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(database) = database
            && let Err(error) = unpanicked(|| Ok(database.close()?))
        {
            tracing::debug!(%error, "the database was not closed cleanly");
        }
    }

    /// Closes the database for good.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.close();
    }

    fn absent(&self) -> Error {
        if self.ended.load(Ordering::Acquire) { Error::Closed } else { Error::Reopening }
    }

    /// Whether the database is open.
    pub(crate) fn is_open(&self) -> bool {
        self.database.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// How many bytes the disk has left, if that can be told.
    pub(crate) fn room(&self) -> Option<u64> {
        (self.room)()
    }

    /// What is wrong at the moment.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says what is wrong, or that all is well again.
    pub(crate) fn set_trouble(&self, trouble: Option<String>) {
        let mut slot = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*slot, trouble) {
            // What came first is what is wrong; what follows from it would hide it.
            (Some(_), Some(_)) | (None, None) => {}
            (None, Some(what)) => {
                tracing::error!(what, "the store is in trouble");
                let since = self.env.now().strftime("%Y-%m-%d %H:%M:%S UTC");
                *slot = Some(format!("{what} (since {since})"));
            }
            (Some(_), None) => {
                tracing::info!("the store works again");
                *slot = None;
            }
        }
    }
}

/// The format of a store; `None` for a file without tables.
pub(crate) fn found_format(txn: &ReadTransaction) -> Result<Option<u64>> {
    match txn.open_table(crate::tables::META) {
        Ok(meta) => meta_number(&meta, META_FORMAT),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Runs what may panic over a damaged file, and makes an error of that.
pub(crate) fn unpanicked<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        Err(Error::Damaged(format!("the store is damaged: {}", panic_text(panic.as_ref()))))
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no reason given")
}
