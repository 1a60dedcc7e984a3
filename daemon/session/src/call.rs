//! What a turn waits for: the choice of models, and the call of one.
//!
//! Each runs as a task of the turn and sends what it gets into the turn's bounded inbox: an actor
//! that is slow slows the provider's stream.

use futures_util::StreamExt;
use moltis_agent::turn::Prepared;
use moltis_core::context::SystemFragment;
use moltis_core::error::{Code, Error, Result};
use moltis_core::hook::{Point, Say};
use moltis_core::id::{CallId, SessionId};
use moltis_core::models::{Candidate, Models};
use moltis_core::provider::{Chunk, Failure, FailureKind, Request};
use moltis_core::tool;
use moltis_core::worktree::Worktree;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;

use crate::context::Told;
use crate::hands::Hands;
use crate::own::{Wanted, WorksAs};
use crate::telling;
use crate::worktrees;

/// Pieces of an answer that wait for the actor.
pub(crate) const INBOX: usize = 64;

/// Bytes of an answer that hooks are told.
const MOST_HEARD: usize = 256 << 10;

/// What comes back from a task of a turn, with the number of the call that it belongs to.
pub(crate) struct Outcome {
    pub(crate) call: u32,
    pub(crate) what: What,
}

/// Whom to ask, and as what.
pub(crate) struct Chosen {
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) files: Vec<SystemFragment>,
    /// The kind of agent that the model works as.
    pub(crate) kind: Option<WorksAs>,
}

pub(crate) enum What {
    /// The models to ask, and the files that they are told first of all.
    Candidates(Result<Chosen>),
    Chunk(Chunk),
    Ended(Result<(), Failure>),
    Refused(Failure),
    Prepared(Vec<(CallId, Result<Prepared, String>)>),
    Printed(CallId, String),
    ToolDone(CallId, tool::Outcome),
}

/// Finds out which models to ask, and reads what they are told first of all.
pub(crate) async fn choose(
    models: Arc<dyn Models>,
    wanted: Wanted,
    told: Told,
    about: About,
    call: u32,
    inbox: mpsc::Sender<Outcome>,
) {
    let About { hands, session, workspace, worktree, .. } = about;
    if let Some(error) = worktrees::lost(worktree.as_ref()).await {
        give(&inbox, call, What::Candidates(Err(error))).await;
        return;
    }
    let (wanted, kind) = match wanted.resolved(hands.presets.clone()).await {
        Ok(resolved) => resolved,
        Err(error) => {
            give(&inbox, call, What::Candidates(Err(error))).await;
            return;
        }
    };
    let facts = || {
        let model = wanted.as_ref().map(ToString::to_string);
        json!({ "session_key": session.as_str(), "model": model })
    };
    if let Say::Block(reason) = hands.tell(Point::BeforeAgentStart, workspace, facts).await {
        let error = Error::new(Code::Denied, format!("a hook does not allow it: {reason}"))
            .with_hint("moltis hooks list");
        give(&inbox, call, What::Candidates(Err(error))).await;
        return;
    }
    let (candidates, files) = tokio::join!(models.candidates(wanted.as_ref()), told.read());
    let chosen = candidates.map(|candidates| Chosen { candidates, files, kind });
    give(&inbox, call, What::Candidates(chosen)).await;
}

/// Asks a model, unless a hook does not let it, and passes on what it says.
pub(crate) async fn ask(
    candidate: Candidate,
    request: Request,
    about: About,
    call: u32,
    inbox: mpsc::Sender<Outcome>,
) {
    if let Some(why) = telling::before_call(&about, &request).await {
        let failure = Failure::new(FailureKind::Denied, why);
        give(&inbox, call, What::Refused(failure)).await;
        return;
    }
    let About { hands, workspace, .. } = &about;
    let listens = hands.hooks.wants(Point::AfterLLMCall, workspace.as_deref());
    let mut heard = (listens && !about.sums_up(&request)).then(|| Heard::new(&about, &request));
    let mut stream = match candidate.provider.stream(request).await {
        Ok(stream) => stream,
        Err(failure) => {
            give(&inbox, call, What::Refused(failure)).await;
            return;
        }
    };
    while let Some(next) = stream.next().await {
        if let (Some(heard), Ok(chunk)) = (&mut heard, &next) {
            heard.hear(chunk);
        }
        let last = matches!(next, Ok(Chunk::Finished(_)));
        if last
            && let Some(heard) = heard.take()
            && let Say::Block(reason) =
                hands.tell(Point::AfterLLMCall, workspace.clone(), || heard.facts()).await
        {
            let why = format!("a hook does not let the answer through: {reason}");
            let failure = Failure::new(FailureKind::Denied, why);
            give(&inbox, call, What::Ended(Err(failure))).await;
            return;
        }
        let going_on = match next {
            Ok(chunk) => give(&inbox, call, What::Chunk(chunk)).await,
            Err(failure) => {
                give(&inbox, call, What::Ended(Err(failure))).await;
                return;
            }
        };
        if !going_on {
            return;
        }
    }
    give(&inbox, call, What::Ended(Ok(()))).await;
}

/// What a call is about, for hooks.
pub(crate) struct About {
    pub(crate) hands: Hands,
    pub(crate) session: SessionId,
    pub(crate) workspace: Option<PathBuf>,
    /// The worktree that this is, if it is one.
    pub(crate) worktree: Option<Worktree>,
    /// Messages of the conversation.
    pub(crate) messages: usize,
    /// Which answer of the turn it is to give, from 1.
    pub(crate) iteration: u64,
}

impl About {
    /// Whether a request is one for a summary of the session, which has a key of its own.
    pub(crate) fn sums_up(&self, request: &Request) -> bool {
        request.session != self.session
    }
}

/// What hooks are told of an answer: at most [`MOST_HEARD`] bytes of its words and its calls.
struct Heard {
    facts: Value,
    text: String,
    calls: Vec<HeardCall>,
    left: usize,
}

struct HeardCall {
    index: u32,
    name: String,
    arguments: String,
}

impl Heard {
    fn new(about: &About, request: &Request) -> Self {
        let facts = json!({
            "session_key": about.session.as_str(),
            "provider": &*request.model.id.provider,
            "model": &*request.model.id.model,
            "input_tokens": 0,
            "output_tokens": 0,
            "iteration": about.iteration,
        });
        Self { facts, text: String::new(), calls: Vec::new(), left: MOST_HEARD }
    }

    fn hear(&mut self, chunk: &Chunk) {
        match chunk {
            Chunk::Text(text) => add(&mut self.text, text, &mut self.left),
            Chunk::ToolCallStarted { index, name, .. } => {
                let (index, arguments) = (*index, String::new());
                let mut call = HeardCall { index, name: String::new(), arguments };
                add(&mut call.name, name, &mut self.left);
                self.calls.push(call);
            }
            Chunk::ToolCallArguments { index, fragment } => {
                let call = self.calls.iter_mut().rfind(|call| call.index == *index);
                if let Some(call) = call {
                    add(&mut call.arguments, fragment, &mut self.left);
                }
            }
            Chunk::Usage(usage) => {
                self.facts["input_tokens"] = json!(usage.prompt_tokens());
                self.facts["output_tokens"] = json!(usage.output_tokens);
            }
            Chunk::Reasoning(_)
            | Chunk::ReasoningSignature(_)
            | Chunk::ToolCallEnded { .. }
            | Chunk::Finished(_) => {}
        }
    }

    fn facts(mut self) -> Value {
        if self.left == 0 {
            tracing::warn!(most = MOST_HEARD, "hooks are not told the whole of a long answer");
        }
        let calls = self.calls.iter();
        let calls = calls.map(|call| json!({ "name": call.name, "arguments": call.arguments }));
        self.facts["tool_calls"] = calls.collect();
        self.facts["text"] = json!(self.text);
        self.facts
    }
}

/// Adds as much of a text as is left to be added.
fn add(to: &mut String, text: &str, left: &mut usize) {
    let room = text.floor_char_boundary(*left);
    to.push_str(&text[..room]);
    *left = if room < text.len() { 0 } else { *left - room };
}

/// Passes something on; says whether the turn still wants it.
async fn give(inbox: &mpsc::Sender<Outcome>, call: u32, what: What) -> bool {
    inbox.send(Outcome { call, what }).await.is_ok()
}
