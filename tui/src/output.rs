//! What scripted commands print: data on stdout, everything else on stderr.
//!
//! One rule each: with `--json` a document or a line of JSON, else text for people. Text that came
//! from elsewhere reaches a terminal only through [`SafeText`]. A reader that closed the pipe ends
//! the command in silence.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use moltis_proto::json::usd;
use serde_json::{Value, json};
use tokio::time::{Instant, interval_at};

use crate::cli::Color;
use crate::client::Failure;
use crate::widget::{SafeText, width_of};

/// How long nothing is said, and how often then.
const SECOND: Duration = Duration::from_secs(1);

/// The way to stdout and stderr.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// Whether scripts are to read it.
    pub(crate) json: bool,
    /// Whether stdout is a terminal.
    pub(crate) terminal: bool,
    color: bool,
    width: usize,
}

impl Output {
    /// As the flags and the terminal have it.
    pub(crate) fn new(json: bool, color: Color) -> Self {
        let terminal = io::stdout().is_terminal();
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
        let width = size.map(|size| usize::from(size.ws_col)).filter(|width| *width > 0);
        Self { json, terminal, color: color.holds(terminal), width: width.unwrap_or(80) }
    }

    /// A line for people.
    pub(crate) fn line(&self, text: &str) -> Result<(), Failure> {
        if self.terminal {
            self.raw(&format!("{}\n", SafeText::clean(text).as_str()))
        } else {
            self.raw(&format!("{text}\n"))
        }
    }

    /// A line of JSON.
    pub(crate) fn json(&self, value: &Value) -> Result<(), Failure> {
        self.raw(&format!("{value}\n"))
    }

    /// The document for scripts, or the line for people.
    pub(crate) fn either(&self, value: &Value, line: &str) -> Result<(), Failure> {
        if self.json { self.json(value) } else { self.line(line) }
    }

    /// A table for people.
    pub(crate) fn table(&self, table: &Table) -> Result<(), Failure> {
        let width = if self.terminal { self.width } else { usize::MAX };
        self.raw(&table.lay(width, self.color))
    }

    /// Text as it is, at once. It must be safe for a terminal if it came from elsewhere.
    pub(crate) fn raw(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| {
            if error.kind() == io::ErrorKind::BrokenPipe {
                // Nobody reads any more: there is nobody to tell, and nothing is wrong.
                Failure::silent(0)
            } else {
                Failure::io("cannot write the output", &error)
            }
        })
    }

    /// Tells a person something beside the data.
    pub(crate) fn note(&self, text: &str) {
        eprint(&format!("moltis: {}\n", SafeText::one_line(text).as_str()));
    }

    /// Tells a person something of several lines beside the data; ends its last line.
    pub(crate) fn tell(&self, text: &str) {
        eprint(&format!("{}\n", SafeText::clean(text).trim_end_matches('\n')));
    }

    /// Asks a person for a word, on the line that it is to be typed on.
    pub(crate) fn prompt(&self, text: &str) {
        eprint(SafeText::one_line(text).as_str());
    }

    /// Shows how far something has come, on one line of a terminal; an empty text clears it.
    pub(crate) fn progress(&self, text: &str) {
        if io::stderr().is_terminal() {
            let text = SafeText::one_line(text);
            eprint(&format!("\r{}\u{1b}[K", cut(text.as_str(), self.width.saturating_sub(1))));
        }
    }

    /// Waits for something; what takes longer than a second says so on a terminal.
    pub(crate) async fn taking<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        self.waiting(Some(what), Instant::now(), work).await
    }

    /// Waits for something that began then; `None` has nothing to say.
    pub(crate) async fn waiting<T>(
        &self,
        what: Option<&str>,
        begun: Instant,
        work: impl Future<Output = T>,
    ) -> T {
        let Some(what) = what.filter(|_| io::stderr().is_terminal()) else { return work.await };
        let mut ticks = interval_at(Instant::now() + SECOND, SECOND);
        let mut work = std::pin::pin!(work);
        let mut shown = false;
        loop {
            tokio::select! {
                biased;
                ended = &mut work => {
                    if shown {
                        self.progress("");
                    }
                    return ended;
                }
                _ = ticks.tick() => {
                    shown = true;
                    self.progress(&format!("{what} … {} s", begun.elapsed().as_secs()));
                }
            }
        }
    }

    /// A text in bold, where that can be shown.
    pub(crate) fn bold(&self, text: &str) -> String {
        paint(text, "1", self.color)
    }

    /// A text that stands back, where that can be shown.
    pub(crate) fn dim(&self, text: &str) -> String {
        paint(text, "2", self.color)
    }

    /// A text in one of the terminal's colors, where that can be shown.
    pub(crate) fn tint(&self, text: &str, color: Tint) -> String {
        let code = match color {
            Tint::Good => "32",
            Tint::Careful => "33",
            Tint::Bad => "31",
        };
        paint(text, code, self.color)
    }
}

/// What a color means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tint {
    Good,
    Careful,
    Bad,
}

fn paint(text: &str, code: &str, color: bool) -> String {
    if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

fn eprint(text: &str) {
    // A stderr that can't be written to is nothing that could be told to anybody.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Says how a command failed: one line, then what mends it; on stdout as well for scripts.
pub(crate) fn report(what: &str, failure: &Failure, json: bool) {
    eprint(&failure_lines(what, failure));
    if json {
        let document = json!({ "error": error_json(failure) });
        // The exit code says it once more to who can't be written to.
        let _ = writeln!(io::stdout().lock(), "{document}");
    }
}

/// A failure of which scripts have read in a document already: people are told on stderr, and the
/// exit code is all that is left to do.
pub(crate) fn reported(what: &str, failure: &Failure) -> Failure {
    report(what, failure, false);
    Failure::silent(failure.exit)
}

fn failure_lines(what: &str, failure: &Failure) -> String {
    let message = SafeText::one_line(&failure.message);
    let hint = failure
        .hint
        .as_deref()
        .map_or_else(String::new, |hint| format!("hint: {}\n", SafeText::one_line(hint).as_str()));
    format!("moltis: {what}: {}\n{hint}", message.as_str())
}

/// A failure as scripts read it.
pub(crate) fn error_json(failure: &Failure) -> Value {
    json!({ "code": failure.code, "message": failure.message, "hint": failure.hint })
}

/// To which side a column is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
    /// To the left, and the first to be cut when the terminal is narrow.
    Cut,
}

/// Rows in aligned columns.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Side)>,
    rows: Vec<Vec<SafeText>>,
}

/// Two blanks between columns.
const GAP: usize = 2;
/// A column is not cut below this.
const NARROWEST: usize = 8;

impl Table {
    /// A table of those columns.
    pub(crate) fn new(columns: &[(&'static str, Side)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row with a cell for each column.
    pub(crate) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.push(cells.iter().map(|cell| SafeText::one_line(cell)).collect());
    }

    /// Its lines, at most that wide.
    pub(crate) fn lay(&self, width: usize, color: bool) -> String {
        let widths = self.widths(width);
        let head = self.columns.iter().map(|(name, _)| *name);
        let mut text = paint(&self.lay_row(head, &widths), "1", color);
        text.push('\n');
        for row in &self.rows {
            text.push_str(&self.lay_row(row.iter().map(SafeText::as_str), &widths));
            text.push('\n');
        }
        text
    }

    fn widths(&self, width: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|(name, _)| name.len()).collect();
        for row in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width_of(cell));
            }
        }
        let taken = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        let mut excess = taken.saturating_sub(width);
        for (own, (_, side)) in widths.iter_mut().zip(&self.columns) {
            if *side == Side::Cut {
                let less = own.saturating_sub(NARROWEST).min(excess);
                *own -= less;
                excess -= less;
            }
        }
        widths
    }

    fn lay_row<'a>(&self, cells: impl Iterator<Item = &'a str>, widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, (_, side)), width) in cells.zip(&self.columns).zip(widths) {
            let cell = cut(cell, *width);
            let blanks = " ".repeat(width.saturating_sub(width_of(&cell)));
            let (before, after) = match side {
                Side::Right => (blanks.as_str(), ""),
                Side::Left | Side::Cut => ("", blanks.as_str()),
            };
            line.push_str(before);
            line.push_str(&cell);
            line.push_str(after);
            line.push_str("  ");
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// At most that many cells of a text, with `…` where it was cut.
fn cut(text: &str, width: usize) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut taken = 0;
    for grapheme in unicode_segmentation::UnicodeSegmentation::graphemes(text, true) {
        taken += width_of(grapheme);
        if taken + 1 > width {
            break;
        }
        kept.push_str(grapheme);
    }
    if width > 0 {
        kept.push('…');
    }
    kept
}

/// How long ago that was: `now`, `5m ago`, `3h ago`, `2d ago`, else the day.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let since: SignedDuration = now.duration_since(at);
    match since.as_secs() {
        ..60 => "now".to_owned(),
        seconds @ 60..3_600 => format!("{}m ago", seconds / 60),
        seconds @ 3_600..86_400 => format!("{}h ago", seconds / 3_600),
        seconds @ 86_400..604_800 => format!("{}d ago", seconds / 86_400),
        _ => at.to_string().chars().take(10).collect(),
    }
}

/// A number of tokens, short: `950`, `12.3k`, `1.2M`.
pub(crate) fn count(number: u64) -> String {
    let value = number as f64;
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{:.1}k", value / 1e3),
        _ => format!("{:.1}M", value / 1e6),
    }
}

/// A number of bytes, short: `512 B`, `91.7 MB`.
pub(crate) fn bytes(number: u64) -> String {
    let value = number as f64;
    match number {
        0..1_000 => format!("{number} B"),
        1_000..1_000_000 => format!("{:.1} kB", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", value / 1e6),
        _ => format!("{:.1} GB", value / 1e9),
    }
}

/// Money for people: `$0.0123`; nothing where there was nothing to pay.
pub(crate) fn dollars(microusd: u64) -> String {
    match microusd {
        0 => String::new(),
        1..1_000_000 => format!("${:.4}", usd(microusd)),
        _ => format!("${:.2}", usd(microusd)),
    }
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
