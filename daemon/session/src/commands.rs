//! What an actor does when it is asked to: send, stop, change, delete.

use std::mem::discriminant;

use moltis_agent::queue::{Place, place};
use moltis_agent::title;
use moltis_agent::turn::Input;
use moltis_core::assistant::{Caller, Change, NewMessage, Receipt, StopScope};
use moltis_core::error::{Code, Error, Result};
use moltis_core::event::{Cause, Ending, Event, EventKind, NewEvent, Origin};
use moltis_core::id::{ItemId, OpId, TurnId};
use moltis_core::message::Usage;
use moltis_core::session::{OpenTurn, Settings, Summary, Titles, TurnRules};

use crate::actor::Actor;
use crate::live::Closed;
use crate::log::another;
use crate::mailbox::{Command, Sending};
use crate::registry::busy;

/// Messages that are written in one go.
const BATCH: usize = 64;

impl Actor {
    pub(crate) async fn command(&mut self, command: Command) {
        // Whoever asked may have gone; what they asked for is done all the same.
        let _delivered = match command {
            Command::Send(sending) => {
                self.send(*sending).await;
                true
            }
            Command::Stop { caller, op, scope, reply } => {
                reply.send(self.retry_or_stop(&caller, &op, &scope).await).is_ok()
            }
            Command::Change { caller, op, change, with, reply } => {
                reply.send(self.change(&caller, op, change, with).await).is_ok()
            }
            Command::Compact { caller, op, reply } => {
                reply.send(self.ask_to_compact(&caller, op).await).is_ok()
            }
            Command::Open { caller, op, purpose, reply } => {
                reply.send(self.open_turn(&caller, op, purpose).await).is_ok()
            }
            Command::Context { model, files, kind, reply } => {
                reply.send(self.window(&model, files, kind).await).is_ok()
            }
            Command::Answer { caller, op, answer, reply } => {
                reply.send(self.answer(&caller, op, *answer).await).is_ok()
            }
            Command::State { turn, ask, reply } => reply.send(self.state(&turn, ask).await).is_ok(),
            Command::Changes { turn, reply } => reply.send(self.changes(turn).await).is_ok(),
            Command::Undo { caller, op, turn, reply } => {
                reply.send(self.undo(&caller, op, turn).await).is_ok()
            }
            Command::Revoke { caller, op, pattern, reply } => {
                reply.send(self.revoke(&caller, op, pattern).await).is_ok()
            }
            Command::Delete { reply } => reply.send(self.delete().await).is_ok(),
            Command::Settle { reply } => {
                let settled = self.log.settle().await;
                reply.send(settled.map(|()| self.log.closed())).is_ok()
            }
        };
        if !self.log.is_settled() && self.running.is_none() && !self.gone {
            self.retry_later();
        }
    }

    /// Writes this message and those that wait behind it in one append, then acknowledges them.
    async fn send(&mut self, first: Sending) {
        let batch = self.batch(first);
        // A command that another session carries out at the same time spoils the append for all
        // of them. The second time it is found, and refused alone.
        for sending in self.write(batch, true).await {
            self.write(vec![sending], false).await;
        }
    }

    fn batch(&mut self, first: Sending) -> Vec<Sending> {
        let mut batch = vec![first];
        while batch.len() < BATCH {
            match self.commands.try_recv() {
                Ok(Command::Send(sending)) => batch.push(*sending),
                Ok(other) => {
                    self.stashed = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        batch
    }

    /// Gives back what is to be tried again, if `again` allows that.
    async fn write(&mut self, sendings: Vec<Sending>, again: bool) -> Vec<Sending> {
        if let Err(error) = self.log.settle().await {
            sendings.into_iter().for_each(|sending| sending.answer(Err(error.clone())));
            return Vec::new();
        }
        let mut plan = Plan::new(self);
        let mut accepted = Vec::new();
        for sending in sendings {
            match self.accept(&mut plan, &sending).await {
                Ok(Accepted::New(at)) => accepted.push((at, sending)),
                Ok(Accepted::Known(receipt)) => sending.answer(Ok(receipt)),
                Err(error) => sending.answer(Err(error)),
            }
        }
        if accepted.is_empty() {
            return Vec::new();
        }
        let written = self.log.commit(plan.events).await;
        if again && matches!(&written, Err(error) if error.code == Code::Conflict) {
            return accepted.into_iter().map(|(_, sending)| sending).collect();
        }
        for (at, sending) in accepted {
            sending.answer(match &written {
                Ok(events) => events.get(at).and_then(|event| receipt(event)).ok_or_else(|| {
                    Error::new(Code::Internal, "the journal lost a message that it took")
                }),
                Err(error) => Err(error.clone()),
            });
        }
        Vec::new()
    }

    /// Plans one message, unless its command was carried out already.
    async fn accept(&mut self, plan: &mut Plan, sending: &Sending) -> Result<Accepted> {
        let Sending { caller, message, .. } = sending;
        if let Some((_, at)) = plan.ops.iter().find(|(op, _)| *op == message.op) {
            return Ok(Accepted::New(*at));
        }
        if let Some(event) = self.log.known(&message.op).await? {
            return receipt(&event).map(Accepted::Known).ok_or_else(|| another(&message.op));
        }
        let first = plan.open.is_empty();
        if !first && plan.waiting >= plan.rules.max_queued {
            return Err(busy());
        }
        let event = |turn: Option<&TurnId>, cause: Cause, kind| {
            self.log.event(turn, cause, caller.origin, kind)
        };
        if let Some(model) = &message.model
            && plan.settings.model.as_ref() != Some(model)
        {
            // A typing error must not stay with the session.
            self.shared.models.check(model)?;
            plan.settings.model = Some(model.clone());
            let settings = plan.settings.clone();
            let kind = EventKind::SettingsChanged { settings };
            plan.events.push(event(None, caller.cause.clone(), kind));
        }
        let queue = message.queue.or(plan.settings.queue).unwrap_or(plan.rules.queue);
        let turn = match place(queue, plan.running.as_ref(), &plan.open) {
            Place::Queued(turn) | Place::Running(turn) => turn,
            Place::New => {
                let turn = TurnId::new(self.shared.env.fresh_id());
                plan.open.push(OpenTurn::new(turn.clone()));
                turn
            }
        };
        let at = plan.events.len();
        let item = ItemId::new(self.shared.env.fresh_id());
        let NewMessage { op, parts, model, sensitive, .. } = message.clone();
        let kind = EventKind::UserMessage { item, op: op.clone(), parts, queue, model, sensitive };
        plan.events.push(event(Some(&turn), caller.cause.clone(), kind));
        plan.ops.push((op, at));
        plan.waiting += 1;
        if plan.untitled
            && let Some(title) = title::first_line(&message.parts)
        {
            plan.untitled = false;
            let kind = EventKind::TitleChanged { title, automatic: true, usage: Usage::default() };
            plan.events.push(event(None, Cause::Daemon, kind));
        }
        Ok(Accepted::New(at))
    }

    /// Stops, unless this very command did so before: what runs now it did not mean.
    async fn retry_or_stop(
        &mut self,
        caller: &Caller,
        op: &OpId,
        scope: &StopScope,
    ) -> Result<Vec<TurnId>> {
        // An end that is owed may be this command's.
        let _unsettled = self.log.settle().await.is_err();
        match self.log.known(op).await {
            Ok(Some(Event { kind: EventKind::TurnEnded { .. }, turn, .. })) => {
                Ok(turn.into_iter().collect())
            }
            Ok(Some(_)) => Err(another(op)),
            Err(error) if error.code == Code::Conflict => Err(error),
            // Whatever the store says, the model must not go on.
            Ok(None) | Err(_) => self.stop(caller, Some(op), scope).await,
        }
    }

    /// Ends turns and says which, after their ends are on disk. The last end has the command: a
    /// retry after a crash in between finds none, and stops what is left.
    async fn stop(
        &mut self,
        caller: &Caller,
        op: Option<&OpId>,
        scope: &StopScope,
    ) -> Result<Vec<TurnId>> {
        let running = self.running.as_ref().map(|running| running.id.clone());
        let hit = running.clone().filter(|running| match scope {
            StopScope::Running | StopScope::All => true,
            StopScope::Turn(turn) => turn == running,
        });
        if hit.is_some()
            && let Some(running) = &mut self.running
        {
            running.cancelled.cancel();
            running.stopped_by = Some((caller.clone(), op.cloned()));
        }
        let last = op.filter(|_| hit.is_none());
        let queued = self.stop_queued(caller, last, scope, running.as_ref()).await;
        let driven = match hit {
            Some(_) => self.drive(Input::Stop).await,
            None => Ok(()),
        };
        if *scope == StopScope::All {
            self.end_agents().await;
        }
        driven?;
        Ok(hit.into_iter().chain(queued?).collect())
    }

    async fn stop_queued(
        &mut self,
        caller: &Caller,
        op: Option<&OpId>,
        scope: &StopScope,
        running: Option<&TurnId>,
    ) -> Result<Vec<TurnId>> {
        self.log.settle().await?;
        let wanted = |open: &&OpenTurn| match scope {
            StopScope::Running => false,
            StopScope::All => Some(&open.turn) != running,
            StopScope::Turn(turn) => open.turn == *turn && Some(turn) != running,
        };
        let open = self.log.summary.open_turns.iter();
        let queued: Vec<TurnId> = open.filter(wanted).map(|open| open.turn.clone()).collect();
        let end = |turn| {
            let ending = Ending::Cancelled;
            let kind = EventKind::TurnEnded { ending, failure: None, usage: Usage::default() };
            self.log.event(Some(turn), caller.cause.clone(), caller.origin, kind)
        };
        let mut events: Vec<NewEvent> = queued.iter().map(end).collect();
        if let Some(last) = events.last_mut() {
            last.op = op.cloned();
            self.log.commit(events).await?;
        }
        Ok(queued)
    }

    async fn change(
        &mut self,
        caller: &Caller,
        op: OpId,
        change: Change,
        with: Vec<EventKind>,
    ) -> Result<Summary> {
        self.log.settle().await?;
        let before = self.log.summary.worktree.clone();
        let puts_away = change == Change::Archived(true);
        let summary = &self.log.summary;
        if let Change::Settings(Settings { model: Some(model), .. }) = &change
            && summary.settings.model.as_ref() != Some(model)
        {
            self.shared.models.check(model)?;
        }
        let (there, kind) = match change {
            Change::Title(title) => (
                summary.title_by_person && summary.title == title,
                EventKind::TitleChanged { title, automatic: false, usage: Usage::default() },
            ),
            Change::Archived(archived) => {
                (summary.archived == archived, EventKind::ArchivedChanged { archived })
            }
            Change::Settings(settings) => {
                (summary.settings == settings, EventKind::SettingsChanged { settings })
            }
        };
        match self.log.known(&op).await? {
            Some(event)
                if discriminant(&event.kind) != discriminant(&kind)
                    && !matches!(event.kind, EventKind::WorktreeSet { .. }) =>
            {
                return Err(another(&op));
            }
            Some(_) => {}
            // What is so already is not written again, and so may be tried again.
            None if there && with.is_empty() => {}
            None => {
                self.may_move(&with)?;
                let kinds = Some(kind).filter(|_| !there).into_iter().chain(with);
                let event = |kind| self.log.event(None, caller.cause.clone(), caller.origin, kind);
                let mut events: Vec<NewEvent> = kinds.map(event).collect();
                if let Some(first) = events.first_mut() {
                    first.op = Some(op);
                }
                self.log.commit(events).await?;
                self.leave_old(before).await;
                if puts_away {
                    self.put_away().await;
                }
            }
        }
        Ok(self.log.summary.clone())
    }

    /// Ends everything, then removes the session. If the removal fails, the session is as it was
    /// but for its turns, which were stopped. Says what is left of its worktree, if anything is.
    async fn delete(&mut self) -> Result<Option<String>> {
        let caller = Caller { cause: Cause::Daemon, origin: Origin::Owner };
        self.stop(&caller, None, &StopScope::All).await?;
        self.chores.abort_all();
        self.end_all().await;
        self.log.journal.delete(&self.log.session).await?;
        if let Some(checkpoints) = &self.shared.hands.checkpoints
            && let Err(error) = checkpoints.forget(&self.log.session).await
        {
            // The session is gone all the same; what it kept goes as the room for it is used up.
            tracing::warn!(session = %self.log.session, %error, "failed to forget checkpoints");
        }
        let kept = match &self.log.summary.worktree {
            Some(worktree) => self.shared.leave(worktree).await,
            None => None,
        };
        self.live.close(Closed::Deleted);
        self.gone = true;
        Ok(kept)
    }
}

/// What a batch of messages is going to do, before anything of it is written.
struct Plan {
    rules: std::sync::Arc<TurnRules>,
    running: Option<TurnId>,
    open: Vec<OpenTurn>,
    settings: Settings,
    waiting: usize,
    untitled: bool,
    events: Vec<NewEvent>,
    /// Where the message of a command is among the events.
    ops: Vec<(OpId, usize)>,
}

enum Accepted {
    /// It will be the event at this place of the append.
    New(usize),
    /// It is on disk since earlier.
    Known(Receipt),
}

impl Plan {
    fn new(actor: &Actor) -> Self {
        let summary = &actor.log.summary;
        let rules = actor.shared.rules();
        let running = actor.running.as_ref().map(|running| running.id.clone());
        // What a turn begins with does not wait any more, even if its start is not on disk yet.
        let starting = running.as_ref().filter(|running| !actor.log.is_started(running));
        Self {
            waiting: actor.log.waiting(starting),
            untitled: rules.titles != Titles::Off
                && summary.title.is_empty()
                && !summary.title_by_person,
            rules,
            running,
            open: summary.open_turns.clone(),
            settings: summary.settings.clone(),
            events: Vec::new(),
            ops: Vec::new(),
        }
    }
}

/// The receipt of a message's event.
fn receipt(event: &Event) -> Option<Receipt> {
    let EventKind::UserMessage { item, .. } = &event.kind else { return None };
    Some(Receipt {
        session: event.session.clone(),
        turn: event.turn.clone()?,
        item: item.clone(),
        seq: event.seq,
    })
}
