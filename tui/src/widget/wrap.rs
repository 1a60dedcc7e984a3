//! Breaking text into rows of a given width, at graphemes and preferably between words.
//!
//! Two forms: [`wrap`] for styled, finished text, which drops the spaces at a break; [`rows`] for
//! text under a cursor, which keeps every byte. Both always advance, whatever the width.

use unicode_segmentation::UnicodeSegmentation;

use super::line::{Ink, Line, Span, width_of};
use super::safe::SafeText;

/// A grapheme on its way into a row.
struct Piece<'a> {
    text: &'a str,
    ink: Ink,
    width: usize,
}

impl Piece<'_> {
    fn is_space(&self) -> bool {
        self.text == " "
    }

    /// Whether a row may end after it.
    fn ends_word(&self) -> bool {
        self.is_space() || self.width == 2 || matches!(self.text, "-" | "/" | "—" | "–")
    }
}

/// Breaks styled text into rows of at most `width` cells. Newlines break as well; a tab is a space.
/// Empty text is one empty row.
pub(crate) fn wrap(spans: &[Span], width: usize) -> Vec<Vec<Span>> {
    let width = width.max(1);
    let mut out = Vec::new();
    let mut row: Vec<Piece<'_>> = Vec::new();
    let mut used = 0;
    // The row follows a break of ours, not one of the text: spaces before it are not meant.
    let mut soft = false;
    // The row ends with a whole word: what comes next goes into another one.
    let mut full = false;
    for span in spans {
        for text in span.text.graphemes(true) {
            if text == "\n" {
                out.push(join(&row));
                row.clear();
                used = 0;
                (soft, full) = (false, false);
                continue;
            }
            let text = if text == "\t" { " " } else { text };
            let piece = Piece { text, ink: span.ink, width: width_of(text) };
            if used + piece.width > width && !row.is_empty() {
                soft = true;
                if piece.is_space() {
                    full = true;
                    continue;
                }
                if std::mem::take(&mut full) {
                    out.push(join(&row));
                    row.clear();
                    used = 0;
                }
                // What moves down may fill a row by itself.
                while used + piece.width > width && !row.is_empty() {
                    let rest = break_row(&mut row);
                    out.push(join(&row));
                    row = rest;
                    used = row.iter().map(|piece| piece.width).sum();
                }
            }
            if soft && row.is_empty() && piece.is_space() {
                continue;
            }
            used += piece.width;
            row.push(piece);
        }
    }
    out.push(join(&row));
    out
}

/// Takes off what must move to the next row: the word that does not fit, if there is a word before
/// it; nothing otherwise.
fn break_row<'a>(row: &mut Vec<Piece<'a>>) -> Vec<Piece<'a>> {
    let Some(last) = row.iter().rposition(Piece::ends_word) else { return Vec::new() };
    let only_spaces = row[..=last].iter().all(Piece::is_space);
    if only_spaces { Vec::new() } else { row.split_off(last + 1) }
}

fn join(row: &[Piece<'_>]) -> Vec<Span> {
    let end = row.iter().rposition(|piece| !piece.is_space()).map_or(0, |last| last + 1);
    let mut spans: Vec<(String, Ink)> = Vec::new();
    for piece in &row[..end] {
        match spans.last_mut() {
            Some((text, ink)) if *ink == piece.ink => text.push_str(piece.text),
            _ => spans.push((piece.text.to_owned(), piece.ink)),
        }
    }
    spans.into_iter().map(|(text, ink)| Span::inked(text, ink)).collect()
}

/// Breaks text into rows at every `width` cells, without regard to words: code. Tabs go to the next
/// multiple of four.
pub(crate) fn chop(spans: &[Span], width: usize) -> Vec<Line> {
    let width = width.max(1);
    let mut out = Vec::new();
    let mut line = Line::default();
    let mut column = 0;
    let mut used = 0;
    for span in spans {
        let mut text = String::new();
        for grapheme in span.text.graphemes(true) {
            let tab = "    ";
            let grapheme = if grapheme == "\t" { &tab[column % 4..] } else { grapheme };
            let cells = width_of(grapheme);
            if used + cells > width && used > 0 {
                line.push(Span::inked(std::mem::take(&mut text), span.ink));
                out.push(std::mem::take(&mut line));
                used = 0;
            }
            text.push_str(grapheme);
            used += cells;
            column += cells;
        }
        if !text.is_empty() {
            line.push(Span::inked(text, span.ink));
        }
    }
    out.push(line);
    out
}

/// One visual row of a text under a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Where it begins, in bytes.
    pub(crate) start: usize,
    /// Where it ends, in bytes, without the newline.
    pub(crate) end: usize,
}

/// Breaks a text into visual rows of at most `width` cells, keeping every byte. `measure` tells the
/// cells of a grapheme.
pub(crate) fn rows(text: &str, width: usize, measure: impl Fn(&str) -> usize) -> Vec<Row> {
    let width = width.max(1);
    let mut out = Vec::new();
    let mut line_start = 0;
    for line in text.split('\n') {
        let mut start = line_start;
        let mut used = 0;
        let mut space: Option<(usize, usize)> = None;
        for (at, grapheme) in line.grapheme_indices(true) {
            let at = line_start + at;
            let cells = measure(grapheme);
            if used + cells > width && at > start {
                let (cut, before) = space.filter(|(cut, _)| *cut > start).unwrap_or((at, used));
                out.push(Row { start, end: cut });
                start = cut;
                used -= before;
                space = None;
            }
            used += cells;
            if grapheme == " " {
                space = Some((at + 1, used));
            }
        }
        out.push(Row { start, end: line_start + line.len() });
        line_start += line.len() + 1;
    }
    out
}

/// Shortens a text to `width` cells, with `…` where something was taken away.
pub(crate) fn shorten(text: &str, width: usize) -> SafeText {
    let text = SafeText::one_line(text);
    if width_of(&text) <= width {
        return text;
    }
    let mut short = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let cells = width_of(grapheme);
        if used + cells + 1 > width {
            break;
        }
        short.push_str(grapheme);
        used += cells;
    }
    if width > 0 {
        short.push('…');
    }
    short.into()
}

#[cfg(test)]
#[path = "wrap_tests.rs"]
mod tests;
