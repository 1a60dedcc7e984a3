//! A daemon's worth of sessions in memory, and a reader that checks every promise of the feed.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use moltis_core::assistant::{
    Assistant, Caller, Compaction, NewMessage, NewSession, Page, Receipt,
};
use moltis_core::error::Result;
use moltis_core::event::{Cause, Ending, Event, EventKind, Origin};
use moltis_core::feed::{Delta, Feed, FeedStream, From, Strand};
use moltis_core::id::{ItemId, OpId, SessionId, TurnId};
use moltis_core::message::{Part, text_of};
use moltis_core::models::ModelInfo;
use moltis_core::session::{QueueMode, Settings, Summary, Titles, TurnRules};
use moltis_session::{Hands, Sessions};
use moltis_testkit::env::ManualEnv;
use moltis_testkit::journal::MemoryJournal;
use moltis_testkit::provider::{Script, ScriptedModels, ScriptedProvider, model_info};

/// Longer than anything here takes: time is paused, so it costs nothing.
const PATIENCE: Duration = Duration::from_secs(3_600);

pub(crate) fn owner() -> Caller {
    Caller { cause: Cause::Client("test".to_owned()), origin: Origin::Owner }
}

pub(crate) fn rules() -> TurnRules {
    TurnRules {
        timeout: Some(Duration::from_secs(600)),
        queue: QueueMode::Followup,
        titles: Titles::FirstLine,
        max_queued: 8,
        ..TurnRules::default()
    }
}

/// Waits for something that must happen.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it never happened")
}

pub(crate) struct Home {
    pub(crate) journal: Arc<MemoryJournal>,
    pub(crate) provider: Arc<ScriptedProvider>,
    pub(crate) models: Arc<ScriptedModels>,
    pub(crate) env: Arc<ManualEnv>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) session: SessionId,
    ops: std::cell::Cell<u32>,
    pub(crate) hands: Hands,
    pub(crate) rules: TurnRules,
}

/// A session whose first answer has got as far as "Hal" and hangs there, and a reader of it.
pub(crate) async fn half_answered() -> (Home, Receipt, View) {
    let home = Home::new().await;
    home.provider.push(Script::new().text("Hal").hang());
    let receipt = home.send("U1").await;
    let mut view = home.attach(From::Seq(0)).await;
    view.until(|view| view.text() == "Hal").await;
    (home, receipt, view)
}

impl Home {
    /// A daemon with one provider and one session.
    pub(crate) async fn new() -> Self {
        let provider = ScriptedProvider::new("a");
        let models = ScriptedModels::new(std::slice::from_ref(&provider));
        Self::with(provider, models, rules()).await
    }

    pub(crate) async fn with_rules(rules: TurnRules) -> Self {
        let provider = ScriptedProvider::new("a");
        let models = ScriptedModels::new(std::slice::from_ref(&provider));
        Self::with(provider, models, rules).await
    }

    /// A daemon whose model holds so many tokens.
    pub(crate) async fn with_window(tokens: u64) -> Self {
        let provider = ScriptedProvider::new("a");
        let models = ScriptedModels::default();
        let info = ModelInfo { context_window: Some(tokens), ..model_info("a/model") };
        models.add(&provider, info);
        Self::with(provider, Arc::new(models), rules()).await
    }

    pub(crate) async fn compact(&self) -> Result<Compaction> {
        let op = self.message("").op;
        soon(self.sessions.compact(&owner(), op, &self.session)).await
    }

    pub(crate) async fn with(
        provider: Arc<ScriptedProvider>,
        models: Arc<ScriptedModels>,
        rules: TurnRules,
    ) -> Self {
        Self::with_hands(provider, models, rules, Hands::none()).await
    }

    pub(crate) async fn with_hands(
        provider: Arc<ScriptedProvider>,
        models: Arc<ScriptedModels>,
        rules: TurnRules,
        hands: Hands,
    ) -> Self {
        let (journal, env) = (MemoryJournal::new(), ManualEnv::new());
        let sessions = Sessions::new(
            journal.clone(),
            models.clone(),
            env.clone(),
            hands.clone(),
            rules.clone(),
        );
        let new = NewSession {
            op: OpId::from("create"),
            key: None,
            title: String::new(),
            settings: Settings::default(),
        };
        let session = sessions.create(&owner(), new).await.unwrap().id;
        let ops = std::cell::Cell::new(0);
        Self { journal, provider, models, env, sessions, session, ops, hands, rules }
    }

    /// The daemon dies without a word and comes back over the same journal.
    pub(crate) fn restart(&mut self) {
        let (models, env) = (self.models.clone(), self.env.clone());
        self.sessions = Sessions::new(
            self.journal.clone(),
            models,
            env,
            self.hands.clone(),
            self.rules.clone(),
        );
    }

    pub(crate) fn message(&self, text: &str) -> NewMessage {
        self.ops.set(self.ops.get() + 1);
        NewMessage {
            op: OpId::new(format!("op{}", self.ops.get())),
            session: self.session.clone(),
            parts: vec![Part::Text(text.to_owned())],
            queue: None,
            model: None,
            sensitive: false,
        }
    }

    pub(crate) async fn send(&self, text: &str) -> Receipt {
        self.try_send(self.message(text)).await.unwrap()
    }

    pub(crate) async fn send_as(&self, text: &str, queue: QueueMode) -> Receipt {
        let message = NewMessage { queue: Some(queue), ..self.message(text) };
        self.try_send(message).await.unwrap()
    }

    pub(crate) async fn try_send(&self, message: NewMessage) -> Result<Receipt> {
        soon(self.sessions.send(&owner(), message)).await
    }

    pub(crate) async fn attach(&self, from: From) -> View {
        View::new(self.sessions.attach(&self.session, from).await.unwrap())
    }

    /// Waits for the end of a turn.
    pub(crate) async fn ended(&self, turn: &TurnId) -> Ending {
        self.attach(From::Seq(0)).await.ended(turn).await
    }

    /// Waits until nothing is open.
    pub(crate) async fn quiet(&self) {
        let mut view = self.attach(From::Seq(0)).await;
        view.until(|view| view.caught_up && view.summary().open_turns.is_empty()).await;
    }

    pub(crate) fn log(&self) -> Vec<Event> {
        self.journal.events(&self.session)
    }

    /// The log, a line an event.
    pub(crate) fn story(&self) -> String {
        self.log().iter().map(|event| story(event) + "\n").collect()
    }

    pub(crate) async fn history(&self) -> Vec<Event> {
        let page = Page::After { seq: 0, limit: 10_000 };
        self.sessions.history(&self.session, page).await.unwrap()
    }
}

fn story(event: &Event) -> String {
    match &event.kind {
        EventKind::SessionCreated { .. } => "created".to_owned(),
        EventKind::SessionForked { parent_seq, .. } => format!("forked at {parent_seq}"),
        EventKind::TitleChanged { title, automatic, .. } => {
            let who = if *automatic { "automatic" } else { "a person's" };
            format!("title {title:?}, {who}")
        }
        EventKind::ArchivedChanged { archived } => format!("archived {archived}"),
        EventKind::SettingsChanged { settings } => {
            format!(
                "model {}",
                settings.model.as_ref().map(ToString::to_string).unwrap_or_default()
            )
        }
        EventKind::UserMessage { parts, .. } => format!("user: {}", text_of(parts)),
        EventKind::TurnStarted { model: None } => "started".to_owned(),
        EventKind::TurnStarted { model: Some(model) } => format!("started with {model}"),
        EventKind::AssistantMessage { parts, partial, .. } => {
            format!("{}: {}", if *partial { "partial" } else { "answer" }, text_of(parts))
        }
        EventKind::Notice { text, .. } => format!("notice: {text}"),
        EventKind::ProgramAsked { command } => format!("run: {command}"),
        EventKind::ClearAsked => "to be cleared".to_owned(),
        EventKind::Cleared { .. } => "cleared".to_owned(),
        EventKind::CompactionAsked => "to be compacted".to_owned(),
        EventKind::Compacted { summary, .. } => format!("compacted: {summary}"),
        EventKind::ToolStarted { tool, arguments, .. } => format!("calls {tool} {arguments}"),
        EventKind::ToolFinished { tool, ending, parts, .. } => {
            format!("{tool} {}: {}", ending.as_str(), text_of(parts))
        }
        EventKind::ApprovalAsked { tool, subject, reason, .. } => {
            format!("asks: {tool} {subject:?}: {reason}")
        }
        EventKind::ApprovalAnswered { allowed, reach, reason, .. } => {
            format!("answered: {allowed} {} {reason}", reach.as_str()).trim_end().to_owned()
        }
        EventKind::GrantRevoked { pattern } => format!("revoked {pattern}"),
        EventKind::WorkspaceChanged { files, .. } => format!("changed {} files", files.len()),
        EventKind::WorkspaceRestored { files, .. } => format!("restored {} files", files.len()),
        EventKind::WorktreeSet { worktree } => {
            let branch = worktree.as_ref().map(|worktree| worktree.branch.as_str());
            format!("worktree {}", branch.unwrap_or("none"))
        }
        EventKind::StateSet { key, .. } => format!("state {key}"),
        EventKind::TurnEnded { ending, failure, .. } => {
            let why = failure.as_ref().map(|failure| format!(": {}", failure.message));
            format!("{ending:?}{}", why.unwrap_or_default())
        }
    }
}

/// What a client knows: folded from the feed alone.
pub(crate) struct View {
    feed: FeedStream,
    pub(crate) snapshot: Option<Summary>,
    pub(crate) first_seq: u64,
    pub(crate) events: Vec<Arc<Event>>,
    pub(crate) caught_up: bool,
    /// The text that grows, by item and strand.
    pub(crate) growing: BTreeMap<(ItemId, String), String>,
    pub(crate) deltas: usize,
    pub(crate) progress: Vec<String>,
    finished: Vec<ItemId>,
    pub(crate) over: bool,
}

impl View {
    pub(crate) fn new(feed: FeedStream) -> Self {
        Self {
            feed,
            snapshot: None,
            first_seq: 0,
            events: Vec::new(),
            caught_up: false,
            growing: BTreeMap::new(),
            deltas: 0,
            progress: Vec::new(),
            finished: Vec::new(),
            over: false,
        }
    }

    /// Takes the next thing of the feed.
    pub(crate) async fn next(&mut self) {
        match soon(self.feed.next()).await {
            Some(feed) => self.take(feed.expect("the feed failed")),
            None => self.over = true,
        }
    }

    /// Takes whatever is there already.
    pub(crate) async fn drain(&mut self) {
        loop {
            tokio::select! {
                biased;
                feed = self.feed.next() => match feed {
                    Some(feed) => self.take(feed.expect("the feed failed")),
                    None => {
                        self.over = true;
                        return;
                    }
                },
                () = tokio::task::yield_now() => return,
            }
        }
    }

    pub(crate) async fn until(&mut self, mut reached: impl FnMut(&Self) -> bool) {
        while !reached(self) {
            assert!(!self.over, "the feed is over; so far {} events", self.events.len());
            self.next().await;
        }
    }

    pub(crate) async fn ended(&mut self, turn: &TurnId) -> Ending {
        self.until(|view| view.ending(turn).is_some()).await;
        self.ending(turn).unwrap()
    }

    pub(crate) fn ending(&self, turn: &TurnId) -> Option<Ending> {
        self.events.iter().find_map(|event| match &event.kind {
            EventKind::TurnEnded { ending, .. } if event.turn.as_ref() == Some(turn) => {
                Some(*ending)
            }
            _ => None,
        })
    }

    /// The visible text that grows.
    pub(crate) fn text(&self) -> String {
        let text = |((_, strand), text): (&(ItemId, String), &String)| {
            (strand == "Text").then(|| text.clone())
        };
        self.growing.iter().filter_map(text).collect()
    }

    /// The session as this client has it.
    pub(crate) fn summary(&self) -> Summary {
        let mut summary = self.snapshot.clone().expect("there is no snapshot yet");
        for event in &self.events {
            // Older ones are in the snapshot already.
            if event.seq > summary.last_seq {
                summary.apply(event);
            }
        }
        summary
    }

    fn take(&mut self, feed: Feed) {
        match feed {
            Feed::Snapshot { summary, first_seq } => {
                assert!(self.snapshot.is_none(), "a second snapshot");
                self.snapshot = Some(*summary);
                self.first_seq = first_seq;
            }
            Feed::Event(event) => {
                let expected = self.first_seq + self.events.len() as u64;
                assert_eq!(event.seq, expected, "events are dense");
                self.event(&event);
                self.events.push(event);
            }
            Feed::CaughtUp => {
                let there = self.snapshot.as_ref().unwrap().last_seq;
                let last = self.first_seq + self.events.len() as u64 - 1;
                assert!(!self.caught_up && last == there, "caught up at {last} of {there}");
                self.caught_up = true;
            }
            Feed::Delta(delta) => self.delta(delta),
            Feed::Progress(progress) => self.progress.push(progress.text),
        }
    }

    fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::AssistantMessage { item, parts, .. } => {
                if let Some(painted) = self.growing.get(&(item.clone(), "Text".to_owned())) {
                    let whole = text_of(parts);
                    assert!(whole.starts_with(painted.as_str()), "{painted:?} of {whole:?}");
                }
                self.growing.retain(|(growing, _), _| growing != item);
                self.finished.push(item.clone());
            }
            EventKind::TurnEnded { .. } => self.growing.clear(),
            _ => {}
        }
    }

    fn delta(&mut self, delta: Delta) {
        assert!(self.caught_up, "paint before the past was given");
        assert!(!self.finished.contains(&delta.item), "paint of a finished item");
        assert!(!delta.text.is_empty());
        self.deltas += 1;
        let strand = match delta.strand {
            Strand::Text => "Text".to_owned(),
            Strand::Reasoning => "Reasoning".to_owned(),
            Strand::Arguments { call, .. } => call.to_string(),
            Strand::Output { call, .. } => format!("output of {call}"),
        };
        let so_far = self.growing.entry((delta.item, strand)).or_default();
        assert_eq!(delta.offset, so_far.len() as u64, "deltas have no gaps");
        so_far.push_str(&delta.text);
    }
}
