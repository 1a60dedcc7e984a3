//! The help screen.

use ratatui::layout::Position;

use super::canvas::Canvas;
use crate::app::Help;
use crate::widget::{Hue, Ink, Line, Span};

/// The column of the words.
const WORDS: u16 = 24;

pub(super) fn draw(help: &Help, canvas: &mut Canvas<'_>) -> Option<Position> {
    let height = canvas.area().height;
    let area = canvas.middle(84, height.saturating_sub(2).max(5));
    let inside = canvas.frame(area, "keys", "Esc close · PageDown on");
    let rows = Help::rows();
    let last = rows.len().saturating_sub(usize::from(inside.height));
    let words = WORDS.min(inside.width / 2);
    for (y, (keys, text)) in
        (inside.top()..inside.bottom()).zip(rows.iter().skip(help.top.min(last)))
    {
        let x = inside.x + 1;
        if keys.is_empty() {
            let heading = Span::inked(*text, Ink::of(Hue::Heading).bold());
            canvas.span(x, y, &heading, inside.width);
            continue;
        }
        canvas.line(x, y, &Line::new(keys.as_str(), Hue::Accent), words.saturating_sub(1));
        let room = inside.width.saturating_sub(words + 1);
        canvas.text(x + words, y, text, Hue::Text, room);
    }
    None
}
