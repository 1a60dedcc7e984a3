//! Backups: a complete copy of the store while it is written to, and bringing one back.
//!
//! A backup holds the truth and what follows from it, the vault as ciphertext, and not the vault's
//! key. Every hash is verified while it is copied. It appears under its name when it is complete
//! and on disk, or not at all.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use moltis_core::id::SessionId;
use moltis_core::journal::{BackupReport, CheckReport};
use redb::backends::FileBackend;
use redb::{Builder, Database, ReadTransaction, ReadableTable};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::engine::CACHE_BYTES;
use crate::error::{Error, Result};
use crate::fold::Fold;
use crate::key::sync_folder;
use crate::lock::Lock;
use crate::tables::{
    DRAFTS, EVENTS, FORMAT, META, META_FORMAT, META_VAULT_KEY, Tables, USAGE_DELETED, VAULT,
};
use crate::{check, overlay, paths, rebuild};

/// Bytes of events in one transaction of the copy.
const BATCH: usize = 8 << 20;

/// Writes what a transaction sees to a new file.
pub(crate) fn write(txn: &ReadTransaction, to: &Path) -> Result<BackupReport> {
    refuse_existing(to)?;
    let partial = with_suffix(to, ".partial");
    remove_if_there(&partial)?;
    let written = copy(txn, &partial).and_then(|report| {
        put_under_name(&partial, to)?;
        Ok(report)
    });
    if written.is_err()
        && let Err(error) = remove_if_there(&partial)
    {
        tracing::warn!(%error, "an unfinished backup was left behind");
    }
    written
}

/// Brings a backup back into a data directory that no daemon uses. The backup is verified first;
/// the store that was there is kept aside as `moltis.redb.before-restore-<time>`. A vault key that
/// is there stays.
///
/// # Errors
/// When the directory is in use, the backup is damaged or of a newer format, or a file can't be
/// written. The store that was there is then as it was.
pub fn restore(backup: &Path, dir: &Path) -> Result<CheckReport> {
    crate::store::create_folder(dir)?;
    let _lock = Lock::take(dir)?;
    match overlay::format_of(backup)? {
        None => return Err(Error::Damaged(format!("`{}` holds no store", backup.display()))),
        Some(found) if found > FORMAT => return Err(Error::Newer { found, known: FORMAT }),
        Some(_) => {}
    }
    let report = check::check_file(backup, None)?;
    if let Some(problem) = report.problems.first() {
        return Err(Error::Damaged(format!("the backup is damaged: {problem}")));
    }
    let database = dir.join(paths::DATABASE);
    let incoming = with_suffix(&database, ".restoring");
    remove_if_there(&incoming)?;
    copy_file(backup, &incoming)?;
    let transcripts = rebuild::renew(&incoming)?;
    if database.try_exists().map_err(Error::file("examine", &database))? {
        let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let aside = with_suffix(&database, &format!(".before-restore-{time}"));
        // A second name for the old store, so that at no moment there is none.
        std::fs::hard_link(&database, &aside).map_err(Error::file("keep aside", &database))?;
    }
    std::fs::rename(&incoming, &database).map_err(Error::file("rename", &incoming))?;
    sync_folder(&database)?;
    rebuild::remove_strangers(dir, &transcripts)?;
    Ok(report)
}

fn copy(txn: &ReadTransaction, to: &Path) -> Result<BackupReport> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(Error::file("create", to))?;
    let database =
        Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(FileBackend::new(file)?)?;
    let report = BackupReport { sessions: 0, events: 0, bytes: 0, problems: Vec::new() };
    let copying = Copying { database: &database, batch: Vec::new(), bytes: 0, report };
    let mut report = copying.run(txn)?;
    database.close()?;
    let file = File::open(to).map_err(Error::file("open", to))?;
    file.sync_all().map_err(Error::file("sync", to))?;
    report.bytes = file.metadata().map_err(Error::file("examine", to))?.len();
    Ok(report)
}

/// A row of the table of events.
struct Row {
    session: SessionId,
    seq: u64,
    bytes: Vec<u8>,
}

struct Copying<'a> {
    database: &'a Database,
    batch: Vec<Row>,
    bytes: usize,
    report: BackupReport,
}

impl Copying<'_> {
    fn run(mut self, txn: &ReadTransaction) -> Result<BackupReport> {
        self.write(|tables| copy_rest(txn, tables))?;
        let mut fold: Option<Fold> = None;
        let mut sound = true;
        for row in txn.open_table(EVENTS)?.iter()? {
            let (key, row) = row?;
            let (session, seq) = key.value();
            if fold.as_ref().is_none_or(|fold| fold.summary.id.as_str() != session) {
                let next = Fold::new(SessionId::from(session));
                if let Some(done) = fold.replace(next) {
                    self.finish(&done)?;
                }
                sound = true;
            }
            let Some(fold) = &mut fold else { continue };
            if !sound {
                continue;
            }
            if let Err(error) = fold.take(seq, row.value()) {
                // The other sessions are copied whole, and this one up to the damage.
                sound = false;
                let upto = fold.summary.last_seq;
                let what = format!("session `{session}` is copied up to event {upto}: {error}");
                self.report.problems.push(what);
                continue;
            }
            self.report.events += 1;
            self.bytes += row.value().len();
            let session = fold.summary.id.clone();
            self.batch.push(Row { session, seq, bytes: row.value().to_vec() });
            if self.bytes >= BATCH {
                self.flush()?;
            }
        }
        if let Some(done) = fold {
            self.finish(&done)?;
        }
        self.flush()?;
        Ok(self.report)
    }

    fn finish(&mut self, fold: &Fold) -> Result<()> {
        self.flush()?;
        if fold.summary.last_seq == 0 {
            let session = fold.summary.id.as_str();
            return self.write(|tables| Ok(tables.drafts.remove(session).map(drop)?));
        }
        self.report.sessions += 1;
        self.write(|tables| fold.write(tables))
    }

    fn flush(&mut self) -> Result<()> {
        self.bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        self.write(|tables| {
            for row in &batch {
                tables.events.insert((row.session.as_str(), row.seq), row.bytes.as_slice())?;
            }
            Ok(())
        })
    }

    fn write(&self, change: impl FnOnce(&mut Tables<'_>) -> Result<()>) -> Result<()> {
        let txn = self.database.begin_write()?;
        change(&mut Tables::open(&txn)?)?;
        txn.commit()?;
        Ok(())
    }
}

/// Copies what is neither events nor follows from them.
fn copy_rest(txn: &ReadTransaction, tables: &mut Tables<'_>) -> Result<()> {
    let meta = txn.open_table(META)?;
    for name in [META_FORMAT, META_VAULT_KEY] {
        if let Some(row) = meta.get(name)? {
            tables.meta.insert(name, row.value())?;
        }
    }
    for row in txn.open_table(DRAFTS)?.iter()? {
        let (session, draft) = row?;
        tables.drafts.insert(session.value(), draft.value())?;
    }
    for row in txn.open_table(VAULT)?.iter()? {
        let (name, secret) = row?;
        tables.vault.insert(name.value(), secret.value())?;
    }
    for row in txn.open_table(USAGE_DELETED)?.iter()? {
        let (key, sums) = row?;
        tables.usage_deleted.insert(key.value(), sums.value())?;
        tables.usage.insert(key.value(), sums.value())?;
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    let mut source = File::open(from).map_err(Error::file("open", from))?;
    let mut target = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(Error::file("create", to))?;
    io::copy(&mut source, &mut target).map_err(Error::file("write", to))?;
    target.sync_all().map_err(Error::file("sync", to))
}

fn put_under_name(partial: &Path, to: &Path) -> Result<()> {
    match renameat_with(CWD, partial, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => {}
        Err(rustix::io::Errno::EXIST) => return Err(Error::Exists(to.to_owned())),
        // File systems that can't rename without replacing.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            refuse_existing(to)?;
            std::fs::rename(partial, to).map_err(Error::file("rename", partial))?;
        }
        Err(error) => return Err(Error::file("rename", partial)(error.into())),
    }
    sync_folder(to)
}

fn refuse_existing(path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Err(Error::Exists(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::file("examine", path)(error)),
    }
}

pub(crate) fn remove_if_there(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::file("remove", path)(error)),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
