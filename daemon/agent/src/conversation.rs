//! What was said in a session, in the order in which a model is told it, folded from its events.
//!
//! The log has messages where they arrived; a model must see them where they were answered:
//! a message that waited while another turn ran comes after that turn, and one that joined a
//! running turn comes after the answer that was being written without knowing of it. This fold
//! is the only source of prompts, so what a model is told after a restart is what it would have
//! been told without one.
//!
//! The results of an answer's calls follow it directly, whatever was said meanwhile, in the order of
//! the calls, whichever was done first: not every dialect tells of which call a result is. A call
//! that got none because its turn ended is given a word that says so, because no vendor takes a call
//! without a result. What tools show in pictures follows as if the person had shown it, which all dialects
//! can say.
//!
//! A program that the owner had run is told with its output, as the program's words.
//!
//! A compaction puts a summary in the place of the oldest messages, and a clearing nothing. The fold may begin at the event
//! that the last compaction names and gives the same as one from the beginning.
//!
//! A conversation forgets its oldest messages beyond its capacity and says so. Of the running turn it
//! forgets none, or the model would not know any more what it was asked: there the results of tools,
//! what they showed and what they were called with give way to their size, the oldest first and never
//! the newest message. What a turn can hold beside them is bounded by its rounds and by what one answer may have.

use std::collections::{HashSet, VecDeque};

use moltis_core::event::{Ending, Event, EventKind, FileChange, ToolEnding};
use moltis_core::id::{CallId, TurnId};
use moltis_core::message::{Part, Role, text_of};
use moltis_core::models::ModelRef;

use crate::scale::Scale;
use crate::shorten;

/// How a notice begins that tells of older messages that were left out of a prompt.
pub(crate) const LEFT_OUT: &str = "older messages no longer fit";

/// What stands for a result of which there is none.
const NO_RESULT: &str = "[no result: the turn ended before there was one]";

/// What stands for a result without words.
const NOTHING_SAID: &str = "[done; it gave no text]";

/// What introduces the output of a program that the owner had run.
const RAN: &str =
    "[the person ran a program in the sandbox; what it gave follows and is no words of theirs]";

/// What ends it: the person's next message follows.
const RAN_END: &str = "[end of what the program gave]";

/// What introduces the pictures that tools gave.
const PICTURES: &str = "[pictures that the tools gave]";

/// Tokens that a picture is taken to cost, whatever its size.
pub(crate) const IMAGE_TOKENS: u64 = 1_000;

/// Tokens that a message costs beside its parts.
pub(crate) const MESSAGE_TOKENS: u64 = 4;

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
    /// It is not the person's, though it is told as theirs: pictures that tools gave.
    pub by_tools: bool,
    /// Estimated tokens.
    pub tokens: u64,
    /// What the vendor's count of its prompt says of estimates.
    pub(crate) scale: Option<Scale>,
    /// The seq of the event that put it into its place: what stands later has no lower one.
    pub(crate) placed: u64,
    /// The seq of the first event that must be known to put it there again.
    pub(crate) since: u64,
}

/// A call of the last answer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Open {
    id: CallId,
    /// Its result, where one before it is still missing, and the pictures of that.
    result: Option<(Part, Vec<Part>)>,
}

/// What was said in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// What stands for the messages before the first one.
    summary: Option<String>,
    placed: VecDeque<Entry>,
    joined: Vec<Entry>,
    queued: Vec<(TurnId, Vec<Entry>)>,
    /// The running turn, and the seq of its start.
    running: Option<(TurnId, u64)>,
    /// The calls of the last answer whose results have no place yet, in order.
    calls: VecDeque<Open>,
    /// Programs that the owner wants run, by their turns, with the seqs of the events that say so.
    programs: Vec<(TurnId, String, u64)>,
    /// Pictures of the results of the last answer's calls.
    pictures: Vec<Part>,
    last_seq: u64,
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
            summary: None,
            placed: VecDeque::new(),
            joined: Vec::new(),
            queued: Vec::new(),
            running: None,
            calls: VecDeque::new(),
            programs: Vec::new(),
            pictures: Vec::new(),
            last_seq: 0,
            told: Vec::new(),
            capacity,
            tokens: 0,
            bytes: 0,
            cut: false,
        }
    }

    /// The same for a log whose older events are not going to be applied, but for the summary that
    /// they have.
    pub fn cut(capacity: u64, summary: Option<String>) -> Self {
        Self { cut: true, summary, ..Self::new(capacity) }
    }

    /// The tokens that it holds at most.
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Whether older messages are missing.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// The summary that stands for what was said before the first message.
    pub fn summary(&self) -> Option<&str> {
        self.summary.as_deref()
    }

    /// The seq of the last event that was taken into account.
    pub(crate) fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// The first event that must be known to go on with the messages from `first` on, with those
    /// that wait, and with the running turn.
    pub(crate) fn since(&self, first: usize) -> u64 {
        let waiting = self.queued.iter().flat_map(|(_, entries)| entries);
        let needed = self.placed.iter().skip(first).chain(&self.joined).chain(waiting);
        let programs = self.programs.iter().map(|(.., asked)| *asked);
        let needed = needed.map(|entry| entry.since).chain(programs);
        needed.chain(self.running.iter().map(|(_, seq)| *seq)).min().unwrap_or(self.last_seq + 1)
    }

    /// The messages of started and ended turns, oldest first.
    pub fn entries(&self) -> &VecDeque<Entry> {
        &self.placed
    }

    /// What the vendor's count of this model's last prompt here says of estimates.
    pub fn scale(&self, model: &ModelRef) -> Option<Scale> {
        let by_model = |entry: &&Entry| entry.model.as_ref() == Some(model);
        self.placed.iter().rev().filter(by_model).find_map(|entry| entry.scale)
    }

    /// The ids of all calls that were made in it.
    pub(crate) fn call_ids(&self) -> HashSet<CallId> {
        self.placed.iter().flat_map(|entry| calls(&entry.parts)).map(|open| open.id).collect()
    }

    /// Whether calls of the last answer have no result yet.
    pub fn is_open(&self) -> bool {
        !self.calls.is_empty()
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
        self.last_seq = event.seq;
        match &event.kind {
            EventKind::UserMessage { parts, .. } => self.hear(event.turn.as_ref(), parts),
            EventKind::TurnStarted { .. } => {
                if let Some(turn) = &event.turn {
                    self.begin(turn);
                }
            }
            EventKind::AssistantMessage { parts, answer, partial, .. } => {
                let model = Some(answer.model.clone());
                let since = self.running.as_ref().map_or(event.seq, |(_, seq)| *seq);
                self.give_up_calls();
                let entry = Entry::new(Role::Assistant, parts.clone(), model, *partial, since);
                let scale = Scale::of(answer.estimated, answer.usage.prompt_tokens());
                self.place(Entry { scale, ..entry });
                self.calls = calls(parts);
                if self.calls.is_empty() {
                    self.place_joined();
                }
            }
            EventKind::ToolFinished { call, ending, parts, .. } => {
                if !self.ran(event.turn.as_ref(), parts) {
                    self.result(call, *ending != ToolEnding::Done, parts);
                }
            }
            EventKind::WorkspaceRestored { files, .. } => self.restored(files),
            EventKind::Compacted { summary, upto, .. } => self.stand_for(Some(summary), *upto),
            EventKind::Cleared { upto, .. } => self.stand_for(None, *upto),
            EventKind::ProgramAsked { command } => {
                let asked = |turn: &TurnId| (turn.clone(), command.clone(), event.seq);
                self.programs.extend(event.turn.as_ref().map(asked));
            }
            EventKind::TurnEnded { ending, .. } => self.end(event.turn.as_ref(), *ending),
            EventKind::SessionForked { .. } => self.fork(),
            EventKind::Notice { text, .. } => {
                if text.starts_with(LEFT_OUT) && self.told.len() < MOST_TOLD && !self.was_told(text)
                {
                    self.told.push(text.clone());
                }
            }
            EventKind::SessionCreated { .. }
            | EventKind::TitleChanged { .. }
            | EventKind::ArchivedChanged { .. }
            | EventKind::CompactionAsked
            | EventKind::ClearAsked
            | EventKind::ToolStarted { .. }
            | EventKind::ApprovalAsked { .. }
            | EventKind::ApprovalAnswered { .. }
            | EventKind::GrantRevoked { .. }
            | EventKind::WorkspaceChanged { .. }
            | EventKind::StateSet { .. }
            | EventKind::WorktreeSet { .. }
            | EventKind::SettingsChanged { .. } => {}
        }
    }

    /// Tells what a program gave that the owner had run, if this turn runs one: as the program's words.
    fn ran(&mut self, turn: Option<&TurnId>, parts: &[Part]) -> bool {
        let mut programs = self.programs.iter();
        let Some((_, command, asked)) = programs.find(|(of, ..)| Some(of) == turn) else {
            return false;
        };
        let text = format!("{RAN}\n$ {command}\n{}\n{RAN_END}", text_of(parts).trim_end());
        let entry = Entry::new(Role::User, vec![Part::Text(text)], None, false, *asked);
        self.place_after_results(Entry { by_tools: true, ..entry });
        true
    }

    /// Takes what a call gave, once, and places it when all before it have their place.
    fn result(&mut self, call: &CallId, failed: bool, parts: &[Part]) {
        let mut open = self.calls.iter_mut();
        let Some(open) = open.find(|open| open.id == *call && open.result.is_none()) else {
            return;
        };
        let text = text_of(parts);
        let text = if text.is_empty() { NOTHING_SAID.to_owned() } else { text };
        let pictures = parts.iter().filter(|part| matches!(part, Part::Image { .. }));
        let part = Part::ToolResult { id: call.clone(), text, failed };
        open.result = Some((part, pictures.cloned().collect()));
        while let Some(Open { result: Some(_), .. }) = self.calls.front()
            && let Some(open) = self.calls.pop_front()
        {
            self.place_open(open);
        }
        if self.calls.is_empty() {
            self.place_pictures();
            self.place_joined();
        }
    }

    /// Places the result of a call, or a word that says that there is none.
    fn place_open(&mut self, Open { id, result }: Open) {
        let none = || Part::ToolResult { id, text: NO_RESULT.to_owned(), failed: true };
        let (part, pictures) = result.unwrap_or_else(|| (none(), Vec::new()));
        self.pictures.extend(pictures);
        self.place_result(part);
    }

    fn place_result(&mut self, part: Part) {
        let since = self.running.as_ref().map_or(self.last_seq, |(_, seq)| *seq);
        self.place(Entry::new(Role::Tool, vec![part], None, false, since));
    }

    fn place_pictures(&mut self) {
        let mut parts = std::mem::take(&mut self.pictures);
        if !parts.is_empty() {
            parts.insert(0, Part::Text(PICTURES.to_owned()));
            let since = self.running.as_ref().map_or(self.last_seq, |(_, seq)| *seq);
            let entry = Entry::new(Role::User, parts, None, false, since);
            self.place(Entry { by_tools: true, ..entry });
        }
    }

    /// Gives a result to every call that will not get one any more.
    fn give_up_calls(&mut self) {
        // One by one: there are none left when room had to be made of the calls themselves.
        while let Some(open) = self.calls.pop_front() {
            self.place_open(open);
        }
        self.place_pictures();
    }

    /// Tells the model that the person undid what it had changed.
    fn restored(&mut self, files: &[FileChange]) {
        let paths: Vec<&str> = files.iter().take(20).map(|file| file.path.as_str()).collect();
        let text = format!("[the person undid your last changes of {}]", paths.join(", "));
        let entry = Entry::new(Role::User, vec![Part::Text(text)], None, false, self.last_seq);
        self.place_after_results(Entry { by_tools: true, ..entry });
    }

    /// Places a message now, or where calls have no result yet after those.
    fn place_after_results(&mut self, entry: Entry) {
        if self.is_open() {
            self.joined.push(entry);
        } else {
            self.place(entry);
        }
    }

    /// Makes a turn's messages the newest.
    fn begin(&mut self, turn: &TurnId) {
        self.give_up_calls();
        self.place_joined();
        self.running = Some((turn.clone(), self.last_seq));
        self.place_queued(turn);
    }

    /// The turns of the session that was copied go on there, not here.
    fn fork(&mut self) {
        self.give_up_calls();
        self.place_joined();
        self.programs.clear();
        let cut_off = self.running.take().map_or(u64::MAX, |(_, seq)| seq);
        for (_, entries) in std::mem::take(&mut self.queued) {
            for mut entry in entries {
                entry.since = entry.since.min(cut_off);
                self.place(entry);
            }
        }
    }

    /// Puts a summary, or nothing, in the place of everything that was there by then.
    fn stand_for(&mut self, summary: Option<&String>, upto: u64) {
        while self.placed.front().is_some_and(|oldest| oldest.placed <= upto) {
            self.drop_oldest();
        }
        self.summary = summary.cloned();
        self.told.clear();
        self.cut = false;
    }

    fn hear(&mut self, turn: Option<&TurnId>, parts: &[Part]) {
        let joins = self.running.as_ref().filter(|(running, _)| Some(running) == turn);
        let since = joins.map_or(self.last_seq, |(_, seq)| *seq);
        let entry = Entry::new(Role::User, parts.to_vec(), None, false, since);
        match turn {
            None => self.place_after_results(entry),
            Some(_) if joins.is_some() => self.joined.push(entry),
            Some(turn) => match self.queued.iter_mut().find(|(queued, _)| queued == turn) {
                Some((_, entries)) => entries.push(entry),
                None => self.queued.push((turn.clone(), vec![entry])),
            },
        }
    }

    /// A turn that was cancelled before it started was never said to any model; one that failed
    /// before it started was, as far as its person knows.
    fn end(&mut self, turn: Option<&TurnId>, ending: Ending) {
        if self.running.as_ref().map(|(running, _)| running) == turn {
            self.give_up_calls();
            self.place_joined();
            self.running = None;
        }
        let Some(turn) = turn else { return };
        self.programs.retain(|(of, ..)| of != turn);
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
                self.place_after_results(entry);
            }
        }
    }

    fn place(&mut self, mut entry: Entry) {
        if entry.parts.is_empty() {
            return;
        }
        entry.placed = self.last_seq;
        self.tokens = self.tokens.saturating_add(entry.tokens);
        self.bytes = self.bytes.saturating_add(bytes(&entry.parts));
        self.placed.push_back(entry);
        while self.is_full() && self.make_room() {}
    }

    fn is_full(&self) -> bool {
        self.tokens > self.capacity || self.bytes > MOST_BYTES
    }

    /// Drops the oldest message or makes one smaller, never the newest; says whether it could.
    fn make_room(&mut self) -> bool {
        if self.placed.len() < 2 {
            return false;
        }
        let running = self.running.as_ref().map_or(u64::MAX, |(_, seq)| *seq);
        if self.placed.front().is_some_and(|oldest| oldest.placed < running) {
            self.drop_oldest();
            self.cut = true;
            return true;
        }
        self.shorten(shorten::shorten_results)
            || self.shorten(shorten::shorten_pictures)
            || self.shorten(shorten::shorten_arguments)
    }

    /// Makes the oldest message smaller that this makes smaller.
    fn shorten(&mut self, shorten: impl Fn(&mut Entry) -> bool) -> bool {
        let newest = self.placed.len().saturating_sub(1);
        for entry in self.placed.iter_mut().take(newest) {
            let (tokens, size) = (entry.tokens, bytes(&entry.parts));
            if shorten(entry) {
                entry.tokens = estimate(&entry.parts);
                self.tokens = self.tokens.saturating_sub(tokens).saturating_add(entry.tokens);
                self.bytes = self.bytes.saturating_sub(size).saturating_add(bytes(&entry.parts));
                return true;
            }
        }
        false
    }

    /// Drops the oldest message, and the results that it leaves without their call: no vendor takes
    /// a result without one.
    fn drop_oldest(&mut self) {
        self.pop_oldest();
        while self.placed.front().is_some_and(|oldest| oldest.role == Role::Tool) {
            self.pop_oldest();
        }
        // Only the last answer can have calls that wait for a result.
        if !self.placed.iter().any(|entry| entry.role == Role::Assistant) {
            self.calls.clear();
        }
    }

    fn pop_oldest(&mut self) {
        if let Some(oldest) = self.placed.pop_front() {
            self.tokens = self.tokens.saturating_sub(oldest.tokens);
            self.bytes = self.bytes.saturating_sub(bytes(&oldest.parts));
        }
    }
}

impl Entry {
    fn new(
        role: Role,
        mut parts: Vec<Part>,
        model: Option<ModelRef>,
        partial: bool,
        since: u64,
    ) -> Self {
        parts.retain(|part| !is_empty(part));
        let tokens = estimate(&parts);
        let (by_tools, scale, placed) = (false, None, 0);
        Self { role, parts, model, partial, by_tools, tokens, scale, placed, since }
    }

    /// Whether the person said it.
    pub(crate) fn is_asked(&self) -> bool {
        self.role == Role::User && !self.by_tools
    }
}

/// The calls among these parts.
fn calls(parts: &[Part]) -> VecDeque<Open> {
    let call = |part: &Part| match part {
        Part::ToolCall { id, .. } => Some(Open { id: id.clone(), result: None }),
        _ => None,
    };
    parts.iter().filter_map(call).collect()
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

/// About how many tokens a part costs.
pub(crate) fn part_tokens(part: &Part) -> u64 {
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
