//! Control tokens: found in rendered templates, never in what people write.

use std::collections::HashMap;

/// Stands between the first character of what looks like a control token and the rest, so that
/// it is none. A private-use character that no model knows; it never reaches the model.
const ARMOR: char = '\u{E0F0}';

/// A piece of a rendered prompt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// To be tokenized.
    Text(&'a str),
    /// A token as it is.
    Token(u32),
}

/// Tokens that are written as themselves.
#[derive(Debug, Default)]
pub(crate) struct Specials {
    tokens: HashMap<Box<str>, Special>,
    /// For each first byte the lengths that occur, longest first.
    lengths: HashMap<u8, Vec<usize>>,
}

#[derive(Clone, Copy, Debug)]
struct Special {
    id: u32,
    /// Steers the model; anything else is a token that is merely never cut.
    control: bool,
}

impl Specials {
    /// Adds a token; empty ones are none.
    pub(crate) fn add(&mut self, text: &str, id: u32, control: bool) {
        let Some(first) = text.as_bytes().first() else { return };
        self.tokens.insert(text.into(), Special { id, control });
        let lengths = self.lengths.entry(*first).or_default();
        if let Err(place) = lengths.binary_search_by(|length| text.len().cmp(length)) {
            lengths.insert(place, text.len());
        }
    }

    /// The token that is written so.
    pub(crate) fn find(&self, text: &str) -> Option<u32> {
        self.tokens.get(text).map(|special| special.id)
    }

    /// Makes what looks like a control token in a person's words plain text.
    pub(crate) fn armor(&self, text: &str) -> String {
        // First of all: a token must not appear when the armor is taken off.
        let text = disarm(text);
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            let (head, tail) = rest.split_at(first.len_utf8());
            out.push_str(head);
            if self.at_start(rest).is_some_and(|(_, special)| special.control) {
                out.push(ARMOR);
            }
            rest = tail;
        }
        out
    }

    /// Cuts a rendered prompt at its control tokens.
    pub(crate) fn split<'a>(&self, text: &'a str) -> Vec<Piece<'a>> {
        let mut pieces = Vec::new();
        let mut start = 0;
        let mut at = 0;
        while let Some(rest) = text.get(at..) {
            let Some(first) = rest.chars().next() else { break };
            match self.at_start(rest) {
                Some((length, special)) => {
                    if start < at {
                        pieces.push(Piece::Text(&text[start..at]));
                    }
                    pieces.push(Piece::Token(special.id));
                    at += length;
                    start = at;
                }
                None => at += first.len_utf8(),
            }
        }
        if start < text.len() {
            pieces.push(Piece::Text(&text[start..]));
        }
        pieces
    }

    fn at_start(&self, text: &str) -> Option<(usize, Special)> {
        let lengths = self.lengths.get(text.as_bytes().first()?)?;
        lengths.iter().find_map(|length| {
            let special = self.tokens.get(text.get(..*length)?)?;
            Some((*length, *special))
        })
    }
}

/// Takes the armor off again, once the control tokens are found.
pub(crate) fn disarm(text: &str) -> String {
    text.replace(ARMOR, "")
}

#[cfg(test)]
#[path = "special_tests.rs"]
mod tests;
