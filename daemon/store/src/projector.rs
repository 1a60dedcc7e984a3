//! The background: a thread that brings transcripts and the search index up to the log.
//!
//! Lines are appended to transcripts at once, without a sync. When things are quiet for a moment,
//! and at the latest every few seconds, the files are synced and the store is told how far they
//! go; a crash before that has the tail compared anew. Messages are indexed many at a time. Idle,
//! the thread sleeps without a timer. A failure here harms no session: it is logged and tried
//! again at the next occasion.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use moltis_core::error::Error as Told;
use moltis_core::id::SessionId;
use redb::{ReadTransaction, ReadableTable};
use tokio::sync::oneshot;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::paths;
use crate::read;
use crate::search::{self, Addition, prepare_addition};
use crate::tables::{DOOMED, DUE, INDEX_DUE, INDEXED, META_INDEX, TRANSCRIPT_DUE, TRANSCRIPTS};
use crate::tables::{META, meta_number};
use crate::transcript::{self, Position, Transcript};
use crate::words;
use crate::writer::Writer;

/// The pause in which more work gathers.
const GATHER: Duration = Duration::from_millis(20);
/// The quiet after which transcripts are synced.
const QUIET: Duration = Duration::from_secs(1);
/// The longest that transcripts go without a sync while there is work.
const UNSYNCED: Duration = Duration::from_secs(5);
/// How long the thread may go on once it is to end; what is left is due at the next start.
const FINISH: Duration = Duration::from_secs(2);
/// Transcripts that are open at a time.
const OPEN: usize = 128;
/// Sessions that may wait by name; beyond that the store's own list is read.
const NAMED: usize = 4096;
/// Events that are read at a time.
const EVENTS: usize = 512;
/// Events since the last indexing that are worth the next one.
const WORTH_INDEXING: u64 = 512;
/// Rows of the index that are written in one job.
const INDEX_ROWS: usize = 2048;

/// What the projector is told.
#[derive(Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    touched: BTreeSet<SessionId>,
    /// Events are due that nobody named: the store's list is to be read.
    look: bool,
    /// Who waits until everything that was committed is projected and synced.
    waiting: Vec<oneshot::Sender<()>>,
    /// Somebody waits for the index, too.
    index: bool,
    /// The thread is to end, by then at the latest.
    stopping: Option<Instant>,
}

impl State {
    fn has_work(&self) -> bool {
        self.look || !self.touched.is_empty()
    }

    fn is_urgent(&self) -> bool {
        self.stopping.is_some() || !self.waiting.is_empty()
    }

    fn is_late(&self) -> bool {
        self.stopping.is_some_and(|by| by <= Instant::now())
    }
}

/// How much of the background somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settle {
    /// Transcripts are on disk, and those of deleted sessions are gone.
    Transcripts,
    /// The index holds every message as well.
    Everything,
}

impl Signal {
    /// There is new work for these sessions.
    pub(crate) fn notify(&self, touched: Vec<SessionId>) {
        if touched.is_empty() {
            return;
        }
        let mut state = self.lock();
        if state.touched.len() + touched.len() > NAMED {
            state.touched.clear();
            state.look = true;
        } else if !state.look {
            state.touched.extend(touched);
        }
        self.wake.notify_one();
    }

    /// Asks for everything that is committed now to be projected and synced.
    pub(crate) fn settle(&self, what: Settle) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        state.index |= what == Settle::Everything;
        // Whoever has stopped waiting needs no place.
        state.waiting.retain(|waiting| !waiting.is_closed());
        state.waiting.push(sender);
        self.wake.notify_one();
        receiver
    }

    /// Ends the thread after a last settling.
    pub(crate) fn stop(&self) {
        self.lock().stopping = Some(Instant::now() + FINISH);
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the projector's thread.
pub(crate) fn start(
    dir: PathBuf,
    engine: Arc<Engine>,
    writer: Writer,
    signal: Arc<Signal>,
) -> Result<JoinHandle<()>> {
    signal.lock().look = true;
    let projector = Projector {
        dir,
        engine,
        writer,
        signal,
        open: BTreeMap::new(),
        synced: Instant::now(),
        unindexed: 0,
        first: true,
        missed: false,
    };
    std::thread::Builder::new()
        .name("store-projector".into())
        .spawn(move || projector.run())
        .map_err(Error::file("start the thread of", "the store's projector"))
}

struct Projector {
    dir: PathBuf,
    engine: Arc<Engine>,
    writer: Writer,
    signal: Arc<Signal>,
    /// Transcripts that were written to since the last sync.
    open: BTreeMap<SessionId, Transcript>,
    synced: Instant,
    /// Events since the last indexing, about.
    unindexed: u64,
    /// Nothing was done yet.
    first: bool,
    /// Something failed: the store's list is to be read at the next occasion.
    missed: bool,
}

/// What is to be done next.
enum Task {
    Pass { touched: BTreeSet<SessionId>, look: bool },
    Settle,
    Stop,
}

/// Who waits, and whether for the index, too.
#[derive(Default)]
struct Waiting {
    index: bool,
    who: Vec<oneshot::Sender<()>>,
}

impl Projector {
    fn run(mut self) {
        loop {
            let (task, waiting) = self.next();
            let settles = !matches!(task, Task::Pass { .. }) || !waiting.who.is_empty();
            let stops = matches!(task, Task::Stop);
            if let Task::Pass { touched, look } = task {
                self.report(|it| it.pass(touched, look));
            }
            if settles {
                self.report(|it| it.settle(waiting.index));
            }
            for waiting in waiting.who {
                if waiting.send(()).is_err() {
                    tracing::debug!("whoever waited for the projector has gone");
                }
            }
            if stops {
                return;
            }
        }
    }

    /// Waits for work, and lets a little more of it gather. Whoever waits is answered after the work
    /// that there was when they came, however much comes after that.
    fn next(&self) -> (Task, Waiting) {
        let signal = &self.signal;
        let mut state = signal.lock();
        let take = |state: &mut State| Waiting {
            index: std::mem::take(&mut state.index),
            who: std::mem::take(&mut state.waiting),
        };
        loop {
            if state.is_late() {
                return (Task::Stop, take(&mut state));
            }
            if state.has_work() {
                if !self.open.is_empty() && self.synced.elapsed() > UNSYNCED {
                    return (Task::Settle, Waiting::default());
                }
                state = signal
                    .wake
                    .wait_timeout_while(state, GATHER, |state| !state.is_urgent())
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
                let look = std::mem::take(&mut state.look);
                let touched = std::mem::take(&mut state.touched);
                return (Task::Pass { touched, look }, take(&mut state));
            }
            if !state.waiting.is_empty() {
                return (Task::Settle, take(&mut state));
            }
            if state.stopping.is_some() {
                return (Task::Stop, Waiting::default());
            }
            let idle = |state: &mut State| !state.has_work() && !state.is_urgent();
            if self.open.is_empty() {
                state = signal.wake.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (next, timeout) = signal
                .wake
                .wait_timeout_while(state, QUIET, idle)
                .unwrap_or_else(PoisonError::into_inner);
            state = next;
            if timeout.timed_out() {
                return (Task::Settle, Waiting::default());
            }
        }
    }

    fn report(&mut self, run: impl FnOnce(&mut Self) -> Result<(), Told>) {
        if let Err(error) = run(self) {
            tracing::warn!(%error, "the transcripts or the search index could not be written");
            // What is known of the files may be wrong now: they are compared at the next time.
            self.open.clear();
            self.missed = true;
        }
    }

    /// Brings the transcripts of some sessions up to the log; of all that are due, if `look`.
    fn pass(&mut self, mut touched: BTreeSet<SessionId>, look: bool) -> Result<(), Told> {
        if std::mem::take(&mut self.first) {
            self.renew()?;
            self.unindexed = self.engine.view(backlog)?;
        }
        let engine = Arc::clone(&self.engine);
        if std::mem::take(&mut self.missed) || look {
            touched.extend(engine.view(|txn| due(txn, TRANSCRIPT_DUE))?);
        }
        for session in touched {
            if self.signal.lock().is_late() {
                break;
            }
            if self.open.len() >= OPEN {
                self.sync()?;
            }
            match engine.view(|txn| self.transcribe(txn, &session)) {
                // A damaged session must not keep the others from being written.
                Err(Error::Damaged(what)) => {
                    tracing::warn!(what, "a transcript can't be written");
                    self.open.remove(&session);
                }
                written => written?,
            }
        }
        if self.unindexed >= WORTH_INDEXING {
            self.index()?;
        }
        self.remove_doomed()
    }

    /// Syncs the transcripts and, if asked to, indexes everything.
    fn settle(&mut self, index: bool) -> Result<(), Told> {
        self.sync()?;
        if index {
            self.index()?;
        }
        self.remove_doomed()
    }

    /// Appends a session's new events to its transcript.
    fn transcribe(&mut self, txn: &ReadTransaction, session: &SessionId) -> Result<()> {
        let Some(summary) = read::summary(txn, session)? else {
            self.open.remove(session);
            return Ok(());
        };
        let path = self.dir.join(paths::transcript(&summary.agent, session.as_str()));
        if !self.open.contains_key(session) {
            let known = txn.open_table(TRANSCRIPTS)?.get(session.as_str())?;
            let known = known.map(|row| row.value()).unwrap_or_default();
            let known = Position { seq: known.0, length: known.1 };
            self.open.insert(session.clone(), Transcript::open(&path, known)?);
        }
        let Some(transcript) = self.open.get_mut(session) else { return Ok(()) };
        loop {
            let from = transcript.position().seq + 1;
            let events = read::events(txn, session, from, u64::MAX, EVENTS)?;
            if events.is_empty() || self.signal.lock().is_late() {
                break;
            }
            transcript.write(&events).map_err(Error::file("write", &path))?;
            self.unindexed += events.len() as u64;
        }
        transcript.finish().map_err(Error::file("write", &path))
    }

    /// Brings the open transcripts to the disk and remembers how far they go.
    fn sync(&mut self) -> Result<(), Told> {
        self.synced = Instant::now();
        let open = std::mem::take(&mut self.open);
        if open.is_empty() {
            return Ok(());
        }
        let mut positions = Vec::with_capacity(open.len());
        for (session, transcript) in open {
            transcript.sync().map_err(Error::file("sync the transcript of", session.as_str()))?;
            positions.push((session, transcript.position()));
        }
        self.writer.submit_blocking(move |tables| {
            for (session, position) in &positions {
                let id = session.as_str();
                let last = match tables.summary(id) {
                    Ok(Some(summary)) => summary.last_seq,
                    Ok(None) | Err(Error::Damaged(_)) => continue,
                    Err(error) => return Err(error),
                };
                tables.transcripts.insert(id, (position.seq, position.length))?;
                let due = tables.due.get(id)?.map_or(0, |row| row.value());
                let left = if position.seq >= last { due & !TRANSCRIPT_DUE } else { due };
                if left == 0 {
                    tables.due.remove(id)?;
                } else if left != due {
                    tables.due.insert(id, left)?;
                }
            }
            Ok(Ok(()))
        })
    }

    /// Indexes every message that is not indexed yet.
    fn index(&mut self) -> Result<(), Told> {
        let engine = Arc::clone(&self.engine);
        let mut ready: Vec<(SessionId, Addition)> = Vec::new();
        let mut rows = 0;
        for session in engine.view(|txn| due(txn, INDEX_DUE))? {
            let mut after = engine.view(|txn| {
                let row = txn.open_table(INDEXED)?.get(session.as_str())?;
                Ok(row.map_or(0, |row| row.value().1))
            })?;
            loop {
                let addition = match engine.view(|txn| next_addition(txn, &session, after)) {
                    // A damaged session must not keep the others from being found.
                    Err(Error::Damaged(what)) => {
                        tracing::warn!(what, "a session can't be indexed");
                        break;
                    }
                    found => found?,
                };
                let done = addition.upto == after;
                after = addition.upto;
                rows += addition.rows() + 1;
                ready.push((session.clone(), addition));
                if rows >= INDEX_ROWS {
                    rows = 0;
                    self.add(std::mem::take(&mut ready))?;
                    if self.signal.lock().stopping.is_some() {
                        return Ok(());
                    }
                }
                if done {
                    break;
                }
            }
        }
        self.add(ready)?;
        self.unindexed = 0;
        Ok(())
    }

    fn add(&self, ready: Vec<(SessionId, Addition)>) -> Result<(), Told> {
        if ready.is_empty() {
            return Ok(());
        }
        self.writer.submit_blocking(move |tables| {
            for (session, addition) in &ready {
                match search::add(tables, session.as_str(), addition) {
                    Err(Error::Damaged(what)) => tracing::warn!(what, "can't be indexed"),
                    added => added?,
                }
            }
            Ok(Ok(()))
        })
    }

    /// Drops an index that was made by another way of splitting words, and transcripts with lines
    /// of another shape.
    fn renew(&self) -> Result<(), Told> {
        let found = self.engine.view(|txn| meta_number(&txn.open_table(META)?, META_INDEX))?;
        if found != Some(words::VERSION) {
            self.writer.submit_blocking(|tables| search::reset(tables).map(Ok))?;
        }
        if !self.engine.view(transcript::is_current)? {
            self.writer.submit_blocking(|tables| transcript::reset(tables).map(Ok))?;
        }
        Ok(())
    }

    /// Removes the transcripts of deleted sessions.
    fn remove_doomed(&mut self) -> Result<(), Told> {
        let doomed: Vec<String> = self.engine.view(|txn| {
            let table = txn.open_table(DOOMED)?;
            table.iter()?.map(|row| Ok(row?.0.value().to_owned())).collect()
        })?;
        if doomed.is_empty() {
            return Ok(());
        }
        for path in &doomed {
            let path = self.dir.join(path);
            match std::fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::file("remove", path)(error).into()),
            }
        }
        self.writer.submit_blocking(move |tables| {
            for path in &doomed {
                tables.doomed.remove(path.as_str())?;
            }
            Ok(Ok(()))
        })
    }
}

/// The sessions that have this bit of work.
fn due(txn: &ReadTransaction, bit: u8) -> Result<Vec<SessionId>> {
    let mut sessions = Vec::new();
    for row in txn.open_table(DUE)?.iter()? {
        let (session, due) = row?;
        if due.value() & bit != 0 {
            sessions.push(SessionId::from(session.value()));
        }
    }
    Ok(sessions)
}

/// How many events are not indexed.
fn backlog(txn: &ReadTransaction) -> Result<u64> {
    let indexed = txn.open_table(INDEXED)?;
    let mut backlog = 0;
    for session in due(txn, INDEX_DUE)? {
        let upto = indexed.get(session.as_str())?.map_or(0, |row| row.value().1);
        if let Ok(Some(summary)) = read::summary(txn, &session) {
            backlog += summary.last_seq.saturating_sub(upto);
        }
    }
    Ok(backlog)
}

/// The next messages of a session that fit one job, split into words.
fn next_addition(txn: &ReadTransaction, session: &SessionId, after: u64) -> Result<Addition> {
    let mut events = read::events(txn, session, after + 1, u64::MAX, EVENTS)?;
    let mut addition = prepare_addition(after, &events);
    while addition.rows() > INDEX_ROWS && events.len() > 1 {
        events.truncate(events.len() / 2);
        addition = prepare_addition(after, &events);
    }
    Ok(addition)
}

#[cfg(test)]
#[path = "projector_tests.rs"]
mod tests;
