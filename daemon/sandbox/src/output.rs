//! What a program prints, in bounded memory however much it is.
//!
//! Of each of the two streams the head and the tail are kept, at most [`CAP`] bytes of text, and
//! between them how much was left out. What arrives is shown as it arrives until the head is full;
//! from then on only that there is more, each time it has doubled: a flood must not flood those who
//! watch. Not here: where the bytes come from, and which of them are secrets. The invariant: what is
//! kept and what is shown have bounds that do not depend on the program.

use std::collections::VecDeque;

use moltis_core::tool::Output;

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
        Self { output, stdout: Stream::new(), stderr: Stream::new() }
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
    pub(crate) fn finish(mut self) -> (String, String) {
        self.stdout.flush(self.output);
        self.stderr.flush(self.output);
        (self.stdout.text(), self.stderr.text())
    }
}

/// One of the streams.
struct Stream {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    /// All bytes that came.
    total: u64,
    /// The beginning of a character, whose end has not come yet.
    partial: Vec<u8>,
    /// How much must have come before that is said again.
    mark: u64,
}

impl Stream {
    fn new() -> Self {
        Self {
            head: Vec::new(),
            tail: VecDeque::new(),
            total: 0,
            partial: Vec::new(),
            mark: FIRST_MARK,
        }
    }

    fn take(&mut self, bytes: &[u8], output: &dyn Output) {
        self.total = self.total.saturating_add(bytes.len() as u64);
        let (first, rest) = bytes.split_at(bytes.len().min(HALF - self.head.len()));
        if !first.is_empty() {
            self.head.extend_from_slice(first);
            self.show(first, output);
            if self.head.len() == HALF {
                self.flush(output);
                output.push("\n… more than can be shown; its end follows when it is over\n");
            }
        }
        self.keep_tail(rest);
        if self.total >= self.mark {
            output.push(&format!("… {} MB so far\n", self.total / 1_000_000));
            self.mark = self.total.saturating_mul(2);
        }
    }

    fn keep_tail(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(HALF)..];
        let excess = (self.tail.len() + bytes.len()).saturating_sub(HALF);
        self.tail.drain(..excess);
        self.tail.extend(bytes);
    }

    /// Shows what is whole of it; the beginning of a character waits for its end.
    fn show(&mut self, bytes: &[u8], output: &dyn Output) {
        self.partial.extend_from_slice(bytes);
        let whole = whole(&self.partial);
        if whole > 0 {
            let bytes: Vec<u8> = self.partial.drain(..whole).collect();
            output.push(&String::from_utf8_lossy(&bytes));
        }
    }

    /// Shows what waited in vain.
    fn flush(&mut self, output: &dyn Output) {
        if !self.partial.is_empty() {
            output.push(&String::from_utf8_lossy(&self.partial));
            self.partial.clear();
        }
    }

    /// Head and tail with what was left out named between them.
    fn text(mut self) -> String {
        let total = self.total;
        let kept = (self.head.len() + self.tail.len()) as u64;
        if kept == total {
            let mut all = self.head;
            all.extend(self.tail);
            let text = String::from_utf8_lossy(&all).into_owned();
            if text.len() <= CAP {
                return text;
            }
            // Bytes that were no text grew when they were replaced.
            return joined(&text, &text, (all.len() as u64).saturating_sub(2 * HALF as u64));
        }
        let tail = self.tail.make_contiguous();
        let head = &self.head[..whole(&self.head)];
        let begins = tail.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count();
        let tail = &tail[begins..];
        let left_out = total - (head.len() + tail.len()) as u64;
        joined(&String::from_utf8_lossy(head), &String::from_utf8_lossy(tail), left_out)
    }
}

/// The beginning of one text and the end of another, each cut to its half at a line where one is
/// near: so half a line, or half of a secret that is about to be looked for, is seldom left.
fn joined(head: &str, tail: &str, left_out: u64) -> String {
    let mut end = head.floor_char_boundary(HALF.min(head.len()));
    if let Some(line) = head[..end].rfind('\n')
        && end - line <= NEAR
    {
        end = line + 1;
    }
    let mut begin = tail.ceil_char_boundary(tail.len().saturating_sub(HALF));
    if let Some(line) = tail[begin..].find('\n')
        && line < NEAR
    {
        begin += line + 1;
    }
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
