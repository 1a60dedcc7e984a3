//! The one driving port: all that may be asked of sessions, by whichever edge or channel.

use async_trait::async_trait;

use crate::error::Result;
use crate::event::{Cause, Event, FileChange, Origin};
use crate::feed::{FeedStream, From};
use crate::id::{ApprovalId, ItemId, OpId, SessionId, TurnId};
use crate::message::Part;
use crate::models::ModelRef;
use crate::policy::Reach;
use crate::session::{Pending, QueueMode, Settings, Summary};

/// Who asks, and what their words are worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub cause: Cause,
    /// Where their text comes from.
    pub origin: Origin,
}

/// How a person names a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Exactly this one.
    Id(SessionId),
    /// A key, an id, the beginning of an id, or a title: whatever fits exactly one session.
    Name(String),
}

/// A session to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// The client's command.
    pub op: OpId,
    /// A fixed, unique name; a session that has it already is given back as it is.
    pub key: Option<String>,
    /// A title by a person; empty for none.
    pub title: String,
    /// What holds for its turns.
    pub settings: Settings,
}

/// A message for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// The client's command.
    pub op: OpId,
    /// The session.
    pub session: SessionId,
    /// What is said; not empty.
    pub parts: Vec<Part>,
    /// How it is queued; `None` is as the session has it.
    pub queue: Option<QueueMode>,
    /// The model for this and the following turns; `None` leaves it.
    pub model: Option<ModelRef>,
    /// It tells of the person's own things: an agent says it that knows such.
    pub sensitive: bool,
}

/// A message that is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The session.
    pub session: SessionId,
    /// The turn that will answer it.
    pub turn: TurnId,
    /// The message.
    pub item: ItemId,
    /// The seq of its event.
    pub seq: u64,
}

/// A turn that is going to compact its session; that it is to is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compaction {
    /// The session.
    pub session: SessionId,
    /// The turn.
    pub turn: TurnId,
    /// The seq of the event that asks for it.
    pub seq: u64,
}

/// What a model would be told with the next request, and how much room that takes. What is to be
/// compacted first is told as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The model that would be asked.
    pub model: ModelRef,
    /// Tokens that it holds.
    pub size: u64,
    /// Nobody knows how many it holds: the size is a guess.
    pub guessed: bool,
    /// The numbers are weighed by what the vendor counted of the model's last answer here; else they
    /// are estimates alone.
    pub counted: bool,
    /// What would be told, in order.
    pub fragments: Vec<Fragment>,
    /// Tokens that are left for the answer.
    pub left: u64,
    /// A longer prompt is compacted before it is asked, in tokens; `None` is never.
    pub compact_at: Option<u64>,
    /// It is longer, and so is compacted before the next request.
    pub due: bool,
    /// Older messages would be left out.
    pub left_out: bool,
}

/// A part of what a model is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// What it is.
    pub kind: FragmentKind,
    /// Which of that kind: a file's name, mostly; may be empty.
    pub name: String,
    /// How many of that kind.
    pub count: u64,
    /// Estimated tokens of all of them.
    pub tokens: u64,
    /// Something of it was too long and is not told.
    pub cut: bool,
}

/// The kinds of what a model is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FragmentKind {
    /// What it is told first of all.
    System,
    /// The tools that it is offered.
    Tools,
    /// What stands for the older part of the conversation.
    Summary,
    /// What was said.
    Messages,
    /// Pictures.
    Images,
}

/// A person's answer to a question whether a call may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The question.
    pub approval: ApprovalId,
    /// The digest of what the person was shown.
    pub digest: String,
    /// The call may be made.
    pub allow: bool,
    /// How far that reaches.
    pub reach: Reach,
    /// Why not, or whatever else there is to say to the model; may be empty.
    pub reason: String,
}

/// An answer that is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The session.
    pub session: SessionId,
    /// The turn that goes on.
    pub turn: TurnId,
    /// The seq of the answer's event.
    pub seq: u64,
    /// The pattern that is allowed from now on, if one is.
    pub pattern: Option<String>,
}

/// What a turn changed in the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The turn.
    pub turn: TurnId,
    /// The files.
    pub files: Vec<FileChange>,
    /// A unified diff, at most a mebibyte; it says what it leaves out.
    pub diff: String,
}

/// An undo that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undo {
    /// The turn whose changes it undid.
    pub turn: TurnId,
    /// The files that are as they were before it.
    pub files: Vec<FileChange>,
    /// Files that were left alone, and why.
    pub kept: Vec<String>,
}

/// A command that may be typed into a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandInfo {
    /// Its name, without the slash.
    pub name: &'static str,
    /// What may follow, as help shows it; may be empty.
    pub argument: &'static str,
    /// What it does, a few words.
    pub help: &'static str,
}

/// What came of a command that was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandReply {
    /// What there is to say, for a person; may be empty.
    pub text: String,
    /// The session that it made, which may be shown now.
    pub session: Option<SessionId>,
    /// The turn that it opened.
    pub turn: Option<TurnId>,
}

/// What is to be stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopScope {
    /// The running turn.
    Running,
    /// The running turn, every queued one, and the agents that earlier ones left in the background.
    All,
    /// This turn, running or queued.
    Turn(TurnId),
}

/// A change of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A title by a person.
    Title(String),
    /// Put away, or take out again.
    Archived(bool),
    /// All settings, as they are to be.
    Settings(Settings),
}

/// Which events of a session are wanted: at most `limit`, in order of seq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The first ones after this seq.
    After {
        /// The seq.
        seq: u64,
        /// How many at most.
        limit: u32,
    },
    /// The last ones before this seq.
    Before {
        /// The seq; `u64::MAX` is the end.
        seq: u64,
        /// How many at most.
        limit: u32,
    },
}

/// Which sessions are wanted, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Also those that are put away.
    pub archived: bool,
    /// How many at most; 0 is all.
    pub limit: u32,
}

/// A place where a search found something.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The session.
    pub session: SessionId,
    /// Its title.
    pub title: String,
    /// The seq of the message.
    pub seq: u64,
    /// When it was said.
    pub at: jiff::Timestamp,
    /// Whether a person said it; otherwise a model.
    pub by_person: bool,
    /// A piece of the text around the find, at most 240 characters.
    pub snippet: String,
    /// How well it fits; higher is better, only comparable within one answer.
    pub score: f32,
}

/// All that may be asked of sessions.
///
/// Called by the edge, channels and jobs; implemented by `session`. A call that changes something
/// returns after the change is on disk. Dropping a call does not take back what it began: a
/// retry with the same `op` tells how it went.
#[async_trait]
pub trait Assistant: Send + Sync {
    /// Begins a session.
    async fn create(&self, caller: &Caller, new: NewSession) -> Result<Summary>;

    /// Finds the session that a person names. The key `main` is created when it is first named.
    ///
    /// # Errors
    /// `NotFound` with the nearest names, `Invalid` when several fit.
    async fn find(&self, caller: &Caller, selector: &Selector) -> Result<Summary>;

    /// The sessions, most recently changed first.
    async fn list(&self, filter: &Filter) -> Result<Vec<Summary>>;

    /// Says something. Returns when the message is on disk, not when it is answered.
    ///
    /// # Errors
    /// `Busy` when too many messages wait already.
    async fn send(&self, caller: &Caller, message: NewMessage) -> Result<Receipt>;

    /// Asks for a summary of the older part of the conversation, which the model is told from then
    /// on in its place. Runs as a turn; returns when it is on disk that it will.
    ///
    /// # Errors
    /// `Conflict` when there is nothing to compact, or a turn is going to do so already.
    async fn compact(&self, caller: &Caller, op: OpId, session: &SessionId) -> Result<Compaction>;

    /// What a model would be told with the next request.
    ///
    /// # Errors
    /// `NotConfigured` when there is no model to ask.
    async fn context(&self, session: &SessionId) -> Result<Window>;

    /// Stops turns and returns those that it stopped, after their end is on disk; a retry of a
    /// stop that did so returns one of them. Nothing to stop is not an error.
    async fn stop(
        &self,
        caller: &Caller,
        op: OpId,
        session: &SessionId,
        scope: StopScope,
    ) -> Result<Vec<TurnId>>;

    /// Changes a session; a retry returns it as it is now.
    async fn change(
        &self,
        caller: &Caller,
        op: OpId,
        session: &SessionId,
        change: Change,
    ) -> Result<Summary>;

    /// Answers a question whether a call may be made. Returns when the answer is on disk.
    ///
    /// # Errors
    /// `NotFound` when it does not wait any more, `Conflict` when the digest is another's, `Invalid`
    /// when more than the one call is to be allowed and nothing covers that.
    async fn answer(
        &self,
        caller: &Caller,
        op: OpId,
        session: &SessionId,
        answer: Answer,
    ) -> Result<Answered>;

    /// The questions that wait for an answer, oldest first.
    async fn approvals(&self) -> Result<Vec<(SessionId, Pending)>>;

    /// Takes back what was allowed for the rest of a session: this pattern.
    ///
    /// # Errors
    /// `NotFound` when it was not allowed.
    async fn revoke(
        &self,
        caller: &Caller,
        op: OpId,
        session: &SessionId,
        pattern: String,
    ) -> Result<Summary>;

    /// What a turn changed in the workspace; without a turn the last one that did.
    ///
    /// # Errors
    /// `NotFound` when it changed nothing, or what was there is not kept any more.
    async fn changes(&self, session: &SessionId, turn: Option<TurnId>) -> Result<Changes>;

    /// Undoes what a turn changed in the workspace; without a turn the last one that did and was not
    /// undone. Files that were changed since are left alone and named.
    ///
    /// # Errors
    /// `Conflict` while a turn runs, `NotFound` as for [`Assistant::changes`].
    async fn undo(
        &self,
        caller: &Caller,
        op: OpId,
        session: &SessionId,
        turn: Option<TurnId>,
    ) -> Result<Undo>;

    /// The commands that may be typed, whatever the client.
    fn commands(&self) -> &'static [CommandInfo];

    /// Does what a typed command says, with or without its slash. Returns when that is on disk, not
    /// when the turn that it may have opened is over.
    ///
    /// # Errors
    /// `NotFound` with the nearest name where there is no such command, `Denied` where only the owner
    /// may want it, `NotConfigured` where what it needs is not there, and those of what it asks for.
    async fn command(
        &self,
        caller: &Caller,
        op: OpId,
        session: &SessionId,
        line: &str,
    ) -> Result<CommandReply>;

    /// Begins a session with a copy of another one's events up to and including `seq`.
    ///
    /// # Errors
    /// `Invalid` when `seq` is 0 or beyond the end.
    async fn fork(
        &self,
        caller: &Caller,
        op: OpId,
        session: &SessionId,
        seq: u64,
    ) -> Result<Summary>;

    /// Stops everything in a session and removes it for good. What is in its worktree and nowhere
    /// else is kept: then this says where it is, why, and how it is removed.
    async fn delete(&self, caller: &Caller, session: &SessionId) -> Result<Option<String>>;

    /// Some events of a session.
    async fn history(&self, session: &SessionId, page: Page) -> Result<Vec<Event>>;

    /// Searches what was said in all sessions: best hits first.
    async fn search(&self, query: &str, limit: u32) -> Result<Vec<Hit>>;

    /// Follows a session.
    async fn attach(&self, session: &SessionId, from: From) -> Result<FeedStream>;
}
