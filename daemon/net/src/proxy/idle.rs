//! A stream that tells whether anything still moves on it.
//!
//! Not here: what moves. The invariant: a connection over which nothing came or went for the time
//! that it was given is found, whichever of the two sides is silent.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::sleep;

/// The stream.
pub(super) struct Watched<S> {
    inner: S,
    moved: Arc<AtomicU64>,
}

/// What has moved on it.
pub(super) struct Pulse(Arc<AtomicU64>);

impl<S> Watched<S> {
    pub(super) fn new(inner: S) -> (Self, Pulse) {
        let moved = Arc::new(AtomicU64::new(0));
        (Self { inner, moved: Arc::clone(&moved) }, Pulse(moved))
    }

    fn count(&self, bytes: usize) {
        self.moved.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Pulse {
    /// Waits until nothing has moved for at least this long, and at most for twice as long.
    pub(super) async fn stopped(self, idle: Duration) {
        let mut before = u64::MAX;
        loop {
            let moved = self.0.load(Ordering::Relaxed);
            if moved == before {
                return;
            }
            before = moved;
            sleep(idle).await;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, into);
        self.count(into.filled().len() - before);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, from);
        if let Poll::Ready(Ok(bytes)) = written {
            self.count(bytes);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
