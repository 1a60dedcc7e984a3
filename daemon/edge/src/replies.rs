//! A port's stream as a stream of replies.
//!
//! There is no queue in between: gRPC polls the port. A client that goes away drops the port's
//! stream; a daemon that stops ends it with an error that says so.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use moltis_core::Error;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;

use crate::status::{stopping, to_status};

type Source<T> = Pin<Box<dyn Stream<Item = Result<T, Error>> + Send>>;

/// The replies that come of a port's stream.
pub(crate) struct Replies<T, W> {
    // None once it has ended: an error is the last thing that a stream says.
    source: Option<Source<T>>,
    to_wire: fn(T) -> W,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<T, W> Replies<T, W> {
    /// Replies from `source` until it ends or `stop` is cancelled.
    pub(crate) fn new(source: Source<T>, to_wire: fn(T) -> W, stop: &CancellationToken) -> Self {
        Self { source: Some(source), to_wire, stop: Box::pin(stop.clone().cancelled_owned()) }
    }
}

impl<T, W> Stream for Replies<T, W> {
    type Item = Result<W, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(source) = &mut this.source else { return Poll::Ready(None) };
        // Asked first, so that a stream that always has something ends too.
        if this.stop.as_mut().poll(context).is_ready() {
            this.source = None;
            return Poll::Ready(Some(Err(stopping())));
        }
        match std::task::ready!(source.as_mut().poll_next(context)) {
            Some(Ok(item)) => Poll::Ready(Some(Ok((this.to_wire)(item)))),
            Some(Err(error)) => {
                this.source = None;
                Poll::Ready(Some(Err(to_status(error))))
            }
            None => {
                this.source = None;
                Poll::Ready(None)
            }
        }
    }
}
