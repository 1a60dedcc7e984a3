//! The tables of the file, and which of them are the truth.
//!
//! Truth: events, drafts, the vault, what deleted sessions used, and the format. All others follow
//! from the events and can be made anew. Every row that is read back as a whole word carries a
//! seal, so that a flipped bit is an error and not another word.

use moltis_codec::row::is_labelled;
use moltis_core::error::{Code, Error as Told};
use moltis_core::id::SessionId;
use moltis_core::session::Summary;
use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::fold::next_session;

/// The format that this version writes and reads.
pub(crate) const FORMAT: u64 = 1;

/// Sums of usage: answers, then input, output, cache read, cache write tokens, then the price.
pub(crate) type Sums = [u64; 6];

/// (session, seq) to the chain hash and the event's bytes.
pub(crate) const EVENTS: TableDefinition<'static, (&str, u64), &[u8]> =
    TableDefinition::new("events");
/// Session to its sealed draft.
pub(crate) const DRAFTS: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("drafts");
/// Name to key id, nonce and ciphertext.
pub(crate) const VAULT: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("vault");
/// (day, model) to what deleted sessions had used.
pub(crate) const USAGE_DELETED: TableDefinition<'static, (&str, &str), Sums> =
    TableDefinition::new("usage_deleted");
/// Names below to numbers and ids.
pub(crate) const META: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("meta");

/// Session to its sealed summary.
pub(crate) const SUMMARIES: TableDefinition<'static, &str, &[u8]> =
    TableDefinition::new("summaries");
/// (microseconds of the last change, session) to whether it is put away.
pub(crate) const RECENT: TableDefinition<'static, (i64, &str), bool> =
    TableDefinition::new("recent");
/// Key to session.
pub(crate) const KEYS: TableDefinition<'static, &str, &str> = TableDefinition::new("keys");
/// Sessions with turns that have no end.
pub(crate) const UNFINISHED: TableDefinition<'static, &str, ()> =
    TableDefinition::new("unfinished");
/// Command to the place of its event.
pub(crate) const OPS: TableDefinition<'static, &str, (&str, u64)> = TableDefinition::new("ops");
/// (day, model) to all that was used.
pub(crate) const USAGE: TableDefinition<'static, (&str, &str), Sums> =
    TableDefinition::new("usage");

/// Session to what is yet to be done for it in the background: bits of [`TRANSCRIPT_DUE`] and
/// [`INDEX_DUE`].
pub(crate) const DUE: TableDefinition<'static, &str, u8> = TableDefinition::new("due");
/// Session to the seq and the length up to which its transcript is known to be on disk.
pub(crate) const TRANSCRIPTS: TableDefinition<'static, &str, (u64, u64)> =
    TableDefinition::new("transcripts");
/// Transcripts of deleted sessions that are to be removed: the path below the data directory.
pub(crate) const DOOMED: TableDefinition<'static, &str, ()> = TableDefinition::new("doomed");
/// Session to its number in the index, the seq up to which it is indexed, its messages and words.
pub(crate) const INDEXED: TableDefinition<'static, &str, (u32, u64, u64, u64)> =
    TableDefinition::new("indexed");
/// Number in the index to session.
pub(crate) const NUMBERS: TableDefinition<'static, u32, &str> = TableDefinition::new("numbers");
/// (word, number of the session, 256 seqs) to the messages that have the word.
pub(crate) const POSTINGS: TableDefinition<'static, (&str, u32, u32), &[u8]> =
    TableDefinition::new("postings");

/// In [`META`]: the format, 8 bytes.
pub(crate) const META_FORMAT: &str = "format";
/// In [`META`]: the id of the key that encrypts the vault.
pub(crate) const META_VAULT_KEY: &str = "vault_key";
/// In [`META`]: the version of the word splitting that made the index, 8 bytes.
pub(crate) const META_INDEX: &str = "index";
/// In [`META`]: the version of the lines in transcripts, 8 bytes.
pub(crate) const META_TRANSCRIPT: &str = "transcript";

/// The transcript is behind the log.
pub(crate) const TRANSCRIPT_DUE: u8 = 1;
/// The search index is behind the log.
pub(crate) const INDEX_DUE: u8 = 2;

/// All tables, open for writing in one transaction, and what the transaction touched.
pub(crate) struct Tables<'txn> {
    pub(crate) events: Table<'txn, (&'static str, u64), &'static [u8]>,
    pub(crate) drafts: Table<'txn, &'static str, &'static [u8]>,
    pub(crate) vault: Table<'txn, &'static str, &'static [u8]>,
    pub(crate) usage_deleted: Table<'txn, (&'static str, &'static str), Sums>,
    pub(crate) meta: Table<'txn, &'static str, &'static [u8]>,
    pub(crate) summaries: Table<'txn, &'static str, &'static [u8]>,
    pub(crate) recent: Table<'txn, (i64, &'static str), bool>,
    pub(crate) keys: Table<'txn, &'static str, &'static str>,
    pub(crate) unfinished: Table<'txn, &'static str, ()>,
    pub(crate) ops: Table<'txn, &'static str, (&'static str, u64)>,
    pub(crate) usage: Table<'txn, (&'static str, &'static str), Sums>,
    pub(crate) due: Table<'txn, &'static str, u8>,
    pub(crate) transcripts: Table<'txn, &'static str, (u64, u64)>,
    pub(crate) doomed: Table<'txn, &'static str, ()>,
    pub(crate) indexed: Table<'txn, &'static str, (u32, u64, u64, u64)>,
    pub(crate) numbers: Table<'txn, u32, &'static str>,
    pub(crate) postings: Table<'txn, (&'static str, u32, u32), &'static [u8]>,
    /// Sessions for which there is new work in the background once this is committed.
    pub(crate) touched: Vec<SessionId>,
    /// Something was written.
    pub(crate) dirty: bool,
}

impl<'txn> Tables<'txn> {
    /// Opens all tables; those that are not there yet are made.
    pub(crate) fn open(txn: &'txn WriteTransaction) -> Result<Self> {
        Ok(Self {
            events: txn.open_table(EVENTS)?,
            drafts: txn.open_table(DRAFTS)?,
            vault: txn.open_table(VAULT)?,
            usage_deleted: txn.open_table(USAGE_DELETED)?,
            meta: txn.open_table(META)?,
            summaries: txn.open_table(SUMMARIES)?,
            recent: txn.open_table(RECENT)?,
            keys: txn.open_table(KEYS)?,
            unfinished: txn.open_table(UNFINISHED)?,
            ops: txn.open_table(OPS)?,
            usage: txn.open_table(USAGE)?,
            due: txn.open_table(DUE)?,
            transcripts: txn.open_table(TRANSCRIPTS)?,
            doomed: txn.open_table(DOOMED)?,
            indexed: txn.open_table(INDEXED)?,
            numbers: txn.open_table(NUMBERS)?,
            postings: txn.open_table(POSTINGS)?,
            touched: Vec::new(),
            dirty: false,
        })
    }

    /// The summary of a session, if there is such a session. One that the first version wrote does
    /// not say how far the session can be trusted: its events do.
    pub(crate) fn summary(&self, session: &str) -> Result<Option<Summary>> {
        let Some(row) = self.summaries.get(session)? else { return Ok(None) };
        let mut summary = read_summary(session, row.value())?;
        if unseal(row.value()).is_some_and(|bytes| !is_labelled(bytes))
            && let Some(fold) = next_session(self, session)?
        {
            summary.label = fold.summary.label;
        }
        Ok(Some(summary))
    }

    /// Writes a session's summary and all lists that hold it; `old` is what they hold now.
    pub(crate) fn put_summary(&mut self, old: Option<&Summary>, new: &Summary) -> Result<()> {
        let id = new.id.as_str();
        if let Some(old) = old {
            self.recent.remove((old.updated_at.as_microsecond(), id))?;
        }
        self.recent.insert((new.updated_at.as_microsecond(), id), new.archived)?;
        if let Some(key) = &new.key {
            self.keys.insert(key.as_str(), id)?;
        }
        if new.open_turns.is_empty() {
            self.unfinished.remove(id)?;
        } else {
            self.unfinished.insert(id, ())?;
        }
        self.summaries.insert(id, seal(moltis_codec::row::summary_to_row(new)).as_slice())?;
        Ok(())
    }

    /// Marks background work for all sessions.
    pub(crate) fn mark_all_due(&mut self, bit: u8) -> Result<()> {
        let sessions = self.summaries.iter()?.map(|row| Ok(row?.0.value().to_owned()));
        for session in sessions.collect::<Result<Vec<String>>>()? {
            let due = self.due.get(session.as_str())?.map_or(0, |row| row.value());
            self.due.insert(session.as_str(), due | bit)?;
        }
        Ok(())
    }

    /// Marks background work and tells whom to wake.
    pub(crate) fn mark_due(&mut self, session: &SessionId) -> Result<()> {
        self.due.insert(session.as_str(), TRANSCRIPT_DUE | INDEX_DUE)?;
        self.touched.push(session.clone());
        Ok(())
    }
}

/// Adds sums to a row of usage.
pub(crate) fn add_sums(
    table: &mut Table<'_, (&'static str, &'static str), Sums>,
    (day, model): (&str, &str),
    sums: Sums,
) -> Result<()> {
    let mut total = table.get((day, model))?.map(|row| row.value()).unwrap_or_default();
    for (total, more) in total.iter_mut().zip(sums) {
        *total = total.saturating_add(more);
    }
    table.insert((day, model), total)?;
    Ok(())
}

/// The summary of a row.
pub(crate) fn read_summary(session: &str, row: &[u8]) -> Result<Summary> {
    let damaged =
        |why: &str| Error::Damaged(format!("the summary of session `{session}` is damaged: {why}"));
    let bytes = unseal(row).ok_or_else(|| damaged("its seal does not fit"))?;
    moltis_codec::row::summary_from_row(bytes).map_err(|error| damaged(&error.to_string()))
}

const SEAL: usize = 8;

/// Bytes with a seal at their end.
pub(crate) fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let digest = Sha256::digest(&bytes);
    bytes.extend(digest.iter().take(SEAL));
    bytes
}

/// The bytes under a seal that fits them.
pub(crate) fn unseal(row: &[u8]) -> Option<&[u8]> {
    let (bytes, seal) = row.split_at_checked(row.len().checked_sub(SEAL)?)?;
    (Sha256::digest(bytes).get(..SEAL)? == seal).then_some(bytes)
}

/// A number in [`META`].
pub(crate) fn meta_number(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &str,
) -> Result<Option<u64>> {
    let Some(row) = meta.get(name)? else { return Ok(None) };
    let bytes = <[u8; 8]>::try_from(row.value())
        .map_err(|_| Error::Damaged(format!("the store's `{name}` is damaged")))?;
    Ok(Some(u64::from_le_bytes(bytes)))
}

/// What a caller is told who names a session that is not there.
pub(crate) fn no_session(session: &SessionId) -> Told {
    Told::new(Code::NotFound, format!("there is no session `{session}`"))
        .with_hint("moltis sessions list")
}
