//! Reading HTML into a tree within a budget.
//!
//! The standard's parser is quadratic in the depth of a page: 256 kB of nested lists take it most of
//! a minute, so that a cap on bytes is none on time. It is therefore fed in small pieces, and between
//! two of them it is seen how deep the tree is where it grows, how large it is and how long it took.
//! What the parser made of the tags counts, not the tags: sloppy pages that leave thousands of
//! paragraphs open are not deep. Not here: what a page says. The invariant: a tree that is given out
//! is at most [`MAX_DEPTH`] deep and [`MAX_NODES`] large, and took at most [`BUDGET`] and one piece.

use std::time::Duration;

use dom_query::{Document, NodeRef};
use html5ever::tendril::{StrTendril, TendrilSink as _};
use html5ever::tree_builder::TreeBuilderOpts;
use html5ever::{ParseOpts, parse_document};
use rustix::time::{ClockId, clock_gettime};

/// How deep elements may lie within one another.
pub const MAX_DEPTH: usize = 512;
/// How many elements, texts and comments a page may have.
pub const MAX_NODES: usize = 200_000;
/// How long the reading may keep a processor busy: time that others have it does not count.
pub const BUDGET: Duration = Duration::from_millis(300);
/// How many bytes are read before it is looked again. The shortest tag has three.
const PIECE: usize = 512;

/// Why a page can't be read as HTML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooMuch {
    /// Its elements lie too deep within one another.
    Deep,
    /// It has too many elements.
    Large,
    /// It takes too long.
    Slow,
}

/// Reads a page.
///
/// # Errors
/// When it is beyond one of the bounds.
pub fn parse(html: &str) -> Result<Document, TooMuch> {
    let tree_builder = TreeBuilderOpts { scripting_enabled: false, ..TreeBuilderOpts::default() };
    let opts = ParseOpts { tree_builder, ..ParseOpts::default() };
    let mut parser = parse_document(Document::default(), opts);
    let began = busy();
    let mut rest = html;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE));
        rest = after;
        parser.process(StrTendril::from(piece));
        let document = &parser.tokenizer.sink.sink;
        if document.tree.len() > MAX_NODES {
            return Err(TooMuch::Large);
        }
        if grows_deep(document) {
            return Err(TooMuch::Deep);
        }
        if busy().saturating_sub(began) > BUDGET {
            return Err(TooMuch::Slow);
        }
    }
    let document = parser.finish();
    // It may have been deeper at a place where it grew before.
    if is_deep(&document) { Err(TooMuch::Deep) } else { Ok(document) }
}

/// How long this thread has kept a processor busy.
pub(crate) fn busy() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Whether the tree is too deep where it grows: at the last of everything.
fn grows_deep(document: &Document) -> bool {
    let mut depth = 0;
    let mut next = document.root().last_child();
    while let Some(node) = next {
        depth += 1;
        if depth > MAX_DEPTH {
            return true;
        }
        next = node.last_child();
    }
    false
}

/// Whether any node lies too deep. Walks without recursion: that is what depth would break.
fn is_deep(document: &Document) -> bool {
    let mut depth = 0;
    let mut next: Option<NodeRef<'_>> = document.root().first_child();
    while let Some(node) = next {
        if depth > MAX_DEPTH {
            return true;
        }
        if let Some(child) = node.first_child() {
            depth += 1;
            next = Some(child);
            continue;
        }
        let mut at = Some(node);
        next = None;
        while let Some(node) = at {
            if let Some(sibling) = node.next_sibling() {
                next = Some(sibling);
                break;
            }
            depth = usize::saturating_sub(depth, 1);
            at = node.parent();
        }
    }
    false
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
