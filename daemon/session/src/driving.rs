//! The actor's hold on the machine of its turn: feeds it, and does what it wants, in its order.
//!
//! Not here: what comes back from a turn's tasks, and when; that is `actor`'s loop. The invariant: what
//! a turn wants kept is on disk before anything that it wants after that is done.

use std::collections::VecDeque;

use moltis_agent::turn::{Context, Effect, Input};
use moltis_core::error::{Error, Result};
use moltis_core::event::{Cause, EventKind, NewEvent, Origin};
use tokio::time::Instant;

use crate::actor::Actor;
use crate::call::{self, About};
use crate::context::Told;
use crate::own::Wanted;

impl Actor {
    /// Drives the turn where nobody waits for the outcome: a store that fails is logged, and what
    /// it owes is kept.
    pub(crate) async fn drive_on(&mut self, input: Input) {
        if let Err(error) = self.drive(input).await {
            tracing::warn!(session = %self.log.session, %error, "failed to keep what a turn did");
        }
    }

    /// Feeds the turn and does what it wants, until it wants nothing more.
    ///
    /// # Errors
    /// The store's, when the turn could not be kept; the turn is over then and its end is owed.
    pub(crate) async fn drive(&mut self, input: Input) -> Result<()> {
        let mut effects = VecDeque::from(self.step(input));
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Paint { item, strand, text } => {
                    if let Some(running) = &self.running {
                        self.live.paint(&running.id, &item, strand, &text);
                    }
                }
                Effect::Append(kinds) => {
                    effects.extend(self.keep(kinds, None).await?);
                }
                Effect::AppendFrom(origin, kinds) => {
                    effects.extend(self.keep(kinds, Some(origin)).await?);
                }
                Effect::Finish => self.finish().await,
                act @ (Effect::Prepare(_) | Effect::RunTool { .. }) => self.begin_act(act),
                Effect::CallModel { candidate, request } => match self.pay(&request) {
                    Ok(()) => self.begin_effect(Effect::CallModel { candidate, request }),
                    Err(failure) => effects.extend(self.step(Input::OverBudget(failure))),
                },
                other => self.begin_effect(other),
            }
        }
        Ok(())
    }

    /// Writes events of the turn, and says what it wants done then.
    async fn keep(&mut self, kinds: Vec<EventKind>, origin: Option<Origin>) -> Result<Vec<Effect>> {
        if let Some(running) = &mut self.running {
            if running.turn.is_over() {
                // However long the store takes: the model must not go on.
                running.cancelled.cancel();
            }
            running.saved().await;
        }
        let mut kinds = kinds;
        if self.running.as_ref().is_some_and(|running| running.turn.is_over()) {
            self.close(&mut kinds).await;
        }
        self.tell_missing(&mut kinds).await;
        self.settle_up(&mut kinds);
        self.sending(&mut kinds).await;
        let mut events = self.events(kinds.clone());
        if let Some(origin) = origin {
            events.iter_mut().for_each(|event| event.origin = origin);
        }
        match self.log.commit(events).await {
            Ok(_) => {
                self.pace_questions();
                self.sent(&kinds).await;
                Ok(self.step(Input::Committed))
            }
            Err(error) => {
                self.give_up(kinds, &error).await;
                Err(error)
            }
        }
    }

    /// Ends what the turn that ends so still has running, and adds what it changed.
    async fn close(&mut self, kinds: &mut Vec<EventKind>) {
        let ending = kinds.iter().find_map(|kind| match kind {
            EventKind::TurnEnded { ending, .. } => Some(*ending),
            _ => None,
        });
        let Some(ending) = ending else { return };
        self.end_acts(ending).await;
        if let Some(changed) = self.workspace_changed(ending).await {
            kinds.insert(0, changed);
        }
    }

    /// Begins what comes back later, or is done at once.
    fn begin_effect(&mut self, effect: Effect) {
        let Some(running) = &mut self.running else { return };
        let about = About {
            hands: self.shared.hands.clone(),
            session: self.log.session.clone(),
            workspace: running.scene.workspace.clone(),
            worktree: self.log.summary.worktree.clone(),
            messages: self.log.conversation().map_or(0, |talk| talk.entries().len()),
            iteration: running.done.answers + 1,
        };
        match effect {
            Effect::Choose => {
                running.call += 1;
                let mut open = self.log.summary.open_turns.iter();
                let own =
                    open.find(|open| open.turn == running.id).and_then(|open| open.model.clone());
                let wanted = Wanted::new(own, &self.log.summary.settings);
                let (call, sender) = (running.call, running.sender.clone());
                let models = self.shared.models.clone();
                let told = Told::new(&about.hands, &self.log.summary, &self.shared.rules());
                running.run(call::choose(models, wanted, told, about, call, sender));
            }
            Effect::CallModel { candidate, request } => {
                let Some(candidate) = running.candidates.get(candidate).cloned() else { return };
                running.call += 1;
                let (call, sender) = (running.call, running.sender.clone());
                running.run(call::ask(candidate, *request, about, call, sender));
            }
            Effect::Sleep(wait) => {
                running.tasks.abort_all();
                running.wake = Instant::now().checked_add(wait);
            }
            Effect::Progress(text) => {
                self.live.progress(&running.id, text);
                self.live.wake();
            }
            Effect::Report { candidate, failure } => {
                if let Some(candidate) = running.candidates.get(candidate) {
                    self.shared.models.report(&candidate.info.id, failure);
                }
            }
            Effect::Append(_)
            | Effect::AppendFrom(..)
            | Effect::Prepare(_)
            | Effect::RunTool { .. }
            | Effect::Paint { .. }
            | Effect::Finish => {}
        }
    }

    pub(crate) fn step(&mut self, input: Input) -> Vec<Effect> {
        let Some(mut running) = self.running.take() else { return Vec::new() };
        let context = Context {
            at: self.epoch.elapsed(),
            conversation: self.log.conversation().unwrap_or(&self.nothing),
            label: self.log.summary.label,
            principal: self.log.summary.principal(&running.id),
            grants: &|| self.grants(),
            pay: &|| running.account.pay_call(&self.shared.rules().budget),
            answer_by: &|| self.answer_by(),
            fresh: &|| self.fresh_item(),
        };
        let effects = running.turn.on(input, &context);
        self.running = Some(running);
        effects
    }

    /// Ends the turn over a store that fails: what it still has to say is owed to the log, and who
    /// waits for it is told why it does not come.
    pub(crate) async fn give_up(&mut self, kinds: Vec<EventKind>, error: &Error) {
        for effect in self.step(Input::NotKept(kinds, error.message.clone())) {
            if let Effect::Append(mut kinds) = effect {
                self.close(&mut kinds).await;
                let events = self.events(kinds);
                self.log.owe(events);
            }
        }
        if let Some(running) = &self.running {
            let why = format!("not kept yet, tried again: {}", error.message);
            self.live.progress(&running.id, why);
            self.live.wake();
        }
        self.retry_later();
        self.finish().await;
    }

    /// The events of the running turn.
    fn events(&self, kinds: Vec<EventKind>) -> Vec<NewEvent> {
        let Some(running) = &self.running else { return Vec::new() };
        let event = |kind: EventKind| {
            let mut op = None;
            let (cause, origin) = match &kind {
                EventKind::AssistantMessage { .. } => (Cause::Model, Origin::Tool),
                // What the owner has run is no model's wish.
                EventKind::ToolStarted { .. } if running.turn.is_program() => {
                    (Cause::Daemon, Origin::Owner)
                }
                EventKind::Compacted { model: Some(_), .. }
                | EventKind::ToolStarted { .. }
                | EventKind::ApprovalAsked { .. } => (Cause::Model, Origin::Tool),
                // Moltis's own words of a call that was not made.
                EventKind::ToolFinished { took: None, sensitive: false, .. } => {
                    (Cause::Daemon, Origin::Owner)
                }
                // What a tool says comes with its own origin, unless its turn was cut off or the store
                // failed: it may have said anything then.
                EventKind::ToolFinished { .. } => (Cause::Daemon, Origin::Web),
                // It quotes what was said.
                EventKind::Compacted { model: None, .. } => (Cause::Daemon, Origin::Tool),
                // They may quote what a vendor said.
                EventKind::Notice { .. } => (Cause::Daemon, Origin::Tool),
                EventKind::TurnEnded { failure: Some(failure), .. } if failure.kind.is_some() => {
                    (Cause::Daemon, Origin::Tool)
                }
                EventKind::TurnEnded { .. } => match running.stopped_by.clone() {
                    Some((caller, by)) => {
                        op = by;
                        (caller.cause, caller.origin)
                    }
                    None => (Cause::Daemon, Origin::Owner),
                },
                _ => (Cause::Daemon, Origin::Owner),
            };
            NewEvent { op, ..self.log.event(Some(&running.id), cause, origin, kind) }
        };
        kinds.into_iter().map(event).collect()
    }
}
