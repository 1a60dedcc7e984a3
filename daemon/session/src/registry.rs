//! The actors that are awake, by session.
//!
//! An actor is made when something is asked of its session and goes when it has nothing to do,
//! nobody reads it, and a minute has passed. Commands are handed over under the lock under which
//! an idle actor leaves, so that none is put into the mailbox of one that has gone, and there are
//! never two actors of one session.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use moltis_core::env::Env;
use moltis_core::error::{Code, Error, Result};
use moltis_core::id::SessionId;
use moltis_core::journal::Journal;
use moltis_core::models::Models;
use moltis_core::session::{Summary, TurnRules};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::actor::Actor;
use crate::budget::Budget;
use crate::cursor::Counted;
use crate::hands::Hands;
use crate::live::{Closed, Live};
use crate::mailbox::Command;
use crate::own::Children;
use crate::sessions::Sessions;

/// Commands that wait for one actor.
const MAILBOX: usize = 256;

/// Actors that are awake at once.
const MOST_ACTORS: usize = 4_096;

/// What all actors share.
pub(crate) struct Shared {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) models: Arc<dyn Models>,
    pub(crate) env: Arc<dyn Env>,
    pub(crate) hands: Hands,
    pub(crate) rules: RwLock<Arc<TurnRules>>,
    /// What everybody spends.
    pub(crate) budget: Arc<Budget>,
    /// The daemon is stopping.
    pub(crate) closing: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// Agents that agents have at work.
    pub(crate) children: Children,
    /// Whoever opens the doors to other sessions.
    pub(crate) sessions: Weak<Sessions>,
    pub(crate) running: Arc<AtomicU64>,
    pub(crate) attached: Arc<AtomicU64>,
    handles: Mutex<HashMap<SessionId, Handle>>,
}

struct Handle {
    mailbox: mpsc::Sender<Command>,
    live: Arc<Live>,
}

impl Shared {
    pub(crate) fn new(
        journal: Arc<dyn Journal>,
        models: Arc<dyn Models>,
        env: Arc<dyn Env>,
        hands: Hands,
        rules: TurnRules,
        sessions: Weak<Sessions>,
    ) -> Arc<Self> {
        Arc::new(Self {
            budget: Budget::new(journal.clone(), env.clone()),
            journal,
            models,
            env,
            hands,
            rules: RwLock::new(Arc::new(rules)),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
            children: Children::default(),
            sessions,
            running: Arc::default(),
            attached: Arc::default(),
            handles: Mutex::default(),
        })
    }

    pub(crate) fn rules(&self) -> Arc<TurnRules> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn handles(&self) -> MutexGuard<'_, HashMap<SessionId, Handle>> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a command to the session's actor.
    ///
    /// # Errors
    /// `NotFound` when there is no such session, `Busy` when too much waits for it.
    pub(crate) async fn submit(
        self: &Arc<Self>,
        session: &SessionId,
        mut command: Command,
    ) -> Result<()> {
        loop {
            {
                let mut handles = self.handles();
                if let Some(handle) = handles.get(session) {
                    match handle.mailbox.try_send(command) {
                        Ok(()) => return Ok(()),
                        Err(TrySendError::Full(_)) => return Err(busy()),
                        Err(TrySendError::Closed(back)) => {
                            handles.remove(session);
                            command = back;
                        }
                    }
                }
            }
            self.wake(session).await?;
        }
    }

    /// Counts a reader in on the session's live state.
    pub(crate) async fn reader(self: &Arc<Self>, session: &SessionId) -> Result<Counted> {
        loop {
            {
                let mut handles = self.handles();
                if let Some(handle) = handles.get(session) {
                    if !handle.mailbox.is_closed() {
                        return Ok(Counted::new(handle.live.clone(), self.attached.clone()));
                    }
                    handles.remove(session);
                }
            }
            self.wake(session).await?;
        }
    }

    /// Makes an actor for the session unless it has one.
    async fn wake(self: &Arc<Self>, session: &SessionId) -> Result<()> {
        if self.closing.is_cancelled() {
            return Err(stopping());
        }
        let summary = self.journal.summary(session).await?.ok_or_else(|| not_found(session))?;
        let mut handles = self.handles();
        if handles.contains_key(session) {
            return Ok(());
        }
        if handles.len() >= MOST_ACTORS {
            return Err(busy());
        }
        let live = Live::new(summary.clone());
        let (mailbox, commands) = mpsc::channel(MAILBOX);
        let actor = Actor::new(self.clone(), live.clone(), summary, commands);
        handles.insert(session.clone(), Handle { mailbox, live });
        drop(handles);
        self.tasks.spawn(actor.run());
        Ok(())
    }

    /// Lets an actor go if nothing waits for it and nobody reads it. After `true` its mailbox
    /// gets no more.
    pub(crate) fn retire(
        &self,
        session: &SessionId,
        live: &Arc<Live>,
        commands: &mpsc::Receiver<Command>,
    ) -> bool {
        let mut handles = self.handles();
        if !commands.is_empty() || live.is_attached() {
            return false;
        }
        if handles.get(session).is_some_and(|handle| Arc::ptr_eq(&handle.live, live)) {
            handles.remove(session);
        }
        true
    }

    /// Takes an actor off the list, whatever waits for it.
    pub(crate) fn remove(&self, session: &SessionId, live: &Arc<Live>) {
        let mut handles = self.handles();
        if handles.get(session).is_some_and(|handle| Arc::ptr_eq(&handle.live, live)) {
            handles.remove(session);
        }
    }

    /// How many actors are awake.
    #[cfg(test)]
    pub(crate) fn awake(&self) -> usize {
        self.handles().len()
    }

    /// The session as its actor has it, or as the log does.
    pub(crate) async fn summary(&self, session: &SessionId) -> Result<Summary> {
        self.journal.summary(session).await?.ok_or_else(|| not_found(session))
    }
}

/// Takes the actor off the list and ends its readers however it ends, a panic included.
pub(crate) struct Leave {
    pub(crate) shared: Arc<Shared>,
    pub(crate) session: SessionId,
    pub(crate) live: Arc<Live>,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.shared.remove(&self.session, &self.live);
        self.live.close(Closed::Stopping);
    }
}

pub(crate) fn not_found(session: &SessionId) -> Error {
    Error::new(Code::NotFound, format!("there is no session `{session}`"))
        .with_hint("moltis sessions list")
}

pub(crate) fn stopping() -> Error {
    Error::new(Code::Unavailable, "the daemon is stopping")
}

pub(crate) fn busy() -> Error {
    Error::new(Code::Busy, "too many messages wait already").with_hint("send it again later")
}
