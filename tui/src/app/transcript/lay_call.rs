//! A call of a tool to rows: a head that tells what and how far, then what it changes and prints.
//!
//! Folded, it costs the same however much a tool prints. The sign that turns and the time that runs
//! are painted over the head by the view: rows do not depend on the clock.

use super::call::{Call, Stage};
use super::numbers::span;
use crate::app::editor::grouped;
use crate::keymap::{Action, key_of};
use crate::widget::{Hue, Line, SafeText, Span, chop, shorten, width_of, wrap};

/// Rows of what a running tool prints.
const RUNNING_ROWS: usize = 5;
/// Rows of what it printed.
const DONE_ROWS: usize = 3;
/// Rows of a change of a file.
const EDIT_ROWS: usize = 8;
/// Bytes of a running tool's output of which rows are made when it is unfolded.
const RUNNING_TAIL: usize = 16 << 10;

/// Cells at the end of a head that are left free for the time that runs.
const CLOCK: usize = 7;

/// The sign, and what it means.
pub(crate) fn sign(stage: Stage) -> (&'static str, Hue, &'static str) {
    match stage {
        Stage::Wished => ("◌", Hue::Dim, "prepared"),
        Stage::Asking => ("?", Hue::Warn, "waits for you"),
        Stage::Running(_) => ("●", Hue::Accent, ""),
        Stage::Done => ("✓", Hue::Good, ""),
        Stage::Failed => ("✗", Hue::Bad, "failed"),
        Stage::Denied => ("⊘", Hue::Warn, "denied"),
        Stage::Cancelled => ("■", Hue::Warn, "stopped"),
        Stage::Interrupted => ("⚠", Hue::Warn, "interrupted"),
        Stage::Left => ("·", Hue::Dim, "not made"),
    }
}

/// Rows of a call.
pub(super) fn rows(call: &Call, width: usize, unfolded: bool) -> Vec<Line> {
    let (mark, hue, word) = sign(call.stage);
    let took = call.took_ms.map(span).unwrap_or_default();
    let facts: Vec<&str> = [word, &took].into_iter().filter(|fact| !fact.is_empty()).collect();
    let free = if matches!(call.stage, Stage::Running(_)) { CLOCK } else { 0 };
    let room = width.saturating_sub(free);
    let telling = &call.wish.telling;
    let mut rows = vec![head((mark, hue), &call.tool, telling, &facts.join(" · "), room)];
    if !call.agent.is_empty() {
        let key = key_of(Action::ToAgent).unwrap_or_default();
        let told = format!("{key} ▸ {}", call.agent.as_str());
        let told = shorten(&told, width.saturating_sub(2));
        rows.push(Line::new("│ ", Hue::Dim).with(told, Hue::Accent));
    }
    if unfolded {
        let document = &call.wish.document;
        for text in [&call.note, document].into_iter().filter(|text| !text.is_empty()) {
            rows.extend(gutter(wrap(
                &[Span::new(text.clone(), Hue::Dim)],
                width.saturating_sub(2),
            )));
        }
    } else if call.stage == Stage::Denied && call.result.is_empty() && !call.note.is_empty() {
        rows.push(
            Line::new("│ ", Hue::Dim).with(shorten(&call.note, width - width.min(2)), Hue::Dim),
        );
    }
    rows.extend(edits(call, width, unfolded));
    rows.extend(output(call, width, unfolded));
    rows
}

/// `● exec  cargo test          1.2 s`: the argument is cut, never the rest.
pub(super) fn head(
    (mark, hue): (&'static str, Hue),
    tool: &SafeText,
    telling: &str,
    facts: &str,
    width: usize,
) -> Line {
    let mut line = Line::new(format!("{mark} "), hue)
        .with(shorten(tool, width.saturating_sub(2)), Hue::Function);
    let taken = if facts.is_empty() { 0 } else { width_of(facts) + 2 };
    let room = width.saturating_sub(line.width() + taken + 2);
    if !telling.is_empty() && room > 3 {
        // What is beyond any row is not looked at.
        let end = telling.ceil_char_boundary(telling.len().min(room * 16));
        line = line.with("  ", Hue::Text).with(shorten(&telling[..end], room), Hue::Text);
    }
    if line.width() + taken <= width && taken > 0 {
        line = line.with("  ", Hue::Text).with(facts, Hue::Dim);
    }
    line
}

/// What it puts in the place of what.
fn edits(call: &Call, width: usize, unfolded: bool) -> Vec<Line> {
    let most = if unfolded { usize::MAX } else { EDIT_ROWS };
    let (mut rows, mut hidden) = (Vec::new(), 0);
    for (old, new) in &call.wish.edits {
        let (old, new) = differing(old, new);
        let signed = old.iter().map(|line| ("- ", Hue::Bad, line));
        for (mark, hue, line) in signed.chain(new.iter().map(|line| ("+ ", Hue::Good, line))) {
            if rows.len() >= most {
                hidden += 1;
                continue;
            }
            rows.extend(row(line, mark, hue, width, unfolded));
        }
    }
    rows.extend(more(hidden));
    rows
}

/// The lines of two texts without those at the beginning and the end that are the same.
fn differing<'a>(old: &'a str, new: &'a str) -> (Vec<&'a str>, Vec<&'a str>) {
    let mut old: Vec<&str> = old.lines().collect();
    let mut new: Vec<&str> = new.lines().collect();
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    old.drain(..same);
    new.drain(..same);
    let same = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    old.truncate(old.len() - same);
    new.truncate(new.len() - same);
    (old, new)
}

/// What it prints, or what came of it.
fn output(call: &Call, width: usize, unfolded: bool) -> Vec<Line> {
    let running = !call.stage.is_over();
    let text: &str = if running { call.output.text().trim_end_matches('\n') } else { &call.result };
    if text.is_empty() {
        return Vec::new();
    }
    if running {
        let from = text.ceil_char_boundary(text.len().saturating_sub(RUNNING_TAIL));
        let most = if unfolded { usize::MAX } else { RUNNING_ROWS };
        let mut lines: Vec<&str> = text[from..].rsplit('\n').take(most).collect();
        lines.reverse();
        return lines.iter().flat_map(|line| row(line, "│ ", Hue::Text, width, unfolded)).collect();
    }
    let most = if unfolded { usize::MAX } else { DONE_ROWS };
    let count = text.split('\n').count();
    // What a failure means stands at its end.
    let skip = if call.stage == Stage::Failed { count.saturating_sub(most) } else { 0 };
    let lines = text.split('\n').skip(skip).take(most);
    let mut rows: Vec<Line> =
        lines.flat_map(|line| row(line, "│ ", Hue::Text, width, unfolded)).collect();
    let hidden = more(count.saturating_sub(most));
    if skip > 0 {
        rows.splice(0..0, hidden).for_each(drop);
    } else {
        rows.extend(hidden);
    }
    rows
}

/// A line as one row, cut; unfolded, as many as it takes.
fn row(line: &str, mark: &'static str, hue: Hue, width: usize, unfolded: bool) -> Vec<Line> {
    let room = width.saturating_sub(2);
    let ink = if hue == Hue::Text { Hue::Dim } else { hue };
    let rows = if unfolded {
        chop(&[Span::new(line, hue)], room)
    } else {
        let end = line.ceil_char_boundary(line.len().min(room * 16 + 16));
        vec![Line::new(shorten(&line[..end], room), hue)]
    };
    let prefixed = |row: Line| {
        let mut line = Line::new(mark, ink);
        line.spans.extend(row.spans);
        line
    };
    rows.into_iter().map(prefixed).collect()
}

fn gutter(rows: Vec<Vec<Span>>) -> impl Iterator<Item = Line> {
    rows.into_iter().map(|row| {
        let mut line = Line::new("│ ", Hue::Dim);
        line.spans.extend(row);
        line
    })
}

fn more(hidden: usize) -> Option<Line> {
    let word = if hidden == 1 { "line" } else { "lines" };
    (hidden > 0).then(|| Line::new(format!("… {} more {word} ▸ C-o", grouped(hidden)), Hue::Dim))
}
