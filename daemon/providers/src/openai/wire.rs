//! Requests.

use moltis_core::message::{Message, Part, Role};
use moltis_core::provider::{Effort, Request};
use serde_json::{Map, Value, json};

use crate::dialect::Call;
use crate::endpoint::Endpoint;
use crate::parts;
use crate::vendors::{CallIds, EffortStyle, Replay};

/// The request for an answer.
pub(crate) fn call(request: &Request, endpoint: &Endpoint) -> Call {
    let quirks = &endpoint.quirks;
    let mut body = Map::new();
    body.insert("model".into(), json!(&*request.model.id.model));
    body.insert("messages".into(), Value::Array(messages(request, endpoint)));
    body.insert("stream".into(), json!(true));
    if quirks.stream_options {
        body.insert("stream_options".into(), json!({"include_usage": true}));
    }
    if quirks.usage_cost {
        body.insert("usage".into(), json!({"include": true}));
    }
    if quirks.prompt_cache_key {
        body.insert("prompt_cache_key".into(), json!(request.session.as_str()));
    }
    if let Some(most) = request.max_output {
        let field =
            if quirks.max_completion_tokens { "max_completion_tokens" } else { "max_tokens" };
        body.insert(field.into(), json!(most));
    }
    if !request.tools.is_empty() {
        body.insert("tools".into(), tools(request));
    }
    if let Some((field, value)) = effort(request, quirks.effort) {
        body.insert(field.into(), value);
    }
    Call { path: "/chat/completions".to_owned(), body: Value::Object(body) }
}

fn tools(request: &Request) -> Value {
    let tool = |tool: &moltis_core::provider::ToolSpec| {
        json!({"type": "function", "function": {
            "name": tool.name, "description": tool.description, "parameters": tool.parameters,
        }})
    };
    request.tools.iter().map(tool).collect()
}

fn effort(request: &Request, style: EffortStyle) -> Option<(&'static str, Value)> {
    let effort = request.effort.filter(|_| request.model.reasoning)?;
    let model = &request.model.id.model;
    match style {
        EffortStyle::QwenSwitch if model.contains("qwen") => {
            let word = if effort == Effort::Minimal { "none" } else { "default" };
            Some(("reasoning_effort", json!(word)))
        }
        EffortStyle::Plain | EffortStyle::QwenSwitch => {
            Some(("reasoning_effort", json!(effort_word(model, effort))))
        }
        EffortStyle::Grok => grok_word(model, effort).map(|word| ("reasoning_effort", json!(word))),
        EffortStyle::Object => Some(("reasoning", json!({"effort": effort.as_str()}))),
        EffortStyle::Switch => {
            let state = if effort == Effort::Minimal { "disabled" } else { "enabled" };
            Some(("thinking", json!({"type": state})))
        }
        EffortStyle::Never => None,
    }
}

/// xAI's word for an effort; `None` for the models that refuse the field.
fn grok_word(model: &str, effort: Effort) -> Option<&'static str> {
    let (_, version) = model.split_once("grok-")?;
    if version.starts_with("3-mini") {
        return Some(if effort <= Effort::Low { "low" } else { "high" });
    }
    let version: f32 = version.split('-').next()?.parse().ok().filter(|number| *number >= 4.3)?;
    Some(match effort {
        Effort::Minimal if version < 4.5 => "none",
        Effort::Minimal => "low",
        other => other.as_str(),
    })
}

/// OpenAI's word for an effort. `minimal` was understood by the first GPT-5 only; later ones say
/// `none`, and the models that always think begin at `low`, the `pro` ones higher.
pub(crate) fn effort_word(model: &str, effort: Effort) -> &'static str {
    let name = model.rsplit('/').next().unwrap_or(model);
    if name.starts_with("gpt-5-pro") {
        return "high";
    }
    if name.starts_with("gpt-5.") && name.contains("-pro") {
        return effort.max(Effort::Medium).as_str();
    }
    if effort != Effort::Minimal {
        return effort.as_str();
    }
    let always_thinks = ["codex", "-pro"].iter().any(|mark| name.contains(mark));
    if always_thinks {
        "low"
    } else if name.starts_with("gpt-5.") {
        "none"
    } else if name.starts_with("gpt-5") {
        "minimal"
    } else {
        "low"
    }
}

fn messages(request: &Request, endpoint: &Endpoint) -> Vec<Value> {
    let caches = endpoint.quirks.cache_control && request.model.id.model.contains("claude");
    let mut list = Vec::with_capacity(request.messages.len() + 1);
    let in_user = endpoint.quirks.system_in_user;
    if !request.system.is_empty() && !in_user {
        let mut content = json!(request.system);
        if caches {
            content = json!([{"type": "text", "text": request.system, "cache_control": {"type": "ephemeral"}}]);
        }
        list.push(json!({"role": "system", "content": content}));
    }
    let open = parts::open_calls_from(&request.messages);
    for (at, message) in request.messages.iter().enumerate() {
        match message.role {
            Role::User => list.push(user(message, request)),
            Role::Assistant => list.push(assistant(message, endpoint, at >= open)),
            Role::Tool => tool(message, request, endpoint, &mut list),
        }
    }
    if in_user && !request.system.is_empty() {
        prepend_system(&mut list, &request.system);
    }
    if caches {
        mark_last_user(&mut list);
    }
    list
}

fn prepend_system(list: &mut Vec<Value>, system: &str) {
    let first = list.iter_mut().find(|message| message["role"] == "user");
    match first.and_then(|message| message.get_mut("content")) {
        Some(Value::String(text)) => *text = format!("{system}\n\n{text}"),
        Some(Value::Array(blocks)) => blocks.insert(0, json!({"type": "text", "text": system})),
        _ => list.insert(0, json!({"role": "user", "content": system})),
    }
}

fn mark_last_user(list: &mut [Value]) {
    let last = list.iter_mut().rfind(|message| message["role"] == "user");
    let Some(content) = last.and_then(|message| message.get_mut("content")) else { return };
    if let Value::String(text) = content {
        *content = json!([{"type": "text", "text": text}]);
    }
    let block = content.as_array_mut().and_then(|blocks| blocks.last_mut());
    if let Some(Value::Object(block)) = block {
        block.insert("cache_control".into(), json!({"type": "ephemeral"}));
    }
}

fn user(message: &Message, request: &Request) -> Value {
    if let [Part::Text(text)] = message.parts.as_slice() {
        return json!({"role": "user", "content": text});
    }
    json!({"role": "user", "content": blocks(&message.parts, request)})
}

fn blocks(parts: &[Part], request: &Request) -> Vec<Value> {
    let block = |part: &Part| match part {
        Part::Text(text) => Some(json!({"type": "text", "text": text})),
        Part::Image { media_type, data } if request.model.images => {
            let url = parts::data_url(media_type, data);
            Some(json!({"type": "image_url", "image_url": {"url": url}}))
        }
        Part::Image { .. } => Some(json!({"type": "text", "text": parts::NO_EYES})),
        Part::Reasoning { .. } | Part::ToolCall { .. } | Part::ToolResult { .. } => None,
    };
    parts.iter().filter_map(block).collect()
}

fn assistant(message: &Message, endpoint: &Endpoint, is_open: bool) -> Value {
    let mut fields = Map::new();
    fields.insert("role".into(), json!("assistant"));
    let text = moltis_core::message::text_of(&message.parts);
    let mut calls = Vec::new();
    let (mut thought, mut details) = (String::new(), Vec::new());
    for part in &message.parts {
        match part {
            Part::ToolCall { id, name, arguments } => calls.push(json!({
                "id": wire_id(id.as_str(), endpoint.quirks.call_ids),
                "type": "function",
                "function": {
                    "name": parts::call_name(name), "arguments": parts::arguments_text(arguments),
                },
            })),
            Part::Reasoning { text, signature } => {
                thought.push_str(text);
                let proof = parts::unseal(super::stream::DETAILS, signature.as_ref());
                let list: Option<Vec<Value>> =
                    proof.and_then(|proof| serde_json::from_str(proof).ok());
                details.extend(list.unwrap_or_default());
            }
            Part::Text(_) | Part::Image { .. } | Part::ToolResult { .. } => {}
        }
    }
    let content = if text.is_empty() && !calls.is_empty() { Value::Null } else { json!(text) };
    fields.insert("content".into(), content);
    let wants = !calls.is_empty() && is_open;
    match endpoint.quirks.replay {
        Replay::Content if wants && !thought.is_empty() => {
            fields.insert("reasoning_content".into(), json!(thought));
        }
        Replay::Details if !details.is_empty() => {
            fields.insert("reasoning_details".into(), Value::Array(details));
        }
        Replay::Content | Replay::Details | Replay::Never => {}
    }
    if !calls.is_empty() {
        fields.insert("tool_calls".into(), Value::Array(calls));
    }
    Value::Object(fields)
}

fn tool(message: &Message, request: &Request, endpoint: &Endpoint, list: &mut Vec<Value>) {
    for part in &message.parts {
        if let Part::ToolResult { id, text, failed } = part {
            list.push(json!({
                "role": "tool",
                "tool_call_id": wire_id(id.as_str(), endpoint.quirks.call_ids),
                "content": parts::result_text(text, *failed),
            }));
        }
    }
    // A tool's message holds text only: what it shows is shown by the user.
    let shown = blocks(&message.parts, request);
    if !shown.is_empty() {
        list.push(json!({"role": "user", "content": shown}));
    }
}

/// A call's id as the vendor takes it.
fn wire_id(id: &str, rule: CallIds) -> String {
    match rule {
        CallIds::Forty => parts::short_id(id, 40),
        CallIds::Nine if id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            id.to_owned()
        }
        CallIds::Nine => format!("{:09x}", parts::digest(id) & 0xF_FFFF_FFFF),
    }
}
