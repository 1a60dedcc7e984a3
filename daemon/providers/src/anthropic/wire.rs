//! Requests.

use moltis_core::message::{Message, Part, Role};
use moltis_core::provider::{Effort, Request, ToolSpec};
use serde_json::{Map, Value, json};

use crate::dialect::Call;
use crate::endpoint::Endpoint;
use crate::parts;
use crate::table;

/// The headers of every request.
pub(crate) const HEADERS: &[(&str, &str)] = &[("anthropic-version", "2023-06-01")];

/// Marks Anthropic's proofs in a signature, and thoughts that it hides altogether.
pub(super) const SEAL: &str = "anthropic";
pub(super) const HIDDEN: &str = "anthropic-redacted";

/// What a model may write of which nothing is known: every one of the last two years can.
const DEFAULT_OUTPUT: u64 = 32_000;
/// What is asked for where the prompt leaves no room: the estimate may be too high.
const LEAST_OUTPUT: u64 = 1_024;
const SMALLEST_BUDGET: u64 = 1_024;

/// The request for an answer.
pub(crate) fn call(request: &Request, _endpoint: &Endpoint) -> Call {
    let mut body = Map::new();
    body.insert("model".into(), json!(&*request.model.id.model));
    if !request.system.is_empty() {
        body.insert(
            "system".into(),
            json!([{"type": "text", "text": request.system, "cache_control": {"type": "ephemeral"}}]),
        );
    }
    body.insert("messages".into(), Value::Array(messages(request)));
    body.insert("stream".into(), json!(true));
    if !request.tools.is_empty() {
        let tool = |tool: &ToolSpec| {
            json!({
                "name": tool.name, "description": tool.description,
                "input_schema": tool.parameters,
            })
        };
        body.insert("tools".into(), request.tools.iter().map(tool).collect());
    }
    limits(request, &mut body);
    Call { path: "/v1/messages".to_owned(), body: Value::Object(body) }
}

/// `max_tokens` must be said, holds thinking and answer together, and is refused where it does not
/// fit the window beside the prompt.
fn limits(request: &Request, body: &mut Map<String, Value>) {
    let window = request.model.context_window.unwrap_or(u64::MAX);
    let room = window.saturating_sub(parts::prompt_tokens(request)).max(LEAST_OUTPUT);
    let limit = request.model.output_limit.unwrap_or(DEFAULT_OUTPUT).min(room);
    let answer = request.max_output.unwrap_or(limit).min(limit).max(1);
    let effort = request.effort.filter(|_| request.model.reasoning && may_think(request));
    let Some(effort) = effort else {
        body.insert("max_tokens".into(), json!(answer));
        return;
    };
    if thinks_by_itself(&request.model.id.model) {
        body.insert("max_tokens".into(), json!(answer));
        // Newer models hide their thoughts unless asked.
        body.insert("thinking".into(), json!({"type": "adaptive", "display": "summarized"}));
        let word = if effort == Effort::Minimal { "low" } else { effort.as_str() };
        body.insert("output_config".into(), json!({"effort": word}));
        return;
    }
    // The budget comes on top of what the answer may have, and leaves room for it at the limit.
    let room = limit.saturating_sub(answer.min(limit / 4).max(1));
    let budget = budget(effort).min(room);
    if budget < SMALLEST_BUDGET {
        body.insert("max_tokens".into(), json!(answer));
        return;
    }
    body.insert("max_tokens".into(), json!(answer.saturating_add(budget).min(limit)));
    body.insert("thinking".into(), json!({"type": "enabled", "budget_tokens": budget}));
}

fn budget(effort: Effort) -> u64 {
    match effort {
        Effort::Minimal => SMALLEST_BUDGET,
        Effort::Low => 4_096,
        Effort::Medium => 10_240,
        Effort::High => 32_768,
    }
}

/// From Claude 4.6 on a model decides itself how much to think; from 4.7 on a budget is refused.
fn thinks_by_itself(model: &str) -> bool {
    table::claude_version(model).is_some_and(|version| version >= (4, 6))
}

/// While calls are being answered, thinking needs the signed thoughts that came before the calls.
/// A session that was with another vendor then does not have them.
fn may_think(request: &Request) -> bool {
    let open = parts::open_calls_from(&request.messages);
    request.messages.iter().skip(open).filter(|message| message.role == Role::Assistant).all(
        |message| {
            let calls = message.parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
            !calls || message.parts.iter().any(|part| thought(part).is_some())
        },
    )
}

/// A thought as Anthropic wants it back; `None` for what is none, or is not Anthropic's.
fn thought(part: &Part) -> Option<Value> {
    let Part::Reasoning { text, signature } = part else { return None };
    if let Some(data) = parts::unseal(HIDDEN, signature.as_ref()) {
        return Some(json!({"type": "redacted_thinking", "data": data}));
    }
    let proof = parts::unseal(SEAL, signature.as_ref())?;
    Some(json!({"type": "thinking", "thinking": text, "signature": proof}))
}

/// The conversation: roles alternate, so messages of the same side become one.
fn messages(request: &Request) -> Vec<Value> {
    let mut list: Vec<(&str, Vec<Value>)> = Vec::new();
    for message in &request.messages {
        let role = match message.role {
            Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
        };
        let blocks = blocks(message, request);
        match list.last_mut() {
            Some((last, content)) if *last == role => content.extend(blocks),
            _ if blocks.is_empty() => {}
            _ => list.push((role, blocks)),
        }
    }
    if let Some((_, content)) = list.iter_mut().rfind(|(role, _)| *role == "user")
        && let Some(Value::Object(block)) = content.last_mut()
    {
        block.insert("cache_control".into(), json!({"type": "ephemeral"}));
    }
    list.into_iter().map(|(role, content)| json!({"role": role, "content": content})).collect()
}

fn blocks(message: &Message, request: &Request) -> Vec<Value> {
    let mut list: Vec<Value> =
        message.parts.iter().filter_map(|part| block(part, request)).collect();
    if message.role == Role::Tool {
        // The answers of tools must stand before anything else.
        list.sort_by_key(|block| block["type"] != "tool_result");
    }
    list
}

fn block(part: &Part, request: &Request) -> Option<Value> {
    match part {
        Part::Text(text) if text.trim().is_empty() => None,
        Part::Text(text) => Some(json!({"type": "text", "text": text})),
        Part::Reasoning { .. } => thought(part),
        Part::Image { media_type, data } if request.model.images => Some(json!({
            "type": "image",
            "source": {"type": "base64", "media_type": media_type, "data": parts::base64(data)},
        })),
        Part::Image { .. } => Some(json!({"type": "text", "text": parts::NO_EYES})),
        Part::ToolCall { id, name, arguments } => Some(json!({
            "type": "tool_use", "id": wire_id(id.as_str()), "name": parts::call_name(name),
            "input": parts::arguments(arguments),
        })),
        Part::ToolResult { id, text, failed } => {
            let mut block = json!({
                "type": "tool_result", "tool_use_id": wire_id(id.as_str()), "content": text,
            });
            if let (true, Some(fields)) = (*failed, block.as_object_mut()) {
                fields.insert("is_error".into(), json!(true));
            }
            Some(block)
        }
    }
}

/// A call's id of whichever vendor, in the letters that Anthropic allows.
fn wire_id(id: &str) -> String {
    id.chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' })
        .collect()
}
