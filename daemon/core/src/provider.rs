//! The port to models: a request goes in, a stream of chunks comes out.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use futures_core::Stream;

use crate::id::{CallId, SessionId};
use crate::message::{Message, Usage};
use crate::models::ModelInfo;

/// How hard a model is to think before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effort {
    /// As little as the vendor allows.
    Minimal,
    /// A little.
    Low,
    /// The vendor's middle.
    Medium,
    /// Much.
    High,
}

impl Effort {
    /// The name in configuration, on the command line and on OpenAI's wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// The effort of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Minimal, Self::Low, Self::Medium, Self::High]
            .into_iter()
            .find(|effort| effort.as_str() == name)
    }
}

/// A tool as the model is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolSpec {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: serde_json::Value,
}

/// What a model is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The model and its limits.
    pub model: ModelInfo,
    /// The session: a stable key for vendors' prompt caches and the local model's kept state.
    pub session: SessionId,
    /// What it is told first of all; empty is nothing.
    pub system: String,
    /// The conversation, oldest first; the last message is the user's or a tool's.
    pub messages: Vec<Message>,
    /// Tools on offer.
    pub tools: Vec<ToolSpec>,
    /// How hard to think; `None` leaves it to the vendor.
    pub effort: Option<Effort>,
    /// The longest answer in tokens; `None` leaves it to the vendor or the model's limit.
    pub max_output: Option<u64>,
}

/// Why a model stopped writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FinishReason {
    /// It was done.
    Stop,
    /// It ran into its output limit.
    Length,
    /// It wants its tool calls answered.
    ToolCalls,
    /// The vendor's filter cut it off.
    Filtered,
}

/// A piece of an answer, as it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// More visible text.
    Text(String),
    /// More reasoning.
    Reasoning(String),
    /// The opaque proof of the reasoning so far.
    ReasoningSignature(String),
    /// A call begins. `index` names it in the chunks that follow.
    ToolCallStarted {
        /// The call's number in this answer.
        index: u32,
        /// The provider's id.
        id: CallId,
        /// The tool.
        name: String,
    },
    /// More of a call's arguments: a fragment of JSON text.
    ToolCallArguments {
        /// The call.
        index: u32,
        /// The fragment.
        fragment: String,
    },
    /// A call is complete.
    ToolCallEnded {
        /// The call.
        index: u32,
    },
    /// What was used so far: the last one counts.
    Usage(Usage),
    /// The answer ended properly. Nothing but the end of the stream follows; a stream that ends
    /// without this is [`FailureKind::Malformed`].
    Finished(FinishReason),
}

/// The kinds of failure that callers treat differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The key is missing, wrong or not allowed to do this.
    Auth,
    /// Too many requests.
    RateLimit,
    /// The vendor is over capacity or broken (HTTP 5xx).
    Overload,
    /// The prompt does not fit the model.
    ContextOverflow,
    /// No money or quota left.
    Billing,
    /// The vendor refuses this request, and would again.
    BadRequest,
    /// No connection, a timeout, a connection that broke.
    Transport,
    /// What arrived is not what the dialect promises; a stream without its terminator.
    Malformed,
    /// A hook does not allow it. No provider is to blame, and none is asked instead.
    Denied,
}

impl FailureKind {
    /// The kind's name on the wire and in `--json`: snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::RateLimit => "rate_limit",
            Self::Overload => "overload",
            Self::ContextOverflow => "context_overflow",
            Self::Billing => "billing",
            Self::BadRequest => "bad_request",
            Self::Transport => "transport",
            Self::Malformed => "malformed",
            Self::Denied => "denied",
        }
    }
}

/// A request or a stream that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Failure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// What went wrong, with the vendor's own words where there are any; never a secret.
    pub message: String,
    /// How long the vendor asks to wait.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure without a wish of the vendor's.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// An answer as it arrives. Dropping it ends the request.
pub type ChunkStream = Pin<Box<dyn Stream<Item = Result<Chunk, Failure>> + Send>>;

/// A vendor's models, or this machine's.
///
/// Called by sessions through [`crate::models::Models`]; implemented in `providers` and `local`.
/// Every call may be cancelled by dropping it; that closes the connection.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The name before the slash.
    fn name(&self) -> &str;

    /// The models on offer, as the vendor says.
    ///
    /// # Errors
    /// What the vendor answered, or [`FailureKind::Transport`].
    async fn models(&self) -> Result<Vec<ModelInfo>, Failure>;

    /// Asks a model.
    ///
    /// # Errors
    /// Failures before the first byte of the answer; later ones come in the stream.
    async fn stream(&self, request: Request) -> Result<ChunkStream, Failure>;
}
