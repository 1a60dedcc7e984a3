//! What comes from the daemon.

use moltis_proto::v1::{self, attach_response::Feed, event::Kind as Fact};

use super::cmd::{Cmd, Target};
use super::model::{Link, Model, Overlay};
use super::msg::{Reply, Trouble, Wanted};
use super::transcript::Transcript;
use super::{
    agents, asked, browse, budget, card, chat, commanding, context, holds, models, pager, session,
    sessions, welcome,
};
use crate::widget::SafeText;

/// The connection stands.
pub(super) fn up(model: &mut Model, build: String) -> Vec<Cmd> {
    let back = matches!(model.link, Link::Down { .. });
    model.link = Link::Up;
    model.build = build;
    model.loading_older = false;
    // What was asked over the old connection is not answered any more.
    model.coloring.clear();
    model.card.forget_sent();
    model.overlays.retain(|overlay| !matches!(overlay, Overlay::Refused(_)));
    if back {
        model.say("connected again");
    }
    let mut cmds = chat::resend(model);
    cmds.push(Cmd::ListModels { refresh: false });
    cmds.push(Cmd::ListCommands);
    cmds
}

/// The connection is gone.
pub(super) fn down(model: &mut Model, trouble: Trouble) -> Vec<Cmd> {
    let since = match model.link {
        Link::Down { since, .. } => since,
        Link::Connecting | Link::Up => model.now.ms,
    };
    model.link = Link::Down { since, trouble };
    model.loading_older = false;
    Vec::new()
}

/// The connection cannot be had.
pub(super) fn refused(model: &mut Model, trouble: Trouble) -> Vec<Cmd> {
    model.overlays.retain(|overlay| !matches!(overlay, Overlay::Refused(_)));
    model.open(Overlay::Refused(trouble));
    Vec::new()
}

/// The session was found.
pub(super) fn opened(model: &mut Model, epoch: u64, found: v1::Session) -> Vec<Cmd> {
    if epoch == model.epoch && model.session_id() != Some(found.id.as_str()) {
        session::begin(model, found);
    }
    Vec::new()
}

/// The session is gone: `main` always exists.
pub(super) fn lost(model: &mut Model, epoch: u64, trouble: &Trouble) -> Vec<Cmd> {
    if epoch != model.epoch {
        return Vec::new();
    }
    model.complain("this session is gone", trouble);
    model.session = None;
    model.transcript = Transcript::new(1);
    model.caught_up = false;
    model.epoch += 1;
    vec![Cmd::Attach { epoch: model.epoch, target: Target::Name("main".into()) }]
}

/// Something of the feed.
pub(super) fn fed(model: &mut Model, feed: Feed) -> Vec<Cmd> {
    match feed {
        Feed::Snapshot(snapshot) => snapshot_came(model, snapshot),
        Feed::Event(event) => return event_came(model, event),
        Feed::CaughtUp(_) => {
            model.caught_up = true;
            // The turn may have begun before what was given.
            let open = model.session.as_ref().map_or(&[][..], |session| &session.open_turns);
            model.transcript.join(open);
            let mut cmds = browse::search_on(model);
            cmds.extend(agents::caught_up(model));
            return cmds;
        }
        Feed::Delta(delta) => {
            model.progress = SafeText::default();
            model.transcript.paint(delta);
        }
        Feed::Progress(progress) => model.progress = SafeText::one_line(&progress.text),
    }
    Vec::new()
}

fn snapshot_came(model: &mut Model, snapshot: v1::Snapshot) {
    let Some(fresh) = snapshot.session else { return };
    // What we have goes on seamlessly, or it starts over.
    if snapshot.first_seq > model.transcript.last_seq() + 1 || model.transcript.blocks().is_empty()
    {
        let unfolded = model.transcript.unfolded;
        model.transcript = Transcript::new(snapshot.first_seq);
        model.transcript.unfolded = unfolded;
        model.caught_up = false;
        model.loading_older = false;
        if snapshot.first_seq > fresh.last_seq {
            model.transcript.join(&fresh.open_turns);
        }
    }
    model.session = Some(fresh);
}

fn event_came(model: &mut Model, event: v1::Event) -> Vec<Cmd> {
    let mut cmds = Vec::new();
    // Before it is not among those that wait any more.
    if let Some(Fact::ApprovalAnswered(told)) = &event.kind {
        card::answered(model, &event, told);
    }
    if let Some(session) = &mut model.session {
        session::apply(session, &event);
    }
    match &event.kind {
        Some(Fact::TurnStarted(_)) => model.turn_since = event.at.map(|at| at.seconds),
        Some(Fact::TurnEnded(_)) => model.progress = SafeText::default(),
        Some(Fact::ApprovalAsked(_)) => cmds = card::asked(model),
        Some(Fact::UserMessage(message)) => {
            model.sending.retain(|sending| sending.op != message.op_id);
        }
        _ => {}
    }
    let touched = agents::heard(model, event.kind.as_ref());
    cmds.extend(touched);
    model.transcript.apply(event);
    if !model.is_running() {
        model.turn_since = None;
    }
    cmds
}

/// An answer to a command.
pub(super) fn reply(model: &mut Model, reply: Reply) -> Vec<Cmd> {
    match reply {
        Reply::Sent { op, result } => sent(model, &op, result),
        Reply::Made(Ok(made)) => {
            model.overlays.retain(|overlay| !matches!(overlay, Overlay::Sessions(_)));
            return session::switch(model, made);
        }
        Reply::Made(Err(trouble)) => {
            model.carry_draft = false;
            model.complain("no new session", &trouble);
        }
        Reply::Changed(Ok(_)) => return sessions::refresh(model),
        Reply::Changed(Err(trouble)) => model.complain("not changed", &trouble),
        Reply::Deleted { session, result: Ok(kept) } => {
            model.drafts.remove(&session);
            if !kept.is_empty() {
                model.say(SafeText::one_line(&kept));
            }
            return sessions::refresh(model);
        }
        Reply::Deleted { result: Err(trouble), .. } => model.complain("not deleted", &trouble),
        Reply::Stopped(Ok(turns)) if turns.is_empty() => model.say("nothing to stop"),
        Reply::Stopped(Ok(_)) => {}
        Reply::Stopped(Err(trouble)) => model.complain("not stopped", &trouble),
        Reply::Commands(commands) => model.commands = commands,
        Reply::Commanded { op, result } => return commanding::done(model, &op, result),
        Reply::Compacting(Ok(())) => {}
        Reply::Compacting(Err(trouble)) => model.complain("not compacted", &trouble),
        Reply::Budget { session, result } => budget::arrived(model, &session, result),
        Reply::Context { session, result } => context::arrived(model, &session, result),
        Reply::Page { epoch, result } => return page(model, epoch, result),
        Reply::Sessions(Ok(entries)) => return sessions::arrived(model, entries),
        Reply::Sessions(Err(trouble)) => model.complain("no list of sessions", &trouble),
        Reply::Agents { session, agents } => agents::arrived(model, &session, agents),
        Reply::Peeked { session, events } => sessions::peeked(model, session, events),
        Reply::Models(Ok(list)) => {
            models::arrived(model, list);
            return welcome::consider(model);
        }
        Reply::Models(Err(trouble)) => model.complain("no list of models", &trouble),
        Reply::DefaultSet { model: name, result: Ok(()) } => {
            model.say(SafeText::one_line(&format!("{name} is the default now")));
            return vec![Cmd::ListModels { refresh: false }];
        }
        Reply::DefaultSet { result: Err(trouble), .. } => {
            model.complain("default not set", &trouble);
        }
        Reply::Catalog(catalog) => welcome::catalog(model, catalog),
        Reply::Servers(servers) => welcome::servers(model, servers),
        Reply::Kinds(kinds) => welcome::kinds(model, kinds),
        Reply::Pulled(result) => return welcome::pulled(model, result),
        Reply::SetUp(result) => return welcome::set_up(model, result),
        Reply::Answered { op, result } => card::replied(model, &op, result),
        Reply::Approvals(Ok(entries)) => asked::arrived(model, entries),
        Reply::Approvals(Err(trouble)) => model.complain("no list of questions", &trouble),
        Reply::Diff { session, result } => pager::arrived(model, &session, result),
        Reply::Undone(Ok(undone)) => holds::undone(model, &undone),
        Reply::Undone(Err(trouble)) => model.complain("not undone", &trouble),
        Reply::Exported(Ok(path)) => model.say(SafeText::one_line(&format!("written to {path}"))),
        Reply::Exported(Err(trouble)) => model.complain("not exported", &trouble),
        Reply::Failed { asked, trouble } => {
            let what = match asked {
                Wanted::Copy => "not copied",
                Wanted::Remember => "the history was not kept",
            };
            model.complain(what, &trouble);
        }
    }
    Vec::new()
}

fn sent(model: &mut Model, op: &str, result: Result<(), Trouble>) {
    let Some(at) = model.sending.iter().position(|sending| sending.op == op) else { return };
    match result {
        Ok(()) => {
            let elsewhere = model.session_id() != Some(model.sending[at].session.as_str());
            if elsewhere {
                model.sending.remove(at);
            } else {
                model.sending[at].acked = true;
            }
        }
        // It stays, and is sent again when the connection stands.
        Err(trouble) if trouble.is_passing() => {}
        Err(trouble) => {
            let sending = model.sending.remove(at);
            if model.session_id() == Some(sending.session.as_str()) {
                model.composer.put_before(sending.draft);
            } else {
                session::keep_draft(model, sending.session, sending.draft);
            }
            model.complain("not sent", &trouble);
        }
    }
}

fn page(model: &mut Model, epoch: u64, result: Result<Vec<v1::Event>, Trouble>) -> Vec<Cmd> {
    if epoch != model.epoch {
        return Vec::new();
    }
    model.loading_older = false;
    match result {
        Ok(events) => {
            model.transcript.prepend(events);
            browse::search_on(model)
        }
        Err(trouble) => {
            if !trouble.is_passing() {
                model.complain("no older messages", &trouble);
            }
            Vec::new()
        }
    }
}
