//! What a program prints, in bounded memory however much it is.
//!
//! Of each of the two streams the head and the tail are kept, at most [`CAP`] bytes of text, and
//! between them how much was left out. What arrives is shown as it arrives until the head is full;
//! from then on only that there is more, each time it has doubled: a flood must not flood those who
//! watch. All of it goes through a cleaner before anything is left out, what is left out too: a
//! secret may begin there and end in what is kept. Not here: where the bytes come from, and which of
//! them are secrets. The invariant: what is kept and what is shown is clean, and has bounds that do
//! not depend on the program.

use std::collections::VecDeque;

use moltis_core::tool::{Cleaner, Output};

/// Bytes of text that are kept of a stream.
pub(crate) const CAP: usize = 200_000;

/// Bytes that are kept of the beginning, and as many of the end.
const HALF: usize = CAP / 2 - 100;

/// A cut is made at the end of a line where there is one within so many bytes.
const NEAR: usize = 2_000;

/// How much a stream has printed when that is first said.
const FIRST_MARK: u64 = 1_000_000;

/// Takes both streams of a program as they arrive.
pub(crate) struct Collector<'a> {
    output: &'a dyn Output,
    stdout: Stream,
    stderr: Stream,
}

impl<'a> Collector<'a> {
    /// Nothing has come yet; what comes is shown to `output`.
    pub(crate) fn new(output: &'a dyn Output) -> Self {
        let stream = || Stream::new(output.cleaner());
        Self { output, stdout: stream(), stderr: stream() }
    }

    /// More of its standard output.
    pub(crate) fn stdout(&mut self, bytes: &[u8]) {
        self.stdout.take(bytes, self.output);
    }

    /// More of its standard error.
    pub(crate) fn stderr(&mut self, bytes: &[u8]) {
        self.stderr.take(bytes, self.output);
    }

    /// Both, once the program has ended: standard output, standard error.
    pub(crate) fn finish(self) -> (String, String) {
        (self.stdout.finish(self.output), self.stderr.finish(self.output))
    }
}

/// One of the streams.
struct Stream {
    cleaner: Box<dyn Cleaner>,
    head: String,
    /// Text as well, but for the rest of a character at its beginning.
    tail: VecDeque<u8>,
    /// All bytes that came.
    total: u64,
    /// All that were left when it was clean.
    clean: u64,
    /// The beginning of a character, whose end has not come yet.
    partial: Vec<u8>,
    /// The head is full.
    full: bool,
    /// How much must have come before that is said again.
    mark: u64,
}

impl Stream {
    fn new(cleaner: Box<dyn Cleaner>) -> Self {
        Self {
            cleaner,
            head: String::new(),
            tail: VecDeque::new(),
            total: 0,
            clean: 0,
            partial: Vec::new(),
            full: false,
            mark: FIRST_MARK,
        }
    }

    /// Takes what is whole of it; the beginning of a character waits for its end.
    fn take(&mut self, bytes: &[u8], output: &dyn Output) {
        self.total = self.total.saturating_add(bytes.len() as u64);
        self.partial.extend_from_slice(bytes);
        let whole = whole(&self.partial);
        let clean = self.cleaner.push(&String::from_utf8_lossy(&self.partial[..whole]));
        self.partial.drain(..whole);
        self.keep(&clean, output);
        if self.total >= self.mark {
            output.push(&format!("… {} MB so far\n", self.total / 1_000_000));
            self.mark = self.total.saturating_mul(2);
        }
    }

    fn keep(&mut self, text: &str, output: &dyn Output) {
        self.clean = self.clean.saturating_add(text.len() as u64);
        let mut rest = text;
        if !self.full {
            let room = HALF - self.head.len();
            let (first, after) = text.split_at(text.floor_char_boundary(room));
            if !first.is_empty() {
                self.head.push_str(first);
                output.push(first);
            }
            if text.len() >= room {
                self.full = true;
                output.push("\n… more than can be shown; its end follows when it is over\n");
            }
            rest = after;
        }
        let rest = &rest.as_bytes()[rest.len().saturating_sub(HALF)..];
        let excess = (self.tail.len() + rest.len()).saturating_sub(HALF);
        self.tail.drain(..excess);
        self.tail.extend(rest);
    }

    /// Takes what waited in vain; head and tail with what was left out named between them.
    fn finish(mut self, output: &dyn Output) -> String {
        let partial = std::mem::take(&mut self.partial);
        let last = self.cleaner.push(&String::from_utf8_lossy(&partial)) + &self.cleaner.rest();
        self.keep(&last, output);
        let left_out = self.clean - (self.head.len() + self.tail.len()) as u64;
        let tail = self.tail.make_contiguous();
        if left_out == 0 {
            return self.head + &String::from_utf8_lossy(tail);
        }
        let begins = tail.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count();
        let tail = String::from_utf8_lossy(&tail[begins..]);
        joined(&self.head, &tail, left_out.saturating_add(begins as u64))
    }
}

/// The beginning of one text and the end of another, each cut at a line where one is near.
fn joined(head: &str, tail: &str, left_out: u64) -> String {
    let end = match head.rfind('\n') {
        Some(line) if head.len() - line <= NEAR => line + 1,
        _ => head.len(),
    };
    let begin = match tail.find('\n') {
        Some(line) if line < NEAR => line + 1,
        _ => 0,
    };
    let left_out = left_out.saturating_add((head.len() - end + begin) as u64);
    let gap = if head[..end].ends_with('\n') { "" } else { "\n" };
    format!("{}{gap}… {left_out} bytes left out …\n{}", &head[..end], &tail[begin..])
}

/// How many of these bytes end with a whole character, or with something that is none.
fn whole(bytes: &[u8]) -> usize {
    match std::str::from_utf8(&bytes[bytes.len().saturating_sub(4)..]) {
        Ok(_) => bytes.len(),
        Err(_) => {
            let tail = bytes.iter().rev().take(4);
            let lead = tail.enumerate().find(|(_, byte)| **byte & 0xC0 != 0x80);
            match lead {
                Some((behind, lead)) if behind + 1 < width(*lead) => bytes.len() - behind - 1,
                _ => bytes.len(),
            }
        }
    }
}

/// Bytes of the character that this one begins.
fn width(lead: u8) -> usize {
    match lead {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => 1,
    }
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
