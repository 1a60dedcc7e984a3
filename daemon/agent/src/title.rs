//! What a session is called until a person calls it something.

use moltis_core::id::SessionId;
use moltis_core::message::{Message, Part, Role, text_of};
use moltis_core::models::ModelInfo;
use moltis_core::provider::Request;

/// Characters of a title that Moltis makes.
pub const LONGEST: usize = 60;

/// Bytes of each message that a model is shown to find a title.
const MOST_SHOWN: usize = 2_000;

/// Tokens that a title may take, thinking included.
const MOST_OUTPUT: u64 = 400;

const ASK: &str = "Give this conversation a title of at most six words, in its own language. \
                   Answer with the title only, without quotation marks.";

/// The first line of a message that says something, at most 60 characters, blanks collapsed.
/// `None` when it has no text.
pub fn first_line(parts: &[Part]) -> Option<String> {
    let text = text_of(parts);
    text.lines().find_map(tidy)
}

/// The request that asks a model for a title.
pub fn request(model: &ModelInfo, session: &SessionId, question: &str, answer: &str) -> Request {
    let shown = format!(
        "{ASK}\n\n<person>\n{}\n</person>\n<answer>\n{}\n</answer>",
        beginning(question),
        beginning(answer)
    );
    Request {
        model: model.clone(),
        // Not the session's own key: the kept state of its conversation must stay.
        session: SessionId::new(format!("{session}-title")),
        system: String::new(),
        messages: vec![Message { role: Role::User, parts: vec![Part::Text(shown)] }],
        tools: Vec::new(),
        effort: None,
        max_output: Some(MOST_OUTPUT.min(model.output_limit.unwrap_or(MOST_OUTPUT))),
    }
}

/// The title in a model's answer, if there is one.
pub fn clean(answer: &str) -> Option<String> {
    let line = answer.lines().map(str::trim).find(|line| !line.is_empty())?;
    let line = line.strip_prefix("Title:").unwrap_or(line);
    tidy(line.trim().trim_matches(|c: char| matches!(c, '"' | '\'' | '*' | '#' | '`' | '“' | '”')))
}

/// One line without controls and double blanks, cut at a word where there is one.
fn tidy(line: &str) -> Option<String> {
    let visible: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() {
        return None;
    }
    if words.chars().count() <= LONGEST {
        return Some(words);
    }
    // One character stands for what is cut off.
    let cut: String = words.chars().take(LONGEST).collect();
    let end = match cut.rfind(' ') {
        Some(end) if end > cut.len() / 2 => end,
        _ => cut.char_indices().nth(LONGEST - 1).map_or(cut.len(), |(at, _)| at),
    };
    Some(format!("{}…", cut[..end].trim_end()))
}

fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(MOST_SHOWN)]
}

#[cfg(test)]
#[path = "title_tests.rs"]
mod tests;
