//! The JSON shapes of the command line: sessions, and the envelopes of streams. What events hold
//! has the contract's own shape.
//!
//! Scripts read these. Names are only ever added.

use moltis_proto::json::{approval, cause, kind, origin, settings, usd, worktree};
pub(super) use moltis_proto::json::{at, ending, event as flat_event, some, text_of, usage};
use moltis_proto::v1::{Event, Session, Strand};
use serde_json::{Value, json};

/// A session as `sessions list` and its siblings give it.
pub(super) fn session(session: &Session) -> Value {
    let usage = session.usage.unwrap_or_default();
    let settings = session.settings.clone().unwrap_or_default();
    let model = Some(&settings.model).filter(|model| !model.is_empty());
    json!({
        "id": session.id,
        "key": some(&session.key),
        "title": session.title,
        "agent": session.agent,
        "model": model.unwrap_or(&session.last_model),
        "created_at": at(session.created_at),
        "updated_at": at(session.updated_at),
        "messages": session.messages,
        "last_seq": session.last_seq,
        "state": state(session),
        // The question that an answer is waited for first; all of them are `approvals`.
        "waiting_for": session.pending.first().map(|question| &question.id),
        // Nobody counts what was read.
        "unread": Value::Null,
        "tokens": { "input": usage.input_tokens, "output": usage.output_tokens },
        "context_tokens": session.context_tokens,
        "cost_usd": usd(usage.cost_microusd),
        "parent": some(&session.parent),
        "parent_seq": Some(session.parent_seq).filter(|_| !session.parent.is_empty()),
        "archived": session.archived,
        "turns": session.open_turns.iter().map(|open| json!({
            "turn": open.turn,
            "state": if open.started { "running" } else { "queued" },
        })).collect::<Vec<_>>(),
        "last_turn": ending(session.last_ending()),
        "settings": self::settings(&settings),
        "approvals": session.pending.iter().map(approval).collect::<Vec<_>>(),
        "grants": session.grants.iter().map(|grant| json!({
            "pattern": grant.pattern,
            "tainted": grant.tainted,
        })).collect::<Vec<_>>(),
        "taint": origin(session.taint()),
        "sensitive": session.sensitive,
        "worktree": session.worktree.as_ref().map(worktree),
        "spawned": session.spawned.as_ref().map(|spawned| json!({
            "parent": spawned.parent,
            "turn": spawned.turn,
            "call": spawned.call,
            "depth": spawned.depth,
        })),
    })
}

/// What a session is doing, in a word.
pub(super) fn state(session: &Session) -> &'static str {
    match (session.pending.is_empty(), session.open_turns.is_empty()) {
        (false, _) => "waiting",
        (true, false) => "running",
        (true, true) => "idle",
    }
}

/// An event as a line of a stream.
pub(super) fn event_line(session: &str, event: &Event) -> Value {
    json!({
        "type": "event",
        "session": session,
        "seq": event.seq,
        "at": at(event.at),
        "turn": some(&event.turn),
        "cause": cause(event.cause.as_ref()),
        "origin": origin(event.origin()),
        "event": kind(event),
    })
}

/// Which strand of an item grows, in a word.
pub(super) fn strand(strand: Strand) -> &'static str {
    match strand {
        Strand::Unspecified | Strand::Text => "text",
        Strand::Reasoning => "reasoning",
        Strand::Arguments => "arguments",
        Strand::Output => "output",
    }
}

#[cfg(test)]
#[path = "shape_tests.rs"]
mod tests;
