//! A turn that is being worked on: the machine, its tasks and its timers.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moltis_agent::turn::Turn;
use moltis_core::assistant::Caller;
use moltis_core::error::Result;
use moltis_core::id::{ApprovalId, OpId, TurnId};
use moltis_core::models::Candidate;
use moltis_core::tool::{Scene, Tool};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::budget::{Account, Paid};
use crate::call::{INBOX, Outcome, What};
use crate::telling::Done;
use crate::undo::Before;

/// The longest that a saved draft may lag behind what was shown.
const DRAFT_AGE: Duration = Duration::from_millis(250);

/// Bytes after which a draft is saved before that.
const DRAFT_BYTES: usize = 4 << 10;

/// How long the tasks of a turn may take to go away once they are told to.
const GOING: Duration = Duration::from_secs(2);

/// A draft that is being saved.
pub(crate) type Saving = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

pub(crate) struct Running {
    pub(crate) id: TurnId,
    pub(crate) turn: Turn,
    pub(crate) candidates: Vec<Candidate>,
    /// The tasks of the turn; `cancelled` tells them to stop.
    pub(crate) tasks: JoinSet<()>,
    pub(crate) cancelled: CancellationToken,
    pub(crate) inbox: mpsc::Receiver<Outcome>,
    pub(crate) sender: mpsc::Sender<Outcome>,
    /// The number of the newest task; outcomes of older ones are void.
    pub(crate) call: u32,
    /// When the wait before the next attempt is over.
    pub(crate) wake: Option<Instant>,
    /// When the turn has taken too long, and how long that is.
    pub(crate) deadline: Option<(Instant, Duration)>,
    /// What was left until then when the turn began to wait for a person.
    pub(crate) paused: Option<(Duration, Duration)>,
    /// The question whose time is over first, and when that is.
    pub(crate) answer_by: Option<(Instant, ApprovalId)>,
    /// Where its calls happen.
    pub(crate) scene: Scene,
    /// The tools that it was offered.
    pub(crate) tools: Vec<Arc<dyn Tool>>,
    /// What the workspace was like before the turn's first call that may change it.
    pub(crate) before: Arc<Before>,
    /// Such a call was begun.
    pub(crate) changed: bool,
    /// A program was begun, which may have left others running.
    pub(crate) ran: bool,
    /// Calls that are being made.
    pub(crate) acting: usize,
    /// What it may spend.
    pub(crate) account: Account,
    /// The call of a model that is being made.
    pub(crate) paid: Option<Paid>,
    /// What hooks are told of it.
    pub(crate) done: Done,
    pub(crate) draft: Pacer,
    pub(crate) saving: Option<Saving>,
    /// Who wants it to end, if a person does, and by which command.
    pub(crate) stopped_by: Option<(Caller, Option<OpId>)>,
    _counted: Counted,
}

impl Running {
    pub(crate) fn new(
        turn: Turn,
        scene: Scene,
        tools: Vec<Arc<dyn Tool>>,
        account: Account,
        limit: Option<Duration>,
        count: Arc<AtomicU64>,
    ) -> Self {
        let (sender, inbox) = mpsc::channel(INBOX);
        count.fetch_add(1, Ordering::Relaxed);
        Self {
            id: scene.turn.clone(),
            turn,
            paused: None,
            answer_by: None,
            scene,
            tools,
            before: Arc::default(),
            changed: false,
            ran: false,
            acting: 0,
            account,
            paid: None,
            done: Done::default(),
            candidates: Vec::new(),
            tasks: JoinSet::new(),
            cancelled: CancellationToken::new(),
            inbox,
            sender,
            call: 0,
            wake: None,
            deadline: limit.and_then(|limit| Some((Instant::now().checked_add(limit)?, limit))),
            draft: Pacer::default(),
            saving: None,
            stopped_by: None,
            _counted: Counted(count),
        }
    }

    /// Runs a task of the turn until it ends, the next begins or the turn ends.
    pub(crate) fn run(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        // A stream that was refused would go on beside its retry.
        self.tasks.abort_all();
        self.run_beside(task);
    }

    /// Runs a task beside the others of the turn.
    pub(crate) fn run_beside(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        let cancelled = self.cancelled.clone();
        self.tasks.spawn(async move {
            // What a cancelled task leaves behind is its provider's matter: dropping is enough.
            cancelled.run_until_cancelled(task).await;
        });
    }

    /// Takes note of what a call of a model costs.
    pub(crate) fn hear(&mut self, what: &What) {
        match (what, &mut self.paid) {
            (What::Chunk(chunk), Some(paid)) => paid.hear(chunk),
            (What::Refused(_), Some(paid)) => paid.refused(),
            _ => {}
        }
    }

    /// The earliest moment at which the turn must be looked at again.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        let draft = if self.saving.is_some() { None } else { self.draft.due_at() };
        let deadline = self.deadline.map(|(at, _)| at);
        let answer = self.answer_by.as_ref().map(|(at, _)| *at);
        [self.wake, deadline, answer, draft].into_iter().flatten().min()
    }

    /// The time that a person takes is not the turn's.
    pub(crate) fn wait_for_person(&mut self, waits: bool) {
        let now = Instant::now();
        self.account.runs(!waits);
        if waits && let Some((at, limit)) = self.deadline.take() {
            self.paused = Some((at.saturating_duration_since(now), limit));
        } else if !waits && let Some((left, limit)) = self.paused.take() {
            self.deadline = now.checked_add(left).map(|at| (at, limit));
        }
    }

    /// Waits for the draft that is being saved, so that it can't be saved after what replaces it.
    pub(crate) async fn saved(&mut self) {
        if let Some(saving) = self.saving.take()
            && let Err(error) = saving.await
        {
            tracing::debug!(%error, "failed to save a draft");
        }
    }

    /// Ends every task of the turn. When this returns, none of them runs any more.
    pub(crate) async fn halt(&mut self) {
        self.cancelled.cancel();
        let gone = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(GOING, gone).await.is_err() {
            tracing::warn!(turn = %self.id, "a task of a turn does not end; it is aborted");
            self.tasks.abort_all();
        }
    }

    /// The same, and nothing is heard of the turn any more.
    pub(crate) async fn end(mut self) {
        self.inbox.close();
        self.halt().await;
    }
}

/// Counts a running turn for as long as it lives.
struct Counted(Arc<AtomicU64>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Decides when a draft is saved: at most 250 ms after it grew, sooner when it grew by 4 KiB or,
/// for long ones, by an eighth, so that the sum of what is written stays in proportion.
#[derive(Debug, Default)]
pub(crate) struct Pacer {
    saved: usize,
    bytes: usize,
    dirty_since: Option<Instant>,
}

impl Pacer {
    /// The draft has so many bytes now; says whether to save it.
    pub(crate) fn grew_to(&mut self, bytes: usize, now: Instant) -> bool {
        if bytes < self.saved {
            *self = Self::default();
        }
        self.bytes = bytes;
        if bytes > self.saved && self.dirty_since.is_none() {
            self.dirty_since = Some(now);
        }
        let grown = bytes - self.saved;
        grown >= DRAFT_BYTES.max(self.saved / 8) || self.due_at().is_some_and(|due| due <= now)
    }

    /// It is being saved as it is.
    pub(crate) fn saved(&mut self) {
        self.saved = self.bytes;
        self.dirty_since = None;
    }

    /// When it must be saved at the latest.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        self.dirty_since.map(|since| since + DRAFT_AGE)
    }
}

#[cfg(test)]
#[path = "running_tests.rs"]
mod tests;
