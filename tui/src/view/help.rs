//! The help screen.

use ratatui::layout::Position;

use super::canvas::Canvas;
use crate::app::{HELP_WIDEST, Help, HelpRow};
use crate::widget::{Hue, Ink, Span};

pub(super) fn draw(help: &Help, canvas: &mut Canvas<'_>) -> Option<Position> {
    let height = canvas.area().height;
    let area = canvas.middle(HELP_WIDEST, height.saturating_sub(2).max(5));
    let inside = canvas.frame(area, "keys", "Esc close · PageDown on");
    let width = usize::from(inside.width).saturating_sub(2);
    let rows = help.rows(width);
    let last = rows.len().saturating_sub(usize::from(inside.height));
    let words = u16::try_from(Help::keys_width(width)).unwrap_or(0);
    let x = inside.x + 1;
    for (y, row) in (inside.top()..inside.bottom()).zip(rows.iter().skip(help.top.min(last))) {
        match row {
            HelpRow::Heading(title) => {
                let heading = Span::inked(*title, Ink::of(Hue::Heading).bold());
                canvas.span(x, y, &heading, inside.width);
            }
            HelpRow::Keys(keys, what) => {
                canvas.line(x, y, keys, words);
                canvas.line(x + words, y, what, inside.width.saturating_sub(words + 1));
            }
        }
    }
    None
}
