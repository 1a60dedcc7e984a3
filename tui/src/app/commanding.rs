//! Commands that the daemon does: sending one, and what it says to it.
//!
//! The invariant: what was typed is not lost. It comes back into the composer when the daemon does not
//! know it or can't do it.

use moltis_proto::v1;

use super::cmd::Cmd;
use super::editor::Draft;
use super::model::{Link, Model, Overlay};
use super::msg::Trouble;
use super::pager::Pager;
use super::{session, slash};
use crate::widget::SafeText;

/// Commands that may be on their way at once.
const MAX_COMMANDING: usize = 8;

/// A command on its way.
#[derive(Debug)]
pub(crate) struct Commanding {
    op: String,
    session: String,
    /// As it was typed.
    line: String,
    draft: Draft,
}

/// Has the daemon do what is written; `line` is what it is told.
pub(super) fn send(model: &mut Model, line: String) -> Vec<Cmd> {
    let Some(session) = model.session_id().map(str::to_owned).filter(|_| model.link == Link::Up)
    else {
        model.say("not connected; what you wrote is kept");
        return Vec::new();
    };
    if model.commanding.len() >= MAX_COMMANDING {
        model.say("too many commands wait for the daemon");
        return Vec::new();
    }
    let (op, draft) = (model.ops.next(), model.composer.stash());
    let commanding = Commanding { op: op.clone(), session: session.clone(), line, draft };
    let line = commanding.line.clone();
    model.commanding.push(commanding);
    vec![Cmd::Command { op, session, line }]
}

/// The daemon did it, or says why not.
pub(super) fn done(
    model: &mut Model,
    op: &str,
    result: Result<v1::CommandResponse, Trouble>,
) -> Vec<Cmd> {
    let Some(at) = model.commanding.iter().position(|one| one.op == op) else { return Vec::new() };
    let Commanding { session, line, draft, .. } = model.commanding.remove(at);
    match result {
        Ok(reply) => {
            say(model, &line, &reply.text);
            if reply.session.is_empty() {
                return Vec::new();
            }
            let made = v1::Session { id: reply.session, ..v1::Session::default() };
            session::switch(model, made)
        }
        Err(trouble) => {
            if model.session_id() == Some(session.as_str()) {
                model.composer.put_before(draft);
            } else {
                session::keep_draft(model, session, draft);
            }
            // The connection broke, or the daemon is older than the command.
            let older = trouble.code == "version_mismatch";
            let what = if older { "this daemon knows no such commands" } else { "" };
            model.complain(what, &trouble);
            Vec::new()
        }
    }
}

/// A line is a remark, more of them are a text to read.
fn say(model: &mut Model, line: &str, text: &str) {
    if text.trim().is_empty() {
        return;
    }
    if text.trim_end().contains('\n') {
        let pager = Pager::of(SafeText::one_line(line), text.into());
        model.open(Overlay::Pager(Box::new(pager)));
    } else {
        model.say(SafeText::one_line(text));
    }
}

/// `/sh`: every line or none is a program, or this one is.
pub(super) fn shell(model: &mut Model, argument: &str, text: String) -> Vec<Cmd> {
    let on = match argument {
        "on" => true,
        "off" => false,
        _ => return send(model, text),
    };
    if on && !model.commands.iter().any(|one| one.name == "sh") {
        model.say("this daemon runs no programs at your word");
        return Vec::new();
    }
    model.composer.clear();
    model.shell = on;
    model.say(if on {
        "every line is a program now; /sh off ends it"
    } else {
        "lines are messages"
    });
    Vec::new()
}

/// The help of one command.
pub(super) fn help(model: &mut Model, name: &str) -> Vec<Cmd> {
    let name = name.strip_prefix('/').unwrap_or(name);
    let found = slash::matching(&format!("/{name}"), &model.commands);
    let of_daemon = model.commands.iter().any(|one| one.name == name);
    match found.into_iter().find(|one| one.name == name) {
        Some(one) if !of_daemon => {
            model.say(SafeText::one_line(&format!("{} · {}", &*one.call, &*one.help)));
            Vec::new()
        }
        _ => send(model, format!("/help {name}")),
    }
}

#[cfg(test)]
#[path = "commanding_tests.rs"]
mod tests;
