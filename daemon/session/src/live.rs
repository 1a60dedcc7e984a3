//! What readers of a session share: its last events, the item that is growing, and where it is.
//!
//! The actor writes here and goes on; it never waits for a reader. Readers look whenever they
//! like ([`crate::cursor`]) and are woken by a counter. The lock is held for a few pointer moves.
//! The invariant: an item is either growing or in the events, never both, because an event is
//! published and its growing text dropped under one lock.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moltis_core::event::{Event, EventKind};
use moltis_core::feed::Strand;
use moltis_core::id::{ItemId, TurnId};
use moltis_core::message::Part;
use moltis_core::session::Summary;
use tokio::sync::{Notify, watch};

/// Events kept for readers that are nearly up to date; older ones are read from the log.
const MOST_EVENTS: usize = 512;

/// Bytes of text and pictures in those events.
const MOST_BYTES: usize = 1 << 20;

/// Bytes of what one call prints that are shown while it is made.
const MOST_OUTPUT: usize = 256 << 10;

/// Why there is nothing more to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// The session is gone.
    Deleted,
    /// The daemon stops; what is on disk is still given.
    Stopping,
}

/// The live state of a session.
#[derive(Debug)]
pub(crate) struct Live {
    state: Mutex<State>,
    changed: watch::Sender<()>,
    /// The last reader left.
    left: Notify,
}

/// What is behind the lock.
#[derive(Debug)]
pub(crate) struct State {
    /// The session after its last event.
    pub(crate) summary: Summary,
    /// The last events, without gaps, ending with the session's last.
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    /// The items that are growing, in the order in which they began: an answer, or the calls that are
    /// being made.
    pub(crate) growing: Vec<Growing>,
    /// What is going on, in which turn, and how often that changed.
    pub(crate) progress: (u64, Option<(TurnId, String)>),
    /// Why there is nothing more to come.
    pub(crate) closed: Option<Closed>,
    /// Readers that follow.
    attached: usize,
}

/// A growing item.
#[derive(Debug)]
pub(crate) struct Growing {
    pub(crate) turn: TurnId,
    pub(crate) item: ItemId,
    /// Its strands in the order in which they began.
    pub(crate) strands: Vec<(Strand, String)>,
}

impl Growing {
    fn is_output(&self) -> bool {
        self.strands.iter().any(|(strand, _)| matches!(strand, Strand::Output { .. }))
    }
}

impl Live {
    pub(crate) fn new(summary: Summary) -> Arc<Self> {
        let state = State {
            summary,
            events: VecDeque::new(),
            bytes: 0,
            growing: Vec::new(),
            progress: (0, None),
            closed: None,
            attached: 0,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
            left: Notify::new(),
        })
    }

    /// Looks at the state. Hold it briefly and never across an await.
    pub(crate) fn look(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes on every change from now on.
    pub(crate) fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Tells readers to look again.
    pub(crate) fn wake(&self) {
        self.changed.send_modify(|()| {});
    }

    /// Adds committed events. Does not wake.
    pub(crate) fn publish(&self, events: &[Arc<Event>]) {
        let mut state = self.look();
        for event in events {
            state.publish(event.clone());
        }
    }

    /// Adds text to the growing item. Does not wake: the actor does so once for many chunks.
    pub(crate) fn paint(&self, turn: &TurnId, item: &ItemId, strand: Strand, text: &str) {
        let mut state = self.look();
        let at = state.growing.iter().position(|growing| growing.item == *item);
        let at = at.unwrap_or_else(|| {
            // An answer that was begun and given up leaves no event.
            state.growing.retain(|growing| growing.is_output());
            let (turn, item) = (turn.clone(), item.clone());
            state.growing.push(Growing { turn, item, strands: Vec::new() });
            state.growing.len() - 1
        });
        let Some(growing) = state.growing.get_mut(at) else { return };
        match growing.strands.iter_mut().rev().find(|(present, _)| *present == strand) {
            Some((Strand::Output { .. }, so_far)) if so_far.len() > MOST_OUTPUT => {}
            Some((_, so_far)) => so_far.push_str(text),
            None => growing.strands.push((strand, text.to_owned())),
        }
    }

    /// Says what is going on; empty is nothing.
    pub(crate) fn progress(&self, turn: &TurnId, text: String) {
        self.look().set_progress(Some((turn.clone(), text)));
    }

    /// Ends all readers.
    pub(crate) fn close(&self, why: Closed) {
        self.look().closed.get_or_insert(why);
        self.wake();
    }

    /// Counts a reader in.
    pub(crate) fn attach(&self) {
        self.look().attached += 1;
    }

    /// Counts a reader out.
    pub(crate) fn detach(&self) {
        let mut state = self.look();
        state.attached = state.attached.saturating_sub(1);
        if state.attached == 0 {
            self.left.notify_one();
        }
    }

    /// Waits until the last reader has left; may return early.
    pub(crate) async fn left(&self) {
        self.left.notified().await;
    }

    /// Whether anyone reads.
    pub(crate) fn is_attached(&self) -> bool {
        self.look().attached > 0
    }
}

impl State {
    /// The events after `seq`, at most so many; `None` when they are only in the log.
    pub(crate) fn after(&self, seq: u64, limit: usize) -> Option<Vec<Arc<Event>>> {
        let first = self.events.front()?.seq;
        let skip = usize::try_from((seq + 1).checked_sub(first)?).ok()?;
        Some(self.events.iter().skip(skip).take(limit).cloned().collect())
    }

    fn publish(&mut self, event: Arc<Event>) {
        self.summary.apply(&event);
        match &event.kind {
            EventKind::AssistantMessage { item, .. } | EventKind::ToolFinished { item, .. } => {
                self.growing.retain(|growing| growing.item != *item);
            }
            EventKind::TurnEnded { .. } => {
                self.growing.retain(|growing| Some(&growing.turn) != event.turn.as_ref());
                let over = self.progress.1.as_ref().is_some_and(|(_, text)| !text.is_empty());
                if over && let Some(turn) = &event.turn {
                    self.set_progress(Some((turn.clone(), String::new())));
                }
            }
            _ => {}
        }
        self.bytes += weight(&event);
        self.events.push_back(event);
        while self.events.len() > MOST_EVENTS || (self.bytes > MOST_BYTES && self.events.len() > 1)
        {
            if let Some(oldest) = self.events.pop_front() {
                self.bytes = self.bytes.saturating_sub(weight(&oldest));
            }
        }
    }

    fn set_progress(&mut self, progress: Option<(TurnId, String)>) {
        self.progress = (self.progress.0 + 1, progress);
    }
}

/// About how much memory an event takes.
fn weight(event: &Event) -> usize {
    let parts = match &event.kind {
        EventKind::UserMessage { parts, .. } | EventKind::AssistantMessage { parts, .. } => parts,
        EventKind::ToolFinished { parts, .. } => parts,
        EventKind::Compacted { summary, .. } => return 256 + summary.len(),
        EventKind::ToolStarted { arguments, .. } | EventKind::ApprovalAsked { arguments, .. } => {
            return 512 + arguments.len();
        }
        EventKind::WorkspaceChanged { files, .. } => {
            return 256 + files.iter().map(|file| 32 + file.path.len()).sum::<usize>();
        }
        _ => return 256,
    };
    let size = |part: &Part| match part {
        Part::Text(text) => text.len(),
        Part::Reasoning { text, signature } => {
            text.len() + signature.as_ref().map_or(0, String::len)
        }
        Part::Image { data, .. } => data.len(),
        Part::ToolCall { arguments, .. } => arguments.len(),
        Part::ToolResult { text, .. } => text.len(),
    };
    256 + parts.iter().map(size).sum::<usize>()
}
