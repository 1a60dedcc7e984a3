//! What the dialects' writers share: pictures, proofs of reasoning, calls in progress.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moltis_core::message::{Message, Part, Role};
use moltis_core::provider::{Request, ToolSpec};
use serde_json::{Map, Value};

/// What a model that has no eyes is told instead of a picture.
pub(crate) const NO_EYES: &str = "[a picture, which this model can't see]";

/// Bytes as base 64.
pub(crate) fn base64(data: &[u8]) -> String {
    STANDARD.encode(data)
}

/// A picture as a `data:` URL.
pub(crate) fn data_url(media_type: &str, data: &[u8]) -> String {
    format!("data:{media_type};base64,{}", base64(data))
}

/// The name of a call as every vendor takes it: `^[a-zA-Z0-9_-]{1,64}$`, which OpenAI and Anthropic
/// ask of it, and Gemini and Ollama allow. Models make names up; one that is refused fails each
/// later request of its session.
pub(crate) fn call_name(name: &str) -> Cow<'_, str> {
    const MOST: usize = 64;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    match name {
        "" => Cow::Borrowed("invalid_call"),
        _ if name.len() <= MOST && name.chars().all(allowed) => Cow::Borrowed(name),
        _ => {
            Cow::Owned(name.chars().take(MOST).map(|c| if allowed(c) { c } else { '_' }).collect())
        }
    }
}

/// A call's arguments as a JSON object, which is all that vendors take; what is none becomes an
/// empty one.
pub(crate) fn arguments(text: &str) -> Value {
    serde_json::from_str(text)
        .ok()
        .filter(Value::is_object)
        .unwrap_or_else(|| Value::Object(Map::new()))
}

/// The same as text, for vendors that take it so: what the model wrote, letter by letter, because
/// they know the beginning of a prompt again by its bytes.
pub(crate) fn arguments_text(text: &str) -> &str {
    match serde_json::from_str::<Map<String, Value>>(text) {
        Ok(_) => text,
        Err(_) => "{}",
    }
}

/// Marks a proof of reasoning with the dialect that it belongs to. A session may change its
/// model; a proof shown to a vendor that did not make it fails the request.
pub(crate) fn seal(dialect: &str, proof: &str) -> String {
    format!("{dialect}:{proof}")
}

/// The proof, if it is of this dialect.
pub(crate) fn unseal<'a>(dialect: &str, signature: Option<&'a String>) -> Option<&'a str> {
    signature?.strip_prefix(dialect)?.strip_prefix(':')
}

/// Where the messages begin that follow the person's last words: the calls being answered now.
pub(crate) fn open_calls_from(messages: &[Message]) -> usize {
    messages.iter().rposition(|message| message.role == Role::User).map_or(0, |last| last + 1)
}

/// The tools' names by the calls' ids, as vendors take them: some dialects answer a call by its name.
pub(crate) fn tool_names(request: &Request) -> HashMap<&str, Cow<'_, str>> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    parts
        .filter_map(|part| match part {
            Part::ToolCall { id, name, .. } => Some((id.as_str(), call_name(name))),
            Part::Text(_)
            | Part::Reasoning { .. }
            | Part::Image { .. }
            | Part::ToolResult { .. } => None,
        })
        .collect()
}

/// About how many tokens a prompt has, rather too many than too few.
pub(crate) fn prompt_tokens(request: &Request) -> u64 {
    const PICTURE: usize = 4_500;
    let size = |part: &Part| match part {
        Part::Text(text) | Part::ToolResult { text, .. } => text.len(),
        Part::Reasoning { text, signature } => {
            text.len() + signature.as_ref().map_or(0, String::len)
        }
        Part::ToolCall { name, arguments, .. } => name.len() + arguments.len() + 64,
        Part::Image { .. } => PICTURE,
    };
    let said = |message: &Message| message.parts.iter().map(size).sum::<usize>() + 16;
    let said: usize = request.messages.iter().map(said).sum();
    let tool = |tool: &ToolSpec| tool.description.len() + tool.parameters.to_string().len() + 64;
    let tools: usize = request.tools.iter().map(tool).sum();
    u64::try_from((request.system.len() + said + tools) / 3).unwrap_or(u64::MAX)
}

/// The answer of a tool as text; failure is part of it where the dialect has no word for it.
pub(crate) fn result_text(text: &str, failed: bool) -> String {
    if failed { format!("error: {text}") } else { text.to_owned() }
}

/// A call's id, made shorter when the vendor allows no more than `most` letters. A session may
/// have begun at another vendor; the same id always becomes the same one, so that call and result
/// still fit.
pub(crate) fn short_id(id: &str, most: usize) -> String {
    if id.len() <= most { id.to_owned() } else { format!("call_{:016x}", digest(id)) }
}

/// FNV-1a: short, stable for ever, and nobody attacks it here.
pub(crate) fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
#[path = "parts_tests.rs"]
mod tests;
