//! The port to hooks: programs of the person's that are told what happens, and may have a say.

use std::path::PathBuf;

use async_trait::async_trait;
use serde_json::Value;

use crate::error::Result;

/// When hooks are called. The names are the seed's, and are what a hook is told as `event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// A turn is about to ask its first model. May block: the turn fails, and says why.
    BeforeAgentStart,
    /// A turn that had started is over, whatever its end.
    AgentEnd,
    /// A model is about to be asked for an answer, not for a summary or a title. May block: the turn
    /// fails and says why; no other model is asked in its place.
    BeforeLLMCall,
    /// A model has answered. May block: the turn fails and says why, and no tool is called. What was
    /// painted of the answer already stays in the session, marked as unfinished.
    AfterLLMCall,
    /// A conversation is about to be compacted. May block: a person who asked for it is told why, and
    /// nothing changes; where it is needed before an answer, Moltis makes a summary without a model
    /// and a notice says why, since nothing may hold the answer up.
    BeforeCompaction,
    /// It was compacted.
    AfterCompaction,
    /// A message arrived. May change it, or block it: whoever sent it is told why, and it is kept
    /// nowhere.
    MessageReceived,
    /// A finished answer is about to be kept. May change it, or block it: the reason is kept in its
    /// place. It was painted while it grew; what stays is what hooks let through. One that was cut off
    /// is kept as it is, unasked.
    MessageSending,
    /// An answer, finished or cut off, was kept.
    MessageSent,
    /// A tool is about to be called. May change the arguments, before anything is judged by them, or
    /// block it: the model is told why.
    BeforeToolCall,
    /// A tool was called.
    AfterToolCall,
    /// A tool's result is about to be kept. May change its text, or block it: the model is told why
    /// instead, and the call counts as failed.
    ToolResultPersist,
    /// A session began: anew, as a copy of another, or by an agent.
    SessionStart,
    /// A session was put away or deleted.
    SessionEnd,
    /// The daemon is ready, and the turns that its last run left open are closed.
    GatewayStart,
    /// The daemon begins to stop. Hooks are given a few seconds.
    GatewayStop,
    /// A person gave a command: `new`, `stop`, `compact`, `title`, `archive`, `configure`, `undo`,
    /// `fork`, `delete`.
    Command,
}

impl Point {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::BeforeAgentStart,
        Self::AgentEnd,
        Self::BeforeLLMCall,
        Self::AfterLLMCall,
        Self::BeforeCompaction,
        Self::AfterCompaction,
        Self::MessageReceived,
        Self::MessageSending,
        Self::MessageSent,
        Self::BeforeToolCall,
        Self::AfterToolCall,
        Self::ToolResultPersist,
        Self::SessionStart,
        Self::SessionEnd,
        Self::GatewayStart,
        Self::GatewayStop,
        Self::Command,
    ];

    /// The name in HOOK.md, in the configuration and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BeforeAgentStart => "BeforeAgentStart",
            Self::AgentEnd => "AgentEnd",
            Self::BeforeLLMCall => "BeforeLLMCall",
            Self::AfterLLMCall => "AfterLLMCall",
            Self::BeforeCompaction => "BeforeCompaction",
            Self::AfterCompaction => "AfterCompaction",
            Self::MessageReceived => "MessageReceived",
            Self::MessageSending => "MessageSending",
            Self::MessageSent => "MessageSent",
            Self::BeforeToolCall => "BeforeToolCall",
            Self::AfterToolCall => "AfterToolCall",
            Self::ToolResultPersist => "ToolResultPersist",
            Self::SessionStart => "SessionStart",
            Self::SessionEnd => "SessionEnd",
            Self::GatewayStart => "GatewayStart",
            Self::GatewayStop => "GatewayStop",
            Self::Command => "Command",
        }
    }

    /// The point of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|point| point.as_str() == name)
    }

    /// Whether hooks have a say: they are called one after the other then, and waited for.
    pub fn has_a_say(self) -> bool {
        matches!(
            self,
            Self::BeforeAgentStart
                | Self::BeforeLLMCall
                | Self::AfterLLMCall
                | Self::BeforeCompaction
                | Self::MessageReceived
                | Self::MessageSending
                | Self::BeforeToolCall
                | Self::ToolResultPersist
        )
    }

    /// The one fact that hooks may change, if they may do more than block. A caller takes this one
    /// over from what they say; it puts it among the facts under this name.
    pub fn changeable(self) -> Option<&'static str> {
        match self {
            Self::MessageReceived | Self::MessageSending => Some("content"),
            Self::BeforeToolCall => Some("arguments"),
            Self::ToolResultPersist => Some("result"),
            Self::BeforeAgentStart
            | Self::AgentEnd
            | Self::BeforeLLMCall
            | Self::AfterLLMCall
            | Self::BeforeCompaction
            | Self::AfterCompaction
            | Self::MessageSent
            | Self::AfterToolCall
            | Self::SessionStart
            | Self::SessionEnd
            | Self::GatewayStart
            | Self::GatewayStop
            | Self::Command => None,
        }
    }
}

/// Something that hooks are told.
#[derive(Clone, Debug, PartialEq)]
pub struct Occasion {
    /// What.
    pub point: Point,
    /// The workspace that it concerns: its own hooks are called too.
    pub workspace: Option<PathBuf>,
    /// The facts: a JSON object. The hook is given it with `event` added.
    pub facts: Value,
}

/// What hooks have to say.
#[derive(Clone, Debug, PartialEq)]
pub enum Say {
    /// Go on, with these facts: changed ones, if a hook changed them.
    GoOn(Value),
    /// Do not: for this reason.
    Block(String),
}

/// A hook, as the owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookInfo {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// When it is called.
    pub points: Vec<Point>,
    /// What runs; `built in` for those of Moltis.
    pub command: String,
    /// Where it was found.
    pub source: String,
    /// Higher ones are called first.
    pub priority: i64,
    /// It may run: enabled, trusted, and with all that it needs.
    pub eligible: bool,
    /// The owner has not disabled it.
    pub enabled: bool,
    /// Its content is what the owner trusted.
    pub trusted: bool,
    /// Why it does not run, if it does not.
    pub reason: Option<String>,
    /// How often it was called, and how often it failed, since the daemon started.
    pub calls: u64,
    /// Failures among those.
    pub failures: u64,
}

/// Calls hooks.
///
/// Called by sessions and by the daemon itself; implemented in `hooks`. A hook that fails or takes
/// too long is passed over, and says so in the log.
#[async_trait]
pub trait Hooks: Send + Sync {
    /// Whether any hook wants to be told: cheap, so that facts need not be gathered for none.
    fn wants(&self, point: Point, workspace: Option<&std::path::Path>) -> bool;

    /// Tells hooks and gathers what they have to say. Where they have none, it returns at once and
    /// they are told in the background.
    async fn call(&self, occasion: Occasion) -> Say;
}

/// Looking after hooks.
#[async_trait]
pub trait HookAdmin: Send + Sync {
    /// All hooks of the home and of this workspace.
    async fn list(&self, workspace: Option<PathBuf>) -> Result<Vec<HookInfo>>;

    /// Enables it and trusts its present content, or disables it.
    async fn enable(&self, name: &str, workspace: Option<PathBuf>, on: bool) -> Result<HookInfo>;

    /// Looks for hooks again.
    async fn reload(&self) -> Result<u64>;

    /// Calls one hook with made-up facts, whether or not it is enabled, and tells what it did:
    /// exit code, standard output and error, what was understood.
    async fn test(&self, name: &str, workspace: Option<PathBuf>, point: Point) -> Result<HookTest>;
}

/// What a hook did when it was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookTest {
    /// What it was given.
    pub input: String,
    /// Its exit code; `None` when it was killed.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// What that means: `go on`, `changed`, `block: reason`, `failed: reason`.
    pub verdict: String,
    /// Milliseconds.
    pub took_ms: u64,
}
