//! Where every dialect's reader puts what it read, so that the promises of [`Chunk`] are kept in
//! one place: call indexes are dense, a call is open before its arguments and closed before the
//! end, `Finished` is said once and last.

use std::collections::VecDeque;

use moltis_core::id::CallId;
use moltis_core::message::Usage;
use moltis_core::models::Price;
use moltis_core::provider::{Chunk, Failure, FailureKind, FinishReason};

/// Chunks that are read and not yet handed on.
#[derive(Debug, Default)]
pub(crate) struct Output {
    ready: VecDeque<Chunk>,
    calls: Vec<Slot>,
    price: Option<Price>,
    finished: bool,
}

/// A call that was started.
#[derive(Debug)]
struct Slot {
    is_open: bool,
    has_arguments: bool,
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
    ///
    /// # Errors
    /// A call without a name or an id is none.
    pub(crate) fn start_call(&mut self, id: &str, name: &str) -> Result<u32, Failure> {
        if id.is_empty() || name.is_empty() {
            let message = "the answer has a call without a name";
            return Err(Failure::new(FailureKind::Malformed, message));
        }
        let index = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        self.calls.push(Slot { is_open: true, has_arguments: false });
        self.put(Chunk::ToolCallStarted { index, id: CallId::new(id), name: name.to_owned() });
        Ok(index)
    }

    pub(crate) fn arguments(&mut self, index: u32, fragment: String) {
        if let Some(slot) = self.open(index).filter(|_| !fragment.is_empty()) {
            slot.has_arguments = true;
            self.put(Chunk::ToolCallArguments { index, fragment });
        }
    }

    /// Closes a call. No arguments at all are an empty object: some vendors send nothing then.
    pub(crate) fn end_call(&mut self, index: u32) {
        let Some(slot) = self.open(index) else { return };
        slot.is_open = false;
        if !std::mem::replace(&mut slot.has_arguments, true) {
            self.put(Chunk::ToolCallArguments { index, fragment: "{}".to_owned() });
        }
        self.put(Chunk::ToolCallEnded { index });
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

    fn open(&mut self, index: u32) -> Option<&mut Slot> {
        let slot = self.calls.get_mut(usize::try_from(index).ok()?)?;
        if slot.is_open { Some(slot) } else { None }
    }
}
