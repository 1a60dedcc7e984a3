//! A journal in memory that keeps every promise of the port, and breaks down when told to.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

use async_trait::async_trait;
use jiff::Timestamp;
use moltis_core::assistant::{Filter, Hit, Page};
use moltis_core::error::{Code, Error, Result};
use moltis_core::event::{Event, EventKind, NewEvent};
use moltis_core::id::{OpId, SessionId};
use moltis_core::journal::{BackupReport, CheckReport, Draft, Journal, UsageRow};
use moltis_core::message::text_of;
use moltis_core::session::Summary;

use crate::provider::Gate;

/// How an append breaks down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breakdown {
    /// Nothing was written.
    Lost,
    /// All was written, but the caller is told that it failed.
    WrittenAnyway,
}

/// A [`Journal`] that forgets everything when it is dropped. Share it to restart a daemon over
/// it.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sessions: BTreeMap<SessionId, Kept>,
    drafts: BTreeMap<SessionId, Draft>,
    ops: HashMap<OpId, (SessionId, u64)>,
    appends: watch::Sender<u64>,
    checkpoints: watch::Sender<u64>,
    breakdowns: Vec<(u64, Breakdown)>,
    gate: Option<Gate>,
    broken: bool,
}

#[derive(Debug)]
struct Kept {
    events: Vec<Event>,
    summary: Summary,
}

impl MemoryJournal {
    /// An empty journal.
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Makes the append that comes after `healthy` further ones fail. May be called several
    /// times.
    pub fn fail_append(&self, healthy: u64, how: Breakdown) {
        let mut state = self.lock();
        let number = *state.appends.borrow() + healthy + 1;
        state.breakdowns.push((number, how));
    }

    /// Lets appends wait until each of them is let through.
    pub fn hold_appends(&self, gate: &Gate) {
        self.lock().gate = Some(gate.clone());
    }

    /// Makes every call fail until it is called with `false`.
    pub fn set_broken(&self, broken: bool) {
        self.lock().broken = broken;
    }

    /// How many appends were tried.
    pub fn appends(&self) -> u64 {
        *self.lock().appends.borrow()
    }

    /// Waits until more than so many appends were tried.
    pub async fn tried_more_than(&self, appends: u64) {
        let mut count = self.lock().appends.subscribe();
        // The sender lives as long as this journal.
        let _ = count.wait_for(|count| *count > appends).await;
    }

    /// How many drafts were written.
    pub fn checkpoints(&self) -> u64 {
        *self.lock().checkpoints.borrow()
    }

    /// Waits until a draft was written.
    pub async fn checkpointed(&self) {
        let mut count = self.lock().checkpoints.subscribe();
        let _ = count.wait_for(|count| *count > 0).await;
    }

    /// Every event of a session; none for a session that is not there.
    pub fn events(&self, session: &SessionId) -> Vec<Event> {
        self.lock().sessions.get(session).map(|kept| kept.events.clone()).unwrap_or_default()
    }

    /// The draft of a session, if there is one.
    pub fn draft(&self, session: &SessionId) -> Option<Draft> {
        self.lock().drafts.get(session).cloned()
    }

    /// The sessions in it.
    pub fn sessions(&self) -> Vec<SessionId> {
        self.lock().sessions.keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, unless the journal is broken. Yields first, so that callers interleave.
    async fn healthy(&self) -> Result<MutexGuard<'_, State>> {
        tokio::task::yield_now().await;
        let state = self.lock();
        if state.broken { Err(broken()) } else { Ok(state) }
    }
}

fn broken() -> Error {
    Error::new(Code::Storage, "the disk failed")
}

fn missing(session: &SessionId) -> Error {
    Error::new(Code::NotFound, format!("there is no session `{session}`"))
}

impl State {
    /// What becomes of the append that is being made.
    fn next_append(&mut self) -> Option<Breakdown> {
        self.appends.send_modify(|count| *count += 1);
        let now = *self.appends.borrow();
        let at = self.breakdowns.iter().position(|(number, _)| *number == now)?;
        Some(self.breakdowns.swap_remove(at).1)
    }

    fn write(&mut self, session: &SessionId, events: Vec<NewEvent>) -> Vec<Event> {
        let kept = self.sessions.entry(session.clone()).or_insert_with(|| Kept {
            events: Vec::new(),
            summary: Summary::empty(session.clone()),
        });
        let mut written = Vec::new();
        for event in events {
            let seq = kept.summary.last_seq + 1;
            let event = event.committed(session.clone(), seq);
            kept.summary.apply(&event);
            if let Some(op) = event.command() {
                self.ops.insert(op.clone(), (session.clone(), seq));
            }
            if matches!(
                event.kind,
                EventKind::AssistantMessage { .. } | EventKind::TurnEnded { .. }
            ) {
                self.drafts.remove(session);
            }
            kept.events.push(event.clone());
            written.push(event);
        }
        written
    }

    fn key_is_taken(&self, events: &[NewEvent]) -> bool {
        events.iter().any(|event| match &event.kind {
            EventKind::SessionCreated { key: Some(key), .. } => {
                self.sessions.values().any(|kept| kept.summary.key.as_ref() == Some(key))
            }
            _ => false,
        })
    }

    fn newest_first(&self) -> Vec<Summary> {
        let mut all: Vec<Summary> =
            self.sessions.values().map(|kept| kept.summary.clone()).collect();
        all.sort_by(|a, b| b.updated_at.cmp(&a.updated_at).then_with(|| b.id.cmp(&a.id)));
        all
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(
        &self,
        session: &SessionId,
        after: u64,
        events: Vec<NewEvent>,
    ) -> Result<Vec<Event>> {
        tokio::task::yield_now().await;
        let gate = self.lock().gate.clone();
        if let Some(gate) = gate {
            gate.pass().await;
        }
        let mut state = self.lock();
        let breakdown = state.next_append();
        if state.broken || breakdown == Some(Breakdown::Lost) {
            return Err(broken());
        }
        let last = state.sessions.get(session).map_or(0, |kept| kept.summary.last_seq);
        if last != after {
            let message = format!("the session is at {last}, not at {after}");
            return Err(Error::new(Code::Conflict, message));
        }
        if state.key_is_taken(&events) {
            return Err(Error::new(Code::Conflict, "the key is taken"));
        }
        if events.iter().filter_map(NewEvent::command).any(|op| state.ops.contains_key(op)) {
            return Err(Error::new(Code::Conflict, "the command was carried out already"));
        }
        let written = state.write(session, events);
        if breakdown == Some(Breakdown::WrittenAnyway) { Err(broken()) } else { Ok(written) }
    }

    async fn fork(
        &self,
        parent: &SessionId,
        seq: u64,
        child: &SessionId,
        events: Vec<NewEvent>,
    ) -> Result<Vec<Event>> {
        let mut state = self.healthy().await?;
        let kept = state.sessions.get(parent).ok_or_else(|| missing(parent))?;
        if seq == 0 || seq > kept.summary.last_seq {
            return Err(Error::new(Code::Invalid, format!("there is no event {seq}")));
        }
        if state.sessions.contains_key(child) {
            return Err(Error::new(Code::Conflict, format!("`{child}` is there already")));
        }
        let mut summary = Summary::empty(child.clone());
        let mut copied = Vec::new();
        for event in kept.events.iter().take_while(|event| event.seq <= seq) {
            let event = Event { session: child.clone(), ..event.clone() };
            summary.apply(&event);
            copied.push(event);
        }
        state.sessions.insert(child.clone(), Kept { events: copied, summary });
        Ok(state.write(child, events))
    }

    async fn delete(&self, session: &SessionId) -> Result<()> {
        let mut state = self.healthy().await?;
        state.sessions.remove(session).ok_or_else(|| missing(session))?;
        state.drafts.remove(session);
        state.ops.retain(|_, (owner, _)| owner != session);
        Ok(())
    }

    async fn checkpoint(&self, session: &SessionId, draft: Draft) -> Result<()> {
        let mut state = self.healthy().await?;
        state.checkpoints.send_modify(|count| *count += 1);
        state.drafts.insert(session.clone(), draft);
        Ok(())
    }

    async fn drafts(&self) -> Result<Vec<(SessionId, Draft)>> {
        let state = self.healthy().await?;
        Ok(state.drafts.iter().map(|(session, draft)| (session.clone(), draft.clone())).collect())
    }

    async fn read(&self, session: &SessionId, page: Page) -> Result<Vec<Event>> {
        let state = self.healthy().await?;
        let kept = state.sessions.get(session).ok_or_else(|| missing(session))?;
        let (from, to) = match page {
            Page::After { seq, limit } => {
                (seq.saturating_add(1), seq.saturating_add(u64::from(limit)))
            }
            Page::Before { seq, limit } => {
                let end = seq.min(kept.summary.last_seq + 1);
                (end.saturating_sub(u64::from(limit)), end.saturating_sub(1))
            }
        };
        let wanted = |event: &&Event| event.seq >= from && event.seq <= to;
        Ok(kept.events.iter().filter(wanted).cloned().collect())
    }

    async fn summary(&self, session: &SessionId) -> Result<Option<Summary>> {
        let state = self.healthy().await?;
        Ok(state.sessions.get(session).map(|kept| kept.summary.clone()))
    }

    async fn by_key(&self, key: &str) -> Result<Option<SessionId>> {
        let state = self.healthy().await?;
        let mut all = state.sessions.values();
        let found = all.find(|kept| kept.summary.key.as_deref() == Some(key));
        Ok(found.map(|kept| kept.summary.id.clone()))
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Summary>> {
        let mut all = self.healthy().await?.newest_first();
        all.retain(|summary| filter.archived || !summary.archived);
        if filter.limit > 0 {
            all.truncate(filter.limit as usize);
        }
        Ok(all)
    }

    async fn unfinished(&self) -> Result<Vec<Summary>> {
        let mut all = self.healthy().await?.newest_first();
        all.retain(|summary| !summary.open_turns.is_empty());
        Ok(all)
    }

    async fn by_op(&self, op: &OpId) -> Result<Option<Event>> {
        let state = self.healthy().await?;
        let Some((session, seq)) = state.ops.get(op) else { return Ok(None) };
        let kept = state.sessions.get(session);
        Ok(kept.and_then(|kept| kept.events.iter().find(|event| event.seq == *seq)).cloned())
    }

    async fn search(&self, query: &str, limit: u32) -> Result<Vec<Hit>> {
        let state = self.healthy().await?;
        let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
        let mut hits = Vec::new();
        for kept in state.sessions.values() {
            for event in &kept.events {
                let (parts, by_person) = match &event.kind {
                    EventKind::UserMessage { parts, .. } => (parts, true),
                    EventKind::AssistantMessage { parts, .. } => (parts, false),
                    _ => continue,
                };
                let text = text_of(parts);
                let lower = text.to_lowercase();
                if !words.is_empty() && words.iter().all(|word| lower.contains(word)) {
                    hits.push(Hit {
                        session: event.session.clone(),
                        title: kept.summary.title.clone(),
                        seq: event.seq,
                        at: event.at,
                        by_person,
                        snippet: text.chars().take(240).collect(),
                        score: 1.0,
                    });
                }
            }
        }
        hits.truncate(limit as usize);
        Ok(hits)
    }

    async fn usage(&self, since: Timestamp) -> Result<Vec<UsageRow>> {
        let state = self.healthy().await?;
        let mut rows = BTreeMap::<_, UsageRow>::new();
        for kept in state.sessions.values() {
            let copied = kept.summary.parent.as_ref().map_or(0, |(_, seq)| *seq);
            for event in kept.events.iter().filter(|event| event.seq > copied && event.at >= since)
            {
                let (model, answers, used) = match &event.kind {
                    EventKind::AssistantMessage { answer, .. } => (&answer.model, 1, answer.usage),
                    EventKind::Compacted { model: Some(model), usage, .. } => (model, 0, *usage),
                    _ => continue,
                };
                let day = event.at.strftime("%Y-%m-%d").to_string();
                let row = rows.entry((day.clone(), model.clone())).or_insert_with(|| UsageRow {
                    day,
                    model: model.clone(),
                    answers: 0,
                    usage: moltis_core::message::Usage::default(),
                });
                row.answers += answers;
                row.usage = row.usage.plus(used);
            }
        }
        Ok(rows.into_values().collect())
    }

    async fn backup(&self, _to: &Path) -> Result<BackupReport> {
        Err(Error::new(Code::Invalid, "a journal in memory has nothing to back up"))
    }

    async fn check(&self) -> Result<CheckReport> {
        let state = self.healthy().await?;
        let events = state.sessions.values().map(|kept| kept.events.len() as u64).sum();
        let sessions = state.sessions.len() as u64;
        Ok(CheckReport { sessions, events, ..CheckReport::default() })
    }

    fn trouble(&self) -> Option<String> {
        self.lock().broken.then(|| "the disk failed".to_owned())
    }
}
