//! Requests.

use std::borrow::Cow;
use std::collections::HashMap;

use moltis_core::message::{Message, Part, Role};
use moltis_core::provider::{Effort, Request, ToolSpec};
use serde_json::{Map, Value, json};

use crate::dialect::{Call, is_made_up};
use crate::parts;

/// Marks Gemini's proofs in a signature.
pub(super) const SEAL: &str = "gemini";

/// What stands in for the proof of a call that another vendor's model made; Gemini documents it
/// for just that.
const NO_PROOF: &str = "skip_thought_signature_validator";

/// The request for an answer.
pub(crate) fn call(request: &Request) -> Call {
    let mut body = Map::new();
    if !request.system.is_empty() {
        body.insert("systemInstruction".into(), json!({"parts": [{"text": request.system}]}));
    }
    body.insert("contents".into(), Value::Array(contents(request)));
    if !request.tools.is_empty() {
        let tool = |tool: &ToolSpec| {
            json!({
                "name": tool.name, "description": tool.description,
                "parametersJsonSchema": tool.parameters,
            })
        };
        let list: Vec<Value> = request.tools.iter().map(tool).collect();
        body.insert("tools".into(), json!([{"functionDeclarations": list}]));
    }
    let config = config(request);
    if !config.is_empty() {
        body.insert("generationConfig".into(), Value::Object(config));
    }
    let path = format!("/models/{}:streamGenerateContent?alt=sse", request.model.id.model);
    Call { path, body: Value::Object(body) }
}

fn config(request: &Request) -> Map<String, Value> {
    let mut config = Map::new();
    if let Some(most) = request.max_output {
        config.insert("maxOutputTokens".into(), json!(most));
    }
    if request.model.reasoning {
        let mut thinking = json!({"includeThoughts": true});
        if let (Some(effort), Some(fields)) = (request.effort, thinking.as_object_mut()) {
            let (name, value) = effort_field(&request.model.id.model, effort);
            fields.insert(name.into(), value);
        }
        config.insert("thinkingConfig".into(), thinking);
    }
    config
}

/// Up to 2.5 a budget in tokens, from 3 on a level; `pro` models can't be told not to think.
fn effort_field(model: &str, effort: Effort) -> (&'static str, Value) {
    let is_pro = model.contains("pro");
    if model.contains("gemini-2") {
        let budget = match effort {
            Effort::Minimal if is_pro => 128,
            Effort::Minimal => 0,
            Effort::Low => 1_024,
            Effort::Medium => 8_192,
            Effort::High => 24_576,
        };
        return ("thinkingBudget", json!(budget));
    }
    let level = match effort {
        Effort::Minimal if is_pro => "low",
        Effort::Medium if model.contains("gemini-3-pro") => "high",
        other => other.as_str(),
    };
    ("thinkingLevel", json!(level))
}

fn contents(request: &Request) -> Vec<Value> {
    let names = parts::tool_names(request);
    let needs_proof = !request.model.id.model.contains("gemini-2") && request.model.reasoning;
    let mut list: Vec<(&str, Vec<Value>)> = Vec::new();
    for message in &request.messages {
        let (role, parts) = match message.role {
            Role::User => ("user", said(message, request)),
            Role::Tool => ("user", answered(message, request, &names)),
            Role::Assistant => ("model", answer(message, needs_proof)),
        };
        match list.last_mut() {
            Some((last, content)) if *last == role => content.extend(parts),
            _ if parts.is_empty() => {}
            _ => list.push((role, parts)),
        }
    }
    list.into_iter().map(|(role, parts)| json!({"role": role, "parts": parts})).collect()
}

fn said(message: &Message, request: &Request) -> Vec<Value> {
    let part = |part: &Part| match part {
        Part::Text(text) => Some(json!({"text": text})),
        Part::Image { media_type, data } if request.model.images => {
            Some(json!({"inlineData": {"mimeType": media_type, "data": parts::base64(data)}}))
        }
        Part::Image { .. } => Some(json!({"text": parts::NO_EYES})),
        Part::Reasoning { .. } | Part::ToolCall { .. } | Part::ToolResult { .. } => None,
    };
    message.parts.iter().filter_map(part).collect()
}

fn answered(
    message: &Message,
    request: &Request,
    names: &HashMap<&str, Cow<'_, str>>,
) -> Vec<Value> {
    let result = |part: &Part| match part {
        Part::ToolResult { id, text, failed } => {
            let name = names.get(id.as_str()).map_or("unknown", |name| name);
            let word = if *failed { "error" } else { "output" };
            let answer = json!({"name": name, "response": {word: text}});
            Some(json!({"functionResponse": with_id(answer, id.as_str())}))
        }
        Part::Text(_) | Part::Image { .. } | Part::Reasoning { .. } | Part::ToolCall { .. } => None,
    };
    let mut list: Vec<Value> = message.parts.iter().filter_map(result).collect();
    list.extend(said(message, request));
    list
}

/// A call or its answer with the id of the call, where the vendor gave it one.
fn with_id(mut fields: Value, id: &str) -> Value {
    if let (false, Some(fields)) = (is_made_up(id), fields.as_object_mut()) {
        fields.insert("id".into(), json!(id));
    }
    fields
}

/// What the model said. A proof belongs to the part that follows it.
fn answer(message: &Message, needs_proof: bool) -> Vec<Value> {
    let mut list = Vec::new();
    let mut proof: Option<String> = None;
    let mut called = false;
    for part in &message.parts {
        let mut fields = match part {
            Part::Reasoning { signature, .. } => {
                proof = parts::unseal(SEAL, signature.as_ref()).map(str::to_owned).or(proof);
                continue;
            }
            Part::Text(text) if text.is_empty() => continue,
            Part::Text(text) => json!({"text": text}),
            Part::ToolCall { id, name, arguments } => {
                if !called && needs_proof {
                    proof = proof.or_else(|| Some(NO_PROOF.to_owned()));
                }
                called = true;
                let call =
                    json!({"name": parts::call_name(name), "args": parts::arguments(arguments)});
                json!({"functionCall": with_id(call, id.as_str())})
            }
            Part::Image { .. } | Part::ToolResult { .. } => continue,
        };
        if let (Some(proof), Some(fields)) = (proof.take(), fields.as_object_mut()) {
            fields.insert("thoughtSignature".into(), json!(proof));
        }
        list.push(fields);
    }
    if let Some(proof) = proof {
        list.push(json!({"text": "", "thoughtSignature": proof}));
    }
    list
}
