//! Decoders of whole texts: as it is, hexadecimal, base64.
//!
//! Where data begins in a text is not known, so each of its alignments is decoded: two for
//! hexadecimal, four for base64. What dumps and mails put between digits is seen through. The
//! invariant: each alignment's bytes follow one another as they would in the data.

use super::needles::{Match, Needles, Span, Trail};

/// Spaces and line breaks in a row that are seen through: a break, and the indentation of a block.
const GAP: u8 = 16;

/// Every decoding of a text.
#[derive(Clone, Default)]
pub(super) struct Encodings {
    plain: Trail,
    hex: Hex,
    base64: Base64,
}

impl Encodings {
    pub(super) fn push(
        &mut self,
        needles: &Needles,
        byte: u8,
        span: Span,
        matches: &mut Vec<Match>,
    ) {
        self.plain.push(needles, byte, span, matches);
        self.hex.push(needles, byte, span, matches);
        self.base64.push(needles, byte, span, matches);
    }

    /// Where what may become a secret begins.
    pub(super) fn begins(&self, needles: &Needles) -> Option<u64> {
        let all = [self.plain.begins(), self.hex.begins(needles), self.base64.begins(needles)];
        all.into_iter().flatten().min()
    }

    /// Whether this finds from here on what the other does.
    pub(super) fn goes_on_as(&self, other: &Self, needles: &Needles) -> bool {
        self.hex.digits.last == other.hex.digits.last
            && self.base64.digits.last == other.base64.digits.last
            && self.begins(needles).is_none()
            && other.begins(needles).is_none()
    }
}

/// Digits that were read of a text, whatever their number is a power of.
#[derive(Clone, Default)]
struct Digits {
    /// The last one, and where it begins.
    last: Option<(u8, u64)>,
    /// How many there were, modulo 4.
    count: u8,
    /// What was seen through since.
    gap: u8,
}

impl Digits {
    /// Takes one; gives the one before and how many there were before this one.
    fn push(&mut self, digit: u8, start: u64) -> (Option<(u8, u64)>, u8) {
        let before = (self.last.replace((digit, start)), self.count);
        self.count = (self.count + 1) % 4;
        self.gap = 0;
        before
    }

    /// Sees through something that stands between digits, unless it is too much.
    fn see_through(&mut self) -> bool {
        self.gap += 1;
        self.gap <= GAP
    }
}

/// Hexadecimal digits of either case.
#[derive(Clone, Default)]
struct Hex {
    digits: Digits,
    trails: [Trail; 2],
}

impl Hex {
    fn push(&mut self, needles: &Needles, byte: u8, span: Span, matches: &mut Vec<Match>) {
        let Some(low) = hex_digit(byte) else {
            let between = matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b':' | b'-' | b',');
            if self.digits.last.is_some() && !(between && self.digits.see_through()) {
                *self = Self::default();
            }
            return;
        };
        if let (Some((high, start)), count) = self.digits.push(low, span.start) {
            let span = Span { start, ..span };
            self.trails[usize::from(count % 2)].push(needles, (high << 4) | low, span, matches);
        }
    }

    fn begins(&self, needles: &Needles) -> Option<u64> {
        let last = self.digits.last.filter(|(digit, _)| needles.begins_with_nibble(*digit));
        let trails = self.trails.iter().filter_map(Trail::begins);
        trails.chain(last.map(|(_, start)| start)).min()
    }
}

/// Digits of base64, of the standard alphabet and the one for URLs.
#[derive(Clone, Default)]
struct Base64 {
    digits: Digits,
    /// One for each place of a group at which the first digit may have stood.
    trails: [Trail; 4],
}

impl Base64 {
    fn push(&mut self, needles: &Needles, byte: u8, span: Span, matches: &mut Vec<Match>) {
        let Some(digit) = base64_digit(byte) else {
            let between = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
            if self.digits.last.is_some() && !(between && self.digits.see_through()) {
                *self = Self::default();
            }
            return;
        };
        let (Some((before, start)), count) = self.digits.push(digit, span.start) else { return };
        for (phase, trail) in (0_u8..).zip(&mut self.trails) {
            let (byte, start) = match (count + 4 - phase) % 4 {
                // The first digit of a group completes no byte.
                0 => continue,
                1 => ((before << 2) | (digit >> 4), start),
                2 => ((before << 4) | (digit >> 2), start),
                // Of the digit before, two bits belong here, and tell nothing: as text the first
                // byte has next to no choice of them.
                _ => ((before << 6) | digit, span.start),
            };
            trail.push(needles, byte, Span { start, ..span }, matches);
        }
    }

    fn begins(&self, needles: &Needles) -> Option<u64> {
        let last = self.digits.last.filter(|(digit, _)| needles.begins_with_sextet(*digit));
        let trails = self.trails.iter().filter_map(Trail::begins);
        trails.chain(last.map(|(_, start)| start)).min()
    }
}

/// The value of a hexadecimal digit.
pub(super) fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn base64_digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}
