//! Tools: what a model may call, and the port to them.
//!
//! A call is planned before anything happens: [`Tool::plan`] says, from the arguments alone, what
//! the call would do to the world ([`Action`]). Only [`crate::policy`] turns the planned call into
//! an [`Authorized`] one, and [`Tool::run`] takes nothing else. What a tool acts on is what is in
//! the authorized call: the bytes that were judged, and shown if a person was asked.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use crate::event::Origin;
use crate::id::{CallId, SessionId, TurnId};
use crate::message::Part;
use crate::policy::Authorized;
use crate::provider::ToolSpec;
use crate::sandbox::{Mount, Network};

/// What running a tool twice would mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// It changes nothing.
    Read,
    /// Twice is the same as once.
    Idempotent,
    /// Twice is not the same as once: never run again after a crash.
    Once,
}

impl Class {
    /// The name on the wire and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Idempotent => "idempotent",
            Self::Once => "once",
        }
    }

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Read, Self::Idempotent, Self::Once].into_iter().find(|one| one.as_str() == name)
    }
}

/// What a call would do to the world. The policy judges nothing else, and a person who is asked is
/// shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing: it stays within the session and the daemon.
    Inward,
    /// Looks at files of the workspace.
    Look(Look),
    /// Changes files of the workspace.
    Change(Change),
    /// Runs a program in the sandbox.
    Run(Run),
    /// Sends something out of the machine.
    Send(Outbound),
    /// Lets another agent work on something, under the same policy.
    Spawn {
        /// What it is to do.
        task: String,
    },
}

/// A look at the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Where, relative to the workspace; empty is all of it.
    pub path: String,
}

/// A change of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where, relative to the workspace.
    pub path: String,
}

/// A program that runs in the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// A command line for `sh -c`; for a running program: what is typed into it.
    pub command: String,
    /// It is typed into a program that runs already, and means what that makes of it.
    pub typed: bool,
    /// Where, relative to the workspace; empty is its root.
    pub directory: String,
    /// The longest that it may take.
    pub timeout: Duration,
    /// What it can reach.
    pub network: Network,
    /// The hosts of a network that is listed, as the configuration writes them; else none.
    pub hosts: Vec<String>,
    /// Whether what it writes to the workspace stays.
    pub mount: Mount,
}

/// Something that leaves the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// A URL, or the name of a service.
    pub to: String,
    /// What is sent beside the address: a query, a body; may be empty.
    pub what: String,
}

/// A call of a tool, planned.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The provider's id of it.
    pub id: CallId,
    /// The tool.
    pub tool: String,
    /// Its arguments; they fit the tool's schema.
    pub arguments: Value,
    /// What it would do.
    pub action: Action,
}

/// Where a call happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// The session.
    pub session: SessionId,
    /// The turn.
    pub turn: TurnId,
    /// The agent.
    pub agent: String,
    /// The directory that the session works on, absolute; `None` is none.
    pub workspace: Option<PathBuf>,
    /// How the sandbox sees it.
    pub mount: Mount,
    /// What the sandbox can reach.
    pub network: Network,
    /// The hosts of a network that is listed, as the configuration writes them.
    pub hosts: Vec<String>,
    /// The model sees pictures.
    pub images: bool,
}

/// How a call went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the model is told: text and pictures.
    pub parts: Vec<Part>,
    /// The tool failed; the text says how.
    pub failed: bool,
    /// Where the text came from.
    pub origin: Origin,
    /// It tells of the person's own things: files, memory, secrets.
    pub sensitive: bool,
}

impl Outcome {
    /// A text from wherever the tool has it: not trusted until [`Outcome::from`] says where.
    pub fn said(text: impl Into<String>) -> Self {
        let parts = vec![Part::Text(text.into())];
        Self { parts, failed: false, origin: Origin::Tool, sensitive: false }
    }

    /// A failure, in words of Moltis's own; where others are quoted, [`Outcome::from`] says so.
    pub fn failed(text: impl Into<String>) -> Self {
        Self { failed: true, origin: Origin::Owner, ..Self::said(text) }
    }

    /// The same, from elsewhere.
    #[must_use]
    pub fn from(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    /// The same, telling of the person's own things.
    #[must_use]
    pub fn sensitive(self) -> Self {
        Self { sensitive: true, ..self }
    }
}

/// Takes what a running tool prints, to be shown while it runs. Must not block.
pub trait Output: Send + Sync {
    /// More of it.
    fn push(&self, text: &str);

    /// What takes out of a text whatever nobody may see. A tool that keeps less of a text than all of
    /// it gets one, and cuts what that gives: half of a secret is not recognised by anyone later.
    fn cleaner(&self) -> Box<dyn Cleaner> {
        Box::new(AsItIs)
    }
}

/// Takes out of one text, which comes in pieces, whatever nobody may see.
pub trait Cleaner: Send {
    /// Takes the next piece; gives what can be seen by now. Holds back what may become more.
    fn push(&mut self, text: &str) -> String;

    /// Gives what was held back: the text is over.
    fn rest(&mut self) -> String;
}

/// Leaves a text as it is.
struct AsItIs;

impl Cleaner for AsItIs {
    fn push(&mut self, text: &str) -> String {
        text.to_owned()
    }

    fn rest(&mut self) -> String {
        String::new()
    }
}

/// One tool.
///
/// Called by sessions; implemented in `tools` and by adapters that bring tools of their own.
#[async_trait]
pub trait Tool: Send + Sync {
    /// What a model is told of it.
    fn spec(&self) -> &ToolSpec;

    /// What running it twice would mean.
    fn class(&self) -> Class;

    /// What a call with these arguments would do. Checks them against the schema.
    ///
    /// # Errors
    /// What is wrong with the arguments, for the model.
    fn plan(&self, arguments: &Value, scene: &Scene) -> Result<Action, String>;

    /// What would cover this call and others like it, if a person were to allow those as well: the
    /// words that a command begins with, a host; `None` where nothing sensible does.
    fn prefix(&self, _call: &Call) -> Option<String> {
        None
    }

    /// Does it. Dropping this stops the waiting; what it started in the sandbox is stopped by
    /// [`Toolbox::stop`].
    async fn run(&self, call: Authorized<Call>, scene: &Scene, output: &dyn Output) -> Outcome;
}

/// The tools on offer.
#[async_trait]
pub trait Toolbox: Send + Sync {
    /// The tools that a session has, in a stable order.
    fn tools(&self, scene: &Scene) -> Vec<Arc<dyn Tool>>;

    /// Tools that a session would have but for something that is missing: name and reason.
    fn missing(&self, scene: &Scene) -> Vec<(String, String)>;

    /// Ends everything that the session's calls still have running, wherever it is. When it
    /// returns, none of it runs any more; it takes at most two seconds.
    async fn stop(&self, scene: &Scene);
}
