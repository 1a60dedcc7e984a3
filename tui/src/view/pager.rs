//! A text to read, in a frame.

use ratatui::layout::Position;

use super::canvas::Canvas;
use crate::app::{PAGER_WIDEST, Pager};

pub(super) fn draw(pager: &Pager, canvas: &mut Canvas<'_>) -> Option<Position> {
    let height = canvas.area().height;
    let area = canvas.middle(PAGER_WIDEST, height.saturating_sub(2).max(5));
    let inside = canvas.frame(area, &pager.title, "Esc close · PageDown on");
    let last = pager.rows.len().saturating_sub(usize::from(inside.height));
    let rows = pager.rows.iter().skip(pager.top.min(last));
    for (y, line) in (inside.top()..inside.bottom()).zip(rows) {
        canvas.line(inside.x + 1, y, line, inside.width.saturating_sub(2));
    }
    None
}
