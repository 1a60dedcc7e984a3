//! Hooks around what is said and done in a session; those around calls of tools are in
//! [`crate::hands`].
//!
//! Facts have the names that the original system gives them. Who has a say is waited for; the others
//! are told and not waited for, which the port promises.

use std::path::PathBuf;

use moltis_core::assistant::NewMessage;
use moltis_core::error::{Code, Error, Result};
use moltis_core::event::{Ending, EventKind};
use moltis_core::hook::{Occasion, Point, Say};
use moltis_core::id::{SessionId, TurnId};
use moltis_core::message::{Part, text_of};
use moltis_core::provider::Request;
use moltis_core::session::Summary;
use serde_json::{Value, json};

use crate::actor::Actor;
use crate::hands::Hands;

impl Hands {
    /// Tells hooks of something that happened to a session.
    pub(crate) async fn tell(
        &self,
        point: Point,
        workspace: Option<PathBuf>,
        facts: impl FnOnce() -> Value + Send,
    ) -> Say {
        if !self.hooks.wants(point, workspace.as_deref()) {
            return Say::GoOn(Value::Null);
        }
        self.hooks.call(Occasion { point, workspace, facts: facts() }).await
    }

    /// Tells hooks of a person's command.
    pub(crate) async fn command(&self, summary: &Summary, action: &str, client: &str) {
        let facts = || {
            json!({
                "session_key": summary.id.as_str(),
                "action": action,
                "sender_id": client,
            })
        };
        self.tell(Point::Command, workspace(summary), facts).await;
    }

    /// The message that hooks let through.
    ///
    /// # Errors
    /// `Denied` with a hook's reason.
    pub(crate) async fn received(
        &self,
        summary: &Summary,
        mut message: NewMessage,
    ) -> Result<NewMessage> {
        let content = text_of(&message.parts);
        let facts = || json!({ "session_key": summary.id.as_str(), "content": content });
        match self.tell(Point::MessageReceived, workspace(summary), facts).await {
            Say::Block(reason) => {
                let message = format!("a hook does not let the message through: {reason}");
                Err(Error::new(Code::Denied, message).with_hint("moltis hooks list"))
            }
            Say::GoOn(facts) => {
                if let Some(changed) = changed(&facts, "content", &content) {
                    replace_text(&mut message.parts, changed);
                }
                Ok(message)
            }
        }
    }
}

/// What hooks have to say before a model is asked: why not, if not.
pub(crate) async fn before_call(
    hands: &Hands,
    workspace: Option<PathBuf>,
    session: &SessionId,
    request: &Request,
) -> Option<String> {
    let summary = request.session != *session;
    let (point, facts) = if summary {
        let facts =
            json!({ "session_key": session.as_str(), "message_count": request.messages.len() });
        (Point::BeforeCompaction, facts)
    } else {
        let facts = json!({
            "session_key": session.as_str(),
            "provider": &*request.model.id.provider,
            "model": &*request.model.id.model,
            "message_count": request.messages.len(),
            "tool_count": request.tools.len(),
        });
        (Point::BeforeLLMCall, facts)
    };
    match hands.tell(point, workspace, || facts).await {
        Say::Block(reason) => Some(format!("a hook does not allow it: {reason}")),
        Say::GoOn(_) => None,
    }
}

impl Actor {
    /// What of a turn's events hooks let through, before they are kept.
    pub(crate) async fn sending(&mut self, kinds: &mut [EventKind]) {
        let (hands, workspace) = (self.shared.hands.clone(), workspace(&self.log.summary));
        let session = self.log.session.clone();
        for kind in kinds {
            let EventKind::AssistantMessage { parts, partial: false, .. } = kind else { continue };
            let content = text_of(parts);
            if content.is_empty() {
                continue;
            }
            let facts = || json!({ "session_key": session.as_str(), "content": content });
            match hands.tell(Point::MessageSending, workspace.clone(), facts).await {
                Say::Block(reason) => {
                    replace_text(
                        parts,
                        format!("[a hook does not let the answer through: {reason}]"),
                    );
                }
                Say::GoOn(facts) => {
                    if let Some(changed) = changed(&facts, "content", &content) {
                        replace_text(parts, changed);
                    }
                }
            }
        }
    }

    /// Tells hooks of what is now on disk.
    pub(crate) async fn sent(&mut self, turn: &TurnId, kinds: &[EventKind]) {
        let (hands, workspace) = (self.shared.hands.clone(), workspace(&self.log.summary));
        let key = self.log.session.clone();
        for kind in kinds {
            let (point, facts) = match kind {
                EventKind::AssistantMessage { parts, .. } => {
                    let content = text_of(parts);
                    let facts = json!({ "session_key": key.as_str(), "content": content });
                    (Point::MessageSent, facts)
                }
                EventKind::Compacted { summary, .. } => {
                    let facts =
                        json!({ "session_key": key.as_str(), "summary_len": summary.len() });
                    (Point::AfterCompaction, facts)
                }
                EventKind::TurnEnded { ending, usage, .. } => {
                    let facts = json!({
                        "session_key": key.as_str(),
                        "turn": turn.as_str(),
                        "state": state(*ending),
                        "input_tokens": usage.input_tokens,
                        "output_tokens": usage.output_tokens,
                    });
                    (Point::AgentEnd, facts)
                }
                _ => continue,
            };
            hands.tell(point, workspace.clone(), || facts).await;
        }
    }
}

/// The directory that a session works on, if it names one.
pub(crate) fn workspace(summary: &Summary) -> Option<PathBuf> {
    summary.settings.workspace.as_ref().map(PathBuf::from)
}

fn state(ending: Ending) -> &'static str {
    match ending {
        Ending::Done => "done",
        Ending::Failed => "failed",
        Ending::Cancelled => "cancelled",
        Ending::Interrupted => "interrupted",
    }
}

/// What a hook made of a text, if it made something else of it.
fn changed(facts: &Value, name: &str, before: &str) -> Option<String> {
    facts.get(name).and_then(Value::as_str).filter(|now| *now != before).map(str::to_owned)
}

/// Puts one text in the place of all texts.
fn replace_text(parts: &mut Vec<Part>, text: String) {
    let at = parts.iter().position(|part| matches!(part, Part::Text(_))).unwrap_or(0);
    parts.retain(|part| !matches!(part, Part::Text(_)));
    parts.insert(at.min(parts.len()), Part::Text(text));
}
