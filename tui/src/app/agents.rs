//! The agents that the shown session has begun: what their calls say of them, and going there.
//!
//! Their numbers are asked for when something happens to them, and every two seconds while one works:
//! their own feeds are followed only when they are shown.

use moltis_proto::v1::{self, event::Kind as Fact};

use super::cmd::Cmd;
use super::model::{Link, Model};
use super::session::{switch, title_or};
use super::sessions::state;
use super::transcript::tokens;
use super::tree::is_over;
use crate::widget::SafeText;

/// The tool that begins agents.
pub(super) const BEGINS: &str = "spawn_agent";
/// Milliseconds between two looks at agents that work.
const LOOK_MS: u64 = 2_000;

/// What is known of the agents.
#[derive(Debug, Default)]
pub(crate) struct Agents {
    list: Vec<v1::Session>,
    /// When they were last asked for.
    asked: Option<u64>,
}

/// Asks for them.
fn look(model: &mut Model) -> Vec<Cmd> {
    let Some(session) = model.session_id().map(str::to_owned) else { return Vec::new() };
    if model.link != Link::Up || !model.caught_up {
        return Vec::new();
    }
    model.agents.asked = Some(model.now.ms);
    vec![Cmd::ListAgents { session }]
}

/// Asks for them where the session has begun some.
pub(super) fn caught_up(model: &mut Model) -> Vec<Cmd> {
    if model.transcript.calls().any(|call| call.begins_agent()) { look(model) } else { Vec::new() }
}

/// Asks for them after an event that may have changed them.
pub(super) fn heard(model: &mut Model, fact: Option<&Fact>) -> Vec<Cmd> {
    let touches = match fact {
        Some(Fact::ToolStarted(started)) => started.tool == BEGINS,
        Some(Fact::ToolFinished(finished)) => finished.tool == BEGINS,
        Some(Fact::TurnEnded(_)) => !model.agents.list.is_empty(),
        _ => false,
    };
    if touches { look(model) } else { Vec::new() }
}

/// Asks again after a while, as long as one works.
pub(super) fn passed(model: &mut Model) -> Vec<Cmd> {
    let waits = model.agents.asked.is_some_and(|at| model.now.ms.saturating_sub(at) >= LOOK_MS);
    let works =
        || model.is_running() && model.transcript.calls().any(|call| call.has_agent_at_work());
    if waits && works() { look(model) } else { Vec::new() }
}

/// They have arrived.
pub(super) fn arrived(model: &mut Model, session: &str, list: Vec<v1::Session>) {
    if model.session_id() != Some(session) {
        return;
    }
    for agent in &list {
        if let Some(spawned) = &agent.spawned {
            model.transcript.tell_agent(&spawned.turn, &spawned.call, &words(agent));
        }
    }
    model.agents.list = list;
}

/// What the call that began it says of an agent.
fn words(agent: &v1::Session) -> SafeText {
    let (_, word, _) = state(agent);
    let word = if word == "idle" { "done" } else { word };
    let usage = agent.usage.unwrap_or_default();
    let used = usage.input_tokens.saturating_add(usage.output_tokens);
    let messages = agent.messages;
    let title = title_or(agent, "agent");
    let text = format!("{word} · {title} · {messages} messages · {} tokens", tokens(used));
    SafeText::one_line(&text)
}

/// Goes to the agent of that call, or to the newest that works, or to the newest.
pub(super) fn visit(model: &mut Model, call: Option<(String, String)>) -> Vec<Cmd> {
    let agents = &model.agents.list;
    let began = |agent: &&v1::Session| {
        agent.spawned.as_ref().is_some_and(|spawned| match &call {
            Some((turn, id)) => spawned.turn == *turn && spawned.call == *id,
            None => true,
        })
    };
    let newest = |agents: &mut dyn Iterator<Item = &v1::Session>| {
        agents.max_by_key(|agent| agent.created_at.map(|at| (at.seconds, at.nanos))).cloned()
    };
    let works = newest(&mut agents.iter().filter(began).filter(|agent| !is_over(agent)));
    match works.or_else(|| newest(&mut agents.iter().filter(began))) {
        Some(agent) => switch(model, agent),
        None => {
            model.say("no agent was begun here");
            Vec::new()
        }
    }
}

/// Goes back to the session that began this agent.
pub(super) fn leave(model: &mut Model) -> Vec<Cmd> {
    let spawned = model.session.as_ref().and_then(|session| session.spawned.as_ref());
    match spawned.map(|spawned| spawned.parent.clone()) {
        Some(id) => switch(model, v1::Session { id, ..v1::Session::default() }),
        None => {
            model.say("no agent: nobody began this session");
            Vec::new()
        }
    }
}
