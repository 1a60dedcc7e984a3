//! The chat: status line, transcript, waiting messages, composer, footer.

use ratatui::layout::{Position, Rect};

use super::canvas::{Canvas, split};
use super::{card, composer, footer};
use crate::app::{Kind, Link, Mode, Model, Stage, Status, elapsed, status, turning};
use crate::widget::{Hue, Ink, Line, SafeText, Span, shorten, width_of, wrap};

/// Columns left of the transcript's text.
const GUTTER: u16 = 2;

pub(super) fn draw(model: &Model, canvas: &mut Canvas<'_>) -> Option<Position> {
    let areas = model.areas();
    let (header, rest) = split(canvas.area(), areas.header);
    let (rule, rest) = split(rest, areas.upper_rule);
    let (transcript, rest) = split(rest, areas.transcript);
    let (lower, rest) = split(rest, areas.lower_rule);
    let (question, rest) = split(rest, areas.card);
    let (queue, rest) = split(rest, areas.queue);
    let (writing, foot) = split(rest, areas.composer);
    draw_header(&status(model), header, canvas);
    for rule in [rule, lower] {
        if rule.height > 0 {
            canvas.rule(rule.x, rule.y, rule.width);
        }
    }
    draw_transcript(model, transcript, canvas);
    draw_position(model, if lower.height > 0 { lower } else { last_row(transcript) }, canvas);
    draw_queue(model, queue, canvas);
    let reason = card::draw(model, question, canvas);
    let cursor = composer::draw(model, writing, canvas);
    composer::draw_offers(&composer::offers(model), transcript, canvas);
    let searching = if foot.height > 0 { footer::draw(model, foot, canvas) } else { None };
    match (searching, &model.mode) {
        (Some(cursor), _) => Some(cursor),
        (None, Mode::Card) => reason,
        (None, Mode::Browse { .. }) => None,
        (None, _) => cursor,
    }
}

fn last_row(area: Rect) -> Rect {
    Rect { y: area.bottom().saturating_sub(1), height: area.height.min(1), ..area }
}

/// Title at the left, numbers at the right; when they do not fit, the last numbers go first, whole.
fn draw_header(status: &Status, area: Rect, canvas: &mut Canvas<'_>) {
    if area.height == 0 {
        return;
    }
    let (long, short) = ("moltis ▸ ", "▸ ");
    // Without the margins and the space between left and right.
    let width = usize::from(area.width).saturating_sub(4);
    let title = width_of(&status.title);
    let sign = format!("{} {}", status.sign.sign, status.sign.text);
    let mut right = Line::new(sign.as_str(), status.sign.hue);
    // The title has up to half of the row before any number.
    let left = width_of(short) + title.min(width / 2);
    for fact in &status.facts {
        if left + right.width() + 3 + width_of(fact) > width {
            break;
        }
        right = right.with("   ", Hue::Dim).with(fact.clone(), Hue::Dim);
    }
    let room = width.saturating_sub(right.width());
    let name = if width_of(long) + title <= room { long } else { short };
    let ink = Ink::of(Hue::Accent).bold();
    let x = canvas.span(area.x + 1, area.y, &Span::inked(name, ink), area.width);
    let title = shorten(&status.title, room.saturating_sub(width_of(name)));
    canvas.span(x, area.y, &Span::inked(title, Ink::default().bold()), area.width);
    canvas.right(area.right().saturating_sub(1), area.y, &right, area.width.saturating_sub(1));
}

fn draw_transcript(model: &Model, area: Rect, canvas: &mut Canvas<'_>) {
    let mut rows = model.transcript.visible(usize::from(area.height)).peekable();
    if rows.peek().is_none() {
        return draw_empty(model, area, canvas);
    }
    let selected = model.selected();
    for (y, row) in (area.top()..area.bottom()).zip(rows) {
        let chosen = selected == Some(row.block.id);
        let blank = row.line.spans.is_empty();
        let (mark, hue) = match &row.block.kind {
            _ if chosen => ("▐", Hue::Accent),
            Kind::Person(_) if !blank => ("▌", Hue::Person),
            _ => (" ", Hue::Text),
        };
        canvas.text(area.x, y, mark, hue, 1);
        let width = area.width.saturating_sub(GUTTER + 1);
        canvas.line(area.x + GUTTER, y, row.line, width);
        if let (Kind::Call(call), true) = (&row.block.kind, row.first)
            && let Stage::Running(since) = call.stage
        {
            canvas.text(area.x + GUTTER, y, turning(model), Hue::Accent, 1);
            let time = Line::new(elapsed(model.now.unix, since), Hue::Dim);
            canvas.right(area.x + GUTTER + width, y, &time, width);
        }
    }
}

/// What an empty session says.
fn draw_empty(model: &Model, area: Rect, canvas: &mut Canvas<'_>) {
    let lines = match (&model.link, model.caught_up) {
        _ if model.is_refused() => Vec::new(),
        (Link::Connecting, _) => vec![Line::new("connecting to moltisd …", Hue::Dim)],
        (_, false) => vec![Line::new("loading …", Hue::Dim)],
        _ => vec![
            Line::new("Nothing was said here yet.", Hue::Text),
            Line::blank(),
            Line::new("Write below and press Enter.", Hue::Dim),
            Line::new("? shows the keys, C-p finds a command, / types one.", Hue::Dim),
        ],
    };
    let width = area.width.saturating_sub(GUTTER + 1);
    let rows: Vec<_> = lines.iter().flat_map(|line| wrap(&line.spans, width.into())).collect();
    let free = usize::from(area.height).saturating_sub(rows.len());
    let top = area.top() + u16::try_from(free / 3).unwrap_or(0);
    for (y, row) in (top..area.bottom()).zip(rows) {
        canvas.line(area.x + GUTTER, y, &Line::from(row), width);
    }
}

/// Where the screen is, when it is not at the end.
fn draw_position(model: &Model, row: Rect, canvas: &mut Canvas<'_>) {
    if row.height == 0 {
        return;
    }
    let scroll = &model.transcript.scroll;
    if scroll.follow {
        return;
    }
    let text = match scroll.unseen() {
        0 => format!(" {}% · C-End ", model.transcript.percent()),
        unseen => format!(" ↓ {unseen} new · C-End "),
    };
    let hue = if scroll.unseen() > 0 { Hue::Accent } else { Hue::Dim };
    canvas.right(row.right().saturating_sub(2), row.y, &Line::new(text, hue), row.width);
}

/// What is going on, then the messages that wait or are on their way.
fn draw_queue(model: &Model, area: Rect, canvas: &mut Canvas<'_>) {
    let mut lines = Vec::new();
    if model.has_banner() {
        lines.push(banner(model));
    }
    let waiting = model.transcript.waiting().iter();
    let waiting = waiting.map(|waiting| ("queued", waiting.person.text.clone()));
    let sending = model.sending_here().map(|sending| {
        let text: String = sending.text.chars().take(400).collect();
        (if sending.acked { "queued" } else { "sending" }, SafeText::clean(&text))
    });
    let messages: Vec<(&str, SafeText)> = waiting.chain(sending).collect();
    let room = usize::from(area.height).saturating_sub(lines.len());
    let limit = if messages.len() > room { room.saturating_sub(1) } else { room };
    let limit = limit.min(model.queue_limit());
    for (number, (state, text)) in messages.iter().take(limit).enumerate() {
        let label = format!("{state} {}: ", number + 1);
        let left = usize::from(area.width).saturating_sub(width_of(&label) + 5);
        lines.push(Line::new(format!("⋯ {label}"), Hue::Dim).with(shorten(text, left), Hue::Text));
    }
    if messages.len() > limit {
        let more = messages.len() - limit;
        lines.push(Line::new(format!("⋯ {more} more wait"), Hue::Dim));
    }
    for (y, line) in (area.top()..area.bottom()).zip(&lines) {
        canvas.line(area.x + 1, y, line, area.width.saturating_sub(2));
    }
}

fn banner(model: &Model) -> Line {
    match &model.link {
        Link::Down { trouble, .. } => {
            let draft = if model.composer.is_empty() { "" } else { " · draft kept" };
            let room = usize::from(model.width).saturating_sub(width_of(draft) + 4);
            Line::new(format!("⚠ {}", shorten(&trouble.message, room).as_str()), Hue::Warn)
                .with(draft, Hue::Dim)
        }
        Link::Up | Link::Connecting => {
            Line::new("◌ ", Hue::Warn).with(model.progress.clone(), Hue::Dim)
        }
    }
}
