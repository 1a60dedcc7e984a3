//! The contract's JSON for people and scripts: events, and what they hold.
//!
//! The one renderer of `sessions history --json`, of streams, of exports and of transcripts. Names
//! are only ever added. It is for reading; nothing is ever read back from it. Pictures are given
//! by kind and size.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::act;
pub use crate::act::{approval, files, worktree};
use crate::v1::event::Kind;
use crate::v1::part::Part as Inner;
use crate::v1::{
    AssistantMessage, Cause, CauseKind, Compacted, Ending, Event, FinishReason, Level, Origin,
    Part, QueueMode, Settings, Usage, UserMessage,
};

/// An event: all in one object.
pub fn event(event: &Event) -> Value {
    let mut fields = Map::new();
    fields.insert("seq".to_owned(), json!(event.seq));
    fields.insert("at".to_owned(), at(event.at));
    fields.insert("turn".to_owned(), some(&event.turn));
    fields.insert("cause".to_owned(), cause(event.cause.as_ref()));
    fields.insert("origin".to_owned(), origin(event.origin()));
    if let Value::Object(kind) = kind(event) {
        fields.extend(kind);
    }
    Value::Object(fields)
}

/// What happened, by its `kind`.
pub fn kind(event: &Event) -> Value {
    let Some(kind) = &event.kind else { return json!({ "kind": "unknown" }) };
    match kind {
        Kind::SessionCreated(created) => {
            let settings = settings(&created.settings.clone().unwrap_or_default());
            let mut fields = Map::new();
            fields.insert("kind".to_owned(), json!("session_created"));
            fields.insert("agent".to_owned(), json!(created.agent));
            fields.insert("key".to_owned(), some(&created.key));
            fields.insert("settings".to_owned(), settings);
            act::spawned(&mut fields, created.spawned.as_ref());
            Value::Object(fields)
        }
        Kind::SessionForked(forked) => json!({
            "kind": "session_forked",
            "parent": forked.parent,
            "parent_seq": forked.parent_seq,
        }),
        Kind::TitleChanged(title) => json!({
            "kind": "title",
            "title": title.title,
            "automatic": title.automatic,
            "usage": usage(&title.usage.unwrap_or_default()),
        }),
        Kind::ArchivedChanged(change) => {
            json!({ "kind": "archived", "archived": change.archived })
        }
        Kind::SettingsChanged(change) => {
            let settings = change.settings.clone().unwrap_or_default();
            json!({ "kind": "settings", "settings": self::settings(&settings) })
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
        Kind::CompactionAsked(_) => json!({ "kind": "compaction_asked" }),
        Kind::Compacted(compacted) => self::compacted(compacted),
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
        Kind::ProgramAsked(_)
        | Kind::ClearAsked(_)
        | Kind::Cleared(_)
        | Kind::ToolStarted(_)
        | Kind::ToolFinished(_)
        | Kind::ApprovalAsked(_)
        | Kind::ApprovalAnswered(_)
        | Kind::GrantRevoked(_)
        | Kind::WorkspaceChanged(_)
        | Kind::WorkspaceRestored(_)
        | Kind::WorktreeSet(_)
        | Kind::StateSet(_) => act::kind(kind).unwrap_or_default(),
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
        "model": some(&message.model),
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

fn compacted(compacted: &Compacted) -> Value {
    json!({
        "kind": "compacted",
        "item": compacted.item,
        "summary": compacted.summary,
        "upto": compacted.upto,
        "since": compacted.since,
        "before_tokens": compacted.before_tokens,
        "after_tokens": compacted.after_tokens,
        "automatic": compacted.automatic,
        "model": some(&compacted.model),
        "usage": usage(&compacted.usage.unwrap_or_default()),
    })
}

pub(crate) fn milliseconds(duration: prost_types::Duration) -> i64 {
    duration.seconds.saturating_mul(1_000).saturating_add(i64::from(duration.nanos / 1_000_000))
}

/// The visible text of a message.
pub fn text_of(parts: &[Part]) -> String {
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
pub fn ending(ending: Ending) -> Value {
    match ending {
        Ending::Unspecified => Value::Null,
        Ending::Done => json!("done"),
        Ending::Failed => json!("failed"),
        Ending::Cancelled => json!("cancelled"),
        Ending::Interrupted => json!("interrupted"),
    }
}

/// Who caused an event: the name of a client, `daemon` or `model`.
pub fn cause(cause: Option<&Cause>) -> Value {
    match cause.map_or(CauseKind::Unspecified, Cause::kind) {
        CauseKind::Unspecified => Value::Null,
        CauseKind::Client => json!(cause.map(|cause| &cause.name)),
        CauseKind::Daemon => json!("daemon"),
        CauseKind::Model => json!("model"),
    }
}

/// Where the text of an event came from.
pub fn origin(origin: Origin) -> Value {
    match origin {
        Origin::Unspecified => Value::Null,
        Origin::Owner => json!("owner"),
        Origin::Config => json!("config"),
        Origin::Workspace => json!("workspace"),
        Origin::Peer => json!("peer"),
        Origin::Tool => json!("tool"),
        Origin::Web => json!("web"),
    }
}

/// What was used.
pub fn usage(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cost_usd": usd(usage.cost_microusd),
    })
}

/// Money as a number of US dollars.
pub fn usd(microusd: u64) -> f64 {
    // Exact: a float holds millionths up to billions of dollars.
    #[expect(clippy::cast_precision_loss, reason = "see above")]
    let value = microusd as f64;
    value / 1e6
}

/// A time: RFC 3339, UTC, milliseconds.
pub fn at(at: Option<prost_types::Timestamp>) -> Value {
    let at = at.and_then(|at| Timestamp::new(at.seconds, at.nanos).ok());
    at.map_or(Value::Null, |at| Value::String(format!("{at:.3}")))
}

/// What a session is set to.
pub fn settings(settings: &Settings) -> Value {
    json!({
        "model": some(&settings.model),
        "effort": some(&settings.effort),
        "queue": queue(settings.queue()),
        "workspace": some(&settings.workspace),
        "approvals": some(&settings.approvals),
        "mount": some(&settings.mount),
        "network": some(&settings.network),
        "tree": some(&settings.tree),
        "preset": some(&settings.preset),
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
pub fn some(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { Value::String(text.to_owned()) }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
