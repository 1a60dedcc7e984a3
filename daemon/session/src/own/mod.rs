//! The tools of the sessions themselves: what an agent keeps for itself, branches, other agents.
//!
//! They act on nothing but sessions, through the same doors that people use. Whatever an agent begins
//! this way passes the policy in its own session. The invariant: an agent that another one began
//! knows no more than that one may tell it, and ends when that one is stopped.

mod branch;
mod preset;
mod spawn;
mod state;

use std::sync::{Arc, Weak};

use moltis_core::session::{Spawned, Summary};
use moltis_core::tool::{Outcome, Tool};
use serde_json::Value;

use crate::sessions::Sessions;

pub use preset::{Preset, Presets};
pub(crate) use preset::{Wanted, WorksAs};
pub(crate) use spawn::Children;
pub(crate) use state::{Kept, StateAsk};

/// How many agents may stand above another; those whose results led to it count.
const DEEPEST: u32 = 3;

/// The tools of a session.
pub(crate) fn tools(sessions: &Weak<Sessions>, summary: &Summary) -> Vec<Arc<dyn Tool>> {
    let depth = summary.spawned.as_ref().map_or(0, |spawned| spawned.depth);
    let mut tools: Vec<Arc<dyn Tool>> = vec![
        Arc::new(state::SessionState::new(sessions.clone())),
        Arc::new(branch::BranchSession::new(sessions.clone())),
    ];
    if depth < DEEPEST {
        tools.push(Arc::new(spawn::SpawnAgent::new(sessions.clone())));
    }
    tools
}

/// The tools that a spawned session keeps of those that there are.
pub(crate) fn filtered(
    mut tools: Vec<Arc<dyn Tool>>,
    spawned: Option<&Spawned>,
) -> Vec<Arc<dyn Tool>> {
    if let Some(spawned) = spawned.filter(|spawned| !spawned.tools.is_empty()) {
        tools.retain(|tool| spawned.tools.contains(&tool.spec().name));
    }
    tools
}

/// A text among the arguments.
fn text<'a>(arguments: &'a Value, name: &str) -> Option<&'a str> {
    arguments.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

/// A text that must be there.
fn needed<'a>(arguments: &'a Value, name: &str) -> Result<&'a str, String> {
    text(arguments, name).ok_or_else(|| format!("`{name}` is missing: a text that is not empty"))
}

/// What a model is told when the daemon is stopping under its call.
fn going() -> Outcome {
    Outcome::failed("the daemon is stopping")
}
