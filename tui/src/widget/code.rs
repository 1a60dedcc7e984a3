//! Blocks of code: their rows, and their colors.
//!
//! What the pieces of code are the daemon tells; until it has, a block is plain. Colors never change
//! the number of rows, so a block can be repainted in place. There is a handful of meanings, not a
//! fixed palette: the terminal's own colors hold.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use super::line::{Hue, Line, Span};
use super::wrap::chop;

/// Colored blocks that are remembered.
const MAX_REMEMBERED: usize = 512;

/// The meanings of a block's pieces: for each source line, lengths in bytes and hues.
pub(crate) type Paint = Vec<Vec<(usize, Hue)>>;

/// A block of code within laid lines that may get its colors later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CodeSlot {
    /// Names language and text.
    pub(crate) key: u64,
    /// The language as it was written.
    pub(crate) language: Arc<str>,
    /// The code.
    pub(crate) text: Arc<str>,
    /// The rows that show it.
    pub(super) lines: Range<usize>,
    /// What stands before each of them.
    pub(super) prefix: Vec<Span>,
    /// The width that it was laid for.
    pub(super) width: usize,
}

impl CodeSlot {
    /// The block of this text in this language, not placed yet.
    pub(super) fn new(language: &str, text: &str, width: usize) -> Self {
        let mut hasher = DefaultHasher::new();
        (language, text).hash(&mut hasher);
        Self {
            key: hasher.finish(),
            language: language.into(),
            text: text.into(),
            lines: 0..0,
            prefix: Vec::new(),
            width,
        }
    }

    /// Paints the rows of this block within `lines`.
    pub(super) fn repaint(&self, lines: &mut [Line], paint: &Paint) {
        let fresh = lay_code(&self.text, self.width, Some(paint));
        let Some(rows) = lines.get_mut(self.lines.clone()) else { return };
        if rows.len() != fresh.len() {
            return;
        }
        for (row, code) in rows.iter_mut().zip(fresh) {
            row.spans.clear();
            row.spans.extend(self.prefix.iter().cloned());
            row.spans.extend(code.spans);
        }
    }
}

/// The colors that are known, by [`CodeSlot::key`]; the oldest are forgotten.
#[derive(Clone, Debug, Default)]
pub(crate) struct Highlights {
    known: HashMap<u64, Arc<Paint>>,
    order: VecDeque<u64>,
}

impl Highlights {
    /// The colors of a block, if they are known.
    pub(crate) fn get(&self, key: u64) -> Option<&Arc<Paint>> {
        self.known.get(&key)
    }

    /// Remembers the colors of a block.
    pub(crate) fn insert(&mut self, key: u64, paint: Arc<Paint>) {
        if self.known.insert(key, paint).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > MAX_REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }
}

/// The rows of some code: a gutter, and what is too wide goes on in the next row.
pub(crate) fn lay_code(text: &str, width: usize, paint: Option<&Paint>) -> Vec<Line> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let mut out = Vec::new();
    for (number, row) in text.split('\n').enumerate() {
        let pieces = paint.and_then(|paint| paint.get(number)).map_or(&[][..], Vec::as_slice);
        for code in chop(&pieces_of(row, pieces), width.saturating_sub(2)) {
            let mut line = Line::new("│ ", Hue::Dim);
            line.spans.extend(code.spans);
            out.push(line);
        }
    }
    out
}

fn pieces_of(row: &str, pieces: &[(usize, Hue)]) -> Vec<Span> {
    let mut spans = Vec::with_capacity(pieces.len() + 1);
    let mut rest = row;
    for (length, hue) in pieces {
        let Some((piece, after)) = rest.split_at_checked(*length) else { break };
        spans.push(Span::new(piece, *hue));
        rest = after;
    }
    if !rest.is_empty() {
        spans.push(Span::new(rest, Hue::Text));
    }
    spans
}

#[cfg(test)]
#[path = "code_tests.rs"]
pub(super) mod tests;
