//! What a turn's calls are made with: preparing them, making them, and the hooks around both.
//!
//! Each runs as a task of the turn and sends what it gets into the turn's bounded inbox. Not here:
//! whether a call may be made; that is `agent`'s, by the policy of `core`.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use moltis_agent::turn::{Prepared, Wish};
use moltis_core::checkpoint::Checkpoints;
use moltis_core::context::{ContextFiles, SystemFragment};
use moltis_core::event::Origin;
use moltis_core::hook::{Hooks, Occasion, Point, Say};
use moltis_core::id::CallId;
use moltis_core::message::{Part, text_of};
use moltis_core::policy::{Authorized, Pattern};
use moltis_core::tool::{Call, Cleaner, Outcome, Output, Scene, Tool, Toolbox};
use moltis_core::worktree::Worktrees;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use crate::call::{Outcome as Message, What};
use crate::own::Presets;
use crate::secrets::{self, NoSecrets, Printing, Secrets};
use crate::undo::{self, Before};

/// Bytes of what a tool prints that wait for the actor.
const MOST_PENDING: usize = 64 << 10;

/// What a model is told of a tool, or of a hook around it, whose code panicked.
const BROKE: &str = "the tool's code failed";

/// What turns act with.
#[derive(Clone)]
pub struct Hands {
    /// The tools.
    pub toolbox: Arc<dyn Toolbox>,
    /// The hooks.
    pub hooks: Arc<dyn Hooks>,
    /// Where patterns go that a person allows for good.
    pub allow_list: Arc<dyn AllowList>,
    /// The files that models are told first of all.
    pub files: Arc<dyn ContextFiles>,
    /// What workspaces were like; `None` keeps nothing of that.
    pub checkpoints: Option<Arc<dyn Checkpoints>>,
    /// Makes worktrees of repositories; `None` makes none.
    pub worktrees: Option<Arc<dyn Worktrees>>,
    /// Kinds of agents that are described in files.
    pub presets: Option<Arc<dyn Presets>>,
    /// What is kept out of all that tools give.
    pub secrets: Arc<dyn Secrets>,
}

/// Keeps patterns that the owner allows for good.
#[async_trait]
pub trait AllowList: Send + Sync {
    /// Adds one.
    ///
    /// # Errors
    /// Where it can't be kept.
    async fn add(&self, pattern: &Pattern) -> moltis_core::Result<()>;
}

impl Hands {
    /// No tools, no hooks, no files and no secrets.
    pub fn none() -> Self {
        Self {
            toolbox: Arc::new(Nothing),
            hooks: Arc::new(Nothing),
            allow_list: Arc::new(Nothing),
            files: Arc::new(Nothing),
            checkpoints: None,
            worktrees: None,
            presets: None,
            secrets: Arc::new(NoSecrets),
        }
    }

    /// Tells hooks, and gathers what they have to say. `facts` is asked for only if one listens.
    pub(crate) async fn call(
        &self,
        point: Point,
        scene: &Scene,
        facts: impl FnOnce() -> Value + Send,
    ) -> Say {
        if !self.hooks.wants(point, scene.workspace.as_deref()) {
            return Say::GoOn(Value::Null);
        }
        let facts = facts();
        let workspace = scene.workspace.clone();
        self.hooks.call(Occasion { point, workspace, facts }).await
    }
}

/// What a task of a turn makes its calls with.
pub(crate) struct Bench {
    pub(crate) hands: Hands,
    /// The tools that the turn was offered.
    pub(crate) tools: Vec<Arc<dyn Tool>>,
    pub(crate) scene: Scene,
    /// The number of the task, and where it tells what it gets.
    pub(crate) call: u32,
    pub(crate) inbox: mpsc::Sender<Message>,
    /// What the workspace was like before the turn changes it, for all of its calls.
    pub(crate) before: Arc<Before>,
}

struct Nothing;

#[async_trait]
impl Toolbox for Nothing {
    fn tools(&self, _scene: &Scene) -> Vec<Arc<dyn Tool>> {
        Vec::new()
    }

    fn missing(&self, _scene: &Scene) -> Vec<(String, String)> {
        Vec::new()
    }

    async fn stop(&self, _scene: &Scene) {}
}

#[async_trait]
impl Hooks for Nothing {
    fn wants(&self, _point: Point, _workspace: Option<&std::path::Path>) -> bool {
        false
    }

    async fn call(&self, occasion: Occasion) -> Say {
        Say::GoOn(occasion.facts)
    }
}

#[async_trait]
impl ContextFiles for Nothing {
    async fn fragments(
        &self,
        _agent: &str,
        _workspace: Option<&std::path::Path>,
    ) -> Vec<SystemFragment> {
        Vec::new()
    }
}

#[async_trait]
impl AllowList for Nothing {
    async fn add(&self, _pattern: &Pattern) -> moltis_core::Result<()> {
        let message = "there is nowhere to keep it";
        Err(moltis_core::Error::new(moltis_core::Code::NotConfigured, message))
    }
}

/// Prepares the calls of an answer, side by side.
pub(crate) async fn prepare(bench: Bench, wishes: Vec<Wish>) {
    let Bench { hands, tools, scene, call, inbox, .. } = bench;
    let one = async |wish: Wish| {
        let id = wish.id.clone();
        // A call that breaks must not take those beside it along, nor leave the turn waiting.
        let planned = AssertUnwindSafe(plan(&hands, &tools, &scene, wish)).catch_unwind().await;
        let prepared = planned.unwrap_or_else(|_| Err(BROKE.to_owned()));
        (id, prepared.map_err(|why| hands.secrets.redactor().redact(&why).into_owned()))
    };
    let prepared = join_all(wishes.into_iter().map(one)).await;
    give(&inbox, call, What::Prepared(prepared)).await;
}

/// Plans one call, after hooks had their say.
async fn plan(
    hands: &Hands,
    tools: &[Arc<dyn Tool>],
    scene: &Scene,
    wish: Wish,
) -> Result<Prepared, String> {
    hands.secrets.learn().await.map_err(|error| secrets::unknown(&error))?;
    let tool = find(tools, &wish.tool).ok_or_else(|| absent(hands, tools, scene, &wish.tool))?;
    let name = tool.spec().name.clone();
    let arguments = arguments(&wish.arguments)?;
    let facts = || {
        json!({
            "session_key": scene.session.as_str(),
            "tool_name": name,
            "arguments": arguments,
            "workspace": scene.workspace,
            "channel": null,
        })
    };
    let arguments = match hands.call(Point::BeforeToolCall, scene, facts).await {
        Say::Block(reason) => return Err(format!("a hook does not allow it: {reason}")),
        Say::GoOn(Value::Null) => arguments,
        Say::GoOn(mut facts) => facts.get_mut("arguments").map(Value::take).unwrap_or(arguments),
    };
    let action = tool.plan(&arguments, scene)?;
    let call = Call { id: wish.id, tool: name, arguments, action };
    let pattern = tool.prefix(&call).map(|prefix| {
        let tool = call.tool.clone();
        Pattern { tool, prefix }.line()
    });
    Ok(Prepared { class: tool.class(), call, pattern })
}

/// The tool that a model means: models write names with quotes, prefixes and numbers around them.
fn find<'a>(tools: &'a [Arc<dyn Tool>], wanted: &str) -> Option<&'a Arc<dyn Tool>> {
    let name = wanted.trim().trim_matches(['"', '\'', '`']);
    let name = ["functions.", "functions_", "tools."]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit()).strip_suffix('_');
    let named = |name: &str| tools.iter().find(|tool| tool.spec().name == name);
    named(name).or_else(|| named(bare?))
}

/// Why there is no such tool, and which there are.
fn absent(hands: &Hands, tools: &[Arc<dyn Tool>], scene: &Scene, wanted: &str) -> String {
    let missing = hands.toolbox.missing(scene).into_iter().find(|(name, _)| name == wanted);
    let reason = missing.map(|(_, reason)| format!(" now: {reason}")).unwrap_or_default();
    let names: Vec<&str> = tools.iter().map(|tool| tool.spec().name.as_str()).collect();
    format!("there is no tool `{wanted}`{reason}; there are {}", names.join(", "))
}

/// The arguments as a model wrote them: an object; nothing is an empty one.
fn arguments(text: &str) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(Value::Object(map)),
        Ok(Value::Null) => Ok(Value::Object(Map::new())),
        // Some models write the object as a string of JSON.
        Ok(Value::String(inner)) if inner.trim_start().starts_with('{') => {
            serde_json::from_str(&inner).map_err(|error| no_object(&error.to_string()))
        }
        Ok(other) => Err(no_object(&format!("they are {other}"))),
        Err(error) => Err(no_object(&error.to_string())),
    }
}

fn no_object(why: &str) -> String {
    format!("the arguments must be one JSON object: {why}")
}

/// Makes a call and tells what came of it.
pub(crate) async fn run(bench: Bench, authorized: Authorized<Call>) {
    let (id, call, inbox) = (authorized.what().id.clone(), bench.call, bench.inbox.clone());
    let made = AssertUnwindSafe(make(bench, authorized)).catch_unwind().await;
    let outcome = made.unwrap_or_else(|_| Outcome::failed(BROKE));
    give(&inbox, call, What::ToolDone(id, outcome)).await;
}

/// What came of a call, as it is kept.
async fn make(bench: Bench, authorized: Authorized<Call>) -> Outcome {
    let Bench { hands, tools, scene, call, inbox, before } = bench;
    let Call { id, tool: name, .. } = authorized.what().clone();
    let tool = tools.iter().find(|tool| tool.spec().name == name);
    let learned = hands.secrets.learn().await;
    if undo::changes(&authorized) {
        undo::note(&before, &hands, &scene).await;
    }
    let printer = Printer::new(id, call, inbox, hands.secrets.clone());
    let outcome = match (learned, tool) {
        (Ok(()), Some(tool)) => tool.run(authorized, &scene, &printer).await,
        (Ok(()), None) => Outcome::failed("the tool is gone"),
        (Err(error), _) => Outcome::failed(secrets::unknown(&error)),
    };
    printer.flush().await;
    let outcome = secrets::kept_from(&*hands.secrets, outcome).await;
    persisted(&hands, &scene, &name, outcome).await
}

/// The outcome after hooks were told of it and had their say about what is kept.
async fn persisted(hands: &Hands, scene: &Scene, name: &str, outcome: Outcome) -> Outcome {
    let facts = |result: &str| {
        json!({
            "session_key": scene.session.as_str(),
            "tool_name": name,
            "success": !outcome.failed,
            "result": result,
            "workspace": scene.workspace,
            "channel": null,
        })
    };
    let text = text_of(&outcome.parts);
    hands.call(Point::AfterToolCall, scene, || facts(&text)).await;
    match hands.call(Point::ToolResultPersist, scene, || facts(&text)).await {
        Say::GoOn(facts) => match facts.get("result").and_then(Value::as_str) {
            Some(changed) if changed != text => {
                let mut outcome = outcome;
                outcome.parts.retain(|part| !matches!(part, Part::Text(_)));
                outcome.parts.insert(0, Part::Text(changed.to_owned()));
                secrets::kept_from(&*hands.secrets, outcome).await
            }
            _ => outcome,
        },
        Say::Block(reason) => {
            let Outcome { origin, sensitive, .. } = outcome;
            let text = format!("a hook does not let the result through: {reason}");
            let outcome =
                Outcome { origin: origin.max(Origin::Config), sensitive, ..Outcome::failed(text) };
            secrets::kept_from(&*hands.secrets, outcome).await
        }
    }
}

/// Passes on what a tool prints, but for secrets, in as few pieces as the actor has time for.
struct Printer {
    id: CallId,
    call: u32,
    inbox: mpsc::Sender<Message>,
    secrets: Arc<dyn Secrets>,
    pending: Mutex<Waiting>,
}

/// What was printed and waits for the actor.
struct Waiting {
    printing: Printing,
    text: String,
}

impl Output for Printer {
    fn push(&self, text: &str) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let Waiting { printing, text: waiting } = &mut *pending;
        waiting.push_str(&printing.push(text));
        if waiting.len() > MOST_PENDING {
            let from = waiting.ceil_char_boundary(waiting.len() - MOST_PENDING / 2);
            waiting.drain(..from);
        }
        if !waiting.is_empty()
            && let Ok(place) = self.inbox.try_reserve()
        {
            let what = What::Printed(self.id.clone(), std::mem::take(waiting));
            place.send(Message { call: self.call, what });
        }
    }

    fn cleaner(&self) -> Box<dyn Cleaner> {
        Box::new(Printing::new(self.secrets.clone()))
    }
}

impl Printer {
    fn new(id: CallId, call: u32, inbox: mpsc::Sender<Message>, secrets: Arc<dyn Secrets>) -> Self {
        let printing = Printing::new(secrets.clone());
        let waiting = Waiting { printing, text: String::new() };
        Self { id, call, inbox, secrets, pending: Mutex::new(waiting) }
    }

    /// Passes on what is left.
    async fn flush(&self) {
        let rest = {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            let held = pending.printing.rest();
            std::mem::take(&mut pending.text) + &held
        };
        if !rest.is_empty() {
            give(&self.inbox, self.call, What::Printed(self.id.clone(), rest)).await;
        }
    }
}

async fn give(inbox: &mpsc::Sender<Message>, call: u32, what: What) -> bool {
    inbox.send(Message { call, what }).await.is_ok()
}

#[cfg(test)]
#[path = "hands_tests.rs"]
mod tests;
