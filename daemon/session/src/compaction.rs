//! Compaction as a person asks for it, and what a model would be told.
//!
//! Asking opens a turn; what it does is the turn's, see `agent`.

use moltis_agent::{compact, prompt, system, window};
use moltis_core::assistant::{Caller, Compaction, Window};
use moltis_core::context::SystemFragment;
use moltis_core::error::{Code, Error, Result};
use moltis_core::event::{Event, EventKind, NewEvent};
use moltis_core::id::{OpId, TurnId};
use moltis_core::models::ModelInfo;
use moltis_core::session::Purpose;

use crate::actor::{Actor, room_for};
use crate::log::another;
use crate::own::WorksAs;

impl Actor {
    /// Opens a turn that compacts, unless this very command did so before.
    pub(crate) async fn ask_to_compact(&mut self, caller: &Caller, op: OpId) -> Result<Compaction> {
        self.log.settle().await?;
        if let Some(event) = self.log.known(&op).await? {
            return compaction(&event).ok_or_else(|| another(&op));
        }
        let open = &self.log.summary.open_turns;
        if open.iter().any(|open| open.purpose == Purpose::Compact) {
            return Err(conflict("the session is being compacted already"));
        }
        // Whether there will be something when the turns before it are over is not known.
        if open.is_empty() && !self.is_worth_compacting().await? {
            return Err(conflict("there is nothing to compact: the conversation is short"));
        }
        let turn = TurnId::new(self.shared.env.fresh_id());
        let (cause, origin) = (caller.cause.clone(), caller.origin);
        let event = self.log.event(Some(&turn), cause, origin, EventKind::CompactionAsked);
        let written = self.log.commit(vec![NewEvent { op: Some(op), ..event }]).await?;
        let event = written.first().and_then(|event| compaction(event));
        event.ok_or_else(|| Error::new(Code::Internal, "the journal lost an event that it took"))
    }

    async fn is_worth_compacting(&mut self) -> Result<bool> {
        if self.log.conversation().is_none() {
            self.log.load_conversation(2 * prompt::UNKNOWN_WINDOW).await?;
        }
        Ok(self.log.conversation().is_some_and(compact::is_worth_it))
    }

    /// What this model would be told with the next request.
    pub(crate) async fn window(
        &mut self,
        model: &ModelInfo,
        files: Vec<SystemFragment>,
        kind: Option<WorksAs>,
    ) -> Result<Window> {
        self.log.settle().await?;
        self.log.load_conversation(room_for(model)).await?;
        let rules = self.shared.rules();
        let scene = self.scene(&TurnId::new(""), &rules);
        let mut tools = self.tools(&scene);
        if let Some(kind) = &kind {
            tools.retain(|tool| kind.has(&tool.spec().name));
        }
        let mut instructions = self.instructions(&rules, &scene, &tools);
        instructions.system.extend(files);
        instructions.system = system::ordered(instructions.system);
        if let Some(kind) = &kind {
            instructions.works_as(kind.fragment(), |_| true);
        }
        let conversation = self.log.conversation().unwrap_or(&self.nothing);
        Ok(window::window(conversation, &self.log.session, model, &instructions))
    }
}

fn conflict(message: &str) -> Error {
    Error::new(Code::Conflict, message)
}

fn compaction(event: &Event) -> Option<Compaction> {
    let EventKind::CompactionAsked = event.kind else { return None };
    let turn = event.turn.clone()?;
    Some(Compaction { session: event.session.clone(), turn, seq: event.seq })
}
