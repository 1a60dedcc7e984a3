//! Which tools a model is offered where there are too many for every prompt.
//!
//! That is so where `tool_search` is among them: whoever has the tools puts it there. The model then
//! sees the search, the session's own tools, and what it found or called in this conversation. Not
//! here: what may be called; a tool that is not offered can be called all the same. The invariant:
//! what is offered follows from the tools and the conversation alone, in the order of the tools.

use std::borrow::Cow;
use std::collections::HashSet;

use moltis_core::id::CallId;
use moltis_core::message::Part;
use serde_json::Value;

use crate::conversation::Conversation;
use crate::prompt::Instructions;

/// The tool that finds tools. It tells what it found as a JSON object a line, with its `name`.
const SEARCH: &str = "tool_search";

/// The tools of the session itself, which are few and small.
const OWN: [&str; 3] = ["session_state", "branch_session", "spawn_agent"];

/// The instructions with the tools that a model is offered for the next answer.
pub(crate) fn offered<'a>(
    instructions: &'a Instructions,
    conversation: &Conversation,
) -> Cow<'a, Instructions> {
    if !instructions.tools.iter().any(|tool| tool.name == SEARCH) {
        return Cow::Borrowed(instructions);
    }
    let known = known(conversation);
    let is_offered = |name: &str| name == SEARCH || OWN.contains(&name) || known.contains(name);
    let tools = instructions.tools.iter().filter(|tool| is_offered(&tool.name)).cloned().collect();
    Cow::Owned(Instructions {
        system: instructions.system.clone(),
        effort: instructions.effort,
        compact_at: instructions.compact_at,
        tools,
        max_rounds: instructions.max_rounds,
    })
}

/// The names that were called or found in a conversation.
fn known(conversation: &Conversation) -> HashSet<String> {
    let mut names = HashSet::new();
    let mut searches: HashSet<&CallId> = HashSet::new();
    for part in conversation.entries().iter().flat_map(|entry| &entry.parts) {
        match part {
            Part::ToolCall { id, name, .. } => {
                if name == SEARCH {
                    searches.insert(id);
                }
                names.insert(name.clone());
            }
            Part::ToolResult { id, text, failed: false } if searches.contains(id) => {
                names.extend(text.lines().filter_map(found));
            }
            _ => {}
        }
    }
    names
}

/// The name of a tool in a line of a search's result.
fn found(line: &str) -> Option<String> {
    match serde_json::from_str::<Value>(line).ok()?.get_mut("name")?.take() {
        Value::String(name) => Some(name),
        _ => None,
    }
}

#[cfg(test)]
#[path = "lazy_tests.rs"]
mod tests;
