//! What stands for something that is too large to be kept or told: its size.
//!
//! Not here: when there is too much of it; that is [`crate::prompt`]'s and
//! [`crate::conversation`]'s. The invariant: a call stays a call and a result stays its call's result,
//! and what was shortened once is not shortened again.

use moltis_core::message::Part;

use crate::conversation::Entry;

/// Bytes of a result that is told as it is, whatever else is there.
const SHORT_RESULT: usize = 192;

/// What a picture leaves that a tool gave.
const PICTURE: &str = "[a picture was here, left out to make room]";

/// A result as its size; `None` for one that is short.
pub(crate) fn result(text: &str) -> Option<String> {
    let long = text.len() > SHORT_RESULT;
    long.then(|| format!("[a result of {} bytes, left out to make room]", text.len()))
}

/// Shortens the results in a message; says whether there was anything to shorten.
pub(crate) fn shorten_results(entry: &mut Entry) -> bool {
    replace(entry, |part| match part {
        Part::ToolResult { id, text, failed } => {
            let (id, failed) = (id.clone(), *failed);
            result(text).map(|text| Part::ToolResult { id, text, failed })
        }
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
