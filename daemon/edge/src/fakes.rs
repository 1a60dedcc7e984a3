//! A fake of every port, for tests: it notes what it was asked and answers from what it was given.

#[path = "fakes_acting.rs"]
mod acting;

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use async_trait::async_trait;
use futures_util::{Stream, StreamExt as _, stream};
use moltis_core::admin::*;
use moltis_core::assistant::*;
use moltis_core::budget::{Span, Standing, Unit};
use moltis_core::code::{Highlighter, Piece, Pieces, Token};
use moltis_core::event::{Cause, Event, EventKind, FileChange, FileChangeKind, Origin};
use moltis_core::feed::{Feed, FeedStream, From};
use moltis_core::journal::{BackupReport, CheckReport, UsageRow};
use moltis_core::message::{Part, Usage};
use moltis_core::models::{ModelInfo, ModelRef, Price};
use moltis_core::policy::Reach;
use moltis_core::session::{Pending, QueueMode, Summary};
use moltis_core::{Code, Error, OpId, Result, SessionId, Timestamp, TurnId};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{Notify, watch};

/// Every port at once.
pub(crate) struct Fake {
    /// What it was asked, in order.
    pub(crate) asked: Mutex<Vec<String>>,
    /// What every call fails with, if it is to fail.
    pub(crate) failure: Mutex<Option<Error>>,
    /// The events of its one session.
    pub(crate) events: Mutex<Vec<Event>>,
    /// What a reader is given at once; then it waits.
    pub(crate) feed: Mutex<Vec<Feed>>,
    /// Streams that were handed out and not dropped.
    pub(crate) open: watch::Sender<usize>,
    /// Calls of `health` wait for this when it is set.
    pub(crate) hold: Mutex<Option<Arc<Notify>>>,
    /// Calls of `health` that have begun.
    pub(crate) healths: watch::Sender<usize>,
    /// Calls of `history`.
    pub(crate) pages: AtomicUsize,
}

impl Fake {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            asked: Mutex::default(),
            failure: Mutex::default(),
            events: Mutex::default(),
            feed: Mutex::default(),
            open: watch::Sender::new(0),
            hold: Mutex::default(),
            healths: watch::Sender::new(0),
            pages: AtomicUsize::new(0),
        })
    }

    /// What it was asked since this was last called.
    pub(crate) fn take_asked(&self) -> String {
        std::mem::take(&mut *self.asked.lock().unwrap()).join("\n")
    }

    pub(crate) fn fail(&self, error: Error) {
        *self.failure.lock().unwrap() = Some(error);
    }

    pub(crate) fn ask<T>(&self, what: String, answer: T) -> Result<T> {
        self.asked.lock().unwrap().push(what);
        self.failure.lock().unwrap().clone().map_or(Ok(answer), Err)
    }

    /// A stream that is counted as open until it is dropped, and that waits after its items.
    pub(crate) fn counted<T: Send + Unpin + 'static>(
        self: &Arc<Self>,
        items: Vec<T>,
    ) -> Pin<Box<dyn Stream<Item = T> + Send>> {
        self.open.send_modify(|open| *open += 1);
        let inner = Box::pin(stream::iter(items).chain(stream::pending()));
        Box::pin(Counted { inner, fake: Arc::clone(self) })
    }
}

struct Counted<T> {
    inner: Pin<Box<dyn Stream<Item = T> + Send>>,
    fake: Arc<Fake>,
}

impl<T> Stream for Counted<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.inner.as_mut().poll_next(context)
    }
}

impl<T> Drop for Counted<T> {
    fn drop(&mut self) {
        self.fake.open.send_modify(|open| *open -= 1);
    }
}

/// The session that every call is answered with.
pub(crate) fn summary() -> Summary {
    let mut summary = Summary::empty("s1".into());
    summary.title = "Cats".to_owned();
    summary.agent = "main".to_owned();
    summary.last_seq = 3;
    summary
}

/// A message of the person.
pub(crate) fn user_message(seq: u64, parts: Vec<Part>) -> Event {
    event(
        seq,
        EventKind::UserMessage {
            item: "i1".into(),
            op: "o1".into(),
            parts,
            queue: QueueMode::Followup,
            model: None,
            sensitive: false,
        },
    )
}

/// An event of the session `s1`.
pub(crate) fn event(seq: u64, kind: EventKind) -> Event {
    Event {
        session: "s1".into(),
        seq,
        at: Timestamp::constant(1_767_225_600, 0),
        turn: Some("t1".into()),
        cause: Cause::Client("tui".to_owned()),
        origin: Origin::Owner,
        op: None,
        kind,
    }
}

/// The ports as services hold them: a handle that can hand out streams which outlive a call.
pub(crate) struct Ports(pub(crate) Arc<Fake>);

/// A question that waits.
pub(crate) fn pending() -> Pending {
    Pending {
        approval: "a1".into(),
        turn: "t1".into(),
        call: "c1".into(),
        tool: "exec".to_owned(),
        arguments: r#"{"command":"ls"}"#.to_owned(),
        subject: "ls".to_owned(),
        reason: "no pattern allows it".to_owned(),
        digest: "d1".to_owned(),
        pattern: Some("exec: ls".to_owned()),
        tainted: false,
        asked_at: Timestamp::UNIX_EPOCH,
        expires_at: Timestamp::UNIX_EPOCH,
    }
}

fn file() -> FileChange {
    FileChange { path: "a".to_owned(), kind: FileChangeKind::Created }
}

#[async_trait]
impl Assistant for Ports {
    async fn create(&self, caller: &Caller, new: NewSession) -> Result<Summary> {
        self.0.ask(format!("create {caller:?} {new:?}"), summary())
    }

    async fn find(&self, _: &Caller, selector: &Selector) -> Result<Summary> {
        self.0.ask(format!("find {selector:?}"), summary())
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Summary>> {
        self.0.ask(format!("list {filter:?}"), vec![summary()])
    }

    async fn send(&self, caller: &Caller, message: NewMessage) -> Result<Receipt> {
        let receipt = Receipt {
            session: message.session.clone(),
            turn: "t1".into(),
            item: "i1".into(),
            seq: 2,
        };
        let parts = message.parts.len();
        let what = format!("send {:?} {:?} {parts} parts", caller.cause, message.op);
        self.0.ask(what, receipt)
    }

    async fn stop(
        &self,
        _: &Caller,
        op: OpId,
        id: &SessionId,
        scope: StopScope,
    ) -> Result<Vec<TurnId>> {
        self.0.ask(format!("stop {op:?} {id:?} {scope:?}"), vec!["t1".into()])
    }

    async fn compact(&self, _: &Caller, op: OpId, id: &SessionId) -> Result<Compaction> {
        let compaction = Compaction { session: id.clone(), turn: "t1".into(), seq: 4 };
        self.0.ask(format!("compact {op:?} {id:?}"), compaction)
    }

    async fn context(&self, id: &SessionId) -> Result<Window> {
        let fragment = Fragment {
            kind: FragmentKind::Messages,
            name: String::new(),
            count: 2,
            tokens: 10,
            cut: false,
        };
        let window = Window {
            model: ModelRef::new("p", "m"),
            size: 100,
            guessed: false,
            counted: true,
            fragments: vec![fragment],
            left: 90,
            compact_at: Some(75),
            due: false,
            left_out: false,
        };
        self.0.ask(format!("context {id:?}"), window)
    }

    async fn change(
        &self,
        _: &Caller,
        op: OpId,
        id: &SessionId,
        change: Change,
    ) -> Result<Summary> {
        self.0.ask(format!("change {op:?} {id:?} {change:?}"), summary())
    }

    async fn answer(
        &self,
        _: &Caller,
        op: OpId,
        id: &SessionId,
        answer: Answer,
    ) -> Result<Answered> {
        let pattern = (answer.reach != Reach::Once).then(|| "exec: ls".to_owned());
        let answered = Answered { session: id.clone(), turn: "t1".into(), seq: 5, pattern };
        self.0.ask(format!("answer {op:?} {id:?} {answer:?}"), answered)
    }

    async fn approvals(&self) -> Result<Vec<(SessionId, Pending)>> {
        self.0.ask("approvals".to_owned(), vec![("s1".into(), pending())])
    }

    async fn revoke(
        &self,
        _: &Caller,
        op: OpId,
        id: &SessionId,
        pattern: String,
    ) -> Result<Summary> {
        self.0.ask(format!("revoke {op:?} {id:?} {pattern}"), summary())
    }

    async fn changes(&self, id: &SessionId, turn: Option<TurnId>) -> Result<Changes> {
        let changes = Changes { turn: "t1".into(), files: vec![file()], diff: "+a\n".to_owned() };
        self.0.ask(format!("changes {id:?} {turn:?}"), changes)
    }

    async fn undo(
        &self,
        _: &Caller,
        op: OpId,
        id: &SessionId,
        turn: Option<TurnId>,
    ) -> Result<Undo> {
        let kept = vec!["b: it was changed since".to_owned()];
        let undo = Undo { turn: "t1".into(), files: vec![file()], kept };
        self.0.ask(format!("undo {op:?} {id:?} {turn:?}"), undo)
    }

    fn commands(&self) -> &'static [CommandInfo] {
        &[CommandInfo { name: "sh", argument: "COMMAND", help: "run a program" }]
    }

    async fn command(
        &self,
        _: &Caller,
        op: OpId,
        id: &SessionId,
        line: &str,
    ) -> Result<CommandReply> {
        let (text, turn) = ("ran".to_owned(), Some("t1".into()));
        let reply = CommandReply { text, turn, session: None };
        self.0.ask(format!("command {op:?} {id:?} {line:?}"), reply)
    }

    async fn fork(&self, _: &Caller, op: OpId, id: &SessionId, seq: u64) -> Result<Summary> {
        self.0.ask(format!("fork {op:?} {id:?} {seq}"), summary())
    }

    async fn delete(&self, _: &Caller, id: &SessionId) -> Result<Option<String>> {
        self.0.ask(format!("delete {id:?}"), None)
    }

    /// Fewer than were asked for, as heavy events are given.
    async fn history(&self, _: &SessionId, page: Page) -> Result<Vec<Event>> {
        const MOST: usize = 500;
        self.0.pages.fetch_add(1, Ordering::Relaxed);
        let events = self.0.events.lock().unwrap();
        let page: Vec<Event> = match page {
            Page::After { seq, limit } => events
                .iter()
                .filter(|event| event.seq > seq)
                .take(MOST.min(limit as usize))
                .cloned()
                .collect(),
            Page::Before { seq, limit } => {
                let before = events.iter().filter(|event| event.seq < seq).count();
                events[before.saturating_sub(MOST.min(limit as usize))..before].to_vec()
            }
        };
        self.0.failure.lock().unwrap().clone().map_or(Ok(page), Err)
    }

    async fn search(&self, query: &str, limit: u32) -> Result<Vec<Hit>> {
        let hit = Hit {
            session: "s1".into(),
            title: "Cats".to_owned(),
            seq: 2,
            at: Timestamp::UNIX_EPOCH,
            by_person: true,
            snippet: "a cat".to_owned(),
            score: 0.5,
        };
        self.0.ask(format!("search {query:?} {limit}"), vec![hit])
    }

    async fn attach(&self, id: &SessionId, from: From) -> Result<FeedStream> {
        self.0.ask(format!("attach {id:?} {from:?}"), ())?;
        let feed = std::mem::take(&mut *self.0.feed.lock().unwrap());
        Ok(self.0.counted(feed.into_iter().map(Ok).collect()))
    }
}

#[async_trait]
impl ModelAdmin for Ports {
    async fn list(&self, refresh: bool) -> Result<ModelList> {
        let model = ModelInfo {
            id: ModelRef::new("p", "m"),
            name: "M".to_owned(),
            context_window: Some(8_192),
            output_limit: None,
            images: true,
            tools: false,
            reasoning: false,
            price: Some(Price { input: 1, output: 2, cache_read: 3, cache_write: 4 }),
            local: false,
        };
        let failures = vec![("q".to_owned(), "no key".to_owned())];
        self.0.ask(format!("models {refresh}"), ModelList { models: vec![model], failures })
    }

    async fn default_model(&self) -> Result<Option<ModelRef>> {
        Ok(Some(ModelRef::new("p", "m")))
    }

    async fn set_default(&self, model: &ModelRef) -> Result<()> {
        self.0.ask(format!("default {model}"), ())
    }

    async fn catalog(&self) -> Result<Vec<CatalogModel>> {
        self.0.ask("catalog".to_owned(), Vec::new())
    }

    async fn pull(&self, name: &str) -> Result<Steps> {
        self.0.ask(format!("pull {name}"), ())?;
        let step = Step { phase: "downloading".to_owned(), done: 1, total: 2, finished: false };
        let mut steps = vec![Ok(step)];
        if name == "broken" {
            steps.push(Err(Error::new(Code::Provider, "no route")));
        }
        Ok(self.0.counted(steps))
    }

    async fn remove(&self, name: &str) -> Result<()> {
        self.0.ask(format!("remove {name}"), ())
    }

    async fn test(&self, model: &ModelRef) -> Result<ModelTest> {
        let test = ModelTest { text: "ok".to_owned(), first_token_ms: 1, total_ms: 2 };
        self.0.ask(format!("test {model}"), test)
    }
}

#[async_trait]
impl ProviderAdmin for Ports {
    async fn list(&self) -> Result<Vec<ProviderStatus>> {
        self.0.ask("providers".to_owned(), Vec::new())
    }

    fn kinds(&self) -> Vec<(String, bool)> {
        vec![("openai".to_owned(), true), ("ollama".to_owned(), false)]
    }

    async fn login(&self, name: &str, kind: &str, url: &str, key: SecretString) -> Result<()> {
        self.0.ask(format!("login {name} {kind:?} {url:?} {}", key.expose_secret()), ())
    }

    async fn logout(&self, name: &str) -> Result<bool> {
        self.0.ask(format!("logout {name}"), true)
    }

    async fn detect(&self) -> Result<Vec<FoundServer>> {
        let found = FoundServer {
            kind: "ollama".to_owned(),
            base_url: "http://127.0.0.1:11434".to_owned(),
            models: vec!["m".to_owned()],
        };
        self.0.ask("detect".to_owned(), vec![found])
    }

    async fn adopt(&self, found: &FoundServer) -> Result<()> {
        self.0.ask(format!("adopt {found:?}"), ())
    }
}

fn config_value() -> ConfigValue {
    ConfigValue {
        key: "chat.model".to_owned(),
        value: "\"p/m\"".to_owned(),
        json: "\"p/m\"".to_owned(),
        origin: "file".to_owned(),
    }
}

#[async_trait]
impl Highlighter for Ports {
    async fn highlight(&self, language: String, text: String) -> Option<Pieces> {
        self.0.asked.lock().unwrap().push(format!("highlight {language}"));
        let length = u32::try_from(text.len()).unwrap();
        (language == "rust").then(|| vec![vec![Piece { length, token: Token::Keyword }]])
    }
}

#[async_trait]
impl ConfigAdmin for Ports {
    fn path(&self) -> PathBuf {
        PathBuf::from("/c/moltis.toml")
    }

    async fn show(&self) -> Result<Vec<ConfigValue>> {
        self.0.ask("show".to_owned(), vec![config_value()])
    }

    async fn get(&self, key: &str) -> Result<ConfigValue> {
        self.0.ask(format!("get {key}"), config_value())
    }

    async fn set(&self, key: &str, value: &str) -> Result<ConfigChange> {
        let change = ConfigChange { holds: config_value(), needs_restart: true };
        self.0.ask(format!("set {key} {value}"), change)
    }

    async fn reload(&self) -> Result<Vec<String>> {
        self.0.ask("reload".to_owned(), vec!["store.path".to_owned()])
    }
}

#[async_trait]
impl SystemAdmin for Ports {
    async fn health(&self) -> Result<Health> {
        self.0.healths.send_modify(|begun| *begun += 1);
        let hold = self.0.hold.lock().unwrap().clone();
        if let Some(hold) = hold {
            hold.notified().await;
        }
        let health = Health {
            pid: 7,
            uptime_s: 1,
            resident_bytes: 2,
            running_turns: 3,
            attached: 4,
            troubles: Vec::new(),
            data_dir: PathBuf::from("/d"),
            config_dir: PathBuf::from("/c"),
        };
        self.0.ask("health".to_owned(), health)
    }

    async fn logs(&self, last: u32, follow: bool) -> Result<LogStream> {
        self.0.ask(format!("logs {last} {follow}"), ())?;
        let line = LogLine {
            at: Timestamp::UNIX_EPOCH,
            level: "INFO".to_owned(),
            target: "moltisd".to_owned(),
            text: "ready".to_owned(),
        };
        Ok(self.0.counted(vec![line]))
    }

    async fn usage(&self, since: Timestamp) -> Result<Vec<UsageRow>> {
        let row = UsageRow {
            day: "2026-01-01".to_owned(),
            model: ModelRef::new("p", "m"),
            answers: 1,
            usage: Usage::default(),
        };
        self.0.ask(format!("usage {since}"), vec![row])
    }

    async fn budget(&self, session: Option<&SessionId>) -> Result<Vec<Standing>> {
        let (span, unit) = (Span::Day, Unit::Tokens);
        let standing = Standing { span, unit, limit: 9, spent: 4, reserved: 2 };
        self.0.ask(format!("budget {}", session.map_or("", SessionId::as_str)), vec![standing])
    }

    async fn backup(&self, to: &Path) -> Result<BackupReport> {
        let report = BackupReport { sessions: 1, events: 2, bytes: 3, problems: Vec::new() };
        self.0.ask(format!("backup {}", to.display()), report)
    }

    async fn check(&self) -> Result<CheckReport> {
        self.0.ask("check".to_owned(), CheckReport::default())
    }

    async fn rotate_vault(&self) -> Result<u64> {
        self.0.ask("rotate".to_owned(), 5)
    }

    async fn shut_down(&self) -> Result<()> {
        self.0.ask("shut down".to_owned(), ())
    }
}
