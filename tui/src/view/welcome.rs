//! The screen of the first run.

use moltis_proto::v1;
use ratatui::layout::{Position, Rect};

use super::canvas::Canvas;
use super::composer::draw_field;
use super::lists::{draw_query, draw_rows};
use crate::app::editor::size;
use crate::app::{Offer, Step, Welcome};
use crate::widget::{Hue, Ink, Line, Span, width_of, wrap};

pub(super) fn draw(welcome: &Welcome, canvas: &mut Canvas<'_>) -> Option<Position> {
    let height = canvas.area().height;
    let tall = match welcome.step {
        Step::Offers | Step::Provider(_) => 18,
        Step::Pulling(_) | Step::Working(_) | Step::Key { .. } => 7,
    };
    let area = canvas.middle(76, height.saturating_sub(2).clamp(5, tall));
    let keys = match welcome.step {
        Step::Offers => "Enter take it · Up Down choose · Esc skip",
        Step::Pulling(_) => "Esc pause; what has arrived is kept",
        Step::Working(_) => "Esc back",
        Step::Provider(_) => "Enter choose · Esc back",
        Step::Key { .. } => "Enter store it · Esc back",
    };
    let inside = canvas.frame(area, "welcome to moltis", keys);
    let inside = Rect { x: inside.x + 1, width: inside.width.saturating_sub(2), ..inside };
    let mut at = inside;
    match &welcome.step {
        Step::Offers => {
            at = greet(welcome, at, canvas);
            draw_offers(welcome, at, canvas);
            None
        }
        Step::Pulling(step) => {
            at = paragraph("A small model is on its way to this machine.", at, canvas);
            draw_progress(step, at, canvas);
            None
        }
        Step::Working(what) => {
            canvas.text(at.x, at.y, &format!("◌ {what} …"), Hue::Accent, at.width);
            None
        }
        Step::Provider(picker) => {
            at = paragraph("Whose key is it?", at, canvas);
            let (list, cursor) = draw_query(picker, at, canvas);
            let names = welcome.providers();
            let rows: Vec<Line> =
                names.into_iter().map(|name| Line::new(name, Hue::Text)).collect();
            draw_rows(&rows, picker.place(), list, canvas);
            cursor
        }
        Step::Key { provider, field } => {
            let text = format!("The key of {provider}. It is encrypted and kept on this machine.");
            at = paragraph(&text, at, canvas);
            let x = canvas.text(at.x, at.y, "❯ ", Hue::Accent, at.width);
            let row =
                Rect { x, width: at.right().saturating_sub(x), height: at.height.min(1), ..at };
            draw_field(field, row, true, canvas)
        }
    }
}

/// Says what this is about, or what went wrong with the last try. On a low screen only the latter.
fn greet(welcome: &Welcome, area: Rect, canvas: &mut Canvas<'_>) -> Rect {
    match &welcome.trouble {
        Some(trouble) if trouble.hint.is_empty() => {
            colored(&format!("✗ {}", trouble.message), Hue::Bad, area, canvas)
        }
        Some(trouble) => {
            let text = format!("✗ {} · hint: {}", trouble.message, trouble.hint);
            colored(&text, Hue::Bad, area, canvas)
        }
        None if area.height < 8 => area,
        None => paragraph("There is no model yet. This is what this machine can do:", area, canvas),
    }
}

/// Draws a paragraph and an empty row; gives the rest.
fn paragraph(text: &str, area: Rect, canvas: &mut Canvas<'_>) -> Rect {
    colored(text, Hue::Text, area, canvas)
}

fn colored(text: &str, hue: Hue, area: Rect, canvas: &mut Canvas<'_>) -> Rect {
    let rows = wrap(&[Span::new(text, hue)], usize::from(area.width));
    let mut y = area.y;
    for row in rows {
        if y < area.bottom() {
            canvas.line(area.x, y, &Line::from(row), area.width);
        }
        y = y.saturating_add(1);
    }
    let y = y.saturating_add(1).min(area.bottom());
    Rect { y, height: area.bottom() - y, ..area }
}

/// The rows of the offers; the chosen one is always among those that are drawn.
fn draw_offers(welcome: &Welcome, area: Rect, canvas: &mut Canvas<'_>) {
    let width = usize::from(area.width);
    let mut rows: Vec<Line> = Vec::new();
    let (mut from, mut to) = (0, 0);
    for (number, offer) in welcome.offers.iter().enumerate() {
        let chosen = number == welcome.selected;
        let (title, more) = words(offer);
        let ink = if chosen { Ink::of(Hue::Accent).bold() } else { Ink::default() };
        let start = rows.len();
        let signs = [if chosen { "› " } else { "  " }, "  "];
        rows.extend(indented(&Span::inked(title, ink), &signs, width));
        rows.extend(indented(&Span::new(more, Hue::Dim), &["    "], width));
        if chosen {
            (from, to) = (start, rows.len());
        }
    }
    let top = to.saturating_sub(usize::from(area.height)).min(from);
    for (y, row) in (area.top()..area.bottom()).zip(rows.iter().skip(top)) {
        canvas.line(area.x, y, row, area.width);
    }
}

/// A text in rows, each after its sign; the last sign stands for all that follow.
fn indented(span: &Span, signs: &[&'static str], width: usize) -> Vec<Line> {
    let indent = signs.first().map_or(0, |sign| width_of(sign));
    let rows = wrap(std::slice::from_ref(span), width.saturating_sub(indent));
    let line = |(number, row): (usize, Vec<Span>)| {
        let sign = signs.get(number).or(signs.last()).copied().unwrap_or_default();
        let mut line = Line::from(vec![Span::inked(sign, span.ink)]);
        line.spans.extend(row);
        line
    };
    rows.into_iter().enumerate().map(line).collect()
}

fn words(offer: &Offer) -> (String, String) {
    match offer {
        Offer::Starter(model) => {
            let bytes = usize::try_from(model.bytes).unwrap_or(usize::MAX);
            let title = format!("Chat with a small model on this machine ({})", size(bytes));
            let more = format!("{} · {} · {}", model.name, model.license, model.description);
            (title, more)
        }
        Offer::Server(server) => {
            let count = match server.models.len() {
                1 => "1 model".to_owned(),
                count => format!("{count} models"),
            };
            (format!("Use {} at {}", server.kind, server.base_url), count)
        }
        Offer::Key => {
            ("Enter a provider's key".into(), "OpenAI, Anthropic, Gemini, OpenRouter, …".into())
        }
        Offer::Skip => ("Look around first".into(), "All of this can be done later.".into()),
    }
}

fn draw_progress(step: &v1::Step, area: Rect, canvas: &mut Canvas<'_>) {
    if area.height == 0 {
        return;
    }
    let width = usize::from(area.width);
    let (text, filled) = if step.total > 0 {
        let done = step.done.min(step.total);
        let percent = done.saturating_mul(100) / step.total;
        let cells = usize::try_from(percent).unwrap_or(0) * width / 100;
        let as_size = |bytes: u64| size(usize::try_from(bytes).unwrap_or(usize::MAX));
        let text =
            format!("{} · {percent}% · {} of {}", step.phase, as_size(done), as_size(step.total));
        (text, cells)
    } else {
        (format!("{} …", step.phase), 0)
    };
    canvas.text(area.x, area.y, &text, Hue::Dim, area.width);
    if area.height > 1 {
        let bar = Line::new("█".repeat(filled), Hue::Accent)
            .with("░".repeat(width.saturating_sub(filled)), Hue::Dim);
        canvas.line(area.x, area.y + 1, &bar, area.width);
    }
}
