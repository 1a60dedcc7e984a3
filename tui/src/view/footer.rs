//! The last row: a search, a started key sequence, a remark, or the keys of the moment.

use ratatui::layout::{Position, Rect};

use super::canvas::Canvas;
use super::composer::draw_field;
use crate::app::editor::Editor;
use crate::app::{Mode, Model, Toast};
use crate::keymap::{Action, Key, key_of};
use crate::widget::{Hue, Line, width_of, wrap};

pub(super) fn draw(model: &Model, area: Rect, canvas: &mut Canvas<'_>) -> Option<Position> {
    let row = Rect { x: area.x + 1, width: area.width.saturating_sub(2), height: 1, ..area };
    if let Some(search) = model.history.search() {
        let label =
            if search.found.is_some() { "earlier message: " } else { "no earlier message: " };
        return field(label, &search.query, "C-r older  Enter take  Esc give up", row, canvas);
    }
    if matches!(model.mode, Mode::Find) {
        let find = &model.find;
        let state = match (&model.toast, find.found) {
            _ if find.reading => "reading older messages …",
            (Some(toast), _) => &toast.text,
            (None, Some(_)) => "Up older  Down newer  Enter select",
            (None, None) => "Esc give up",
        };
        return field("find: ", &find.query, state, row, canvas);
    }
    if !model.chord.is_empty() {
        let pressed: Vec<String> = model.chord.iter().map(Key::to_string).collect();
        canvas.text(row.x, row.y, &format!("{} …", pressed.join(" ")), Hue::Accent, row.width);
    } else if let Some(toast) = &model.toast {
        draw_toast(toast, Rect { height: area.height, ..row }, canvas);
    } else if model.overlays.is_empty() {
        draw_hints(model, row, canvas);
    }
    None
}

/// A field after its label, and at the right what there is to say about it, if there is room.
fn field(
    label: &str,
    editor: &Editor,
    state: &str,
    row: Rect,
    canvas: &mut Canvas<'_>,
) -> Option<Position> {
    let x = canvas.text(row.x, row.y, label, Hue::Accent, row.width);
    let room = Rect { x, width: row.right().saturating_sub(x), ..row };
    let cursor = draw_field(editor, room, false, canvas);
    let free = usize::from(room.width).saturating_sub(width_of(editor.text()) + 2);
    if width_of(state) <= free {
        canvas.right(room.right(), row.y, &Line::new(state, Hue::Dim), room.width);
    }
    cursor
}

/// A remark, in as many rows as it was given.
fn draw_toast(toast: &Toast, area: Rect, canvas: &mut Canvas<'_>) {
    let mut rows = wrap(&toast.spans(), usize::from(area.width));
    let more = rows.len() > usize::from(area.height);
    rows.truncate(usize::from(area.height));
    let last = rows.len().saturating_sub(1);
    for (number, (y, row)) in (area.top()..area.bottom()).zip(rows).enumerate() {
        let x = canvas.line(area.x, y, &Line::from(row), area.width);
        if more && number == last {
            canvas.text(x.min(area.right().saturating_sub(1)), y, "…", Hue::Dim, 1);
        }
    }
}

/// The keys that matter now, as many as fit.
fn draw_hints(model: &Model, row: Rect, canvas: &mut Canvas<'_>) {
    let hints: &[(Action, &str)] = match model.mode {
        Mode::Card => &[(Action::ListPageDown, "down"), (Action::ListPageUp, "up")],
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
            (Action::HelpIfEmpty, "keys"),
            (Action::Newline, "newline"),
            (Action::OpenSessions, "sessions"),
            (Action::Palette, "commands"),
        ],
        _ => &[
            (Action::Send, "send"),
            (Action::Newline, "newline"),
            (Action::HelpIfEmpty, "keys"),
            (Action::OpenSessions, "sessions"),
            (Action::OpenModels, "model"),
            (Action::Palette, "commands"),
        ],
    };
    let mut line = Line::default();
    for (action, word) in hints {
        let Some(key) = key_of(*action) else { continue };
        if line.width() + width_of(key) + 1 + width_of(word) > usize::from(row.width) {
            break;
        }
        line = line.with(key, Hue::Accent).with(format!(" {word}  "), Hue::Dim);
    }
    canvas.line(row.x, row.y, &line, row.width);
}
