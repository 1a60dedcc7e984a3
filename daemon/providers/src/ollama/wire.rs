//! Requests.

use moltis_core::message::{Message, Part, Role, text_of};
use moltis_core::provider::{Effort, Request, ToolSpec};
use serde_json::{Map, Value, json};

use crate::dialect::Call;
use crate::parts;

/// Sizes of the context that are asked for. Few of them, because another size loads the model
/// anew; asked for at all, because Ollama's own default is less than most conversations need.
const CONTEXTS: [u64; 4] = [16_384, 32_768, 131_072, 262_144];
/// Room for an answer of which nothing is said, thoughts included.
const ANSWER: u64 = 8_192;

/// The request for an answer.
pub(crate) fn call(request: &Request) -> Call {
    let mut body = Map::new();
    body.insert("model".into(), json!(&*request.model.id.model));
    let mut options = Map::new();
    if let Some(most) = request.max_output {
        options.insert("num_predict".into(), json!(most));
    }
    options.insert("num_ctx".into(), json!(context(request)));
    body.insert("messages".into(), Value::Array(messages(request)));
    body.insert("stream".into(), json!(true));
    // Without these Ollama forgets the beginning of what does not fit, and says nothing of it.
    body.insert("truncate".into(), json!(false));
    body.insert("shift".into(), json!(false));
    body.insert("options".into(), Value::Object(options));
    if !request.tools.is_empty() {
        let tool = |tool: &ToolSpec| {
            json!({"type": "function", "function": {
                "name": tool.name, "description": tool.description, "parameters": tool.parameters,
            }})
        };
        body.insert("tools".into(), request.tools.iter().map(tool).collect());
    }
    if let Some(effort) = request.effort.filter(|_| request.model.reasoning) {
        body.insert("think".into(), think(&request.model.id.model, effort));
    }
    Call { path: "/api/chat".to_owned(), body: Value::Object(body) }
}

/// gpt-oss has levels, all others think or do not.
fn think(model: &str, effort: Effort) -> Value {
    if model.contains("gpt-oss") {
        return json!(if effort == Effort::Minimal { "low" } else { effort.as_str() });
    }
    json!(effort != Effort::Minimal)
}

/// The smallest size that surely holds prompt and answer, at most what the model has.
fn context(request: &Request) -> u64 {
    let answer = request.max_output.unwrap_or(ANSWER);
    let wanted = parts::prompt_tokens(request).saturating_add(answer);
    let most = request.model.context_window.unwrap_or(CONTEXTS[1]);
    let size = CONTEXTS.into_iter().find(|size| *size >= wanted).unwrap_or(most);
    size.min(most)
}

fn messages(request: &Request) -> Vec<Value> {
    let mut list = Vec::new();
    if !request.system.is_empty() {
        list.push(json!({"role": "system", "content": request.system}));
    }
    let names = parts::tool_names(request);
    let open = parts::open_calls_from(&request.messages);
    for (at, message) in request.messages.iter().enumerate() {
        match message.role {
            Role::User => list.push(user(message, request)),
            Role::Assistant => list.push(assistant(message, at >= open)),
            Role::Tool => {
                for part in &message.parts {
                    if let Part::ToolResult { id, text, failed } = part {
                        list.push(json!({
                            "role": "tool",
                            "tool_name": names.get(id.as_str()).map_or("unknown", |name| name),
                            "content": parts::result_text(text, *failed),
                        }));
                    }
                }
                if message
                    .parts
                    .iter()
                    .any(|part| matches!(part, Part::Text(_) | Part::Image { .. }))
                {
                    list.push(user(message, request));
                }
            }
        }
    }
    list
}

fn user(message: &Message, request: &Request) -> Value {
    let mut text = text_of(&message.parts);
    let mut images = Vec::new();
    for part in &message.parts {
        match part {
            Part::Image { data, .. } if request.model.images => images.push(parts::base64(data)),
            Part::Image { .. } => text = format!("{text}\n{}", parts::NO_EYES),
            Part::Text(_)
            | Part::Reasoning { .. }
            | Part::ToolCall { .. }
            | Part::ToolResult { .. } => {}
        }
    }
    if images.is_empty() {
        return json!({"role": "user", "content": text});
    }
    json!({"role": "user", "content": text, "images": images})
}

fn assistant(message: &Message, is_open: bool) -> Value {
    let mut fields = Map::new();
    fields.insert("role".into(), json!("assistant"));
    fields.insert("content".into(), json!(text_of(&message.parts)));
    let mut calls = Vec::new();
    let mut thought = String::new();
    for part in &message.parts {
        match part {
            Part::ToolCall { name, arguments, .. } => calls.push(json!({
                "function": {
                    "name": parts::call_name(name), "arguments": parts::arguments(arguments),
                },
            })),
            Part::Reasoning { text, .. } => thought.push_str(text),
            Part::Text(_) | Part::Image { .. } | Part::ToolResult { .. } => {}
        }
    }
    if is_open && !thought.is_empty() {
        fields.insert("thinking".into(), json!(thought));
    }
    if !calls.is_empty() {
        fields.insert("tool_calls".into(), Value::Array(calls));
    }
    Value::Object(fields)
}
