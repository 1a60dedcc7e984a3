//! The actor's hold on its session's log: the only place that appends while the actor lives.
//!
//! A failed append leaves two doubts: whether it was written after all, and what is to become of
//! a turn whose end could not be kept. Both are state here, not retries in the caller: `unsure`
//! says that the log must be read before the next append, `owed` holds the events that end a
//! turn. [`Log::settle`] resolves both and is tried before every append, so that the actor never
//! loses its place, and no turn gets a second end.

use std::sync::Arc;

use moltis_agent::conversation::{Conversation, MOST_BYTES, bytes, estimate};
use moltis_core::assistant::Page;
use moltis_core::env::Env;
use moltis_core::error::{Code, Error, Result};
use moltis_core::event::{Cause, Event, EventKind, NewEvent, Origin};
use moltis_core::id::{ItemId, OpId, SessionId, TurnId};
use moltis_core::journal::Journal;
use moltis_core::message::{Part, Usage};
use moltis_core::session::{Purpose, Summary};

use crate::live::Live;
use crate::own::Kept;

/// Events read from the log in one go.
pub(crate) const PAGE: u32 = 256;

pub(crate) struct Log {
    pub(crate) session: SessionId,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) env: Arc<dyn Env>,
    pub(crate) live: Arc<Live>,
    /// The session after the last event that is known to be on disk.
    pub(crate) summary: Summary,
    /// What was said; `None` until a turn needs it.
    conversation: Option<Conversation>,
    /// Messages that no call of a model has seen yet, by turn.
    waiting: Vec<(TurnId, usize)>,
    /// The log may have more than is known: an append failed, or the actor is new.
    unsure: bool,
    /// A turn may have been started by an earlier life: the actor is new.
    stray: bool,
    /// The end of a turn that could not be kept.
    owed: Option<Vec<NewEvent>>,
    /// Turns of an earlier life that were closed here.
    closed: u64,
    /// What the agent keeps for itself; `None` until it is asked for.
    kept: Option<Kept>,
}

impl Log {
    pub(crate) fn new(
        journal: Arc<dyn Journal>,
        env: Arc<dyn Env>,
        live: Arc<Live>,
        summary: Summary,
    ) -> Self {
        let queued = summary
            .open_turns
            .iter()
            .filter(|open| !open.started && open.purpose == Purpose::Answer);
        Self {
            session: summary.id.clone(),
            journal,
            env,
            live,
            conversation: None,
            waiting: queued.map(|open| (open.turn.clone(), 1)).collect(),
            // The summary may be older than the last act of an actor that has just gone.
            unsure: true,
            stray: true,
            owed: None,
            closed: 0,
            kept: None,
            summary,
        }
    }

    /// Whether nothing has to be settled.
    pub(crate) fn is_settled(&self) -> bool {
        !self.unsure && !self.stray && self.owed.is_none()
    }

    /// Turns of an earlier life that were closed.
    pub(crate) fn closed(&self) -> u64 {
        self.closed
    }

    /// Messages that wait, those of `but` not counted.
    pub(crate) fn waiting(&self, but: Option<&TurnId>) -> usize {
        self.waiting.iter().filter(|(turn, _)| Some(turn) != but).map(|(_, count)| count).sum()
    }

    /// Whether a turn is known to have no end.
    pub(crate) fn is_open(&self, turn: &TurnId) -> bool {
        self.summary.open_turns.iter().any(|open| open.turn == *turn)
    }

    /// Whether a turn has started and not ended.
    pub(crate) fn is_started(&self, turn: &TurnId) -> bool {
        self.summary.open_turns.iter().any(|open| open.turn == *turn && open.started)
    }

    /// An event that happens now.
    pub(crate) fn event(
        &self,
        turn: Option<&TurnId>,
        cause: Cause,
        origin: Origin,
        kind: EventKind,
    ) -> NewEvent {
        NewEvent { at: self.env.now(), turn: turn.cloned(), cause, origin, op: None, kind }
    }

    /// Appends, then publishes. When this returns well, the events are on disk, in the summary,
    /// in the conversation and with the readers.
    pub(crate) async fn commit(&mut self, events: Vec<NewEvent>) -> Result<Vec<Arc<Event>>> {
        self.settle().await?;
        self.append(events).await
    }

    async fn append(&mut self, events: Vec<NewEvent>) -> Result<Vec<Arc<Event>>> {
        match self.journal.append(&self.session, self.summary.last_seq, events).await {
            Ok(events) => {
                let events: Vec<Arc<Event>> = events.into_iter().map(Arc::new).collect();
                self.take(&events);
                Ok(events)
            }
            Err(error) => {
                self.unsure = true;
                Err(error)
            }
        }
    }

    /// The event by which an earlier command of this id changed this session.
    ///
    /// # Errors
    /// `Conflict` when that was a command to another session.
    pub(crate) async fn known(&self, op: &OpId) -> Result<Option<Event>> {
        match self.journal.by_op(op).await? {
            Some(event) if event.session != self.session => Err(another(op)),
            found => Ok(found),
        }
    }

    /// Keeps the end of a turn to be written as soon as that is possible.
    pub(crate) fn owe(&mut self, events: Vec<NewEvent>) {
        self.owed = Some(events);
    }

    /// Finds out what an append that failed has left, and writes what is owed.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        if self.unsure {
            self.catch_up().await?;
            self.unsure = false;
        }
        if self.stray {
            self.owed = self.end_of_stray().await?;
            self.closed += u64::from(self.owed.is_some());
            self.stray = false;
        }
        if let Some(mut owed) = self.owed.take() {
            let turn = owed.first().and_then(|event| event.turn.clone());
            // The append that failed may have been written: then the turn has its end.
            if turn.is_some_and(|turn| self.is_open(&turn))
                && let Err(error) = self.append(owed.clone()).await
            {
                if error.code == Code::Conflict {
                    // Its command was carried out elsewhere by now; the turn must end all the same.
                    owed.iter_mut().for_each(|event| event.op = None);
                }
                self.owed = Some(owed);
                return Err(error);
            }
        }
        Ok(())
    }

    /// What the agent keeps for itself.
    pub(crate) async fn kept(&mut self) -> Result<&Kept> {
        if self.kept.is_none() {
            let mut kept = Kept::new();
            let mut seq = 0;
            loop {
                let page = Page::After { seq, limit: PAGE };
                let events = self.journal.read(&self.session, page).await?;
                let Some(last) = events.last() else { break };
                seq = last.seq;
                events.iter().for_each(|event| keep(&mut kept, &event.kind));
            }
            self.kept = Some(kept);
        }
        Ok(self.kept.get_or_insert_default())
    }

    /// Takes what the log has beyond the last known event: it can only be this actor's.
    async fn catch_up(&mut self) -> Result<()> {
        loop {
            let page = Page::After { seq: self.summary.last_seq, limit: PAGE };
            let events = self.journal.read(&self.session, page).await?;
            if events.is_empty() {
                return Ok(());
            }
            let events: Vec<Arc<Event>> = events.into_iter().map(Arc::new).collect();
            if let Some(owed) = &mut self.owed {
                owed.retain(|event| !events.iter().any(|kept| same_item(&event.kind, &kept.kind)));
            }
            self.take(&events);
        }
    }

    fn take(&mut self, events: &[Arc<Event>]) {
        for event in events {
            self.summary.apply(event);
            self.count(event);
            if let Some(conversation) = &mut self.conversation {
                conversation.apply(event);
            }
            if let Some(kept) = &mut self.kept {
                keep(kept, &event.kind);
            }
        }
        self.live.publish(events);
        self.live.wake();
    }

    fn count(&mut self, event: &Event) {
        let Some(turn) = &event.turn else { return };
        match &event.kind {
            EventKind::UserMessage { .. } => {
                match self.waiting.iter_mut().find(|(waiting, _)| waiting == turn) {
                    Some((_, count)) => *count += 1,
                    None => self.waiting.push((turn.clone(), 1)),
                }
            }
            EventKind::TurnStarted { .. }
            | EventKind::AssistantMessage { .. }
            | EventKind::TurnEnded { .. } => self.waiting.retain(|(waiting, _)| waiting != turn),
            _ => {}
        }
    }

    /// What a started turn used, and its answers. Reads back to its start, however far that is.
    pub(crate) async fn answers(&self, turn: &TurnId) -> Result<(Usage, Vec<ItemId>)> {
        let (mut usage, mut items) = (Usage::default(), Vec::new());
        let mut seq = u64::MAX;
        loop {
            let page = Page::Before { seq, limit: PAGE };
            let events = self.journal.read(&self.session, page).await?;
            let Some(first) = events.first() else { return Ok((usage, items)) };
            seq = first.seq;
            for event in events.iter().rev().filter(|event| event.turn.as_ref() == Some(turn)) {
                match &event.kind {
                    EventKind::AssistantMessage { item, answer, .. } => {
                        usage = usage.plus(answer.usage);
                        items.push(item.clone());
                    }
                    EventKind::Compacted { usage: used, .. } => usage = usage.plus(*used),
                    EventKind::TurnStarted { .. } => return Ok((usage, items)),
                    _ => {}
                }
            }
        }
    }

    /// The conversation, with room for at least so many tokens where the log has them.
    pub(crate) async fn load_conversation(&mut self, room: u64) -> Result<()> {
        let fits = |known: &Conversation| !known.is_cut() || known.capacity() >= room;
        let conversation = match self.conversation.take().filter(fits) {
            Some(known) => known,
            None => self.read_conversation(room).await?,
        };
        self.conversation = Some(conversation);
        Ok(())
    }

    /// What is known of the conversation.
    pub(crate) fn conversation(&self) -> Option<&Conversation> {
        self.conversation.as_ref()
    }

    /// Reads backward until there is enough, in tokens or in memory, then folds forward.
    async fn read_conversation(&self, room: u64) -> Result<Conversation> {
        let mut pages = Vec::new();
        let mut seq = self.summary.last_seq + 1;
        let (mut tokens, mut held) = (0_u64, 0);
        // What the last compaction needs is read whole, and nothing before it.
        let mut since = None;
        while seq > since.unwrap_or(1) && (since.is_some() || tokens <= room) && held <= MOST_BYTES
        {
            let page = Page::Before { seq, limit: PAGE };
            let events = self.journal.read(&self.session, page).await?;
            let Some(first) = events.first() else { break };
            seq = first.seq;
            for event in events.iter().rev() {
                let parts = said(&event.kind);
                tokens = tokens.saturating_add(estimate(parts));
                held += bytes(parts);
                if let EventKind::Compacted { since: from, .. }
                | EventKind::Cleared { since: from, .. } = &event.kind
                {
                    since = since.or(Some((*from).max(1)));
                }
            }
            pages.push(events);
        }
        let whole = seq <= since.unwrap_or(1);
        let mut conversation = match whole {
            true => Conversation::new(room),
            false => Conversation::cut(room, self.summary_before(seq).await?),
        };
        for event in pages.iter().rev().flatten() {
            conversation.apply(event);
        }
        Ok(conversation)
    }

    /// The last summary, if its event lies before this seq.
    async fn summary_before(&self, seq: u64) -> Result<Option<String>> {
        let at = self.summary.compacted_seq;
        if at == 0 || at >= seq {
            return Ok(None);
        }
        let page = Page::After { seq: at - 1, limit: 1 };
        let events = self.journal.read(&self.session, page).await?;
        Ok(events.into_iter().next().and_then(|event| match event.kind {
            EventKind::Compacted { summary, .. } => Some(summary),
            _ => None,
        }))
    }
}

/// What an event adds to a conversation.
fn said(kind: &EventKind) -> &[Part] {
    match kind {
        EventKind::UserMessage { parts, .. }
        | EventKind::AssistantMessage { parts, .. }
        | EventKind::ToolFinished { parts, .. } => parts,
        _ => &[],
    }
}

/// The refusal of a command whose id was used for something else.
pub(crate) fn another(op: &OpId) -> Error {
    Error::new(Code::Conflict, format!("`{op}` was another command"))
}

/// Takes an event into account for what an agent keeps.
fn keep(kept: &mut Kept, kind: &EventKind) {
    if let EventKind::StateSet { namespace, key, value } = kind {
        let name = (namespace.clone(), key.clone());
        match value {
            Some(value) => kept.insert(name, value.clone()),
            None => kept.remove(&name),
        };
    }
}

/// Whether both are the same answer, result or summary: one that was thought lost and was not.
fn same_item(one: &EventKind, other: &EventKind) -> bool {
    match (one, other) {
        (
            EventKind::AssistantMessage { item: one, .. },
            EventKind::AssistantMessage { item: other, .. },
        )
        | (EventKind::Compacted { item: one, .. }, EventKind::Compacted { item: other, .. })
        | (
            EventKind::ToolFinished { item: one, .. },
            EventKind::ToolFinished { item: other, .. },
        ) => one == other,
        _ => false,
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
