//! From events and deltas to blocks.
//!
//! A message that waits for another turn is held back until its own turn starts, so that the
//! transcript reads in the order in which things were answered. The invariant: growing blocks stand
//! last, in the order in which they began, so that all others stand in the order of their events and
//! what was shown live is what a replay shows.

use std::collections::VecDeque;

use moltis_proto::v1::{self, event::Kind as Fact};

use super::block::{Block, BlockId, Compacted, End, Growing, Kind, Person, Wished, answer, person};
use super::call::Call;
use super::marks;
use super::scroll::Scroll;
use crate::widget::SafeText;

/// Blocks that are kept at most; beyond them the oldest are dropped and can be read again.
const MAX_BLOCKS: usize = 20_000;
/// What the texts of all blocks together may weigh.
const MAX_BYTES: usize = 96 << 20;
/// Items that are growing at the same time.
const MAX_GROWING: usize = 16;

/// A message that waits for its turn.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Its turn.
    pub(crate) turn: String,
    /// What it says.
    pub(crate) person: Person,
    seq: u64,
    at: i64,
}

/// The loaded part of a session's transcript.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    pub(super) blocks: VecDeque<Block>,
    /// The first seq that is loaded; 1 is the beginning of the session.
    first_seq: u64,
    last_seq: u64,
    running: Option<String>,
    waiting: Vec<Waiting>,
    pub(super) bytes: usize,
    pub(super) laid_bytes: usize,
    pub(super) stamp: u64,
    /// Blocks whose rows were made since the beginning: what a test counts.
    pub(super) laid_count: u64,
    /// Long texts and thoughts are shown in full.
    pub(crate) unfolded: bool,
    /// Where the screen is.
    pub(crate) scroll: Scroll,
}

impl Transcript {
    /// An empty transcript that begins at this seq.
    pub(crate) fn new(first_seq: u64) -> Self {
        let first_seq = first_seq.max(1);
        Self { first_seq, last_seq: first_seq - 1, ..Self::default() }
    }

    /// The blocks, oldest first.
    pub(crate) fn blocks(&self) -> &VecDeque<Block> {
        &self.blocks
    }

    /// The block of that name.
    pub(crate) fn block(&self, id: BlockId) -> Option<&Block> {
        self.blocks.get(self.index_of(id)?)
    }

    /// Where a block stands among the loaded ones.
    pub(crate) fn index_of(&self, id: BlockId) -> Option<usize> {
        let index = usize::try_from(id - self.blocks.front()?.id).ok()?;
        (index < self.blocks.len()).then_some(index)
    }

    /// The last seq that is known.
    pub(crate) fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// The first seq that is loaded.
    pub(crate) fn first_seq(&self) -> u64 {
        self.first_seq
    }

    /// Whether there are older messages that are not loaded.
    pub(crate) fn has_older(&self) -> bool {
        self.first_seq > 1
    }

    /// The turn that is running, as far as the events tell.
    pub(crate) fn running(&self) -> Option<&str> {
        self.running.as_deref()
    }

    /// The messages that wait for their turn.
    pub(crate) fn waiting(&self) -> &[Waiting] {
        &self.waiting
    }

    /// Roughly what the blocks weigh.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The last finished answer's text.
    pub(crate) fn last_answer(&self) -> Option<&str> {
        self.blocks.iter().rev().find_map(|block| match &block.kind {
            Kind::Answer(answer) if !answer.text.is_empty() => Some(answer.text.as_str()),
            _ => None,
        })
    }

    /// Takes the turns that are open in a session that was joined in their midst.
    pub(crate) fn join(&mut self, open: &[v1::OpenTurn]) {
        if self.running.is_none() {
            self.running = open.iter().find(|open| open.started).map(|open| open.turn.clone());
        }
    }

    /// Takes the next event; false when it was known already.
    pub(crate) fn apply(&mut self, event: v1::Event) -> bool {
        if event.seq <= self.last_seq {
            return false;
        }
        self.last_seq = event.seq;
        let at = event.at.map_or(0, |at| at.seconds);
        let turn = event.turn;
        let kind = match event.kind {
            Some(Fact::UserMessage(message)) => {
                return self.hear(turn, person(&message.parts), event.seq, at);
            }
            // As it is typed, so that it can be taken back and changed.
            Some(Fact::ProgramAsked(asked)) => {
                let text = format!("/sh {}", asked.command).into();
                return self.hear(turn, Person { text, ..Person::default() }, event.seq, at);
            }
            Some(Fact::ClearAsked(_)) => {
                let person = Person { text: "/clear".into(), ..Person::default() };
                return self.hear(turn, person, event.seq, at);
            }
            Some(Fact::Cleared(_)) => {
                Kind::Mark("cleared: the model is told nothing of what stands above".into())
            }
            Some(Fact::TurnStarted(_)) => {
                self.release(|waiting| waiting.turn == turn);
                self.running = Some(turn);
                return true;
            }
            Some(Fact::AssistantMessage(message)) => {
                self.finish_item(message, &turn, event.seq, at);
                return true;
            }
            Some(Fact::TurnEnded(ended)) => return self.end_turn(&turn, &ended, event.seq, at),
            Some(Fact::Notice(notice)) => Kind::Notice {
                warning: notice.level == v1::Level::Warning as i32,
                text: notice.text.into(),
            },
            Some(Fact::Compacted(compacted)) => Kind::Compacted(Compacted {
                before: compacted.before_tokens,
                after: compacted.after_tokens,
                summary: compacted.summary.into(),
            }),
            Some(Fact::SessionForked(_)) => Kind::Mark("forked here; above is a copy".into()),
            Some(Fact::SettingsChanged(changed)) => {
                let Some(text) = marks::settings(changed.settings) else { return true };
                Kind::Mark(text)
            }
            Some(fact) => {
                let Some(text) = self.act(fact, &turn, (event.seq, at)) else { return true };
                Kind::Mark(text)
            }
            None => return true,
        };
        self.push(kind, event.seq, at);
        true
    }

    /// The person said something; it is held back while another turn runs.
    fn hear(&mut self, turn: String, person: Person, seq: u64, at: i64) -> bool {
        if self.running.as_ref().is_some_and(|running| *running != turn) {
            self.waiting.push(Waiting { turn, person, seq, at });
        } else {
            self.push(Kind::Person(person), seq, at);
        }
        true
    }

    /// Takes what a turn does; gives what leaves a mark.
    fn act(&mut self, fact: Fact, turn: &str, place: (u64, i64)) -> Option<SafeText> {
        match fact {
            Fact::ApprovalAsked(asked) => {
                let name = (turn, asked.call.as_str(), asked.tool.as_str());
                self.tell_call(name, place, |call| call.ask(&asked));
            }
            Fact::ApprovalAnswered(answered) => self.tell_answer(&answered),
            Fact::ToolStarted(started) => {
                let name = (turn, started.call.as_str(), started.tool.as_str());
                self.tell_call(name, place, |call| call.start(&started, place.1));
            }
            Fact::ToolFinished(finished) => {
                let (id, tool) = (finished.call.clone(), finished.tool.clone());
                self.tell_call((turn, &id, &tool), place, |call| call.finish(finished));
            }
            Fact::GrantRevoked(revoked) => {
                let text = format!("not allowed any more: {}", revoked.pattern);
                return Some(SafeText::one_line(&text));
            }
            Fact::WorkspaceChanged(changed) => {
                let files = marks::files(&changed.files);
                return Some(SafeText::one_line(&format!("changed {files} · /diff · /undo")));
            }
            Fact::WorkspaceRestored(restored) => return Some(marks::restored(&restored)),
            Fact::WorktreeSet(set) => return Some(marks::worktree(set.worktree.as_ref())),
            _ => {}
        }
        None
    }

    fn finish_item(&mut self, message: v1::AssistantMessage, turn: &str, seq: u64, at: i64) {
        let growing = self.growing_index(&message.item);
        let wish = |part: &v1::Part| match &part.part {
            Some(v1::part::Part::ToolCall(call)) => Some(Call::wished(turn, call)),
            _ => None,
        };
        let calls: Vec<Call> = message.parts.iter().filter_map(wish).collect();
        let kind = Kind::Answer(Box::new(answer(message)));
        match growing {
            // It takes the place of the first one that grows, which moves up by one if it is another.
            Some(growing) => {
                let first = self.blocks.len() - self.growing();
                if let Some(mut block) = self.remove(growing) {
                    (block.kind, block.seq, block.at) = (kind, seq, at);
                    self.insert(first, block);
                }
            }
            None => self.push(kind, seq, at),
        }
        for call in calls {
            self.push(Kind::Call(Box::new(call)), seq, at);
        }
    }

    fn end_turn(&mut self, turn: &str, ended: &v1::TurnEnded, seq: u64, at: i64) -> bool {
        if self.running.as_deref() == Some(turn) {
            self.running = None;
        }
        self.release(|waiting| waiting.turn == turn);
        self.leave_calls(turn);
        for index in (self.blocks.len() - self.growing()..self.blocks.len()).rev() {
            let kind = &self.blocks[index].kind;
            if matches!(kind, Kind::Growing(growing) if growing.turn == turn) {
                self.remove(index);
            }
        }
        let ending = v1::Ending::try_from(ended.ending).unwrap_or_default();
        if ending != v1::Ending::Done {
            let failure = ended.failure.clone().unwrap_or_default();
            let (message, hint) = (failure.message.into(), failure.hint.into());
            self.push(Kind::End(End { ending, message, hint }), seq, at);
        }
        true
    }

    /// Puts waiting messages into the transcript.
    fn release(&mut self, which: impl Fn(&Waiting) -> bool) {
        let (now, later) = std::mem::take(&mut self.waiting).into_iter().partition(which);
        self.waiting = later;
        let now: Vec<Waiting> = now;
        for waiting in now {
            self.push(Kind::Person(waiting.person), waiting.seq, waiting.at);
        }
    }

    /// Takes a piece of a growing item.
    pub(crate) fn paint(&mut self, delta: v1::Delta) {
        if delta.strand == v1::Strand::Output as i32 {
            return self.print(&delta);
        }
        let index = match self.growing_index(&delta.item) {
            Some(index) => index,
            None if self.is_finished(&delta.item) || self.growing() >= MAX_GROWING => return,
            None => {
                let (item, turn) = (delta.item.clone(), delta.turn.clone());
                let growing = Growing { item, turn, ..Growing::default() };
                self.push(Kind::Growing(Box::new(growing)), 0, 0);
                self.blocks.len() - 1
            }
        };
        let Some(Kind::Growing(growing)) = self.blocks.get_mut(index).map(|block| &mut block.kind)
        else {
            return;
        };
        match v1::Strand::try_from(delta.strand).unwrap_or_default() {
            v1::Strand::Text => growing.text.push(delta.offset, &delta.text),
            v1::Strand::Reasoning => growing.reasoning.push(delta.offset, &delta.text),
            v1::Strand::Arguments => paint_call(growing, &delta),
            v1::Strand::Unspecified | v1::Strand::Output => {}
        }
    }

    fn growing_index(&self, item: &str) -> Option<usize> {
        let from = self.blocks.len() - self.growing();
        (from..self.blocks.len()).find(|index| {
            matches!(&self.blocks[*index].kind, Kind::Growing(growing) if growing.item == item)
        })
    }

    fn is_finished(&self, item: &str) -> bool {
        self.blocks
            .iter()
            .rev()
            .take(MAX_GROWING)
            .any(|block| matches!(&block.kind, Kind::Answer(answer) if answer.item == item))
    }

    /// How many blocks grow.
    fn growing(&self) -> usize {
        let last = self.blocks.iter().rev();
        last.take_while(|block| matches!(block.kind, Kind::Growing(_))).count()
    }

    /// Takes a block out; those behind it move up.
    fn remove(&mut self, index: usize) -> Option<Block> {
        let mut block = self.blocks.remove(index)?;
        self.blocks.range_mut(index..).for_each(|block| block.id -= 1);
        self.bytes -= block.bytes().min(self.bytes);
        self.laid_bytes -= block.laid.take().map_or(0, |laid| laid.bytes).min(self.laid_bytes);
        Some(block)
    }

    /// Puts a block into its place; those behind it move down.
    fn insert(&mut self, index: usize, mut block: Block) {
        self.blocks.range_mut(index..).for_each(|block| block.id += 1);
        let before = index.checked_sub(1).and_then(|before| self.blocks.get(before));
        let behind = self.blocks.get(index).map_or(0, |behind| behind.id - 1);
        block.id = before.map_or(behind, |before| before.id + 1);
        self.bytes += block.bytes();
        self.blocks.insert(index, block);
    }

    /// Takes a block out whose place is above others that are read.
    pub(super) fn take_out(&mut self, index: usize) -> Option<Kind> {
        let block = self.remove(index)?;
        self.scroll.moved_up(block.id);
        Some(block.kind)
    }

    pub(super) fn push(&mut self, kind: Kind, seq: u64, at: i64) {
        let behind = if matches!(kind, Kind::Growing(_)) { 0 } else { self.growing() };
        let index = self.blocks.len() - behind;
        self.insert(index, Block { id: 0, seq, at, kind, laid: None });
        if behind > 0 {
            self.scroll.moved_down(self.blocks[index].id);
        }
        self.scroll.count_new();
        if self.scroll.follow {
            self.trim();
        }
    }

    /// Drops the oldest blocks when there are too many; they can be read again.
    fn trim(&mut self) {
        while self.blocks.len() > MAX_BLOCKS || (self.bytes > MAX_BYTES && self.blocks.len() > 1) {
            let Some(seq) = self.blocks.front().map(|block| block.seq) else { return };
            // An answer takes its calls along: they are read again with it.
            while self.blocks.len() > 1 && self.blocks.front().is_some_and(|one| one.seq == seq) {
                let Some(block) = self.blocks.pop_front() else { return };
                self.bytes -= block.bytes().min(self.bytes);
                self.laid_bytes -= block.laid.map_or(0, |laid| laid.bytes).min(self.laid_bytes);
            }
            let next = self.blocks.iter().map(|block| block.seq).find(|seq| *seq > 0);
            self.first_seq = next.unwrap_or(self.last_seq + 1);
        }
    }

    /// Puts older events before the loaded ones.
    pub(crate) fn prepend(&mut self, events: Vec<v1::Event>) {
        let Some(first) = events.first().map(|event| event.seq) else {
            // There is nothing older after all.
            self.first_seq = 1;
            return;
        };
        let mut page = Self::new(first);
        for event in events.into_iter().filter(|event| event.seq < self.first_seq) {
            page.apply(event);
        }
        page.release(|_| true);
        self.adopt_calls(&mut page);
        let mut id = self.blocks.front().map_or(0, |front| front.id);
        for mut block in page.blocks.into_iter().rev() {
            id -= 1;
            block.id = id;
            self.bytes += block.bytes();
            self.blocks.push_front(block);
        }
        self.first_seq = first;
    }
}

fn paint_call(growing: &mut Growing, delta: &v1::Delta) {
    if let Some(wished) = growing.calls.iter_mut().find(|wished| wished.id == delta.call) {
        wished.arguments.push(delta.offset, &delta.text);
    } else if growing.calls.len() < 64 {
        let mut arguments = super::block::Strand::default();
        arguments.push(delta.offset, &delta.text);
        let (id, tool) = (delta.call.clone(), SafeText::one_line(&delta.tool));
        growing.calls.push(Wished { id, tool, arguments });
    }
}
