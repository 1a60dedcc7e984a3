//! The one door from foreign text to the screen.
//!
//! Text of models, tools, the daemon and the clipboard may hold escape sequences that move the
//! cursor, set the clipboard or the title, or turn the reading direction around. [`SafeText`] can
//! only be made by taking them out: no C0 but newline and tab, no escape sequence, no C1, no DEL, no
//! bidirectional control, no tag character, no private character that the composer uses for itself.
//! Cutting the input anywhere gives the same result: [`Cleaner`] keeps its place between pieces.

use std::ops::Deref;

/// How much of a control string is swallowed before it is taken for text again.
const STRING_LIMIT: u16 = 4_096;
/// How many bytes of parameters a control sequence may have.
const SEQUENCE_LIMIT: u16 = 64;

/// Text without anything that a terminal would obey.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SafeText(String);

impl SafeText {
    /// Takes everything out that a terminal would obey.
    pub(crate) fn clean(raw: &str) -> Self {
        if is_plain(raw) {
            return Self(raw.to_owned());
        }
        let mut text = Self::default();
        Cleaner::default().push(raw, &mut text);
        text
    }

    /// The same, on one line: newlines and tabs become spaces.
    pub(crate) fn one_line(raw: &str) -> Self {
        let mut text = Self::clean(raw);
        if text.0.contains(['\n', '\t']) {
            text.0 = text.0.replace(['\n', '\t'], " ");
        }
        text
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for SafeText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for SafeText {
    fn from(raw: &str) -> Self {
        Self::clean(raw)
    }
}

impl From<String> for SafeText {
    fn from(raw: String) -> Self {
        if is_plain(&raw) { Self(raw) } else { Self::clean(&raw) }
    }
}

/// The cleaning of a text that arrives in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cleaner {
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    /// A carriage return was given as a newline; a line feed right after it is the same one.
    Return,
    Escape,
    /// Between an escape and its final byte (`ESC ( B`).
    Intermediate,
    /// Inside `CSI …`, with the number of bytes so far.
    Sequence(u16),
    /// Inside `OSC …` and the like, with the number of characters so far.
    Text(u16),
    /// An escape inside of one: perhaps its end.
    TextEscape(u16),
}

impl Cleaner {
    /// Appends what is left of `raw` to `text`.
    pub(crate) fn push(&mut self, raw: &str, text: &mut SafeText) {
        if self.state == State::Ground && is_plain(raw) {
            text.0.push_str(raw);
            return;
        }
        for c in raw.chars() {
            self.state = self.step(c, &mut text.0);
        }
    }

    fn step(self, c: char, out: &mut String) -> State {
        match self.state {
            State::Return if c == '\n' => State::Ground,
            State::Ground | State::Return => ground(c, out),
            State::Escape => match c {
                '[' => State::Sequence(0),
                ']' | 'P' | 'X' | '^' | '_' => State::Text(0),
                ' '..='/' => State::Intermediate,
                '0'..='~' => State::Ground,
                _ => ground(c, out),
            },
            State::Intermediate => match c {
                ' '..='/' => State::Intermediate,
                '0'..='~' => State::Ground,
                _ => ground(c, out),
            },
            State::Sequence(count) => match c {
                '@'..='~' => State::Ground,
                ' '..='?' if count < SEQUENCE_LIMIT => State::Sequence(count + 1),
                _ => ground(c, out),
            },
            State::Text(count) => match c {
                '\u{7}' | '\u{9c}' => State::Ground,
                '\u{1b}' => State::TextEscape(count),
                '\n' | '\r' => ground(c, out),
                _ if count >= STRING_LIMIT => ground(c, out),
                _ => State::Text(count + 1),
            },
            State::TextEscape(count) => match c {
                '\\' => State::Ground,
                '\u{1b}' => State::TextEscape(count),
                _ => Self { state: State::Escape }.step(c, out),
            },
        }
    }
}

fn ground(c: char, out: &mut String) -> State {
    match c {
        '\u{1b}' => return State::Escape,
        '\u{9b}' => return State::Sequence(0),
        '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => return State::Text(0),
        '\r' => {
            out.push('\n');
            return State::Return;
        }
        '\u{2028}' | '\u{2029}' => out.push('\n'),
        c if is_allowed(c) => out.push(c),
        _ => {}
    }
    State::Ground
}

/// Whether a character may reach a cell as it is.
pub(crate) fn is_allowed(c: char) -> bool {
    match c {
        '\n' | '\t' => true,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => false,
        // Marks that turn or isolate the reading direction, and invisible separators.
        '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' => false,
        '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' => false,
        // Tags, and the private plane of which the composer makes its chips.
        '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}' => false,
        _ => true,
    }
}

fn is_plain(raw: &str) -> bool {
    raw.bytes().all(|b| (b' '..0x7f).contains(&b) || b == b'\n' || b == b'\t')
        || raw.chars().all(is_allowed)
}

#[cfg(test)]
#[path = "safe_tests.rs"]
mod tests;
