//! Fields of one line, questions, and the screen of a daemon that cannot be reached.

use ratatui::layout::{Position, Rect};

use super::canvas::Canvas;
use super::composer::draw_field;
use crate::app::{Confirm, Prompt, Trouble};
use crate::widget::{Hue, Line, Span, wrap};

pub(super) fn draw(prompt: &Prompt, canvas: &mut Canvas<'_>) -> Option<Position> {
    let area = canvas.middle(64, 3);
    let inside = canvas.frame(area, &prompt.title, "Enter done · Esc give up");
    let field = Rect { x: inside.x + 1, width: inside.width.saturating_sub(2), ..inside };
    draw_field(&prompt.field, field, false, canvas)
}

pub(super) fn draw_question(confirm: &Confirm, canvas: &mut Canvas<'_>) -> Option<Position> {
    boxed("sure?", "y yes · n no", &[Span::new(confirm.question.clone(), Hue::Text)], canvas);
    None
}

pub(super) fn draw_refused(trouble: &Trouble, canvas: &mut Canvas<'_>) -> Option<Position> {
    let mut spans = vec![Span::new("✗ ", Hue::Bad), Span::new(trouble.message.as_str(), Hue::Text)];
    if !trouble.hint.is_empty() {
        spans.push(Span::new(format!("\n\nhint: {}", trouble.hint), Hue::Dim));
    }
    boxed("no daemon", "Enter try again · Esc leave", &spans, canvas);
    None
}

fn boxed(title: &str, keys: &str, spans: &[Span], canvas: &mut Canvas<'_>) {
    let width = canvas.area().width.min(72);
    let rows = wrap(spans, usize::from(width.saturating_sub(4)));
    let height = u16::try_from(rows.len()).unwrap_or(u16::MAX).saturating_add(2);
    let area = canvas.middle(width, height);
    let inside = canvas.frame(area, title, keys);
    for (y, row) in (inside.top()..inside.bottom()).zip(rows) {
        canvas.line(inside.x + 1, y, &Line::from(row), inside.width.saturating_sub(1));
    }
}
