//! Lines of JSON, one document each.
//!
//! Bytes go in as they arrive, whole lines come out: how the bytes were cut makes no difference.
//! Empty lines are read over. Whether a line is JSON is the reader's business.

use crate::sse::TooLarge;

/// The most bytes that one line may have.
pub const MAX_LINE: usize = 8 << 20;

/// Cuts a stream of bytes into lines.
#[derive(Debug)]
pub struct Decoder {
    line: Vec<u8>,
    limit: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(MAX_LINE)
    }
}

impl Decoder {
    /// A decoder that refuses lines of more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { line: Vec::new(), limit }
    }

    /// Takes bytes in and gives the lines that they complete to `sink`.
    ///
    /// # Errors
    /// When the present line is too long; the decoder is of no use afterwards.
    pub fn push(&mut self, bytes: &[u8], mut sink: impl FnMut(String)) -> Result<(), TooLarge> {
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            let (tail, after) = rest.split_at(at);
            rest = after.get(1..).unwrap_or_default();
            self.take_in(tail)?;
            give(&self.line, &mut sink);
            self.line.clear();
        }
        self.take_in(rest)
    }

    /// The last line, when the stream ended without a line feed.
    pub fn finish(&mut self, mut sink: impl FnMut(String)) {
        give(&std::mem::take(&mut self.line), &mut sink);
    }

    fn take_in(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        if self.line.len() + bytes.len() > self.limit {
            return Err(TooLarge { limit: self.limit });
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }
}

fn give(line: &[u8], sink: &mut impl FnMut(String)) {
    let line = line.trim_ascii();
    if !line.is_empty() {
        sink(String::from_utf8_lossy(line).into_owned());
    }
}

#[cfg(test)]
#[path = "ndjson_tests.rs"]
mod tests;
