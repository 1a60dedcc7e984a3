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
use moltis_core::models::{Candidate, ModelRef, Models};
use moltis_core::provider::{Chunk, Failure, FailureKind, Request};
use moltis_core::tool;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;

use crate::context::Told;
use crate::hands::Hands;
use crate::telling;

/// Pieces of an answer that wait for the actor.
pub(crate) const INBOX: usize = 64;

/// Bytes of an answer that hooks are told.
const MOST_HEARD: usize = 256 << 10;

/// What comes back from a task of a turn, with the number of the call that it belongs to.
pub(crate) struct Outcome {
    pub(crate) call: u32,
    pub(crate) what: What,
}

pub(crate) enum What {
    /// The models to ask, and the files that they are told first of all.
    Candidates(Result<(Vec<Candidate>, Vec<SystemFragment>)>),
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
    wanted: Option<ModelRef>,
    told: Told,
    about: About,
    call: u32,
    inbox: mpsc::Sender<Outcome>,
) {
    let About { hands, session, workspace } = about;
    let facts = || {
        let model = wanted.as_ref().map(ToString::to_string);
        json!({ "session_key": session.as_str(), "model": model })
    };
    if let Say::Block(reason) = hands.tell(Point::BeforeAgentStart, workspace, facts).await {
        let error = Error::new(Code::Denied, format!("a hook does not allow it: {reason}"));
        give(&inbox, call, What::Candidates(Err(error))).await;
        return;
    }
    let (candidates, files) = tokio::join!(models.candidates(wanted.as_ref()), told.read());
    let chosen = candidates.map(|candidates| (candidates, files));
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
    let About { hands, session, workspace } = about;
    if let Some(why) = telling::before_call(&hands, workspace.clone(), &session, &request).await {
        let failure = Failure::new(FailureKind::BadRequest, why);
        give(&inbox, call, What::Refused(failure)).await;
        return;
    }
    let listens = hands.hooks.wants(Point::AfterLLMCall, workspace.as_deref());
    let mut heard = listens.then(|| Heard::new(&session, &request));
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
                hands.tell(Point::AfterLLMCall, workspace.clone(), || heard.facts).await
        {
            let why = format!("a hook does not allow what the model wants: {reason}");
            let failure = Failure::new(FailureKind::BadRequest, why);
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
}

/// What hooks are told of an answer.
struct Heard {
    facts: Value,
}

impl Heard {
    fn new(session: &SessionId, request: &Request) -> Self {
        Self {
            facts: json!({
                "session_key": session.as_str(),
                "provider": &*request.model.id.provider,
                "model": &*request.model.id.model,
                "text": "",
                "tool_calls": [],
                "input_tokens": 0,
                "output_tokens": 0,
            }),
        }
    }

    fn hear(&mut self, chunk: &Chunk) {
        match chunk {
            Chunk::Text(text) => {
                if let Some(Value::String(so_far)) = self.facts.get_mut("text")
                    && so_far.len() < MOST_HEARD
                {
                    so_far.push_str(text);
                }
            }
            Chunk::ToolCallStarted { name, .. } => {
                if let Some(Value::Array(calls)) = self.facts.get_mut("tool_calls") {
                    calls.push(json!(name));
                }
            }
            Chunk::Usage(usage) => {
                self.facts["input_tokens"] = json!(usage.prompt_tokens());
                self.facts["output_tokens"] = json!(usage.output_tokens);
            }
            _ => {}
        }
    }
}

/// Passes something on; says whether the turn still wants it.
async fn give(inbox: &mpsc::Sender<Outcome>, call: u32, what: What) -> bool {
    inbox.send(Outcome { call, what }).await.is_ok()
}
