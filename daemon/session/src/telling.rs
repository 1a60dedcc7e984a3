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
use moltis_core::message::{Message, Part, Role, text_of};
use moltis_core::provider::Request;
use moltis_core::session::{Summary, TurnRules};
use serde_json::{Value, json};

use crate::actor::Actor;
use crate::call::About;
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

    /// The message that hooks let through.
    ///
    /// # Errors
    /// `Denied` with a hook's reason.
    pub(crate) async fn received(
        &self,
        workspace: Option<PathBuf>,
        mut message: NewMessage,
    ) -> Result<NewMessage> {
        let content = text_of(&message.parts);
        let facts = || {
            let key = message.session.as_str();
            json!({ "session_key": key, "content": content, "channel": null })
        };
        match self.tell(Point::MessageReceived, workspace, facts).await {
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
pub(crate) async fn before_call(about: &About, request: &Request) -> Option<String> {
    let session = about.session.as_str();
    let workspace = about.workspace.clone();
    let said = if about.sums_up(request) {
        let facts = || json!({ "session_key": session, "message_count": about.messages });
        about.hands.tell(Point::BeforeCompaction, workspace, facts).await
    } else {
        let facts = || {
            json!({
                "session_key": session,
                "provider": &*request.model.id.provider,
                "model": &*request.model.id.model,
                "messages": request.messages.iter().map(told).collect::<Vec<_>>(),
                "message_count": request.messages.len(),
                "tool_count": request.tools.len(),
                "iteration": about.iteration,
            })
        };
        about.hands.tell(Point::BeforeLLMCall, workspace, facts).await
    };
    match said {
        Say::Block(reason) => Some(format!("a hook does not allow it: {reason}")),
        Say::GoOn(_) => None,
    }
}

/// A message as hooks are told of it: its words, without pictures and thoughts.
fn told(message: &Message) -> Value {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let words = message.parts.iter().map(|part| match part {
        Part::Text(text) | Part::ToolResult { text, .. } => text.as_str(),
        Part::Reasoning { .. } | Part::Image { .. } | Part::ToolCall { .. } => "",
    });
    json!({ "role": role, "content": words.collect::<String>() })
}

/// What a turn did so far, for those who are told of its end.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Answers of the model.
    pub(crate) answers: u64,
    /// Calls of tools, made or not.
    calls: u64,
    /// The last answer's text.
    text: String,
}

impl Done {
    fn note(&mut self, kind: &EventKind) {
        match kind {
            EventKind::AssistantMessage { parts, .. } => {
                self.answers += 1;
                self.text = text_of(parts);
            }
            EventKind::ToolFinished { .. } => self.calls += 1,
            _ => {}
        }
    }
}

impl Actor {
    /// What of a turn's events hooks let through, before they are kept.
    pub(crate) async fn sending(&mut self, kinds: &mut [EventKind]) {
        let Some(running) = &self.running else { return };
        let (hands, workspace) = (self.shared.hands.clone(), running.scene.workspace.clone());
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
    pub(crate) async fn sent(&mut self, kinds: &[EventKind]) {
        let Some(running) = &mut self.running else { return };
        let (hands, workspace) = (&self.shared.hands, &running.scene.workspace);
        let key = &self.log.session;
        for kind in kinds {
            running.done.note(kind);
            let (point, facts) = match kind {
                EventKind::AssistantMessage { parts, .. } => {
                    let content = text_of(parts);
                    if content.is_empty() {
                        continue;
                    }
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
                        "turn": running.id.as_str(),
                        "state": state(*ending),
                        "text": running.done.text,
                        "iterations": running.done.answers,
                        "tool_calls": running.done.calls,
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

/// The directory that a session works on: its worktree, its own, or else the one that all have.
pub(crate) fn workspace(summary: &Summary, rules: &TurnRules) -> Option<PathBuf> {
    if let Some(worktree) = &summary.worktree {
        return Some(PathBuf::from(&worktree.path));
    }
    summary.settings.workspace.as_ref().or(rules.workspace.as_ref()).map(PathBuf::from)
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
