//! Full-text search over all sessions: an inverted index in the store's own file.
//!
//! Messages are indexed in the background, many at a time; what is not indexed yet is read from
//! the log by the search itself, so that a search finds what was said a moment ago. Everything
//! here follows from the events: dropped, it is made anew.

mod index;
mod postings;
mod query;
mod snippet;

pub(crate) use index::{Addition, Removal, add, prepare_addition, prepare_removal, remove, reset};
pub(crate) use query::search;

use moltis_core::event::{Event, EventKind};
use moltis_core::message::text_of;

/// Words of one message that are indexed; a longer message is found by these.
const MAX_WORDS: usize = 20_000;

/// What is searched of an event: the text of a message, and whether a person said it. A summary is
/// not: it would find again what the messages that it stands for are found by.
pub(crate) fn searched(event: &Event) -> Option<(String, bool)> {
    match &event.kind {
        EventKind::UserMessage { parts, .. } => Some((text_of(parts), true)),
        EventKind::AssistantMessage { parts, .. } => Some((text_of(parts), false)),
        _ => None,
    }
}
