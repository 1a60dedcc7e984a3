//! `spawn_agent`: another agent, in a session of its own, that works on a task and tells the result.
//!
//! Its session is one like any other: it can be attached to, its questions are answered where all are,
//! its calls pass the policy. It inherits the workspace and what is allowed without asking, never the
//! grants of a person; and its words are trusted no more than those of the agent that began it.
//!
//! Two bounds hold where nobody watches. Depth is counted across reports: a turn that an agent's result
//! opened stands below that agent, so that no chain of results grows on and on. And no agent outlives
//! the daemon (`crate::stray`): the call that waited for it, or the turn that began it, is gone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use moltis_core::assistant::{Assistant, Caller, NewMessage, StopScope};
use moltis_core::error::{Code, Error, Result};
use moltis_core::event::{Cause, Ending, EventKind};
use moltis_core::feed::{Feed, From};
use moltis_core::id::{OpId, SessionId, TurnId};
use moltis_core::message::{Part, text_of};
use moltis_core::models::ModelRef;
use moltis_core::policy::{Authorized, Principal};
use moltis_core::provider::ToolSpec;
use moltis_core::session::{QueueMode, REPORT, Settings, Spawned, Summary};
use moltis_core::tool::{Action, Call, Class, Outcome, Output, Scene, Tool};
use serde_json::{Value, json};

use super::{DEEPEST, Preset, going, needed, text};
use crate::sessions::Sessions;
use crate::worktrees;

/// Agents that one turn may have at work at once.
const WIDEST: usize = 8;

/// Agents at work, by the session and turn that began them.
#[derive(Default)]
pub(crate) struct Children(Mutex<HashMap<(SessionId, TurnId), Vec<SessionId>>>);

impl Children {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(SessionId, TurnId), Vec<SessionId>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The agents that this turn has at work; from now on they are none of its.
    fn take(&self, session: &SessionId, turn: &TurnId) -> Vec<SessionId> {
        self.lock().remove(&(session.clone(), turn.clone())).unwrap_or_default()
    }

    /// Takes a place for an agent, before it is begun: a stop sees it from then on.
    ///
    /// # Errors
    /// `Busy` where there is none.
    fn add(&self, scene: &Scene, child: &SessionId) -> Result<()> {
        let mut all = self.lock();
        let mine = all.entry((scene.session.clone(), scene.turn.clone())).or_default();
        if mine.len() >= WIDEST {
            let message = format!("{WIDEST} agents are at work already: wait for one of them");
            return Err(Error::new(Code::Busy, message));
        }
        mine.push(child.clone());
        Ok(())
    }

    fn remove(&self, scene: &Scene, child: &SessionId) {
        let mut all = self.lock();
        let key = (scene.session.clone(), scene.turn.clone());
        if let Some(mine) = all.get_mut(&key) {
            mine.retain(|known| known != child);
            if mine.is_empty() {
                all.remove(&key);
            }
        }
    }
}

pub(super) struct SpawnAgent {
    sessions: Weak<Sessions>,
    spec: ToolSpec,
}

impl SpawnAgent {
    pub(super) fn new(sessions: Weak<Sessions>) -> Self {
        let spec = ToolSpec {
            name: "spawn_agent".to_owned(),
            description:
                "Let another agent work on a task and get its result. It knows nothing but \
                the task. Several calls in one answer run side by side."
                    .to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "task": { "type": "string" },
                    "context": { "type": "string", "description": "what it must know" },
                    "preset": { "type": "string" },
                    "model": { "type": "string", "description": "provider/model" },
                    "tools": { "type": "array", "items": { "type": "string" } },
                    "background": { "type": "boolean", "description": "its result comes as a message" },
                },
                "required": ["task"],
            }),
        };
        Self { sessions, spec }
    }
}

#[async_trait]
impl Tool for SpawnAgent {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn class(&self) -> Class {
        Class::Once
    }

    fn plan(&self, arguments: &Value, _scene: &Scene) -> Result<Action, String> {
        if let Some(model) = text(arguments, "model") {
            ModelRef::parse(model).map_err(|error| error.message)?;
        }
        if let Some(preset) = text(arguments, "preset")
            && let Some(sessions) = self.sessions.upgrade()
        {
            sessions.preset(preset)?;
        }
        let task = needed(arguments, "task")?.to_owned();
        Ok(Action::Spawn { task })
    }

    async fn run(&self, call: Authorized<Call>, scene: &Scene, output: &dyn Output) -> Outcome {
        let Some(sessions) = self.sessions.upgrade() else { return going() };
        match spawn(&sessions, call.what(), scene, output).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::failed(error.message),
        }
    }
}

/// An agent's place among those at work. It is given back when the agent is done; where the call is
/// cut off before, it stays, so that the stop that cut it off finds the agent and ends it too.
struct AtWork {
    sessions: Arc<Sessions>,
    scene: Scene,
    child: SessionId,
    done: bool,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        if self.done {
            self.sessions.children().remove(&self.scene, &self.child);
        }
    }
}

/// Begins the agent, and waits for its result unless it works in the background.
async fn spawn(
    sessions: &Arc<Sessions>,
    call: &Call,
    scene: &Scene,
    output: &dyn Output,
) -> Result<Outcome> {
    let (mut at_work, turn) = begin(sessions, call, scene).await?;
    let child = at_work.child.clone();
    output.push(&format!("session {child}\n"));
    if call.arguments.get("background").and_then(Value::as_bool) == Some(true) {
        sessions.tasks().spawn(report(at_work, turn));
        let said = format!("agent `{child}` is at work; its result will come as a message");
        return Ok(Outcome::said(said).from(moltis_core::event::Origin::Owner));
    }
    let result = result(sessions, &child, &turn).await;
    at_work.done = true;
    let (ending, said) = result?;
    let label = sessions.summary(&child).await?.label;
    let outcome = match ending {
        Ending::Done => Outcome::said(said),
        _ => Outcome::failed(format!("the agent did not come to an end ({ending:?}): {said}")),
    };
    Ok(Outcome { sensitive: label.sensitive, ..outcome.from(label.taint) })
}

/// Begins the agent's session and gives it the task.
async fn begin(sessions: &Arc<Sessions>, call: &Call, scene: &Scene) -> Result<(AtWork, TurnId)> {
    let arguments = &call.arguments;
    let parent = sessions.summary(&scene.session).await?;
    let preset = match text(arguments, "preset") {
        Some(name) => sessions.preset(name).map_err(|why| Error::new(Code::Invalid, why))?,
        None => Preset::default(),
    };
    let listed = arguments.get("tools").and_then(Value::as_array);
    let listed = listed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    let own = parent.spawned.as_ref().map(|spawned| spawned.tools.clone()).unwrap_or_default();
    // Nor does it have what the kind of agent that its parent works as has not.
    let kind = match &parent.settings.preset {
        Some(name) => sessions.preset(name).map_err(|why| Error::new(Code::Invalid, why))?,
        None => Preset::default(),
    };
    let own = narrowed(own, kind.tools)?;
    let tools = narrowed(own, narrowed(preset.tools, listed.collect())?)?;
    let above = above(sessions, &parent, &scene.turn).await;
    if above >= DEEPEST {
        let message = "the results of agents led here, one after another, without a word of a person: \
                       no more agents are begun";
        return Err(Error::new(Code::Invalid, message));
    }
    let spawned = Spawned {
        parent: scene.session.clone(),
        turn: scene.turn.clone(),
        call: call.id.clone(),
        depth: above + 1,
        unattended: parent.principal(&scene.turn) == Principal::Unattended,
        tools,
        system: preset.system,
        sensitive: parent.label.sensitive,
    };
    let model = text(arguments, "model").map(str::to_owned).or(preset.model);
    let settings = Settings {
        model: match model {
            Some(model) => Some(ModelRef::parse(&model)?),
            None => parent.settings.model.clone(),
        },
        preset: None,
        ..worktrees::inherited(&parent)
    };
    // Its words are worth what those of the agent that began it are.
    let caller = Caller { cause: Cause::Model, origin: parent.label.taint };
    let task = needed(arguments, "task").map_err(|why| Error::new(Code::Invalid, why))?;
    let op = OpId::new(format!("spawn:{}:{}", scene.turn, call.id));
    let child = Sessions::spawned_id(&op);
    sessions.children().add(scene, &child)?;
    let (own, scene) = (sessions.clone(), scene.clone());
    let mut at_work = AtWork { sessions: own, scene, child, done: false };
    let begun = sessions.begin_spawned(&caller, &op, task, settings, spawned).await;
    at_work.done = begun.is_err();
    let child = begun?;
    let said = match text(arguments, "context") {
        Some(context) => format!("{task}\n\n{context}"),
        None => task.to_owned(),
    };
    let message = NewMessage {
        op: OpId::new(format!("{op}:task")),
        session: child.clone(),
        parts: vec![Part::Text(said)],
        queue: None,
        model: None,
        sensitive: parent.label.sensitive,
    };
    let sent = sessions.send(&caller, message).await;
    at_work.done = sent.is_err();
    Ok((at_work, sent?.turn))
}

/// How many agents stand above one that a turn begins: those above its session and, where an agent's
/// result opened the turn and no person joined it since, that agent and those above it.
async fn above(sessions: &Arc<Sessions>, parent: &Summary, turn: &TurnId) -> u32 {
    let own = parent.spawned.as_ref().map_or(0, |spawned| spawned.depth);
    let open = parent.open_turns.iter().find(|open| open.turn == *turn && !open.asked);
    let Some(agent) = open.and_then(|open| open.report.as_ref()) else { return own };
    // One whose session was deleted meanwhile may have stood anywhere.
    let agent = sessions.summary(agent).await.ok().and_then(|summary| summary.spawned);
    own.max(agent.map_or(DEEPEST, |spawned| spawned.depth))
}

/// The tools that both lists have; an empty list has all, and so must not come of two that are not.
///
/// # Errors
/// `Invalid` where they have none in common.
fn narrowed(one: Vec<String>, other: Vec<String>) -> Result<Vec<String>> {
    match (one.is_empty(), other.is_empty()) {
        (true, _) => return Ok(other),
        (_, true) => return Ok(one),
        _ => {}
    }
    let both: Vec<String> = one.into_iter().filter(|tool| other.contains(tool)).collect();
    if both.is_empty() {
        return Err(Error::new(Code::Invalid, "none of these tools is one that it may have"));
    }
    Ok(both)
}

/// Waits for the end of an agent's turn: how it ended, and the last thing that it said.
async fn result(
    sessions: &Arc<Sessions>,
    child: &SessionId,
    turn: &TurnId,
) -> Result<(Ending, String)> {
    let mut feed = sessions.attach(child, From::Seq(0)).await?;
    let mut said = String::new();
    while let Some(fed) = feed.next().await {
        let Feed::Event(event) = fed? else { continue };
        if event.turn.as_ref() != Some(turn) {
            continue;
        }
        match &event.kind {
            EventKind::AssistantMessage { parts, .. } => {
                let text = text_of(parts);
                if !text.trim().is_empty() {
                    said = text;
                }
            }
            EventKind::TurnEnded { ending, failure, .. } => {
                if let Some(failure) = failure.as_ref().filter(|_| said.is_empty()) {
                    said.clone_from(&failure.message);
                }
                return Ok((*ending, said));
            }
            _ => {}
        }
    }
    Err(Error::new(Code::Unavailable, "the agent's session went away"))
}

/// Tells the agent that began it what came of an agent in the background.
async fn report(mut at_work: AtWork, turn: TurnId) {
    let result = result(&at_work.sessions, &at_work.child, &turn).await;
    at_work.done = true;
    let AtWork { sessions, scene, child, .. } = &at_work;
    let said = match result {
        Ok((Ending::Done, said)) => said,
        Ok((Ending::Cancelled, _)) | Err(_) => return,
        Ok((ending, said)) => format!("it did not come to an end ({ending:?}): {said}"),
    };
    let Ok(summary) = sessions.summary(child).await else { return };
    let label = summary.label;
    let message = NewMessage {
        op: OpId::new(format!("{REPORT}{child}")),
        session: scene.session.clone(),
        parts: vec![Part::Text(format!("[the result of agent `{child}`]\n{said}"))],
        queue: Some(QueueMode::Steer),
        model: None,
        sensitive: label.sensitive,
    };
    let caller = Caller { cause: Cause::Model, origin: label.taint };
    if let Err(error) = sessions.send(&caller, message).await {
        tracing::warn!(session = %scene.session, %error, "failed to tell an agent's result");
    }
}

impl Sessions {
    /// Ends the agents that a turn has at work, side by side.
    pub(crate) async fn stop_children(&self, session: &SessionId, turn: &TurnId) {
        let caller = Caller { cause: Cause::Daemon, origin: moltis_core::event::Origin::Owner };
        let stop = async |child: SessionId| {
            let op = OpId::new(format!("stop:{turn}:{child}"));
            if let Err(error) = self.stop(&caller, op, &child, StopScope::All).await {
                tracing::warn!(session = %child, %error, "failed to stop an agent");
            }
        };
        join_all(self.children().take(session, turn).into_iter().map(stop)).await;
    }
}
