//! What becomes of turns that an earlier life of the daemon left open.
//!
//! One that was running is closed as interrupted; one that waits for a person goes on waiting; one that
//! is queued runs. But an agent that another agent began ends with it: the call that waited for its
//! result is gone with the daemon, so that whatever nobody else asked of it is closed as cancelled,
//! also where it waits for an answer or has not begun. Not here: how a turn goes on (`resume`).

use std::time::Duration;

use moltis_agent::turn::INTERRUPTED;
use moltis_core::error::Result;
use moltis_core::event::{Answer, Cause, Ending, EventKind, Level, NewEvent, Origin};
use moltis_core::id::{ItemId, SessionId, TurnId};
use moltis_core::journal::Draft;
use moltis_core::message::Usage;
use moltis_core::session::OpenTurn;

use crate::log::Log;
use crate::resume::cut_off;

/// What a person is told of an agent that ends so.
const ORPHANED: &str =
    "the agent that began this one went with the daemon, and this one does not go on without it";

impl Log {
    /// What closes the turns that can't go on.
    pub(crate) async fn end_of_stray(&self) -> Result<Option<Vec<NewEvent>>> {
        let open = &self.summary.open_turns;
        let mut events = match open.iter().find(|open| open.started) {
            Some(open) if self.is_orphan(open) => {
                self.broken_off(&open.turn, Ending::Cancelled, ORPHANED).await?
            }
            Some(open) if !self.waits_for_person(&open.turn) => {
                self.broken_off(&open.turn, Ending::Interrupted, INTERRUPTED).await?
            }
            _ => Vec::new(),
        };
        for open in open.iter().filter(|open| !open.started && self.is_orphan(open)) {
            events.extend(self.last_words(
                &open.turn,
                Ending::Cancelled,
                ORPHANED,
                Usage::default(),
            ));
        }
        Ok((!events.is_empty()).then_some(events))
    }

    fn waits_for_person(&self, turn: &TurnId) -> bool {
        self.summary.pending.iter().any(|pending| pending.turn == *turn)
    }

    /// Whether nobody but an agent wanted this turn.
    fn is_orphan(&self, open: &OpenTurn) -> bool {
        self.summary.spawned.is_some() && !open.asked
    }

    /// The end of a started turn: the text that was saved of it, the ends of its calls, a word to the
    /// person.
    async fn broken_off(&self, turn: &TurnId, ending: Ending, why: &str) -> Result<Vec<NewEvent>> {
        let drafts = self.journal.drafts().await?;
        let (usage, items) = self.answers(turn).await?;
        let wanted = |(session, draft): &(SessionId, Draft)| {
            *session == self.session && draft.turn == *turn && !items.contains(&draft.item)
        };
        let mut events = Vec::new();
        if let Some((_, draft)) = drafts.into_iter().find(wanted) {
            let answer = Answer {
                model: draft.model,
                usage: Usage::default(),
                estimated: 0,
                finish: None,
                first_token: None,
                took: Duration::ZERO,
            };
            let (item, parts) = (draft.item, draft.parts);
            let kind = EventKind::AssistantMessage { item, parts, answer, partial: true };
            events.push(self.event(Some(turn), Cause::Model, Origin::Tool, kind));
        }
        let fresh = || ItemId::new(self.env.fresh_id());
        for kind in cut_off(self.resumed(turn).await?, why, &fresh) {
            events.push(self.event(Some(turn), Cause::Daemon, Origin::Owner, kind));
        }
        events.extend(self.last_words(turn, ending, why, usage));
        Ok(events)
    }

    fn last_words(&self, turn: &TurnId, ending: Ending, why: &str, usage: Usage) -> [NewEvent; 2] {
        let item = ItemId::new(self.env.fresh_id());
        let notice = EventKind::Notice { item, level: Level::Warning, text: why.to_owned() };
        let end = EventKind::TurnEnded { ending, failure: None, usage };
        [notice, end].map(|kind| self.event(Some(turn), Cause::Daemon, Origin::Owner, kind))
    }
}
