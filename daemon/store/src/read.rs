//! Reading: events with their hashes verified, summaries, lists.

use std::collections::BTreeMap;

use moltis_core::assistant::{Filter, Page};
use moltis_core::event::Event;
use moltis_core::id::{OpId, SessionId};
use moltis_core::journal::{Draft, UsageRow};
use moltis_core::message::Usage;
use moltis_core::models::ModelRef;
use moltis_core::session::Summary;
use redb::{ReadTransaction, ReadableTable};

use crate::chain::{self, Hash};
use crate::commit::{Copy, Deletion, day, used};
use crate::error::{Error, Result};
use crate::search::{Removal, prepare_removal};
use crate::tables::{
    DRAFTS, EVENTS, KEYS, OPS, RECENT, SUMMARIES, UNFINISHED, USAGE, read_summary, unseal,
};

/// Events of a session from seq `from` to seq `to`, both included, at most `limit`. Every one of
/// them is proven to follow from the one before it; the first from the hash that is stored before
/// it.
pub(crate) fn events(
    txn: &ReadTransaction,
    session: &SessionId,
    from: u64,
    to: u64,
    limit: usize,
) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    walk(txn, session, from, to, limit, |event, _| {
        events.push(event);
        Ok(())
    })?;
    Ok(events)
}

/// Calls `each` with events as [`events`] gives them, and with their rows.
#[expect(
    clippy::explicit_counter_loop,
    reason = "the count is checked against the row, not taken from it"
)]
pub(crate) fn walk(
    txn: &ReadTransaction,
    session: &SessionId,
    from: u64,
    to: u64,
    limit: usize,
    mut each: impl FnMut(Event, &[u8]) -> Result<()>,
) -> Result<()> {
    let from = from.max(1);
    if limit == 0 || to < from {
        return Ok(());
    }
    let table = txn.open_table(EVENTS)?;
    let mut hash = hash_before(&table, session, from)?;
    let mut seq = from;
    for row in table.range((session.as_str(), from)..=(session.as_str(), to))?.take(limit) {
        let (key, value) = row?;
        if key.value().1 != seq {
            return Err(missing(session, seq));
        }
        let (event, next) = verified(session, seq, &hash, value.value())?;
        hash = next;
        each(event, value.value())?;
        seq += 1;
    }
    Ok(())
}

fn hash_before(
    table: &impl ReadableTable<(&'static str, u64), &'static [u8]>,
    session: &SessionId,
    seq: u64,
) -> Result<Hash> {
    if seq <= 1 {
        return Ok(chain::START);
    }
    let row = table.get((session.as_str(), seq - 1))?;
    Ok(match row {
        Some(row) => {
            chain::split(row.value()).ok_or_else(|| damaged(session, seq - 1, "it is cut off"))?.0
        }
        // Nothing is stored at or after `seq` then, or the walk finds the gap.
        None => chain::START,
    })
}

/// The event of a row, when its hash proves it, and that hash.
pub(crate) fn verified(
    session: &SessionId,
    seq: u64,
    before: &Hash,
    row: &[u8],
) -> Result<(Event, Hash)> {
    let (hash, bytes) = chain::split(row).ok_or_else(|| damaged(session, seq, "it is cut off"))?;
    if chain::link(before, bytes) != hash {
        return Err(damaged(session, seq, "its hash does not fit"));
    }
    let event = moltis_codec::row::event_from_row(session.clone(), seq, bytes)
        .map_err(|error| damaged(session, seq, &error.to_string()))?;
    Ok((event, hash))
}

fn damaged(session: &SessionId, seq: u64, why: &str) -> Error {
    Error::Damaged(format!("event {seq} of session `{session}` is damaged: {why}"))
}

/// The error of a gap.
pub(crate) fn missing(session: &SessionId, seq: u64) -> Error {
    Error::Damaged(format!("event {seq} of session `{session}` is missing"))
}

/// Bytes of a page; only a single larger event makes it larger.
const HEAVIEST_PAGE: usize = 8 << 20;

/// A page of a session, of which heavy events may leave the far end out; `None` when there is no
/// such session.
pub(crate) fn page(
    txn: &ReadTransaction,
    session: &SessionId,
    page: Page,
) -> Result<Option<Vec<Event>>> {
    let Some(summary) = summary(txn, session)? else { return Ok(None) };
    let backward = matches!(page, Page::Before { .. });
    let (from, to) = match page {
        Page::After { seq, limit } => {
            (seq.saturating_add(1), seq.saturating_add(u64::from(limit)).min(summary.last_seq))
        }
        Page::Before { seq, limit } => {
            let end = seq.min(summary.last_seq.saturating_add(1));
            (end.saturating_sub(u64::from(limit)).max(1), end.saturating_sub(1))
        }
    };
    let (from, to) = lightened(txn, session, (from, to), backward)?;
    let events = events(txn, session, from, to, usize::MAX)?;
    let wanted = if to < from { 0 } else { to - from + 1 };
    if events.len() as u64 != wanted {
        return Err(missing(session, from + events.len() as u64));
    }
    Ok(Some(events))
}

/// As much of a range as is not too heavy: from its end if `backward`, else from its beginning.
fn lightened(
    txn: &ReadTransaction,
    session: &SessionId,
    (from, to): (u64, u64),
    backward: bool,
) -> Result<(u64, u64)> {
    if to < from {
        return Ok((from, to));
    }
    let table = txn.open_table(EVENTS)?;
    let mut rows = table.range((session.as_str(), from)..=(session.as_str(), to))?;
    let mut weight = 0;
    while let Some(row) = if backward { rows.next_back() } else { rows.next() } {
        let (key, value) = row?;
        let first = weight == 0;
        weight += value.value().len();
        if weight > HEAVIEST_PAGE && !first {
            let seq = key.value().1;
            return Ok(if backward { (seq + 1, to) } else { (from, seq - 1) });
        }
    }
    Ok((from, to))
}

/// A session's summary.
pub(crate) fn summary(txn: &ReadTransaction, session: &SessionId) -> Result<Option<Summary>> {
    let Some(row) = txn.open_table(SUMMARIES)?.get(session.as_str())? else { return Ok(None) };
    read_summary(session.as_str(), row.value()).map(Some)
}

/// The session that has a key.
pub(crate) fn by_key(txn: &ReadTransaction, key: &str) -> Result<Option<SessionId>> {
    Ok(txn.open_table(KEYS)?.get(key)?.map(|row| SessionId::from(row.value())))
}

/// The event of a command.
pub(crate) fn by_op(txn: &ReadTransaction, op: &OpId) -> Result<Option<Event>> {
    let Some(row) = txn.open_table(OPS)?.get(op.as_str())? else { return Ok(None) };
    let (session, seq) = row.value();
    Ok(events(txn, &SessionId::from(session), seq, seq, 1)?.pop())
}

/// Sessions, most recently changed first.
pub(crate) fn list(txn: &ReadTransaction, filter: &Filter) -> Result<Vec<Summary>> {
    let limit = if filter.limit == 0 { usize::MAX } else { filter.limit as usize };
    let summaries = txn.open_table(SUMMARIES)?;
    let mut list = Vec::new();
    for row in txn.open_table(RECENT)?.iter()?.rev() {
        if list.len() >= limit {
            break;
        }
        let (key, archived) = row?;
        if archived.value() && !filter.archived {
            continue;
        }
        let (_, session) = key.value();
        // A damaged summary hides one session, not the list; `check` names it.
        if let Some(row) = summaries.get(session)?
            && let Ok(summary) = read_summary(session, row.value())
        {
            list.push(summary);
        }
    }
    Ok(list)
}

/// Sessions with turns that have no end.
pub(crate) fn unfinished(txn: &ReadTransaction) -> Result<Vec<Summary>> {
    let summaries = txn.open_table(SUMMARIES)?;
    let mut list = Vec::new();
    for row in txn.open_table(UNFINISHED)?.iter()? {
        let (session, ()) = row.map(|(key, unit)| (key.value().to_owned(), unit.value()))?;
        if let Some(row) = summaries.get(session.as_str())? {
            match read_summary(&session, row.value()) {
                // The other sessions' turns are to be closed all the same.
                Err(Error::Damaged(what)) => tracing::warn!(what, "a turn may stay open"),
                found => list.push(found?),
            }
        }
    }
    Ok(list)
}

/// The drafts of all sessions. One that is damaged is left out: it is text that was not finished.
pub(crate) fn drafts(txn: &ReadTransaction) -> Result<Vec<(SessionId, Draft)>> {
    let mut drafts = Vec::new();
    for row in txn.open_table(DRAFTS)?.iter()? {
        let (session, row) = row?;
        let draft = unseal(row.value()).map(moltis_codec::row::draft_from_row);
        match draft {
            Some(Ok(draft)) => drafts.push((SessionId::from(session.value()), draft)),
            _ => tracing::warn!(session = session.value(), "a draft is damaged"),
        }
    }
    Ok(drafts)
}

/// What was used on the day of `since` and after it.
pub(crate) fn usage(txn: &ReadTransaction, since: jiff::Timestamp) -> Result<Vec<UsageRow>> {
    let from = day(since);
    let mut rows = Vec::new();
    for row in txn.open_table(USAGE)?.iter()? {
        let (key, sums) = row?;
        let (day, model) = key.value();
        if day < from.as_str() {
            continue;
        }
        let Ok(model) = ModelRef::parse(model) else { continue };
        let [answers, input, output, cache_read, cache_write, cost] = sums.value();
        rows.push(UsageRow {
            day: day.to_owned(),
            model,
            answers,
            usage: Usage {
                input_tokens: input,
                output_tokens: output,
                cache_read_tokens: cache_read,
                cache_write_tokens: cache_write,
                cost_microusd: cost,
            },
        });
    }
    Ok(rows)
}

/// What a fork of a session at `seq` begins with; `None` when there is no such event.
pub(crate) fn copy(
    txn: &ReadTransaction,
    parent: &SessionId,
    seq: u64,
    child: &SessionId,
) -> Result<Option<Copy>> {
    let mut copy = Copy { rows: Vec::new(), summary: Summary::empty(child.clone()) };
    walk(txn, parent, 1, seq, usize::MAX, |mut event, row| {
        event.session = child.clone();
        copy.summary.apply(&event);
        copy.rows.push(row.to_vec());
        Ok(())
    })?;
    Ok((seq > 0 && copy.summary.last_seq == seq).then_some(copy))
}

/// What is to be removed with a session; `None` when there is no such session. Damaged events are
/// passed over: a session must be removable however broken it is.
pub(crate) fn deletion(txn: &ReadTransaction, session: &SessionId) -> Result<Option<Deletion>> {
    let summary = match summary(txn, session) {
        Ok(None) => return Ok(None),
        Err(Error::Damaged(_)) => folded(txn, session)?,
        found => found?.unwrap_or_else(|| Summary::empty(session.clone())),
    };
    let copied = summary.parent.as_ref().map_or(0, |(_, seq)| *seq);
    let mut deletion =
        Deletion { summary, ops: Vec::new(), used: BTreeMap::new(), removal: Removal::default() };
    readable(txn, session, |event| {
        prepare_removal(&mut deletion.removal, event);
        if event.seq <= copied {
            return;
        }
        deletion.ops.extend(event.command().map(ToString::to_string));
        if let Some((row, more)) = used(event) {
            let total = deletion.used.entry(row).or_default();
            for (total, more) in total.iter_mut().zip(more) {
                *total = total.saturating_add(more);
            }
        }
    })?;
    Ok(Some(deletion))
}

/// The summary as it follows from what can be read of a session.
fn folded(txn: &ReadTransaction, session: &SessionId) -> Result<Summary> {
    let mut summary = Summary::empty(session.clone());
    readable(txn, session, |event| summary.apply(event))?;
    Ok(summary)
}

/// Calls `each` with the events that can be read at all, whether or not their hashes fit.
fn readable(
    txn: &ReadTransaction,
    session: &SessionId,
    mut each: impl FnMut(&Event),
) -> Result<()> {
    let id = session.as_str();
    for row in txn.open_table(EVENTS)?.range((id, 0)..=(id, u64::MAX))? {
        let (key, value) = row?;
        let event = chain::split(value.value()).map(|(_, bytes)| {
            moltis_codec::row::event_from_row(session.clone(), key.value().1, bytes)
        });
        if let Some(Ok(event)) = event {
            each(&event);
        }
    }
    Ok(())
}
