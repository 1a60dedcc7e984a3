//! The last row: a search, a started key sequence, a remark, or the keys of the moment.

use ratatui::layout::{Position, Rect};

use super::canvas::Canvas;
use super::composer::draw_field;
use crate::app::{Mode, Model, contexts};
use crate::keymap::{Action, Key, continuations, key_of};
use crate::widget::{Hue, Line, width_of};

pub(super) fn draw(model: &Model, area: Rect, canvas: &mut Canvas<'_>) -> Option<Position> {
    let row = Rect { x: area.x + 1, width: area.width.saturating_sub(2), height: 1, ..area };
    if let Some(search) = model.history.search() {
        let mark = if search.found.is_some() { "" } else { "no " };
        return field(&format!("{mark}earlier message: "), &search.query, row, canvas);
    }
    if matches!(model.mode, Mode::Find) {
        let find = &model.find;
        let state = match (find.reading, find.found) {
            (true, _) => "reading older messages … ",
            (false, Some(_)) => "find (Up older, Down newer, Enter select): ",
            (false, None) => "find: ",
        };
        return field(state, &find.query, row, canvas);
    }
    if !model.chord.is_empty() {
        draw_chord(model, row, canvas);
    } else if let Some(toast) = &model.toast {
        let (sign, hue) = if toast.bad { ("✗ ", Hue::Bad) } else { ("· ", Hue::Accent) };
        let mut line = Line::new(sign, hue).with(toast.text.clone(), Hue::Text);
        if !toast.hint.is_empty() {
            line = line.with(" · hint: ", Hue::Dim).with(toast.hint.clone(), Hue::Dim);
        }
        canvas.line(row.x, row.y, &line, row.width);
    } else {
        draw_hints(model, row, canvas);
    }
    None
}

fn field(
    label: &str,
    editor: &crate::app::editor::Editor,
    row: Rect,
    canvas: &mut Canvas<'_>,
) -> Option<Position> {
    let x = canvas.text(row.x, row.y, label, Hue::Accent, row.width);
    let room = Rect { x, width: row.right().saturating_sub(x), ..row };
    draw_field(editor, room, false, canvas)
}

fn draw_chord(model: &Model, row: Rect, canvas: &mut Canvas<'_>) {
    let pressed: Vec<String> = model.chord.iter().map(Key::to_string).collect();
    let mut line = Line::new(format!("{} ", pressed.join(" ")), Hue::Accent);
    for (key, help) in continuations(contexts(model), &model.chord) {
        let words = help.split([';', ',']).next().unwrap_or(help);
        line = line.with(format!(" {key} "), Hue::Text).with(words, Hue::Dim);
    }
    canvas.line(row.x, row.y, &line, row.width);
}

/// The keys that matter now, as many as fit.
fn draw_hints(model: &Model, row: Rect, canvas: &mut Canvas<'_>) {
    let hints: &[(Action, &str)] = match model.mode {
        Mode::Browse { .. } => &[
            (Action::BlockUp, "before"),
            (Action::BlockDown, "after"),
            (Action::CopyBlock, "copy"),
            (Action::ForkBlock, "fork"),
            (Action::EditBlock, "write anew"),
            (Action::Leave, "back"),
        ],
        _ if model.is_running() => &[
            (Action::Send, "queue"),
            (Action::Interrupt, "stop"),
            (Action::Newline, "newline"),
            (Action::OpenSessions, "sessions"),
            (Action::Palette, "commands"),
            (Action::HelpIfEmpty, "keys"),
        ],
        _ => &[
            (Action::Send, "send"),
            (Action::Newline, "newline"),
            (Action::OpenSessions, "sessions"),
            (Action::OpenModels, "model"),
            (Action::Palette, "commands"),
            (Action::HelpIfEmpty, "keys"),
        ],
    };
    let mut line = Line::default();
    for (action, word) in hints {
        let Some(key) = key_of(*action) else { continue };
        let cells = width_of(key) + width_of(word) + 4;
        if line.width() + cells > usize::from(row.width) {
            break;
        }
        line = line.with(key, Hue::Accent).with(format!(" {word}   "), Hue::Dim);
    }
    canvas.line(row.x, row.y, &line, row.width);
}
