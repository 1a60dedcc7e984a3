//! From the bytes of an answer to its chunks.
//!
//! Everything that a reader makes of the bytes so far is handed on before more bytes are taken;
//! a failure comes after what was read before it; after the end or a failure nothing follows.

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::stream::{self, Stream, StreamExt};
use moltis_core::models::Price;
use moltis_core::provider::{Chunk, ChunkStream, Failure, FailureKind};
use moltis_net::{ndjson, sse};

use crate::dialect::{Framing, Reader};
use crate::failure;
use crate::output::Output;

enum Frames {
    Sse(sse::Decoder),
    Lines(ndjson::Decoder),
}

struct Answer<S> {
    body: S,
    frames: Frames,
    reader: Box<dyn Reader>,
    out: Output,
    /// To be told when `out` is empty.
    failed: Option<Failure>,
    ended: bool,
}

/// The chunks of an answer that `reader` reads out of `body`.
pub(crate) fn chunks(
    body: impl Stream<Item = Result<Bytes, moltis_net::Error>> + Send + Unpin + 'static,
    framing: Framing,
    reader: Box<dyn Reader>,
    price: Option<Price>,
) -> ChunkStream {
    let frames = match framing {
        Framing::Sse => Frames::Sse(sse::Decoder::default()),
        Framing::Lines => Frames::Lines(ndjson::Decoder::default()),
    };
    let out = Output::new(price);
    let answer = Answer { body, frames, reader, out, failed: None, ended: false };
    Box::pin(stream::unfold(answer, |mut answer| async move {
        answer.next().await.map(|item| (item, answer))
    }))
}

impl<S: Stream<Item = Result<Bytes, moltis_net::Error>> + Send + Unpin> Answer<S> {
    async fn next(&mut self) -> Option<Result<Chunk, Failure>> {
        loop {
            if let Some(chunk) = self.out.pop() {
                return Some(Ok(chunk));
            }
            if let Some(failure) = self.failed.take() {
                self.ended = true;
                return Some(Err(failure));
            }
            if self.ended {
                return None;
            }
            if let Err(failure) = self.read().await {
                self.failed = Some(failure);
            }
        }
    }

    async fn read(&mut self) -> Result<(), Failure> {
        match self.body.next().await {
            Some(Ok(bytes)) => self.take_in(&bytes)?,
            Some(Err(error)) => return Err(failure::transport(&error)),
            None => {
                self.ended = true;
                return self.end();
            }
        }
        if self.out.is_finished() {
            self.ended = true;
            self.drain();
        }
        Ok(())
    }

    fn take_in(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let Self { frames, reader, out, .. } = self;
        let mut result = Ok(());
        let mut take = |event: &sse::Event| {
            if result.is_ok() && !out.is_finished() {
                result = reader.event(event, out);
            }
        };
        let pushed = match frames {
            Frames::Sse(decoder) => decoder.push(bytes, |event| take(&event)),
            Frames::Lines(decoder) => decoder.push(bytes, |line| take(&unnamed(line))),
        };
        result?;
        pushed.map_err(|error| {
            Failure::new(FailureKind::Malformed, format!("the answer has an event of {error}"))
        })
    }

    fn end(&mut self) -> Result<(), Failure> {
        let Self { frames, reader, out, .. } = self;
        let mut result = Ok(());
        if let Frames::Lines(decoder) = frames {
            decoder.finish(|line| result = reader.event(&unnamed(line), out));
        }
        result?;
        if out.is_finished() { Ok(()) } else { reader.end(out) }
    }

    /// Reads what is already there of the rest, which is nothing but HTTP's own end: only a
    /// connection that was read to its end can be used again.
    fn drain(&mut self) {
        for _ in 0..8 {
            match self.body.next().now_or_never() {
                Some(Some(Ok(_))) => {}
                Some(Some(Err(_)) | None) | None => return,
            }
        }
    }
}

fn unnamed(data: String) -> sse::Event {
    sse::Event { name: String::new(), data }
}
