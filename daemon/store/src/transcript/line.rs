//! One event as one line of JSON, in the shape of `moltis sessions history --json`.
//!
//! Scripts rest on it: fields are only ever added.

use moltis_core::event::{Answer, Cause, Ending, Event, EventKind, Level, Origin, TurnFailure};
use moltis_core::message::{Part, Usage, text_of};
use moltis_core::models::ModelRef;
use moltis_core::provider::{Effort, FailureKind, FinishReason};
use moltis_core::session::{QueueMode, Settings};
use serde_json::{Map, Value, json};

/// Writes an event and a line break.
pub(crate) fn line(event: &Event, out: &mut Vec<u8>) {
    let mut object = Map::new();
    object.insert("seq".into(), event.seq.into());
    object.insert("at".into(), event.at.to_string().into());
    object.insert("turn".into(), json!(event.turn.as_ref().map(ToString::to_string)));
    fill(&event.kind, &mut object);
    object.insert("cause".into(), cause(&event.cause).into());
    object.insert("origin".into(), origin(event.origin).into());
    out.extend_from_slice(Value::Object(object).to_string().as_bytes());
    out.push(b'\n');
}

fn fill(kind: &EventKind, object: &mut Map<String, Value>) {
    let value = match kind {
        EventKind::SessionCreated { agent, key, settings } => json!({
            "kind": "session_created", "agent": agent, "key": key,
            "settings": self::settings(settings),
        }),
        EventKind::SessionForked { parent, parent_seq } => json!({
            "kind": "session_forked", "parent": parent.as_str(), "parent_seq": parent_seq,
        }),
        EventKind::TitleChanged { title, automatic, .. } => json!({
            "kind": "title_changed", "text": title, "automatic": automatic,
        }),
        EventKind::ArchivedChanged { archived } => json!({
            "kind": "archived_changed", "archived": archived,
        }),
        EventKind::SettingsChanged { settings } => json!({
            "kind": "settings_changed", "settings": self::settings(settings),
        }),
        EventKind::UserMessage { item, op, parts, queue, .. } => {
            let mut value = json!({
                "kind": "user", "item": item.as_str(), "text": text_of(parts),
                "op_id": op.as_str(), "queue": queue_name(*queue),
            });
            other_parts(parts, &mut value);
            value
        }
        EventKind::TurnStarted { model } => json!({
            "kind": "turn_started", "model": model.to_string(),
        }),
        EventKind::AssistantMessage { item, parts, answer, partial } => {
            let mut value = json!({
                "kind": "assistant", "item": item.as_str(), "text": text_of(parts),
            });
            other_parts(parts, &mut value);
            answered(answer, *partial, &mut value);
            value
        }
        EventKind::Notice { item, level, text } => json!({
            "kind": "notice", "item": item.as_str(), "level": level_name(*level), "text": text,
        }),
        EventKind::TurnEnded { ending, failure, usage } => json!({
            "kind": "turn_ended", "state": ending_name(*ending),
            "failure": failure.as_ref().map(self::failure), "usage": self::usage(*usage),
        }),
    };
    if let Value::Object(fields) = value {
        object.extend(fields);
    }
}

/// What parts hold besides text; absent where there is none.
fn other_parts(parts: &[Part], value: &mut Value) {
    let mut add = |name: &str, part: Value| match &mut value[name] {
        Value::Array(list) => list.push(part),
        slot => *slot = Value::Array(vec![part]),
    };
    for part in parts {
        match part {
            Part::Text(_) => {}
            Part::Reasoning { text, .. } => add("reasoning", json!(text)),
            // A picture would make the line unreadable: its kind and size stand for it.
            Part::Image { media_type, data } => {
                add("images", json!({"media_type": media_type, "bytes": data.len()}));
            }
            Part::ToolCall { id, name, arguments } => {
                add("tool_calls", json!({"id": id.as_str(), "name": name, "arguments": arguments}));
            }
            Part::ToolResult { id, text, failed } => {
                add("tool_results", json!({"id": id.as_str(), "text": text, "failed": failed}));
            }
        }
    }
}

fn answered(answer: &Answer, partial: bool, value: &mut Value) {
    let finish = answer.finish.map(|finish| match finish {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Filtered => "filtered",
    });
    value["model"] = json!(answer.model.to_string());
    value["usage"] = usage(answer.usage);
    value["finish"] = json!(finish);
    value["first_token_ms"] =
        json!(answer.first_token.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)));
    value["took_ms"] = json!(u64::try_from(answer.took.as_millis()).unwrap_or(u64::MAX));
    value["partial"] = json!(partial);
}

fn usage(usage: Usage) -> Value {
    // Exact: the price is given in millionths, and a float holds those up to billions of dollars.
    #[expect(clippy::cast_precision_loss, reason = "see above")]
    let cost = usage.cost_microusd as f64 / 1e6;
    json!({
        "input": usage.input_tokens, "output": usage.output_tokens,
        "cache_read": usage.cache_read_tokens, "cache_write": usage.cache_write_tokens,
        "cost_usd": cost,
    })
}

fn settings(settings: &Settings) -> Value {
    json!({
        "model": settings.model.as_ref().map(ModelRef::to_string),
        "effort": settings.effort.map(Effort::as_str),
        "queue": settings.queue.map(queue_name),
    })
}

fn failure(failure: &TurnFailure) -> Value {
    json!({
        "kind": failure.kind.map(FailureKind::as_str),
        "message": failure.message, "hint": failure.hint,
    })
}

fn cause(cause: &Cause) -> &str {
    match cause {
        Cause::Client(name) => name,
        Cause::Daemon => "daemon",
        Cause::Model => "model",
    }
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Owner => "owner",
        Origin::Config => "config",
        Origin::Workspace => "workspace",
        Origin::Peer => "peer",
        Origin::Tool => "tool",
        Origin::Web => "web",
    }
}

fn queue_name(queue: QueueMode) -> &'static str {
    match queue {
        QueueMode::Followup => "followup",
        QueueMode::Collect => "collect",
        QueueMode::Steer => "steer",
    }
}

fn ending_name(ending: Ending) -> &'static str {
    match ending {
        Ending::Done => "done",
        Ending::Failed => "failed",
        Ending::Cancelled => "cancelled",
        Ending::Interrupted => "interrupted",
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warning => "warning",
    }
}
