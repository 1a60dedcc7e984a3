//! Writing the index: messages of a session are added, a session is removed.

use std::collections::{BTreeMap, BTreeSet};

use moltis_core::event::Event;
use redb::ReadableTable;

use super::postings::{Posting, chunk_of, encode};
use super::{MAX_WORDS, searched};
use crate::error::Result;
use crate::tables::{INDEX_DUE, META_INDEX, Tables};
use crate::words::{self, words};

/// Messages of one session, ready to be added.
#[derive(Default)]
pub(crate) struct Addition {
    /// The seq up to which the session was indexed before.
    pub(crate) after: u64,
    /// The seq up to which it is indexed then.
    pub(crate) upto: u64,
    postings: BTreeMap<(String, u32), Vec<Posting>>,
    messages: u64,
    words: u64,
}

impl Addition {
    /// How many rows it writes.
    pub(crate) fn rows(&self) -> usize {
        self.postings.len()
    }
}

/// Splits the messages among a session's next events into words.
pub(crate) fn prepare_addition(after: u64, events: &[Event]) -> Addition {
    let mut addition = Addition { after, upto: after, ..Addition::default() };
    for event in events {
        addition.upto = event.seq;
        let Some((text, _)) = searched(event) else { continue };
        let mut counts = BTreeMap::<String, u32>::new();
        let mut length = 0;
        for word in words(&text, MAX_WORDS) {
            *counts.entry(word.text).or_default() += 1;
            length += 1;
        }
        addition.messages += 1;
        addition.words += u64::from(length);
        for (word, count) in counts {
            let row = addition.postings.entry((word, chunk_of(event.seq))).or_default();
            row.push(Posting { seq: event.seq, count, length });
        }
    }
    addition
}

/// Adds messages to the index. Does nothing when the session is gone or was indexed by another
/// way meanwhile.
pub(crate) fn add(tables: &mut Tables<'_>, session: &str, addition: &Addition) -> Result<()> {
    let Some(summary) = tables.summary(session)? else { return Ok(()) };
    let known = tables.indexed.get(session)?.map(|row| row.value());
    let (number, upto, messages, all_words) = match known {
        Some(known) => known,
        None => (free_number(tables)?, 0, 0, 0),
    };
    if upto != addition.after {
        return Ok(());
    }
    for ((word, chunk), postings) in &addition.postings {
        let key = (word.as_str(), number, *chunk);
        let mut row = tables.postings.get(key)?.map(|row| row.value().to_vec()).unwrap_or_default();
        encode(postings, &mut row);
        tables.postings.insert(key, row.as_slice())?;
    }
    let row = (number, addition.upto, messages + addition.messages, all_words + addition.words);
    tables.indexed.insert(session, row)?;
    tables.numbers.insert(number, session)?;
    if addition.upto >= summary.last_seq {
        let due = tables.due.get(session)?.map_or(0, |row| row.value()) & !INDEX_DUE;
        if due == 0 {
            tables.due.remove(session)?;
        } else {
            tables.due.insert(session, due)?;
        }
    }
    Ok(())
}

/// Numbers go down, so that newer sessions come first in every word's rows.
fn free_number(tables: &Tables<'_>) -> Result<u32> {
    let lowest = tables.numbers.first()?.map_or(u32::MAX, |(number, _)| number.value());
    Ok(lowest.saturating_sub(1))
}

/// The words of a session that is to be removed.
#[derive(Default)]
pub(crate) struct Removal {
    words: BTreeSet<String>,
}

/// Takes an event's words into account.
pub(crate) fn prepare_removal(removal: &mut Removal, event: &Event) {
    if let Some((text, _)) = searched(event) {
        removal.words.extend(words(&text, MAX_WORDS).into_iter().map(|word| word.text));
    }
}

/// Removes a session from the index.
pub(crate) fn remove(tables: &mut Tables<'_>, session: &str, removal: &Removal) -> Result<()> {
    let Some((number, ..)) = tables.indexed.remove(session)?.map(|row| row.value()) else {
        return Ok(());
    };
    for word in &removal.words {
        let word = word.as_str();
        tables.postings.retain_in((word, number, 0)..=(word, number, u32::MAX), |_, _| false)?;
    }
    tables.numbers.remove(number)?;
    Ok(())
}

/// Empties the index; everything is due to be indexed anew.
pub(crate) fn reset(tables: &mut Tables<'_>) -> Result<()> {
    tables.postings.retain(|_, _| false)?;
    tables.indexed.retain(|_, _| false)?;
    tables.numbers.retain(|_, _| false)?;
    tables.meta.insert(META_INDEX, words::VERSION.to_le_bytes().as_slice())?;
    tables.mark_all_due(INDEX_DUE)
}
