//! What a reader of a session sees: facts, then paint.
//!
//! A reader is a cursor over the log, not a queue: it may fall behind for as long as it likes and
//! is then given the log again, and the text of a growing item in fewer, larger pieces.

use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;

use crate::error::Error;
use crate::event::Event;
use crate::id::{CallId, ItemId, SessionId, TurnId};
use crate::session::Summary;

/// Which strand of a growing item a delta belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Strand {
    /// Its visible text.
    Text,
    /// Its reasoning.
    Reasoning,
    /// The arguments of one of its tool calls.
    Arguments {
        /// The call.
        call: CallId,
        /// The tool.
        name: String,
    },
    /// What the tool of a running call prints. Its item is the call's.
    Output {
        /// The call.
        call: CallId,
        /// The tool.
        name: String,
    },
}

/// Paint: text of an item that is still growing. Never stored.
///
/// For one (item, strand) the deltas that a reader gets are in order and without gaps: each
/// `offset` is the sum of the lengths before it. Offsets count bytes of UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// The session.
    pub session: SessionId,
    /// The turn.
    pub turn: TurnId,
    /// The growing item.
    pub item: ItemId,
    /// Which of its strands.
    pub strand: Strand,
    /// Where the text belongs, in bytes.
    pub offset: u64,
    /// The text.
    pub text: String,
}

/// What is going on in a turn that no event tells: shown, never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The session.
    pub session: SessionId,
    /// The turn.
    pub turn: TurnId,
    /// A short phrase: `retrying in 4 s: overloaded`, `loading the model`. Empty when over.
    pub text: String,
}

/// One thing that a reader is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Feed {
    /// The session as it is now; the first thing after attaching, and again whenever the reader
    /// must start over from `first_seq`.
    Snapshot {
        /// The session.
        summary: Box<Summary>,
        /// The first seq that will follow; older ones are to be had by history.
        first_seq: u64,
    },
    /// The next fact.
    Event(Arc<Event>),
    /// Everything that had happened when the reader attached has been given.
    CaughtUp,
    /// Paint.
    Delta(Delta),
    /// What is going on.
    Progress(Progress),
}

/// Where a reader wants to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// After this seq; 0 is the beginning.
    Seq(u64),
    /// With the last so many events.
    Tail(u64),
}

/// What a reader is given, until it drops it or the session is deleted or the daemon stops.
pub type FeedStream = Pin<Box<dyn Stream<Item = Result<Feed, Error>> + Send>>;
