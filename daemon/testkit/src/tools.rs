//! Tools without a world: what a call would do is in its arguments, and what it gives is scripted.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use moltis_core::event::Origin;
use moltis_core::policy::{Authorized, Pattern};
use moltis_core::provider::ToolSpec;
use moltis_core::tool::{
    Action, Call, Change, Class, Look, Outbound, Outcome, Output, Run, Scene, Tool, Toolbox,
};
use serde_json::{Value, json};

use crate::provider::Gate;

/// The tools `look`, `change` and `send`, each with one argument: a path or an address; and `exec`, if
/// it is wanted.
pub struct ScriptedTools {
    tools: Vec<Arc<dyn Tool>>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    calls: Mutex<Vec<String>>,
    stops: Mutex<u32>,
    gate: Mutex<Option<Gate>>,
    prints: Mutex<Vec<String>>,
    patterns: Mutex<Vec<String>>,
    outcomes: Mutex<Vec<Outcome>>,
}

struct ScriptedTool {
    spec: ToolSpec,
    state: Arc<State>,
}

impl ScriptedTools {
    /// Tools that say `did NAME ARGUMENT`.
    pub fn new() -> Arc<Self> {
        Self::named(&["look", "change", "send"])
    }

    /// The same, and `exec`, which runs a `command`.
    pub fn with_programs() -> Arc<Self> {
        Self::named(&["look", "change", "send", "exec"])
    }

    fn named(names: &[&str]) -> Arc<Self> {
        let state = Arc::<State>::default();
        let tool = |name: &str| -> Arc<dyn Tool> {
            let spec = ToolSpec {
                name: name.to_owned(),
                description: format!("{name}s something"),
                parameters: json!({ "type": "object", "properties": { "at": { "type": "string" } } }),
            };
            Arc::new(ScriptedTool { spec, state: state.clone() })
        };
        Arc::new(Self { tools: names.iter().copied().map(tool).collect(), state })
    }

    /// What was done, in order: `change a`.
    pub fn done(&self) -> Vec<String> {
        lock(&self.state.calls).clone()
    }

    /// How often everything that still ran was ended.
    pub fn stops(&self) -> u32 {
        *lock(&self.state.stops)
    }

    /// Calls wait for this after they have printed.
    pub fn hold(&self, gate: &Gate) {
        *lock(&self.state.gate) = Some(gate.clone());
    }

    /// Every call prints this.
    pub fn print(&self, text: &str) {
        lock(&self.state.prints).push(text.to_owned());
    }

    /// What the next call gives, whichever it is.
    pub fn give(&self, outcome: Outcome) {
        lock(&self.state.outcomes).push(outcome);
    }

    /// Patterns that were allowed for good.
    pub fn patterns(&self) -> Vec<String> {
        lock(&self.state.patterns).clone()
    }

    /// Takes a pattern that is allowed for good.
    pub fn allow(&self, pattern: &Pattern) {
        lock(&self.state.patterns).push(pattern.line());
    }
}

#[async_trait]
impl Toolbox for ScriptedTools {
    fn tools(&self, _scene: &Scene) -> Vec<Arc<dyn Tool>> {
        self.tools.clone()
    }

    fn missing(&self, _scene: &Scene) -> Vec<(String, String)> {
        Vec::new()
    }

    async fn stop(&self, _scene: &Scene) {
        *lock(&self.state.stops) += 1;
    }
}

#[async_trait]
impl Tool for ScriptedTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn class(&self) -> Class {
        if self.spec.name == "look" { Class::Read } else { Class::Once }
    }

    fn plan(&self, arguments: &Value, scene: &Scene) -> Result<Action, String> {
        let at = argument(arguments).ok_or("`at` is missing")?.to_owned();
        Ok(match self.spec.name.as_str() {
            "look" => Action::Look(Look { path: at }),
            "change" => Action::Change(Change { path: at }),
            "exec" => Action::Run(Run {
                typed: false,
                command: at,
                directory: String::new(),
                timeout: std::time::Duration::from_secs(30),
                network: scene.network,
                hosts: scene.hosts.clone(),
                mount: scene.mount,
            }),
            _ => Action::Send(Outbound { to: at, what: String::new() }),
        })
    }

    fn prefix(&self, call: &Call) -> Option<String> {
        argument(&call.arguments).map(str::to_owned)
    }

    async fn run(&self, call: Authorized<Call>, _scene: &Scene, output: &dyn Output) -> Outcome {
        let at = argument(&call.what().arguments).unwrap_or_default();
        for text in lock(&self.state.prints).clone() {
            output.push(&text);
        }
        let gate = lock(&self.state.gate).clone();
        if let Some(gate) = gate {
            gate.pass().await;
        }
        lock(&self.state.calls).push(format!("{} {at}", self.spec.name));
        let scripted = lock(&self.state.outcomes).pop();
        scripted.unwrap_or_else(|| {
            Outcome::said(format!("did {} {at}", self.spec.name)).from(Origin::Workspace)
        })
    }
}

fn argument(arguments: &Value) -> Option<&str> {
    let named = ["at", "command"].into_iter().find_map(|name| arguments.get(name));
    named.and_then(Value::as_str)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
