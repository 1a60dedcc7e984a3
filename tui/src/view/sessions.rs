//! The list of sessions, with a preview where there is room.

use ratatui::layout::{Position, Rect};

use super::canvas::Canvas;
use super::lists::{draw_query, draw_rows, padded};
use crate::app::{Model, Row, Sessions, age, money, state, title_or, tokens};
use crate::widget::{Hue, Line, Span, width_of, wrap};

/// From this width on there is a preview.
const WIDE: u16 = 76;

pub(super) fn draw(
    model: &Model,
    sessions: &Sessions,
    canvas: &mut Canvas<'_>,
) -> Option<Position> {
    let screen = canvas.area();
    let area = canvas.middle(screen.width.min(140), screen.height.saturating_sub(2).max(5));
    let count = sessions.count();
    let title = match (sessions.loaded, sessions.archived) {
        (false, _) => "sessions".to_owned(),
        (true, false) => format!("sessions · {count}"),
        (true, true) => format!("sessions, those put away too · {count}"),
    };
    let keys = "Enter go · Tab agents · A-n new · A-r rename · A-f fork · A-a put away · A-d delete · A-h all";
    let inside = canvas.frame(area, &title, keys);
    let wide = inside.width >= WIDE;
    let list = if wide { Rect { width: inside.width * 55 / 100, ..inside } } else { inside };
    let (rows_area, cursor) = draw_query(&sessions.picker, list, canvas);
    if !sessions.loaded {
        canvas.text(rows_area.x + 2, rows_area.y, "loading …", Hue::Dim, rows_area.width);
        return cursor;
    }
    let shown = model.session_id();
    let rows: Vec<Line> = sessions
        .rows()
        .map(|entry| {
            let here = shown == Some(entry.session.id.as_str());
            row(entry, here, usize::from(rows_area.width), model.now.unix)
        })
        .collect();
    draw_rows(&rows, sessions.picker.place(), rows_area, canvas);
    if wide {
        let x = list.right() + 1;
        let preview = Rect { x, width: inside.right().saturating_sub(x), ..inside };
        for y in inside.top()..inside.bottom() {
            canvas.text(list.right(), y, "│", Hue::Dim, 1);
        }
        draw_preview(model, sessions, preview, canvas);
    }
    cursor
}

fn row(entry: &Row, here: bool, width: usize, now: i64) -> Line {
    let Row { session, depth, folded } = entry;
    let (sign, _, hue) = state(session);
    let age = age(session.updated_at, now);
    let mark = if here { "*" } else { " " };
    let more = if *folded > 0 { format!(" +{folded} ") } else { String::new() };
    let room = width.saturating_sub(12 + width_of(&more));
    // An agent stands under the session that began it; deep ones must leave room for their title.
    let indent = match depth {
        0 => String::new(),
        depth => format!("{}└ ", "  ".repeat((*depth).min(4) - 1)),
    };
    let mut title = format!("{indent}{}", title_or(session, "(no title yet)"));
    if session.archived {
        title.push_str(" (put away)");
    }
    Line::new(format!("{sign} "), hue)
        .with(padded(&format!("{mark} {title}"), room), Hue::Text)
        .with(more, Hue::Accent)
        .with(format!("{age:>5}"), Hue::Dim)
}

fn draw_preview(model: &Model, sessions: &Sessions, area: Rect, canvas: &mut Canvas<'_>) {
    let Some(session) = sessions.chosen() else { return };
    let width = usize::from(area.width).saturating_sub(2);
    let (sign, word, hue) = state(session);
    let mut lines = vec![
        Line::new(title_or(session, "(no title yet)"), Hue::Accent),
        Line::new(format!("{sign} {word}").trim_start(), hue)
            .with(format!(" · {} messages · ", session.messages), Hue::Dim)
            .with(age(session.updated_at, model.now.unix), Hue::Dim),
    ];
    let usage = session.usage.unwrap_or_default();
    let mut facts = Vec::new();
    if !session.last_model.is_empty() {
        facts.push(session.last_model.clone());
    }
    if usage.output_tokens > 0 {
        facts.push(format!("{} out", tokens(usage.output_tokens)));
    }
    if usage.cost_microusd > 0 {
        facts.push(money(usage.cost_microusd));
    }
    lines.push(Line::new(facts.join(" · "), Hue::Dim));
    if !session.parent.is_empty() {
        lines.push(Line::new(format!("forked from {}", session.parent), Hue::Dim));
    }
    lines.push(Line::blank());
    for (person, words) in sessions.preview().unwrap_or_default() {
        let (who, hue) = if *person { ("▌", Hue::Person) } else { (" ", Hue::Text) };
        for spans in wrap(&[Span::new(words.clone(), Hue::Text)], width.saturating_sub(2)) {
            let mut line = Line::new(format!("{who} "), hue);
            line.spans.extend(spans);
            lines.push(line);
        }
        lines.push(Line::blank());
    }
    // The last words are the ones that matter; the facts stay.
    let head = lines.len().min(5);
    let room = usize::from(area.height).saturating_sub(head);
    let skip = (lines.len() - head).saturating_sub(room);
    let shown = lines[..head].iter().chain(&lines[head + skip..]);
    for (y, line) in (area.top()..area.bottom()).zip(shown) {
        canvas.line(area.x + 1, y, line, area.width.saturating_sub(1));
    }
}
