//! What the writer does to the tables: append, fork, delete, checkpoint.
//!
//! Each function first examines whether it may, and only then writes, so that a refused job leaves
//! the transaction as it was. The invariant: events, the summary and every list that follows from
//! them change together.

use std::collections::BTreeMap;

use moltis_core::error::{Code, Error as Told};
use moltis_core::event::{Event, EventKind, NewEvent};
use moltis_core::id::SessionId;
use moltis_core::journal::Draft;
use moltis_core::message::Usage;
use moltis_core::session::Summary;
use redb::ReadableTable;

use crate::chain::{self, Hash};
use crate::error::{Error, Result};
use crate::search::Removal;
use crate::tables::{Sums, Tables, add_sums, no_session, seal};
use crate::writer::Applied;
use crate::{paths, search};

/// An event with its bytes, encoded by the caller so that the writer needn't.
pub(crate) struct Encoded {
    pub(crate) event: NewEvent,
    pub(crate) bytes: Vec<u8>,
}

impl Encoded {
    /// Encodes events.
    pub(crate) fn all(events: Vec<NewEvent>) -> Vec<Self> {
        events
            .into_iter()
            .map(|event| Self { bytes: moltis_codec::row::event_to_row(&event), event })
            .collect()
    }

    /// About what they hold in memory.
    pub(crate) fn weight(all: &[Self]) -> usize {
        all.iter().map(|encoded| 2 * encoded.bytes.len() + 256).sum()
    }
}

/// Appends events to a session whose last seq is `after`.
pub(crate) fn append(
    tables: &mut Tables<'_>,
    session: &SessionId,
    after: u64,
    events: Vec<Encoded>,
) -> Applied<Vec<Event>> {
    let old = match tables.summary(session.as_str()) {
        Err(damaged @ Error::Damaged(_)) => return Ok(Err(damaged.into())),
        found => found?,
    };
    let last = old.as_ref().map_or(0, |summary| summary.last_seq);
    if last != after {
        let message = format!("the session is at {last}, not at {after}");
        return Ok(Err(Told::new(Code::Conflict, message)));
    }
    if let Err(refusal) = may_append(tables, session, &events)? {
        return Ok(Err(refusal));
    }
    let hash = match last_hash(tables, session, last) {
        Err(damaged @ Error::Damaged(_)) => return Ok(Err(damaged.into())),
        found => found?,
    };
    let new = old.clone().unwrap_or_else(|| Summary::empty(session.clone()));
    write_events(tables, old.as_ref(), new, hash, events).map(Ok)
}

/// A parent's events as they are to be copied, and the summary that follows from them.
pub(crate) struct Copy {
    pub(crate) rows: Vec<Vec<u8>>,
    pub(crate) summary: Summary,
}

/// Begins a session with copied rows and appends events to it.
pub(crate) fn fork(
    tables: &mut Tables<'_>,
    child: &SessionId,
    copy: Copy,
    events: Vec<Encoded>,
) -> Applied<Vec<Event>> {
    if tables.summaries.get(child.as_str())?.is_some() {
        let message = format!("there is a session `{child}` already");
        return Ok(Err(Told::new(Code::Conflict, message)));
    }
    if let Err(refusal) = may_append(tables, child, &events)? {
        return Ok(Err(refusal));
    }
    let mut hash = chain::START;
    for (seq, row) in (1..).zip(&copy.rows) {
        tables.events.insert((child.as_str(), seq), row.as_slice())?;
        if let Some((copied, _)) = chain::split(row) {
            hash = copied;
        }
    }
    write_events(tables, None, copy.summary, hash, events).map(Ok)
}

/// What is to be removed with a session; made by the caller from the log, so that the writer
/// needn't read it.
pub(crate) struct Deletion {
    pub(crate) summary: Summary,
    pub(crate) ops: Vec<String>,
    pub(crate) used: BTreeMap<(String, String), Sums>,
    pub(crate) removal: Removal,
}

/// Removes a session. Answers `false` when it has grown since the deletion was prepared.
pub(crate) fn delete(tables: &mut Tables<'_>, deletion: Deletion) -> Applied<bool> {
    let summary = deletion.summary;
    let id = summary.id.as_str();
    match tables.summary(id) {
        Ok(Some(now)) if now.last_seq == summary.last_seq => {}
        Ok(Some(_)) => return Ok(Ok(false)),
        Ok(None) => return Ok(Err(no_session(&summary.id))),
        // Nothing is appended to a session whose summary is damaged.
        Err(Error::Damaged(_)) => {}
        Err(error) => return Err(error),
    }
    tables.events.retain_in((id, 0)..=(id, u64::MAX), |_, _| false)?;
    for op in &deletion.ops {
        let owned = tables.ops.get(op.as_str())?.is_some_and(|place| place.value().0 == id);
        if owned {
            tables.ops.remove(op.as_str())?;
        }
    }
    for ((day, model), sums) in &deletion.used {
        add_sums(&mut tables.usage_deleted, (day, model), *sums)?;
    }
    if let Some(key) = &summary.key {
        tables.keys.remove(key.as_str())?;
    }
    tables.summaries.remove(id)?;
    tables.recent.remove((summary.updated_at.as_microsecond(), id))?;
    tables.unfinished.remove(id)?;
    tables.drafts.remove(id)?;
    tables.due.remove(id)?;
    tables.transcripts.remove(id)?;
    tables.doomed.insert(paths::transcript(&summary.agent, id).as_str(), ())?;
    search::remove(tables, id, &deletion.removal)?;
    tables.touched.push(summary.id);
    Ok(Ok(true))
}

/// Replaces a session's draft.
pub(crate) fn checkpoint(
    tables: &mut Tables<'_>,
    session: &SessionId,
    draft: Vec<u8>,
) -> Applied<()> {
    if tables.summaries.get(session.as_str())?.is_none() {
        return Ok(Err(no_session(session)));
    }
    tables.drafts.insert(session.as_str(), seal(draft).as_slice())?;
    Ok(Ok(()))
}

/// The bytes of a draft's row before it is sealed.
pub(crate) fn draft_bytes(draft: &Draft) -> Vec<u8> {
    moltis_codec::row::draft_to_row(draft)
}

/// The row of usage that an event adds to, and what it adds.
pub(crate) fn used(event: &Event) -> Option<((String, String), Sums)> {
    let (model, answers, usage) = match &event.kind {
        EventKind::AssistantMessage { answer, .. } => (&answer.model, 1, answer.usage),
        EventKind::Compacted { model: Some(model), usage, .. } => (model, 0, *usage),
        _ => return None,
    };
    Some(((day(event.at), model.to_string()), sums(answers, usage)))
}

/// The UTC day of a time.
pub(crate) fn day(at: jiff::Timestamp) -> String {
    jiff::tz::Offset::UTC.to_datetime(at).date().to_string()
}

fn sums(answers: u64, usage: Usage) -> Sums {
    [
        answers,
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.cost_microusd,
    ]
}

fn may_append(
    tables: &Tables<'_>,
    session: &SessionId,
    events: &[Encoded],
) -> Result<Result<(), Told>> {
    let mut ops: Vec<&str> = Vec::new();
    for Encoded { event, .. } in events {
        if let EventKind::SessionCreated { key: Some(key), .. } = &event.kind {
            let taken = tables
                .keys
                .get(key.as_str())?
                .is_some_and(|holder| holder.value() != session.as_str());
            if taken {
                let message = format!("another session has the key `{key}`");
                return Ok(Err(Told::new(Code::Conflict, message)));
            }
        }
        if let Some(op) = event.command() {
            if ops.contains(&op.as_str()) || tables.ops.get(op.as_str())?.is_some() {
                let message = format!("the command `{op}` was carried out already");
                return Ok(Err(Told::new(Code::Conflict, message)));
            }
            ops.push(op.as_str());
        }
    }
    Ok(Ok(()))
}

fn last_hash(tables: &Tables<'_>, session: &SessionId, last: u64) -> Result<Hash> {
    if last == 0 {
        return Ok(chain::START);
    }
    let row = tables.events.get((session.as_str(), last))?;
    let hash = row.as_ref().and_then(|row| chain::split(row.value())).map(|(hash, _)| hash);
    hash.ok_or_else(|| Error::Damaged(format!("event {last} of session `{session}` is missing")))
}

fn write_events(
    tables: &mut Tables<'_>,
    old: Option<&Summary>,
    mut summary: Summary,
    mut hash: Hash,
    events: Vec<Encoded>,
) -> Result<Vec<Event>> {
    let session = summary.id.clone();
    let mut written = Vec::with_capacity(events.len());
    for Encoded { event, bytes } in events {
        let seq = summary.last_seq + 1;
        let (next, row) = chain::row(&hash, &bytes);
        hash = next;
        tables.events.insert((session.as_str(), seq), row.as_slice())?;
        let event = event.committed(session.clone(), seq);
        if let Some(op) = event.command() {
            tables.ops.insert(op.as_str(), (session.as_str(), seq))?;
        }
        if matches!(event.kind, EventKind::AssistantMessage { .. } | EventKind::TurnEnded { .. }) {
            tables.drafts.remove(session.as_str())?;
        }
        if let Some(((day, model), sums)) = used(&event) {
            add_sums(&mut tables.usage, (&day, &model), sums)?;
        }
        summary.apply(&event);
        written.push(event);
    }
    tables.put_summary(old, &summary)?;
    tables.mark_due(&session)?;
    Ok(written)
}
