//! How text becomes the words that searches find.
//!
//! A word is a run of letters and digits in lower case, diacritics kept; scripts that are written
//! without spaces give one word per character. Changing this needs a new [`VERSION`], which has
//! the index made anew.

use std::ops::Range;

/// The version of the word splitting.
pub(crate) const VERSION: u64 = 1;

/// Words are cut to this many bytes, in the index and in queries alike.
const MAX_WORD: usize = 48;

/// A word and where it stands in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) place: Range<usize>,
}

/// The words of a text in order, at most `limit`.
pub(crate) fn words(text: &str, limit: usize) -> Vec<Word> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices() {
        if words.len() >= limit {
            break;
        }
        let alone = stands_alone(c);
        if (alone || !belongs_to_word(c, start.is_some()))
            && let Some(start) = start.take()
        {
            words.push(word(text, start..at));
        }
        if alone {
            words.push(word(text, at..at + c.len_utf8()));
        } else if start.is_none() && belongs_to_word(c, false) {
            start = Some(at);
        }
    }
    if let Some(start) = start {
        words.push(word(text, start..text.len()));
    }
    words.truncate(limit);
    words
}

fn word(text: &str, place: Range<usize>) -> Word {
    let mut lower = String::new();
    for c in text.get(place.clone()).unwrap_or_default().chars().flat_map(char::to_lowercase) {
        if lower.len() + c.len_utf8() > MAX_WORD {
            break;
        }
        lower.push(c);
    }
    Word { text: lower, place }
}

fn belongs_to_word(c: char, inside: bool) -> bool {
    // A combining mark belongs to the letter before it.
    c.is_alphanumeric() || (inside && matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}'))
}

/// Han, Hiragana, Katakana and the scripts of South-East Asia that put no spaces between words.
fn stands_alone(c: char) -> bool {
    matches!(c,
        '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3134f}'
        | '\u{e01}'..='\u{e2e}' | '\u{e40}'..='\u{e46}' | '\u{e81}'..='\u{eae}'
        | '\u{1780}'..='\u{17b3}' | '\u{1000}'..='\u{102a}')
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
