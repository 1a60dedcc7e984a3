//! Requests.

use moltis_core::message::{Message, Part, Role};
use moltis_core::provider::{Request, ToolSpec};
use serde_json::{Map, Value, json};

use crate::dialect::Call;
use crate::endpoint::Endpoint;
use crate::openai::effort_word;
use crate::parts;

/// Marks an encrypted reasoning item in a signature.
pub(super) const SEAL: &str = "responses";

/// The request for an answer.
pub(crate) fn call(request: &Request, endpoint: &Endpoint) -> Call {
    let mut body = Map::new();
    body.insert("model".into(), json!(&*request.model.id.model));
    if !request.system.is_empty() {
        body.insert("instructions".into(), json!(request.system));
    }
    body.insert("input".into(), Value::Array(input(request)));
    body.insert("stream".into(), json!(true));
    body.insert("store".into(), json!(false));
    if endpoint.quirks.prompt_cache_key {
        body.insert("prompt_cache_key".into(), json!(request.session.as_str()));
    }
    if let Some(most) = request.max_output {
        body.insert("max_output_tokens".into(), json!(most));
    }
    if !request.tools.is_empty() {
        let tool = |tool: &ToolSpec| {
            json!({
                "type": "function", "name": tool.name, "description": tool.description,
                "parameters": tool.parameters, "strict": false,
            })
        };
        body.insert("tools".into(), request.tools.iter().map(tool).collect());
    }
    if request.model.reasoning {
        // Models that do not reason refuse both.
        body.insert("include".into(), json!(["reasoning.encrypted_content"]));
        let mut reasoning = json!({"summary": "auto"});
        if let (Some(effort), Some(fields)) = (request.effort, reasoning.as_object_mut()) {
            fields.insert("effort".into(), json!(effort_word(&request.model.id.model, effort)));
        }
        body.insert("reasoning".into(), reasoning);
    }
    Call { path: "/responses".to_owned(), body: Value::Object(body) }
}

fn input(request: &Request) -> Vec<Value> {
    let mut list = Vec::new();
    for message in &request.messages {
        match message.role {
            Role::User => list.push(user(&message.parts, request)),
            Role::Assistant => assistant(message, request, &mut list),
            Role::Tool => tool(message, request, &mut list),
        }
    }
    list
}

fn user(parts: &[Part], request: &Request) -> Value {
    let block = |part: &Part| match part {
        Part::Text(text) => Some(json!({"type": "input_text", "text": text})),
        Part::Image { media_type, data } if request.model.images => {
            let url = parts::data_url(media_type, data);
            Some(json!({"type": "input_image", "image_url": url, "detail": "auto"}))
        }
        Part::Image { .. } => Some(json!({"type": "input_text", "text": parts::NO_EYES})),
        Part::Reasoning { .. } | Part::ToolCall { .. } | Part::ToolResult { .. } => None,
    };
    let content: Vec<Value> = parts.iter().filter_map(block).collect();
    json!({"type": "message", "role": "user", "content": content})
}

fn assistant(message: &Message, request: &Request, list: &mut Vec<Value>) {
    // A thought that nothing follows is refused, with every later request of the session.
    let mut thoughts = Vec::new();
    for part in &message.parts {
        match part {
            Part::Text(text) if text.is_empty() => {}
            Part::Text(text) => {
                list.append(&mut thoughts);
                list.push(json!({
                    "type": "message", "role": "assistant",
                    "content": [{"type": "output_text", "text": text, "annotations": []}],
                }));
            }
            Part::Reasoning { signature, .. } if request.model.reasoning => {
                // Without its proof a thought is of no use to the vendor.
                let proof = parts::unseal(SEAL, signature.as_ref());
                thoughts.extend(proof.and_then(|proof| serde_json::from_str::<Value>(proof).ok()));
            }
            Part::ToolCall { id, name, arguments } => {
                list.append(&mut thoughts);
                list.push(json!({
                    "type": "function_call", "call_id": parts::short_id(id.as_str(), 64),
                    "name": parts::call_name(name),
                    "arguments": parts::arguments_text(arguments),
                }));
            }
            Part::Reasoning { .. } | Part::Image { .. } | Part::ToolResult { .. } => {}
        }
    }
}

fn tool(message: &Message, request: &Request, list: &mut Vec<Value>) {
    for part in &message.parts {
        if let Part::ToolResult { id, text, failed } = part {
            list.push(json!({
                "type": "function_call_output", "call_id": parts::short_id(id.as_str(), 64),
                "output": parts::result_text(text, *failed),
            }));
        }
    }
    let shown = |part: &&Part| matches!(part, Part::Text(_) | Part::Image { .. });
    let rest: Vec<Part> = message.parts.iter().filter(shown).cloned().collect();
    if !rest.is_empty() {
        list.push(user(&rest, request));
    }
}
