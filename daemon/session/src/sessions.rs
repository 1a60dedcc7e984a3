//! The driving port over the registry of actors.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use moltis_core::assistant::{
    Answer, Answered, Assistant, Caller, Change, Changes, CommandInfo, CommandReply, Compaction,
    Filter, Hit, NewMessage, NewSession, Page, Receipt, Selector, StopScope, Undo, Window,
};
use moltis_core::budget::Standing;
use moltis_core::env::Env;
use moltis_core::error::{Code, Error, Result};
use moltis_core::event::{Cause, Event, EventKind, NewEvent};
use moltis_core::feed::{FeedStream, From};
use moltis_core::hook::Point;
use moltis_core::id::{OpId, SessionId, TurnId};
use moltis_core::journal::Journal;
use moltis_core::message::{Part, Usage, check};
use moltis_core::models::Models;
use moltis_core::session::{Pending, Settings, Spawned, Summary, TurnRules};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, oneshot};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::context::Told;
use crate::cursor::Cursor;
use crate::find;
use crate::hands::Hands;
use crate::mailbox::{Command, Reply, Sending};
use crate::own::{Children, StateAsk, Wanted};
use crate::registry::{Shared, stopping};
use crate::telling;
use crate::typed;

/// The session that is there without being created.
const MAIN: &str = "main";

/// The agent that sessions belong to.
pub(crate) const AGENT: &str = "main";

/// Characters of a title that a person gives.
const LONGEST_TITLE: usize = 200;

/// Bytes of a key.
const LONGEST_KEY: usize = 64;

/// Events of one page of history.
const LARGEST_PAGE: u32 = 10_000;

/// What sessions are doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Turns that are running.
    pub running_turns: u64,
    /// Readers that follow a session.
    pub attached: u64,
}

/// All sessions.
pub struct Sessions {
    pub(crate) shared: Arc<Shared>,
    /// Held while a session with a key is created: a key is given once.
    pub(crate) creating: Mutex<()>,
}

impl Sessions {
    /// Sessions over a journal. Nothing happens until they are asked for something; call
    /// [`Sessions::recover`] first.
    pub fn new(
        journal: Arc<dyn Journal>,
        models: Arc<dyn Models>,
        env: Arc<dyn Env>,
        hands: Hands,
        rules: TurnRules,
    ) -> Arc<Self> {
        Arc::new_cyclic(|sessions| {
            let sessions = sessions.clone();
            let shared = Shared::new(journal, models, env, hands, rules, sessions);
            Self { shared, creating: Mutex::new(()) }
        })
    }

    /// Closes the turns that an earlier life of the daemon left running, with the text that it
    /// had saved of them, and runs the queued ones. Returns how many turns it closed.
    ///
    /// # Errors
    /// The journal's first one. Every session was looked at all the same; what could not be
    /// closed is tried again later and whenever its session is used.
    pub async fn recover(&self) -> Result<u64> {
        let mut closed = 0;
        let mut failed = None;
        for summary in self.shared.journal.unfinished().await? {
            match self.ask(&summary.id, |reply| Command::Settle { reply }).await {
                Ok(turns) => closed += turns,
                Err(error) => {
                    tracing::warn!(session = %summary.id, %error, "failed to recover a session");
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(closed), Err)
    }

    /// Changes the rules for turns that have not begun.
    pub fn set_rules(&self, rules: TurnRules) {
        *self.shared.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    /// How the limits stand of what may be spent: the day's and, where one is named, those of a session
    /// and of the turn that runs in it.
    ///
    /// # Errors
    /// `NotFound` when there is no such session; the journal's.
    pub async fn budget(&self, session: Option<&SessionId>) -> Result<Vec<Standing>> {
        let limits = self.shared.rules().budget;
        let summary = match session {
            Some(session) => Some(self.shared.summary(session).await?),
            None => None,
        };
        self.shared.budget.standings(&limits, summary.as_ref()).await
    }

    /// What sessions are doing now.
    pub fn activity(&self) -> Activity {
        Activity {
            running_turns: self.shared.running.load(Ordering::Relaxed),
            attached: self.shared.attached.load(Ordering::Relaxed),
        }
    }

    /// Ends running turns as interrupted with their text kept, ends every feed after what is on
    /// disk, and refuses everything from now on. Waits at most `grace`.
    pub async fn shut_down(&self, grace: Duration) {
        self.shared.closing.cancel();
        self.shared.tasks.close();
        if timeout(grace, self.shared.tasks.wait()).await.is_err() {
            tracing::warn!("sessions did not end in time");
        }
    }

    /// A session at a glance.
    pub(crate) async fn summary(&self, session: &SessionId) -> Result<Summary> {
        self.shared.summary(session).await
    }

    /// The owner of what goes on beside actors.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.shared.tasks
    }

    /// The agents that agents have at work.
    pub(crate) fn children(&self) -> &Children {
        &self.shared.children
    }

    /// Does what an agent asks of what its session keeps.
    pub(crate) async fn state(
        &self,
        session: &SessionId,
        turn: &TurnId,
        ask: StateAsk,
    ) -> Result<String> {
        let turn = turn.clone();
        self.ask(session, |reply| Command::State { turn, ask, reply }).await
    }

    /// The session that [`Sessions::begin_spawned`] begins for this command.
    pub(crate) fn spawned_id(op: &OpId) -> SessionId {
        id_of("spawn", op)
    }

    /// Begins the session of an agent that another one wants.
    pub(crate) async fn begin_spawned(
        &self,
        caller: &Caller,
        op: &OpId,
        task: &str,
        settings: Settings,
        spawned: Spawned,
    ) -> Result<SessionId> {
        let id = Self::spawned_id(op);
        let (agent, spawned) = (AGENT.to_owned(), Some(spawned));
        let created = EventKind::SessionCreated { agent, key: None, settings, spawned };
        let mut events = vec![self.event(caller, created)];
        if let Some(title) = moltis_agent::title::first_line(&[Part::Text(task.to_owned())]) {
            let kind = EventKind::TitleChanged { title, automatic: true, usage: Usage::default() };
            events.push(self.event(caller, kind));
        }
        Ok(self.begin(caller, &id, events).await?.id)
    }

    /// Hands a command to a session's actor and waits for its answer.
    pub(crate) async fn ask<T>(
        &self,
        session: &SessionId,
        command: impl FnOnce(Reply<T>) -> Command,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.open()?;
        self.shared.submit(session, command(reply)).await?;
        match answer.await {
            Ok(answer) => answer,
            // The actor went with the command in its mailbox: stopped, or its session deleted.
            Err(_) => {
                self.open()?;
                self.shared.summary(session).await?;
                Err(Error::new(Code::Internal, "the session's actor failed"))
            }
        }
    }

    fn open(&self) -> Result<()> {
        if self.shared.closing.is_cancelled() { Err(stopping()) } else { Ok(()) }
    }

    pub(crate) fn event(&self, caller: &Caller, kind: EventKind) -> NewEvent {
        NewEvent {
            at: self.shared.env.now(),
            turn: None,
            cause: caller.cause.clone(),
            origin: caller.origin,
            op: None,
            kind,
        }
    }

    /// Tells hooks of a person's command to a session.
    pub(crate) async fn tell_command(&self, session: &SessionId, action: &str, caller: &Caller) {
        let Cause::Client(client) = &caller.cause else { return };
        let Ok(Some(summary)) = self.shared.journal.summary(session).await else { return };
        let key = session.as_str();
        let facts = || json!({ "session_key": key, "action": action, "sender_id": client });
        let workspace = telling::workspace(&summary, &self.shared.rules());
        self.shared.hands.tell(Point::Command, workspace, facts).await;
    }

    /// Tells hooks that a session is over.
    async fn over(&self, summary: &Summary) {
        let facts = || json!({ "session_key": summary.id.as_str() });
        let workspace = telling::workspace(summary, &self.shared.rules());
        self.shared.hands.tell(Point::SessionEnd, workspace, facts).await;
    }
}

#[async_trait]
impl Assistant for Sessions {
    async fn create(&self, caller: &Caller, new: NewSession) -> Result<Summary> {
        self.open()?;
        let title = if new.title.trim().is_empty() { String::new() } else { title(&new.title)? };
        if let Some(key) = new.key {
            check_key(&key)?;
            return self.keyed(caller, key, title, new.settings).await;
        }
        let id = id_of("create", &new.op);
        if let Some(summary) = self.shared.journal.summary(&id).await? {
            return Ok(summary);
        }
        let works = self.shared.begins_in(&id, &new.settings).await?;
        let events = self.first_events(caller, None, title, new.settings);
        self.begin_in(caller, &id, events, works).await
    }

    async fn find(&self, caller: &Caller, selector: &Selector) -> Result<Summary> {
        match selector {
            Selector::Id(id) => self.shared.summary(id).await,
            Selector::Name(name) if name.trim() == MAIN => {
                self.open()?;
                let (key, settings) = (MAIN.to_owned(), Settings::default());
                self.keyed(caller, key, String::new(), settings).await
            }
            Selector::Name(name) => find::by_name(&*self.shared.journal, name).await,
        }
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Summary>> {
        self.shared.journal.list(filter).await
    }

    async fn send(&self, caller: &Caller, message: NewMessage) -> Result<Receipt> {
        check(&message.parts)?;
        let session = message.session.clone();
        let caller = caller.clone();
        let mut message = message;
        let summary = self.shared.summary(&session).await?;
        let workspace = telling::workspace(&summary, &self.shared.rules());
        if self.shared.hands.hooks.wants(Point::MessageReceived, workspace.as_deref())
            // What was said already is not said again, whatever a hook thinks of it now.
            && self.shared.journal.by_op(&message.op).await?.is_none()
        {
            message = self.shared.hands.received(workspace, message).await?;
            check(&message.parts)?;
        }
        self.ask(&session, |reply| Command::Send(Box::new(Sending { caller, message, reply })))
            .await
    }

    async fn stop(
        &self,
        caller: &Caller,
        op: OpId,
        session: &SessionId,
        scope: StopScope,
    ) -> Result<Vec<TurnId>> {
        self.tell_command(session, "stop", caller).await;
        let caller = caller.clone();
        self.ask(session, |reply| Command::Stop { caller, op, scope, reply }).await
    }

    async fn compact(&self, caller: &Caller, op: OpId, session: &SessionId) -> Result<Compaction> {
        self.tell_command(session, "compact", caller).await;
        let caller = caller.clone();
        self.ask(session, |reply| Command::Compact { caller, op, reply }).await
    }

    async fn context(&self, session: &SessionId) -> Result<Window> {
        let summary = self.shared.summary(session).await?;
        let wanted = Wanted::new(None, &summary.settings);
        let (wanted, kind) = wanted.resolved(self.shared.hands.presets.clone()).await?;
        let candidates = self.shared.models.candidates(wanted.as_ref()).await?;
        let files = Told::new(&self.shared.hands, &summary, &self.shared.rules()).read().await;
        let model = candidates.into_iter().next().map(|candidate| Box::new(candidate.info));
        let model = model.ok_or_else(|| {
            Error::new(Code::NotConfigured, "there is no model to ask").with_hint("moltis doctor")
        })?;
        self.ask(session, |reply| Command::Context { model, files, kind, reply }).await
    }

    async fn change(
        &self,
        caller: &Caller,
        op: OpId,
        session: &SessionId,
        change: Change,
    ) -> Result<Summary> {
        let (action, change) = match change {
            Change::Title(text) => ("title", Change::Title(title(&text)?)),
            Change::Archived(archived) => ("archive", Change::Archived(archived)),
            Change::Settings(settings) => ("configure", Change::Settings(settings)),
        };
        let before = self.shared.summary(session).await?;
        if let Change::Settings(Settings { preset: Some(name), .. }) = &change
            && before.settings.preset.as_ref() != Some(name)
        {
            // A typing error must not stay with the session.
            self.preset(name).map_err(|why| Error::new(Code::NotFound, why))?;
        }
        self.tell_command(session, action, caller).await;
        let ends = change == Change::Archived(true) && !before.archived;
        let with = match &change {
            Change::Settings(settings) => self.shared.moves_to(&before, settings).await?,
            Change::Archived(false) if before.archived && before.worktree.is_none() => {
                self.shared.begins_in(session, &before.settings).await?
            }
            Change::Archived(_) | Change::Title(_) => Vec::new(),
        };
        let caller = caller.clone();
        let made = with.clone();
        let asked = |reply| Command::Change { caller, op, change, with, reply };
        let summary = match self.ask(session, asked).await {
            Ok(summary) => summary,
            Err(error) => {
                self.shared.take_back(&made, before.worktree.as_ref()).await;
                return Err(error);
            }
        };
        // A retry may find it taken out again since.
        if ends && summary.archived {
            self.over(&summary).await;
        }
        Ok(summary)
    }

    async fn answer(
        &self,
        caller: &Caller,
        op: OpId,
        session: &SessionId,
        answer: Answer,
    ) -> Result<Answered> {
        let (caller, answer) = (caller.clone(), Box::new(answer));
        self.ask(session, |reply| Command::Answer { caller, op, answer, reply }).await
    }

    async fn approvals(&self) -> Result<Vec<(SessionId, Pending)>> {
        let mut waiting = Vec::new();
        for summary in self.shared.journal.unfinished().await? {
            let id = summary.id;
            waiting.extend(summary.pending.into_iter().map(|pending| (id.clone(), pending)));
        }
        waiting.sort_by_key(|(_, pending)| pending.asked_at);
        Ok(waiting)
    }

    async fn revoke(
        &self,
        caller: &Caller,
        op: OpId,
        session: &SessionId,
        pattern: String,
    ) -> Result<Summary> {
        let caller = caller.clone();
        self.ask(session, |reply| Command::Revoke { caller, op, pattern, reply }).await
    }

    async fn changes(&self, session: &SessionId, turn: Option<TurnId>) -> Result<Changes> {
        self.ask(session, |reply| Command::Changes { turn, reply }).await
    }

    async fn undo(
        &self,
        caller: &Caller,
        op: OpId,
        session: &SessionId,
        turn: Option<TurnId>,
    ) -> Result<Undo> {
        self.tell_command(session, "undo", caller).await;
        let caller = caller.clone();
        self.ask(session, |reply| Command::Undo { caller, op, turn, reply }).await
    }

    fn commands(&self) -> &'static [CommandInfo] {
        typed::TABLE
    }

    async fn command(
        &self,
        caller: &Caller,
        op: OpId,
        session: &SessionId,
        line: &str,
    ) -> Result<CommandReply> {
        self.typed(caller, op, session, line).await
    }

    async fn fork(
        &self,
        caller: &Caller,
        op: OpId,
        session: &SessionId,
        seq: u64,
    ) -> Result<Summary> {
        self.open()?;
        let child = id_of("fork", &op);
        if let Some(summary) = self.shared.journal.summary(&child).await? {
            return Ok(summary);
        }
        let parent = self.shared.summary(session).await?;
        if seq == 0 || seq > parent.last_seq {
            let message = format!("`{session}` has the events 1 to {}, not {seq}", parent.last_seq);
            return Err(Error::new(Code::Invalid, message).with_hint("moltis sessions history"));
        }
        let forked = EventKind::SessionForked { parent: session.clone(), parent_seq: seq };
        let mut events = vec![self.event(caller, forked)];
        if !parent.title.is_empty() {
            let title = format!("{} (fork)", parent.title.trim_end_matches(" (fork)"));
            let automatic = !parent.title_by_person;
            let kind = EventKind::TitleChanged { title, automatic, usage: Usage::default() };
            events.push(self.event(caller, kind));
        }
        let works = self.shared.forks_in(&parent, &child).await?;
        events.extend(works.into_iter().map(|kind| self.event(caller, kind)));
        self.tell_command(session, "fork", caller).await;
        match self.shared.journal.fork(session, seq, &child, events).await {
            Err(error) if error.code != Code::Conflict => Err(error),
            Err(_) => self.shared.summary(&child).await,
            Ok(_) => {
                let summary = self.shared.summary(&child).await?;
                self.began(&summary).await;
                Ok(summary)
            }
        }
    }

    async fn delete(&self, caller: &Caller, session: &SessionId) -> Result<Option<String>> {
        self.tell_command(session, "delete", caller).await;
        let summary = self.shared.summary(session).await?;
        let kept = self.ask(session, |reply| Command::Delete { reply }).await?;
        self.over(&summary).await;
        Ok(kept)
    }

    async fn history(&self, session: &SessionId, page: Page) -> Result<Vec<Event>> {
        let page = match page {
            Page::After { seq, limit } => Page::After { seq, limit: limit.min(LARGEST_PAGE) },
            Page::Before { seq, limit } => Page::Before { seq, limit: limit.min(LARGEST_PAGE) },
        };
        self.shared.journal.read(session, page).await
    }

    async fn search(&self, query: &str, limit: u32) -> Result<Vec<Hit>> {
        self.shared.journal.search(query, limit).await
    }

    async fn attach(&self, session: &SessionId, from: From) -> Result<FeedStream> {
        self.open()?;
        let counted = self.shared.reader(session).await?;
        let journal = self.shared.journal.clone();
        Ok(Cursor::new(session.clone(), journal, from, counted).into_stream())
    }
}

/// The id of what a command makes: the same command makes the same thing, after a restart too.
fn id_of(what: &str, op: &OpId) -> SessionId {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let hash = Sha256::digest(format!("{what}:{op}"));
    // Twenty digits of five bits each.
    let mut bits = hash.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let mut id = String::with_capacity(20);
    for _ in 0..20 {
        let digit = bits.by_ref().take(5).fold(0_usize, |sum, bit| sum << 1 | usize::from(bit));
        id.push(char::from(DIGITS[digit]));
    }
    SessionId::new(id)
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(Code::Invalid, message)
}

/// A title as a person gives it: one line, blanks collapsed.
fn title(text: &str) -> Result<String> {
    let visible: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let title = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    if title.is_empty() {
        return Err(invalid("a title must not be empty"));
    }
    if title.chars().count() > LONGEST_TITLE {
        return Err(invalid(format!("a title has at most {LONGEST_TITLE} characters")));
    }
    Ok(title)
}

fn check_key(key: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/');
    if key.is_empty() || key.len() > LONGEST_KEY || !key.chars().all(fits) {
        let message = format!("`{key}` is no key: 1 to {LONGEST_KEY} of letters, digits, -_.:/");
        return Err(invalid(message));
    }
    Ok(())
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
