//! Markdown to rows: one pass over the events of some top-level blocks.
//!
//! Nothing is remembered between calls; [`super::stream`] decides what is laid when. The look:
//! headings keep their marks, quotes and code have a gutter, lists have bullets, so that all of it
//! can be told apart without any color.

use std::collections::BTreeMap;

use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::code::{CodeSlot, Highlights, lay_code};
use super::inline::Inline;
use super::line::{Hue, Ink, Line, Span, width_of};
use super::table::Table;
use super::wrap::wrap;

/// Containers deeper than this add no prefix of their own.
const MAX_DEPTH: usize = 12;

/// Targets of `[label]: target` lines, by lower-case label.
pub(crate) type References = BTreeMap<String, String>;

/// What Markdown of ours knows beyond the standard.
pub(super) fn options() -> Options {
    Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS
}

/// Rows, and the code within them that may be colored.
#[derive(Debug, Default)]
pub(super) struct Laid {
    pub(super) lines: Vec<Line>,
    pub(super) slots: Vec<CodeSlot>,
}

/// Lays some whole top-level blocks.
pub(super) fn lay(
    source: &str,
    width: usize,
    references: &References,
    highlights: &Highlights,
) -> Laid {
    let mut resolve = |link: pulldown_cmark::BrokenLink<'_>| {
        let target = references.get(&label(&link.reference))?;
        Some((CowStr::from(target.clone()), CowStr::from("")))
    };
    let parser = Parser::new_with_broken_link_callback(source, options(), Some(&mut resolve));
    let mut layer = Layer::new(width, highlights);
    for event in parser {
        layer.event(&event);
    }
    layer.flush();
    layer.out
}

/// The form under which a link's label is looked up.
pub(super) fn label(text: &str) -> String {
    text.trim().to_lowercase()
}

/// What a container puts before its rows.
#[derive(Debug)]
struct Prefix {
    /// Before its first row only, until that was made.
    first: Option<Span>,
    /// Before all others.
    rest: Span,
}

struct Layer<'a> {
    width: usize,
    highlights: &'a Highlights,
    out: Laid,
    prefixes: Vec<Prefix>,
    /// For each open list, the number of its next item if it is numbered.
    lists: Vec<Option<u64>>,
    inline: Inline,
    table: Option<Table>,
    code: Option<(String, String)>,
    /// An empty row is due before the next one.
    gap: bool,
}

impl<'a> Layer<'a> {
    fn new(width: usize, highlights: &'a Highlights) -> Self {
        Self {
            width: width.max(1),
            highlights,
            out: Laid::default(),
            prefixes: Vec::new(),
            lists: Vec::new(),
            inline: Inline::default(),
            table: None,
            code: None,
            gap: false,
        }
    }

    fn event(&mut self, event: &Event<'_>) {
        if let (Some((_, text)), Event::Text(more)) = (&mut self.code, event) {
            text.push_str(more);
            return;
        }
        match event {
            Event::Start(tag) => self.start(tag, event),
            Event::End(end) => self.end(*end, event),
            Event::Rule => {
                let length = self.room().min(40);
                self.emit(vec![Span::new("─".repeat(length), Hue::Dim)]);
                self.gap = true;
            }
            Event::TaskListMarker(done) => self.mark_task(*done),
            _ => self.inline.event(event),
        }
    }

    fn start(&mut self, tag: &Tag<'_>, event: &Event<'_>) {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => self.flush(),
            Tag::Heading { level, .. } => self.start_heading(*level),
            Tag::BlockQuote(_) => {
                self.flush();
                let bar = Span::new("│ ", Hue::Quote);
                self.open(Prefix { first: None, rest: bar });
            }
            Tag::CodeBlock(kind) => {
                self.flush();
                let language = match kind {
                    CodeBlockKind::Fenced(info) => language_of(info),
                    CodeBlockKind::Indented => "",
                };
                self.code = Some((language.to_owned(), String::new()));
            }
            Tag::List(first) => {
                self.flush();
                self.lists.push(*first);
            }
            Tag::Item => self.start_item(),
            Tag::Table(_) => {
                self.flush();
                self.table = Some(Table::default());
            }
            Tag::TableHead | Tag::TableRow => {
                if let Some(table) = &mut self.table {
                    table.begin_row();
                }
            }
            _ => self.inline.event(event),
        }
    }

    fn end(&mut self, end: TagEnd, event: &Event<'_>) {
        match end {
            TagEnd::Paragraph | TagEnd::HtmlBlock => {
                self.flush();
                self.gap = true;
            }
            TagEnd::Heading(_) => {
                self.flush();
                self.inline.set_base(Ink::default());
                self.gap = true;
            }
            TagEnd::BlockQuote(_) => {
                self.flush();
                self.prefixes.pop();
                self.gap = true;
            }
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::List(_) => {
                self.flush();
                self.lists.pop();
                self.gap = self.gap || self.lists.is_empty();
            }
            TagEnd::Item => self.end_item(),
            TagEnd::TableCell => {
                let cell = self.inline.take();
                if let Some(table) = &mut self.table {
                    table.add_cell(cell);
                }
            }
            TagEnd::Table => {
                let room = self.room();
                for line in self.table.take().map(|table| table.lay(room)).unwrap_or_default() {
                    self.emit(line.spans);
                }
                self.gap = true;
            }
            _ => self.inline.event(event),
        }
    }

    fn start_heading(&mut self, level: HeadingLevel) {
        self.flush();
        let ink = Ink::of(Hue::Heading).bold();
        self.inline.set_base(ink);
        let marks = format!("{} ", "#".repeat(level as usize));
        self.inline.event(&Event::Text(marks.into()));
    }

    fn start_item(&mut self) {
        self.flush();
        let bullet = match self.lists.last_mut() {
            Some(Some(number)) => {
                let bullet = format!("{number}. ");
                *number = number.saturating_add(1);
                bullet
            }
            _ => "• ".to_owned(),
        };
        let rest = Span::new(" ".repeat(width_of(&bullet)), Hue::Text);
        self.open(Prefix { first: Some(Span::new(bullet, Hue::Accent)), rest });
    }

    fn end_item(&mut self) {
        self.flush();
        if self.prefixes.last().is_some_and(|prefix| prefix.first.is_some()) {
            self.emit(Vec::new());
        }
        self.prefixes.pop();
    }

    fn mark_task(&mut self, done: bool) {
        if let Some(prefix) = self.prefixes.last_mut() {
            let (mark, hue) = if done { ("☑ ", Hue::Good) } else { ("☐ ", Hue::Accent) };
            prefix.first = Some(Span::new(mark, hue));
            prefix.rest = Span::new("  ", Hue::Text);
        }
    }

    fn end_code(&mut self) {
        let Some((language, text)) = self.code.take() else { return };
        let room = self.room();
        if !language.is_empty() {
            self.emit(vec![Span::new(format!("╭ {language}"), Hue::Dim)]);
        }
        let mut slot = CodeSlot::new(&language, &text, room);
        let paint = self.highlights.get(slot.key).cloned();
        let rows = lay_code(&text, room, paint.as_deref());
        self.begin_rows();
        let start = self.out.lines.len();
        for row in rows {
            self.emit(row.spans);
        }
        if !language.is_empty() {
            slot.lines = start..self.out.lines.len();
            slot.prefix = self.prefixes.iter().map(|prefix| prefix.rest.clone()).collect();
            self.out.slots.push(slot);
        }
        self.gap = true;
    }

    fn open(&mut self, prefix: Prefix) {
        if self.prefixes.len() < MAX_DEPTH {
            self.prefixes.push(prefix);
        } else {
            let none = Span::new("", Hue::Text);
            self.prefixes.push(Prefix { first: prefix.first.map(|_| none.clone()), rest: none });
        }
    }

    /// The cells that are left beside the prefixes.
    fn room(&self) -> usize {
        let taken: usize = self.prefixes.iter().map(|prefix| width_of(&prefix.rest.text)).sum();
        self.width.saturating_sub(taken).max(1)
    }

    /// Lays what was collected of a paragraph.
    fn flush(&mut self) {
        if self.inline.is_empty() || self.table.is_some() {
            return;
        }
        let spans = self.inline.take();
        for row in wrap(&spans, self.room()) {
            self.emit(row);
        }
    }

    /// Makes the empty row that is due.
    fn begin_rows(&mut self) {
        if std::mem::take(&mut self.gap) && !self.out.lines.is_empty() {
            let begun = self.prefixes.iter().take_while(|prefix| prefix.first.is_none());
            let spans: Vec<Span> = begun.map(|prefix| prefix.rest.clone()).collect();
            self.out.lines.push(spans.into());
        }
    }

    fn emit(&mut self, spans: Vec<Span>) {
        self.begin_rows();
        let mut line = Line::default();
        for prefix in &mut self.prefixes {
            line.push(prefix.first.take().unwrap_or_else(|| prefix.rest.clone()));
        }
        line.spans.extend(spans);
        self.out.lines.push(line);
    }
}

/// The language that a fence's info string names.
pub(super) fn language_of(info: &str) -> &str {
    info.split([' ', ',', '{', '\t']).next().unwrap_or_default()
}
