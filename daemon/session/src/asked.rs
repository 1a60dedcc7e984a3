//! Turns that the owner opens without saying anything to a model: a program to run, a clearing.
//!
//! They are queued, stopped, recovered and ended like any other turn, and no message joins them. What
//! they do is the turn's, see `agent`.

use moltis_agent::prompt;
use moltis_agent::turn::RUNS_PROGRAMS;
use moltis_core::assistant::Caller;
use moltis_core::error::{Code, Error, Result};
use moltis_core::event::{Event, EventKind, NewEvent, Origin};
use moltis_core::id::{OpId, TurnId};
use moltis_core::session::Purpose;

use crate::actor::Actor;
use crate::log::another;
use crate::registry::busy;

impl Actor {
    /// Opens a turn for this, unless this very command did so before.
    pub(crate) async fn open_turn(
        &mut self,
        caller: &Caller,
        op: OpId,
        purpose: Purpose,
    ) -> Result<TurnId> {
        self.log.settle().await?;
        if let Some(event) = self.log.known(&op).await? {
            return opened(&event).ok_or_else(|| another(&op));
        }
        if self.log.summary.open_turns.len() >= self.shared.rules().max_queued {
            return Err(busy());
        }
        let kind = match purpose {
            Purpose::Run(command) => self.may_run(caller, command)?,
            Purpose::Clear => self.may_clear().await?,
            Purpose::Answer | Purpose::Compact => {
                return Err(Error::new(Code::Internal, "such a turn is opened elsewhere"));
            }
        };
        let turn = TurnId::new(self.shared.env.fresh_id());
        let (cause, origin) = (caller.cause.clone(), caller.origin);
        let event = self.log.event(Some(&turn), cause, origin, kind);
        self.log.commit(vec![NewEvent { op: Some(op), ..event }]).await?;
        Ok(turn)
    }

    /// Nobody but the owner has a program run at their own word, and only where it can run.
    fn may_run(&self, caller: &Caller, command: String) -> Result<EventKind> {
        if caller.origin != Origin::Owner {
            return Err(Error::new(Code::Denied, "only the owner has programs run this way"));
        }
        let scene = self.scene(&TurnId::new(""), &self.shared.rules());
        let toolbox = &self.shared.hands.toolbox;
        if !toolbox.tools(&scene).iter().any(|tool| tool.spec().name == RUNS_PROGRAMS) {
            let missing = toolbox.missing(&scene);
            let reason = missing.into_iter().find(|(name, _)| name == RUNS_PROGRAMS);
            let reason = reason.map_or_else(|| "it is switched off".to_owned(), |(_, why)| why);
            let message = format!("programs can't run here: {reason}");
            return Err(Error::new(Code::NotConfigured, message)
                .with_hint("moltis sandbox status says what is there"));
        }
        Ok(EventKind::ProgramAsked { command })
    }

    async fn may_clear(&mut self) -> Result<EventKind> {
        let open = &self.log.summary.open_turns;
        if open.iter().any(|open| open.purpose == Purpose::Clear) {
            return Err(Error::new(Code::Conflict, "the conversation is being cleared already"));
        }
        // Whether there will be something when the turns before it are over is not known.
        if open.is_empty() {
            self.log.load_conversation(2 * prompt::UNKNOWN_WINDOW).await?;
            let told = self.log.conversation();
            if told.is_none_or(|told| told.entries().is_empty() && told.summary().is_none()) {
                let message = "there is nothing to clear: the model is told nothing of before";
                return Err(Error::new(Code::Conflict, message));
            }
        }
        Ok(EventKind::ClearAsked)
    }
}

/// The turn that such a command opened.
fn opened(event: &Event) -> Option<TurnId> {
    match event.kind {
        EventKind::ProgramAsked { .. } | EventKind::ClearAsked => event.turn.clone(),
        _ => None,
    }
}
