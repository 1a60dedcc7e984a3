//! The session that is shown: going to another one, and its numbers.

use moltis_proto::v1::{self, event::Kind as Fact};

use super::agents::Agents;
use super::browse::{Find, Mode};
use super::card::Card;
use super::cmd::{Cmd, Target};
use super::editor::{Draft, Editor};
use super::model::{MAX_DRAFTS, Model};
use super::transcript::Transcript;
use crate::widget::SafeText;

/// What a session is called: its title, else its fixed name.
pub(crate) fn title_of(session: &v1::Session) -> &str {
    if session.title.is_empty() { &session.key } else { &session.title }
}

/// The same, or other words where it has neither.
pub(crate) fn title_or<'a>(session: &'a v1::Session, none: &'a str) -> &'a str {
    let title = title_of(session);
    if title.is_empty() { none } else { title }
}

/// Takes an event into a session's numbers.
pub(super) fn apply(session: &mut v1::Session, event: &v1::Event) {
    if event.seq <= session.last_seq {
        return;
    }
    session.last_seq = event.seq;
    session.updated_at = event.at;
    match &event.kind {
        Some(Fact::TitleChanged(changed)) => {
            session.title.clone_from(&changed.title);
            session.title_by_person = !changed.automatic;
            add(session.usage.get_or_insert_default(), &changed.usage.unwrap_or_default());
        }
        Some(Fact::ArchivedChanged(changed)) => session.archived = changed.archived,
        Some(Fact::WorktreeSet(set)) => session.worktree.clone_from(&set.worktree),
        Some(Fact::SettingsChanged(changed)) => session.settings.clone_from(&changed.settings),
        Some(Fact::UserMessage(_)) => {
            session.messages += 1;
            session.taint = session.taint.max(event.origin);
        }
        Some(Fact::AssistantMessage(message)) => {
            session.messages += 1;
            session.last_model.clone_from(&message.model);
            let used = message.usage.unwrap_or_default();
            let total = session.usage.get_or_insert_default();
            add(total, &used);
            let fill = used.input_tokens
                + used.cache_read_tokens
                + used.cache_write_tokens
                + used.output_tokens;
            if fill > 0 {
                session.context_tokens = fill;
            }
        }
        Some(Fact::Compacted(compacted)) => {
            session.context_tokens = compacted.after_tokens;
            add(session.usage.get_or_insert_default(), &compacted.usage.unwrap_or_default());
        }
        Some(Fact::Cleared(_)) => session.context_tokens = 0,
        Some(Fact::TurnEnded(_)) => {
            session.open_turns.retain(|open| open.turn != event.turn);
            session.pending.retain(|pending| pending.turn != event.turn);
        }
        Some(Fact::ToolFinished(finished)) => {
            session.taint = session.taint.max(event.origin);
            session.sensitive |= finished.sensitive;
        }
        Some(Fact::ApprovalAsked(asked)) => session.pending.push(question(session, asked, event)),
        Some(Fact::ApprovalAnswered(answered)) => answer(session, answered),
        Some(Fact::GrantRevoked(revoked)) => {
            session.grants.retain(|grant| grant.pattern != revoked.pattern);
        }
        Some(Fact::SessionForked(_)) => {
            // What was asked and allowed there was not asked and allowed here.
            session.pending.clear();
            session.grants.clear();
        }
        _ => {}
    }
}

/// The question that an event asks.
fn question(session: &v1::Session, asked: &v1::ApprovalAsked, event: &v1::Event) -> v1::Approval {
    let asked = asked.clone();
    v1::Approval {
        id: asked.approval,
        session: session.id.clone(),
        turn: event.turn.clone(),
        call: asked.call,
        tool: asked.tool,
        arguments: asked.arguments,
        subject: asked.subject,
        reason: asked.reason,
        digest: asked.digest,
        pattern: asked.pattern,
        // As the daemon has it: a file of a workspace may have come from anywhere.
        tainted: session.taint >= v1::Origin::Workspace as i32,
        asked_at: event.at,
        expires_at: asked.expires_at,
    }
}

/// A question does not wait any more, and what it allows may hold for the rest of the session.
fn answer(session: &mut v1::Session, answered: &v1::ApprovalAnswered) {
    let Some(at) = session.pending.iter().position(|one| one.id == answered.approval) else {
        return;
    };
    let v1::Approval { pattern, tainted, .. } = session.pending.remove(at);
    if answered.allowed && answered.reach == "session" && !pattern.is_empty() {
        session.grants.retain(|grant| grant.pattern != pattern);
        session.grants.push(v1::Grant { pattern, tainted });
    }
}

fn add(total: &mut v1::Usage, used: &v1::Usage) {
    total.input_tokens = total.input_tokens.saturating_add(used.input_tokens);
    total.output_tokens = total.output_tokens.saturating_add(used.output_tokens);
    total.cache_read_tokens = total.cache_read_tokens.saturating_add(used.cache_read_tokens);
    total.cache_write_tokens = total.cache_write_tokens.saturating_add(used.cache_write_tokens);
    total.cost_microusd = total.cost_microusd.saturating_add(used.cost_microusd);
}

/// Goes to a session. The draft stays with the one that is left, unless it is to be carried along.
pub(super) fn switch(model: &mut Model, session: v1::Session) -> Vec<Cmd> {
    if model.session_id() == Some(session.id.as_str()) {
        return Vec::new();
    }
    let carried = std::mem::take(&mut model.carry_draft);
    let draft = model.composer.stash();
    if carried {
        model.composer.restore(draft);
    } else {
        if let Some(left) = model.session.take() {
            keep_draft(model, left.id, draft);
        }
        if let Some(draft) = model.drafts.remove(&session.id) {
            model.composer.restore(draft);
        }
    }
    model.history.forget_place();
    let target = Target::Id(session.id.clone());
    begin(model, session);
    model.epoch += 1;
    vec![Cmd::Attach { epoch: model.epoch, target }]
}

/// Keeps a draft for the next time that its session is shown, before the one that it has.
pub(super) fn keep_draft(model: &mut Model, session: String, draft: Draft) {
    if draft.is_empty()
        || (model.drafts.len() >= MAX_DRAFTS && !model.drafts.contains_key(&session))
    {
        return;
    }
    let mut editor = Editor::default();
    editor.restore(model.drafts.remove(&session).unwrap_or_default());
    editor.put_before(draft);
    model.drafts.insert(session, editor.stash());
}

/// Forgets what belonged to the session before.
pub(super) fn begin(model: &mut Model, session: v1::Session) {
    model.transcript = Transcript::new(session.last_seq + 1);
    model.session = Some(session);
    // What is on disk comes with the session's events.
    model.sending.retain(|sending| !sending.acked);
    model.mode = Mode::Write;
    model.shell = false;
    model.agents = Agents::default();
    model.find = Find::default();
    model.card = Card::default();
    model.turn_since = None;
    model.progress = SafeText::default();
    model.caught_up = false;
    model.loading_older = false;
}
