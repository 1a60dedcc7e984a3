//! The document's pieces: read a page of events, write it, cut it to size.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;
use moltis_core::assistant::{Assistant, Page};
use moltis_core::session::Summary;
use moltis_core::{Error, Result, SessionId};

use super::{jsonl, markdown};

/// Events that are read at a time: pictures may make each of them large.
const PAGE: u32 = 32;

/// Bytes of a piece.
const PIECE: usize = 128 << 10;

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Markdown,
    /// For programs.
    Jsonl,
}

/// The document of a session.
pub(crate) fn pieces(
    assistant: Arc<dyn Assistant>,
    summary: &Summary,
    format: Format,
) -> Pin<Box<dyn Stream<Item = Result<String, Error>> + Send>> {
    let mut document = Document {
        assistant,
        session: summary.id.clone(),
        format,
        after: 0,
        last: summary.last_seq,
        ready: VecDeque::new(),
    };
    if format == Format::Markdown {
        document.add(markdown::head(summary));
    }
    Box::pin(futures_util::stream::try_unfold(document, |mut document| async move {
        Ok(document.next().await?.map(|piece| (piece, document)))
    }))
}

struct Document {
    assistant: Arc<dyn Assistant>,
    session: SessionId,
    format: Format,
    /// The seq of the last event that was written.
    after: u64,
    /// The seq of the last event that belongs to it.
    last: u64,
    /// Pieces of what was written: of one page at most.
    ready: VecDeque<String>,
}

impl Document {
    async fn next(&mut self) -> Result<Option<String>> {
        while self.ready.is_empty() && self.after < self.last {
            self.write_page().await?;
        }
        Ok(self.ready.pop_front())
    }

    async fn write_page(&mut self) -> Result<()> {
        let page = Page::After { seq: self.after, limit: PAGE };
        let events = self.assistant.history(&self.session, page).await?;
        // No events before the end can only mean that there are none: never ask for ever.
        self.after = events.last().map_or(u64::MAX, |event| event.seq);
        let mut text = String::new();
        for event in events.iter().filter(|event| event.seq <= self.last) {
            match self.format {
                Format::Markdown => markdown::write(event, &mut text),
                Format::Jsonl => jsonl::write(event, &mut text),
            }
        }
        self.add(text);
        Ok(())
    }

    /// Cuts text into pieces, between characters.
    fn add(&mut self, text: String) {
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE));
            self.ready.push_back(piece.to_owned());
            rest = after;
        }
    }
}

#[cfg(test)]
#[path = "pieces_tests.rs"]
mod tests;
