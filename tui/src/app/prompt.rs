//! Fields that ask for one line, and questions that are answered yes or no.

use super::cmd::Cmd;
use super::editor::Editor;
use super::model::{Model, Overlay};
use crate::keymap::Action;
use crate::widget::SafeText;

/// A field.
#[derive(Debug)]
pub(crate) struct Prompt {
    /// What is asked for.
    pub(crate) title: SafeText,
    /// What was typed.
    pub(crate) field: Editor,
    pub(super) ask: Ask,
}

/// What the line is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// The title of that session.
    Title(String),
}

/// A question.
#[derive(Debug)]
pub(crate) struct Confirm {
    /// The question.
    pub(crate) question: SafeText,
    /// What a yes means.
    pub(super) yes: Cmd,
}

/// Asks for a session's title.
pub(super) fn ask_title(model: &mut Model, session: String, title: &str) {
    model.open(Overlay::Prompt(Prompt {
        title: "rename the session".into(),
        field: Editor::with(title),
        ask: Ask::Title(session),
    }));
}

pub(super) fn act(model: &mut Model, action: Action) -> Vec<Cmd> {
    let Some(Overlay::Prompt(prompt)) = model.overlays.last() else { return Vec::new() };
    let (ask, line) = (prompt.ask.clone(), prompt.field.expanded());
    let line = line.split('\n').next().unwrap_or_default().trim().to_owned();
    match action {
        Action::Leave => {
            model.close();
            Vec::new()
        }
        Action::Accept if line.is_empty() => {
            model.say("a title needs a letter");
            Vec::new()
        }
        Action::Accept => {
            model.close();
            let Ask::Title(session) = ask;
            vec![Cmd::Rename { op: model.ops.next(), session, title: line }]
        }
        _ => Vec::new(),
    }
}

pub(super) fn answer(model: &mut Model, action: Action) -> Vec<Cmd> {
    let Some(Overlay::Confirm(confirm)) = model.overlays.last() else { return Vec::new() };
    let yes = confirm.yes.clone();
    match action {
        Action::Yes => {
            model.close();
            vec![yes]
        }
        Action::No => {
            model.close();
            Vec::new()
        }
        _ => Vec::new(),
    }
}
