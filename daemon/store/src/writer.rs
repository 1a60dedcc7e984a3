//! The one writer: a thread that commits what callers hand it, many at a time.
//!
//! A job is answered after the fsync of the transaction that holds it, never before. While one
//! transaction is being synced the next jobs gather; a lone caller never waits for others. After a
//! failure every job of the transaction is told so, the database is reopened, and nothing is tried
//! again: the log tells what became of them.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use moltis_core::error::{Code, Error as Told};
use tokio::sync::{Semaphore, oneshot};

use crate::engine::{Care, Engine, unpanicked};
use crate::error::{Error, Result};
use crate::projector::Signal;
use crate::tables::Tables;

/// Jobs that may wait.
const QUEUE: usize = 4096;
/// What waiting jobs may hold in all, in KiB.
const QUEUE_KIB: u32 = 128 << 10;
/// Jobs in one transaction.
const BATCH: usize = 1024;
/// The longest wait for others while others are about.
const LINGER: Duration = Duration::from_millis(2);
/// With less room than this on the disk, only deletions are taken.
pub(crate) const LOW_ROOM: u64 = 16 << 20;
/// Pauses between attempts to reopen the database.
const REOPEN_PAUSES: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// What a job does to the tables: the inner error refuses the job, and then it must have written
/// nothing; the outer one means that the store failed, and all jobs of the transaction with it.
pub(crate) type Applied<T> = Result<Result<T, Told>>;

/// What a job is about, as far as its turn depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// It makes the file grow.
    Room,
    /// It makes room; it is taken however little is left.
    NoRoom,
}

trait Job: Send {
    fn need(&self) -> Need;
    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<()>;
    fn answer(self: Box<Self>, failure: Option<&Told>);
}

struct Work<T, F> {
    need: Need,
    run: Option<F>,
    outcome: Option<Result<T, Told>>,
    reply: oneshot::Sender<Result<T, Told>>,
    /// Its share of the queue's room, given back when it is answered.
    _room: Option<tokio::sync::OwnedSemaphorePermit>,
}

impl<T, F> Job for Work<T, F>
where
    T: Send,
    F: FnOnce(&mut Tables<'_>) -> Applied<T> + Send,
{
    fn need(&self) -> Need {
        self.need
    }

    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<()> {
        if let Some(run) = self.run.take() {
            let outcome = run(tables)?;
            tables.dirty |= outcome.is_ok();
            self.outcome = Some(outcome);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, failure: Option<&Told>) {
        let outcome = match (failure, self.outcome) {
            // A refusal stands whatever became of the transaction.
            (_, Some(Err(refusal))) => Err(refusal),
            (Some(failure), _) => Err(failure.clone()),
            (None, Some(outcome)) => outcome,
            (None, None) => Err(stopping()),
        };
        // A caller that has gone reads the log when it comes back.
        drop(self.reply.send(outcome));
    }
}
/// The writer's bounded queue.
type JobSender = SyncSender<Box<dyn Job>>;

/// The way to the writer.
#[derive(Clone)]
pub(crate) struct Writer {
    sender: Arc<Mutex<Option<JobSender>>>,
    room: Arc<Semaphore>,
}

impl Writer {
    /// Starts the writer's thread.
    pub(crate) fn start(
        engine: Arc<Engine>,
        signal: Arc<Signal>,
    ) -> Result<(Self, JoinHandle<()>)> {
        // One place more for the projector, which has one job under way at most.
        let (sender, receiver) = sync_channel(QUEUE + 1);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || Loop { engine, signal, receiver, last_batch: 0, failures: 0 }.run())
            .map_err(Error::file("start the thread of", "the store's writer"))?;
        let room = Arc::new(Semaphore::new(QUEUE_KIB as usize));
        Ok((Self { sender: Arc::new(Mutex::new(Some(sender))), room }, thread))
    }

    /// Has a job done; returns when it is on disk. `bytes` is about what it holds in memory.
    /// Dropping the call does not take the job back.
    pub(crate) async fn submit<T, F>(&self, need: Need, bytes: usize, run: F) -> Result<T, Told>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tables<'_>) -> Applied<T> + Send + 'static,
    {
        // At least as much as leaves room for no more than QUEUE jobs.
        let kib = u32::try_from(bytes / 1024).unwrap_or(QUEUE_KIB).max(QUEUE_KIB / QUEUE as u32);
        let room = Arc::clone(&self.room)
            .acquire_many_owned(kib.min(QUEUE_KIB))
            .await
            .map_err(|_| stopping())?;
        let (reply, answer) = oneshot::channel();
        self.send(Box::new(Work {
            need,
            run: Some(run),
            outcome: None,
            reply,
            _room: Some(room),
        }))?;
        answer.await.map_err(|_| stopping())?
    }

    /// Has a job of the projector done, from its own thread.
    pub(crate) fn submit_blocking<T, F>(&self, run: F) -> Result<T, Told>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tables<'_>) -> Applied<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let need = Need::Room;
        self.send(Box::new(Work { need, run: Some(run), outcome: None, reply, _room: None }))?;
        answer.blocking_recv().map_err(|_| stopping())?
    }

    /// Takes no more jobs; the thread ends when the waiting ones are done.
    pub(crate) fn stop(&self) {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn send(&self, job: Box<dyn Job>) -> Result<(), Told> {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = sender.as_ref().ok_or_else(stopping)?;
        sender.try_send(job).map_err(|_| Told::new(Code::Busy, "too much waits to be written"))
    }
}

fn stopping() -> Told {
    Told::new(Code::Unavailable, "the store is closing")
}

struct Loop {
    engine: Arc<Engine>,
    signal: Arc<Signal>,
    receiver: Receiver<Box<dyn Job>>,
    /// Jobs in the last transaction: about as many callers are about.
    last_batch: usize,
    /// Failed attempts to reopen the database in a row.
    failures: usize,
}

impl Loop {
    fn run(mut self) {
        while let Some(batch) = self.collect() {
            self.last_batch = batch.len();
            if !batch.is_empty() {
                self.commit(batch);
            }
        }
        self.engine.end();
    }

    /// The next jobs; none when it was time to reopen the database, `None` when all is done.
    fn collect(&mut self) -> Option<Vec<Box<dyn Job>>> {
        let first = if self.engine.is_open() {
            self.receiver.recv().ok()?
        } else {
            let pause = REOPEN_PAUSES[self.failures.min(REOPEN_PAUSES.len() - 1)];
            match self.receiver.recv_timeout(pause) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => {
                    // Whether it worked is seen at the next round.
                    drop(self.reopen(Care::Thorough));
                    return Some(Vec::new());
                }
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        };
        let mut batch = vec![first];
        let until = Instant::now() + LINGER;
        while batch.len() < BATCH {
            if let Ok(job) = self.receiver.try_recv() {
                batch.push(job);
                continue;
            }
            if batch.len() >= self.last_batch {
                break;
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(left) {
                Ok(job) => batch.push(job),
                Err(_) => break,
            }
        }
        Some(batch)
    }

    fn commit(&mut self, mut batch: Vec<Box<dyn Job>>) {
        if !self.engine.is_open()
            && let Err(failure) = self.reopen(Care::Thorough)
        {
            for job in batch {
                job.answer(Some(&failure));
            }
            return;
        }
        if self.engine.room().is_some_and(|room| room < LOW_ROOM) {
            let (taken, refused) = batch.into_iter().partition(|job| job.need() == Need::NoRoom);
            batch = taken;
            self.refuse_for_room(refused);
            if batch.is_empty() {
                return;
            }
        }
        let result = unpanicked(|| self.transact(&mut batch));
        match result {
            Ok(touched) => {
                self.engine.set_trouble(None);
                // Before the answers: whoever has one may ask for its work to be waited for.
                self.signal.notify(touched);
                for job in batch {
                    job.answer(None);
                }
            }
            Err(error) => {
                let full = error.is_full();
                let failure = Told::from(error);
                self.engine.set_trouble(Some(failure.message.clone()));
                for job in batch {
                    job.answer(Some(&failure));
                }
                // A full disk damages nothing; whatever else failed may have.
                // If that fails, it is tried again later, and whoever comes meanwhile is told so.
                drop(self.reopen(if full { Care::Usual } else { Care::Thorough }));
            }
        }
    }

    fn refuse_for_room(&self, refused: Vec<Box<dyn Job>>) {
        let mib = LOW_ROOM >> 20;
        let message = format!("the disk of the data directory has less than {mib} MiB left");
        self.engine.set_trouble(Some(message.clone()));
        let failure = Told::new(Code::Storage, message).with_hint("free some space on it");
        for job in refused {
            job.answer(Some(&failure));
        }
    }

    fn transact(&self, batch: &mut [Box<dyn Job>]) -> Result<Vec<moltis_core::SessionId>> {
        let txn = self.engine.begin_write()?;
        let (touched, dirty) = {
            let mut tables = Tables::open(&txn)?;
            for job in batch {
                job.apply(&mut tables)?;
            }
            (std::mem::take(&mut tables.touched), tables.dirty)
        };
        if dirty {
            txn.commit()?;
        } else {
            // Every job was refused: there is nothing to sync.
            txn.abort()?;
        }
        Ok(touched)
    }

    fn reopen(&mut self, care: Care) -> Result<(), Told> {
        let opened = self.engine.reopen(care);
        match opened {
            Ok(()) => {
                self.failures = 0;
                Ok(())
            }
            Err(error) => {
                self.failures += 1;
                let told = Told::from(error);
                self.engine.set_trouble(Some(told.message.clone()));
                Err(told)
            }
        }
    }
}
