//! What the store writes to disk, as bytes: the messages of the contract, encoded.
//!
//! An event's row holds neither session nor seq, which are its key, so that a copy of it under
//! another session is the same byte for byte. Reading never panics, whatever the bytes are.

use moltis_core::event::{Event, NewEvent};
use moltis_core::id::{ItemId, OpId, SessionId, TurnId};
use moltis_core::journal::Draft;
use moltis_core::session::Summary;
use moltis_proto::v1;
use prost::Message;

use crate::event::{
    Error, Result, cause_to_wire, filled, kind_to_wire, model_from_wire, new_event_from_wire,
    origin_to_wire, timestamp_to_wire,
};
use crate::part::{parts_from_wire, parts_to_wire};
use crate::summary::{summary_from_wire, summary_to_wire};

/// The bytes of an event on disk.
pub fn event_to_row(event: &NewEvent) -> Vec<u8> {
    v1::Event {
        session: String::new(),
        seq: 0,
        at: Some(timestamp_to_wire(event.at)),
        turn: event.turn.as_ref().map(TurnId::to_string).unwrap_or_default(),
        cause: Some(cause_to_wire(&event.cause)),
        origin: origin_to_wire(event.origin).into(),
        op_id: event.op.as_ref().map(OpId::to_string).unwrap_or_default(),
        kind: kind_to_wire(&event.kind),
    }
    .encode_to_vec()
}

/// The event of a row.
///
/// # Errors
/// Bytes that are no event, or a field that has no meaning.
pub fn event_from_row(session: SessionId, seq: u64, bytes: &[u8]) -> Result<Event> {
    let event = v1::Event::decode(bytes).map_err(not_a_message)?;
    Ok(new_event_from_wire(event)?.committed(session, seq))
}

/// The bytes of a draft on disk.
pub fn draft_to_row(draft: &Draft) -> Vec<u8> {
    v1::Draft {
        turn: draft.turn.to_string(),
        item: draft.item.to_string(),
        model: draft.model.to_string(),
        parts: parts_to_wire(&draft.parts),
    }
    .encode_to_vec()
}

/// The draft of a row.
///
/// # Errors
/// Bytes that are no draft, or a field that has no meaning.
pub fn draft_from_row(bytes: &[u8]) -> Result<Draft> {
    let draft = v1::Draft::decode(bytes).map_err(not_a_message)?;
    Ok(Draft {
        turn: TurnId::new(filled("turn", draft.turn)?),
        item: ItemId::new(filled("item", draft.item)?),
        model: model_from_wire("model", &draft.model)?,
        parts: parts_from_wire(draft.parts)?,
    })
}

/// The bytes of a summary on disk.
pub fn summary_to_row(summary: &Summary) -> Vec<u8> {
    summary_to_wire(summary).encode_to_vec()
}

/// The summary of a row.
///
/// # Errors
/// Bytes that are no summary, or a field that has no meaning.
pub fn summary_from_row(bytes: &[u8]) -> Result<Summary> {
    summary_from_wire(v1::Session::decode(bytes).map_err(not_a_message)?)
}

/// Whether a summary's row says how far its session can be trusted: those of the first version, which
/// had no tools, do not.
pub fn is_labelled(bytes: &[u8]) -> bool {
    v1::Session::decode(bytes).is_ok_and(|session| session.taint != 0)
}

fn not_a_message(error: prost::DecodeError) -> Error {
    Error::new("", error.to_string())
}
