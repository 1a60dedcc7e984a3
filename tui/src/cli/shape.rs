//! The JSON shapes of the contract: sessions, events, usage.
//!
//! Scripts read these. Names are only ever added.

use moltis_proto::v1::event::Kind;
use moltis_proto::v1::part::Part as Inner;
use moltis_proto::v1::{
    AssistantMessage, Ending, Event, FinishReason, Level, Part, QueueMode, Session, Settings,
    Strand, Usage, UserMessage,
};
use serde_json::{Map, Value, json};

use super::context::time;
use crate::output::usd;

/// A time: RFC 3339, UTC, milliseconds.
pub(super) fn at(at: Option<prost_types::Timestamp>) -> Value {
    at.map_or(Value::Null, |_| Value::String(format!("{:.3}", time(at))))
}

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
        // Nothing can wait for an answer yet, and nobody counts what was read.
        "waiting_for": Value::Null,
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
        "settings": settings_json(&settings),
    })
}

/// What a session is doing, in a word.
pub(super) fn state(session: &Session) -> &'static str {
    if session.open_turns.is_empty() { "idle" } else { "running" }
}

/// What was used.
pub(super) fn usage(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cost_usd": usd(usage.cost_microusd),
    })
}

/// An event as `sessions history` gives it: all in one object.
pub(super) fn flat_event(event: &Event) -> Value {
    let mut fields = Map::new();
    fields.insert("seq".to_owned(), json!(event.seq));
    fields.insert("at".to_owned(), at(event.at));
    fields.insert("turn".to_owned(), some(&event.turn));
    if let Value::Object(kind) = kind(event) {
        fields.extend(kind);
    }
    Value::Object(fields)
}

/// An event as a line of a stream.
pub(super) fn event_line(session: &str, event: &Event) -> Value {
    json!({
        "type": "event",
        "session": session,
        "seq": event.seq,
        "at": at(event.at),
        "turn": some(&event.turn),
        "event": kind(event),
    })
}

/// What happened, by its `kind`.
fn kind(event: &Event) -> Value {
    let Some(kind) = &event.kind else { return json!({ "kind": "unknown" }) };
    match kind {
        Kind::SessionCreated(created) => json!({
            "kind": "session_created",
            "agent": created.agent,
            "key": some(&created.key),
            "settings": settings_json(&created.settings.clone().unwrap_or_default()),
        }),
        Kind::SessionForked(forked) => json!({
            "kind": "session_forked",
            "parent": forked.parent,
            "parent_seq": forked.parent_seq,
        }),
        Kind::TitleChanged(title) => {
            json!({ "kind": "title", "title": title.title, "automatic": title.automatic })
        }
        Kind::ArchivedChanged(change) => {
            json!({ "kind": "archived", "archived": change.archived })
        }
        Kind::SettingsChanged(change) => {
            let settings = change.settings.clone().unwrap_or_default();
            json!({ "kind": "settings", "settings": settings_json(&settings) })
        }
        Kind::UserMessage(message) => user(message),
        Kind::TurnStarted(started) => json!({ "kind": "turn_started", "model": started.model }),
        Kind::AssistantMessage(message) => assistant(message),
        Kind::Notice(notice) => {
            let level = match notice.level() {
                Level::Warning => "warning",
                Level::Info | Level::Unspecified => "info",
            };
            json!({ "kind": "notice", "item": notice.item, "level": level, "text": notice.text })
        }
        Kind::TurnEnded(ended) => json!({
            "kind": "turn_ended",
            "state": ending(ended.ending()),
            "failure": ended.failure.as_ref().map(|failure| json!({
                "kind": some(&failure.kind),
                "message": failure.message,
                "hint": some(&failure.hint),
            })),
            "usage": usage(&ended.usage.unwrap_or_default()),
        }),
    }
}

fn user(message: &UserMessage) -> Value {
    let images = message.parts.iter().filter_map(|part| match &part.part {
        Some(Inner::Image(image)) => {
            Some(json!({ "media_type": image.media_type, "bytes": image.data.len() }))
        }
        _ => None,
    });
    json!({
        "kind": "user",
        "item": message.item,
        "op_id": message.op_id,
        "text": text_of(&message.parts),
        "images": images.collect::<Vec<_>>(),
        "queue": queue(message.queue()),
    })
}

fn assistant(message: &AssistantMessage) -> Value {
    let calls = message.parts.iter().filter_map(|part| match &part.part {
        Some(Inner::ToolCall(call)) => {
            Some(json!({ "id": call.id, "name": call.name, "arguments": call.arguments }))
        }
        _ => None,
    });
    let finish = match message.finish() {
        FinishReason::Unspecified => None,
        FinishReason::Stop => Some("stop"),
        FinishReason::Length => Some("length"),
        FinishReason::ToolCalls => Some("tool_calls"),
        FinishReason::Filtered => Some("filtered"),
    };
    json!({
        "kind": "assistant",
        "item": message.item,
        "text": text_of(&message.parts),
        "reasoning": some(&reasoning_of(&message.parts)),
        "tool_calls": calls.collect::<Vec<_>>(),
        "model": message.model,
        "usage": usage(&message.usage.unwrap_or_default()),
        "finish": finish,
        "first_token_ms": message.first_token.map(milliseconds),
        "took_ms": message.took.map(milliseconds),
        "partial": message.partial,
    })
}

fn milliseconds(duration: prost_types::Duration) -> i64 {
    duration.seconds.saturating_mul(1_000).saturating_add(i64::from(duration.nanos / 1_000_000))
}

/// The visible text of a message.
pub(super) fn text_of(parts: &[Part]) -> String {
    let texts = parts.iter().filter_map(|part| match &part.part {
        Some(Inner::Text(text)) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn reasoning_of(parts: &[Part]) -> String {
    let texts = parts.iter().filter_map(|part| match &part.part {
        Some(Inner::Reasoning(reasoning)) => Some(reasoning.text.as_str()),
        _ => None,
    });
    texts.collect()
}

/// How a turn ended, in a word; `null` while none has.
pub(super) fn ending(ending: Ending) -> Value {
    match ending {
        Ending::Unspecified => Value::Null,
        Ending::Done => json!("done"),
        Ending::Failed => json!("failed"),
        Ending::Cancelled => json!("cancelled"),
        Ending::Interrupted => json!("interrupted"),
    }
}

/// Which strand of an item grows, in a word.
pub(super) fn strand(strand: Strand) -> &'static str {
    match strand {
        Strand::Unspecified | Strand::Text => "text",
        Strand::Reasoning => "reasoning",
        Strand::Arguments => "arguments",
    }
}

fn settings_json(settings: &Settings) -> Value {
    json!({
        "model": some(&settings.model),
        "effort": some(&settings.effort),
        "queue": queue(settings.queue()),
    })
}

fn queue(mode: QueueMode) -> Value {
    match mode {
        QueueMode::Unspecified => Value::Null,
        QueueMode::Followup => json!("followup"),
        QueueMode::Collect => json!("collect"),
        QueueMode::Steer => json!("steer"),
    }
}

/// Text, or `null` where the wire says "none" with an empty one.
pub(super) fn some(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { Value::String(text.to_owned()) }
}

#[cfg(test)]
#[path = "shape_tests.rs"]
mod tests;
