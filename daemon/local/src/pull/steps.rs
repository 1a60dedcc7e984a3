//! Progress as a stream, driven by whoever reads it: no task runs on its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use moltis_core::Result;
use moltis_core::admin::{Step, Steps};
use tokio::sync::mpsc;

use super::Claim;

/// Steps that a slow reader may be behind; more are left out.
const BEHIND: usize = 8;

/// Where progress is told.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    steps: mpsc::Sender<Step>,
    /// A thread can't be stopped at once: while it can tell a step, the name stays taken.
    _claim: Arc<Claim>,
}

impl Progress {
    /// Tells a step; never waits, a reader that is behind misses it.
    pub(super) fn report(&self, phase: &str, done: u64, total: u64) {
        let step = Step { phase: phase.to_owned(), done, total, finished: false };
        // Full or gone: the next step tells more anyway.
        drop(self.steps.try_send(step));
    }

    /// Whether nobody reads any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.steps.is_closed()
    }
}

struct Run {
    steps: mpsc::Receiver<Step>,
    work: Option<Pin<Box<dyn Future<Output = Result<()>> + Send>>>,
    result: Option<Result<()>>,
}

/// A stream that does some work under a claim while it is read, and ends with its result.
pub(super) fn run<F>(claim: Claim, work: impl FnOnce(Progress) -> F) -> Steps
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let (sender, steps) = mpsc::channel(BEHIND);
    let work = Box::pin(work(Progress { steps: sender, _claim: Arc::new(claim) }));
    Box::pin(Run { steps, work: Some(work), result: None })
}

impl Stream for Run {
    type Item = Result<Step>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(work) = &mut this.work
            && let Poll::Ready(result) = work.as_mut().poll(cx)
        {
            this.work = None;
            this.result = Some(result);
        }
        match this.steps.poll_recv(cx) {
            Poll::Ready(Some(step)) => Poll::Ready(Some(Ok(step))),
            Poll::Pending | Poll::Ready(None) if this.work.is_some() => Poll::Pending,
            Poll::Pending | Poll::Ready(None) => Poll::Ready(this.result.take().map(|result| {
                result.map(|()| Step {
                    phase: "done".to_owned(),
                    done: 0,
                    total: 0,
                    finished: true,
                })
            })),
        }
    }
}
