//! JSON lines: every event, in the shape of `sessions history --json`.

use moltis_codec::line::event_to_json;
use moltis_core::event::Event;

/// Appends an event's line.
pub(super) fn write(event: &Event, text: &mut String) {
    text.push_str(&event_to_json(event).to_string());
    text.push('\n');
}
