//! Where lines meet cells; the only file that writes into the buffer.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use unicode_segmentation::UnicodeSegmentation;

use crate::theme::Theme;
use crate::widget::{Hue, Ink, Line, Span, width_of};

/// A buffer with a theme.
pub(crate) struct Canvas<'a> {
    buffer: &'a mut Buffer,
    theme: Theme,
}

impl<'a> Canvas<'a> {
    /// A canvas over the whole buffer.
    pub(crate) fn new(buffer: &'a mut Buffer, theme: Theme) -> Self {
        Self { buffer, theme }
    }

    /// All of it.
    pub(crate) fn area(&self) -> Rect {
        *self.buffer.area()
    }

    /// Paints a line into at most `width` cells and gives the column after it.
    pub(crate) fn line(&mut self, x: u16, y: u16, line: &Line, width: u16) -> u16 {
        let end = x.saturating_add(width);
        line.spans.iter().fold(x, |x, span| self.span(x, y, span, end.saturating_sub(x)))
    }

    /// Paints a span into at most `width` cells and gives the column after it.
    pub(crate) fn span(&mut self, x: u16, y: u16, span: &Span, width: u16) -> u16 {
        let area = self.area();
        let end = x.saturating_add(width).min(area.right());
        if y < area.top() || y >= area.bottom() {
            return x;
        }
        let style = self.theme.style(span.ink);
        let mut at = x;
        for grapheme in span.text.graphemes(true) {
            let cells = u16::try_from(width_of(grapheme)).unwrap_or(u16::MAX);
            if cells == 0 {
                continue;
            }
            if at.saturating_add(cells) > end {
                break;
            }
            self.put(at, y, grapheme, cells, style);
            at += cells;
        }
        at
    }

    fn put(&mut self, x: u16, y: u16, grapheme: &str, cells: u16, style: ratatui::style::Style) {
        for offset in 0..cells {
            if let Some(cell) = self.buffer.cell_mut(Position::new(x + offset, y)) {
                cell.reset();
                cell.set_style(style);
                if offset == 0 {
                    cell.set_symbol(grapheme);
                }
            }
        }
    }

    /// Paints text of one meaning.
    pub(crate) fn text(&mut self, x: u16, y: u16, text: &str, hue: Hue, width: u16) -> u16 {
        self.span(x, y, &Span::new(text, hue), width)
    }

    /// Paints a line so that it ends at column `end`.
    pub(crate) fn right(&mut self, end: u16, y: u16, line: &Line, width: u16) {
        let cells = u16::try_from(line.width()).unwrap_or(u16::MAX).min(width);
        self.line(end.saturating_sub(cells), y, line, cells);
    }

    /// Makes every cell of an area empty.
    pub(crate) fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.area());
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                if let Some(cell) = self.buffer.cell_mut(Position::new(x, y)) {
                    cell.reset();
                }
            }
        }
    }

    /// Swaps foreground and background of a row: it is the chosen one.
    pub(crate) fn choose(&mut self, x: u16, y: u16, width: u16) {
        let area = Rect::new(x, y, width, 1).intersection(self.area());
        let style = self.theme.style(Ink::default().reverse());
        self.buffer.set_style(area, style);
    }

    /// A horizontal rule.
    pub(crate) fn rule(&mut self, x: u16, y: u16, width: u16) {
        self.text(x, y, &"─".repeat(usize::from(width)), Hue::Dim, width);
    }

    /// An empty box with a title and a footer of hints, as many as fit; gives its inside.
    pub(crate) fn frame(&mut self, area: Rect, title: &str, footer: &str) -> Rect {
        let area = area.intersection(self.area());
        self.clear(area);
        if area.width < 2 || area.height < 2 {
            return Rect::new(area.x, area.y, 0, 0);
        }
        let inside = usize::from(area.width - 2);
        let bar = "─".repeat(inside);
        self.text(area.x, area.top(), &format!("╭{bar}╮"), Hue::Dim, area.width);
        self.text(area.x, area.bottom() - 1, &format!("╰{bar}╯"), Hue::Dim, area.width);
        for y in area.top() + 1..area.bottom() - 1 {
            self.text(area.x, y, "│", Hue::Dim, 1);
            self.text(area.right() - 1, y, "│", Hue::Dim, 1);
        }
        let room = area.width.saturating_sub(4);
        if !title.is_empty() {
            let span = Span::inked(format!(" {title} "), Ink::of(Hue::Accent).bold());
            self.span(area.x + 2, area.top(), &span, room);
        }
        if !footer.is_empty() {
            let mut text = String::new();
            for hint in footer.split(" · ") {
                let longer = format!("{text} {hint} ");
                if !text.is_empty() && width_of(&longer) > usize::from(room) {
                    break;
                }
                text = longer;
            }
            self.text(area.x + 2, area.bottom() - 1, &text, Hue::Dim, room);
        }
        Rect::new(area.x + 1, area.y + 1, area.width - 2, area.height - 2)
    }

    /// An area in the middle, at most so large.
    pub(crate) fn middle(&self, width: u16, height: u16) -> Rect {
        let area = self.area();
        let (width, height) = (width.min(area.width), height.min(area.height));
        let x = area.x + (area.width - width) / 2;
        let y = area.y + (area.height - height) / 2;
        Rect::new(x, y, width, height)
    }
}

/// The upper `rows` of an area, and the rest of it.
pub(super) fn split(area: Rect, rows: u16) -> (Rect, Rect) {
    let rows = rows.min(area.height);
    (Rect { height: rows, ..area }, Rect { y: area.y + rows, height: area.height - rows, ..area })
}
