//! The pane of what is left of the limits.

use ratatui::layout::Position;

use super::canvas::Canvas;
use super::lists::padded;
use crate::app::{Left, Limit, money, tokens};
use crate::widget::{Hue, Line};

/// A limit is drawn as one to be careful of when so many percent of it are used.
const MUCH: u64 = 80;

pub(super) fn draw(left: &Left, canvas: &mut Canvas<'_>) -> Option<Position> {
    let rows = left.limits.as_ref().map_or(1, |limits| limits.len().max(1));
    let height = u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(2);
    let area = canvas.middle(70, height);
    let inside = canvas.frame(area, "what is left of the limits", "Esc close");
    let width = inside.width.saturating_sub(2);
    let words = match &left.limits {
        None => "asking …",
        Some(limits) if limits.is_empty() => {
            "nothing is limited: see [budget] in the configuration"
        }
        Some(limits) => {
            for (y, limit) in (inside.top()..inside.bottom()).zip(limits) {
                canvas.line(inside.x + 1, y, &row(limit), width);
            }
            return None;
        }
    };
    canvas.text(inside.x + 1, inside.y, words, Hue::Dim, width);
    None
}

/// Whose limit, what is left, of how much, and what is used of it.
fn row(limit: &Limit) -> Line {
    let used = limit.spent.saturating_add(limit.reserved);
    let percent = used.saturating_mul(100) / limit.limit.max(1);
    let hue = if percent >= MUCH { Hue::Warn } else { Hue::Text };
    let said = |amount| said(&limit.unit, amount);
    Line::new(padded(&limit.span, 9), Hue::Text)
        .with(format!("{:>14}", said(limit.limit.saturating_sub(used))), hue)
        .with(format!(" left of {:<14}", said(limit.limit)), Hue::Dim)
        .with(format!("{percent:>5} % used"), Hue::Dim)
}

fn said(unit: &str, amount: u64) -> String {
    match unit {
        "microusd" if amount == 0 => "$0".to_owned(),
        "microusd" => money(amount),
        "seconds" => format!("{} min", amount / 60),
        "tokens" => format!("{} tokens", tokens(amount)),
        other => format!("{amount} {other}"),
    }
}
