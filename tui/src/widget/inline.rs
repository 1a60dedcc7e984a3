//! The inside of a paragraph: emphasis, code, links, breaks.
//!
//! Collects spans from inline Markdown events, with the inks in force as a stack of counters, so
//! that unbalanced nesting cannot leave a style behind.

use pulldown_cmark::{CowStr, Event, Tag, TagEnd};

use super::line::{Hue, Ink, Span};

/// Spans of a block that is being read.
#[derive(Debug, Default)]
pub(super) struct Inline {
    spans: Vec<Span>,
    bold: u16,
    italic: u16,
    strike: u16,
    /// Where the links that are open point to, and the number of spans before them.
    links: Vec<(String, usize)>,
    /// The ink of text that is not stressed in any way.
    base: Ink,
}

impl Inline {
    /// Text from here on has this ink unless it is stressed.
    pub(super) fn set_base(&mut self, base: Ink) {
        self.base = base;
    }

    /// The spans so far; nothing is left.
    pub(super) fn take(&mut self) -> Vec<Span> {
        self.links.clear();
        std::mem::take(&mut self.spans)
    }

    /// Whether nothing was collected.
    pub(super) fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Takes an inline event; others are not its business.
    pub(super) fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Text(text) => self.text(text),
            Event::Code(code) => self.add(code, Hue::Code),
            Event::InlineMath(text) | Event::DisplayMath(text) => self.add(text, Hue::Code),
            Event::InlineHtml(html) if is_break(html) => self.add("\n", Hue::Text),
            Event::InlineHtml(html) | Event::Html(html) => self.add(html, Hue::Dim),
            Event::SoftBreak => self.add(" ", self.base.hue),
            Event::HardBreak => self.add("\n", self.base.hue),
            Event::Start(tag) => self.start(tag),
            Event::End(end) => self.end(*end),
            Event::FootnoteReference(_) | Event::Rule | Event::TaskListMarker(_) => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Strong => self.bold += 1,
            Tag::Emphasis => self.italic += 1,
            Tag::Strikethrough => self.strike += 1,
            Tag::Link { dest_url, .. } => self.open_link(dest_url),
            Tag::Image { dest_url, .. } => {
                self.open_link(dest_url);
                self.add("image: ", Hue::Dim);
            }
            _ => {}
        }
    }

    fn end(&mut self, end: TagEnd) {
        match end {
            TagEnd::Strong => self.bold = self.bold.saturating_sub(1),
            TagEnd::Emphasis => self.italic = self.italic.saturating_sub(1),
            TagEnd::Strikethrough => self.strike = self.strike.saturating_sub(1),
            TagEnd::Link | TagEnd::Image => self.close_link(),
            _ => {}
        }
    }

    fn open_link(&mut self, target: &CowStr<'_>) {
        self.links.push((target.to_string(), self.spans.len()));
    }

    /// Shows where the link points to, unless its text says so.
    fn close_link(&mut self) {
        let Some((target, before)) = self.links.pop() else { return };
        let from = before.min(self.spans.len());
        let text: String = self.spans[from..].iter().map(|span| span.text.as_str()).collect();
        let shown = target.trim_start_matches("mailto:");
        if !target.is_empty() && text.trim() != shown {
            self.spans.push(Span::new(format!(" ({target})"), Hue::Dim));
        }
    }

    fn text(&mut self, text: &str) {
        let hue = if self.links.is_empty() { self.base.hue } else { Hue::Link };
        self.add(text, hue);
    }

    fn add(&mut self, text: &str, hue: Hue) {
        let ink = Ink {
            hue,
            bold: self.base.bold || self.bold > 0,
            italic: self.base.italic || self.italic > 0,
            strike: self.strike > 0,
            underline: hue == Hue::Link,
            reverse: false,
        };
        self.spans.push(Span::inked(text, ink));
    }
}

fn is_break(html: &str) -> bool {
    matches!(html.trim(), "<br>" | "<br/>" | "<br />")
}
