//! Searching one file after the other, and telling what was found.
//!
//! Not here: which files. The invariants: no more than the limit's matches and the cap's bytes are
//! kept; the text says when there may be more.

use std::fs::File;
use std::io::{self, Read};

use grep_regex::RegexMatcher;
use grep_searcher::{
    BinaryDetection, MmapChoice, Searcher, SearcherBuilder, Sink, SinkContext, SinkMatch,
};
use serde::Deserialize;

use super::MOST_TEXT;
use crate::off::Stop;

/// Bytes of a file that are searched.
const SEARCHED: u64 = 64 << 20;

/// Bytes that one line may take while it is searched.
const HELD: usize = 1 << 20;

/// Bytes of a line that are told.
const LINE: usize = 500;

/// What is told of what was found.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// Which files have a match.
    Files,
    /// The lines.
    Content,
    /// How many lines each file has.
    Count,
}

impl Mode {
    /// Lines that are told unless asked otherwise.
    pub(super) fn usual_limit(self) -> usize {
        match self {
            Self::Files | Self::Count => 100,
            Self::Content => 250,
        }
    }
}

/// See the module.
pub(super) struct Search<'a> {
    expression: &'a RegexMatcher,
    searcher: Searcher,
    mode: Mode,
    limit: usize,
    stop: &'a Stop,
    out: String,
    /// Matches, or files with any.
    found: usize,
    full: bool,
    skipped: usize,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        expression: &'a RegexMatcher,
        mode: Mode,
        context: usize,
        limit: usize,
        stop: &'a Stop,
    ) -> Self {
        let context = if mode == Mode::Content { context } else { 0 };
        let searcher = SearcherBuilder::new()
            .binary_detection(BinaryDetection::quit(0))
            // A file that shrinks while it is mapped would end the daemon.
            .memory_map(MmapChoice::never())
            .heap_limit(Some(HELD))
            .line_number(true)
            .before_context(context)
            .after_context(context)
            .build();
        let out = String::new();
        Self { expression, searcher, mode, limit, stop, out, found: 0, full: false, skipped: 0 }
    }

    /// Nothing more is wanted.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// Searches a file.
    pub(super) fn file(&mut self, path: &str, file: File) {
        let before = self.out.len();
        let found = self.found;
        let mut hits = Hits {
            path,
            mode: self.mode,
            limit: self.limit,
            stop: self.stop,
            out: &mut self.out,
            found,
            lines: 0,
            binary: false,
            full: false,
        };
        let reader = Stoppable { file: file.take(SEARCHED), stop: self.stop };
        let result = self.searcher.search_reader(self.expression, reader, &mut hits);
        let Hits { found, lines, binary, full, .. } = hits;
        if binary {
            // What was found before the first zero byte is no line of a text.
            self.out.truncate(before);
            return;
        }
        self.skipped += usize::from(result.is_err());
        match self.mode {
            Mode::Content => {
                self.found = found;
                self.full |= full;
                return;
            }
            Mode::Files if lines > 0 => self.out.push_str(&format!("{path}\n")),
            Mode::Count if lines > 0 => self.out.push_str(&format!("{path}: {lines}\n")),
            Mode::Files | Mode::Count => return,
        }
        self.found += 1;
        self.full |= self.found >= self.limit || self.out.len() >= MOST_TEXT;
    }

    /// What was found, in words.
    pub(super) fn text(self, incomplete: bool) -> String {
        let mut out = self.out;
        if out.is_empty() {
            out.push_str("Nothing was found.\n");
        }
        if self.full {
            out.push_str("[there may be more: narrow the search or raise limit]\n");
        } else if incomplete {
            out.push_str("[there are too many files: not all were searched]\n");
        }
        if self.skipped > 0 {
            out.push_str(&format!(
                "[{} files could not be searched to their ends]\n",
                self.skipped
            ));
        }
        out
    }
}

/// Takes what is found in one file.
struct Hits<'a> {
    path: &'a str,
    mode: Mode,
    limit: usize,
    stop: &'a Stop,
    out: &'a mut String,
    found: usize,
    lines: u64,
    binary: bool,
    full: bool,
}

impl Hits<'_> {
    fn line(&mut self, number: Option<u64>, mark: char, bytes: &[u8]) {
        let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let shown = String::from_utf8_lossy(&line[..line.len().min(LINE)]);
        let more = if line.len() > LINE { "…" } else { "" };
        let number = number.unwrap_or_default();
        self.out.push_str(&format!("{}{mark}{number}{mark}{shown}{more}\n", self.path));
    }
}

impl Sink for Hits<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, hit: &SinkMatch<'_>) -> Result<bool, io::Error> {
        self.lines += 1;
        if self.mode == Mode::Files {
            return Ok(false);
        }
        if self.mode == Mode::Content {
            self.line(hit.line_number(), ':', hit.bytes());
            self.found += 1;
            self.full = self.found >= self.limit || self.out.len() >= MOST_TEXT;
        }
        Ok(!self.full && !self.stop.is_due())
    }

    fn context(&mut self, _: &Searcher, line: &SinkContext<'_>) -> Result<bool, io::Error> {
        self.line(line.line_number(), '-', line.bytes());
        Ok(true)
    }

    fn context_break(&mut self, _: &Searcher) -> Result<bool, io::Error> {
        self.out.push_str("--\n");
        Ok(true)
    }

    fn binary_data(&mut self, _: &Searcher, _: u64) -> Result<bool, io::Error> {
        self.binary = true;
        Ok(false)
    }
}

/// A file whose reading ends when its call is stopped.
struct Stoppable<'a> {
    file: io::Take<File>,
    stop: &'a Stop,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_due() {
            return Err(io::Error::other("stopped"));
        }
        self.file.read(buffer)
    }
}
