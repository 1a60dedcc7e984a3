//! The list of models.

use moltis_proto::v1;
use ratatui::layout::{Position, Rect};

use super::canvas::{Canvas, split};
use super::lists::{draw_query, draw_rows, padded};
use crate::app::{EFFORTS, Models, tokens};
use crate::widget::{Hue, Ink, Line, Span};

pub(super) fn draw(models: &Models, canvas: &mut Canvas<'_>) -> Option<Position> {
    let height = canvas.area().height;
    let area = canvas.middle(100, height.saturating_sub(2).clamp(5, 30));
    let title = if models.loading { "models · asking" } else { "models" };
    let keys = "Enter for this session · Tab default of all · A-, A-. effort · A-r ask anew";
    let inside = canvas.frame(area, title, keys);
    let (list, cursor) = draw_query(&models.picker, inside, canvas);
    let failures = u16::try_from(models.list.failures.len()).unwrap_or(0).min(3);
    let (list, rest) = split(list, list.height.saturating_sub(failures + 1));
    let width = usize::from(list.width);
    let rows: Vec<Line> = models.rows().map(|model| row(model, models, width)).collect();
    if models.loading && models.list.models.is_empty() {
        canvas.text(list.x + 2, list.y, "asking the providers …", Hue::Dim, list.width);
    } else {
        draw_rows(&rows, models.picker.place(), list, canvas);
    }
    draw_failures(models, rest, canvas);
    draw_effort(models, rest, canvas);
    cursor
}

fn row(model: &v1::Model, models: &Models, width: usize) -> Line {
    let current = if model.id == models.current { "*" } else { " " };
    let default = if model.id == models.list.default { " (default)" } else { "" };
    let mut facts = Vec::new();
    if model.context_window > 0 {
        facts.push(format!("ctx {}", tokens(model.context_window)));
    }
    if let Some(price) = &model.price {
        facts.push(format!("{}/{}", dollars(price.input), dollars(price.output)));
    }
    for (has, word) in
        [(model.local, "local"), (model.images, "images"), (model.reasoning, "thinks")]
    {
        if has {
            facts.push(word.to_owned());
        }
    }
    let facts = facts.join(" · ");
    let room = width.saturating_sub(2);
    let facts_room = if room >= 70 { 40 } else { 0 };
    let name = format!("{current} {}{default}", model.id);
    let line = Line::new(padded(&name, room - facts_room), Hue::Text);
    if facts_room == 0 { line } else { line.with(padded(&facts, facts_room), Hue::Dim) }
}

/// A price for a million tokens.
fn dollars(microusd: u64) -> String {
    let cents = microusd / 10_000;
    if cents.is_multiple_of(100) {
        format!("${}", cents / 100)
    } else {
        format!("${}.{:02}", cents / 100, cents % 100)
    }
}

fn draw_failures(models: &Models, area: Rect, canvas: &mut Canvas<'_>) {
    let bottom = area.bottom().saturating_sub(1);
    for (y, failure) in (area.top()..bottom).zip(&models.list.failures) {
        let line = Line::new("✗ ", Hue::Bad)
            .with(format!("{}: {}", failure.provider, failure.reason), Hue::Dim);
        canvas.line(area.x + 2, y, &line, area.width.saturating_sub(2));
    }
}

fn draw_effort(models: &Models, area: Rect, canvas: &mut Canvas<'_>) {
    if area.height == 0 {
        return;
    }
    let mut line = Line::new("effort ", Hue::Dim);
    for effort in EFFORTS {
        let word = if effort.is_empty() { "as configured" } else { effort };
        if effort == models.effort {
            line.push(Span::inked(format!("[{word}] "), Ink::of(Hue::Accent).bold()));
        } else {
            line = line.with(format!("{word} "), Hue::Dim);
        }
    }
    let room = area.width.saturating_sub(2);
    if line.width() > usize::from(room) {
        let word = if models.effort.is_empty() { "as configured" } else { models.effort };
        line = Line::new("effort ", Hue::Dim).with(word, Hue::Accent);
    }
    canvas.line(area.x + 2, area.bottom() - 1, &line, room);
}
