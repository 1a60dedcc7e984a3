//! One run of the agent, from a message to its end, as a state machine.
//!
//! ```text
//! New --Begin--> Choosing --Candidates--> Saving --Committed--> Calling <--+
//!                                            ^                   |  ^  |    |other model
//!   answered, messages joined meanwhile;     |                   |  |  +----+
//!   compacted, by a call before the answer's +-------------------+  |SleepDone
//!                                             failed, nothing shown |
//!                                                        Sleeping <-+
//! any --answered, failed, Stop, TimedOut, ShutDown--> Ended
//! ```
//!
//! The contract with whoever runs it: effects are carried out in order; every `Append` is
//! answered with [`Input::Committed`] once its events are on disk *and* applied to the
//! conversation, or with [`Input::NotKept`]; nothing else is fed in between. Inputs of a call are
//! fed only for the newest `CallModel`. After `Finish` the turn takes no notice of anything.
//! Whatever is fed, at most one `TurnEnded` is ever asked for, unless the first could not be
//! kept.

mod compaction;

use std::time::Duration;

use moltis_core::error::Error;
use moltis_core::event::{Answer, Ending, EventKind, Level, TurnFailure};
use moltis_core::feed::Strand;
use moltis_core::id::{ItemId, SessionId};
use moltis_core::message::{Part, Usage, text_of};
use moltis_core::models::ModelInfo;
use moltis_core::provider::{Chunk, Failure, FailureKind, Request};

use crate::answer::{Growing, Taken, priced};
use crate::compact::Plan;
use crate::conversation::{Conversation, LEFT_OUT};
use crate::prompt::{self, Instructions};
use crate::retry::{self, Jitter, Verdict};

/// What a person is told of a turn that the end of the daemon cut off.
pub const INTERRUPTED: &str = "the daemon stopped while this was being answered";

/// How often a prompt that did not fit is halved.
const MOST_SQUEEZES: u32 = 3;

/// What a turn is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To answer what was said.
    Answer,
    /// To compact the conversation.
    Compact,
}

/// What happens to a turn.
#[derive(Debug)]
pub enum Input {
    /// It is its turn.
    Begin,
    /// The models to ask, in order; the conversation is there too.
    Candidates(Result<Vec<ModelInfo>, Error>),
    /// A piece of the answer.
    Chunk(Chunk),
    /// The stream closed, or broke off.
    StreamEnded(Result<(), Failure>),
    /// The call failed before the first byte.
    CallFailed(Failure),
    /// The wait is over.
    SleepDone,
    /// What was to be appended is on disk and in the conversation.
    Committed,
    /// What was to be appended could not be kept: these kinds, for this reason.
    NotKept(Vec<EventKind>, String),
    /// A person wants it to end.
    Stop,
    /// It took longer than this, which is as long as it may.
    TimedOut(Duration),
    /// The daemon is stopping.
    ShutDown,
}

/// What a turn wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Find out which models to ask, and bring the conversation.
    Choose,
    /// Ask a model.
    CallModel {
        /// Which of the candidates.
        candidate: usize,
        /// What.
        request: Box<Request>,
    },
    /// Wait, then [`Input::SleepDone`].
    Sleep(Duration),
    /// Append events of this turn, all in one.
    Append(Vec<EventKind>),
    /// Show more of a growing item.
    Paint {
        /// The item.
        item: ItemId,
        /// Its strand.
        strand: Strand,
        /// What is added to it.
        text: String,
    },
    /// Show what is going on; empty is nothing.
    Progress(String),
    /// Tell how asking a model went.
    Report {
        /// Which of the candidates.
        candidate: usize,
        /// `None` is well.
        failure: Option<FailureKind>,
    },
    /// The turn is over: drop what it still has running.
    Finish,
}

/// What a turn may look at while it takes an input.
pub struct Context<'a> {
    /// Now, since any fixed moment.
    pub at: Duration,
    /// All that was said, this turn's messages included.
    pub conversation: &'a Conversation,
    /// Names new items.
    pub fresh: &'a dyn Fn() -> ItemId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Choosing,
    Calling,
    Sleeping,
    Saving,
    Ended,
}

/// A call of a model that is being made: its item, and what there is of the answer.
#[derive(Debug)]
struct Call {
    item: ItemId,
    began: Duration,
    growing: Growing,
    shown: bool,
    /// Estimated tokens of the prompt.
    tokens: u64,
    shrinks: bool,
    /// It asks for a summary, which is not shown as it comes.
    plan: Option<Plan>,
}

/// One run of the agent.
#[derive(Debug)]
pub struct Turn {
    session: SessionId,
    instructions: Instructions,
    purpose: Purpose,
    /// The prompt is as compact as it gets.
    compacted: bool,
    candidates: Vec<ModelInfo>,
    state: State,
    started: bool,
    candidate: usize,
    attempts: u32,
    squeezes: u32,
    /// Tokens that the prompt may have, where a vendor said that the estimate is too high.
    squeezed: Option<u64>,
    call: Option<Call>,
    progress: bool,
    usage: Usage,
    jitter: Jitter,
}

impl Turn {
    /// A turn that has not begun. The same seed gives the same waits.
    pub fn new(
        session: SessionId,
        instructions: Instructions,
        purpose: Purpose,
        seed: u64,
    ) -> Self {
        Self {
            session,
            instructions,
            purpose,
            compacted: false,
            candidates: Vec::new(),
            state: State::New,
            started: false,
            candidate: 0,
            attempts: 0,
            squeezes: 0,
            squeezed: None,
            call: None,
            progress: false,
            usage: Usage::default(),
            jitter: Jitter::new(seed),
        }
    }

    /// Whether it has asked for its end.
    pub fn is_over(&self) -> bool {
        self.state == State::Ended
    }

    /// Bytes of the unfinished item.
    pub fn unfinished_bytes(&self) -> usize {
        let shown = self.call.as_ref().filter(|call| call.plan.is_none());
        shown.map_or(0, |call| call.growing.bytes())
    }

    /// The unfinished item, its model and what there is of it, for a draft; `None` while there is
    /// nothing worth keeping.
    pub fn unfinished(&self) -> Option<(ItemId, &ModelInfo, Vec<Part>)> {
        let call = self.call.as_ref().filter(|call| call.shown)?;
        let parts = call.growing.parts();
        let model = self.candidates.get(self.candidate)?;
        (!parts.is_empty()).then(|| (call.item.clone(), model, parts))
    }

    /// Takes an input and says what is to be done about it, in order.
    pub fn on(&mut self, input: Input, ctx: &Context<'_>) -> Vec<Effect> {
        match (self.state, input) {
            (State::Calling, Input::Chunk(chunk)) => self.chunk(chunk, ctx),
            (State::Calling, Input::StreamEnded(end)) => self.stream_ended(end, ctx),
            (State::Calling, Input::CallFailed(failure)) => self.failed(failure, ctx),
            (State::Sleeping, Input::SleepDone) => self.ask(ctx),
            (State::New, Input::Begin) => {
                self.state = State::Choosing;
                vec![Effect::Choose]
            }
            (State::Choosing, Input::Candidates(candidates)) => self.start(candidates, ctx),
            (State::Saving, Input::Committed) => {
                self.attempts = 0;
                self.ask(ctx)
            }
            (State::Ended, Input::NotKept(kinds, reason)) => self.not_kept(kinds, &reason, ctx),
            (State::Ended, _) => Vec::new(),
            (_, Input::NotKept(kinds, reason)) => self.not_kept(kinds, &reason, ctx),
            (_, Input::Stop) => self.end(Ending::Cancelled, None, ctx),
            // A turn that had not started stays queued and runs when the daemon is back.
            (_, Input::ShutDown) if !self.started => {
                self.state = State::Ended;
                vec![Effect::Finish]
            }
            (_, Input::ShutDown) => self.end(Ending::Interrupted, None, ctx),
            (_, Input::TimedOut(limit)) => {
                let failure = TurnFailure {
                    kind: None,
                    message: format!("the turn took longer than {} s", limit.as_secs()),
                    hint: Some("a longer limit can be set: moltis config edit".to_owned()),
                };
                let late = self.late_summary(ctx);
                self.end_after(late, Ending::Failed, Some(failure), ctx)
            }
            _ => Vec::new(),
        }
    }

    fn start(
        &mut self,
        candidates: Result<Vec<ModelInfo>, Error>,
        ctx: &Context<'_>,
    ) -> Vec<Effect> {
        let error = match candidates {
            Ok(candidates) => match candidates.first() {
                Some(first) => {
                    let model = first.id.clone();
                    self.candidates = candidates;
                    self.started = true;
                    self.state = State::Saving;
                    // No model is asked before the start is on disk: a crash in between would
                    // ask, and pay, twice.
                    return vec![Effect::Append(vec![EventKind::TurnStarted { model }])];
                }
                None => None,
            },
            Err(error) => Some(error),
        };
        let failure = TurnFailure {
            kind: None,
            message: error
                .as_ref()
                .map_or_else(|| "there is no model to ask".to_owned(), |e| e.message.clone()),
            hint: error.map_or_else(|| Some("moltis doctor".to_owned()), |error| error.hint),
        };
        self.end(Ending::Failed, Some(failure), ctx)
    }

    fn ask(&mut self, ctx: &Context<'_>) -> Vec<Effect> {
        self.ask_and_append(Vec::new(), ctx)
    }

    /// Calls the present candidate. The kinds are appended with what the call gives to say.
    fn ask_and_append(&mut self, mut kinds: Vec<EventKind>, ctx: &Context<'_>) -> Vec<Effect> {
        let model = &self.candidates[self.candidate];
        let room = prompt::budget(model, &self.instructions);
        let budget = self.squeezed.map_or(room, |squeezed| squeezed.min(room));
        if let Some(plan) = self.planned(budget, ctx) {
            return self.compact(plan, budget, kinds, ctx);
        }
        if self.purpose == Purpose::Compact {
            return self.nothing_to_compact(kinds, ctx);
        }
        let assembled =
            prompt::assemble(ctx.conversation, &self.session, model, &self.instructions, budget);
        if assembled.left_out {
            let text = format!("{LEFT_OUT} {} and are left out of what it is told", model.id);
            if !ctx.conversation.was_told(&text) {
                let item = (ctx.fresh)();
                kinds.push(EventKind::Notice { item, level: Level::Info, text });
            }
        }
        self.attempts += 1;
        self.state = State::Calling;
        self.call = Some(Call {
            item: (ctx.fresh)(),
            began: ctx.at,
            growing: Growing::default(),
            shown: false,
            tokens: assembled.tokens,
            shrinks: assembled.shrinks,
            plan: None,
        });
        let request = Box::new(assembled.request);
        let mut effects = vec![Effect::CallModel { candidate: self.candidate, request }];
        if std::mem::take(&mut self.progress) {
            effects.push(Effect::Progress(String::new()));
        }
        if !kinds.is_empty() {
            effects.push(Effect::Append(kinds));
        }
        effects
    }

    fn chunk(&mut self, chunk: Chunk, ctx: &Context<'_>) -> Vec<Effect> {
        let Some(call) = &mut self.call else { return Vec::new() };
        match call.growing.take(chunk, ctx.at.saturating_sub(call.began)) {
            Taken::Silent => Vec::new(),
            Taken::Painted(..) if call.plan.is_some() => Vec::new(),
            Taken::Painted(strand, text) => {
                call.shown = true;
                let paint = Effect::Paint { item: call.item.clone(), strand, text };
                vec![paint]
            }
            Taken::Refused(why) => self.failed(Failure::new(FailureKind::Malformed, why), ctx),
        }
    }

    fn stream_ended(&mut self, end: Result<(), Failure>, ctx: &Context<'_>) -> Vec<Effect> {
        let finished = self.call.as_ref().is_some_and(|call| call.growing.finish().is_some());
        match end {
            // An answer that said its last word is whole, whatever its connection does then.
            _ if finished => self.answered(ctx),
            Ok(()) => {
                let message = "the stream ended without its terminator";
                self.failed(Failure::new(FailureKind::Malformed, message), ctx)
            }
            Err(failure) => self.failed(failure, ctx),
        }
    }

    fn answered(&mut self, ctx: &Context<'_>) -> Vec<Effect> {
        let report = Effect::Report { candidate: self.candidate, failure: None };
        let Some(mut call) = self.call.take() else { return Vec::new() };
        if let Some(plan) = call.plan.take() {
            return [report].into_iter().chain(self.summarized(&plan, &call, ctx)).collect();
        }
        let says_something = !text_of(&call.growing.parts()).trim().is_empty();
        let calls: Vec<String> =
            call.growing.called().into_iter().map(|name| format!("`{name}`")).collect();
        let mut kinds = vec![self.message(call, ctx)];
        let mut failure = None;
        if !calls.is_empty() {
            let text = format!("the model called {}, but it has no tools", calls.join(", "));
            if !says_something {
                failure = Some(TurnFailure { kind: None, message: text.clone(), hint: None });
            }
            kinds.push(EventKind::Notice { item: (ctx.fresh)(), level: Level::Warning, text });
        }
        if failure.is_none() && ctx.conversation.has_joined() {
            self.compacted = false;
            self.state = State::Saving;
            return vec![report, Effect::Append(kinds)];
        }
        let ending = if failure.is_some() { Ending::Failed } else { Ending::Done };
        kinds.push(EventKind::TurnEnded { ending, failure, usage: self.usage });
        self.state = State::Ended;
        vec![report, Effect::Append(kinds), Effect::Finish]
    }

    fn failed(&mut self, failure: Failure, ctx: &Context<'_>) -> Vec<Effect> {
        let mut effects =
            vec![Effect::Report { candidate: self.candidate, failure: Some(failure.kind) }];
        let Some(mut call) = self.call.take_if(|call| !call.shown) else {
            effects.extend(self.give_up(failure, ctx));
            return effects;
        };
        // Nothing of it will be an answer, but it may have cost something.
        let used = self.spend(call.growing.usage());
        let plan = call.plan.take();
        if failure.kind == FailureKind::ContextOverflow && self.squeeze(&call) {
            effects.extend(self.ask(ctx));
            return effects;
        }
        let others = match self.candidates.get(self.candidate..) {
            Some([present, next, ..]) => retry::may_mend(failure.kind, present, next),
            _ => false,
        };
        match retry::judge(&failure, self.attempts, others, self.jitter.draw()) {
            Verdict::Retry(wait) => {
                self.state = State::Sleeping;
                self.progress = true;
                let seconds = wait.as_millis().div_ceil(1_000);
                let text = format!("retrying in {seconds} s: {}", failure.message);
                effects.extend([Effect::Progress(text), Effect::Sleep(wait)]);
            }
            Verdict::FailOver => {
                let from = self.candidates[self.candidate].id.clone();
                self.candidate += 1;
                self.attempts = 0;
                self.squeezed = None;
                self.compacted = false;
                let to = &self.candidates[self.candidate].id;
                let text = format!("{from} failed ({}); asking {to}", failure.message);
                let item = (ctx.fresh)();
                let notice = EventKind::Notice { item, level: Level::Warning, text };
                effects.extend(self.ask_and_append(vec![notice], ctx));
            }
            Verdict::GiveUp => match plan {
                Some(plan) => effects.extend(self.not_summarized(&plan, used, failure, ctx)),
                None => effects.extend(self.give_up(failure, ctx)),
            },
        }
        effects
    }

    /// Makes the prompt's budget half of what did not fit; says whether that may help.
    fn squeeze(&mut self, call: &Call) -> bool {
        if !call.shrinks || self.squeezes >= MOST_SQUEEZES {
            return false;
        }
        self.squeezes += 1;
        self.attempts = 0;
        self.compacted = false;
        self.squeezed = Some(call.tokens / 2);
        true
    }

    fn give_up(&mut self, failure: Failure, ctx: &Context<'_>) -> Vec<Effect> {
        let provider = self.candidates[self.candidate].id.provider.clone();
        let hint = hint(failure.kind, &provider);
        let failure = TurnFailure { kind: Some(failure.kind), message: failure.message, hint };
        self.end(Ending::Failed, Some(failure), ctx)
    }

    /// Ends the turn with what there is of the answer.
    fn end(
        &mut self,
        ending: Ending,
        failure: Option<TurnFailure>,
        ctx: &Context<'_>,
    ) -> Vec<Effect> {
        self.end_after(Vec::new(), ending, failure, ctx)
    }

    fn end_after(
        &mut self,
        mut kinds: Vec<EventKind>,
        ending: Ending,
        failure: Option<TurnFailure>,
        ctx: &Context<'_>,
    ) -> Vec<Effect> {
        self.state = State::Ended;
        match self.call.take() {
            Some(call) if call.plan.is_some() || call.growing.parts().is_empty() => {
                self.spend(call.growing.usage());
            }
            Some(call) => kinds.push(self.message(call, ctx)),
            None => {}
        }
        if ending == Ending::Interrupted {
            let (item, text) = ((ctx.fresh)(), INTERRUPTED.to_owned());
            kinds.push(EventKind::Notice { item, level: Level::Warning, text });
        }
        kinds.push(EventKind::TurnEnded { ending, failure, usage: self.usage });
        vec![Effect::Append(kinds), Effect::Finish]
    }

    /// What could not be kept is asked for once more, now together with the turn's end: a turn
    /// does not go on over a store that fails.
    fn not_kept(
        &mut self,
        mut kinds: Vec<EventKind>,
        reason: &str,
        ctx: &Context<'_>,
    ) -> Vec<Effect> {
        if kinds.iter().any(|kind| matches!(kind, EventKind::TurnEnded { .. })) {
            return vec![Effect::Append(kinds), Effect::Finish];
        }
        let paid = |kind: &EventKind| {
            matches!(kind, EventKind::AssistantMessage { .. } | EventKind::Compacted { .. })
        };
        kinds.retain(paid);
        let failure = TurnFailure {
            kind: None,
            message: format!("the store failed: {reason}"),
            hint: Some("moltis doctor".to_owned()),
        };
        for effect in self.end(Ending::Failed, Some(failure), ctx) {
            if let Effect::Append(more) = effect {
                kinds.extend(more);
            }
        }
        vec![Effect::Append(kinds), Effect::Finish]
    }

    /// Adds what a call of the present candidate used to what the turn did; gives it priced.
    fn spend(&mut self, usage: Usage) -> Usage {
        let usage = priced(&self.candidates[self.candidate], usage);
        self.usage = self.usage.plus(usage);
        usage
    }

    /// The event of an answer, whole or not.
    fn message(&mut self, call: Call, ctx: &Context<'_>) -> EventKind {
        let usage = self.spend(call.growing.usage());
        let model = &self.candidates[self.candidate];
        let finish = call.growing.finish();
        let answer = Answer {
            model: model.id.clone(),
            usage,
            finish,
            first_token: call.growing.first_token(),
            took: ctx.at.saturating_sub(call.began),
        };
        let parts = call.growing.parts();
        EventKind::AssistantMessage { item: call.item, parts, answer, partial: finish.is_none() }
    }
}

/// What may mend a failure.
fn hint(kind: FailureKind, provider: &str) -> Option<String> {
    match kind {
        FailureKind::Auth => Some(format!("moltis providers login {provider}")),
        FailureKind::Billing | FailureKind::RateLimit | FailureKind::Overload => {
            Some("choose another model: moltis models list".to_owned())
        }
        FailureKind::ContextOverflow => Some("begin a new session: moltis send --new".to_owned()),
        FailureKind::Transport => Some("moltis doctor".to_owned()),
        FailureKind::BadRequest | FailureKind::Malformed => None,
    }
}

#[cfg(test)]
#[path = "compaction_tests.rs"]
mod compaction_tests;
#[cfg(test)]
#[path = "turn_tests.rs"]
mod tests;
