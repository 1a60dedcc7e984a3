//! The body of an answer as a stream that can neither stall nor grow without end.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, Sleep, sleep};

use crate::error::{Error, chain};

type Inner = Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>;

/// The bytes of an answer. After an error or the end nothing follows. Dropping it closes the
/// request.
pub struct Body {
    /// `None` once it has ended.
    inner: Option<Inner>,
    host: String,
    idle: Duration,
    timer: Pin<Box<Sleep>>,
    /// Whether the timer runs for the present wait. A reader that is slow to ask must not be
    /// taken for a vendor that is slow to answer, so the clock starts when there is nothing.
    waiting: bool,
    left: u64,
    limit: u64,
}

impl Body {
    pub(crate) fn new(response: reqwest::Response, host: String, idle: Duration, cap: u64) -> Self {
        Self {
            inner: Some(Box::pin(response.bytes_stream())),
            host,
            idle,
            timer: Box::pin(sleep(idle)),
            waiting: false,
            left: cap,
            limit: cap,
        }
    }

    /// All of it at once.
    ///
    /// # Errors
    /// When it stalls, breaks or is too large.
    pub async fn collect(mut self) -> Result<Bytes, Error> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next().await {
            whole.extend_from_slice(&piece?);
        }
        Ok(whole.freeze())
    }

    fn take_in(&mut self, bytes: Bytes) -> Result<Bytes, Error> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match self.left.checked_sub(length) {
            Some(left) => {
                self.left = left;
                Ok(bytes)
            }
            None => Err(Error::TooLarge { host: self.host.clone(), limit: self.limit }),
        }
    }

    fn fail(&mut self, error: Error) -> Poll<Option<Result<Bytes, Error>>> {
        self.inner = None;
        Poll::Ready(Some(Err(error)))
    }
}

impl Stream for Body {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        match inner.as_mut().poll_next(cx) {
            Poll::Ready(Some(Ok(bytes))) => {
                this.waiting = false;
                match this.take_in(bytes) {
                    Ok(bytes) => Poll::Ready(Some(Ok(bytes))),
                    Err(error) => this.fail(error),
                }
            }
            Poll::Ready(Some(Err(error))) => {
                let reason = chain(&error.without_url());
                let host = this.host.clone();
                this.fail(Error::Broken { host, reason })
            }
            Poll::Ready(None) => {
                this.inner = None;
                Poll::Ready(None)
            }
            Poll::Pending => {
                if !this.waiting {
                    this.waiting = true;
                    this.timer.as_mut().reset(Instant::now() + this.idle);
                }
                match this.timer.as_mut().poll(cx) {
                    Poll::Ready(()) => {
                        let host = this.host.clone();
                        let after = this.idle;
                        this.fail(Error::Idle { host, after })
                    }
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("host", &self.host).finish_non_exhaustive()
    }
}
