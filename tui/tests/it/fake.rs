//! A daemon that is played: real gRPC on a real socket, with answers as the test has them.
//!
//! It runs on a thread of its own and is gone, socket included, when dropped.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use moltis_proto::ERROR_DETAIL_KEY;
use moltis_proto::v1::attach_response::Feed;
use moltis_proto::v1::config_server::ConfigServer;
use moltis_proto::v1::event::Kind;
use moltis_proto::v1::hooks_server::HooksServer;
use moltis_proto::v1::part::Part as Inner;
use moltis_proto::v1::sandbox_server::SandboxServer;
use moltis_proto::v1::sessions_server::{Sessions, SessionsServer};
use moltis_proto::v1::system_server::{System, SystemServer};
use moltis_proto::v1::*;
use prost::Message as _;
use tokio::sync::{Notify, oneshot};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Response, Status};

/// The session of all tests.
pub(crate) const SESSION: &str = "01session0000000000x";
/// The turn of all tests.
pub(crate) const TURN: &str = "01turn0000000000000x";

/// One step of an attached feed.
#[derive(Clone)]
pub(crate) enum Step {
    /// Gives this.
    Give(Box<Feed>),
    /// Breaks the connection's stream off.
    Break,
    /// Goes on when a stop was asked for.
    WaitForStop,
    /// Goes on when a question was answered.
    WaitForAnswer,
    /// Stays silent.
    Silence,
}

/// What the daemon was asked.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) sends: Vec<SendRequest>,
    pub(crate) stops: Vec<StopRequest>,
    pub(crate) attaches: Vec<AttachRequest>,
    pub(crate) deletes: Vec<DeleteRequest>,
    pub(crate) answers: Vec<AnswerRequest>,
    pub(crate) configures: Vec<ConfigureRequest>,
    pub(crate) revokes: Vec<RevokeRequest>,
    /// What else it was asked, in words.
    pub(crate) asked: Vec<String>,
    pub(crate) creates: Vec<CreateRequest>,
    pub(crate) hellos: usize,
}

/// What the daemon will answer.
pub(crate) struct Script {
    /// The major version that it speaks.
    pub(crate) major: u32,
    /// What every send is refused with.
    pub(crate) refusal: Option<Status>,
    /// How many sends end with a broken connection after they were heard.
    pub(crate) broken_sends: usize,
    /// The feed of each attach in turn.
    pub(crate) feeds: VecDeque<Vec<Step>>,
    /// The sessions that it lists.
    pub(crate) sessions: Vec<Session>,
    /// The events of the session.
    pub(crate) history: Vec<Event>,
    /// The questions that wait.
    pub(crate) approvals: Vec<Approval>,
    /// What the last turn changed.
    pub(crate) changed: Vec<FileChange>,
    /// What the configuration allows.
    pub(crate) allow: Vec<String>,
    /// How the sandbox is.
    pub(crate) sandbox: SandboxStatus,
    /// The hooks.
    pub(crate) hooks: Vec<Hook>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            major: moltis_proto::PROTOCOL_MAJOR,
            refusal: None,
            broken_sends: 0,
            feeds: VecDeque::new(),
            sessions: Vec::new(),
            history: Vec::new(),
            approvals: Vec::new(),
            changed: Vec::new(),
            allow: Vec::new(),
            sandbox: SandboxStatus::default(),
            hooks: Vec::new(),
        }
    }
}

pub(crate) struct Shared {
    pub(crate) script: Mutex<Script>,
    pub(crate) heard: Mutex<Heard>,
    stopped: Notify,
    answered: Notify,
}

/// A running fake.
pub(crate) struct Fake {
    shared: Arc<Shared>,
    socket: PathBuf,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Fake {
    /// Serves at that socket; connections are taken when this returns.
    pub(crate) fn start(socket: &Path, script: Script) -> Self {
        let shared = Arc::new(Shared {
            script: Mutex::new(script),
            heard: Mutex::default(),
            stopped: Notify::new(),
            answered: Notify::new(),
        });
        std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
        let listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        let (end, ended) = oneshot::channel();
        let served = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::UnixListener::from_std(listener).unwrap();
                let serving = tonic::transport::Server::builder()
                    .add_service(SessionsServer::new(Service(Arc::clone(&served))))
                    .add_service(HooksServer::new(Service(Arc::clone(&served))))
                    .add_service(SandboxServer::new(Service(Arc::clone(&served))))
                    .add_service(ConfigServer::new(Service(Arc::clone(&served))))
                    .add_service(SystemServer::new(Service(served)))
                    .serve_with_incoming(UnixListenerStream::new(listener));
                tokio::select! {
                    result = serving => result.unwrap(),
                    _ = ended => {}
                }
            });
        });
        Self { shared, socket: socket.to_owned(), end: Some(end), thread: Some(thread) }
    }

    /// What it was asked.
    pub(crate) fn heard<T>(&self, look: impl FnOnce(&Heard) -> T) -> T {
        look(&self.shared.heard.lock().unwrap())
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _ = self.end.take().unwrap().send(());
        let ended = self.thread.take().unwrap().join();
        let _ = std::fs::remove_file(&self.socket);
        if !std::thread::panicking() {
            ended.unwrap();
        }
    }
}

/// A refusal as the daemon gives it.
pub(crate) fn refusal(code: &str, message: &str, hint: &str) -> Status {
    let mut status = Status::new(Code::FailedPrecondition, message);
    let detail =
        ErrorDetail { code: code.to_owned(), message: message.to_owned(), hint: hint.to_owned() };
    let value = MetadataValue::from_bytes(&detail.encode_to_vec());
    status.metadata_mut().insert_bin(ERROR_DETAIL_KEY, value);
    status
}

/// An event of the turn.
pub(crate) fn event(seq: u64, kind: Kind) -> Event {
    Event {
        session: SESSION.to_owned(),
        seq,
        at: Some(prost_types::Timestamp { seconds: 1_795_521_600, nanos: 0 }),
        turn: TURN.to_owned(),
        kind: Some(kind),
        ..Event::default()
    }
}

/// The person's message.
pub(crate) fn asked(seq: u64, text: &str) -> Event {
    let parts = vec![text_part(text)];
    event(seq, Kind::UserMessage(UserMessage { parts, ..UserMessage::default() }))
}

/// The model's message.
pub(crate) fn answered(seq: u64, item: &str, text: &str) -> Event {
    let message = AssistantMessage {
        item: item.to_owned(),
        parts: vec![text_part(text)],
        model: "fake/model".to_owned(),
        ..AssistantMessage::default()
    };
    event(seq, Kind::AssistantMessage(message))
}

/// The turn's end.
pub(crate) fn ended(seq: u64, ending: Ending, failure: Option<TurnFailure>) -> Event {
    let usage = Some(Usage { input_tokens: 3, output_tokens: 2, ..Usage::default() });
    event(seq, Kind::TurnEnded(TurnEnded { ending: ending.into(), failure, usage }))
}

/// A step that gives an event.
pub(crate) fn give(event: Event) -> Step {
    Step::Give(Box::new(Feed::Event(event)))
}

/// A step that gives a piece of text.
pub(crate) fn paint(item: &str, offset: u64, text: &str) -> Step {
    Step::Give(Box::new(Feed::Delta(Delta {
        session: SESSION.to_owned(),
        turn: TURN.to_owned(),
        item: item.to_owned(),
        strand: Strand::Text.into(),
        offset,
        text: text.to_owned(),
        ..Delta::default()
    })))
}

fn text_part(text: &str) -> Part {
    Part { part: Some(Inner::Text(text.to_owned())) }
}

/// The session of all tests, as it is listed.
pub(crate) fn session() -> Session {
    Session {
        id: SESSION.to_owned(),
        key: "main".to_owned(),
        title: "A title".to_owned(),
        last_seq: 4,
        ..Session::default()
    }
}

pub(crate) struct Service(pub(crate) Arc<Shared>);

pub(crate) type Answer<T> = Result<Response<T>, Status>;

pub(crate) fn unplayed<T>() -> Answer<T> {
    Err(Status::internal("not played"))
}

#[tonic::async_trait]
impl Sessions for Service {
    async fn create(&self, request: Request<CreateRequest>) -> Answer<Session> {
        self.0.heard.lock().unwrap().creates.push(request.into_inner());
        Ok(Response::new(session()))
    }

    async fn find(&self, request: Request<FindRequest>) -> Answer<Session> {
        let name = request.into_inner().name;
        if name == "main" || SESSION.starts_with(&name) {
            let listed = self.0.script.lock().unwrap().sessions.first().cloned();
            return Ok(Response::new(listed.unwrap_or_else(session)));
        }
        Err(refusal("not_found", &format!("there is no session `{name}`"), "moltis sessions list"))
    }

    async fn list(&self, _: Request<ListSessionsRequest>) -> Answer<ListSessionsResponse> {
        let sessions = self.0.script.lock().unwrap().sessions.clone();
        Ok(Response::new(ListSessionsResponse { sessions }))
    }

    async fn send(&self, request: Request<SendRequest>) -> Answer<SendResponse> {
        self.0.heard.lock().unwrap().sends.push(request.into_inner());
        let mut script = self.0.script.lock().unwrap();
        if let Some(refusal) = &script.refusal {
            return Err(refusal.clone());
        }
        if script.broken_sends > 0 {
            script.broken_sends -= 1;
            return Err(Status::unavailable("broken"));
        }
        let (session, turn) = (SESSION.to_owned(), TURN.to_owned());
        Ok(Response::new(SendResponse { session, turn, item: "i0".to_owned(), seq: 2 }))
    }

    async fn stop(&self, request: Request<StopRequest>) -> Answer<StopResponse> {
        self.0.heard.lock().unwrap().stops.push(request.into_inner());
        self.0.stopped.notify_one();
        Ok(Response::new(StopResponse { turns: vec![TURN.to_owned()] }))
    }

    async fn answer(&self, request: Request<AnswerRequest>) -> Answer<AnswerResponse> {
        let request = request.into_inner();
        let mut script = self.0.script.lock().unwrap();
        let at = script.approvals.iter().position(|asked| asked.id == request.approval);
        let at = at.ok_or_else(|| refusal("not_found", "it was answered already", ""))?;
        let asked = script.approvals[at].clone();
        if asked.digest != request.digest {
            return Err(refusal("conflict", "this is another question", "moltis approvals"));
        }
        script.approvals.remove(at);
        let pattern = if request.reach == "once" { String::new() } else { asked.pattern };
        self.0.heard.lock().unwrap().answers.push(request);
        self.0.answered.notify_one();
        Ok(Response::new(AnswerResponse {
            session: SESSION.to_owned(),
            turn: TURN.to_owned(),
            seq: 9,
            pattern,
        }))
    }

    async fn approvals(&self, _: Request<ApprovalsRequest>) -> Answer<ApprovalsResponse> {
        let approvals = self.0.script.lock().unwrap().approvals.clone();
        Ok(Response::new(ApprovalsResponse { approvals }))
    }

    async fn revoke(&self, request: Request<RevokeRequest>) -> Answer<Session> {
        self.0.heard.lock().unwrap().revokes.push(request.into_inner());
        Ok(Response::new(session()))
    }

    async fn diff(&self, request: Request<DiffRequest>) -> Answer<DiffResponse> {
        let turn = request.into_inner().turn;
        let files = self.0.script.lock().unwrap().changed.clone();
        if files.is_empty() || (turn != TURN && !turn.is_empty()) {
            return Err(refusal("not_found", "no turn changed anything", ""));
        }
        let text = "--- a/a.rs\n+++ b/a.rs\n@@ -1 +1 @@\n-old\n+new\n".to_owned();
        Ok(Response::new(DiffResponse { turn: TURN.to_owned(), files, text }))
    }

    async fn undo(&self, _: Request<UndoRequest>) -> Answer<UndoResponse> {
        let files = std::mem::take(&mut self.0.script.lock().unwrap().changed);
        if files.is_empty() {
            return Err(refusal("not_found", "no turn changed anything", ""));
        }
        let kept = vec!["b.rs: changed since".to_owned()];
        Ok(Response::new(UndoResponse { turn: TURN.to_owned(), files, kept }))
    }

    async fn commands(&self, _: Request<CommandsRequest>) -> Answer<CommandsResponse> {
        Ok(Response::new(CommandsResponse::default()))
    }

    async fn command(&self, request: Request<CommandRequest>) -> Answer<CommandResponse> {
        self.typed(request.into_inner())
    }

    async fn compact(&self, _: Request<CompactRequest>) -> Answer<CompactResponse> {
        let script = self.0.script.lock().unwrap();
        if let Some(refusal) = &script.refusal {
            return Err(refusal.clone());
        }
        let (session, turn) = (SESSION.to_owned(), TURN.to_owned());
        Ok(Response::new(CompactResponse { session, turn, seq: 2 }))
    }

    async fn context(&self, _: Request<ContextRequest>) -> Answer<ContextResponse> {
        let part = |kind: &str, count, tokens| Fragment {
            kind: kind.to_owned(),
            count,
            tokens,
            ..Fragment::default()
        };
        Ok(Response::new(ContextResponse {
            model: "fake/model".to_owned(),
            window: 8_192,
            guessed: false,
            fragments: vec![
                Fragment { name: "AGENTS.md".to_owned(), cut: true, ..part("system", 1, 20) },
                part("summary", 1, 300),
                part("messages", 4, 80),
            ],
            left: 7_792,
            compact_at: 6_144,
            left_out: false,
            due: false,
            counted: false,
        }))
    }

    async fn rename(&self, request: Request<RenameRequest>) -> Answer<Session> {
        Ok(Response::new(Session { title: request.into_inner().title, ..session() }))
    }

    async fn archive(&self, request: Request<ArchiveRequest>) -> Answer<Session> {
        Ok(Response::new(Session { archived: request.into_inner().archived, ..session() }))
    }

    async fn configure(&self, request: Request<ConfigureRequest>) -> Answer<Session> {
        let request = request.into_inner();
        let settings = request.settings.clone();
        self.0.heard.lock().unwrap().configures.push(request);
        Ok(Response::new(Session { settings, ..session() }))
    }

    async fn fork(&self, _: Request<ForkRequest>) -> Answer<Session> {
        unplayed()
    }

    async fn delete(&self, request: Request<DeleteRequest>) -> Answer<DeleteResponse> {
        self.0.heard.lock().unwrap().deletes.push(request.into_inner());
        Ok(Response::new(DeleteResponse::default()))
    }

    async fn history(&self, request: Request<HistoryRequest>) -> Answer<HistoryResponse> {
        let request = request.into_inner();
        let limit = if request.limit == 0 { 200 } else { request.limit } as usize;
        let events = self.0.script.lock().unwrap().history.clone();
        let events: Vec<Event> = match request.after_seq {
            Some(after) => events.into_iter().filter(|e| e.seq > after).take(limit).collect(),
            None => {
                let end = request.before_seq.unwrap_or(u64::MAX);
                let before: Vec<Event> = events.into_iter().filter(|e| e.seq < end).collect();
                before[before.len().saturating_sub(limit)..].to_vec()
            }
        };
        Ok(Response::new(HistoryResponse { events }))
    }

    async fn search(&self, _: Request<SearchRequest>) -> Answer<SearchResponse> {
        unplayed()
    }

    type AttachStream = BoxStream<'static, Result<AttachResponse, Status>>;

    async fn attach(&self, request: Request<AttachRequest>) -> Answer<Self::AttachStream> {
        let request = request.into_inner();
        let first_seq = request.after_seq.unwrap_or(4) + 1;
        self.0.heard.lock().unwrap().attaches.push(request);
        let steps = self.0.script.lock().unwrap().feeds.pop_front();
        let steps = steps.ok_or_else(|| refusal("not_found", "the session is gone", ""))?;
        let snapshot = Snapshot { session: Some(session()), first_seq };
        let mut all = VecDeque::from([Step::Give(Box::new(Feed::Snapshot(snapshot)))]);
        all.extend(steps);
        let shared = Arc::clone(&self.0);
        let feed = stream::unfold((all, shared), |(mut steps, shared)| async move {
            loop {
                match steps.pop_front()? {
                    Step::Give(feed) => {
                        let given = AttachResponse { feed: Some(*feed) };
                        return Some((Ok(given), (steps, shared)));
                    }
                    Step::Break => {
                        let broken = Status::unavailable("broken");
                        return Some((Err(broken), (VecDeque::new(), shared)));
                    }
                    Step::WaitForStop => shared.stopped.notified().await,
                    Step::WaitForAnswer => shared.answered.notified().await,
                    Step::Silence => std::future::pending().await,
                }
            }
        });
        Ok(Response::new(feed.boxed()))
    }

    type ExportStream = BoxStream<'static, Result<ExportChunk, Status>>;

    async fn export(&self, _: Request<ExportRequest>) -> Answer<Self::ExportStream> {
        let chunks = ["# A ", "title\n"].map(|text| Ok(ExportChunk { text: text.to_owned() }));
        Ok(Response::new(stream::iter(chunks).boxed()))
    }
}

#[tonic::async_trait]
impl System for Service {
    async fn hello(&self, _: Request<HelloRequest>) -> Answer<HelloResponse> {
        self.0.heard.lock().unwrap().hellos += 1;
        let major = self.0.script.lock().unwrap().major;
        Ok(Response::new(HelloResponse {
            protocol: Some(ProtocolVersion { major, minor: 0 }),
            build: "0.0.0-fake".to_owned(),
            features: Vec::new(),
            pid: 0,
        }))
    }

    async fn health(&self, _: Request<HealthRequest>) -> Answer<HealthResponse> {
        Ok(Response::new(HealthResponse { pid: 7, uptime_s: 65, ..HealthResponse::default() }))
    }

    type LogsStream = BoxStream<'static, Result<LogLine, Status>>;

    async fn logs(&self, _: Request<LogsRequest>) -> Answer<Self::LogsStream> {
        unplayed()
    }

    async fn read_usage(&self, _: Request<UsageRequest>) -> Answer<UsageResponse> {
        let usage = Usage { input_tokens: 10, cost_microusd: 1_500_000, ..Usage::default() };
        let row = UsageRow {
            day: "2026-11-24".to_owned(),
            model: "fake/model".to_owned(),
            answers: 1,
            usage: Some(usage),
        };
        Ok(Response::new(UsageResponse { rows: vec![row] }))
    }

    async fn read_budget(&self, request: Request<BudgetRequest>) -> Answer<BudgetResponse> {
        let limit = |span: &str, unit: &str, limit| BudgetLimit {
            span: span.to_owned(),
            unit: unit.to_owned(),
            limit,
            spent: limit / 4,
            reserved: limit / 2,
        };
        let mut limits = vec![limit("day", "microusd", 5_000_000), limit("day", "seconds", 3_600)];
        if !request.into_inner().session.is_empty() {
            limits.insert(0, limit("session", "calls", 200));
        }
        Ok(Response::new(BudgetResponse { limits }))
    }

    async fn backup(&self, _: Request<BackupRequest>) -> Answer<BackupResponse> {
        Ok(Response::new(BackupResponse {
            sessions: 1,
            events: 4,
            bytes: 4_096,
            problems: Vec::new(),
        }))
    }

    async fn check(&self, _: Request<CheckRequest>) -> Answer<CheckResponse> {
        let problems = vec!["event 3 of x has a wrong hash".to_owned()];
        Ok(Response::new(CheckResponse { sessions: 1, events: 4, problems, rebuild_mends: false }))
    }

    async fn rotate_vault(&self, _: Request<RotateVaultRequest>) -> Answer<RotateVaultResponse> {
        Ok(Response::new(RotateVaultResponse { secrets: 2 }))
    }

    async fn shutdown(&self, _: Request<ShutdownRequest>) -> Answer<ShutdownResponse> {
        unplayed()
    }
}
