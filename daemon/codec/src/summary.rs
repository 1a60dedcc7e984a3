//! A session at a glance as protobuf: on the wire, and as the store's projection of it.

use moltis_core::event::Origin;
use moltis_core::id::{ApprovalId, CallId, SessionId, TurnId};
use moltis_core::models::ModelRef;
use moltis_core::policy::{Grant, Label, Pattern};
use moltis_core::session::{OpenTurn, Pending, Purpose, Summary};
use moltis_proto::v1;

use crate::act::{spawned_from_wire, spawned_to_wire, worktree_from_wire, worktree_to_wire};
use crate::event::{
    Error, Result, ending_from_wire, ending_to_wire, filled, non_empty, optional_model_from_wire,
    origin_from_wire, origin_to_wire, timestamp_from_wire, timestamp_to_wire, usage_from_wire,
    usage_to_wire,
};
use crate::settings::{settings_from_wire, settings_to_wire};

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
                compacts: open.purpose == Purpose::Compact,
                clears: open.purpose == Purpose::Clear,
                program: match &open.purpose {
                    Purpose::Run(command) => command.clone(),
                    _ => String::new(),
                },
                unasked: !open.asked,
                report: open.report.as_ref().map(SessionId::to_string).unwrap_or_default(),
            })
            .collect(),
        last_ending: ending_to_wire(summary.last_ending).into(),
        pending: summary.pending.iter().map(|one| pending_to_wire(&summary.id, one)).collect(),
        grants: summary.grants.iter().map(grant_to_wire).collect(),
        taint: origin_to_wire(summary.label.taint).into(),
        sensitive: summary.label.sensitive,
        spawned: summary.spawned.as_ref().map(spawned_to_wire),
        worktree: summary.worktree.as_ref().map(worktree_to_wire),
    }
}

fn grant_to_wire(grant: &Grant) -> v1::Grant {
    v1::Grant { pattern: grant.pattern.line(), tainted: grant.tainted }
}

fn grant_from_wire(grant: v1::Grant) -> Result<Grant> {
    let pattern =
        Pattern::parse(&grant.pattern).map_err(|reason| Error::new("grants.pattern", reason))?;
    Ok(Grant { pattern, tainted: grant.tainted })
}

/// A question for the wire.
pub fn pending_to_wire(session: &SessionId, pending: &Pending) -> v1::Approval {
    v1::Approval {
        id: pending.approval.to_string(),
        session: session.to_string(),
        turn: pending.turn.to_string(),
        call: pending.call.to_string(),
        tool: pending.tool.clone(),
        arguments: pending.arguments.clone(),
        subject: pending.subject.clone(),
        reason: pending.reason.clone(),
        digest: pending.digest.clone(),
        pattern: pending.pattern.clone().unwrap_or_default(),
        tainted: pending.tainted,
        asked_at: Some(timestamp_to_wire(pending.asked_at)),
        expires_at: Some(timestamp_to_wire(pending.expires_at)),
    }
}

fn pending_from_wire(approval: v1::Approval) -> Result<Pending> {
    Ok(Pending {
        approval: ApprovalId::new(filled("id", approval.id)?),
        turn: TurnId::new(filled("turn", approval.turn)?),
        call: CallId::new(approval.call),
        tool: approval.tool,
        arguments: approval.arguments,
        subject: approval.subject,
        reason: approval.reason,
        digest: approval.digest,
        pattern: non_empty(approval.pattern),
        tainted: approval.tainted,
        asked_at: timestamp_from_wire("asked_at", approval.asked_at)?,
        expires_at: timestamp_from_wire("expires_at", approval.expires_at)?,
    })
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
        pending: session
            .pending
            .into_iter()
            .map(pending_from_wire)
            .collect::<Result<_>>()
            .map_err(|error| error.within("pending"))?,
        grants: session.grants.into_iter().map(grant_from_wire).collect::<Result<_>>()?,
        label: Label {
            // A store of a version that did not know labels had no tools either.
            taint: if session.taint == 0 {
                Origin::Owner
            } else {
                origin_from_wire(session.taint)?
            },
            sensitive: session.sensitive,
        },
        spawned: session
            .spawned
            .map(spawned_from_wire)
            .transpose()
            .map_err(|error| error.within("spawned"))?,
        worktree: session
            .worktree
            .map(worktree_from_wire)
            .transpose()
            .map_err(|error| error.within("worktree"))?,
    })
}

fn open_turn(n: usize, open: v1::OpenTurn) -> Result<OpenTurn> {
    let within = |error: Error| error.within(&format!("open_turns[{n}]"));
    let turn = filled("turn", open.turn).map_err(within)?;
    let model = optional_model_from_wire("model", &open.model).map_err(within)?;
    let purpose = match (open.compacts, open.clears, open.program) {
        (true, ..) => Purpose::Compact,
        (_, true, _) => Purpose::Clear,
        (.., program) if !program.is_empty() => Purpose::Run(program),
        _ => Purpose::Answer,
    };
    Ok(OpenTurn {
        turn: TurnId::new(turn),
        started: open.started,
        model,
        purpose,
        // Rows of before do not say it, and their turns go on as they did.
        asked: !open.unasked,
        report: non_empty(open.report).map(SessionId::new),
    })
}
