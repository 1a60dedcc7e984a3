//! Doing what the model wants: calls to the daemon, files, colors.
//!
//! Every command is a task in one set that ends with the client. Each has its answer as a message;
//! a task that panics is noticed and not waited for.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use moltis_proto::v1;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tonic::Status;

use super::feed::Follow;
use super::keep::{self, HistoryFile};
use crate::app::{Cmd, Reply, Said, Target, Trouble, Wanted};
use crate::client::{Client, Connector, Failure, call};
use crate::widget::{Hue, Paint};

/// Commands that run at once; more than these are refused, which a person cannot reach.
const MAX_TASKS: usize = 256;
/// Events of a preview.
const PEEK: u32 = 12;

/// The connection that is in use, shared by all commands.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Option<Client>>>);

impl Shared {
    /// The connection, if there is one.
    pub(super) fn get(&self) -> Option<Client> {
        self.0.lock().ok()?.clone()
    }

    /// Puts another connection into use.
    pub(super) fn set(&self, client: Client) {
        if let Ok(mut shared) = self.0.lock() {
            *shared = Some(client);
        }
    }
}

/// What the model is told of a failure.
pub(super) fn trouble(failure: Failure) -> Trouble {
    Trouble { code: failure.code, message: failure.message, hint: failure.hint.unwrap_or_default() }
}

/// Does what the model wants.
pub(super) struct Effects {
    connector: Connector,
    shared: Shared,
    out: mpsc::Sender<Said>,
    tasks: JoinSet<()>,
    following: Option<AbortHandle>,
    pulling: Option<AbortHandle>,
    attached: Option<(u64, Target)>,
    history: HistoryFile,
}

impl Effects {
    /// Nothing runs yet.
    pub(super) fn new(connector: Connector, out: mpsc::Sender<Said>) -> Self {
        let history = HistoryFile::at(connector.data_dir());
        Self {
            connector,
            shared: Shared::default(),
            out,
            tasks: JoinSet::new(),
            following: None,
            pulling: None,
            attached: None,
            history,
        }
    }

    /// Reads the messages of earlier runs.
    pub(super) fn read_history(&mut self) {
        let (history, out) = (self.history.clone(), self.out.clone());
        self.tasks.spawn_blocking(move || {
            drop(out.blocking_send(Said::History(history.read())));
        });
    }

    /// Begins what a command wants. Commands for the terminal itself are not known here.
    pub(super) fn begin(&mut self, cmd: Cmd) {
        while self.tasks.try_join_next().is_some() {}
        if self.tasks.len() >= MAX_TASKS {
            return;
        }
        match cmd {
            Cmd::Attach { epoch, target } => self.follow(epoch, target),
            Cmd::Connect => {
                if let Some((epoch, target)) = self.attached.clone() {
                    self.follow(epoch, target);
                }
            }
            Cmd::Remember(text) => self.remember(text),
            Cmd::Color { key, language, text } => self.color(key, language, text),
            Cmd::LookAround => {
                self.call(Cmd::LookAround);
                self.look_for_servers();
                self.look_for_kinds();
            }
            Cmd::Pull { name } => self.pull(name),
            Cmd::PausePull => {
                if let Some(pulling) = self.pulling.take() {
                    pulling.abort();
                }
            }
            cmd => self.call(cmd),
        }
    }

    fn follow(&mut self, epoch: u64, target: Target) {
        if let Some(following) = self.following.take() {
            following.abort();
        }
        self.attached = Some((epoch, target.clone()));
        let follow = Follow {
            connector: self.connector.clone(),
            shared: self.shared.clone(),
            out: self.out.clone(),
            epoch,
            target,
        };
        self.following = Some(self.tasks.spawn(Box::pin(follow.run())));
    }

    fn remember(&mut self, text: String) {
        let (history, out) = (self.history.clone(), self.out.clone());
        self.tasks.spawn_blocking(move || {
            if let Err(error) = history.append(&text) {
                let trouble = Trouble { message: error.to_string(), ..Trouble::default() };
                let failed = Reply::Failed { asked: Wanted::Remember, trouble };
                drop(out.blocking_send(Said::Reply(Box::new(failed))));
            }
        });
    }

    /// Asks what the pieces of some code are. Without an answer it is asked again when the
    /// connection stands.
    fn color(&mut self, key: u64, language: String, text: String) {
        let (Some(mut client), out) = (self.shared.get(), self.out.clone()) else { return };
        self.tasks.spawn(Box::pin(async move {
            let told = client
                .caller
                .call(&call::HIGHLIGHT, &v1::HighlightRequest { language, text })
                .await;
            let paint = match told {
                Ok(told) => Some(Arc::new(paint(told))),
                Err(failure) if failure.is_unavailable() => return,
                Err(_) => None,
            };
            drop(out.send(Said::Colored { key, paint }).await);
        }));
    }

    fn call(&mut self, cmd: Cmd) {
        let (client, out) = (self.shared.get(), self.out.clone());
        self.tasks.spawn(Box::pin(async move {
            let reply = match client {
                Some(mut client) => answer(&mut client, cmd).await,
                None => Box::pin(refuse(cmd)).await,
            };
            if let Some(reply) = reply {
                drop(out.send(Said::Reply(Box::new(reply))).await);
            }
        }));
    }

    fn look_for_servers(&mut self) {
        let (Some(mut client), out) = (self.shared.get(), self.out.clone()) else { return };
        self.tasks.spawn(Box::pin(async move {
            if let Ok(found) = client.caller.call(&call::DETECT, &v1::DetectRequest {}).await {
                let reply = Reply::Servers(found.servers);
                drop(out.send(Said::Reply(Box::new(reply))).await);
            }
        }));
    }

    fn look_for_kinds(&mut self) {
        let (Some(mut client), out) = (self.shared.get(), self.out.clone()) else { return };
        self.tasks.spawn(Box::pin(async move {
            if let Ok(listed) =
                client.caller.call(&call::PROVIDERS, &v1::ListProvidersRequest {}).await
            {
                let reply = Reply::Kinds(listed.kinds);
                drop(out.send(Said::Reply(Box::new(reply))).await);
            }
        }));
    }

    fn pull(&mut self, name: String) {
        if let Some(pulling) = self.pulling.take() {
            pulling.abort();
        }
        let (client, out) = (self.shared.get(), self.out.clone());
        self.pulling = Some(self.tasks.spawn(Box::pin(async move {
            let failure = match client {
                Some(client) => pull(client, name, &out).await.err(),
                None => Some(not_connected()),
            };
            if let Some(trouble) = failure {
                drop(out.send(Said::Reply(Box::new(Reply::Pulled(Err(trouble))))).await);
            }
        })));
    }
}

async fn pull(mut client: Client, name: String, out: &mpsc::Sender<Said>) -> Result<(), Trouble> {
    let mut steps =
        client.models.pull(v1::PullRequest { name }).await.map_err(failed)?.into_inner();
    let mut finished = false;
    while let Some(step) = steps.message().await.map_err(failed)? {
        finished = step.finished;
        if out.send(Said::Reply(Box::new(Reply::Pulled(Ok(step))))).await.is_err() {
            return Ok(());
        }
    }
    if finished { Ok(()) } else { Err(failed(Status::unavailable("the download broke off"))) }
}

fn failed(failure: impl Into<Failure>) -> Trouble {
    trouble(failure.into())
}

fn not_connected() -> Trouble {
    trouble(Failure::unavailable("not connected to moltisd"))
}

/// The answer to a command for which there is no connection.
async fn refuse(cmd: Cmd) -> Option<Reply> {
    Some(match cmd {
        Cmd::Send { op, .. } => Reply::Sent { op, result: Err(not_connected()) },
        Cmd::Stop { .. } => Reply::Stopped(Err(not_connected())),
        Cmd::Create { .. } | Cmd::Fork { .. } => Reply::Made(Err(not_connected())),
        Cmd::Rename { .. } | Cmd::Archive { .. } | Cmd::Configure { .. } | Cmd::Revoke { .. } => {
            Reply::Changed(Err(not_connected()))
        }
        Cmd::Command { op, .. } => Reply::Commanded { op, result: Err(not_connected()) },
        Cmd::Compact { .. } => Reply::Compacting(Err(not_connected())),
        Cmd::Context { session } => Reply::Context { session, result: Err(not_connected()) },
        Cmd::Budget { session } => Reply::Budget { session, result: Err(not_connected()) },
        Cmd::Delete { session } => Reply::Deleted { session, result: Err(not_connected()) },
        Cmd::History { epoch, .. } => Reply::Page { epoch, result: Err(not_connected()) },
        Cmd::ListSessions { .. } => Reply::Sessions(Err(not_connected())),
        Cmd::ListModels { .. } => Reply::Models(Err(not_connected())),
        Cmd::SetDefault { model } => Reply::DefaultSet { model, result: Err(not_connected()) },
        Cmd::Adopt(_) | Cmd::Login { .. } => Reply::SetUp(Err(not_connected())),
        Cmd::Answer(request) => Reply::Answered { op: request.op_id, result: Err(not_connected()) },
        Cmd::ListApprovals => Reply::Approvals(Err(not_connected())),
        Cmd::Diff { session } => Reply::Diff { session, result: Err(not_connected()) },
        Cmd::Undo { .. } => Reply::Undone(Err(not_connected())),
        Cmd::Export { .. } => Reply::Exported(Err(not_connected())),
        _ => return None,
    })
}

fn text_part(text: String) -> v1::Part {
    v1::Part { part: Some(v1::part::Part::Text(text)) }
}

/// The daemon's pieces of code as what they mean to the eye.
fn paint(told: v1::HighlightResponse) -> Paint {
    let hue = |token: v1::Token| match token {
        v1::Token::Unspecified => Hue::Text,
        v1::Token::Keyword => Hue::Keyword,
        v1::Token::Function => Hue::Function,
        v1::Token::Type => Hue::Kind,
        v1::Token::String => Hue::Literal,
        v1::Token::Number => Hue::Number,
        v1::Token::Comment => Hue::Remark,
        v1::Token::Inserted => Hue::Good,
        v1::Token::Deleted => Hue::Bad,
    };
    let line = |line: v1::HighlightedLine| {
        let pieces = line.pieces.iter();
        pieces.map(|piece| (piece.length as usize, hue(piece.token()))).collect()
    };
    told.lines.into_iter().map(line).collect()
}

/// Makes the call of a command, and gives the answer for the model.
async fn answer(client: &mut Client, cmd: Cmd) -> Option<Reply> {
    Some(match cmd {
        Cmd::Send { op, session, text } => {
            let request = v1::SendRequest {
                op_id: op.clone(),
                session,
                parts: vec![text_part(text)],
                ..v1::SendRequest::default()
            };
            let result = client.caller.call(&call::SEND, &request).await.map(drop).map_err(failed);
            Reply::Sent { op, result }
        }
        Cmd::Stop { session, all, turn } => {
            let op_id = crate::client::op_id();
            let request = v1::StopRequest { op_id, session, all, turn };
            let stopped = client.caller.call(&call::STOP, &request).await;
            Reply::Stopped(stopped.map(|reply| reply.turns).map_err(failed))
        }
        Cmd::Create { op, title } => {
            let request = v1::CreateRequest { op_id: op, title, ..v1::CreateRequest::default() };
            Reply::Made(session(client.caller.call(&call::CREATE, &request).await))
        }
        Cmd::Fork { op, session: from, seq } => {
            let request = v1::ForkRequest { op_id: op, session: from, seq };
            Reply::Made(session(client.caller.call(&call::FORK, &request).await))
        }
        Cmd::Rename { op, session: id, title } => {
            let request = v1::RenameRequest { op_id: op, session: id, title };
            Reply::Changed(session(client.caller.call(&call::RENAME, &request).await))
        }
        Cmd::Archive { op, session: id, archived } => {
            let request = v1::ArchiveRequest { op_id: op, session: id, archived };
            Reply::Changed(session(client.caller.call(&call::ARCHIVE, &request).await))
        }
        Cmd::Configure { op, session: id, settings } => {
            let settings = Some(settings);
            let request = v1::ConfigureRequest { op_id: op, session: id, settings };
            Reply::Changed(session(client.caller.call(&call::CONFIGURE, &request).await))
        }
        Cmd::Compact { op, session } => {
            let request = v1::CompactRequest { op_id: op, session };
            let asked = client.caller.call(&call::COMPACT, &request).await;
            Reply::Compacting(asked.map(drop).map_err(failed))
        }
        Cmd::Answer(request) => {
            let op = request.op_id.clone();
            let taken = client.caller.call(&call::ANSWER, &*request).await;
            let result = taken.map(|taken| taken.pattern).map_err(failed);
            Reply::Answered { op, result }
        }
        Cmd::Revoke { op, session: id, pattern } => {
            let request = v1::RevokeRequest { op_id: op, session: id, pattern };
            Reply::Changed(session(client.caller.call(&call::REVOKE, &request).await))
        }
        Cmd::Undo { op, session } => {
            let request = v1::UndoRequest { op_id: op, session, turn: String::new() };
            let undone = client.caller.call(&call::UNDO, &request).await;
            Reply::Undone(undone.map_err(failed))
        }
        Cmd::Delete { session } => {
            let request =
                v1::DeleteRequest { op_id: crate::client::op_id(), session: session.clone() };
            let deleted = client.caller.call(&call::DELETE, &request).await;
            let result = deleted.map(|deleted| deleted.kept).map_err(failed);
            Reply::Deleted { session, result }
        }
        cmd => return typed(client, cmd).await,
    })
}

/// Makes the calls about what is typed and about agents.
async fn typed(client: &mut Client, cmd: Cmd) -> Option<Reply> {
    Some(match cmd {
        Cmd::Command { op, session, line } => {
            let request = v1::CommandRequest { op_id: op.clone(), session, line };
            let done = client.caller.call(&call::COMMAND, &request).await;
            Reply::Commanded { op, result: done.map_err(trouble) }
        }
        Cmd::ListCommands => {
            // An older daemon has none to tell of.
            let listed = client.caller.call(&call::COMMANDS, &v1::CommandsRequest {}).await;
            Reply::Commands(listed.unwrap_or_default().commands)
        }
        Cmd::ListAgents { session } => {
            let request = v1::ListSessionsRequest { archived: true, limit: 0 };
            // Numbers that can't be had are asked for again.
            let mut agents = client.sessions.list(request).await.ok()?.into_inner().sessions;
            agents.retain(|one| {
                one.spawned.as_ref().is_some_and(|spawned| spawned.parent == session)
            });
            Reply::Agents { session, agents }
        }
        cmd => return ask(client, cmd).await,
    })
}

/// Makes the calls that change no session.
async fn ask(client: &mut Client, cmd: Cmd) -> Option<Reply> {
    Some(match cmd {
        Cmd::History { epoch, session, before, limit } => {
            let before_seq = Some(before);
            let request = v1::HistoryRequest { session, after_seq: None, before_seq, limit };
            let page = client.caller.call(&call::HISTORY, &request).await;
            Reply::Page { epoch, result: page.map(|page| page.events).map_err(failed) }
        }
        Cmd::Context { session } => {
            let request = v1::ContextRequest { session: session.clone() };
            let result = client.caller.call(&call::CONTEXT, &request).await.map_err(failed);
            Reply::Context { session, result }
        }
        Cmd::ListApprovals => {
            let listed =
                client.caller.call(&call::APPROVALS, &v1::ApprovalsRequest::default()).await;
            Reply::Approvals(listed.map(|listed| listed.approvals).map_err(failed))
        }
        Cmd::Diff { session } => {
            let request = v1::DiffRequest { session: session.clone(), turn: String::new() };
            let result = client.caller.call(&call::DIFF, &request).await.map_err(failed);
            Reply::Diff { session, result }
        }
        Cmd::Budget { session } => {
            let request = v1::BudgetRequest { session: session.clone() };
            let limits = client.caller.call(&call::BUDGET, &request).await;
            let result = limits.map(|limits| limits.limits).map_err(failed);
            Reply::Budget { session, result }
        }
        Cmd::ListSessions { archived } => {
            let request = v1::ListSessionsRequest { archived, limit: 0 };
            let listed = client.caller.call(&call::SESSIONS, &request).await;
            Reply::Sessions(listed.map(|listed| listed.sessions).map_err(failed))
        }
        Cmd::Peek { session } => {
            let request = v1::HistoryRequest {
                session: session.clone(),
                limit: PEEK,
                ..v1::HistoryRequest::default()
            };
            // A preview that cannot be had is left empty.
            let page = client.caller.call(&call::HISTORY, &request).await.ok()?;
            Reply::Peeked { session, events: page.events }
        }
        Cmd::ListModels { refresh } => {
            let request = v1::ListModelsRequest { refresh };
            Reply::Models(client.caller.call(&call::MODELS, &request).await.map_err(failed))
        }
        Cmd::SetDefault { model } => {
            let request = v1::SetDefaultRequest { model: model.clone() };
            let result =
                client.caller.call(&call::SET_DEFAULT, &request).await.map(drop).map_err(failed);
            Reply::DefaultSet { model, result }
        }
        Cmd::LookAround => {
            let catalog = client.caller.call(&call::CATALOG, &v1::CatalogRequest {}).await.ok()?;
            Reply::Catalog(catalog.models)
        }
        Cmd::Adopt(server) => {
            let request = v1::AdoptRequest { server: Some(server) };
            Reply::SetUp(client.caller.call(&call::ADOPT, &request).await.map(drop).map_err(failed))
        }
        Cmd::Login { name, key } => {
            let request =
                v1::LoginRequest { name, key: key.expose(), ..v1::LoginRequest::default() };
            Reply::SetUp(client.caller.call(&call::LOGIN, &request).await.map(drop).map_err(failed))
        }
        Cmd::Export { session, path } => Reply::Exported(export(client, session, path).await),
        _ => return None,
    })
}

fn session(reply: Result<v1::Session, Failure>) -> Result<v1::Session, Trouble> {
    reply.map_err(failed)
}

async fn export(client: &mut Client, session: String, path: String) -> Result<String, Trouble> {
    let named = client.caller.call(&call::FIND, &v1::FindRequest { name: session.clone() }).await;
    let named = named.map_err(failed)?;
    let title = crate::app::title_or(&named, "session").to_owned();
    let on_disk = |error: std::io::Error| trouble(Failure::io("writing the file", &error));
    let (file, path): (std::fs::File, PathBuf) =
        keep::export_file(&path, &title).map_err(on_disk)?;
    let mut file = tokio::fs::File::from_std(file);
    let format = v1::ExportFormat::Markdown as i32;
    let request = v1::ExportRequest { session, format };
    let mut chunks = client.sessions.export(request).await.map_err(failed)?.into_inner();
    while let Some(chunk) = chunks.message().await.map_err(failed)? {
        tokio::io::AsyncWriteExt::write_all(&mut file, chunk.text.as_bytes())
            .await
            .map_err(on_disk)?;
    }
    tokio::io::AsyncWriteExt::flush(&mut file).await.map_err(on_disk)?;
    Ok(path.display().to_string())
}
