//! Checking a store: every hash, every seq, and everything that follows from the events.
//!
//! Checking changes nothing. It goes on after a find as far as that makes sense, and says what is
//! wrong in sentences.

use std::collections::BTreeMap;
use std::path::Path;

use moltis_codec::row::is_labelled;
use moltis_core::id::SessionId;
use moltis_core::journal::CheckReport;
use moltis_core::policy::Label;
use redb::{ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata};

use crate::engine::{Care, found_format, unpanicked};
use crate::error::{Error, Result};
use crate::fold::Fold;
use crate::key::{Key, key_of};
use crate::lock::Lock;
use crate::tables::{
    DRAFTS, EVENTS, FORMAT, KEYS, OPS, RECENT, SUMMARIES, Sums, UNFINISHED, USAGE, USAGE_DELETED,
    VAULT, read_summary, unseal,
};
use crate::{overlay, paths};

/// Finds that are told; more are counted.
const MAX_PROBLEMS: usize = 100;

/// Checks the store of a data directory that no daemon uses. The store is not changed.
///
/// # Errors
/// When the directory is in use, the store is of a newer format, or there is none. What is wrong
/// with the store itself is in the report.
pub fn check_offline(dir: &Path) -> Result<CheckReport> {
    refuse_missing(dir)?;
    let _lock = Lock::take(dir)?;
    check_file(&dir.join(paths::DATABASE), Some(dir))
}

/// Nothing is made where there is no store.
pub(crate) fn refuse_missing(dir: &Path) -> Result<()> {
    let path = dir.join(paths::DATABASE);
    if !path.try_exists().map_err(Error::file("examine", &path))? {
        return Err(Error::Damaged(format!("there is no store in `{}`", dir.display())));
    }
    Ok(())
}

/// Checks a database file without changing it.
pub(crate) fn check_file(path: &Path, dir: Option<&Path>) -> Result<CheckReport> {
    let mut checker = Checker::default();
    let database = match overlay::open(path, Care::Thorough) {
        Ok(database) => Some(database),
        Err(error @ Error::File { .. }) => return Err(error),
        Err(error) => {
            checker.beyond(format!("the file is damaged: {error}"));
            // What can still be read tells which sessions it is about.
            overlay::open(path, Care::Usual).ok()
        }
    };
    let Some(database) = database else { return Ok(checker.report()) };
    let walked = unpanicked(|| {
        let txn = database.begin_read()?;
        let found = found_format(&txn)?.unwrap_or_default();
        if found > FORMAT {
            return Err(Error::Newer { found, known: FORMAT });
        }
        let most = std::fs::metadata(path).map_or(u64::MAX, |metadata| metadata.len() / 32);
        checker.run(&txn, dir, most)
    });
    match walked {
        Err(error @ Error::Newer { .. }) => return Err(error),
        Err(error) => checker.beyond(error.to_string()),
        Ok(()) => {}
    }
    // Closing a damaged database may stumble over the damage once more.
    drop(unpanicked(|| Ok(database.close()?)));
    Ok(checker.report())
}

/// Checks what a transaction sees; `dir` has the vault's key, if that is to be checked, too.
pub(crate) fn check(txn: &ReadTransaction, dir: Option<&Path>) -> Result<CheckReport> {
    let mut checker = Checker::default();
    match unpanicked(|| checker.run(txn, dir, u64::MAX)) {
        Err(error @ Error::Damaged(_)) => checker.beyond(error.to_string()),
        other => other?,
    }
    Ok(checker.report())
}

#[derive(Default)]
struct Checker {
    report: CheckReport,
    untold: u64,
    /// Rows that the lists should have.
    keys: u64,
    unfinished: u64,
    ops: u64,
    used: BTreeMap<(String, String), Sums>,
    /// A session could not be read to its end: the sums can't be right.
    incomplete: bool,
    /// Something is wrong that does not follow from the events.
    beyond: bool,
}

impl Checker {
    fn problem(&mut self, sentence: String) {
        if self.report.problems.len() < MAX_PROBLEMS {
            self.report.problems.push(sentence);
        } else {
            self.untold += 1;
        }
    }

    /// A problem that a rebuilding does not mend.
    fn beyond(&mut self, sentence: String) {
        self.beyond = true;
        self.problem(sentence);
    }

    fn report(mut self) -> CheckReport {
        self.report.rebuild_mends = !self.report.problems.is_empty() && !self.beyond;
        if self.untold > 0 {
            self.report.problems.push(format!("{} more problems were found", self.untold));
        }
        self.report
    }

    /// `most` bounds the events that a broken tree of pages may make one believe in.
    fn run(&mut self, txn: &ReadTransaction, dir: Option<&Path>, most: u64) -> Result<()> {
        self.sessions(txn, most)?;
        self.lists(txn)?;
        self.drafts(txn)?;
        if let Some(dir) = dir {
            self.vault(txn, dir)?;
        }
        Ok(())
    }

    fn sessions(&mut self, txn: &ReadTransaction, most: u64) -> Result<()> {
        let mut current: Option<(Fold, bool)> = None;
        let mut rows = 0;
        for row in txn.open_table(EVENTS)?.iter()? {
            let (key, row) = row?;
            let (session, seq) = key.value();
            rows += 1;
            if rows > most {
                return Err(Error::Damaged("the table of events has no end".into()));
            }
            let same =
                current.as_ref().is_some_and(|(fold, _)| fold.summary.id.as_str() == session);
            if !same {
                let begun = (Fold::new(SessionId::from(session)), true);
                if let Some(done) = current.replace(begun) {
                    self.session(txn, done)?;
                }
            }
            let Some((fold, sound)) = &mut current else { continue };
            self.report.events += 1;
            if *sound && let Err(error) = fold.take(seq, row.value()) {
                *sound = false;
                self.beyond(error.to_string());
            }
        }
        if let Some(done) = current {
            self.session(txn, done)?;
        }
        Ok(())
    }

    fn session(&mut self, txn: &ReadTransaction, (fold, sound): (Fold, bool)) -> Result<()> {
        self.report.sessions += 1;
        if !sound {
            self.incomplete = true;
            return Ok(());
        }
        let id = fold.summary.id.as_str();
        let stored = txn.open_table(SUMMARIES)?.get(id)?;
        let mut folded = fold.summary.clone();
        let unlabelled = |row: &[u8]| unseal(row).is_some_and(|bytes| !is_labelled(bytes));
        if stored.as_ref().is_some_and(|row| unlabelled(row.value())) {
            folded.label = Label::CLEAN;
        }
        match stored.map(|row| read_summary(id, row.value())) {
            None => self.problem(format!("session `{id}` has events, but is in no list")),
            Some(Err(error)) => self.problem(error.to_string()),
            Some(Ok(stored)) if stored != folded => {
                self.problem(format!(
                    "the summary of session `{id}` does not follow from its events"
                ));
            }
            Some(Ok(_)) => {}
        }
        let recent = (fold.summary.updated_at.as_microsecond(), id);
        let archived = txn.open_table(RECENT)?.get(recent)?.map(|row| row.value());
        if archived != Some(fold.summary.archived) {
            self.problem(format!("session `{id}` is not in its place in the list of sessions"));
        }
        if let Some(key) = &fold.summary.key {
            self.keys += 1;
            let holder = txn.open_table(KEYS)?.get(key.as_str())?;
            if holder.is_none_or(|holder| holder.value() != id) {
                self.problem(format!("session `{id}` is not found by its key `{key}`"));
            }
        }
        if !fold.summary.open_turns.is_empty() {
            self.unfinished += 1;
            if txn.open_table(UNFINISHED)?.get(id)?.is_none() {
                self.problem(format!("session `{id}` is not in the list of unfinished ones"));
            }
        }
        let ops = txn.open_table(OPS)?;
        for (op, seq) in &fold.ops {
            self.ops += 1;
            if ops.get(op.as_str())?.is_none_or(|place| place.value() != (id, *seq)) {
                self.problem(format!("event {seq} of session `{id}` is not found by its command"));
            }
        }
        for (row, sums) in fold.used {
            let total = self.used.entry(row).or_default();
            for (total, more) in total.iter_mut().zip(sums) {
                *total = total.saturating_add(more);
            }
        }
        Ok(())
    }

    fn lists(&mut self, txn: &ReadTransaction) -> Result<()> {
        let lengths = [
            ("list of sessions", txn.open_table(RECENT)?.len()?, self.report.sessions),
            ("table of summaries", txn.open_table(SUMMARIES)?.len()?, self.report.sessions),
            ("table of keys", txn.open_table(KEYS)?.len()?, self.keys),
            ("list of unfinished sessions", txn.open_table(UNFINISHED)?.len()?, self.unfinished),
            ("table of commands", txn.open_table(OPS)?.len()?, self.ops),
        ];
        if self.incomplete {
            return Ok(());
        }
        for (name, found, wanted) in lengths {
            if found != wanted {
                self.problem(format!("the {name} has {found} rows instead of {wanted}"));
            }
        }
        for row in txn.open_table(USAGE_DELETED)?.iter()? {
            let (key, sums) = row?;
            let (day, model) = key.value();
            let total = self.used.entry((day.to_owned(), model.to_owned())).or_default();
            for (total, more) in total.iter_mut().zip(sums.value()) {
                *total = total.saturating_add(more);
            }
        }
        let mut stored = BTreeMap::new();
        for row in txn.open_table(USAGE)?.iter()? {
            let (key, sums) = row?;
            let (day, model) = key.value();
            stored.insert((day.to_owned(), model.to_owned()), sums.value());
        }
        if stored != self.used {
            self.problem("the sums of usage do not follow from the events".into());
        }
        Ok(())
    }

    fn drafts(&mut self, txn: &ReadTransaction) -> Result<()> {
        let summaries = txn.open_table(SUMMARIES)?;
        for row in txn.open_table(DRAFTS)?.iter()? {
            let (session, row) = row?;
            let session = session.value();
            if summaries.get(session)?.is_none() {
                self.problem(format!("there is a draft, but no session `{session}`"));
            }
            if !matches!(unseal(row.value()).map(moltis_codec::row::draft_from_row), Some(Ok(_))) {
                self.beyond(format!("the draft of session `{session}` is damaged"));
            }
        }
        Ok(())
    }

    fn vault(&mut self, txn: &ReadTransaction, dir: &Path) -> Result<()> {
        let table = txn.open_table(VAULT)?;
        if table.is_empty()? {
            return Ok(());
        }
        let mut keys = Vec::new();
        for name in [paths::KEY, paths::NEW_KEY] {
            match Key::read(&dir.join(name)) {
                Ok(key) => keys.extend(key),
                Err(error) => self.beyond(error.to_string()),
            }
        }
        let mut lost = Vec::new();
        for row in table.iter()? {
            let (name, row) = row?;
            let name = name.value();
            let Some(id) = key_of(row.value()) else {
                self.beyond(format!("the secret `{name}` is damaged"));
                continue;
            };
            match keys.iter().find(|key| key.id() == id) {
                None => lost.push(name.to_owned()),
                Some(key) => {
                    if let Err(error) = key.unseal(name, row.value()) {
                        self.beyond(error.to_string());
                    }
                }
            }
        }
        if !lost.is_empty() {
            self.beyond(format!(
                "these secrets can't be read, their key is not in `{}`: {}",
                dir.join(paths::KEY).display(),
                lost.join(", ")
            ));
        }
        Ok(())
    }
}
