//! A session at a glance as protobuf: on the wire, and as the store's projection of it.

use moltis_core::id::{SessionId, TurnId};
use moltis_core::models::ModelRef;
use moltis_core::session::{OpenTurn, Summary};
use moltis_proto::v1;

use crate::event::{
    Error, Result, ending_from_wire, ending_to_wire, filled, optional_model_from_wire,
    settings_from_wire, settings_to_wire, timestamp_from_wire, timestamp_to_wire, usage_from_wire,
    usage_to_wire,
};

/// The summary for the wire.
pub fn summary_to_wire(summary: &Summary) -> v1::Session {
    let (parent, parent_seq) = match &summary.parent {
        Some((parent, seq)) => (parent.to_string(), *seq),
        None => (String::new(), 0),
    };
    v1::Session {
        id: summary.id.to_string(),
        key: summary.key.clone().unwrap_or_default(),
        title: summary.title.clone(),
        title_by_person: summary.title_by_person,
        agent: summary.agent.clone(),
        settings: Some(settings_to_wire(&summary.settings)),
        last_model: summary.last_model.as_ref().map(ModelRef::to_string).unwrap_or_default(),
        created_at: Some(timestamp_to_wire(summary.created_at)),
        updated_at: Some(timestamp_to_wire(summary.updated_at)),
        messages: summary.messages,
        last_seq: summary.last_seq,
        usage: Some(usage_to_wire(summary.usage)),
        context_tokens: summary.context_tokens,
        compacted_seq: summary.compacted_seq,
        parent,
        parent_seq,
        archived: summary.archived,
        open_turns: summary
            .open_turns
            .iter()
            .map(|open| v1::OpenTurn {
                turn: open.turn.to_string(),
                started: open.started,
                model: open.model.as_ref().map(ModelRef::to_string).unwrap_or_default(),
                compacts: open.compacts,
            })
            .collect(),
        last_ending: ending_to_wire(summary.last_ending).into(),
    }
}

/// The summary of the wire.
///
/// # Errors
/// A field that has no meaning.
pub fn summary_from_wire(session: v1::Session) -> Result<Summary> {
    let parent = (!session.parent.is_empty())
        .then(|| (SessionId::from(session.parent.as_str()), session.parent_seq));
    Ok(Summary {
        id: SessionId::new(filled("id", session.id)?),
        key: (!session.key.is_empty()).then_some(session.key),
        title: session.title,
        title_by_person: session.title_by_person,
        agent: session.agent,
        settings: settings_from_wire(session.settings).map_err(|error| error.within("settings"))?,
        last_model: optional_model_from_wire("last_model", &session.last_model)?,
        created_at: timestamp_from_wire("created_at", session.created_at)?,
        updated_at: timestamp_from_wire("updated_at", session.updated_at)?,
        messages: session.messages,
        last_seq: session.last_seq,
        usage: usage_from_wire(session.usage),
        context_tokens: session.context_tokens,
        compacted_seq: session.compacted_seq,
        parent,
        archived: session.archived,
        open_turns: session
            .open_turns
            .into_iter()
            .enumerate()
            .map(|(n, open)| open_turn(n, open))
            .collect::<Result<_>>()?,
        last_ending: ending_from_wire("last_ending", session.last_ending)?,
    })
}

fn open_turn(n: usize, open: v1::OpenTurn) -> Result<OpenTurn> {
    let within = |error: Error| error.within(&format!("open_turns[{n}]"));
    let turn = filled("turn", open.turn).map_err(within)?;
    let model = optional_model_from_wire("model", &open.model).map_err(within)?;
    Ok(OpenTurn { turn: TurnId::new(turn), started: open.started, model, compacts: open.compacts })
}
