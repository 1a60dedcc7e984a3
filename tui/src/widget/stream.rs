//! A Markdown document that grows at its end, laid at the cost of what is new.
//!
//! Top-level blocks that are closed are frozen: parsed and laid once, never looked at again. Only
//! whole lines close a block, because a line decides what it is only at its end. The last block and
//! an unfinished line are laid anew each time. Inside a fence at the top level every whole line is
//! frozen at once, so that a program of thousands of lines costs its new lines only. The invariant:
//! however a text is cut into pieces, the rows are those of the whole text in one piece.

use super::code::{CodeSlot, Highlights, Paint, lay_code};
use super::line::{Hue, Line};
use super::markdown::{References, label, language_of, lay, options};
use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag};

/// Reference definitions beyond this many are not links.
const MAX_REFERENCES: usize = 1_000;

/// A document and its rows.
#[derive(Debug)]
pub(crate) struct Document {
    width: usize,
    lines: Vec<Line>,
    slots: Vec<CodeSlot>,
    frozen: Frozen,
    references: References,
    scanned: Scanned,
    /// Bytes given to the Markdown parser so far: what a test counts.
    parsed: u64,
}

/// How much of everything will not change anymore.
#[derive(Debug, Default)]
struct Frozen {
    /// Bytes of the source.
    bytes: usize,
    /// Bytes of the source up to which closed blocks have been looked for.
    searched: usize,
    lines: usize,
    slots: usize,
    fence: Option<Fence>,
}

/// A fence at the top level that is open.
#[derive(Debug)]
struct Fence {
    mark: char,
    length: usize,
    indent: usize,
    language: String,
    text: String,
    first_line: usize,
}

/// How far link definitions have been looked for.
#[derive(Debug, Default)]
struct Scanned {
    bytes: usize,
    in_fence: bool,
}

impl Document {
    /// An empty document for a width.
    pub(crate) fn new(width: usize) -> Self {
        Self {
            width: width.max(1),
            lines: Vec::new(),
            slots: Vec::new(),
            frozen: Frozen::default(),
            references: References::new(),
            scanned: Scanned::default(),
            parsed: 0,
        }
    }

    /// A document that will not grow anymore.
    pub(crate) fn whole(source: &str, width: usize, highlights: &Highlights) -> Self {
        let mut document = Self::new(width);
        if source.ends_with('\n') {
            document.update(source, highlights);
        } else {
            document.update(&format!("{source}\n"), highlights);
        }
        document.frozen.slots = document.slots.len();
        document
    }

    /// The rows.
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The blocks of code that are complete and may be colored.
    pub(crate) fn slots(&self) -> &[CodeSlot] {
        &self.slots[..self.frozen.slots]
    }

    /// Bytes that were given to the parser since the beginning.
    #[cfg(test)]
    pub(crate) fn parsed(&self) -> u64 {
        self.parsed
    }

    /// Lays the source, which must be what it was with something appended.
    pub(crate) fn update(&mut self, source: &str, highlights: &Highlights) {
        self.lines.truncate(self.frozen.lines);
        self.slots.truncate(self.frozen.slots);
        let whole = source.rfind('\n').map_or(0, |at| at + 1);
        if self.scan(source, whole) && self.frozen.bytes > 0 {
            self.frozen = Frozen::default();
            self.lines.clear();
            self.slots.clear();
        }
        if whole > self.frozen.searched {
            self.freeze(source, whole, highlights);
            self.frozen.searched = whole;
        }
        self.frozen.lines = self.lines.len();
        self.frozen.slots = self.slots.len();
        self.lay_tail(&source[self.frozen.bytes..], highlights);
    }

    /// Gives a block its colors.
    pub(crate) fn repaint(&mut self, key: u64, paint: &Paint) {
        for slot in self.slots.iter().filter(|slot| slot.key == key) {
            slot.repaint(&mut self.lines, paint);
        }
    }

    /// Looks for link definitions in whole lines; true when a new one was found.
    fn scan(&mut self, source: &str, whole: usize) -> bool {
        let mut found = false;
        for line in source[self.scanned.bytes..whole].split_inclusive('\n') {
            let text = line.trim();
            if text.starts_with("```") || text.starts_with("~~~") {
                self.scanned.in_fence = !self.scanned.in_fence;
            } else if !self.scanned.in_fence
                && let Some((name, target)) = definition(text)
                && self.references.len() < MAX_REFERENCES
                && !self.references.contains_key(&label(name))
            {
                self.references.insert(label(name), target.to_owned());
                found = true;
            }
        }
        self.scanned.bytes = whole;
        found
    }

    fn freeze(&mut self, source: &str, whole: usize, highlights: &Highlights) {
        while self.frozen.bytes < whole {
            let rest = &source[self.frozen.bytes..whole];
            let line = rest.split_inclusive('\n').next().unwrap_or(rest);
            if self.frozen.fence.is_some() {
                self.fence_line(line, highlights);
                self.frozen.bytes += line.len();
            } else if line.trim().is_empty() {
                self.frozen.bytes += line.len();
            } else if let Some(fence) = opening(line) {
                self.open_fence(fence);
                self.frozen.bytes += line.len();
            } else if !self.freeze_blocks(rest, highlights) {
                break;
            }
        }
    }

    /// Freezes the closed blocks at the beginning of `rest`; false when there is none.
    fn freeze_blocks(&mut self, rest: &str, highlights: &Highlights) -> bool {
        self.parsed += rest.len() as u64;
        let starts = block_starts(rest);
        let Some(((last, _), closed)) = starts.split_last() else { return false };
        let mut from = 0;
        let bounds = closed.iter().skip(1).copied().chain([(*last, false)]);
        for (end, is_fence) in bounds {
            if end > from {
                self.append(&rest[from..end], highlights);
                from = end;
            }
            if is_fence {
                break;
            }
        }
        self.frozen.bytes += from;
        from > 0
    }

    fn append(&mut self, blocks: &str, highlights: &Highlights) {
        let laid = lay(blocks, self.width, &self.references, highlights);
        self.parsed += blocks.len() as u64;
        if laid.lines.is_empty() {
            return;
        }
        self.gap();
        let offset = self.lines.len();
        self.lines.extend(laid.lines);
        self.slots.extend(laid.slots.into_iter().map(|mut slot| {
            slot.lines = slot.lines.start + offset..slot.lines.end + offset;
            slot
        }));
    }

    fn gap(&mut self) {
        if !self.lines.is_empty() {
            self.lines.push(Line::blank());
        }
    }

    fn open_fence(&mut self, mut fence: Fence) {
        self.gap();
        if !fence.language.is_empty() {
            self.lines.push(Line::new(format!("╭ {}", fence.language), Hue::Dim));
        }
        fence.first_line = self.lines.len();
        self.frozen.fence = Some(fence);
    }

    fn fence_line(&mut self, line: &str, highlights: &Highlights) {
        let Some(fence) = &mut self.frozen.fence else { return };
        if fence.is_closed_by(line) {
            self.close_fence(highlights);
            return;
        }
        let code = fence.content(line);
        fence.text.push_str(code);
        self.lines.extend(lay_code(code, self.width, None));
    }

    fn close_fence(&mut self, highlights: &Highlights) {
        let Some(fence) = self.frozen.fence.take() else { return };
        if self.lines.len() == fence.first_line {
            self.lines.push(Line::new("│ ", Hue::Dim));
        }
        if fence.language.is_empty() {
            return;
        }
        let mut slot = CodeSlot::new(&fence.language, &fence.text, self.width);
        slot.lines = fence.first_line..self.lines.len();
        if let Some(paint) = highlights.get(slot.key) {
            slot.repaint(&mut self.lines, paint);
        }
        self.slots.push(slot);
    }

    /// Lays what is not frozen: the last block, and a line without an end.
    fn lay_tail(&mut self, tail: &str, highlights: &Highlights) {
        if let Some(fence) = &self.frozen.fence {
            if !tail.is_empty() && !fence.is_closed_by(tail) {
                self.lines.extend(lay_code(fence.content(tail), self.width, None));
            }
        } else if !tail.trim().is_empty() {
            self.append(tail, highlights);
        }
    }
}

impl Fence {
    fn is_closed_by(&self, line: &str) -> bool {
        let text = line.trim_end();
        let indent = text.len() - text.trim_start_matches(' ').len();
        let marks = &text[indent..];
        indent <= 3 && marks.len() >= self.length && marks.chars().all(|c| c == self.mark)
    }

    /// A line of the code, without the fence's own indentation.
    fn content<'a>(&self, line: &'a str) -> &'a str {
        let spaces = line.len() - line.trim_start_matches(' ').len();
        &line[spaces.min(self.indent)..]
    }
}

/// The fence that a line opens.
fn opening(line: &str) -> Option<Fence> {
    let text = line.trim_end();
    let indent = text.len() - text.trim_start_matches(' ').len();
    let text = &text[indent..];
    let mark = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = text.len() - text.trim_start_matches(mark).len();
    let info = text[length..].trim();
    if indent > 3 || length < 3 || (mark == '`' && info.contains('`')) {
        return None;
    }
    let language = language_of(info).to_owned();
    Some(Fence { mark, length, indent, language, text: String::new(), first_line: 0 })
}

/// Where the top-level blocks of a text begin, each at the start of a line, and whether it is a
/// fenced block. What stands between two blocks (link definitions) belongs to the second: it decides
/// how that one is read.
fn block_starts(text: &str) -> Vec<(usize, bool)> {
    let mut starts: Vec<(usize, bool)> = Vec::new();
    let mut depth = 0_usize;
    let mut free = 0;
    for (event, range) in Parser::new_ext(text, options()).into_offset_iter() {
        if depth == 0 && !matches!(event, Event::End(_)) {
            let line = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
            let at = free.min(line);
            let fenced = matches!(&event, Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))));
            if starts.last().is_none_or(|(last, _)| *last < at) {
                starts.push((at, fenced));
            }
            let tail = text[range.end..].find('\n').map_or(text.len(), |at| range.end + at + 1);
            free = if text[..range.end].ends_with('\n') { range.end } else { tail };
        }
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    starts
}

/// The label and target of a `[label]: target` line.
fn definition(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix('[')?.split_once("]:")?;
    let target = rest.split_whitespace().next()?;
    let target = target.trim_start_matches('<').trim_end_matches('>');
    (!name.is_empty() && !name.contains(['[', ']']) && !target.is_empty()).then_some((name, target))
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
