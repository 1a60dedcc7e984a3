//! What stands for something that is too large to be kept or told: its size.
//!
//! Not here: when there is too much of it; that is [`crate::prompt`]'s and
//! [`crate::conversation`]'s. The invariant: a call stays a call and a result stays its call's result,
//! and what was shortened once is not shortened again.

use moltis_core::message::Part;

use crate::conversation::Entry;

/// Bytes of a result that is told as it is, whatever else is there.
const SHORT_RESULT: usize = 192;

/// Bytes of a call's arguments that are told as they are.
const SHORT_ARGUMENTS: usize = 400;

/// About how many tokens a part costs of which only the size is told.
pub(crate) const SHORT_TOKENS: u64 = 20;

/// What a picture leaves that a tool gave.
const PICTURE: &str = "[a picture was here, left out to make room]";

/// Whether a part is a result, or a call with arguments, of which the size would do.
pub(crate) fn is_long(part: &Part) -> bool {
    match part {
        Part::ToolResult { text, .. } => text.len() > SHORT_RESULT,
        Part::ToolCall { arguments, .. } => arguments.len() > SHORT_ARGUMENTS,
        Part::Text(_) | Part::Reasoning { .. } | Part::Image { .. } => false,
    }
}

/// A long part as its size; `None` for one that is not long.
pub(crate) fn part(part: &Part) -> Option<Part> {
    match part {
        part if !is_long(part) => None,
        Part::ToolResult { id, text, failed } => {
            let text = format!("[a result of {} bytes, left out to make room]", text.len());
            Some(Part::ToolResult { id: id.clone(), text, failed: *failed })
        }
        Part::ToolCall { id, name, arguments } => {
            // Vendors take no arguments but a JSON object.
            let arguments = format!("{{\"note\":\"{} bytes left out\"}}", arguments.len());
            Some(Part::ToolCall { id: id.clone(), name: name.clone(), arguments })
        }
        Part::Text(_) | Part::Reasoning { .. } | Part::Image { .. } => None,
    }
}

/// Shortens the results in a message; says whether there was anything to shorten.
pub(crate) fn shorten_results(entry: &mut Entry) -> bool {
    replace(entry, |one| match one {
        Part::ToolResult { .. } => part(one),
        _ => None,
    })
}

/// Shortens the arguments of a message's calls; says whether there was anything to shorten.
pub(crate) fn shorten_arguments(entry: &mut Entry) -> bool {
    replace(entry, |one| match one {
        Part::ToolCall { .. } => part(one),
        _ => None,
    })
}

/// Shortens what tools showed; says whether there was anything to shorten.
pub(crate) fn shorten_pictures(entry: &mut Entry) -> bool {
    let by_tools = entry.by_tools;
    replace(entry, |part| match part {
        Part::Image { .. } if by_tools => Some(Part::Text(PICTURE.to_owned())),
        _ => None,
    })
}

fn replace(entry: &mut Entry, short: impl Fn(&Part) -> Option<Part>) -> bool {
    let mut any = false;
    for part in &mut entry.parts {
        if let Some(shorter) = short(part) {
            (*part, any) = (shorter, true);
        }
    }
    any
}
