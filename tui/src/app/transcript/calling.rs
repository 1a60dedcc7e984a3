//! From events to calls of tools.
//!
//! An answer's calls stand below it in the order in which it makes them, whatever order they end in.
//! A call whose answer is not loaded has a block of its own until that is read; then the two become
//! one.

use moltis_proto::v1;

use super::block::{Block, Kind};
use super::call::{Call, Stage};
use super::fold::Transcript;
use crate::widget::SafeText;

/// How many blocks back a call is looked for.
const LOOK_BACK: usize = 2_048;

fn call_of(block: &Block) -> Option<&Call> {
    match &block.kind {
        Kind::Call(call) => Some(call),
        _ => None,
    }
}

impl Transcript {
    /// The calls of the running turn, newest first.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.blocks.iter().rev().take(LOOK_BACK).filter_map(call_of)
    }

    /// Whether a tool is at work.
    pub(crate) fn is_calling(&self) -> bool {
        let running = self.running();
        self.calls().any(|call| {
            matches!(call.stage, Stage::Running(_)) && running == Some(call.turn.as_str())
        })
    }

    /// Whether an answer is coming in.
    pub(crate) fn is_growing(&self) -> bool {
        matches!(self.blocks.back(), Some(Block { kind: Kind::Growing(_), .. }))
    }

    /// Takes the event of a call.
    pub(super) fn tell_call(
        &mut self,
        (turn, id, tool): (&str, &str, &str),
        (seq, at): (u64, i64),
        tell: impl FnOnce(&mut Call),
    ) {
        let mine = |call: &Call| call.turn == turn && call.id == id && !call.stage.is_over();
        if let Some(index) = self.find_call(mine) {
            return self.change_call(index, tell);
        }
        let mut call = Call::unknown(turn, id, tool);
        tell(&mut call);
        self.push(Kind::Call(Box::new(call)), seq, at);
    }

    /// A question about a call was answered.
    pub(super) fn tell_answer(&mut self, answered: &v1::ApprovalAnswered) {
        if let Some(index) = self.find_call(|call| call.approval == answered.approval) {
            self.change_call(index, |call| call.answer(answered));
        }
    }

    /// What is known of the agent that a call began.
    pub(crate) fn tell_agent(&mut self, turn: &str, id: &str, words: &SafeText) {
        let mine = |call: &Call| call.turn == turn && call.id == id && call.agent != *words;
        if let Some(index) = self.find_call(mine) {
            self.change_call(index, |call| call.agent = words.clone());
        }
    }

    /// Takes a piece of what a running tool prints.
    pub(super) fn print(&mut self, delta: &v1::Delta) {
        let mine = |call: &Call| call.item == delta.item && matches!(call.stage, Stage::Running(_));
        if let Some(index) = self.find_call(mine) {
            self.change_call(index, |call| call.print(delta.offset, &delta.text));
        }
    }

    /// What a turn did not make it will not make any more.
    pub(super) fn leave_calls(&mut self, turn: &str) {
        while let Some(index) = self.find_call(|call| call.turn == turn && !call.stage.is_over()) {
            self.change_call(index, leave);
        }
    }

    /// Brings calls together with their answers, which were read just now, into this page.
    pub(super) fn adopt_calls(&mut self, page: &mut Self) {
        for index in 0..page.blocks.len() {
            let Some(call) = call_of(&page.blocks[index]) else { continue };
            if call.stage.is_over() {
                continue;
            }
            let same =
                |orphan: &Call| orphan.orphan && orphan.turn == call.turn && orphan.id == call.id;
            let found =
                self.blocks.iter().take(LOOK_BACK).position(|b| call_of(b).is_some_and(same));
            let over = self.running() != Some(call.turn.as_str());
            if let Some(Kind::Call(orphan)) = found.and_then(|at| self.take_out(at)) {
                page.change_call(index, |call| call.absorb(*orphan));
            } else if over {
                page.change_call(index, leave);
            }
        }
    }

    fn find_call(&self, fits: impl Fn(&Call) -> bool) -> Option<usize> {
        let from = self.blocks.len().saturating_sub(LOOK_BACK);
        let found = self.blocks.range(from..).rposition(|block| call_of(block).is_some_and(&fits));
        found.map(|at| from + at)
    }

    fn change_call(&mut self, index: usize, change: impl FnOnce(&mut Call)) {
        let Some(block) = self.blocks.get_mut(index) else { return };
        let before = block.bytes();
        let Kind::Call(call) = &mut block.kind else { return };
        change(call);
        call.revision += 1;
        self.bytes = (self.bytes + block.bytes()).saturating_sub(before);
    }
}

fn leave(call: &mut Call) {
    call.stage = Stage::Left;
    call.output = super::block::Strand::default();
}
