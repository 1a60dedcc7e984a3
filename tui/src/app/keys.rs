//! Keys, pastes and the wheel: who gets them, and what they do there.

use super::browse::{self, Direction, Mode};
use super::cmd::Cmd;
use super::editor::Editor;
use super::help::Help;
use super::model::{Model, Overlay};
use super::transcript::Move;
use super::welcome::Step;
use super::{asked, card, chat, models, pager, palette, prompt, sessions, welcome};
use crate::keymap::{Action, Code, Context, Key, Meaning, resolve};

/// The contexts that apply now, the first of them first.
pub(crate) fn contexts(model: &Model) -> &'static [Context] {
    use Context as C;
    match model.overlays.last() {
        Some(Overlay::Help(_) | Overlay::Told(_) | Overlay::Pager(_) | Overlay::Left(_)) => {
            &[C::Help, C::Anywhere]
        }
        Some(Overlay::Palette(_) | Overlay::Asked(_)) => &[C::List, C::Editing, C::Anywhere],
        Some(Overlay::Sessions(_)) => &[C::Sessions, C::List, C::Editing, C::Anywhere],
        Some(Overlay::Models(_)) => &[C::Models, C::List, C::Editing, C::Anywhere],
        Some(Overlay::Prompt(_) | Overlay::Refused(_)) => &[C::Prompt, C::Editing, C::Anywhere],
        Some(Overlay::Confirm(_)) => &[C::Confirm, C::Anywhere],
        Some(Overlay::Welcome(welcome)) => match welcome.step {
            Step::Offers | Step::Pulling(_) | Step::Working(_) => &[C::Welcome, C::Anywhere],
            Step::Provider(_) => &[C::List, C::Editing, C::Anywhere],
            Step::Key { .. } => &[C::Prompt, C::Editing, C::Anywhere],
        },
        None if model.history.search().is_some() => &[C::History, C::Editing, C::Anywhere],
        None => match model.mode {
            Mode::Write => &[C::Chat, C::Editing, C::Anywhere],
            Mode::Browse { .. } => &[C::Browse, C::Anywhere],
            Mode::Find => &[C::Find, C::Editing, C::Anywhere],
            Mode::Card if model.card.reason.is_some() => &[C::Prompt, C::Editing, C::Anywhere],
            Mode::Card => &[C::Card, C::Anywhere],
        },
    }
}

/// The text that typing changes now.
fn field(model: &mut Model) -> Option<&mut Editor> {
    match model.overlays.last_mut() {
        Some(Overlay::Palette(palette)) => Some(&mut palette.picker.query),
        Some(Overlay::Sessions(sessions)) => Some(&mut sessions.picker.query),
        Some(Overlay::Models(models)) => Some(&mut models.picker.query),
        Some(Overlay::Asked(asked)) => Some(&mut asked.picker.query),
        Some(Overlay::Prompt(prompt)) => Some(&mut prompt.field),
        Some(Overlay::Welcome(welcome)) => match &mut welcome.step {
            Step::Provider(picker) => Some(&mut picker.query),
            Step::Key { field, .. } => Some(field),
            Step::Offers | Step::Pulling(_) | Step::Working(_) => None,
        },
        Some(
            Overlay::Help(_)
            | Overlay::Told(_)
            | Overlay::Pager(_)
            | Overlay::Left(_)
            | Overlay::Confirm(_)
            | Overlay::Refused(_),
        ) => None,
        None if model.history.search().is_some() => model.history.query(),
        None => match model.mode {
            Mode::Write => Some(&mut model.composer),
            Mode::Find => Some(&mut model.find.query),
            Mode::Card => model.card.reason.as_mut(),
            Mode::Browse { .. } => None,
        },
    }
}

fn is_composer(model: &Model) -> bool {
    model.overlays.is_empty()
        && model.history.search().is_none()
        && matches!(model.mode, Mode::Write)
}

/// A key was pressed.
pub(super) fn press(model: &mut Model, key: Key) -> Vec<Cmd> {
    if !model.chord.is_empty() && key == Key::plain(Code::Escape) {
        model.chord.clear();
        return Vec::new();
    }
    model.chord.push(key);
    match resolve(contexts(model), &model.chord) {
        Meaning::Action(action) => {
            model.chord.clear();
            act(model, action)
        }
        Meaning::Prefix => Vec::new(),
        Meaning::Nothing if model.chord.len() > 1 => {
            let keys: Vec<String> = model.chord.drain(..).map(|key| key.to_string()).collect();
            model.say(format!("{} is not bound; F1 shows the keys", keys.join(" ")));
            Vec::new()
        }
        Meaning::Nothing => {
            model.chord.clear();
            key.types().map_or_else(Vec::new, |c| type_text(model, c.encode_utf8(&mut [0; 4])))
        }
    }
}

fn type_text(model: &mut Model, text: &str) -> Vec<Cmd> {
    // A letter that means nothing to the selection goes on with the message.
    if model.overlays.is_empty() && matches!(model.mode, Mode::Browse { .. }) {
        model.mode = Mode::Write;
    }
    if is_composer(model) {
        model.history.forget_place();
    }
    match field(model) {
        Some(editor) => {
            editor.insert(text);
            after_edit(model)
        }
        None => Vec::new(),
    }
}

/// Text was pasted.
pub(super) fn paste(model: &mut Model, text: &str) -> Vec<Cmd> {
    if model.overlays.is_empty() && matches!(model.mode, Mode::Browse { .. }) {
        model.mode = Mode::Write;
    }
    if is_composer(model) {
        model.history.forget_place();
        if model.composer.paste(text).is_err() {
            model.say("too much for one message; `moltis send -f FILE` takes a file");
        }
        return Vec::new();
    }
    let line: String = text.lines().next().unwrap_or_default().chars().take(4_096).collect();
    match field(model) {
        Some(editor) => {
            editor.insert(&line);
            after_edit(model)
        }
        None => Vec::new(),
    }
}

/// What follows from a changed text.
fn after_edit(model: &mut Model) -> Vec<Cmd> {
    match model.overlays.last_mut() {
        Some(Overlay::Palette(palette)) => palette.rank(),
        Some(Overlay::Asked(asked)) => asked.rank(),
        Some(Overlay::Sessions(sessions)) => {
            sessions.rank(None);
            return sessions::peek(model);
        }
        Some(Overlay::Models(models)) => models.rank(),
        Some(Overlay::Welcome(welcome)) => welcome.rank(),
        Some(_) => {}
        None if model.history.search().is_some() => model.history.search_again(),
        None => {
            if matches!(model.mode, Mode::Find) {
                return browse::search(model, Direction::Anew);
            }
        }
    }
    Vec::new()
}

/// The wheel was turned.
pub(super) fn wheel(model: &mut Model, rows: isize) -> Vec<Cmd> {
    let action = if rows < 0 { Action::ListUp } else { Action::ListDown };
    match model.overlays.last() {
        None if matches!(model.mode, Mode::Card) => return act(model, action),
        None => model.transcript.scroll.wish(Move::By(rows)),
        Some(Overlay::Prompt(_) | Overlay::Confirm(_) | Overlay::Refused(_)) => {}
        Some(_) => return act(model, action),
    }
    Vec::new()
}

/// Does something, for whoever has the keys.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Cmd> {
    match action {
        Action::Repaint => return vec![Cmd::Repaint],
        Action::Suspend => return vec![Cmd::Suspend],
        Action::Help if !matches!(model.overlays.last(), Some(Overlay::Help(_))) => {
            model.open(Overlay::Help(Help::new(&model.commands)));
            return Vec::new();
        }
        _ => {}
    }
    if let Some(cmds) = edit(model, action) {
        return cmds;
    }
    let size = (model.width, model.height);
    match model.overlays.last_mut() {
        Some(Overlay::Help(help)) => {
            if !help.act(action, size) && action == Action::Leave {
                model.close();
            }
            Vec::new()
        }
        Some(Overlay::Told(_) | Overlay::Left(_)) => {
            if action == Action::Leave {
                model.close();
            }
            Vec::new()
        }
        Some(Overlay::Pager(_)) => {
            pager::act(model, action);
            Vec::new()
        }
        Some(Overlay::Asked(_)) => asked::act(model, action),
        Some(Overlay::Palette(_)) => palette::act(model, action),
        Some(Overlay::Sessions(_)) => sessions::act(model, action),
        Some(Overlay::Models(_)) => models::act(model, action),
        Some(Overlay::Prompt(_)) => prompt::act(model, action),
        Some(Overlay::Confirm(_)) => prompt::answer(model, action),
        Some(Overlay::Welcome(_)) => welcome::act(model, action),
        Some(Overlay::Refused(_)) => match action {
            Action::Accept => {
                model.close();
                vec![Cmd::Connect]
            }
            Action::Leave => vec![Cmd::Quit],
            _ => Vec::new(),
        },
        None if model.history.search().is_some() => history(model, action),
        None => match model.mode {
            Mode::Write => chat::act(model, action),
            Mode::Browse { .. } => browse::act(model, action),
            Mode::Find => browse::find_act(model, action),
            Mode::Card => card::act(model, action),
        },
    }
}

fn history(model: &mut Model, action: Action) -> Vec<Cmd> {
    match action {
        Action::HistoryBack => model.history.search_on(true),
        Action::HistoryForward => model.history.search_on(false),
        Action::Accept => {
            if let Some(found) = model.history.end_search() {
                model.composer.set(&found);
            }
        }
        Action::Leave => drop(model.history.end_search()),
        _ => {}
    }
    Vec::new()
}

/// Edits the text that has the keys; `None` when the action is not an edit.
fn edit(model: &mut Model, action: Action) -> Option<Vec<Cmd>> {
    let composer = is_composer(model);
    let width = model.composer_width();
    if composer && matches!(action, Action::Up | Action::Down) {
        let by = if action == Action::Up { -1 } else { 1 };
        if !model.composer.vertical(by, width) {
            if action == Action::Up {
                model.history.back(&mut model.composer);
            } else {
                model.history.forward(&mut model.composer);
            }
        }
        return Some(Vec::new());
    }
    let editor = field(model)?;
    match action {
        Action::Left => editor.left(),
        Action::Right => editor.right(),
        Action::WordLeft => editor.word_left(),
        Action::WordRight => editor.word_right(),
        Action::LineStart => editor.line_start(),
        Action::LineEnd => editor.line_end(),
        Action::Backspace => editor.backspace(),
        Action::Delete => editor.delete_right(),
        Action::KillWordBack => editor.kill_word_back(),
        Action::KillWord => editor.kill_word(),
        Action::KillToEnd => editor.kill_to_end(),
        Action::KillToStart => editor.kill_to_start(),
        Action::Yank => editor.yank(),
        Action::Undo => editor.undo(),
        Action::Redo => editor.redo(),
        _ => return None,
    }
    let moved = matches!(
        action,
        Action::Left
            | Action::Right
            | Action::WordLeft
            | Action::WordRight
            | Action::LineStart
            | Action::LineEnd
    );
    if moved {
        return Some(Vec::new());
    }
    if composer {
        model.history.forget_place();
    }
    Some(after_edit(model))
}
