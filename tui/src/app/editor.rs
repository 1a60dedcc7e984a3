//! Text under a cursor: moving, editing, cutting, undoing.
//!
//! The cursor stands between graphemes, always. A big paste is kept aside and stands in the text as
//! one character of the private plane, which nobody can type or paste: a chip. It moves, deletes and
//! undoes like a letter and unfolds when the text is sent.

use std::sync::Arc;

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

use crate::widget::{Row, SafeText, rows, width_of};

/// The first of the characters that stand for chips.
const CHIP: u32 = 0xf_0000;
/// Chips in one text.
const MAX_CHIPS: usize = 256;
/// Pastes from this size on become chips.
const CHIP_CHARS: usize = 1_000;
/// Pastes from this many lines on become chips.
const CHIP_LINES: usize = 10;
/// What may be pasted at once, and what all chips together may hold.
const MAX_PASTE: usize = 8 << 20;
/// A text over this size is a chip also when it comes from elsewhere.
const MAX_TYPED: usize = 64 << 10;
/// Steps that can be undone.
const MAX_UNDO: usize = 200;
/// What all steps together may hold.
const MAX_UNDO_BYTES: usize = 4 << 20;

/// A text and a cursor in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Editor {
    text: String,
    cursor: usize,
    /// The column that moving up and down holds on to.
    goal: Option<usize>,
    cut: String,
    chips: Vec<Chip>,
    undo: Vec<Step>,
    redo: Vec<Step>,
    last: Edit,
}

#[derive(Clone, Debug)]
struct Chip {
    payload: Arc<str>,
    label: String,
}

#[derive(Clone, Debug)]
struct Step {
    text: String,
    cursor: usize,
}

/// The kind of the last edit: typing is undone by the word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Edit {
    #[default]
    None,
    Typing,
    Deleting,
    Other,
}

/// A text that is set aside, chips and all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    text: String,
    cursor: usize,
    chips: Vec<Chip>,
}

impl Draft {
    /// Whether nothing is written.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

/// A paste was too big.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooBig;

impl Editor {
    /// A text with the cursor at its end.
    pub(crate) fn with(text: &str) -> Self {
        let mut editor = Self::default();
        editor.insert(text);
        editor.undo.clear();
        editor.last = Edit::None;
        editor
    }

    /// The text as it is edited: a chip is one private character.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether nothing is written.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The cursor, in bytes.
    pub(crate) fn cursor(&self) -> usize {
        self.cursor
    }

    /// The text with its chips unfolded.
    pub(crate) fn expanded(&self) -> String {
        let mut out = String::with_capacity(self.text.len());
        for c in self.text.chars() {
            match self.chip(c) {
                Some(chip) => out.push_str(&chip.payload),
                None => out.push(c),
            }
        }
        out
    }

    /// Replaces everything; can be undone.
    pub(crate) fn set(&mut self, text: &str) {
        self.remember(Edit::Other);
        self.text.clear();
        self.cursor = 0;
        let clean = SafeText::clean(text);
        if clean.len() > MAX_TYPED {
            self.put_chip(&clean);
        } else {
            self.put(&clean);
        }
    }

    /// Empties it for good: nothing can be undone.
    pub(crate) fn clear(&mut self) {
        let mut cut = std::mem::take(&mut self.cut);
        // What the chips in it stood for is gone.
        cut.retain(|c| u32::from(c) < CHIP);
        *self = Self { cut, ..Self::default() };
    }

    /// Sets the text aside and is empty.
    pub(crate) fn stash(&mut self) -> Draft {
        let draft =
            Draft { text: self.text.clone(), cursor: self.cursor, chips: self.chips.clone() };
        self.clear();
        draft
    }

    /// Takes a text up that was set aside.
    pub(crate) fn restore(&mut self, draft: Draft) {
        self.clear();
        self.text = draft.text;
        self.cursor = draft.cursor;
        self.chips = draft.chips;
    }

    /// Puts a text that was set aside before what is written, with an empty row between them.
    pub(crate) fn put_before(&mut self, draft: Draft) {
        let rest = self.stash();
        self.restore(draft);
        if rest.is_empty() {
            return;
        }
        self.cursor = self.text.len();
        self.put(&"\n\n".into());
        let before = u32::try_from(self.chips.len()).unwrap_or(0);
        let moved = |c: char| match u32::from(c) {
            chip @ CHIP.. => char::from_u32(chip + before).unwrap_or(c),
            _ => c,
        };
        self.text.extend(rest.text.chars().map(moved));
        self.chips.extend(rest.chips);
        self.cursor = self.text.len();
    }

    /// Types text.
    pub(crate) fn insert(&mut self, text: &str) {
        let word = text.chars().all(char::is_alphanumeric);
        self.remember(if word { Edit::Typing } else { Edit::Other });
        if !word {
            self.last = Edit::Typing;
        }
        self.put(&SafeText::clean(text));
    }

    /// Pastes text as one step; a big one becomes a chip.
    ///
    /// # Errors
    /// When it is too big for a message; nothing is changed.
    pub(crate) fn paste(&mut self, text: &str) -> Result<(), TooBig> {
        let held: usize = self.chips.iter().map(|chip| chip.payload.len()).sum();
        if text.len() + held > MAX_PASTE {
            return Err(TooBig);
        }
        self.remember(Edit::Other);
        let clean = SafeText::clean(text);
        let lines = clean.split('\n').count();
        let small = lines < CHIP_LINES && clean.len() < CHIP_CHARS;
        if small || self.chips.len() >= MAX_CHIPS {
            self.put(&clean);
        } else {
            self.put_chip(&clean);
        }
        Ok(())
    }

    fn put_chip(&mut self, clean: &SafeText) {
        let lines = clean.split('\n').count();
        let label = format!("[pasted {}, {} lines]", size(clean.len()), grouped(lines));
        let index = u32::try_from(self.chips.len()).unwrap_or(0);
        self.chips.push(Chip { payload: clean.as_str().into(), label });
        if let Some(c) = char::from_u32(CHIP + index) {
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
            self.settle();
        }
    }

    /// Moves the cursor to a place between graphemes.
    fn settle(&mut self) {
        // What was inserted may have joined with what follows into one grapheme.
        if !self.at_boundary() {
            self.cursor = self.next();
        }
        self.goal = None;
    }

    fn put(&mut self, clean: &SafeText) {
        self.text.insert_str(self.cursor, clean);
        self.cursor += clean.len();
        self.settle();
    }

    /// Puts the cursor between graphemes again, after it was set by other means.
    fn snap(&mut self) {
        if !self.at_boundary() {
            self.cursor = self.previous();
        }
    }

    fn at_boundary(&self) -> bool {
        let mut cursor = GraphemeCursor::new(self.cursor, self.text.len(), true);
        cursor.is_boundary(&self.text, 0).unwrap_or(true)
    }

    fn next(&self) -> usize {
        let mut cursor = GraphemeCursor::new(self.cursor, self.text.len(), true);
        cursor.next_boundary(&self.text, 0).ok().flatten().unwrap_or(self.text.len())
    }

    fn previous(&self) -> usize {
        let mut cursor = GraphemeCursor::new(self.cursor, self.text.len(), true);
        cursor.prev_boundary(&self.text, 0).ok().flatten().unwrap_or(0)
    }

    fn chip(&self, c: char) -> Option<&Chip> {
        let index = u32::from(c).checked_sub(CHIP)?;
        self.chips.get(usize::try_from(index).ok()?)
    }
}

/// Moving.
impl Editor {
    pub(crate) fn left(&mut self) {
        self.move_to(self.previous());
    }

    pub(crate) fn right(&mut self) {
        self.move_to(self.next());
    }

    pub(crate) fn word_left(&mut self) {
        self.move_to(self.word_start());
    }

    pub(crate) fn word_right(&mut self) {
        self.move_to(self.word_end());
    }

    pub(crate) fn line_start(&mut self) {
        let start = self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1);
        self.move_to(start);
    }

    pub(crate) fn line_end(&mut self) {
        let end =
            self.text[self.cursor..].find('\n').map_or(self.text.len(), |at| self.cursor + at);
        self.move_to(end);
    }

    /// Moves by visual rows; false when there is no such row.
    pub(crate) fn vertical(&mut self, by: isize, width: usize) -> bool {
        let rows = self.rows(width);
        let (row, column) = self.place_in(&rows);
        let goal = self.goal.unwrap_or(column);
        let Some(target) = row.checked_add_signed(by).and_then(|row| rows.get(row)) else {
            return false;
        };
        let mut used = 0;
        let mut at = target.start;
        for grapheme in self.text[target.start..target.end].graphemes(true) {
            let cells = self.measure(grapheme);
            if used + cells > goal {
                break;
            }
            used += cells;
            at += grapheme.len();
        }
        // The end of a row that goes on is the start of the next one.
        let soft = at == target.end && rows.iter().any(|row| row.start == at && at > target.start);
        self.cursor = at;
        if soft {
            self.cursor = self.previous();
        }
        self.snap();
        self.goal = Some(goal);
        self.last = Edit::Other;
        true
    }

    fn move_to(&mut self, at: usize) {
        self.cursor = at;
        self.snap();
        self.goal = None;
        self.last = Edit::Other;
    }

    fn word_start(&self) -> usize {
        let before = &self.text[..self.cursor];
        let trimmed = before.trim_end_matches(|c: char| !is_word(c) && !self.is_chip(c));
        let mut letters = trimmed.char_indices().rev();
        match letters.next() {
            Some((at, c)) if self.is_chip(c) => at,
            _ => trimmed.trim_end_matches(is_word).len(),
        }
    }

    fn word_end(&self) -> usize {
        let after = &self.text[self.cursor..];
        let start = after.trim_start_matches(|c: char| !is_word(c) && !self.is_chip(c));
        let rest = match start.chars().next() {
            Some(c) if self.is_chip(c) => &start[c.len_utf8()..],
            _ => start.trim_start_matches(is_word),
        };
        self.text.len() - rest.len()
    }

    fn is_chip(&self, c: char) -> bool {
        self.chip(c).is_some()
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || (!c.is_ascii() && width_of(c.encode_utf8(&mut [0; 4])) == 0)
}

/// Deleting, cutting, undoing.
impl Editor {
    pub(crate) fn backspace(&mut self) {
        self.delete(self.previous(), self.cursor, Edit::Deleting);
    }

    pub(crate) fn delete_right(&mut self) {
        self.delete(self.cursor, self.next(), Edit::Deleting);
    }

    pub(crate) fn kill_word_back(&mut self) {
        self.kill(self.word_start(), self.cursor);
    }

    pub(crate) fn kill_word(&mut self) {
        self.kill(self.cursor, self.word_end());
    }

    /// Cuts to the end of the line; at the end, the newline.
    pub(crate) fn kill_to_end(&mut self) {
        let end =
            self.text[self.cursor..].find('\n').map_or(self.text.len(), |at| self.cursor + at);
        self.kill(self.cursor, if end == self.cursor { self.next() } else { end });
    }

    pub(crate) fn kill_to_start(&mut self) {
        let start = self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1);
        self.kill(if start == self.cursor { self.previous() } else { start }, self.cursor);
    }

    pub(crate) fn yank(&mut self) {
        if !self.cut.is_empty() {
            self.remember(Edit::Other);
            let cut = self.cut.clone();
            self.text.insert_str(self.cursor, &cut);
            self.cursor += cut.len();
            self.snap();
        }
    }

    pub(crate) fn undo(&mut self) {
        if let Some(step) = self.undo.pop() {
            self.redo.push(self.step());
            self.take_step(step);
        }
    }

    pub(crate) fn redo(&mut self) {
        if let Some(step) = self.redo.pop() {
            self.undo.push(self.step());
            self.take_step(step);
        }
    }

    fn kill(&mut self, from: usize, to: usize) {
        if from < to {
            self.cut = self.text[from..to].to_owned();
        }
        self.delete(from, to, Edit::Other);
    }

    fn delete(&mut self, from: usize, to: usize, edit: Edit) {
        if from >= to {
            return;
        }
        self.remember(edit);
        self.text.replace_range(from..to, "");
        self.cursor = from;
        self.snap();
        self.goal = None;
    }

    fn step(&self) -> Step {
        Step { text: self.text.clone(), cursor: self.cursor }
    }

    fn take_step(&mut self, step: Step) {
        self.text = step.text;
        self.cursor = step.cursor;
        self.goal = None;
        self.last = Edit::None;
    }

    /// Keeps the state before an edit, unless the edit goes on with the one before.
    fn remember(&mut self, edit: Edit) {
        let goes_on = edit == self.last && edit != Edit::Other;
        self.last = edit;
        if goes_on {
            return;
        }
        self.redo.clear();
        self.undo.push(self.step());
        let mut held: usize = self.undo.iter().map(|step| step.text.len()).sum();
        while self.undo.len() > MAX_UNDO || (held > MAX_UNDO_BYTES && self.undo.len() > 1) {
            held -= self.undo.remove(0).text.len();
        }
    }
}

/// Showing.
impl Editor {
    /// The visual rows at a width.
    pub(crate) fn rows(&self, width: usize) -> Vec<Row> {
        rows(&self.text, width, |grapheme| self.measure(grapheme))
    }

    /// The row and the column of the cursor among those rows.
    pub(crate) fn place_in(&self, rows: &[Row]) -> (usize, usize) {
        let row = rows.iter().rposition(|row| row.start <= self.cursor).unwrap_or(0);
        let start = rows.get(row).map_or(0, |row| row.start.min(self.cursor));
        let before = &self.text[start..self.cursor];
        (row, before.graphemes(true).map(|grapheme| self.measure(grapheme)).sum())
    }

    /// What a row shows, in pieces; the second of each says whether it is a chip.
    pub(crate) fn pieces(&self, row: Row) -> Vec<(SafeText, bool)> {
        let mut out = Vec::new();
        let mut plain = String::new();
        for c in self.text[row.start..row.end].chars() {
            match self.chip(c) {
                Some(chip) => {
                    out.push((SafeText::clean(&std::mem::take(&mut plain)), false));
                    out.push((SafeText::clean(&chip.label), true));
                }
                None if c == '\t' => plain.push(' '),
                None => plain.push(c),
            }
        }
        out.push((SafeText::clean(&plain), false));
        out
    }

    fn measure(&self, grapheme: &str) -> usize {
        let mut letters = grapheme.chars();
        match letters.next().and_then(|c| self.chip(c)) {
            Some(chip) => width_of(&chip.label),
            None if grapheme == "\t" => 1,
            None => width_of(grapheme),
        }
    }
}

/// A size in words: `1.0 MB`.
pub(crate) fn size(bytes: usize) -> String {
    let tenths = |unit: usize| bytes.saturating_mul(10) / unit;
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{}.{} kB", tenths(1_000) / 10, tenths(1_000) % 10),
        _ => format!("{}.{} MB", tenths(1_000_000) / 10, tenths(1_000_000) % 10),
    }
}

/// A number in groups of three: `20,000`.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
#[path = "editor_tests.rs"]
mod tests;
