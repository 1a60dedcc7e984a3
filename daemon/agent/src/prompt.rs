//! What a model is told: the conversation cut to what fits, in the shape that dialects expect.

use moltis_core::id::SessionId;
use moltis_core::message::{Message, Part, Role};
use moltis_core::models::ModelInfo;
use moltis_core::provider::{Effort, Request};

use crate::conversation::{Conversation, Entry, text_tokens};

/// The window of models of which nobody knows it. Wrong guesses are mended by asking again with
/// less.
const UNKNOWN_WINDOW: u64 = 128_000;

/// A model with a window of at most this many tokens has no room for long instructions.
const TINY_WINDOW: u64 = 8_192;

/// Tokens kept free for the answer where the model's limit is not known.
const USUAL_RESERVE: u64 = 8_192;

/// Instructions of at most this many bytes are given to tiny models as they are.
const TINY_SYSTEM_BYTES: usize = 240;

/// What tiny models are told instead of long instructions, which they would repeat rather than
/// follow.
const TINY_SYSTEM: &str = "You are a helpful assistant.";

const NO_IMAGES: &str = "[a picture was here, but this model does not see pictures]";

/// What holds for every request of a turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instructions {
    /// What the model is told first of all; empty is nothing.
    pub system: String,
    /// How hard it is to think.
    pub effort: Option<Effort>,
}

/// A request, and what had to be done to make it fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assembled {
    /// The request.
    pub request: Request,
    /// Older messages were left out.
    pub left_out: bool,
    /// Estimated tokens of its messages.
    pub tokens: u64,
    /// There are messages that may still be left out.
    pub shrinks: bool,
}

/// The tokens that the conversation may take in a prompt for this model.
pub fn budget(model: &ModelInfo, instructions: &Instructions) -> u64 {
    let window = model.context_window.unwrap_or(UNKNOWN_WINDOW);
    let reserve = model.output_limit.unwrap_or(USUAL_RESERVE).min(window / 4);
    let system = text_tokens(system_for(model, &instructions.system));
    window.saturating_sub(reserve).saturating_sub(system)
}

/// Makes the request for the next answer in this conversation. Leaves out the oldest messages
/// until the rest fits `budget`, but never any of the newest message of the person.
pub fn assemble(
    conversation: &Conversation,
    session: &SessionId,
    model: &ModelInfo,
    instructions: &Instructions,
    budget: u64,
) -> Assembled {
    let entries = conversation.entries();
    let pinned = entries.iter().rev().take_while(|entry| entry.role == Role::User).count();
    let mut tokens = 0_u64;
    let mut kept = 0;
    for entry in entries.iter().rev() {
        if kept >= pinned && tokens.saturating_add(entry.tokens) > budget {
            break;
        }
        tokens = tokens.saturating_add(entry.tokens);
        kept += 1;
    }
    // A conversation begins with its person.
    while kept > 0 && entries[entries.len() - kept].role != Role::User {
        tokens = tokens.saturating_sub(entries[entries.len() - kept].tokens);
        kept -= 1;
    }
    let mut messages: Vec<Message> = Vec::new();
    for entry in entries.iter().skip(entries.len() - kept) {
        push(&mut messages, entry.role, parts_for(model, entry));
    }
    let request = Request {
        model: model.clone(),
        session: session.clone(),
        system: system_for(model, &instructions.system).to_owned(),
        messages,
        tools: Vec::new(),
        effort: instructions.effort,
        max_output: None,
    };
    let left_out = conversation.is_cut() || kept < entries.len();
    Assembled { request, left_out, tokens, shrinks: kept > pinned }
}

fn system_for<'a>(model: &ModelInfo, system: &'a str) -> &'a str {
    let tiny = model.local || model.context_window.is_some_and(|window| window <= TINY_WINDOW);
    if tiny && system.len() > TINY_SYSTEM_BYTES { TINY_SYSTEM } else { system }
}

/// The parts of a message as this model may be told them: thoughts go back only to the model
/// that had them, whole and with their proof; pictures only to models that see.
fn parts_for(model: &ModelInfo, entry: &Entry) -> Vec<Part> {
    let mine = entry.model.as_ref() == Some(&model.id) && !entry.partial;
    let mut parts = Vec::with_capacity(entry.parts.len());
    for part in &entry.parts {
        match part {
            Part::Reasoning { signature, .. } if !mine || signature.is_none() => {}
            Part::Image { .. } if !model.images => parts.push(Part::Text(NO_IMAGES.to_owned())),
            other => parts.push(other.clone()),
        }
    }
    parts
}

/// Adds a message; one by the same speaker as the last is joined to it, because most dialects
/// want speakers to take turns.
fn push(messages: &mut Vec<Message>, role: Role, parts: Vec<Part>) {
    if parts.is_empty() {
        return;
    }
    let Some(last) = messages.last_mut().filter(|last| last.role == role) else {
        messages.push(Message { role, parts });
        return;
    };
    let mut parts = parts.into_iter().peekable();
    if let (Some(Part::Text(before)), Some(Part::Text(after))) =
        (last.parts.last_mut(), parts.peek())
    {
        before.push_str("\n\n");
        before.push_str(after);
        parts.next();
    }
    last.parts.extend(parts);
}

#[cfg(test)]
#[path = "prompt_tests.rs"]
mod tests;
