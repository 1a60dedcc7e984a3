//! Where pages are read: a few at a time, on threads beside the reactor, for a bounded time.
//!
//! Whoever wants a page takes a turn before asking for it and keeps it until it is read, so that the
//! pages in memory are bounded however many calls are made at once. A thread can't be stopped: a
//! reader that takes too long is given up, and its place stays taken until it is done. Not here: the
//! reading. The invariant: at most [`TURNS`] pages are held and [`PLACES`] read, and nobody waits for
//! longer than [`QUEUE`] for the one and a desk's patience for the other.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How many pages are asked for, or held, at a time.
const TURNS: usize = 8;
/// How many pages are read at a time.
const PLACES: usize = 2;
/// How long a turn is waited for.
const QUEUE: Duration = Duration::from_secs(60);

/// A few places to read at, and the turns to them. A clone is the same desk.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
    patience: Duration,
}

impl Desk {
    /// A desk whose work takes this long at most, waiting for a place included.
    pub(crate) fn new(patience: Duration) -> Self {
        let (turns, places) = (Semaphore::new(TURNS), Semaphore::new(PLACES));
        Self { turns: Arc::new(turns), places: Arc::new(places), patience }
    }

    /// A turn; it ends when it is dropped.
    pub(crate) async fn turn(&self) -> Result<OwnedSemaphorePermit, String> {
        let turn = timeout(QUEUE, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| "too many pages are asked for at once: try again later")?;
        turn.map_err(|error| error.to_string())
    }

    /// The result of some work, or why there is none.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let places = Arc::clone(&self.places);
        let done = async move {
            let place = places.acquire_owned().await.map_err(|error| error.to_string())?;
            let task = spawn_blocking(move || {
                let _place = place;
                work()
            });
            task.await.map_err(|_| "reading it failed".to_owned())
        };
        let given_up = |_| format!("reading it took longer than {} s", self.patience.as_secs_f64());
        timeout(self.patience, done).await.map_err(given_up)?
    }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
