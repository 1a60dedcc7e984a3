//! Where pages are read: on a few threads beside the reactor, for a bounded time.
//!
//! A thread can't be stopped, so that a reader that takes too long is given up and its place stays
//! taken until it is done. Not here: the reading. The invariant: at most [`Desk`]'s places are taken,
//! and nobody waits for longer than its patience.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// A few places to read at.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    places: Arc<Semaphore>,
    patience: Duration,
}

impl Desk {
    pub(crate) fn new(places: usize, patience: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), patience }
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
