//! The composer: the rows around the cursor, chips, and the commands that a slash may become.

use ratatui::layout::{Position, Rect};

use super::canvas::Canvas;
use super::lists::padded;
use crate::app::editor::Editor;
use crate::app::{Mode, Model, contexts, matching};
use crate::keymap::continuations;
use crate::widget::{Hue, Ink, Line, SafeText, Span, shorten, width_of};

/// Columns of the prompt.
const PROMPT: u16 = 3;

pub(super) fn draw(model: &Model, area: Rect, canvas: &mut Canvas<'_>) -> Option<Position> {
    if area.height == 0 {
        return None;
    }
    let writing = matches!(model.mode, Mode::Write);
    let hue = if writing { Hue::Accent } else { Hue::Dim };
    let prompt = if model.shell { "$" } else { "❯" };
    canvas.span(area.x + 1, area.y, &Span::inked(prompt, Ink::of(hue).bold()), 1);
    let text = Rect { x: area.x + PROMPT, width: area.width.saturating_sub(PROMPT + 1), ..area };
    if let Some(found) = model.history.found() {
        let preview = Editor::with(found);
        draw_editor(&preview, text, Hue::Dim, canvas);
        return None;
    }
    if model.composer.is_empty() {
        let hint = match (model.shell, model.is_running()) {
            (true, _) => "run a program; /sh off ends this",
            (false, true) => "write the next message",
            (false, false) => "write a message",
        };
        canvas.text(text.x, text.y, hint, Hue::Dim, text.width);
    }
    draw_editor(&model.composer, text, Hue::Text, canvas)
}

/// Draws the rows of an editor that are around its cursor; gives the cursor's place.
pub(super) fn draw_editor(
    editor: &Editor,
    area: Rect,
    hue: Hue,
    canvas: &mut Canvas<'_>,
) -> Option<Position> {
    if area.width == 0 || area.height == 0 {
        return None;
    }
    let rows = editor.rows(usize::from(area.width));
    let (row, column) = editor.place_in(&rows);
    let height = usize::from(area.height);
    let top = row.saturating_sub(height - 1);
    for (y, row) in (area.top()..area.bottom()).zip(rows.iter().skip(top)) {
        let mut x = area.x;
        for (text, chip) in editor.pieces(*row) {
            let ink = if chip { Ink::of(Hue::Accent).bold() } else { Ink::of(hue) };
            x = canvas.span(x, y, &Span::inked(text, ink), area.right().saturating_sub(x));
        }
    }
    let column = u16::try_from(column).unwrap_or(u16::MAX).min(area.width.saturating_sub(1));
    let y = area.y + u16::try_from(row - top).unwrap_or(0);
    Some(Position::new(area.x + column, y))
}

/// Draws a field of one line; `masked` shows a dot for each letter.
pub(super) fn draw_field(
    editor: &Editor,
    area: Rect,
    masked: bool,
    canvas: &mut Canvas<'_>,
) -> Option<Position> {
    if area.width == 0 || area.height == 0 {
        return None;
    }
    let before = &editor.text()[..editor.cursor()];
    let (shown, before) = if masked {
        let dots = |text: &str| "•".repeat(text.chars().count());
        (dots(editor.text()), dots(before))
    } else {
        (editor.text().to_owned(), before.to_owned())
    };
    // The end of what is before the cursor stays in sight.
    let room = usize::from(area.width).saturating_sub(1);
    let mut skip = 0;
    while width_of(&before[skip..]) > room {
        skip += before[skip..].chars().next().map_or(1, char::len_utf8);
    }
    let text = SafeText::one_line(&shown[skip..]);
    canvas.text(area.x, area.y, &text, Hue::Text, area.width);
    let column = u16::try_from(width_of(&before[skip..])).unwrap_or(0);
    Some(Position::new(area.x + column.min(area.width - 1), area.y))
}

/// What may follow what was pressed or written, and what it does.
pub(super) fn offers(model: &Model) -> Vec<(String, SafeText)> {
    let writes = matches!(model.mode, Mode::Write) && model.history.search().is_none();
    if !model.overlays.is_empty() {
        return Vec::new();
    }
    if !model.chord.is_empty() {
        let all = continuations(contexts(model), &model.chord);
        let words = |help: &str| help.split([';', ',']).next().unwrap_or_default().into();
        return all.into_iter().map(|(key, help)| (key, words(help))).collect();
    }
    let slashes =
        if writes { matching(model.composer.text(), &model.commands) } else { Vec::new() };
    slashes.into_iter().map(|slash| (slash.call.as_str().to_owned(), slash.help)).collect()
}

/// Draws them above the composer, in as many columns as there is room for.
pub(super) fn draw_offers(offers: &[(String, SafeText)], above: Rect, canvas: &mut Canvas<'_>) {
    let widest = |of: fn(&(String, SafeText)) -> usize| offers.iter().map(of).max().unwrap_or(0);
    let call_width = widest(|(call, _)| width_of(call)) + 2;
    let room = usize::from(above.width.saturating_sub(PROMPT + 1));
    let columns = (room / (call_width + widest(|(_, help)| width_of(help)) + 2)).max(1);
    let rows = offers.len().div_ceil(columns);
    let height = u16::try_from(rows).unwrap_or(u16::MAX).min(above.height);
    let area = Rect { y: above.bottom() - height, height, ..above };
    canvas.clear(area);
    let cell = room / columns;
    // What has no row is found by typing on.
    let hidden = rows > usize::from(height) && height > 1;
    let bottom = if hidden { area.bottom() - 1 } else { area.bottom() };
    if hidden {
        canvas.text(area.x + PROMPT, bottom, "… type on for the others", Hue::Dim, area.width);
    }
    for (column, offers) in offers.chunks(rows.max(1)).enumerate() {
        let x = area.x + PROMPT + u16::try_from(column * cell).unwrap_or(u16::MAX);
        for (y, (call, help)) in (area.top()..bottom).zip(offers) {
            let help = shorten(help, cell.saturating_sub(call_width));
            let line = Line::new(padded(call, call_width), Hue::Accent).with(help, Hue::Dim);
            canvas.line(x, y, &line, u16::try_from(cell).unwrap_or(u16::MAX));
        }
    }
}
