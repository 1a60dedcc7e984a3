//! The actor's part in acting: where calls happen, what the owner allowed, and the answers of people.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use moltis_agent::turn::{Effect, Input};
use moltis_core::Timestamp;
use moltis_core::assistant::{Answer, Answered, Assistant as _, Caller, StopScope};
use moltis_core::error::{Code, Error, Result};
use moltis_core::event::{Cause, Ending, Event, EventKind, NewEvent, Origin};
use moltis_core::id::{ItemId, OpId, SessionId, TurnId};
use moltis_core::policy::{Grants, Pattern, Reach};
use moltis_core::session::{Pending, Purpose, Summary, TurnRules};
use moltis_core::tool::{Action, Scene, Tool};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use crate::actor::Actor;
use crate::hands::{self, AllowList, Bench};
use crate::log::another;
use crate::own;
use crate::telling;
use crate::undo;

/// How long what a turn still has running may take to end.
const ENDING: Duration = Duration::from_secs(2);

impl Actor {
    /// Where the calls of a turn happen.
    pub(crate) fn scene(&self, turn: &TurnId, rules: &TurnRules) -> Scene {
        let Summary { id, agent, settings, .. } = &self.log.summary;
        Scene {
            session: id.clone(),
            turn: turn.clone(),
            agent: agent.clone(),
            workspace: telling::workspace(&self.log.summary, rules),
            mount: settings.mount.unwrap_or(rules.mount),
            network: settings.network.unwrap_or(rules.network),
            hosts: rules.hosts.clone(),
            images: false,
        }
    }

    /// What the owner allowed and forbade, as it is now.
    pub(crate) fn grants(&self) -> Grants {
        let rules = self.shared.rules();
        let summary = &self.log.summary;
        Grants {
            mode: summary.settings.approvals.unwrap_or(rules.approvals),
            allow: rules.allow.clone(),
            deny: rules.deny.clone(),
            session: summary.grants.clone(),
        }
    }

    /// Until when a question that is asked now waits.
    pub(crate) fn answer_by(&self) -> Timestamp {
        let within = self.shared.rules().answer_within;
        let now = self.log.env.now();
        now.checked_add(within).unwrap_or(Timestamp::MAX)
    }

    /// Begins to prepare or to make calls.
    pub(crate) fn begin_act(&mut self, effect: Effect) {
        let Some(running) = &mut self.running else { return };
        running.call += u32::from(matches!(effect, Effect::Prepare(_)));
        let bench = Bench {
            hands: self.shared.hands.clone(),
            tools: running.tools.clone(),
            scene: running.scene.clone(),
            call: running.call,
            inbox: running.sender.clone(),
            before: running.before.clone(),
        };
        match effect {
            Effect::Prepare(wishes) => {
                running.acting = 0;
                running.run(hands::prepare(bench, wishes));
            }
            Effect::RunTool { call, .. } => {
                running.acting += 1;
                running.changed |= undo::changes(&call);
                running.ran |= matches!(call.what().action, Action::Run(_));
                running.run_beside(hands::run(bench, *call));
            }
            _ => {}
        }
    }

    /// The tools that a turn of this purpose has there.
    pub(crate) fn tools_for(&self, purpose: &Purpose, scene: &Scene) -> Vec<Arc<dyn Tool>> {
        match purpose {
            // A turn that compacts has none to call, but must know what they weigh.
            Purpose::Answer | Purpose::Compact => self.tools(scene),
            // What an agent may have binds its model, not the owner.
            Purpose::Run(_) => self.shared.hands.toolbox.tools(scene),
            Purpose::Clear => Vec::new(),
        }
    }

    /// The tools of a turn there.
    pub(crate) fn tools(&self, scene: &Scene) -> Vec<Arc<dyn Tool>> {
        let summary = &self.log.summary;
        let mut tools = self.shared.hands.toolbox.tools(scene);
        tools.extend(own::tools(&self.shared.sessions, summary));
        own::filtered(tools, summary.spawned.as_ref())
    }

    /// Ends what the turn that ends so still has running, wherever that is.
    pub(crate) async fn end_acts(&mut self, ending: Ending) {
        let Some(running) = &mut self.running else { return };
        // An agent or a program that is being begun right now must be seen below.
        running.halt().await;
        let acting = std::mem::take(&mut running.acting) > 0;
        let cut_off = ending != Ending::Done;
        // Programs that were left running are wanted by a turn that came to its end.
        let programs = acting || (std::mem::take(&mut running.ran) && cut_off);
        let (scene, turn) = (running.scene.clone(), running.id.clone());
        let children = async {
            if cut_off && let Some(sessions) = self.shared.sessions.upgrade() {
                sessions.stop_children(&scene.session, &turn).await;
            }
        };
        let programs = async {
            if programs {
                self.shared.hands.toolbox.stop(&scene).await;
            }
        };
        tokio::join!(soon(&scene.session, children), soon(&scene.session, programs));
    }

    /// Ends what the session still has at work beside its turns: programs that go on, and agents in
    /// the background.
    pub(crate) async fn end_all(&mut self) {
        let scene = self.scene(&TurnId::new(""), &self.shared.rules());
        let shared = self.shared.clone();
        let programs = soon(&scene.session, shared.hands.toolbox.stop(&scene));
        tokio::join!(self.end_agents(), programs);
    }

    /// Ends the agents that the session's turns began, whenever that was.
    pub(crate) fn end_agents(&self) -> impl Future<Output = ()> + use<> {
        let (shared, session) = (self.shared.clone(), self.log.session.clone());
        async move {
            let agents = async {
                let Some(sessions) = shared.sessions.upgrade() else { return };
                let working = shared.journal.unfinished().await.unwrap_or_default();
                let mine = |child: &Summary| {
                    child.spawned.as_ref().is_some_and(|spawned| spawned.parent == session)
                };
                let caller = Caller { cause: Cause::Daemon, origin: Origin::Owner };
                join_all(working.into_iter().filter(mine).map(async |child| {
                    let op = OpId::new(shared.env.fresh_id());
                    let stopped = sessions.stop(&caller, op, &child.id, StopScope::All).await;
                    if let Err(error) = stopped {
                        tracing::warn!(session = %child.id, %error, "failed to stop an agent");
                    }
                }))
                .await;
            };
            soon(&session, agents).await;
        }
    }

    /// Takes note of which questions of the running turn wait.
    pub(crate) fn pace_questions(&mut self) {
        let now = self.log.env.now();
        let Some(running) = &mut self.running else { return };
        let mine = |pending: &&Pending| pending.turn == running.id;
        let pending = self.log.summary.pending.iter().filter(mine);
        let first = pending.min_by_key(|pending| pending.expires_at);
        running.answer_by = first.map(|pending| {
            let left = Duration::try_from(pending.expires_at.duration_since(now));
            (Instant::now() + left.unwrap_or_default(), pending.approval.clone())
        });
        let waits = running.answer_by.is_some();
        running.wait_for_person(waits);
    }

    /// Takes a person's answer to a question, unless this very command did so before.
    pub(crate) async fn answer(
        &mut self,
        caller: &Caller,
        op: OpId,
        answer: Answer,
    ) -> Result<Answered> {
        self.log.settle().await?;
        if let Some(event) = self.log.known(&op).await? {
            return match is_this(&event.kind, &answer) {
                true => answered(&event, None).ok_or_else(|| another(&op)),
                false => Err(another(&op)),
            };
        }
        let found = self.log.summary.pending.iter().find(|one| one.approval == answer.approval);
        let pending = found.cloned().ok_or_else(|| over(&answer))?;
        if pending.digest != answer.digest {
            let message = "what was shown is not what is asked now";
            return Err(Error::new(Code::Conflict, message).with_hint("moltis approvals"));
        }
        let pattern = match answer.reach {
            Reach::Once => None,
            _ if !answer.allow => None,
            Reach::Session | Reach::Always => Some(pattern(&pending)?),
        };
        let kind = EventKind::ApprovalAnswered {
            approval: answer.approval.clone(),
            allowed: answer.allow,
            reach: answer.reach,
            reason: answer.reason.clone(),
        };
        let (cause, origin) = (caller.cause.clone(), caller.origin);
        let event = self.log.event(Some(&pending.turn), cause, origin, kind);
        let written = self.log.commit(vec![NewEvent { op: Some(op), ..event }]).await?;
        let done = written.first().and_then(|event| answered(event, pattern.as_ref()));
        self.pace_questions();
        let kept = match (answer.reach, &pattern) {
            (Reach::Always, Some(pattern)) => {
                allow_for_good(self.shared.hands.allow_list.clone(), pattern.clone()).await
            }
            _ => Ok(()),
        };
        let said = if answer.allow { Ok(pending.digest) } else { Err(answer.reason) };
        self.drive_on(Input::Answered(answer.approval, said)).await;
        kept?;
        done.ok_or_else(|| Error::new(Code::Internal, "the journal lost an event that it took"))
    }

    /// Takes back what was allowed for the rest of the session.
    pub(crate) async fn revoke(
        &mut self,
        caller: &Caller,
        op: OpId,
        pattern: String,
    ) -> Result<Summary> {
        self.log.settle().await?;
        match self.log.known(&op).await? {
            Some(Event { kind: EventKind::GrantRevoked { .. }, .. }) => {}
            Some(_) => return Err(another(&op)),
            None => {
                let line =
                    Pattern::parse(&pattern).map_err(|why| Error::new(Code::Invalid, why))?.line();
                let grants = &self.log.summary.grants;
                if !grants.iter().any(|grant| grant.pattern.line() == line) {
                    let message = format!("nothing is allowed in this session by `{line}`");
                    return Err(Error::new(Code::NotFound, message).with_hint("moltis trust list"));
                }
                let kind = EventKind::GrantRevoked { pattern: line };
                let event = self.log.event(None, caller.cause.clone(), caller.origin, kind);
                self.log.commit(vec![NewEvent { op: Some(op), ..event }]).await?;
            }
        }
        Ok(self.log.summary.clone())
    }

    /// Names a new item.
    pub(crate) fn fresh_item(&self) -> ItemId {
        ItemId::new(Arc::<str>::from(self.shared.env.fresh_id()))
    }
}

/// Waits for something to end, but not for ever.
async fn soon(session: &SessionId, end: impl Future<Output = ()>) {
    if timeout(ENDING, end).await.is_err() {
        tracing::warn!(%session, "what a turn left running did not end in time");
    }
}

/// What covers a question's call and others like it.
fn pattern(pending: &Pending) -> Result<Pattern> {
    let Some(line) = &pending.pattern else {
        let message = "only this one call can be allowed: nothing sensible covers others like it";
        return Err(Error::new(Code::Invalid, message));
    };
    Pattern::parse(line).map_err(|why| Error::new(Code::Internal, why))
}

fn over(answer: &Answer) -> Error {
    let message =
        format!("nothing waits by the name `{}`: it was answered, or is over", answer.approval);
    Error::new(Code::NotFound, message).with_hint("moltis approvals")
}

/// Keeps a pattern that a person allows for good. To be done after their answer is on disk: nothing is
/// allowed for good without a trace of who allowed it.
async fn allow_for_good(list: Arc<dyn AllowList>, pattern: Pattern) -> Result<()> {
    let line = pattern.line();
    let runtime = tokio::runtime::Handle::current();
    // It writes a file and waits for the disk.
    let adding = spawn_blocking(move || runtime.block_on(list.add(&pattern)));
    let added =
        adding.await.unwrap_or_else(|error| Err(Error::new(Code::Internal, error.to_string())));
    added.map_err(|error| {
        let message = format!("allowed this once, but `{line}` not for good: {}", error.message);
        Error { message, ..error }
    })
}

/// Whether this is what came of this very answer.
fn is_this(kind: &EventKind, answer: &Answer) -> bool {
    match kind {
        EventKind::ApprovalAnswered { approval, allowed, reach, .. } => {
            (approval, *allowed, *reach) == (&answer.approval, answer.allow, answer.reach)
        }
        _ => false,
    }
}

fn answered(event: &Event, pattern: Option<&Pattern>) -> Option<Answered> {
    let EventKind::ApprovalAnswered { .. } = event.kind else { return None };
    Some(Answered {
        session: event.session.clone(),
        turn: event.turn.clone()?,
        seq: event.seq,
        pattern: pattern.map(Pattern::line),
    })
}
