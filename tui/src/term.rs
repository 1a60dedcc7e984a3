//! The terminal: taking it over, giving it back, and painting it with as few bytes as possible.
//!
//! Nothing here asks the terminal anything after the start: sizes come with resize events. A frame is
//! the cells that changed, in one write, inside the markers that let a terminal show it at once.
//! Whatever ends the program, [`Terminal`] is dropped or the panic hook runs, and the terminal is as
//! it was.

use std::io::{self, Write};
use std::sync::Once;

use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Alternate screen; pastes marked; focus reported; the wheel as arrow keys (the old setting is
/// kept); keys told apart where the terminal can; no cursor.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?2004h\x1b[?1004h\x1b[?1007s\x1b[?1007h\x1b[>1u\x1b[?25l";
/// The same backwards.
const LEAVE: &[u8] = b"\x1b[<1u\x1b[?1007r\x1b[?1004l\x1b[?2004l\x1b[0m\x1b[?25h\x1b[?1049l";
/// Around a frame: the terminal shows it when it is complete.
const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";

/// The terminal while it is ours.
pub(crate) struct Terminal {
    taken: bool,
}

impl Terminal {
    /// Takes the terminal over.
    pub(crate) fn take() -> io::Result<Self> {
        restore_on_panic();
        let mut terminal = Self { taken: false };
        terminal.retake()?;
        Ok(terminal)
    }

    /// Takes it over again.
    pub(crate) fn retake(&mut self) -> io::Result<()> {
        crossterm::terminal::enable_raw_mode()?;
        self.taken = true;
        write(ENTER)
    }

    /// Gives it back for a while, or for good.
    pub(crate) fn release(&mut self) {
        if std::mem::take(&mut self.taken) {
            restore();
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.release();
    }
}

fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            restore();
            report(info);
        }));
    });
}

/// Gives the terminal back. It may be gone already; then there is nobody to tell.
fn restore() {
    drop(write(LEAVE));
    drop(crossterm::terminal::disable_raw_mode());
}

/// Writes to the terminal past every buffer.
pub(crate) fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// What is on the terminal, and what will be.
pub(crate) struct Screen {
    shown: Buffer,
    next: Buffer,
    cursor: Option<Position>,
    out: Vec<u8>,
    /// What the terminal shows is not known.
    unknown: bool,
}

impl Screen {
    /// A screen of that size of which nothing is known.
    pub(crate) fn new(width: u16, height: u16) -> Self {
        let area = Rect::new(0, 0, width, height);
        Self {
            shown: Buffer::empty(area),
            next: Buffer::empty(area),
            cursor: None,
            out: Vec::new(),
            unknown: true,
        }
    }

    /// The terminal has another size.
    pub(crate) fn resize(&mut self, width: u16, height: u16) {
        let area = Rect::new(0, 0, width, height);
        if *self.shown.area() != area {
            self.shown = Buffer::empty(area);
            self.next = Buffer::empty(area);
            self.unknown = true;
        }
    }

    /// What the terminal shows is not known: the next frame paints everything.
    pub(crate) fn forget(&mut self) {
        self.unknown = true;
    }

    /// Draws a frame, and gives the bytes that turn what is shown into it: none if nothing changed.
    pub(crate) fn frame(
        &mut self,
        draw: impl FnOnce(&mut Buffer) -> Option<Position>,
    ) -> io::Result<&[u8]> {
        self.next.reset();
        let cursor = draw(&mut self.next);
        self.out.clear();
        if self.unknown {
            self.shown.reset();
        }
        let changes = self.shown.diff(&self.next);
        if changes.is_empty() && cursor == self.cursor && !self.unknown {
            return Ok(&[]);
        }
        self.out.extend_from_slice(BEGIN);
        if self.unknown {
            self.out.extend_from_slice(b"\x1b[0m\x1b[H\x1b[J");
        }
        if !changes.is_empty() {
            if self.cursor.is_some() {
                self.out.extend_from_slice(b"\x1b[?25l");
            }
            CrosstermBackend::new(&mut self.out).draw(changes.into_iter())?;
        }
        match cursor {
            Some(Position { x, y }) => {
                write!(self.out, "\x1b[{};{}H\x1b[?25h", y + 1, x + 1)?;
            }
            None => self.out.extend_from_slice(b"\x1b[?25l"),
        }
        self.out.extend_from_slice(END);
        self.cursor = cursor;
        self.unknown = false;
        std::mem::swap(&mut self.shown, &mut self.next);
        Ok(&self.out)
    }
}

#[cfg(test)]
#[path = "term_tests.rs"]
mod tests;
