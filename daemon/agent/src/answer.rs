//! An answer that is still being written, folded from its chunks.

use std::collections::HashSet;
use std::time::Duration;

use moltis_core::feed::Strand;
use moltis_core::id::{CallId, ItemId};
use moltis_core::message::{Part, Usage};
use moltis_core::models::ModelInfo;
use moltis_core::provider::{Chunk, FinishReason};

use crate::text_tools;
use crate::turn::Wish;

/// Bytes that one answer may have. No model writes this much; a broken vendor may.
pub const MOST_BYTES: usize = 4 << 20;

/// Calls that one answer may make.
const MOST_CALLS: usize = 128;

/// A growing answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Growing {
    pieces: Vec<Piece>,
    usage: Usage,
    finish: Option<FinishReason>,
    first_token: Option<Duration>,
    bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Reasoning { text: String, signature: Option<String> },
    Call { index: u32, id: CallId, name: String, arguments: String, ended: bool },
}

/// The usage with the model's price on it, where it has none of its own.
pub fn priced(model: &ModelInfo, usage: Usage) -> Usage {
    match (usage.cost_microusd, &model.price) {
        (0, Some(price)) => Usage { cost_microusd: price.cost_microusd(&usage), ..usage },
        _ => usage,
    }
}

/// What a chunk did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Nothing that is shown.
    Silent,
    /// It painted.
    Painted(Strand, String),
    /// It belongs to nothing, or the answer grew beyond its bounds.
    Refused(&'static str),
}

impl Growing {
    /// Takes the next chunk, `since` the request was made.
    pub fn take(&mut self, chunk: Chunk, since: Duration) -> Taken {
        let carries =
            matches!(chunk, Chunk::Text(_) | Chunk::Reasoning(_) | Chunk::ToolCallStarted { .. });
        if carries && self.first_token.is_none() {
            self.first_token = Some(since);
        }
        match chunk {
            Chunk::Text(text) => self.text(text),
            Chunk::Reasoning(text) => self.reasoning(text),
            Chunk::ReasoningSignature(signature) => self.sign(signature),
            Chunk::ToolCallStarted { index, id, name } => self.begin_call(index, id, name),
            Chunk::ToolCallArguments { index, fragment } => self.arguments(index, fragment),
            Chunk::ToolCallEnded { index } => self.end_call(index),
            Chunk::Usage(usage) => {
                self.usage = usage;
                Taken::Silent
            }
            Chunk::Finished(reason) => {
                self.finish = Some(reason);
                Taken::Silent
            }
        }
    }

    /// Why the answer ended; `None` while it has not ended properly.
    pub fn finish(&self) -> Option<FinishReason> {
        self.finish
    }

    /// What it used so far.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// When the first text, reasoning or call came.
    pub fn first_token(&self) -> Option<Duration> {
        self.first_token
    }

    /// Bytes of text, reasoning and arguments so far.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Text and reasoning so far. Calls are not among them: a call exists only in a stream that
    /// ended properly, and then whoever offered the tool takes it from [`Growing::calls`].
    pub fn parts(&self) -> Vec<Part> {
        let part = |piece: &Piece| match piece {
            Piece::Text(text) => Some(Part::Text(text.clone())),
            Piece::Reasoning { text, signature } => {
                Some(Part::Reasoning { text: text.clone(), signature: signature.clone() })
            }
            Piece::Call { .. } => None,
        };
        self.pieces.iter().filter_map(part).collect()
    }

    /// The parts of an answer that ended properly, and the calls among them. With `in_words` calls
    /// are looked for in the text too. A call whose id is empty, is another one's, or is among those
    /// that are `used` gets a fresh one: some vendors number the calls of each answer anew, and a
    /// result is told by nothing but its call's id.
    pub(crate) fn answer(
        &self,
        in_words: bool,
        used: &mut HashSet<CallId>,
        fresh: &dyn Fn() -> ItemId,
    ) -> (Vec<Part>, Vec<Wish>) {
        let mut parts = self.parts();
        let mut wishes = self.calls();
        for part in parts.iter_mut().filter(|_| in_words) {
            if let Part::Text(text) = part {
                let (rest, calls) = text_tools::parse(text);
                let wish = |(tool, arguments)| {
                    let id = CallId::new(fresh().as_str());
                    Wish { id, tool, arguments }
                };
                wishes.extend(calls.into_iter().map(wish));
                *text = rest;
            }
        }
        for wish in &mut wishes {
            if wish.id.as_str().is_empty() || !used.insert(wish.id.clone()) {
                wish.id = CallId::new(fresh().as_str());
                used.insert(wish.id.clone());
            }
        }
        parts.extend(wishes.iter().cloned().map(Wish::into_part));
        (parts, wishes)
    }

    /// The calls of an answer that ended properly: those that ended properly themselves.
    fn calls(&self) -> Vec<Wish> {
        let call = |piece: &Piece| match piece {
            Piece::Call { id, name, arguments, ended: true, .. } => {
                Some(Wish { id: id.clone(), tool: name.clone(), arguments: arguments.clone() })
            }
            _ => None,
        };
        if self.finish.is_none() {
            return Vec::new();
        }
        self.pieces.iter().filter_map(call).collect()
    }

    fn grow(&mut self, by: usize) -> bool {
        self.bytes += by;
        self.bytes <= MOST_BYTES
    }

    fn text(&mut self, text: String) -> Taken {
        if text.is_empty() {
            return Taken::Silent;
        }
        if !self.grow(text.len()) {
            return TOO_LONG;
        }
        match self.pieces.last_mut() {
            Some(Piece::Text(so_far)) => so_far.push_str(&text),
            _ => self.pieces.push(Piece::Text(text.clone())),
        }
        Taken::Painted(Strand::Text, text)
    }

    fn reasoning(&mut self, text: String) -> Taken {
        if text.is_empty() {
            return Taken::Silent;
        }
        if !self.grow(text.len()) {
            return TOO_LONG;
        }
        match self.pieces.last_mut() {
            Some(Piece::Reasoning { text: so_far, signature: None }) => so_far.push_str(&text),
            _ => self.pieces.push(Piece::Reasoning { text: text.clone(), signature: None }),
        }
        Taken::Painted(Strand::Reasoning, text)
    }

    fn sign(&mut self, proof: String) -> Taken {
        if !self.grow(proof.len()) {
            return TOO_LONG;
        }
        match self.pieces.last_mut() {
            Some(Piece::Reasoning { signature: signature @ None, .. }) => *signature = Some(proof),
            // Hidden thoughts come as a proof without text.
            _ => self.pieces.push(Piece::Reasoning { text: String::new(), signature: Some(proof) }),
        }
        Taken::Silent
    }

    fn begin_call(&mut self, index: u32, id: CallId, name: String) -> Taken {
        let calls = self.pieces.iter().filter(|piece| matches!(piece, Piece::Call { .. })).count();
        if calls >= MOST_CALLS {
            return Taken::Refused("the answer makes too many tool calls");
        }
        if self.call(index).is_some() {
            return Taken::Refused("a tool call began twice");
        }
        self.pieces.push(Piece::Call { index, id, name, arguments: String::new(), ended: false });
        Taken::Silent
    }

    fn arguments(&mut self, index: u32, fragment: String) -> Taken {
        if fragment.is_empty() {
            return Taken::Silent;
        }
        if !self.grow(fragment.len()) {
            return TOO_LONG;
        }
        match self.call(index) {
            Some(Piece::Call { id, name, arguments, ended: false, .. }) => {
                arguments.push_str(&fragment);
                let strand = Strand::Arguments { call: id.clone(), name: name.clone() };
                Taken::Painted(strand, fragment)
            }
            _ => Taken::Refused("arguments came for a tool call that is not open"),
        }
    }

    fn end_call(&mut self, index: u32) -> Taken {
        match self.call(index) {
            Some(Piece::Call { ended: ended @ false, .. }) => {
                *ended = true;
                Taken::Silent
            }
            _ => Taken::Refused("a tool call ended that is not open"),
        }
    }

    fn call(&mut self, wanted: u32) -> Option<&mut Piece> {
        self.pieces
            .iter_mut()
            .find(|piece| matches!(piece, Piece::Call { index, .. } if *index == wanted))
    }
}

const TOO_LONG: Taken = Taken::Refused("the answer is longer than any answer may be");

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
