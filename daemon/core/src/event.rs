//! Facts: what happened in a session, numbered and stored for ever.
//!
//! An event is never changed and never taken back. Everything else that is known of a session
//! (its title, its state, its transcript) follows from its events in order.

use std::time::Duration;

use jiff::Timestamp;

use crate::id::{ApprovalId, CallId, ItemId, OpId, SessionId, TurnId};
use crate::message::{Part, Usage};
use crate::models::ModelRef;
use crate::policy::Reach;
use crate::provider::{FailureKind, FinishReason};
use crate::session::{QueueMode, Settings, Spawned};
use crate::tool::Class;
use crate::worktree::Worktree;

/// Where a text came from, from most to least trusted. A text of several sources has the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// The authenticated owner typed it, or Moltis itself made it of nothing else.
    Owner,
    /// The configuration file.
    Config,
    /// A file of the workspace.
    Workspace,
    /// Another person in a chat.
    Peer,
    /// A tool's output, a model's words included.
    Tool,
    /// A page of the web.
    Web,
}

/// Who made something happen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A client of the owner: its kind (`tui`, `cli`, `web`, …).
    Client(String),
    /// The daemon itself: recovery, timeouts, automatic titles.
    Daemon,
    /// The model of the turn.
    Model,
}

/// The end of a turn. A turn has exactly one, ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The model finished its answer.
    Done,
    /// It could not be finished; [`TurnFailure`] says why.
    Failed,
    /// A person stopped it.
    Cancelled,
    /// The daemon died or stopped under it.
    Interrupted,
}

/// Why a turn failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnFailure {
    /// The provider's kind of failure; `None` when the provider is not to blame (a timeout).
    pub kind: Option<FailureKind>,
    /// What went wrong, for a person.
    pub message: String,
    /// What may mend it.
    pub hint: Option<String>,
}

/// How loud a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// Good to know.
    Info,
    /// Something did not go as asked.
    Warning,
}

/// How a call of a tool ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ToolEnding {
    /// It did what it was to do.
    Done,
    /// It failed, or the call was not one that could be made.
    Failed,
    /// It was not allowed.
    Denied,
    /// The turn was stopped under it.
    Cancelled,
    /// The daemon died under it: nobody knows how far it came.
    Interrupted,
}

impl ToolEnding {
    /// The name on the wire and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Denied => "denied",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Done, Self::Failed, Self::Denied, Self::Cancelled, Self::Interrupted]
            .into_iter()
            .find(|one| one.as_str() == name)
    }
}

/// What happened to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Where, relative to the workspace.
    pub path: String,
    /// It is new, is different, or is gone.
    pub kind: FileChangeKind,
}

/// The kinds of [`FileChange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileChangeKind {
    /// It is new.
    Created,
    /// It is different.
    Modified,
    /// It is gone.
    Deleted,
}

impl FileChangeKind {
    /// The name on the wire and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
        }
    }

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Created, Self::Modified, Self::Deleted].into_iter().find(|one| one.as_str() == name)
    }
}

/// Facts about one answer of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The model that answered.
    pub model: ModelRef,
    /// What it used.
    pub usage: Usage,
    /// What the tokens of its prompt were estimated at, before any count weighed that; 0 is not known.
    pub estimated: u64,
    /// Why it ended; `None` when it did not end properly.
    pub finish: Option<FinishReason>,
    /// From the request to the first chunk that carried text, reasoning or a call.
    pub first_token: Option<Duration>,
    /// From the request to the end of the stream.
    pub took: Duration,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The session began; always seq 1.
    SessionCreated {
        /// The agent that it belongs to.
        agent: String,
        /// A fixed name for scripts and channels, unique among sessions: `main`.
        key: Option<String>,
        /// What holds for its turns.
        settings: Settings,
        /// The call that it was begun by, if an agent began it.
        spawned: Option<Spawned>,
    },
    /// The events before this one are a copy of another session's, byte for byte.
    SessionForked {
        /// The session that they were copied from.
        parent: SessionId,
        /// The last seq that was copied.
        parent_seq: u64,
    },
    /// The session has a new title.
    TitleChanged {
        /// The title.
        title: String,
        /// Moltis made it; a title given by a person is never replaced by such a one.
        automatic: bool,
        /// What asking a model for it used.
        usage: Usage,
    },
    /// The session was put away, or taken out again.
    ArchivedChanged {
        /// Whether it is now put away.
        archived: bool,
    },
    /// Something else holds from the next turn on.
    SettingsChanged {
        /// All settings as they now are.
        settings: Settings,
    },
    /// Something was said to the model. Opens its turn as queued, unless the turn is there
    /// already (`collect`, `steer`).
    UserMessage {
        /// The message.
        item: ItemId,
        /// The client's command that it came by.
        op: OpId,
        /// What was said.
        parts: Vec<Part>,
        /// How it was to be queued, had a turn been running.
        queue: QueueMode,
        /// The model that is to answer it, if it names one.
        model: Option<ModelRef>,
        /// It tells of the person's own things: an agent said it that knows such.
        sensitive: bool,
    },
    /// The turn went from queued to running.
    TurnStarted {
        /// The model that it will ask first; `None` where it asks none.
        model: Option<ModelRef>,
    },
    /// The model said something: one finished item.
    AssistantMessage {
        /// The message.
        item: ItemId,
        /// What was said; calls are complete.
        parts: Vec<Part>,
        /// Model, usage and times.
        answer: Answer,
        /// The stream broke off: the text is what had arrived.
        partial: bool,
    },
    /// Something the person should know.
    Notice {
        /// The notice.
        item: ItemId,
        /// How loud.
        level: Level,
        /// A sentence.
        text: String,
    },
    /// Somebody wants the conversation to be compacted. Opens its turn as queued, as a message does.
    CompactionAsked,
    /// The model is told a summary from now on, in the place of what was said until `upto`.
    Compacted {
        /// The summary.
        item: ItemId,
        /// What it says.
        summary: String,
        /// The seq of the last event that it stands for. A message that waited then is not meant,
        /// whatever its seq: only what a model had been told.
        upto: u64,
        /// Whoever wants to know what a model is told from now on need not look before this seq.
        since: u64,
        /// Estimated tokens of the prompt before.
        before_tokens: u64,
        /// Estimated tokens of the prompt after.
        after_tokens: u64,
        /// No person asked for it.
        automatic: bool,
        /// The model that wrote it; `None` where Moltis had to make one itself.
        model: Option<ModelRef>,
        /// What asking a model for it used.
        usage: Usage,
    },
    /// The owner wants a program run in the sandbox. Opens its turn as queued, as a message does; no
    /// model is asked in it.
    ProgramAsked {
        /// A command line for `sh -c`.
        command: String,
    },
    /// The owner wants the model to be told nothing of what was before. Opens its turn as queued.
    ClearAsked,
    /// The model is told nothing any more of what it was told until `upto`: as [`Self::Compacted`],
    /// without a summary.
    Cleared {
        /// The seq of the last event that is left out; a message that waited then is not meant.
        upto: u64,
        /// Whoever wants to know what a model is told from now on need not look before this seq.
        since: u64,
    },
    /// A call of a tool is about to be made: the intent, on disk before anything happens.
    ToolStarted {
        /// The item that the call and its result are.
        item: ItemId,
        /// The call, as the message that made it names it.
        call: CallId,
        /// The tool.
        tool: String,
        /// The arguments as they are used: hooks may have changed them. A JSON document.
        arguments: String,
        /// What doing it twice would mean.
        class: Class,
        /// Why it may be made, a few words.
        why: String,
    },
    /// It was, or it will not be: a call has exactly one of these in the end.
    ToolFinished {
        /// The item.
        item: ItemId,
        /// The call.
        call: CallId,
        /// The tool.
        tool: String,
        /// How it ended.
        ending: ToolEnding,
        /// What the model is told: text and pictures.
        parts: Vec<Part>,
        /// It tells of the person's own things.
        sensitive: bool,
        /// How long it took; `None` when it was not begun.
        took: Option<Duration>,
    },
    /// A call waits for a person.
    ApprovalAsked {
        /// The question.
        approval: ApprovalId,
        /// The call.
        call: CallId,
        /// The tool.
        tool: String,
        /// The arguments that are asked about, a JSON document.
        arguments: String,
        /// What it does in a line: the command, the path, the address.
        subject: String,
        /// Why it is asked.
        reason: String,
        /// What an answer must echo.
        digest: String,
        /// What would cover this and calls like it: a pattern.
        pattern: Option<String>,
        /// When it is denied for want of an answer.
        expires_at: Timestamp,
    },
    /// A person answered, or the time for it is over.
    ApprovalAnswered {
        /// The question.
        approval: ApprovalId,
        /// The call may be made.
        allowed: bool,
        /// How far that reaches.
        reach: Reach,
        /// Why not, or whatever else the person said.
        reason: String,
    },
    /// A pattern that was allowed for the session is not any more.
    GrantRevoked {
        /// The pattern.
        pattern: String,
    },
    /// The turn changed files of the workspace.
    WorkspaceChanged {
        /// Names what was there before.
        before: String,
        /// Names what was there after.
        after: String,
        /// The files.
        files: Vec<FileChange>,
    },
    /// What a turn changed was undone.
    WorkspaceRestored {
        /// The turn.
        undone: TurnId,
        /// The files that are as they were before it.
        files: Vec<FileChange>,
        /// Files that were left alone, because they were changed since.
        kept: Vec<String>,
    },
    /// The session works in another worktree from the next turn on.
    WorktreeSet {
        /// Where; `None` is in the directory that it is bound to.
        worktree: Option<Worktree>,
    },
    /// A value that the session's agent keeps for itself.
    StateSet {
        /// Whose.
        namespace: String,
        /// Its name.
        key: String,
        /// The value, a JSON document; `None` is gone.
        value: Option<String>,
    },
    /// The turn is over.
    TurnEnded {
        /// How.
        ending: Ending,
        /// Why, if it failed.
        failure: Option<TurnFailure>,
        /// The sum over its calls of models, those without an answer too.
        usage: Usage,
    },
}

/// A fact of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The session.
    pub session: SessionId,
    /// Its place: 1, 2, 3, … without gaps, given at commit.
    pub seq: u64,
    /// When it was committed.
    pub at: Timestamp,
    /// The turn that it belongs to, if to any.
    pub turn: Option<TurnId>,
    /// Who caused it.
    pub cause: Cause,
    /// Where its text came from.
    pub origin: Origin,
    /// The command that it is known by when that is retried; see [`Event::command`].
    pub op: Option<OpId>,
    /// What happened.
    pub kind: EventKind,
}

impl Event {
    /// The command that this event is found by; a message carries its own.
    pub fn command(&self) -> Option<&OpId> {
        command(&self.kind, self.op.as_ref())
    }
}

/// A fact that is not stored yet: no seq.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// When it happened.
    pub at: Timestamp,
    /// The turn that it belongs to, if to any.
    pub turn: Option<TurnId>,
    /// Who caused it.
    pub cause: Cause,
    /// Where its text came from.
    pub origin: Origin,
    /// The command that it is known by when that is retried; see [`NewEvent::command`].
    pub op: Option<OpId>,
    /// What happened.
    pub kind: EventKind,
}

impl NewEvent {
    /// The command that this event is found by; a message carries its own.
    pub fn command(&self) -> Option<&OpId> {
        command(&self.kind, self.op.as_ref())
    }

    /// The event as it is once `seq` is given to it.
    pub fn committed(self, session: SessionId, seq: u64) -> Event {
        let Self { at, turn, cause, origin, op, kind } = self;
        Event { session, seq, at, turn, cause, origin, op, kind }
    }
}

fn command<'a>(kind: &'a EventKind, op: Option<&'a OpId>) -> Option<&'a OpId> {
    match kind {
        EventKind::UserMessage { op, .. } => Some(op),
        _ => op,
    }
}
