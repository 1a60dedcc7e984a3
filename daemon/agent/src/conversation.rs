//! What was said in a session, in the order in which a model is told it, folded from its events.
//!
//! The log has messages where they arrived; a model must see them where they were answered:
//! a message that waited while another turn ran comes after that turn, and one that joined a
//! running turn comes after the answer that was being written without knowing of it. This fold
//! is the only source of prompts, so what a model is told after a restart is what it would have
//! been told without one.
//!
//! A conversation forgets its oldest messages beyond its capacity and says so.

use std::collections::VecDeque;

use moltis_core::event::{Ending, Event, EventKind};
use moltis_core::id::TurnId;
use moltis_core::message::{Part, Role};
use moltis_core::models::ModelRef;

/// How a notice begins that tells of older messages that were left out of a prompt.
pub(crate) const LEFT_OUT: &str = "older messages no longer fit";

/// Tokens that a picture is taken to cost, whatever its size.
const IMAGE_TOKENS: u64 = 1_000;

/// Tokens that a message costs beside its parts.
const MESSAGE_TOKENS: u64 = 4;

/// Bytes of pictures and text that are kept in memory at most, whatever the capacity.
pub const MOST_BYTES: usize = 32 << 20;

/// Notices of left-out messages that are remembered: one for each model that was too small.
const MOST_TOLD: usize = 16;

/// A message of the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Who spoke.
    pub role: Role,
    /// What was said.
    pub parts: Vec<Part>,
    /// The model that said it.
    pub model: Option<ModelRef>,
    /// It broke off.
    pub partial: bool,
    /// Estimated tokens.
    pub tokens: u64,
}

/// What was said in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    placed: VecDeque<Entry>,
    joined: Vec<Entry>,
    queued: Vec<(TurnId, Vec<Entry>)>,
    running: Option<TurnId>,
    told: Vec<String>,
    capacity: u64,
    tokens: u64,
    bytes: usize,
    cut: bool,
}

impl Conversation {
    /// A conversation without messages that holds about so many tokens.
    pub fn new(capacity: u64) -> Self {
        Self {
            placed: VecDeque::new(),
            joined: Vec::new(),
            queued: Vec::new(),
            running: None,
            told: Vec::new(),
            capacity,
            tokens: 0,
            bytes: 0,
            cut: false,
        }
    }

    /// The same for a log whose older events are not going to be applied.
    pub fn cut(capacity: u64) -> Self {
        Self { cut: true, ..Self::new(capacity) }
    }

    /// The tokens that it holds at most.
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Whether older messages are missing.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// The messages of started and ended turns, oldest first.
    pub fn entries(&self) -> &VecDeque<Entry> {
        &self.placed
    }

    /// Whether messages joined the running turn that its next call of the model must answer.
    pub fn has_joined(&self) -> bool {
        !self.joined.is_empty()
    }

    /// Whether a notice with this text was given already.
    pub(crate) fn was_told(&self, text: &str) -> bool {
        self.told.iter().any(|told| told == text)
    }

    /// Takes the next event into account.
    pub fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::UserMessage { parts, .. } => self.hear(event.turn.as_ref(), parts),
            EventKind::TurnStarted { .. } => {
                if let Some(turn) = &event.turn {
                    self.begin(turn);
                }
            }
            EventKind::AssistantMessage { parts, answer, partial, .. } => {
                let model = Some(answer.model.clone());
                self.place(Entry::new(Role::Assistant, parts.clone(), model, *partial));
                self.place_joined();
            }
            EventKind::TurnEnded { ending, .. } => self.end(event.turn.as_ref(), *ending),
            EventKind::SessionForked { .. } => {
                self.place_joined();
                self.running = None;
                for (_, entries) in std::mem::take(&mut self.queued) {
                    entries.into_iter().for_each(|entry| self.place(entry));
                }
            }
            EventKind::Notice { text, .. } => {
                if text.starts_with(LEFT_OUT) && self.told.len() < MOST_TOLD && !self.was_told(text)
                {
                    self.told.push(text.clone());
                }
            }
            EventKind::SessionCreated { .. }
            | EventKind::TitleChanged { .. }
            | EventKind::ArchivedChanged { .. }
            | EventKind::SettingsChanged { .. } => {}
        }
    }

    /// Makes a turn's messages the newest.
    fn begin(&mut self, turn: &TurnId) {
        self.place_joined();
        self.place_queued(turn);
        self.running = Some(turn.clone());
    }

    fn hear(&mut self, turn: Option<&TurnId>, parts: &[Part]) {
        let entry = Entry::new(Role::User, parts.to_vec(), None, false);
        match turn {
            None => self.place(entry),
            Some(turn) if self.running.as_ref() == Some(turn) => self.joined.push(entry),
            Some(turn) => match self.queued.iter_mut().find(|(queued, _)| queued == turn) {
                Some((_, entries)) => entries.push(entry),
                None => self.queued.push((turn.clone(), vec![entry])),
            },
        }
    }

    /// A turn that was cancelled before it started was never said to any model; one that failed
    /// before it started was, as far as its person knows.
    fn end(&mut self, turn: Option<&TurnId>, ending: Ending) {
        if self.running.as_ref() == turn {
            self.place_joined();
            self.running = None;
        }
        let Some(turn) = turn else { return };
        match ending {
            Ending::Cancelled => self.queued.retain(|(queued, _)| queued != turn),
            Ending::Done | Ending::Failed | Ending::Interrupted => self.place_queued(turn),
        }
    }

    fn place_joined(&mut self) {
        for entry in std::mem::take(&mut self.joined) {
            self.place(entry);
        }
    }

    fn place_queued(&mut self, turn: &TurnId) {
        if let Some(at) = self.queued.iter().position(|(queued, _)| queued == turn) {
            for entry in self.queued.remove(at).1 {
                self.place(entry);
            }
        }
    }

    fn place(&mut self, entry: Entry) {
        if entry.parts.is_empty() {
            return;
        }
        self.tokens = self.tokens.saturating_add(entry.tokens);
        self.bytes = self.bytes.saturating_add(bytes(&entry.parts));
        self.placed.push_back(entry);
        while (self.tokens > self.capacity || self.bytes > MOST_BYTES) && self.placed.len() > 1 {
            if let Some(oldest) = self.placed.pop_front() {
                self.tokens = self.tokens.saturating_sub(oldest.tokens);
                self.bytes = self.bytes.saturating_sub(bytes(&oldest.parts));
                self.cut = true;
            }
        }
    }
}

impl Entry {
    fn new(role: Role, mut parts: Vec<Part>, model: Option<ModelRef>, partial: bool) -> Self {
        parts.retain(|part| !is_empty(part));
        let tokens = estimate(&parts);
        Self { role, parts, model, partial, tokens }
    }
}

fn is_empty(part: &Part) -> bool {
    match part {
        Part::Text(text) => text.trim().is_empty(),
        Part::Reasoning { text, signature } => text.is_empty() && signature.is_none(),
        Part::Image { .. } | Part::ToolCall { .. } | Part::ToolResult { .. } => false,
    }
}

/// About how many tokens a message of these parts costs: a quarter of its bytes, and a flat sum
/// for each picture.
pub fn estimate(parts: &[Part]) -> u64 {
    let sum: u64 = parts.iter().map(part_tokens).sum();
    sum + MESSAGE_TOKENS
}

/// About how many tokens a text costs.
pub(crate) fn text_tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}

fn part_tokens(part: &Part) -> u64 {
    match part {
        Part::Image { .. } => IMAGE_TOKENS,
        other => (bytes(std::slice::from_ref(other)) as u64).div_ceil(4),
    }
}

/// The bytes that these parts hold.
pub fn bytes(parts: &[Part]) -> usize {
    let size = |part: &Part| match part {
        Part::Text(text) => text.len(),
        Part::Reasoning { text, signature } => {
            text.len() + signature.as_ref().map_or(0, String::len)
        }
        Part::Image { data, .. } => data.len(),
        Part::ToolCall { name, arguments, .. } => name.len() + arguments.len(),
        Part::ToolResult { text, .. } => text.len(),
    };
    parts.iter().map(size).sum()
}

#[cfg(test)]
#[path = "conversation_tests.rs"]
mod tests;
