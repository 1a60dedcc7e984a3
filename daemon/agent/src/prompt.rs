//! What a model is told: the conversation cut to what fits, in the shape that dialects expect.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use moltis_core::id::SessionId;
use moltis_core::message::{Message, Part, Role, text_of};
use moltis_core::models::ModelInfo;
use moltis_core::provider::{Effort, Request};

use crate::conversation::{Conversation, Entry, text_tokens};

/// The window of models of which nobody knows it. Wrong guesses are mended by asking again with
/// less.
pub(crate) const UNKNOWN_WINDOW: u64 = 128_000;

/// A model with a window of at most this many tokens has no room for long instructions.
const TINY_WINDOW: u64 = 8_192;

/// Of the budget, in hundredths: what may be left out beyond what must be.
const SLACK: u64 = 40;

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
/// until the rest fits `budget`, but never any of the newest messages of the person.
pub fn assemble(
    conversation: &Conversation,
    session: &SessionId,
    model: &ModelInfo,
    instructions: &Instructions,
    budget: u64,
) -> Assembled {
    let entries = conversation.entries();
    let pinned = entries.iter().rev().take_while(|entry| entry.role == Role::User).count();
    let newest = entries.len() - pinned;
    let first = beginning(entries, newest, budget);
    let asked = entries.iter().rposition(|entry| entry.role == Role::User);
    let mut messages: Vec<Message> = Vec::new();
    for (at, entry) in entries.iter().enumerate().skip(first) {
        push(&mut messages, entry.role, parts_for(model, entry, Some(at) > asked));
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
    let left_out = conversation.is_cut() || first > 0;
    let tokens = entries.iter().skip(first).map(|entry| entry.tokens).sum();
    Assembled { request, left_out, tokens, shrinks: first < newest }
}

/// Where the told part of a conversation begins: with a message of the person, at the latest with
/// the `newest` ones.
///
/// Vendors and local models keep the state of a prompt and go on from there while its beginning
/// stays the same. So more is left out than must be, up to [`SLACK`], and which of the messages
/// there is the first is chosen by what they say: it stays the first for many turns, and also when
/// a different part of the log was read.
fn beginning(entries: &VecDeque<Entry>, newest: usize, budget: u64) -> usize {
    let all: u64 = entries.iter().map(|entry| entry.tokens).sum();
    let least = all.saturating_sub(budget);
    let most = if least == 0 { 0 } else { least + budget / 100 * SLACK };
    let mut before = 0;
    let mut best = None;
    for (at, entry) in entries.iter().enumerate().take(newest) {
        if entry.role == Role::User && before >= least {
            if best.is_some() && before > most {
                break;
            }
            let rank = rank(entry);
            if best.is_none_or(|(lowest, _)| rank < lowest) {
                best = Some((rank, at));
            }
        }
        before += entry.tokens;
    }
    best.map_or(newest, |(_, at)| at)
}

/// A number that depends on nothing but what a message says.
fn rank(entry: &Entry) -> u64 {
    let mut hasher = DefaultHasher::new();
    text_of(&entry.parts).hash(&mut hasher);
    hasher.finish()
}

fn system_for<'a>(model: &ModelInfo, system: &'a str) -> &'a str {
    let tiny = model.local || model.context_window.is_some_and(|window| window <= TINY_WINDOW);
    if tiny && system.len() > TINY_SYSTEM_BYTES { TINY_SYSTEM } else { system }
}

/// The parts of a message as this model may be told them: thoughts go back only to the model
/// that had them, whole and with their proof, or without one while its calls are being answered
/// (`open`); pictures only to models that see.
fn parts_for(model: &ModelInfo, entry: &Entry, open: bool) -> Vec<Part> {
    let mine = entry.model.as_ref() == Some(&model.id) && !entry.partial;
    let mut parts = Vec::with_capacity(entry.parts.len());
    for part in &entry.parts {
        match part {
            Part::Reasoning { signature, .. } if !(mine && (open || signature.is_some())) => {}
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
