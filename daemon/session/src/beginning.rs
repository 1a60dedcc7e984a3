//! How sessions begin: by an id or a key, in their directory or in a worktree of their own.
//!
//! Not here: what a client may ask for ([`crate::sessions`]), how a fork copies. The invariant: of a
//! session that could not be begun, nothing is left.

use moltis_core::assistant::Caller;
use moltis_core::error::{Code, Result};
use moltis_core::event::{EventKind, NewEvent};
use moltis_core::hook::Point;
use moltis_core::id::SessionId;
use moltis_core::message::Usage;
use moltis_core::session::{Settings, Summary};
use serde_json::json;

use crate::sessions::{AGENT, Sessions};
use crate::telling;

impl Sessions {
    /// Begins a session of this id; one that is there already is given back as it is.
    pub(crate) async fn begin(
        &self,
        caller: &Caller,
        id: &SessionId,
        events: Vec<NewEvent>,
    ) -> Result<Summary> {
        match self.shared.journal.append(id, 0, events).await {
            Err(error) if error.code == Code::Conflict => {
                self.shared.journal.summary(id).await?.ok_or(error)
            }
            Err(error) => Err(error),
            Ok(_) => {
                let summary = self.shared.summary(id).await?;
                self.tell_command(id, "new", caller).await;
                self.began(&summary).await;
                Ok(summary)
            }
        }
    }

    /// Tells hooks that a session began.
    pub(crate) async fn began(&self, summary: &Summary) {
        let facts = || json!({ "session_key": summary.id.as_str(), "channel": null });
        let workspace = telling::workspace(summary, &self.shared.rules());
        self.shared.hands.tell(Point::SessionStart, workspace, facts).await;
    }

    /// The session with this key, created if it is not there.
    pub(crate) async fn keyed(
        &self,
        caller: &Caller,
        key: String,
        title: String,
        settings: Settings,
    ) -> Result<Summary> {
        let _one_at_a_time = self.creating.lock().await;
        if let Some(id) = self.shared.journal.by_key(&key).await? {
            return self.shared.summary(&id).await;
        }
        let id = SessionId::new(self.shared.env.fresh_id());
        let works = self.shared.begins_in(&id, &settings).await?;
        let events = self.first_events(caller, Some(key), title, settings);
        self.begin_in(caller, &id, events, works).await
    }

    /// Begins a session where it is to work; without it, that goes too.
    pub(crate) async fn begin_in(
        &self,
        caller: &Caller,
        id: &SessionId,
        mut events: Vec<NewEvent>,
        works: Vec<EventKind>,
    ) -> Result<Summary> {
        events.extend(works.iter().map(|kind| self.event(caller, kind.clone())));
        let begun = self.begin(caller, id, events).await;
        if begun.is_err() {
            self.shared.take_back(&works, None).await;
        }
        begun
    }

    pub(crate) fn first_events(
        &self,
        caller: &Caller,
        key: Option<String>,
        title: String,
        settings: Settings,
    ) -> Vec<NewEvent> {
        let (agent, spawned) = (AGENT.to_owned(), None);
        let created = EventKind::SessionCreated { agent, key, settings, spawned };
        let mut events = vec![self.event(caller, created)];
        if !title.is_empty() {
            let kind = EventKind::TitleChanged { title, automatic: false, usage: Usage::default() };
            events.push(self.event(caller, kind));
        }
        events
    }
}
