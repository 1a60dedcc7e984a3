//! Tools for models that have no calls of their own: told in words, called in words.
//!
//! The form is the one that most open models were trained on: a JSON object between `<tool_call>`
//! tags, answered between `<tool_response>` tags (Hermes; Qwen's chat template). The invariant: what
//! [`call`] writes, [`parse`] reads back, and a text without whole tags is left as it is.

use serde_json::{Value, json};

use moltis_core::provider::ToolSpec;

const OPEN: &str = "<tool_call>";
const CLOSE: &str = "</tool_call>";

/// Calls that one answer may make.
const MOST_CALLS: usize = 16;

/// What a model is told of its tools.
pub(crate) fn introduction(tools: &[ToolSpec]) -> String {
    let mut text = String::from(
        "You may call tools. To call one, write exactly this, as many as you need, and then stop:\n\
         <tool_call>\n{\"name\": \"TOOL\", \"arguments\": {…}}\n</tool_call>\n\
         The results come back between <tool_response> tags. The tools, as JSON:\n",
    );
    for tool in tools {
        let ToolSpec { name, description, parameters } = tool;
        let spec = json!({ "name": name, "description": description, "parameters": parameters });
        text.push_str(&spec.to_string());
        text.push('\n');
    }
    text
}

/// A call as the model wrote it.
pub(crate) fn call(name: &str, arguments: &str) -> String {
    let arguments = serde_json::from_str(arguments).unwrap_or(Value::String(arguments.to_owned()));
    format!("{OPEN}\n{}\n{CLOSE}", json!({ "name": name, "arguments": arguments }))
}

/// A result as the model is told it.
pub(crate) fn result(text: &str, failed: bool) -> String {
    let text = text.replace("</tool_response>", "</ tool_response>");
    let failed = if failed { "[failed] " } else { "" };
    format!("<tool_response>\n{failed}{text}\n</tool_response>")
}

/// The text without its calls, and the calls: names and arguments, a JSON document each. What is
/// between tags and is no call is given with an empty name.
pub(crate) fn parse(text: &str) -> (String, Vec<(String, String)>) {
    let mut rest = String::new();
    let mut calls = Vec::new();
    let mut left = text;
    while let Some((before, after)) = left.split_once(OPEN) {
        // A model that stops at its stop token may leave the last tag open.
        let (inside, after) = match after.split_once(CLOSE) {
            Some(split) => split,
            None if serde_json::from_str::<Value>(after.trim()).is_ok() => (after, ""),
            None => break,
        };
        if calls.len() == MOST_CALLS {
            break;
        }
        rest.push_str(before);
        calls.push(one(inside.trim()));
        left = after;
    }
    rest.push_str(left);
    (rest.trim_end().to_owned(), calls)
}

fn one(text: &str) -> (String, String) {
    let Ok(Value::Object(mut call)) = serde_json::from_str(text) else {
        return (String::new(), text.to_owned());
    };
    let name = match call.remove("name") {
        Some(Value::String(name)) => name,
        _ => String::new(),
    };
    let arguments = match call.remove("arguments").or_else(|| call.remove("parameters")) {
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
        None => "{}".to_owned(),
    };
    (name, arguments)
}

#[cfg(test)]
#[path = "text_tools_tests.rs"]
mod tests;
