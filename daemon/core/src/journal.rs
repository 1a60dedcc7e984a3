//! What must be kept: the log of events, and what follows from it.

use std::path::Path;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::assistant::{Filter, Hit, Page};
use crate::error::Result;
use crate::event::{Event, NewEvent};
use crate::id::{ItemId, OpId, SessionId, TurnId};
use crate::message::{Part, Usage};
use crate::models::ModelRef;
use crate::session::Summary;

/// The text of an unfinished item, kept so that a crash loses little of it.
///
/// A session has at most one draft; a newer one replaces it, and the commit of an
/// `AssistantMessage` or a `TurnEnded` removes it. Drafts are no events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The turn.
    pub turn: TurnId,
    /// The growing item.
    pub item: ItemId,
    /// Who writes it.
    pub model: ModelRef,
    /// What there is of it.
    pub parts: Vec<Part>,
}

/// A line of the usage report: one day (UTC), one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// `2026-11-24`.
    pub day: String,
    /// The model.
    pub model: ModelRef,
    /// Answers given.
    pub answers: u64,
    /// What they used.
    pub usage: Usage,
}

/// The log.
///
/// Called by sessions only; implemented by `store`. A call that writes returns after its data is
/// on disk (fsync). A dropped call may or may not have written; the log tells.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Appends to a session; all or nothing. `after` is the seq of the last event that the caller
    /// knows: 0 begins the session. An event with a
    /// command makes that findable.
    ///
    /// # Errors
    /// `Conflict` when the session's last seq is not `after`; `Storage` when the disk failed.
    async fn append(
        &self,
        session: &SessionId,
        after: u64,
        events: Vec<NewEvent>,
    ) -> Result<Vec<Event>>;

    /// Copies events 1 to `seq` of `parent` to the new session `child`, byte for byte, then
    /// appends `events` to it; all or nothing.
    async fn fork(
        &self,
        parent: &SessionId,
        seq: u64,
        child: &SessionId,
        events: Vec<NewEvent>,
    ) -> Result<Vec<Event>>;

    /// Removes a session with everything that follows from it.
    async fn delete(&self, session: &SessionId) -> Result<()>;

    /// Replaces the session's draft.
    async fn checkpoint(&self, session: &SessionId, draft: Draft) -> Result<()>;

    /// The drafts of all sessions: what the last run of the daemon left unfinished.
    async fn drafts(&self) -> Result<Vec<(SessionId, Draft)>>;

    /// Some events of a session, of those that the page means the first ones, or the last ones for
    /// [`Page::Before`]. Heavy events make them fewer than its limit; none means that there are no
    /// more.
    ///
    /// # Errors
    /// `NotFound` when there is no such session.
    async fn read(&self, session: &SessionId, page: Page) -> Result<Vec<Event>>;

    /// The session's summary, if there is such a session.
    async fn summary(&self, session: &SessionId) -> Result<Option<Summary>>;

    /// The session that has this key.
    async fn by_key(&self, key: &str) -> Result<Option<SessionId>>;

    /// The sessions, most recently changed first.
    async fn list(&self, filter: &Filter) -> Result<Vec<Summary>>;

    /// The sessions that have turns without an end.
    async fn unfinished(&self) -> Result<Vec<Summary>>;

    /// The event that an earlier command with this id appended.
    async fn by_op(&self, op: &OpId) -> Result<Option<Event>>;

    /// Searches what was said: best hits first.
    async fn search(&self, query: &str, limit: u32) -> Result<Vec<Hit>>;

    /// What was used since a time, by day and model.
    async fn usage(&self, since: Timestamp) -> Result<Vec<UsageRow>>;

    /// Writes a complete copy of the store to a new file, while running.
    async fn backup(&self, to: &Path) -> Result<BackupReport>;

    /// Checks everything that can be checked without stopping.
    async fn check(&self) -> Result<CheckReport>;

    /// What is wrong at the moment, if anything: a failing disk, a store being reopened.
    fn trouble(&self) -> Option<String>;
}

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// Sessions in it.
    pub sessions: u64,
    /// Events in it.
    pub events: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// What could not be copied because it is damaged, a sentence each.
    pub problems: Vec<String>,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Sessions examined.
    pub sessions: u64,
    /// Events examined, hash by hash.
    pub events: u64,
    /// What is wrong, a sentence each; empty when all is well.
    pub problems: Vec<String>,
    /// Making anew what follows from the events would mend all of it.
    pub rebuild_mends: bool,
}
