//! The card of a question, above the composer.
//!
//! It is drawn of the question itself, in rows that no other text is drawn into: whatever a model or a
//! tool says stands above it.

use ratatui::layout::{Position, Rect};

use super::canvas::{Canvas, split};
use super::composer::draw_field;
use super::lists::{draw_query, draw_rows, padded};
use crate::app::{Asked, Mode, Model, remaining};
use crate::keymap::{Action, key_of};
use crate::widget::{Hue, Ink, Line, SafeText, Span, shorten, width_of};

/// Below this many columns a key stands without its word.
const NARROW: usize = 36;

pub(super) fn draw(model: &Model, area: Rect, canvas: &mut Canvas<'_>) -> Option<Position> {
    let (at, asked) = model.question().filter(|_| area.height > 0)?;
    canvas.clear(area);
    let count = model.pending().len();
    let left = asked.expires_at.map(|at| remaining(model.now.unix, at.seconds));
    if area.height == 1 {
        let waits =
            if count == 1 { "a question waits".into() } else { format!("{count} questions wait") };
        let text = format!("? {waits} · {} answers", key(Action::AnswerQuestion));
        canvas.text(area.x + 1, area.y, &text, Hue::Warn, area.width.saturating_sub(2));
        return None;
    }
    let (upper, rest) = split(area, 1);
    let (body, rest) = split(rest, u16::try_from(model.card_body(area.height)).unwrap_or(0));
    let (reason, lower) = split(rest, rest.height.saturating_sub(1));
    let mut title = vec![format!("? {}", &*SafeText::one_line(&asked.tool))];
    if count > 1 {
        title.push(format!("{} of {count}", at + 1));
    }
    title.extend(left);
    rule(upper, &title.join(" · "), canvas);
    let card = &model.card;
    for (y, line) in (body.top()..body.bottom()).zip(card.rows.iter().skip(card.top)) {
        canvas.line(body.x + 1, y, line, body.width.saturating_sub(2));
    }
    let below = card.rows.len().saturating_sub(card.top + usize::from(body.height));
    rule(lower, &hints(model, below, usize::from(lower.width)), canvas);
    let field = card.reason.as_ref().filter(|_| reason.height > 0)?;
    let x = canvas.text(reason.x + 1, reason.y, "why not: ", Hue::Accent, reason.width);
    draw_field(
        field,
        Rect { x, width: reason.right().saturating_sub(x + 1), ..reason },
        false,
        canvas,
    )
}

fn key(action: Action) -> &'static str {
    key_of(action).unwrap_or_default()
}

/// A rule with words in it.
fn rule(area: Rect, words: &str, canvas: &mut Canvas<'_>) {
    let bar = "─".repeat(usize::from(area.width));
    canvas.text(area.x, area.y, &bar, Hue::Warn, area.width);
    let words = shorten(words, usize::from(area.width).saturating_sub(4));
    let span = Span::inked(format!(" {} ", &*words), Ink::of(Hue::Warn).bold());
    canvas.span(area.x + 1, area.y, &span, area.width.saturating_sub(2));
}

/// What can be done with it, as much as fits; what is not seen yet comes first.
fn hints(model: &Model, below: usize, width: usize) -> String {
    let card = &model.card;
    let mut hints = Vec::new();
    if below > 0 {
        hints.push(if width < NARROW {
            format!("↓{below}")
        } else {
            format!("↓ {below} more")
        });
    }
    let keys: &[(Action, &str)] = match model.mode {
        _ if card.is_sent() => {
            hints.insert(0, "the answer is on its way".into());
            &[]
        }
        Mode::Card if card.reason.is_some() => &[(Action::Accept, "deny"), (Action::Leave, "back")],
        Mode::Card if model.question().is_some_and(|(_, asked)| asked.pattern.is_empty()) => &[
            (Action::AllowOnce, "once"),
            (Action::Deny, "deny"),
            (Action::DenyWhy, "deny, why"),
            (Action::Leave, "later"),
            (Action::QuestionNext, "next"),
        ],
        Mode::Card => &[
            (Action::AllowOnce, "once"),
            (Action::Deny, "deny"),
            (Action::AllowSession, "session"),
            (Action::AllowAlways, "always"),
            (Action::DenyWhy, "deny, why"),
            (Action::Leave, "later"),
            (Action::QuestionNext, "next"),
        ],
        _ => &[(Action::AnswerQuestion, "answer it")],
    };
    let keys = keys
        .iter()
        .filter(|(action, _)| *action != Action::QuestionNext || model.pending().len() > 1);
    let narrow = width < NARROW;
    for (action, word) in keys {
        let key = if *action == Action::Leave { "Esc" } else { key(*action) };
        hints.push(if narrow { key.to_owned() } else { format!("{key} {word}") });
    }
    let between = if narrow { " " } else { " · " };
    let mut text = String::new();
    for hint in hints {
        let longer = if text.is_empty() { hint } else { format!("{text}{between}{hint}") };
        if !text.is_empty() && width_of(&longer) + 4 > width {
            break;
        }
        text = longer;
    }
    text
}

/// The list of all questions that wait.
pub(super) fn draw_list(model: &Model, asked: &Asked, canvas: &mut Canvas<'_>) -> Option<Position> {
    let area = canvas.middle(90, 20);
    let inside = canvas.frame(area, "what waits for you", "Enter show it · Esc close");
    let (list, cursor) = draw_query(&asked.picker, inside, canvas);
    if !asked.loaded {
        canvas.text(list.x + 2, list.y, "asking …", Hue::Dim, list.width.saturating_sub(2));
        return cursor;
    }
    if asked.rows().next().is_none() && asked.picker.query.is_empty() {
        canvas.text(list.x + 2, list.y, "nothing waits", Hue::Dim, list.width.saturating_sub(2));
        return cursor;
    }
    let room = usize::from(list.width).saturating_sub(14);
    let row = |entry: &moltis_proto::v1::Approval| {
        let here = if model.session_id() == Some(entry.session.as_str()) { "*" } else { " " };
        let left = entry.expires_at.map(|at| remaining(model.now.unix, at.seconds));
        let text = format!("{here} {} {}", entry.tool, entry.subject);
        Line::new(padded(&text, room), Hue::Text)
            .with(format!("{:>10}", left.unwrap_or_default()), Hue::Dim)
    };
    let rows: Vec<Line> = asked.rows().map(row).collect();
    draw_rows(&rows, asked.picker.place(), list, canvas);
    cursor
}
