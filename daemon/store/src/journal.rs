//! The journal as the rest of Moltis sees it: calls are prepared here, written by the writer, and
//! read from consistent views.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use moltis_core::assistant::{Filter, Hit, Page};
use moltis_core::error::{Code, Error as Told};
use moltis_core::event::{Event, EventKind, NewEvent};
use moltis_core::id::{OpId, SessionId};
use moltis_core::journal::{BackupReport, CheckReport, Draft, Journal, UsageRow};
use moltis_core::session::Summary;
use redb::ReadTransaction;

use crate::commit::{self, Encoded};
use crate::engine::Engine;
use crate::error::Result;
use crate::projector::{Settle, Signal};
use crate::tables::no_session;
use crate::writer::{Need, Writer};
use crate::{backup, check, read, search};

/// How long a deletion waits for the transcript to be removed.
const REMOVAL: Duration = Duration::from_secs(2);
/// How often a deletion is prepared anew because the session grew.
const ATTEMPTS: usize = 5;

/// The journal.
pub(crate) struct StoreJournal {
    pub(crate) dir: PathBuf,
    pub(crate) engine: Arc<Engine>,
    pub(crate) writer: Writer,
    pub(crate) signal: Arc<Signal>,
}

impl StoreJournal {
    /// Reads a little, here and now.
    fn view<T>(&self, read: impl FnOnce(&ReadTransaction) -> Result<T>) -> Result<T, Told> {
        Ok(self.engine.view(read)?)
    }

    /// Reads much, beside the runtime.
    async fn view_beside<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T> + Send + 'static,
    ) -> Result<T, Told> {
        let engine = Arc::clone(&self.engine);
        let done = tokio::task::spawn_blocking(move || engine.view(read)).await;
        Ok(done.map_err(|_| Told::new(Code::Unavailable, "the store is closing"))??)
    }
}

#[async_trait]
impl Journal for StoreJournal {
    async fn append(
        &self,
        session: &SessionId,
        after: u64,
        events: Vec<NewEvent>,
    ) -> Result<Vec<Event>, Told> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let events = Encoded::all(events);
        let session = session.clone();
        self.writer
            .submit(Need::Room, Encoded::weight(&events), move |tables| {
                commit::append(tables, &session, after, events)
            })
            .await
    }

    async fn fork(
        &self,
        parent: &SessionId,
        seq: u64,
        child: &SessionId,
        events: Vec<NewEvent>,
    ) -> Result<Vec<Event>, Told> {
        let begins_well = matches!(
            events.first().map(|event| &event.kind),
            Some(EventKind::SessionForked { parent: from, parent_seq })
                if from == parent && *parent_seq == seq
        );
        if !begins_well {
            return Err(Told::new(Code::Invalid, "a fork begins with the event that says so"));
        }
        let (from, to) = (parent.clone(), child.clone());
        let copy = self.view_beside(move |txn| {
            let known = read::summary(txn, &from)?.is_some();
            Ok((known, read::copy(txn, &from, seq, &to)?))
        });
        let copy = match copy.await? {
            (_, Some(copy)) => copy,
            (true, None) => {
                let message = format!("session `{parent}` has no event {seq}");
                return Err(Told::new(Code::Invalid, message));
            }
            (false, None) => return Err(no_session(parent)),
        };
        let events = Encoded::all(events);
        let weight = Encoded::weight(&events) + copy.rows.iter().map(Vec::len).sum::<usize>();
        let child = child.clone();
        self.writer
            .submit(Need::Room, weight, move |tables| commit::fork(tables, &child, copy, events))
            .await
    }

    async fn delete(&self, session: &SessionId) -> Result<(), Told> {
        for _ in 0..ATTEMPTS {
            let id = session.clone();
            let deletion = self.view_beside(move |txn| read::deletion(txn, &id)).await?;
            let deletion = deletion.ok_or_else(|| no_session(session))?;
            let done = self
                .writer
                .submit(Need::NoRoom, 0, move |tables| commit::delete(tables, deletion))
                .await?;
            if done {
                let settled = self.signal.settle(Settle::Transcripts);
                // The session is gone whether or not its transcript could be removed by now: that
                // is remembered and done again.
                if tokio::time::timeout(REMOVAL, settled).await.is_err() {
                    tracing::warn!(%session, "the transcript is removed later");
                }
                return Ok(());
            }
        }
        Err(Told::new(Code::Busy, format!("session `{session}` does not stop growing")))
    }

    async fn checkpoint(&self, session: &SessionId, draft: Draft) -> Result<(), Told> {
        let bytes = commit::draft_bytes(&draft);
        let session = session.clone();
        self.writer
            .submit(Need::Room, bytes.len(), move |tables| {
                commit::checkpoint(tables, &session, bytes)
            })
            .await
    }

    async fn drafts(&self) -> Result<Vec<(SessionId, Draft)>, Told> {
        self.view_beside(read::drafts).await
    }

    async fn read(&self, session: &SessionId, page: Page) -> Result<Vec<Event>, Told> {
        let id = session.clone();
        let events = self.view_beside(move |txn| read::page(txn, &id, page)).await?;
        events.ok_or_else(|| no_session(session))
    }

    async fn summary(&self, session: &SessionId) -> Result<Option<Summary>, Told> {
        self.view(|txn| read::summary(txn, session))
    }

    async fn by_key(&self, key: &str) -> Result<Option<SessionId>, Told> {
        self.view(|txn| read::by_key(txn, key))
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Summary>, Told> {
        let filter = filter.clone();
        self.view_beside(move |txn| read::list(txn, &filter)).await
    }

    async fn unfinished(&self) -> Result<Vec<Summary>, Told> {
        self.view_beside(read::unfinished).await
    }

    async fn by_op(&self, op: &OpId) -> Result<Option<Event>, Told> {
        self.view(|txn| read::by_op(txn, op))
    }

    async fn search(&self, query: &str, limit: u32) -> Result<Vec<Hit>, Told> {
        let query = query.to_owned();
        self.view_beside(move |txn| search::search(txn, &query, limit)).await
    }

    async fn usage(&self, since: Timestamp) -> Result<Vec<UsageRow>, Told> {
        self.view_beside(move |txn| read::usage(txn, since)).await
    }

    async fn backup(&self, to: &Path) -> Result<BackupReport, Told> {
        let to = to.to_owned();
        self.view_beside(move |txn| backup::write(txn, &to)).await
    }

    async fn check(&self) -> Result<CheckReport, Told> {
        let dir = self.dir.clone();
        self.view_beside(move |txn| check::check(txn, Some(&dir))).await
    }

    fn trouble(&self) -> Option<String> {
        self.engine.trouble()
    }
}
