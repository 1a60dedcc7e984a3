//! The chat: writing, sending, stopping, scrolling.

use moltis_proto::v1;

use super::browse;
use super::card;
use super::cmd::Cmd;
use super::model::{Link, Model, Overlay, Sending};
use super::models::{EFFORTS, step_effort};
use super::slash::{self, Parsed, Verb};
use super::transcript::Move;
use super::{agents, asked, budget, commanding, context, holds, pager};
use super::{help::Help, palette::Palette, prompt, session, sessions};
use crate::keymap::Action;

/// A second key within this many milliseconds is the second of a pair.
const TWICE: u64 = 1_000;
/// Messages that may be on their way at once.
const MAX_SENDING: usize = 32;
/// Older events that are read at once.
const PAGE: u32 = 200;

pub(super) fn act(model: &mut Model, action: Action) -> Vec<Cmd> {
    match action {
        Action::Send => return submit(model),
        Action::Newline => model.composer.insert("\n"),
        Action::Complete if model.composer.is_empty() && !model.pending().is_empty() => {
            card::focus(model);
        }
        Action::Complete => complete(model),
        Action::AnswerQuestion => card::focus(model),
        Action::OpenApprovals => return asked::open(model),
        Action::ToAgent => return agents::visit(model, None),
        Action::ToParent => return agents::leave(model),
        Action::ShowDiff => return pager::open(model),
        Action::UndoTurn => ask_undo(model),
        Action::Interrupt => return interrupt(model),
        Action::Stop => return stop(model, false),
        Action::ClearOrQuit => return clear_or_quit(model),
        Action::QuitIfEmpty if model.composer.is_empty() => return vec![Cmd::Quit],
        Action::QuitIfEmpty => model.composer.delete_right(),
        Action::Detach => return vec![Cmd::Quit],
        Action::HelpIfEmpty if !model.composer.is_empty() => model.composer.insert("?"),
        Action::HelpIfEmpty => model.open(Overlay::Help(Help::new(&model.commands))),
        Action::Palette => model.open(Overlay::Palette(Palette::new())),
        Action::OpenSessions => return sessions::open(model, ""),
        Action::OpenModels => return super::models::open(model),
        Action::NewSession => return create(model, ""),
        Action::RenameSession => rename(model),
        Action::ForkHere => return fork(model),
        Action::Compact => return compact(model),
        Action::ShowContext => return context::open(model),
        Action::CopyAnswer => return copy_answer(model),
        Action::Editor => return vec![Cmd::Edit(model.composer.expanded())],
        Action::EnterBrowse => browse::enter(model),
        Action::StartFind => browse::start_find(model),
        Action::TakeQueued => return take_queued(model),
        Action::HistoryBack => model.history.start_search(),
        Action::EffortDown | Action::EffortUp => return effort(model, action),
        _ => return scroll(model, action),
    }
    Vec::new()
}

/// What moves the transcript, whoever has the keys.
pub(super) fn scroll(model: &mut Model, action: Action) -> Vec<Cmd> {
    let wish = match action {
        Action::ScrollUp => Move::By(-1),
        Action::ScrollDown => Move::By(1),
        Action::PageUp => Move::Pages(-1),
        Action::PageDown => Move::Pages(1),
        Action::ScrollTop => Move::Top,
        Action::ScrollEnd => Move::End,
        Action::ToggleFold => {
            model.transcript.unfolded = !model.transcript.unfolded;
            return Vec::new();
        }
        Action::StartFind => {
            browse::start_find(model);
            return Vec::new();
        }
        _ => return Vec::new(),
    };
    model.transcript.scroll.wish(wish);
    Vec::new()
}

/// Sends what is written, or does what it commands.
fn submit(model: &mut Model) -> Vec<Cmd> {
    let text = model.composer.expanded();
    if text.trim().is_empty() {
        model.transcript.scroll.wish(Move::End);
        return Vec::new();
    }
    match slash::parse(&text) {
        Parsed::Command(Verb::Sh, argument) => {
            let (argument, line) = (argument.to_owned(), text.clone());
            let mut cmds = remember(model, text);
            cmds.extend(commanding::shell(model, &argument, line));
            cmds
        }
        Parsed::Command(verb, argument) => {
            let argument = argument.to_owned();
            model.composer.clear();
            let mut cmds = remember(model, text);
            cmds.extend(command(model, verb, &argument));
            cmds
        }
        Parsed::Other(_) => command_of_daemon(model, text.clone(), text),
        Parsed::Message if model.shell => {
            let line = format!("/sh {text}");
            command_of_daemon(model, text, line)
        }
        Parsed::Message => send(model, text),
    }
}

fn command_of_daemon(model: &mut Model, text: String, line: String) -> Vec<Cmd> {
    let mut cmds = remember(model, text);
    cmds.extend(commanding::send(model, line));
    cmds
}

fn send(model: &mut Model, text: String) -> Vec<Cmd> {
    let Some(session) = model.session_id().map(str::to_owned) else {
        model.say("not connected yet; what you wrote is kept");
        return Vec::new();
    };
    if model.sending.len() >= MAX_SENDING {
        model.say("too many messages wait for the connection");
        return Vec::new();
    }
    let op = model.ops.next();
    model.sending.push(Sending {
        op: op.clone(),
        session: session.clone(),
        text: text.clone(),
        draft: model.composer.stash(),
        acked: false,
    });
    model.transcript.scroll.wish(Move::End);
    let mut cmds = remember(model, text.clone());
    if model.link == Link::Up {
        cmds.push(Cmd::Send { op, session, text });
    }
    cmds
}

fn remember(model: &mut Model, text: String) -> Vec<Cmd> {
    if model.history.add(&text) { vec![Cmd::Remember(text)] } else { Vec::new() }
}

/// Sends everything again that has no answer; the daemon knows what it has already.
pub(super) fn resend(model: &Model) -> Vec<Cmd> {
    let open = model.sending.iter().filter(|message| !message.acked);
    open.map(|message| Cmd::Send {
        op: message.op.clone(),
        session: message.session.clone(),
        text: message.text.clone(),
    })
    .collect()
}

fn command(model: &mut Model, verb: Verb, argument: &str) -> Vec<Cmd> {
    match verb {
        Verb::New => return create(model, argument),
        Verb::Sessions => return sessions::open(model, argument),
        Verb::Model if argument.is_empty() => return super::models::open(model),
        Verb::Model => {
            let model_name = argument.to_owned();
            return configure(model, |settings| settings.model = model_name);
        }
        Verb::Rename => {
            if argument.is_empty() {
                rename(model);
            } else if let Some(session) = model.session_id().map(str::to_owned) {
                let (op, title) = (model.ops.next(), argument.to_owned());
                return vec![Cmd::Rename { op, session, title }];
            }
        }
        Verb::Fork => return fork(model),
        Verb::Compact => return compact(model),
        Verb::Context => return context::open(model),
        Verb::Approvals => return asked::open(model),
        Verb::Diff => return pager::open(model),
        Verb::Undo => return holds::undo(model).into_iter().collect(),
        Verb::Mode => return holds::mode(model, argument),
        Verb::Workspace => return holds::workspace(model, argument),
        Verb::Sandbox => return holds::sandbox(model, argument),
        Verb::Revoke => return holds::revoke(model, argument),
        Verb::Usage => return budget::open(model),
        Verb::Stop => return stop(model, argument == "all"),
        Verb::Export => {
            if let Some(session) = model.session_id().map(str::to_owned) {
                return vec![Cmd::Export { session, path: argument.to_owned() }];
            }
        }
        Verb::Help if !argument.is_empty() => return commanding::help(model, argument),
        Verb::Help => model.open(Overlay::Help(Help::new(&model.commands))),
        Verb::Sh => {}
        Verb::Quit => return vec![Cmd::Quit],
    }
    Vec::new()
}

pub(super) fn create(model: &mut Model, title: &str) -> Vec<Cmd> {
    vec![Cmd::Create { op: model.ops.next(), title: title.to_owned() }]
}

fn rename(model: &mut Model) {
    if let Some(session) = &model.session {
        let (id, title) = (session.id.clone(), session::title_of(session).to_owned());
        prompt::ask_title(model, id, &title);
    }
}

fn fork(model: &mut Model) -> Vec<Cmd> {
    let Some(session) = model.session_id().map(str::to_owned) else { return Vec::new() };
    vec![Cmd::Fork { op: model.ops.next(), session, seq: 0 }]
}

fn compact(model: &mut Model) -> Vec<Cmd> {
    let Some(session) = model.session_id().map(str::to_owned) else { return Vec::new() };
    if model.is_running() {
        model.say("it is compacted after this answer");
    }
    vec![Cmd::Compact { op: model.ops.next(), session }]
}

/// Asks whether what the last turn changed is to be undone.
fn ask_undo(model: &mut Model) {
    if let Some(yes) = holds::undo(model) {
        let question = "undo what the last turn changed in the workspace?".into();
        model.open(Overlay::Confirm(prompt::Confirm { question, yes }));
    }
}

/// Changes what holds for the session's turns and keeps the rest.
pub(super) fn configure(model: &mut Model, change: impl FnOnce(&mut v1::Settings)) -> Vec<Cmd> {
    let Some(session) = &model.session else { return Vec::new() };
    let mut settings = session.settings.clone().unwrap_or_default();
    change(&mut settings);
    let session = session.id.clone();
    vec![Cmd::Configure { op: model.ops.next(), session, settings }]
}

fn effort(model: &mut Model, action: Action) -> Vec<Cmd> {
    let Some(session) = &model.session else { return Vec::new() };
    let now = session.settings.as_ref().map_or("", |settings| &settings.effort);
    let next = step_effort(now, action == Action::EffortUp);
    let word = if next.is_empty() { "as configured" } else { next };
    model.say(format!("effort: {word} (of {})", EFFORTS[1..].join(", ")));
    configure(model, |settings| settings.effort = next.to_owned())
}

fn copy_answer(model: &mut Model) -> Vec<Cmd> {
    match model.transcript.last_answer().map(str::to_owned) {
        Some(text) => {
            model.say("copied the last answer");
            vec![Cmd::Copy(text)]
        }
        None => {
            model.say("there is no answer yet");
            Vec::new()
        }
    }
}

/// Esc: stops the answer; a second time within a second the waiting messages go as well.
fn interrupt(model: &mut Model) -> Vec<Cmd> {
    // Who puts a question off by pressing twice does not mean to stop all of it.
    if model.card.was_left(model.now.ms) {
        return Vec::new();
    }
    let twice = model.last_interrupt.is_some_and(|at| model.now.ms.saturating_sub(at) <= TWICE);
    if model.is_running() || !model.transcript.waiting().is_empty() || twice {
        model.last_interrupt = Some(model.now.ms);
        return stop(model, twice);
    }
    model.transcript.scroll.wish(Move::End);
    Vec::new()
}

fn stop(model: &mut Model, all: bool) -> Vec<Cmd> {
    let Some(session) = model.session_id().map(str::to_owned) else { return Vec::new() };
    let waiting = model.transcript.waiting().len();
    model.say(match (all, waiting) {
        (true, _) => "stopping everything".to_owned(),
        (false, 0) => "stopping".to_owned(),
        (false, _) => format!("stopping; Esc again drops the {waiting} waiting"),
    });
    vec![Cmd::Stop { session, all, turn: String::new() }]
}

/// Takes the last waiting message out of the queue and into the composer.
fn take_queued(model: &mut Model) -> Vec<Cmd> {
    let Some(session) = model.session_id().map(str::to_owned) else { return Vec::new() };
    let Some(waiting) = model.transcript.waiting().last() else {
        model.say("no message waits");
        return Vec::new();
    };
    if !model.composer.is_empty() {
        model.say("send or clear what you wrote first");
        return Vec::new();
    }
    let (turn, text) = (waiting.turn.clone(), waiting.person.text.clone());
    model.composer.set(&text);
    vec![Cmd::Stop { session, all: false, turn }]
}

fn clear_or_quit(model: &mut Model) -> Vec<Cmd> {
    let twice = model.last_clear.is_some_and(|at| model.now.ms.saturating_sub(at) <= TWICE);
    if twice && model.composer.is_empty() {
        return vec![Cmd::Quit];
    }
    model.last_clear = Some(model.now.ms);
    if model.composer.is_empty() {
        model.say("C-c again detaches; the answer goes on");
    } else {
        model.composer.set("");
        model.history.forget_place();
        model.say("cleared; C-_ brings it back");
    }
    Vec::new()
}

fn complete(model: &mut Model) {
    let fits = slash::matching(model.composer.text(), &model.commands);
    let Some(first) = fits.first() else { return };
    let mut common = first.name.clone();
    while !fits.iter().all(|slash| slash.name.starts_with(&common)) {
        common.pop();
    }
    let mut text = format!("/{common}");
    if fits.len() == 1 && first.takes {
        text.push(' ');
    }
    model.composer.set(&text);
}

/// Reads older messages, unless that is being done.
pub(super) fn load_older(model: &mut Model, limit: u32) -> Vec<Cmd> {
    let Some(session) = model.session_id().map(str::to_owned) else { return Vec::new() };
    if model.loading_older || model.link != Link::Up || !model.caught_up {
        return Vec::new();
    }
    model.loading_older = true;
    let before = model.transcript.first_seq();
    vec![Cmd::History { epoch: model.epoch, session, before, limit: limit.max(PAGE) }]
}
