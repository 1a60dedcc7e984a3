//! What follows from the events of one session: the one way to compute it anew.

use moltis_core::event::{Event, EventKind};
use moltis_core::id::SessionId;
use moltis_core::session::Summary;
use redb::ReadableTable;

use crate::chain::{self, Hash};
use crate::commit::used;
use crate::error::Result;
use crate::read::verified;
use crate::tables::{Sums, Tables, add_sums};
use crate::{search, transcript};

/// A row of usage, and what is added to it.
pub(crate) type Used = ((String, String), Sums);

/// What follows from the events so far.
pub(crate) struct Fold {
    pub(crate) summary: Summary,
    /// Commands of this session and their seqs; those of copied events belong to the parent.
    pub(crate) ops: Vec<(String, u64)>,
    /// What this session used itself.
    pub(crate) used: Vec<Used>,
    hash: Hash,
}

impl Fold {
    /// Nothing follows from no events.
    pub(crate) fn new(session: SessionId) -> Self {
        let summary = Summary::empty(session);
        Self { summary, ops: Vec::new(), used: Vec::new(), hash: chain::START }
    }

    /// Takes the next row into account, when it is proven by its hash and is the next.
    pub(crate) fn take(&mut self, seq: u64, row: &[u8]) -> Result<()> {
        let session = self.summary.id.clone();
        if seq != self.summary.last_seq + 1 {
            return Err(crate::read::missing(&session, self.summary.last_seq + 1));
        }
        let (event, hash) = verified(&session, seq, &self.hash, row)?;
        self.hash = hash;
        self.apply(&event);
        Ok(())
    }

    fn apply(&mut self, event: &Event) {
        self.summary.apply(event);
        match &event.kind {
            EventKind::SessionForked { .. } => {
                // Everything before this is the parent's.
                self.ops.clear();
                self.used.clear();
            }
            _ => self.used.extend(used(event)),
        }
        self.ops.extend(event.command().map(|op| (op.to_string(), event.seq)));
    }

    /// Writes what follows from the session's events, of which nothing is written yet.
    pub(crate) fn write(&self, tables: &mut Tables<'_>) -> Result<()> {
        tables.put_summary(None, &self.summary)?;
        for (op, seq) in &self.ops {
            tables.ops.insert(op.as_str(), (self.summary.id.as_str(), *seq))?;
        }
        for ((day, model), sums) in &self.used {
            add_sums(&mut tables.usage, (day, model), *sums)?;
        }
        tables.mark_due(&self.summary.id)
    }
}

/// Drops everything that follows from the events and makes it anew; transcripts and the index are
/// made in the background afterwards.
pub(crate) fn rebuild(tables: &mut Tables<'_>) -> Result<()> {
    tables.summaries.retain(|_, _| false)?;
    tables.recent.retain(|_, _| false)?;
    tables.keys.retain(|_, _| false)?;
    tables.unfinished.retain(|_, _| false)?;
    tables.ops.retain(|_, _| false)?;
    tables.usage.retain(|_, _| false)?;
    tables.due.retain(|_, _| false)?;
    transcript::reset(tables)?;
    search::reset(tables)?;
    for row in tables.usage_deleted.iter()? {
        let (key, sums) = row?;
        tables.usage.insert(key.value(), sums.value())?;
    }
    let mut next = String::new();
    while let Some(fold) = next_session(tables, &next)? {
        fold.write(tables)?;
        next = format!("{}\0", fold.summary.id);
    }
    Ok(())
}

/// Folds the first session whose id is not below `from`.
pub(crate) fn next_session(tables: &Tables<'_>, from: &str) -> Result<Option<Fold>> {
    let mut fold: Option<Fold> = None;
    for row in tables.events.range((from, 0)..)? {
        let (key, row) = row?;
        let (session, seq) = key.value();
        let fold = fold.get_or_insert_with(|| Fold::new(SessionId::from(session)));
        if fold.summary.id.as_str() != session {
            break;
        }
        fold.take(seq, row.value())?;
    }
    Ok(fold)
}
