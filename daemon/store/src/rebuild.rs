//! Making everything that follows from the events anew, in a store that no daemon uses.
//!
//! For a store that came back from a backup, and for one whose lists are damaged. The events, the
//! drafts and the vault stay as they are, and it is one transaction: cut off, nothing was done.
//! Transcripts and the search index are made by the next daemon, in the background.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use moltis_core::journal::CheckReport;
use redb::{Builder, ReadableTable};

use crate::backup::remove_if_there;
use crate::engine::{CACHE_BYTES, unpanicked};
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::tables::{FORMAT, Tables, read_summary};
use crate::{check, fold, overlay, paths};

/// Makes everything that follows from the events anew in the store of a data directory that no
/// daemon uses, and checks the store.
///
/// # Errors
/// When the directory is in use, there is no store or one of a newer format, or an event is
/// damaged: nothing follows from that. The store is then as it was.
pub fn rebuild_offline(dir: &Path) -> Result<CheckReport> {
    let path = dir.join(paths::DATABASE);
    check::refuse_missing(dir)?;
    let _lock = Lock::take(dir)?;
    if let Some(found) = overlay::format_of(&path)?.filter(|found| *found > FORMAT) {
        return Err(Error::Newer { found, known: FORMAT });
    }
    let transcripts = renew(&path)?;
    remove_strangers(dir, &transcripts)?;
    check::check_file(&path, Some(dir))
}

/// Rebuilds the store in a file. Gives the paths that the transcripts will have.
pub(crate) fn renew(path: &Path) -> Result<Vec<String>> {
    unpanicked(|| {
        let database = Builder::new().set_cache_size(CACHE_BYTES).open(path)?;
        let txn = database.begin_write()?;
        let mut transcripts = Vec::new();
        {
            let mut tables = Tables::open(&txn)?;
            tables.doomed.retain(|_, ()| false)?;
            fold::rebuild(&mut tables)?;
            for row in tables.summaries.iter()? {
                let (session, row) = row?;
                let summary = read_summary(session.value(), row.value())?;
                transcripts.push(paths::transcript(&summary.agent, session.value()));
            }
        }
        txn.commit()?;
        database.close()?;
        Ok(transcripts)
    })
}

/// Removes transcripts of sessions that the store does not have.
pub(crate) fn remove_strangers(dir: &Path, known: &[String]) -> Result<()> {
    let known: HashSet<PathBuf> = known.iter().map(|path| dir.join(path)).collect();
    for agent in folder(&dir.join(paths::AGENTS))? {
        for path in folder(&agent.join(paths::SESSIONS))? {
            let transcript = path.extension().is_some_and(|extension| extension == "jsonl");
            if transcript && !known.contains(&path) {
                remove_if_there(&path)?;
            }
        }
    }
    Ok(())
}

/// The entries of a folder; none of one that is not there.
fn folder(path: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(Error::file("list", path)(error)),
    };
    entries.map(|entry| Ok(entry.map_err(Error::file("list", path))?.path())).collect()
}
