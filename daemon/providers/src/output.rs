//! Where every dialect's reader puts what it read, so that the promises of [`Chunk`] are kept in
//! one place: call indexes are dense, a call is open before its arguments and closed before the
//! end, `Finished` is said once and last.

use std::collections::VecDeque;

use moltis_core::id::CallId;
use moltis_core::message::Usage;
use moltis_core::models::Price;
use moltis_core::provider::{Chunk, FinishReason};

/// Chunks that are read and not yet handed on.
#[derive(Debug, Default)]
pub(crate) struct Output {
    ready: VecDeque<Chunk>,
    /// Whether the call of that index is still open.
    calls: Vec<bool>,
    price: Option<Price>,
    finished: bool,
}

impl Output {
    /// Usage will be priced with `price`, unless the vendor says itself what it cost.
    pub(crate) fn new(price: Option<Price>) -> Self {
        Self { price, ..Self::default() }
    }

    pub(crate) fn pop(&mut self) -> Option<Chunk> {
        self.ready.pop_front()
    }

    /// Whether the answer has ended properly.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// How many calls were started.
    pub(crate) fn calls(&self) -> usize {
        self.calls.len()
    }

    pub(crate) fn text(&mut self, text: String) {
        if !text.is_empty() {
            self.put(Chunk::Text(text));
        }
    }

    pub(crate) fn reasoning(&mut self, text: String) {
        if !text.is_empty() {
            self.put(Chunk::Reasoning(text));
        }
    }

    pub(crate) fn signature(&mut self, signature: String) {
        self.put(Chunk::ReasoningSignature(signature));
    }

    /// Opens a call and gives it its index.
    pub(crate) fn start_call(&mut self, id: &str, name: &str) -> u32 {
        let index = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        self.calls.push(true);
        self.put(Chunk::ToolCallStarted { index, id: CallId::new(id), name: name.to_owned() });
        index
    }

    pub(crate) fn arguments(&mut self, index: u32, fragment: String) {
        if !fragment.is_empty() && self.is_open(index) {
            self.put(Chunk::ToolCallArguments { index, fragment });
        }
    }

    pub(crate) fn end_call(&mut self, index: u32) {
        if self.is_open(index) {
            if let Some(open) = self.slot(index) {
                *open = false;
            }
            self.put(Chunk::ToolCallEnded { index });
        }
    }

    pub(crate) fn end_calls(&mut self) {
        for index in 0..u32::try_from(self.calls.len()).unwrap_or(u32::MAX) {
            self.end_call(index);
        }
    }

    pub(crate) fn usage(&mut self, mut usage: Usage) {
        if let (0, Some(price)) = (usage.cost_microusd, &self.price) {
            usage.cost_microusd = price.cost_microusd(&usage);
        }
        self.put(Chunk::Usage(usage));
    }

    /// Ends the answer. An answer with calls that "stopped" wants them answered: some vendors
    /// say `stop` there.
    pub(crate) fn finish(&mut self, reason: FinishReason) {
        self.end_calls();
        let reason = match reason {
            FinishReason::Stop if !self.calls.is_empty() => FinishReason::ToolCalls,
            other => other,
        };
        self.put(Chunk::Finished(reason));
        self.finished = true;
    }

    fn put(&mut self, chunk: Chunk) {
        if !self.finished {
            self.ready.push_back(chunk);
        }
    }

    fn slot(&mut self, index: u32) -> Option<&mut bool> {
        self.calls.get_mut(usize::try_from(index).ok()?)
    }

    fn is_open(&mut self, index: u32) -> bool {
        self.slot(index).is_some_and(|open| *open)
    }
}
