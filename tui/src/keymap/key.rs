//! A key as the table writes it: `C-x`, `A-Enter`, `S-Tab`, `PageUp`, `?`.

use std::fmt;

/// Which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Code {
    Char(char),
    Enter,
    Escape,
    Tab,
    Backspace,
    Delete,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    Function(u8),
}

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// Which key; shifted characters are their own.
    pub(crate) code: Code,
    /// Control is held.
    pub(crate) ctrl: bool,
    /// Alt is held.
    pub(crate) alt: bool,
    /// Shift is held; never with a character.
    pub(crate) shift: bool,
}

impl Key {
    /// A key alone.
    pub(crate) const fn plain(code: Code) -> Self {
        Self { code, ctrl: false, alt: false, shift: false }
    }

    /// Reads the table's notation.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut key = Self::plain(Code::Enter);
        let mut rest = text;
        while rest.len() > 2 {
            match rest.split_at_checked(2) {
                Some(("C-", after)) => (key.ctrl, rest) = (true, after),
                Some(("A-", after)) => (key.alt, rest) = (true, after),
                Some(("S-", after)) => (key.shift, rest) = (true, after),
                _ => break,
            }
        }
        key.code = code(rest)?;
        Some(key)
    }

    /// The character that it types, if it types one.
    pub(crate) fn types(self) -> Option<char> {
        match self.code {
            Code::Char(c) if !self.ctrl && !self.alt => Some(c),
            _ => None,
        }
    }
}

fn code(name: &str) -> Option<Code> {
    Some(match name {
        "Enter" => Code::Enter,
        "Esc" => Code::Escape,
        "Tab" => Code::Tab,
        "Backspace" => Code::Backspace,
        "Delete" => Code::Delete,
        "Up" => Code::Up,
        "Down" => Code::Down,
        "Left" => Code::Left,
        "Right" => Code::Right,
        "Home" => Code::Home,
        "End" => Code::End,
        "PageUp" => Code::PageUp,
        "PageDown" => Code::PageDown,
        "Space" => Code::Char(' '),
        _ => {
            let mut letters = name.chars();
            match (letters.next()?, letters.as_str()) {
                (c, "") => Code::Char(c),
                ('F', number) => Code::Function(number.parse().ok()?),
                _ => return None,
            }
        }
    })
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (held, mark) in [(self.ctrl, "C-"), (self.alt, "A-"), (self.shift, "S-")] {
            if held {
                f.write_str(mark)?;
            }
        }
        match self.code {
            Code::Char(' ') => f.write_str("Space"),
            Code::Char(c) => write!(f, "{c}"),
            Code::Escape => f.write_str("Esc"),
            Code::Function(number) => write!(f, "F{number}"),
            code => write!(f, "{code:?}"),
        }
    }
}
