//! The pane of what the model is told.

use ratatui::layout::Position;

use super::canvas::Canvas;
use super::lists::padded;
use crate::app::{Part, Told, tokens};
use crate::widget::{Hue, Line};

/// Rows that are always there: the model, the sum, what is left, the window, when it is compacted.
const FIXED: usize = 5;

/// Cells of a row before its bar.
const WORDS: usize = 34;

pub(super) fn draw(told: &Told, canvas: &mut Canvas<'_>) -> Option<Position> {
    let rows = FIXED + told.parts.len() + usize::from(told.due || told.left_out);
    let height = u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(2);
    let area = canvas.middle(70, height);
    let inside = canvas.frame(area, "what the model is told", "Esc close");
    let width = inside.width.saturating_sub(2);
    if told.model.is_empty() {
        canvas.text(inside.x + 1, inside.y, "asking …", Hue::Dim, width);
        return None;
    }
    let room = usize::from(inside.height).saturating_sub(rows - told.parts.len());
    for (y, line) in (inside.top()..inside.bottom()).zip(rows_of(told, room, usize::from(width))) {
        canvas.line(inside.x + 1, y, &line, width);
    }
    None
}

/// All rows, where there is room for so many parts.
fn rows_of(told: &Told, room: usize, width: usize) -> Vec<Line> {
    let mut rows = vec![Line::new(told.model.clone(), Hue::Accent)];
    let hidden = match told.parts.len() > room {
        true => told.parts.len() - room.saturating_sub(1),
        false => 0,
    };
    let (few, others) = told.parts.split_at(told.parts.len() - hidden);
    rows.extend(few.iter().map(|part| part_row(part, told, width)));
    if hidden > 0 {
        let weight = others.iter().fold(0_u64, |sum, part| sum.saturating_add(part.tokens));
        rows.push(row("others", &hidden.to_string(), weight, told, Hue::Text));
    }
    let sum = told.tokens();
    rows.push(row("together", "", sum, told, Hue::Heading));
    rows.push(row("left", "", told.left, told, Hue::Text));
    let about = if told.guessed { ", a guess" } else { "" };
    let how = if told.counted { "counted" } else { "estimated" };
    rows.push(Line::new(format!("of {} tokens{about}; {how}", tokens(told.window)), Hue::Dim));
    rows.push(match told.compact_at {
        0 => Line::new("never compacted by itself", Hue::Dim),
        at => Line::new(format!("compacted above {}", tokens(at)), Hue::Dim),
    });
    if told.due {
        rows.push(Line::new("⚠ compacted before the next answer", Hue::Warn));
    } else if told.left_out {
        rows.push(Line::new("⚠ the oldest messages are left out", Hue::Warn));
    }
    rows
}

fn part_row(part: &Part, told: &Told, width: usize) -> Line {
    let count = if part.count > 1 { part.count.to_string() } else { String::new() };
    // Where there is no room for the name beside, it stands for the kind.
    let is_narrow = width < WORDS + 12 && !part.name.is_empty();
    let first = if is_narrow { &part.name } else { &part.kind };
    let line = row(first, &count, part.tokens, told, Hue::Text);
    let room = width.saturating_sub(WORDS) as u64;
    let cells = part.tokens.saturating_mul(room) / told.window.max(1);
    let cells = usize::try_from(cells.min(room)).unwrap_or_default();
    let least = usize::from(part.tokens > 0 && room > 0);
    let line = line.with("█".repeat(cells.max(least)), Hue::Accent);
    let cut = if part.cut { " (cut)" } else { "" };
    match part.name.is_empty() || is_narrow {
        true => line,
        false => line.with(" ", Hue::Dim).with(part.name.clone(), Hue::Dim).with(cut, Hue::Warn),
    }
}

/// A name, how many, the tokens, and their share of the window.
fn row(name: &str, count: &str, weight: u64, told: &Told, hue: Hue) -> Line {
    let share = weight.saturating_mul(100) / told.window.max(1);
    Line::new(padded(name, 10), hue)
        .with(format!("{count:>6}"), Hue::Dim)
        .with(format!("{:>9}", tokens(weight)), hue)
        .with(format!("{share:>5} %  "), Hue::Dim)
}
