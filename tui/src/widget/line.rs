//! Spans and lines: safe text with meaning.

use unicode_width::UnicodeWidthStr;

use super::safe::SafeText;

/// What a piece of text is; the theme decides how that looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Hue {
    /// Ordinary text.
    #[default]
    Text,
    /// Of less weight: hints, times, frames.
    Dim,
    /// The product's own color: names, selections, the prompt.
    Accent,
    /// What the person said.
    Person,
    /// All is well.
    Good,
    /// Look here.
    Warn,
    /// It failed.
    Bad,
    /// A heading.
    Heading,
    /// A link.
    Link,
    /// A quotation.
    Quote,
    /// Code within a sentence, and code in general.
    Code,
    /// Words of a programming language.
    Keyword,
    /// Literal text in code.
    Literal,
    /// Numbers and constants in code.
    Number,
    /// Remarks in code.
    Remark,
    /// Names of functions in code.
    Function,
    /// Names of types in code.
    Kind,
}

/// What a piece of text is, and how it is stressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ink {
    /// What it is.
    pub(crate) hue: Hue,
    /// Heavy.
    pub(crate) bold: bool,
    /// Slanted.
    pub(crate) italic: bool,
    /// Crossed out.
    pub(crate) strike: bool,
    /// Underlined.
    pub(crate) underline: bool,
    /// Foreground and background swapped: the selection.
    pub(crate) reverse: bool,
}

impl Ink {
    /// Unstressed text of this meaning.
    pub(crate) const fn of(hue: Hue) -> Self {
        Self { hue, bold: false, italic: false, strike: false, underline: false, reverse: false }
    }

    /// The same, heavy.
    pub(crate) const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    /// The same, swapped.
    pub(crate) const fn reverse(self) -> Self {
        Self { reverse: true, ..self }
    }
}

/// A run of text in one ink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    /// The text; no newlines or tabs by custom of the makers.
    pub(crate) text: SafeText,
    /// Its ink.
    pub(crate) ink: Ink,
}

impl Span {
    /// Text of this meaning.
    pub(crate) fn new(text: impl Into<SafeText>, hue: Hue) -> Self {
        Self { text: text.into(), ink: Ink::of(hue) }
    }

    /// Text in this ink.
    pub(crate) fn inked(text: impl Into<SafeText>, ink: Ink) -> Self {
        Self { text: text.into(), ink }
    }
}

/// One row of text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// From left to right.
    pub(crate) spans: Vec<Span>,
}

impl Line {
    /// A row of one span.
    pub(crate) fn new(text: impl Into<SafeText>, hue: Hue) -> Self {
        Self { spans: vec![Span::new(text, hue)] }
    }

    /// An empty row.
    pub(crate) fn blank() -> Self {
        Self::default()
    }

    /// The same with one more span.
    #[must_use]
    pub(crate) fn with(mut self, text: impl Into<SafeText>, hue: Hue) -> Self {
        self.spans.push(Span::new(text, hue));
        self
    }

    /// Appends a span.
    pub(crate) fn push(&mut self, span: Span) {
        self.spans.push(span);
    }

    /// Cells that it takes.
    pub(crate) fn width(&self) -> usize {
        self.spans.iter().map(|span| width_of(&span.text)).sum()
    }

    /// Its text without its inks.
    #[cfg(test)]
    pub(crate) fn text(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }

    /// Roughly what it weighs in memory.
    pub(crate) fn bytes(&self) -> usize {
        let spans = self.spans.iter().map(|span| span.text.len() + size_of::<Span>());
        size_of::<Self>() + spans.sum::<usize>()
    }
}

impl From<Vec<Span>> for Line {
    fn from(spans: Vec<Span>) -> Self {
        Self { spans }
    }
}

/// Cells that a text takes.
pub(crate) fn width_of(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}
