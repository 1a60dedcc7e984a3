//! What all lists share: the field above, the rows around the chosen one.

use ratatui::layout::{Position, Rect};

use super::canvas::{Canvas, split};
use super::composer::draw_field;
use crate::app::{Palette, Picker};
use crate::widget::{Hue, Line, width_of};

/// Draws the field of a list and gives the room below it, and the cursor.
pub(super) fn draw_query(
    picker: &Picker,
    area: Rect,
    canvas: &mut Canvas<'_>,
) -> (Rect, Option<Position>) {
    let (row, rest) = split(area, 1);
    if row.height == 0 {
        return (rest, None);
    }
    let x = canvas.text(row.x, row.y, "❯ ", Hue::Accent, row.width);
    let field = Rect { x, width: row.right().saturating_sub(x), ..row };
    if picker.query.is_empty() {
        canvas.text(x, row.y, "type to find", Hue::Dim, field.width);
    }
    let cursor = draw_field(&picker.query, field, false, canvas);
    (rest, cursor)
}

/// Draws the rows around the chosen one.
pub(super) fn draw_rows(rows: &[Line], chosen: usize, area: Rect, canvas: &mut Canvas<'_>) {
    let height = usize::from(area.height);
    let top = chosen.saturating_sub(height.saturating_sub(1));
    for (y, (number, line)) in (area.top()..area.bottom()).zip(rows.iter().enumerate().skip(top)) {
        let here = number == chosen;
        let mark = if here { "› " } else { "  " };
        let x = canvas.text(area.x, y, mark, Hue::Accent, area.width);
        canvas.line(x, y, line, area.right().saturating_sub(x));
        if here {
            canvas.choose(area.x, y, area.width);
        }
    }
    if rows.is_empty() && area.height > 0 {
        canvas.text(area.x + 2, area.y, "nothing fits", Hue::Dim, area.width.saturating_sub(2));
    }
}

/// A text in so many cells, filled up with spaces.
pub(super) fn padded(text: &str, cells: usize) -> String {
    let text = crate::widget::shorten(text, cells);
    let fill = cells.saturating_sub(width_of(&text));
    format!("{}{}", text.as_str(), " ".repeat(fill))
}

pub(super) fn draw_palette(palette: &Palette, canvas: &mut Canvas<'_>) -> Option<Position> {
    let area = canvas.middle(70, 20);
    let inside = canvas.frame(area, "commands", "Enter do it · Esc close");
    let (list, cursor) = draw_query(&palette.picker, inside, canvas);
    let room = usize::from(list.width).saturating_sub(14);
    let rows: Vec<Line> = palette
        .rows()
        .map(|(help, key)| Line::new(padded(help, room), Hue::Text).with(key, Hue::Dim))
        .collect();
    draw_rows(&rows, palette.picker.place(), list, canvas);
    cursor
}
