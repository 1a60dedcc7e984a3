//! What a turn waits for: the choice of models, and the call of one.
//!
//! Each runs as a task of the turn and sends what it gets into the turn's bounded inbox: an actor
//! that is slow slows the provider's stream.

use futures_util::StreamExt;
use moltis_agent::turn::Prepared;
use moltis_core::error::Result;
use moltis_core::id::CallId;
use moltis_core::models::{Candidate, ModelRef, Models};
use moltis_core::provider::{Chunk, Failure, Request};
use moltis_core::tool;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Pieces of an answer that wait for the actor.
pub(crate) const INBOX: usize = 64;

/// What comes back from a task of a turn, with the number of the call that it belongs to.
pub(crate) struct Outcome {
    pub(crate) call: u32,
    pub(crate) what: What,
}

pub(crate) enum What {
    Candidates(Result<Vec<Candidate>>),
    Chunk(Chunk),
    Ended(Result<(), Failure>),
    Refused(Failure),
    Prepared(Vec<(CallId, Result<Prepared, String>)>),
    /// The workspace was taken note of before anything changes it: its name.
    Noted(String),
    Printed(CallId, String),
    ToolDone(CallId, tool::Outcome),
}

/// Finds out which models to ask.
pub(crate) async fn choose(
    models: Arc<dyn Models>,
    wanted: Option<ModelRef>,
    call: u32,
    inbox: mpsc::Sender<Outcome>,
) {
    let candidates = models.candidates(wanted.as_ref()).await;
    give(&inbox, call, What::Candidates(candidates)).await;
}

/// Asks a model and passes on what it says.
pub(crate) async fn ask(
    candidate: Candidate,
    request: Request,
    call: u32,
    inbox: mpsc::Sender<Outcome>,
) {
    let mut stream = match candidate.provider.stream(request).await {
        Ok(stream) => stream,
        Err(failure) => {
            give(&inbox, call, What::Refused(failure)).await;
            return;
        }
    };
    while let Some(next) = stream.next().await {
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

/// Passes something on; says whether the turn still wants it.
async fn give(inbox: &mpsc::Sender<Outcome>, call: u32, what: What) -> bool {
    inbox.send(Outcome { call, what }).await.is_ok()
}
