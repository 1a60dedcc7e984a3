//! Work that blocks, off the reactor: reading files, parsing what is in them.
//!
//! Not here: the work. The invariants: at most [`AT_ONCE`] pieces of work run at a time, however
//! many calls wait; each is told to stop when its time is up or its call was dropped; one that does
//! not listen (a parser that hangs) is left behind, keeps its place, and its call is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Pieces of work at a time.
const AT_ONCE: usize = 8;

/// How long work that should have stopped is waited for.
const GRACE: Duration = Duration::from_secs(2);

/// How long a piece of work may wait for its place.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Whether a piece of work is to stop.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    dropped: Arc<AtomicBool>,
    until: Instant,
}

impl Stop {
    pub(crate) fn after(limit: Duration) -> Self {
        let now = Instant::now();
        Self { dropped: Arc::default(), until: now.checked_add(limit).unwrap_or(now) }
    }

    /// The call was dropped, or its time is up.
    pub(crate) fn is_due(&self) -> bool {
        self.is_dropped() || Instant::now() >= self.until
    }

    /// The call was dropped: what it would change must not be changed any more.
    pub(crate) fn is_dropped(&self) -> bool {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Tells the work to stop when the call that waits for it is dropped.
struct Waiting(Stop);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.dropped.store(true, Ordering::Relaxed);
    }
}

/// Where work runs.
#[derive(Debug)]
pub(crate) struct Workbench(Arc<Semaphore>);

impl Workbench {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Arc::new(Semaphore::new(AT_ONCE))))
    }

    /// Runs a piece of work that may take so long.
    ///
    /// # Errors
    /// Why there is no result, for the model.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce(&Stop) -> T + Send + 'static,
    ) -> Result<T, String> {
        let place = tokio::time::timeout(LONGEST_WAIT, Arc::clone(&self.0).acquire_owned());
        let Ok(Ok(place)) = place.await else {
            return Err(format!("{AT_ONCE} other calls kept it waiting too long: try again"));
        };
        let stop = Stop::after(limit);
        let waiting = Waiting(stop.clone());
        let working = spawn_blocking(move || {
            let _place = place;
            work(&stop)
        });
        let done = tokio::time::timeout(limit + GRACE, working).await;
        drop(waiting);
        match done {
            Ok(Ok(result)) => Ok(result),
            // A panic in a parser; it was logged where it happened.
            Ok(Err(_)) => Err("it could not be read: what reads it failed on it".to_owned()),
            Err(_) => Err(format!("it took longer than {} s and was given up", limit.as_secs())),
        }
    }
}

#[cfg(test)]
#[path = "off_tests.rs"]
mod tests;
