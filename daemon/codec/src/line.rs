//! An event as one JSON object: a line of a transcript, of an export, of `sessions history --json`.
//!
//! The shape is part of the command-line contract: fields are snake case, times RFC 3339 UTC, money
//! in US dollars. It grows by adding. It is for reading; nothing is ever read back from it.

use moltis_core::event::{Answer, Ending, Event, EventKind, Level, TurnFailure};
use moltis_core::message::{Part, Usage, text_of};
use moltis_core::session::{QueueMode, Settings};
use serde_json::{Map, Value, json};

/// The event as a JSON object: `seq`, `at`, `turn` (or null), `kind`, and what belongs to the kind.
pub fn event_to_json(event: &Event) -> Value {
    let mut object = Map::new();
    object.insert("seq".to_owned(), event.seq.into());
    object.insert("at".to_owned(), event.at.to_string().into());
    object.insert("turn".to_owned(), event.turn.as_ref().map(ToString::to_string).into());
    let (kind, fields) = kind_to_json(&event.kind);
    object.insert("kind".to_owned(), kind.into());
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    Value::Object(object)
}

fn kind_to_json(kind: &EventKind) -> (&'static str, Value) {
    match kind {
        EventKind::SessionCreated { agent, key, settings } => (
            "session_created",
            json!({"agent": agent, "key": key, "settings": settings_to_json(settings)}),
        ),
        EventKind::SessionForked { parent, parent_seq } => {
            ("session_forked", json!({"parent": parent.as_str(), "parent_seq": parent_seq}))
        }
        EventKind::TitleChanged { title, automatic, .. } => {
            ("title_changed", json!({"title": title, "automatic": automatic}))
        }
        EventKind::ArchivedChanged { archived } => {
            ("archived_changed", json!({"archived": archived}))
        }
        EventKind::SettingsChanged { settings } => {
            ("settings_changed", json!({"settings": settings_to_json(settings)}))
        }
        EventKind::UserMessage { item, op, parts, queue, .. } => (
            "user",
            json!({
                "item": item.as_str(),
                "op_id": op.as_str(),
                "text": text_of(parts),
                "images": images_to_json(parts),
                "queue": queue_name(*queue),
            }),
        ),
        EventKind::TurnStarted { model } => ("turn_started", json!({"model": model.to_string()})),
        EventKind::AssistantMessage { item, parts, answer, partial } => {
            let mut fields = answer_to_json(answer);
            fields["item"] = item.as_str().into();
            fields["text"] = text_of(parts).into();
            fields["reasoning"] = reasoning_of(parts).into();
            fields["partial"] = (*partial).into();
            ("assistant", fields)
        }
        EventKind::Notice { item, level, text } => {
            ("notice", json!({"item": item.as_str(), "level": level_name(*level), "text": text}))
        }
        EventKind::TurnEnded { ending, failure, usage } => (
            "turn_ended",
            json!({
                "state": ending_name(*ending),
                "error": failure.as_ref().map(failure_to_json),
                "usage": usage_to_json(*usage),
            }),
        ),
    }
}

fn settings_to_json(settings: &Settings) -> Value {
    json!({
        "model": settings.model.as_ref().map(ToString::to_string),
        "effort": settings.effort.map(moltis_core::provider::Effort::as_str),
        "queue": settings.queue.map(queue_name),
    })
}

fn answer_to_json(answer: &Answer) -> Value {
    json!({
        "model": answer.model.to_string(),
        "usage": usage_to_json(answer.usage),
        "first_token_ms": answer.first_token.map(milliseconds),
        "took_ms": milliseconds(answer.took),
    })
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Usage with the unit of money in its name.
pub fn usage_to_json(usage: Usage) -> Value {
    json!({
        "input": usage.input_tokens,
        "output": usage.output_tokens,
        "cache_read": usage.cache_read_tokens,
        "cache_write": usage.cache_write_tokens,
        "cost_usd": dollars(usage.cost_microusd),
    })
}

/// Millionths of a dollar as dollars, exact to the last digit.
fn dollars(micro: u64) -> Value {
    format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000)
        .parse::<f64>()
        .map_or(Value::Null, Value::from)
}

fn failure_to_json(failure: &TurnFailure) -> Value {
    json!({
        "code": failure.kind.map(moltis_core::provider::FailureKind::as_str),
        "message": failure.message,
        "hint": failure.hint,
    })
}

fn images_to_json(parts: &[Part]) -> Value {
    let images = parts.iter().filter_map(|part| match part {
        Part::Image { media_type, data } => {
            Some(json!({"media_type": media_type, "bytes": data.len()}))
        }
        Part::Text(_)
        | Part::Reasoning { .. }
        | Part::ToolCall { .. }
        | Part::ToolResult { .. } => None,
    });
    Value::Array(images.collect())
}

/// The reasoning of some parts, joined.
pub fn reasoning_of(parts: &[Part]) -> String {
    let thoughts = parts.iter().filter_map(|part| match part {
        Part::Reasoning { text, .. } => Some(text.as_str()),
        Part::Text(_) | Part::Image { .. } | Part::ToolCall { .. } | Part::ToolResult { .. } => {
            None
        }
    });
    thoughts.collect()
}

fn queue_name(queue: QueueMode) -> &'static str {
    match queue {
        QueueMode::Followup => "followup",
        QueueMode::Collect => "collect",
        QueueMode::Steer => "steer",
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warning => "warning",
    }
}

/// The name of a turn's end in `--json`.
pub fn ending_name(ending: Ending) -> &'static str {
    match ending {
        Ending::Done => "done",
        Ending::Failed => "failed",
        Ending::Cancelled => "cancelled",
        Ending::Interrupted => "interrupted",
    }
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
