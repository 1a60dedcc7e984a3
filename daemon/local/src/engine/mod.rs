//! The one thread that computes.
//!
//! It begins with the first request, holds one model at a time, answers requests in order, and
//! ends when nothing was asked for a while; its memory goes with it. Requests reach it through a
//! bounded queue. Invariant: a request that was taken is answered or failed, never lost; a thread
//! that goes checks the queue under the lock under which requests are put there.

mod answer;
mod kept;
mod sampler;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use moltis_core::provider::{Failure, FailureKind};
use tokio::sync::oneshot;

pub(crate) use answer::Job;
use answer::{Broken, Loaded, Surroundings};

use crate::model::Gone;

/// Requests that may wait.
const QUEUE: usize = 16;
/// The listener may be this many chunks behind before the model waits for it.
pub(crate) const CHUNKS: usize = 64;
/// More threads than this wait for memory, not for arithmetic.
const MOST_THREADS: usize = 4;

/// What the engine needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// 0 chooses.
    pub(crate) threads: usize,
    pub(crate) idle: Duration,
    pub(crate) max_context: usize,
}

enum Order {
    Answer {
        path: PathBuf,
        job: Job,
    },
    /// Frees the memory of a model, if it is the one that is loaded.
    Unload {
        path: PathBuf,
    },
}

/// A handle to the thread. Dropping it stops the thread.
pub(crate) struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    stopping: AtomicBool,
    running: Mutex<Option<Running>>,
}

struct Running {
    orders: SyncSender<Order>,
    thread: JoinHandle<()>,
    /// Resolves when the thread has let go of everything.
    gone: oneshot::Receiver<()>,
}

impl Engine {
    pub(crate) fn new(settings: Settings) -> Self {
        let stopping = AtomicBool::new(false);
        Self { shared: Arc::new(Shared { settings, stopping, running: Mutex::new(None) }) }
    }

    /// Hands a request over; what becomes of it is told through `job.out`.
    ///
    /// # Errors
    /// When too many requests wait or the daemon is stopping.
    pub(crate) fn answer(&self, path: PathBuf, job: Job) -> Result<(), Failure> {
        let mut order = Order::Answer { path, job };
        let mut running = self.shared.lock();
        loop {
            if self.shared.stopping.load(Ordering::Relaxed) {
                return Err(Failure::new(FailureKind::Overload, "the daemon is stopping"));
            }
            let orders = match &*running {
                Some(thread) => &thread.orders,
                None => &running.insert(start(&self.shared)?).orders,
            };
            order = match orders.try_send(order) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => {
                    return Err(Failure::new(
                        FailureKind::Overload,
                        format!("{QUEUE} requests wait for the local model already"),
                    ));
                }
                // Only a thread that died of a defect leaves its queue behind.
                Err(TrySendError::Disconnected(order)) => {
                    *running = None;
                    order
                }
            };
        }
    }

    /// Frees the memory of a model after the requests that wait. A full queue leaves it to the
    /// idle time.
    pub(crate) fn unload(&self, path: PathBuf) {
        if let Some(thread) = &*self.shared.lock()
            && thread.orders.try_send(Order::Unload { path }).is_err()
        {
            tracing::debug!("the local engine is busy; its model is unloaded when it idles");
        }
    }

    /// Whether a model may be in memory.
    #[cfg(test)]
    pub(crate) fn is_running(&self) -> bool {
        self.shared.lock().is_some()
    }

    /// Ends the running answer at its next token and waits until all memory is free.
    pub(crate) async fn shut_down(&self) {
        if let Some(running) = self.shared.stop() {
            drop(running.orders);
            // An error says that the thread is gone already.
            if running.gone.await.is_err() {
                tracing::debug!("the local engine ended before it was told to");
            }
            if running.thread.join().is_err() {
                tracing::error!("the local engine's thread panicked");
            }
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.shared.stop());
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) -> Option<Running> {
        self.stopping.store(true, Ordering::Relaxed);
        self.lock().take()
    }

    /// Takes the thread's own entry away, unless an order came in the last moment.
    fn leave(&self, orders: &Receiver<Order>) -> Option<Order> {
        let mut running = self.lock();
        let order = orders.try_recv().ok();
        if order.is_none() {
            *running = None;
        }
        order
    }
}

fn start(shared: &Arc<Shared>) -> Result<Running, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(FailureKind::Overload, format!("start the local engine: {error}"))
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads(shared.settings.threads))
        .thread_name(|index| format!("model-{index}"))
        .build()
        .map_err(|error| failed(&error))?;
    let (orders, queue) = sync_channel(QUEUE);
    let (going, gone) = oneshot::channel();
    let shared = Arc::clone(shared);
    let thread = std::thread::Builder::new()
        .name("model".to_owned())
        .spawn(move || {
            Thread { shared, pool, loaded: None }.run(&queue);
            // All is dropped by now.
            let waited = going.send(()).is_ok();
            tracing::debug!(waited, "the local engine ended");
        })
        .map_err(|error| failed(&error))?;
    Ok(Running { orders, thread, gone })
}

fn threads(wanted: usize) -> usize {
    if wanted > 0 {
        return wanted;
    }
    let allowed = std::thread::available_parallelism().map_or(1, usize::from);
    candle_core::utils::get_num_threads().min(allowed).clamp(1, MOST_THREADS)
}

/// What tells a file from another one of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    path: PathBuf,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        let modified = metadata.modified().ok();
        Ok(Self { path: path.to_owned(), bytes: metadata.len(), modified })
    }
}

struct Thread {
    shared: Arc<Shared>,
    pool: rayon::ThreadPool,
    loaded: Option<(Stamp, Loaded)>,
}

impl Thread {
    fn run(mut self, queue: &Receiver<Order>) {
        loop {
            let order = match queue.recv_timeout(self.shared.settings.idle) {
                Ok(order) => order,
                Err(RecvTimeoutError::Timeout) => match self.shared.leave(queue) {
                    Some(order) => order,
                    None => return tracing::info!("unloaded the local model"),
                },
                Err(RecvTimeoutError::Disconnected) => return,
            };
            match order {
                Order::Answer { path, job } => self.answer(&path, &job),
                Order::Unload { path } => {
                    self.loaded.take_if(|(stamp, _)| stamp.path == path);
                }
            }
        }
    }

    fn answer(&mut self, path: &Path, job: &Job) {
        let shared = Arc::clone(&self.shared);
        let stopping = move || shared.stopping.load(Ordering::Relaxed);
        let gone = || job.out.is_closed() || stopping();
        if gone() {
            return;
        }
        let loaded = self.load(path, &gone).map_err(Broken::from);
        let result = loaded.and_then(|()| match &mut self.loaded {
            Some((_, loaded)) => {
                loaded.answer(job, &Surroundings { pool: &self.pool, gone: &gone })
            }
            None => Err(Broken::Cancelled),
        });
        let failure = match result {
            Ok(()) => return,
            Err(Broken::Failed(failure)) => failure,
            Err(Broken::Cancelled) if stopping() => {
                Failure::new(FailureKind::Overload, "the daemon is stopping")
            }
            Err(Broken::Cancelled) => return,
        };
        // A listener that has gone meanwhile needs no reason; a slow one is waited for.
        drop(job.out.blocking_send(Err(failure)));
    }

    fn load(&mut self, path: &Path, gone: Gone<'_>) -> crate::error::Result<()> {
        let stamp = Stamp::of(path)?;
        if self.loaded.as_ref().is_some_and(|(loaded, _)| *loaded == stamp) {
            return Ok(());
        }
        // The old one goes first: two may not fit.
        self.loaded = None;
        let began = Instant::now();
        let max_context = self.shared.settings.max_context;
        let loaded = self.pool.install(|| Loaded::load(path, max_context, gone))?;
        tracing::info!(
            path = %path.display(),
            ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "loaded a local model"
        );
        self.loaded = Some((stamp, loaded));
        Ok(())
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
