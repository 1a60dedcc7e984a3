//! An event as one JSON object: a line of a transcript and of an export.
//!
//! The shape is the contract's own, `moltis_proto::json`; this only brings the words there.

use moltis_core::event::Event;
use serde_json::Value;

use crate::event::event_to_wire;

/// The event in the shape of `sessions history --json`.
pub fn event_to_json(event: &Event) -> Value {
    moltis_proto::json::event(&event_to_wire(event))
}
