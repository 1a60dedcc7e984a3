//! What keeps the owner's secrets out of everything that calls of tools give.
//!
//! Who looks for them is `agent`'s; here is where that is done: between a tool and whatever comes
//! after it, be it paint, hooks, the journal or a model. The invariant: a tool does not run while
//! its output could not be cleaned, and nothing of it goes on that was not.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use moltis_agent::redact::{Redactor, Stream};
use moltis_core::error::{Error, Result};
use moltis_core::message::Part;
use moltis_core::tool::{Cleaner, Outcome};

/// Bytes of a result that are cleaned right where it is taken; of more, another thread sees to it.
const MOST_HERE: usize = 64 << 10;

/// The owner's secrets, as they are to be kept out of what tools give.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// Gets to know them, if that was not done yet. Cheap when it was.
    ///
    /// # Errors
    /// Where they can't be read: then no tool runs.
    async fn learn(&self) -> Result<()>;

    /// What takes them out, as they are now. A secret is in it before any program is given it, and
    /// for as long as one may still have it. Cheap, never waits.
    fn redactor(&self) -> Redactor;
}

/// No secrets.
pub(crate) struct NoSecrets;

#[async_trait]
impl Secrets for NoSecrets {
    async fn learn(&self) -> Result<()> {
        Ok(())
    }

    fn redactor(&self) -> Redactor {
        Redactor::none()
    }
}

/// Why a call is not made.
pub(crate) fn unknown(error: &Error) -> String {
    format!("it was not done: the owner's variables can't be read, nor kept from you: {error}")
}

/// An outcome without the secrets in it.
pub(crate) async fn kept_from(secrets: &dyn Secrets, outcome: Outcome) -> Outcome {
    let redactor = secrets.redactor();
    let bytes = |part: &Part| part.as_text().map_or(0, str::len);
    if outcome.parts.iter().map(bytes).sum::<usize>() <= MOST_HERE {
        return cleaned(&redactor, outcome);
    }
    let Outcome { failed, origin, sensitive, .. } = outcome;
    let cleaned = tokio::task::spawn_blocking(move || cleaned(&redactor, outcome)).await;
    cleaned.unwrap_or_else(|error| {
        tracing::error!(%error, "failed to clean what a tool gave");
        let kept = Outcome::failed("what it gave is kept back: it could not be cleaned");
        Outcome { failed, origin, sensitive, ..kept }
    })
}

/// The texts as one: a secret may begin in one part and end in the next.
fn cleaned(redactor: &Redactor, mut outcome: Outcome) -> Outcome {
    let mut stream = redactor.stream();
    let mut last = None;
    for (at, part) in outcome.parts.iter_mut().enumerate() {
        match part {
            Part::Text(text) => {
                *text = stream.push(text);
                last = Some(at);
            }
            Part::Reasoning { text, .. } | Part::ToolResult { text, .. } => {
                if let Cow::Owned(clean) = redactor.redact(text) {
                    *text = clean;
                }
            }
            Part::Image { .. } | Part::ToolCall { .. } => {}
        }
    }
    let rest = stream.finish();
    if let Some(Part::Text(text)) = last.and_then(|at| outcome.parts.get_mut(at)) {
        text.push_str(&rest);
    }
    outcome
}

/// A text that a tool prints, on its way to those who watch or to where it is cut.
pub(crate) struct Printing {
    secrets: Arc<dyn Secrets>,
    redactor: Redactor,
    stream: Stream,
}

impl Printing {
    pub(crate) fn new(secrets: Arc<dyn Secrets>) -> Self {
        let redactor = secrets.redactor();
        let stream = redactor.stream();
        Self { secrets, redactor, stream }
    }
}

impl Cleaner for Printing {
    fn push(&mut self, text: &str) -> String {
        let now = self.secrets.redactor();
        if now.is(&self.redactor) {
            return self.stream.push(text);
        }
        // A new secret is given to programs after it is known here, so it begins in this text.
        self.redactor = now;
        let before = self.rest();
        before + &self.stream.push(text)
    }

    fn rest(&mut self) -> String {
        std::mem::replace(&mut self.stream, self.redactor.stream()).finish()
    }
}

#[cfg(test)]
#[path = "secrets_tests.rs"]
mod tests;
