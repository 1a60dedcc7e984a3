//! Takes the owner's secrets out of what tools give, before anybody sees, keeps or is told it.
//!
//! A secret is found as it is, in hexadecimal, in base64 of either alphabet wherever in longer data
//! it lies, and each of these as URLs, JSON, shells and programming languages escape it, all of it
//! or any part. So decoders run side by side over the text ([`escape`], [`encoding`]) and what they
//! give is searched ([`needles`]): no form is written down, and no mixture of forms is missed.
//!
//! Not here: where secrets come from. Not a wall either: a program that holds a secret can always
//! turn it into something that no one recognises; what it can reach is the sandbox's business.
//!
//! The invariant: however a text is cut, the pieces of a [`Stream`] joined are what [`Redactor`]
//! makes of the whole, and what is given out is never part of something that became a secret.

mod encoding;
mod escape;
mod needles;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use encoding::Encodings;
use escape::Layer;
use needles::{Match, Needles, Span};

/// Bytes that a secret has at least: shorter ones would be found in texts that are none.
pub const SHORTEST: usize = moltis_core::variable::SHORTEST_VALUE;

/// Knows secrets and takes them out of texts. Clones share what they know.
#[derive(Clone)]
pub struct Redactor {
    needles: Arc<Needles>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Redactor of {}", self.needles.names().len())
    }
}

impl Redactor {
    /// Knows these: name and value. Values shorter than [`SHORTEST`] bytes are not looked for: who
    /// keeps secrets refuses them.
    pub fn new<'a>(secrets: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let secrets = secrets.filter(|(_, value)| value.len() >= SHORTEST);
        Self { needles: Arc::new(Needles::new(secrets)) }
    }

    /// Knows none.
    pub fn none() -> Self {
        Self::new(std::iter::empty())
    }

    /// Whether the other is this one, or a clone of it.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.needles, &other.needles)
    }

    /// The text with `[NAME]` in the place of each secret.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.needles.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut scan = Scan::new(&self.needles);
        scan.read(text);
        scan.end();
        if scan.regions.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        render(text, 0, &scan.regions, self.needles.names(), &mut out);
        Cow::Owned(out)
    }

    /// Begins a text that comes in pieces.
    pub fn stream(&self) -> Stream {
        Stream {
            needles: self.needles.clone(),
            scan: Scan::new(&self.needles),
            held: String::new(),
            held_from: 0,
        }
    }
}

/// A text that comes in pieces. What may become a secret is held back until it is known: at most
/// what the longest form of the longest secret takes.
pub struct Stream {
    needles: Arc<Needles>,
    scan: Scan,
    /// What was read and not given out, and where in the text it begins.
    held: String,
    held_from: u64,
}

impl Stream {
    /// Takes the next piece, and gives what can be shown by now.
    pub fn push(&mut self, text: &str) -> String {
        if self.needles.is_empty() {
            return text.to_owned();
        }
        self.held.push_str(text);
        self.scan.read(text);
        let begins = self.scan.begins().unwrap_or(self.scan.at);
        self.release(begins)
    }

    /// Gives what was held back: the text is over.
    pub fn finish(mut self) -> String {
        self.scan.end();
        let end = self.scan.at;
        self.release(end)
    }

    /// Gives out what lies before `until`, but for a secret that goes on there.
    fn release(&mut self, until: u64) -> String {
        let regions = &mut self.scan.regions;
        let done = regions.partition_point(|region| region.end <= until);
        let until = regions.get(done).map_or(until, |next| until.min(next.start));
        let length = usize::try_from(until - self.held_from).unwrap_or(usize::MAX);
        let length = self.held.floor_char_boundary(length);
        let mut out = String::with_capacity(length);
        let (names, text) = (self.needles.names(), &self.held[..length]);
        render(text, self.held_from, &regions[..done], names, &mut out);
        regions.drain(..done);
        self.held.drain(..length);
        self.held_from += length as u64;
        out
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Stream that holds {} bytes back", self.held.len())
    }
}

/// A part of a text that becomes a name.
#[derive(Clone, Copy)]
struct Region {
    start: u64,
    end: u64,
    /// Of the secrets in it, the one that begins first and is longest.
    lead: (u64, Reverse<u64>, usize),
}

impl Region {
    fn of(Match { start, end, secret }: Match) -> Self {
        Self { start, end, lead: (start, Reverse(end), secret) }
    }

    fn and(self, other: Self) -> Self {
        Self {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
            lead: self.lead.min(other.lead),
        }
    }
}

/// Reads a text and knows where in it secrets are.
struct Scan {
    needles: Arc<Needles>,
    /// The text as it is.
    plain: Encodings,
    /// As each way of escaping reads it.
    layers: Vec<Layer>,
    /// In order; none overlaps another.
    regions: Vec<Region>,
    matches: Vec<Match>,
    /// Bytes that were read.
    at: u64,
}

impl Scan {
    fn new(needles: &Arc<Needles>) -> Self {
        let layers = Layer::all(needles);
        Self {
            needles: needles.clone(),
            plain: Encodings::default(),
            layers,
            regions: Vec::new(),
            matches: Vec::new(),
            at: 0,
        }
    }

    fn read(&mut self, text: &str) {
        for byte in text.bytes() {
            let (needles, matches) = (&*self.needles, &mut self.matches);
            for layer in &mut self.layers {
                layer.push(needles, byte, self.at, &self.plain, matches);
            }
            let span = Span { start: self.at, end: self.at + 1 };
            self.plain.push(needles, byte, span, matches);
            for layer in &mut self.layers {
                layer.rest(needles, &self.plain);
            }
            self.at += 1;
            self.take_matches();
        }
    }

    fn end(&mut self) {
        for layer in &mut self.layers {
            layer.end(&self.needles, &mut self.matches);
        }
        self.take_matches();
    }

    fn take_matches(&mut self) {
        while let Some(found) = self.matches.pop() {
            let new = Region::of(found);
            let from = self.regions.partition_point(|region| region.end <= new.start);
            let to = self.regions.partition_point(|region| region.start < new.end);
            let whole = self.regions.drain(from..to).fold(new, Region::and);
            self.regions.insert(from, whole);
        }
    }

    /// Where what may become a secret begins.
    fn begins(&self) -> Option<u64> {
        let layers = self.layers.iter().filter_map(|layer| layer.begins(&self.needles));
        layers.chain(self.plain.begins(&self.needles)).min()
    }
}

/// Writes a text that begins at `from`, with names in the place of regions.
fn render(text: &str, from: u64, regions: &[Region], names: &[String], out: &mut String) {
    let place = |at: u64| usize::try_from(at.saturating_sub(from)).unwrap_or(usize::MAX);
    let mut copied = 0;
    for region in regions {
        // Secrets are text: these are boundaries already.
        let start = text.floor_char_boundary(place(region.start)).max(copied);
        let end = text.ceil_char_boundary(place(region.end).min(text.len())).max(start);
        out.push_str(&text[copied..start]);
        out.push('[');
        out.push_str(names.get(region.lead.2).map_or("", String::as_str));
        out.push(']');
        copied = end;
    }
    out.push_str(&text[copied..]);
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;
