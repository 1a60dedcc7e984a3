//! Decoders of single bytes in a text: `%4a` of URLs, `\x4a`, `\u004a`, `\112`, `\n` and `\"` of JSON,
//! shells and programming languages.
//!
//! Each gives its bytes to decoders of its own, as base64 in a URL or in JSON is escaped as well. What
//! only looks like the beginning of an escape is text. The invariant: what is read is given on,
//! decoded or as it is, exactly once and in order. Where nothing is escaped that would be what
//! the text as it is gives already: a way of escaping sleeps until one of its own begins.

use super::encoding::{Encodings, hex_digit};
use super::needles::{Match, Needles, Span};

/// How bytes are escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// `%4a`.
    Percent,
    /// The same, and `+` for a space.
    Form,
    /// `\x4a` and its kin.
    Backslash,
}

impl Way {
    /// Whether an escape may begin with this byte.
    fn begins(self, byte: u8) -> bool {
        match self {
            Self::Percent | Self::Form => byte == b'%',
            Self::Backslash => byte == b'\\',
        }
    }

    /// Whether this byte may mean something else than itself.
    fn changes(self, byte: u8) -> bool {
        self.begins(byte) || (self == Self::Form && byte == b'+')
    }
}

/// What the beginning of an escape turns out to be.
enum Reading {
    /// More is needed to know.
    More,
    /// These bytes, so many of them.
    Bytes([u8; 4], usize),
    /// None.
    None,
}

/// A text as one way of escaping reads it.
pub(super) struct Layer {
    way: Way,
    /// It reads otherwise than the text as it is.
    awake: bool,
    /// What may be an escape, and where each of its bytes stands.
    pending: Vec<(u8, u64)>,
    encodings: Encodings,
}

impl Layer {
    /// One for each way that these secrets may be escaped.
    pub(super) fn all(needles: &Needles) -> Vec<Self> {
        let ways = [Way::Percent, Way::Form, Way::Backslash];
        let ways = ways.into_iter().filter(|way| *way != Way::Form || needles.have_spaces());
        let layer =
            |way| Self { way, awake: false, pending: Vec::new(), encodings: Encodings::default() };
        ways.map(layer).collect()
    }

    /// Takes the next byte of the text and where it stands. `plain` is what was read before, as it is.
    pub(super) fn push(
        &mut self,
        needles: &Needles,
        byte: u8,
        at: u64,
        plain: &Encodings,
        matches: &mut Vec<Match>,
    ) {
        if !self.awake {
            if !self.way.changes(byte) {
                return;
            }
            self.awake = true;
            self.encodings.clone_from(plain);
        }
        self.read(needles, byte, at, matches);
    }

    /// Sleeps again if it would go on as the text as it is does.
    pub(super) fn rest(&mut self, needles: &Needles, plain: &Encodings) {
        if self.awake && self.pending.is_empty() && self.encodings.goes_on_as(plain, needles) {
            self.awake = false;
        }
    }

    fn read(&mut self, needles: &Needles, byte: u8, at: u64, matches: &mut Vec<Match>) {
        if self.pending.is_empty() && !self.way.begins(byte) {
            let byte = if self.way == Way::Form && byte == b'+' { b' ' } else { byte };
            self.encodings.push(needles, byte, Span { start: at, end: at + 1 }, matches);
            return;
        }
        self.pending.push((byte, at));
        match self.reading() {
            Reading::More => {}
            Reading::Bytes(bytes, count) => {
                let start = self.pending.first().map_or(at, |(_, start)| *start);
                self.pending.clear();
                for byte in bytes.into_iter().take(count) {
                    self.encodings.push(needles, byte, Span { start, end: at + 1 }, matches);
                }
            }
            Reading::None => self.give_up(needles, matches),
        }
    }

    /// The text is over.
    pub(super) fn end(&mut self, needles: &Needles, matches: &mut Vec<Match>) {
        while !self.pending.is_empty() {
            self.give_up(needles, matches);
        }
    }

    /// The first of what is pending is no escape; what follows it may be one.
    fn give_up(&mut self, needles: &Needles, matches: &mut Vec<Match>) {
        let pending = std::mem::take(&mut self.pending);
        if let Some((&(byte, at), rest)) = pending.split_first() {
            self.encodings.push(needles, byte, Span { start: at, end: at + 1 }, matches);
            for &(byte, at) in rest {
                self.read(needles, byte, at, matches);
            }
        }
    }

    /// Where what may become a secret begins.
    pub(super) fn begins(&self, needles: &Needles) -> Option<u64> {
        if !self.awake {
            return None;
        }
        let pending = self.pending.first().map(|(_, at)| *at);
        pending.into_iter().chain(self.encodings.begins(needles)).min()
    }

    fn reading(&self) -> Reading {
        let mut bytes = [0; 12];
        for (byte, (pending, _)) in bytes.iter_mut().zip(&self.pending) {
            *byte = *pending;
        }
        let bytes = &bytes[..self.pending.len().min(bytes.len())];
        match self.way {
            Way::Percent | Way::Form => number(&bytes[1..], 2, 16, byte),
            Way::Backslash => backslash(&bytes[1..]),
        }
    }
}

/// What stands after a backslash.
fn backslash(after: &[u8]) -> Reading {
    let Some((&kind, digits)) = after.split_first() else { return Reading::More };
    let one = |byte| Reading::Bytes([byte, 0, 0, 0], 1);
    match kind {
        b'x' => number(digits, 2, 16, byte),
        b'u' => utf16(digits),
        b'U' => number(digits, 8, 16, character),
        b'0'..=b'7' => number(after, 3, 8, byte),
        b'n' => one(b'\n'),
        b'r' => one(b'\r'),
        b't' => one(b'\t'),
        // Quotes, the backslash itself, and what shells escape.
        b' ' => one(b' '),
        kind if kind.is_ascii_punctuation() => one(kind),
        _ => Reading::None,
    }
}

/// `004a`, or the two halves of a character: `d83d\ude00`.
fn utf16(digits: &[u8]) -> Reading {
    let (first, rest) = digits.split_at(digits.len().min(4));
    let mut high = 0;
    let half = |value| {
        high = value;
        character(value)
    };
    match number(first, 4, 16, half) {
        Reading::None if (0xd800..0xdc00).contains(&high) => {}
        known => return known,
    }
    match rest {
        [] | [b'\\'] => Reading::More,
        [b'\\', b'u', low @ ..] => number(low, 4, 16, |low| match low {
            0xdc00..0xe000 => character(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)),
            _ => Reading::None,
        }),
        _ => Reading::None,
    }
}

/// A number of so many digits, and what it means.
fn number(digits: &[u8], count: usize, base: u32, meaning: impl FnOnce(u32) -> Reading) -> Reading {
    let mut value = 0_u32;
    for digit in digits {
        match hex_digit(*digit).map(u32::from).filter(|digit| *digit < base) {
            Some(digit) => value = value.wrapping_mul(base).wrapping_add(digit),
            None => return Reading::None,
        }
    }
    if digits.len() < count { Reading::More } else { meaning(value) }
}

fn byte(value: u32) -> Reading {
    u8::try_from(value).map_or(Reading::None, |byte| Reading::Bytes([byte, 0, 0, 0], 1))
}

fn character(value: u32) -> Reading {
    let Some(character) = char::from_u32(value) else { return Reading::None };
    let mut bytes = [0; 4];
    let count = character.encode_utf8(&mut bytes).len();
    Reading::Bytes(bytes, count)
}
