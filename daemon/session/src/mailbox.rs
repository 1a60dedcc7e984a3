//! What may be asked of an actor, as it lies in its mailbox.
//!
//! Not here: what becomes of it. The invariant: whoever asks gets one answer, or sees that nobody is
//! left to give it.

use moltis_core::assistant::{
    Answer, Answered, Caller, Change, Changes, Compaction, NewMessage, Receipt, StopScope, Undo,
    Window,
};
use moltis_core::context::SystemFragment;
use moltis_core::error::Result;
use moltis_core::event::EventKind;
use moltis_core::id::{OpId, TurnId};
use moltis_core::models::ModelInfo;
use moltis_core::session::{Purpose, Summary};
use tokio::sync::oneshot;

use crate::own::{StateAsk, WorksAs};

/// Where an answer to a command goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T>>;

/// What may be asked of an actor.
pub(crate) enum Command {
    Send(Box<Sending>),
    Stop {
        caller: Caller,
        op: OpId,
        scope: StopScope,
        reply: Reply<Vec<TurnId>>,
    },
    Change {
        caller: Caller,
        op: OpId,
        change: Change,
        /// What is written along with it.
        with: Vec<EventKind>,
        reply: Reply<Summary>,
    },
    Compact {
        caller: Caller,
        op: OpId,
        reply: Reply<Compaction>,
    },
    /// Open a turn for something that no message says.
    Open {
        caller: Caller,
        op: OpId,
        purpose: Purpose,
        reply: Reply<TurnId>,
    },
    /// Tell what this model would be told, these files first, as this kind of agent.
    Context {
        model: Box<ModelInfo>,
        files: Vec<SystemFragment>,
        kind: Option<WorksAs>,
        reply: Reply<Window>,
    },
    Answer {
        caller: Caller,
        op: OpId,
        answer: Box<Answer>,
        reply: Reply<Answered>,
    },
    State {
        turn: TurnId,
        ask: StateAsk,
        reply: Reply<String>,
    },
    Changes {
        turn: Option<TurnId>,
        reply: Reply<Changes>,
    },
    Undo {
        caller: Caller,
        op: OpId,
        turn: Option<TurnId>,
        reply: Reply<Undo>,
    },
    Revoke {
        caller: Caller,
        op: OpId,
        pattern: String,
        reply: Reply<Summary>,
    },
    /// Tell what is left of it, if anything is.
    Delete {
        reply: Reply<Option<String>>,
    },
    /// Bring the log in order and tell how many turns of an earlier life were closed.
    Settle {
        reply: Reply<u64>,
    },
}

/// A message and where its receipt goes.
pub(crate) struct Sending {
    pub(crate) caller: Caller,
    pub(crate) message: NewMessage,
    pub(crate) reply: Reply<Receipt>,
}

impl Sending {
    /// Whoever asked may have gone.
    pub(crate) fn answer(self, answer: Result<Receipt>) {
        let _gone = self.reply.send(answer).is_err();
    }
}
