//! SentencePiece's byte-pair encoding, as Llama 2 and Gemma use it.
//!
//! The text is cut into characters; then the neighboring pair whose union has the best score in the
//! vocabulary is joined, the leftmost among equals, until no union is known. What is left unknown is
//! written byte by byte.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

use crate::error::{Error, Result};
use crate::gguf::Strings;

/// How SentencePiece writes a space.
pub(super) const SPACE: char = '▁';

/// A vocabulary with scores.
#[derive(Debug)]
pub(crate) struct Spm {
    pieces: HashMap<Box<str>, Entry>,
    /// The token of each byte, where there is one.
    bytes: Vec<Option<u32>>,
    unknown: Option<u32>,
    /// Whether a space is put before each text.
    prefix: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: u32,
    score: f32,
}

/// A piece of the text; `length` 0 is one that was joined to its left neighbor.
#[derive(Clone, Copy)]
struct Symbol {
    start: usize,
    length: usize,
    previous: Option<usize>,
    next: Option<usize>,
}

/// A union that may be made, if both of its halves are still what they were.
#[derive(PartialEq)]
struct Union {
    score: f32,
    left: usize,
    right: usize,
    length: usize,
}

impl Eq for Union {}

impl PartialOrd for Union {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Union {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.left.cmp(&self.left))
    }
}

impl Spm {
    /// A vocabulary; `kinds` are GGUF's numbers for kinds of tokens.
    pub(crate) fn new(
        tokens: &Strings,
        scores: &[f32],
        unknown: Option<u32>,
        prefix: bool,
    ) -> Result<Self> {
        if scores.len() != tokens.len() {
            return Err(Error::malformed("the vocabulary and its scores differ in length"));
        }
        let mut pieces = HashMap::with_capacity(tokens.len());
        let mut bytes = vec![None; 256];
        for (id, (token, score)) in (0..).zip(tokens.iter().zip(scores)) {
            if let Some(byte) = byte_of(token) {
                bytes[usize::from(byte)] = Some(id);
            }
            pieces.entry(token.into()).or_insert(Entry { id, score: *score });
        }
        Ok(Self { pieces, bytes, unknown, prefix })
    }

    /// Cuts text into tokens.
    pub(crate) fn encode(&self, text: &str, out: &mut Vec<u32>) {
        let mut spaced = String::with_capacity(text.len() + 2);
        if self.prefix {
            spaced.push(SPACE);
        }
        spaced.extend(text.chars().map(|c| if c == ' ' { SPACE } else { c }));
        for symbol in self.join(&spaced) {
            let piece = &spaced[symbol.start..symbol.start + symbol.length];
            match self.pieces.get(piece) {
                Some(entry) => out.push(entry.id),
                None => out.extend(
                    piece.bytes().filter_map(|b| self.bytes[usize::from(b)].or(self.unknown)),
                ),
            }
        }
    }

    fn join(&self, text: &str) -> Vec<Symbol> {
        let mut symbols: Vec<Symbol> = text
            .char_indices()
            .enumerate()
            .map(|(index, (start, c))| Symbol {
                start,
                length: c.len_utf8(),
                previous: index.checked_sub(1),
                next: Some(index + 1),
            })
            .collect();
        if let Some(last) = symbols.last_mut() {
            last.next = None;
        }
        let mut unions = BinaryHeap::new();
        for right in 1..symbols.len() {
            self.consider(text, &symbols, Some(right - 1), Some(right), &mut unions);
        }
        while let Some(union) = unions.pop() {
            let (left, right) = (symbols[union.left], symbols[union.right]);
            let stale = left.length == 0 || right.length == 0;
            if stale || left.length + right.length != union.length {
                continue;
            }
            symbols[union.left].length = union.length;
            symbols[union.left].next = right.next;
            symbols[union.right].length = 0;
            if let Some(next) = right.next {
                symbols[next].previous = Some(union.left);
            }
            self.consider(text, &symbols, left.previous, Some(union.left), &mut unions);
            self.consider(text, &symbols, Some(union.left), right.next, &mut unions);
        }
        symbols.retain(|symbol| symbol.length > 0);
        symbols
    }

    fn consider(
        &self,
        text: &str,
        symbols: &[Symbol],
        left: Option<usize>,
        right: Option<usize>,
        unions: &mut BinaryHeap<Union>,
    ) {
        let (Some(left), Some(right)) = (left, right) else { return };
        let start = symbols[left].start;
        let length = symbols[left].length + symbols[right].length;
        if let Some(entry) = self.pieces.get(&text[start..start + length]) {
            unions.push(Union { score: entry.score, left, right, length });
        }
    }
}

/// The byte that a token such as `<0x0A>` stands for.
pub(super) fn byte_of(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() == 2 { u8::from_str_radix(digits, 16).ok() } else { None }
}

#[cfg(test)]
#[path = "spm_tests.rs"]
mod tests;
