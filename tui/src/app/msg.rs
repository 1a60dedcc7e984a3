//! What can happen to the model.

use std::sync::Arc;

use moltis_proto::v1;

use crate::keymap::Key;
use crate::widget::Paint;

/// A point in time, as the runtime saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    /// Milliseconds of a clock that never goes back.
    pub(crate) ms: u64,
    /// Seconds since 1970.
    pub(crate) unix: i64,
}

/// Something that happened, and when.
#[derive(Clone, Debug)]
pub(crate) struct Msg {
    /// When.
    pub(crate) at: Moment,
    /// What.
    pub(crate) said: Said,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// The wheel was turned so many rows down.
    Wheel(isize),
    /// The terminal has another size.
    Resize { width: u16, height: u16 },
    /// The terminal got or lost the focus.
    Focus(bool),
    /// A moment that the model asked to be woken at.
    Tick,
    /// The connection stands.
    Up { build: String },
    /// The connection is gone; it is tried again.
    Down(Trouble),
    /// The connection cannot be had.
    Refused(Trouble),
    /// The session of that attachment.
    Opened { epoch: u64, session: Box<v1::Session> },
    /// The session of that attachment is gone, or could not be found.
    Lost { epoch: u64, trouble: Trouble },
    /// Something of the session's feed.
    Fed { epoch: u64, feed: Box<v1::attach_response::Feed> },
    /// An answer to a command.
    Reply(Box<Reply>),
    /// Messages of earlier runs.
    History(Vec<String>),
    /// The editor was closed; the text, or why there is none.
    Edited(Result<String, String>),
    /// Colors of a block of code; `None` when there are none.
    Colored { key: u64, paint: Option<Arc<Paint>> },
}

/// Why something could not be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// Stable.
    pub(crate) code: String,
    /// For people.
    pub(crate) message: String,
    /// What may mend it; may be empty.
    pub(crate) hint: String,
}

impl Trouble {
    /// Whether it may go away by itself.
    pub(crate) fn is_passing(&self) -> bool {
        self.code == "unavailable"
    }
}

/// The answer to a command.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// To `Send`: whether the message is on disk.
    Sent { op: String, result: Result<(), Trouble> },
    /// To `Create` and `Fork`: the session to go to.
    Made(Result<v1::Session, Trouble>),
    /// To `Rename`, `Archive`, `Configure` and `Revoke`: the session as it is now.
    Changed(Result<v1::Session, Trouble>),
    /// To `Delete`.
    /// With what is left of it, if anything is.
    Deleted { session: String, result: Result<String, Trouble> },
    /// To `Stop`: the turns that were stopped.
    Stopped(Result<Vec<String>, Trouble>),
    /// To `ListCommands`; an older daemon knows none.
    Commands(Vec<v1::CommandInfo>),
    /// To `Command`: what there is to say.
    Commanded { op: String, result: Result<v1::CommandResponse, Trouble> },
    /// To `Compact`: whether it will be done.
    Compacting(Result<(), Trouble>),
    /// To `Context`.
    Context { session: String, result: Result<v1::ContextResponse, Trouble> },
    /// To `Budget`.
    Budget { session: String, result: Result<Vec<v1::BudgetLimit>, Trouble> },
    /// To `History`: older events.
    Page { epoch: u64, result: Result<Vec<v1::Event>, Trouble> },
    /// To `ListSessions`.
    Sessions(Result<Vec<v1::Session>, Trouble>),
    /// To `ListAgents`.
    Agents { session: String, agents: Vec<v1::Session> },
    /// To `Peek`: the last events of a session.
    Peeked { session: String, events: Vec<v1::Event> },
    /// To `ListModels`.
    Models(Result<v1::ListModelsResponse, Trouble>),
    /// To `SetDefault`.
    DefaultSet { model: String, result: Result<(), Trouble> },
    /// To `LookAround`, in parts, as they come.
    Catalog(Vec<v1::CatalogModel>),
    /// To `LookAround`.
    Servers(Vec<v1::FoundServer>),
    /// To `LookAround`.
    Kinds(Vec<v1::ProviderKind>),
    /// To `Pull`: a step of it.
    Pulled(Result<v1::Step, Trouble>),
    /// To `Adopt` and `Login`: whether a provider was set up.
    SetUp(Result<(), Trouble>),
    /// To `Answer`: what is allowed from now on, if anything is.
    Answered { op: String, result: Result<String, Trouble> },
    /// To `ListApprovals`.
    Approvals(Result<Vec<v1::Approval>, Trouble>),
    /// To `Diff`.
    Diff { session: String, result: Result<v1::DiffResponse, Trouble> },
    /// To `Undo`.
    Undone(Result<v1::UndoResponse, Trouble>),
    /// To `Export`: the file.
    Exported(Result<String, Trouble>),
    /// To anything without an answer of its own.
    Failed { asked: Wanted, trouble: Trouble },
}

/// What was asked, in words for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// To write into the clipboard.
    Copy,
    /// To keep a message for later runs.
    Remember,
}
