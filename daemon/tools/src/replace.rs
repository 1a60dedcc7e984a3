//! Replacing a text in a file by what a model says is there.
//!
//! A model sees line ends as `\n` and often writes straight quotes where a file has curved ones.
//! Where its text is not found as it is, it is looked for again with both alike; then only what
//! differs between old and new is replaced, so the file keeps its own ends and quotes.
//!
//! Not here: files. The invariants: what is not part of a found place stays byte for byte; a file
//! whose lines end in `\r\n` gets no other line ends; nothing is guessed: a text that is found twice
//! is an error.

use std::borrow::Cow;
use std::ops::Range;

/// Lines that are named when a text is found in several places.
const NAMED: usize = 5;

/// What is to be replaced.
#[derive(Clone, Copy, Debug)]
pub struct Edit<'a> {
    /// What is there.
    pub old: &'a str,
    /// What is to be there.
    pub new: &'a str,
    /// Everywhere that it is found; otherwise it must be found once.
    pub all: bool,
}

/// A text after an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// All of it.
    pub text: String,
    /// How many places were replaced.
    pub places: usize,
    /// It was found only with line ends and quotes taken alike.
    pub alike: bool,
}

/// Why an edit can not be made, for the model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// There is nothing to look for.
    #[error("the old text is empty: to make a file or give it all new content, use `write`")]
    Empty,
    /// There is nothing to do.
    #[error("the old and the new text are the same")]
    Same,
    /// It is not there.
    #[error(
        "the old text is not in the file: read the file again and copy it exactly, without line numbers"
    )]
    Missing,
    /// It is there several times.
    #[error(
        "the old text is in the file {places} times, at lines {lines}: give more of what is around it, or set replace_all"
    )]
    Several {
        /// How often.
        places: usize,
        /// The first of the lines.
        lines: String,
    },
}

/// Makes an edit.
///
/// # Errors
/// Where the old text is not found, or not clearly.
pub fn replace(text: &str, edit: Edit<'_>) -> Result<Edited, Mismatch> {
    if edit.old.is_empty() {
        return Err(Mismatch::Empty);
    }
    if edit.old == edit.new {
        return Err(Mismatch::Same);
    }
    let crlf = has_crlf(text);
    let exact = places(text, edit.old);
    if !exact.is_empty() {
        let spans = clear(text, &exact, edit.all)?;
        return Ok(Edited {
            text: put(text, &spans, &ends(edit.new, crlf)),
            places: spans.len(),
            alike: false,
        });
    }
    let (plain, old, new) = (Plain::of(text), Plain::of(edit.old), Plain::of(edit.new));
    let found = places(&plain.text, &old.text);
    if found.is_empty() {
        return Err(Mismatch::Missing);
    }
    if old.text == new.text {
        // Only ends or quotes differ, and those are what the edit is about.
        let spans: Vec<Range<usize>> = found.iter().map(|span| plain.original(span)).collect();
        let spans = clear(text, &spans, edit.all)?;
        return Ok(Edited {
            text: put(text, &spans, &ends(edit.new, crlf)),
            places: spans.len(),
            alike: true,
        });
    }
    let (head, tail) = shared(&old.text, &new.text);
    let inner = |span: &Range<usize>| plain.original(&(span.start + head..span.end - tail));
    let whole: Vec<Range<usize>> = found.iter().map(|span| plain.original(span)).collect();
    clear(text, &whole, edit.all)?;
    let spans: Vec<Range<usize>> = disjoint(&found).iter().map(inner).collect();
    let middle = &edit.new[new.original(&(head..new.text.len() - tail))];
    Ok(Edited { text: put(text, &spans, &ends(middle, crlf)), places: spans.len(), alike: true })
}

/// Where a text is found, places that overlap included.
fn places(text: &str, old: &str) -> Vec<Range<usize>> {
    let step = old.chars().next().map_or(1, char::len_utf8);
    let (mut found, mut from) = (Vec::new(), 0);
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(old)) {
        let start = from + at;
        found.push(start..start + old.len());
        from = start + step;
    }
    found
}

/// The places to replace: one, or all that do not overlap.
fn clear(text: &str, found: &[Range<usize>], all: bool) -> Result<Vec<Range<usize>>, Mismatch> {
    if found.len() > 1 && !all {
        let line = |span: &Range<usize>| 1 + text[..span.start].matches('\n').count();
        let lines: Vec<String> =
            found.iter().take(NAMED).map(|span| line(span).to_string()).collect();
        let more = if found.len() > NAMED { ", …" } else { "" };
        let lines = format!("{}{more}", lines.join(", "));
        return Err(Mismatch::Several { places: found.len(), lines });
    }
    Ok(disjoint(found))
}

fn disjoint(found: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut free = 0;
    let keep = |span: &&Range<usize>| {
        let fits = span.start >= free;
        if fits {
            free = span.end;
        }
        fits
    };
    found.iter().filter(keep).cloned().collect()
}

fn put(text: &str, spans: &[Range<usize>], new: &str) -> String {
    let mut out = String::with_capacity(text.len() + spans.len() * new.len());
    let mut from = 0;
    for span in spans {
        out.push_str(&text[from..span.start]);
        out.push_str(new);
        from = span.end;
    }
    out.push_str(&text[from..]);
    out
}

/// Whether most lines end in `\r\n`.
fn has_crlf(text: &str) -> bool {
    2 * text.matches("\r\n").count() > text.matches('\n').count()
}

/// A new text with the line ends of the file.
fn ends(new: &str, crlf: bool) -> Cow<'_, str> {
    if crlf && new.contains('\n') {
        Cow::Owned(new.replace("\r\n", "\n").replace('\n', "\r\n"))
    } else {
        Cow::Borrowed(new)
    }
}

/// Bytes that two texts share at their beginnings and, beyond that, at their ends.
fn shared(old: &str, new: &str) -> (usize, usize) {
    let alike = |(a, b): &(char, char)| a == b;
    let pairs = old.chars().zip(new.chars());
    let head: usize = pairs.take_while(alike).map(|(letter, _)| letter.len_utf8()).sum();
    let (old, new) = (&old[head..], &new[head..]);
    let pairs = old.chars().rev().zip(new.chars().rev());
    (head, pairs.take_while(alike).map(|(letter, _)| letter.len_utf8()).sum())
}

/// A text with line ends and quotes made alike, and where its pieces came from.
struct Plain {
    text: String,
    /// After these offsets the two texts run in step again: (here, in the original).
    steps: Vec<(usize, usize)>,
}

impl Plain {
    fn of(original: &str) -> Self {
        let mut plain = Self { text: String::with_capacity(original.len()), steps: vec![(0, 0)] };
        let mut letters = original.char_indices().peekable();
        while let Some((at, letter)) = letters.next() {
            let alike = match letter {
                '\r' if letters.peek().is_some_and(|(_, next)| *next == '\n') => {
                    letters.next();
                    plain.text.push('\n');
                    plain.steps.push((plain.text.len(), at + 2));
                    continue;
                }
                '\u{2018}'..='\u{201b}' => '\'',
                '\u{201c}'..='\u{201f}' => '"',
                '\u{a0}' => ' ',
                other => other,
            };
            plain.text.push(alike);
            if alike != letter {
                plain.steps.push((plain.text.len(), at + letter.len_utf8()));
            }
        }
        plain
    }

    fn original(&self, span: &Range<usize>) -> Range<usize> {
        self.offset(span.start)..self.offset(span.end)
    }

    fn offset(&self, here: usize) -> usize {
        let after = self.steps.partition_point(|(step, _)| *step <= here);
        let (step, original) = self.steps.get(after.saturating_sub(1)).copied().unwrap_or_default();
        original + (here - step)
    }
}

#[cfg(test)]
#[path = "replace_tests.rs"]
mod tests;
