//! Tables: columns as wide as they need, as narrow as they must be; cells wrap.
//!
//! Where there is no room for columns at all, each row becomes a list of `heading: cell`.

use super::line::{Hue, Ink, Line, Span, width_of};
use super::wrap::wrap;

/// Below this many cells per column a table is shown as a list.
const NARROWEST: usize = 5;
/// Columns beyond this many are left out.
const MAX_COLUMNS: usize = 32;

/// A table as it is read: rows of cells of spans; the first row is the head.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<Vec<Span>>>,
}

impl Table {
    /// Begins a row.
    pub(super) fn begin_row(&mut self) {
        self.rows.push(Vec::new());
    }

    /// Adds a cell to the row.
    pub(super) fn add_cell(&mut self, cell: Vec<Span>) {
        if let Some(row) = self.rows.last_mut()
            && row.len() < MAX_COLUMNS
        {
            row.push(cell);
        }
    }

    /// The rows of the whole table at a width.
    pub(super) fn lay(self, width: usize) -> Vec<Line> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        if columns == 0 {
            return Vec::new();
        }
        let room = width.saturating_sub(3 * (columns - 1));
        if room < columns * NARROWEST && self.natural().iter().sum::<usize>() > room {
            return self.into_list(width);
        }
        let widths = shrink(self.natural(), room);
        let mut out = Vec::new();
        for (number, row) in self.rows.iter().enumerate() {
            lay_row(row, &widths, number == 0, &mut out);
            if number == 0 {
                let rule = widths.iter().map(|width| "─".repeat(*width)).collect::<Vec<_>>();
                out.push(Line::new(rule.join("─┼─"), Hue::Dim));
            }
        }
        out
    }

    /// The widths that the columns would like to have.
    fn natural(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths = vec![1; columns];
        for row in &self.rows {
            for (cell, width) in row.iter().zip(&mut widths) {
                let cells = cell.iter().map(|span| width_of(&span.text)).sum();
                *width = (*width).max(cells);
            }
        }
        widths
    }

    fn into_list(self, width: usize) -> Vec<Line> {
        let mut rows = self.rows.into_iter();
        let head = rows.next().unwrap_or_default();
        let mut out = Vec::new();
        for row in rows {
            for (column, cell) in row.into_iter().enumerate() {
                let mut spans = Vec::new();
                if let Some(name) = head.get(column).filter(|name| !name.is_empty()) {
                    spans.extend(
                        name.iter().map(|span| Span::inked(span.text.clone(), span.ink.bold())),
                    );
                    spans.push(Span::new(": ", Hue::Dim));
                }
                spans.extend(cell);
                out.extend(wrap(&spans, width).into_iter().map(Line::from));
            }
            out.push(Line::blank());
        }
        out.pop();
        out
    }
}

/// Takes cells from the widest columns until all fit.
fn shrink(mut widths: Vec<usize>, room: usize) -> Vec<usize> {
    let mut over = widths.iter().sum::<usize>().saturating_sub(room);
    while over > 0 {
        let widest = widths.iter().copied().max().unwrap_or(0);
        if widest <= 1 {
            break;
        }
        let next = widths.iter().copied().filter(|width| *width < widest).max().unwrap_or(1);
        let tied = widths.iter().filter(|width| **width == widest).count();
        let step = (over / tied).clamp(1, (widest - next).max(1));
        for width in widths.iter_mut().filter(|width| **width == widest) {
            if over == 0 {
                break;
            }
            let taken = step.min(over);
            *width -= taken;
            over -= taken;
        }
    }
    widths
}

fn lay_row(row: &[Vec<Span>], widths: &[usize], head: bool, out: &mut Vec<Line>) {
    let cells: Vec<Vec<Vec<Span>>> = widths
        .iter()
        .enumerate()
        .map(|(column, width)| row.get(column).map_or_else(Vec::new, |cell| wrap(cell, *width)))
        .collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    for level in 0..height {
        let mut line = Line::default();
        for (column, width) in widths.iter().enumerate() {
            if column > 0 {
                line.push(Span::new(" │ ", Hue::Dim));
            }
            let spans = cells[column].get(level).map_or(&[][..], Vec::as_slice);
            let used: usize = spans.iter().map(|span| width_of(&span.text)).sum();
            for span in spans {
                let ink = if head { span.ink.bold() } else { span.ink };
                line.push(Span::inked(span.text.clone(), ink));
            }
            if column + 1 < widths.len() && used < *width {
                line.push(Span::inked(" ".repeat(width - used), Ink::default()));
            }
        }
        out.push(line);
    }
}
