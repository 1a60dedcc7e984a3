//! One run of the agent, from a message to its end, as a state machine.
//!
//! ```text
//! New --Begin--> Choosing --Candidates--> Saving --Committed--> Calling <--+
//!                                            ^                   |  ^  |    |other model
//!   answered, messages joined meanwhile;     |                   |  |  +----+
//!   compacted, by a call before the answer's +-------------------+  |SleepDone
//!                                             failed, nothing shown |
//!                                                        Sleeping <-+
//! Calling --answered with calls--> Saving --Committed--> Acting --all have results--> Calling
//! any --answered, failed, Stop, TimedOut, ShutDown--> Ended
//! ```
//!
//! A turn that no model is asked in (a program that the owner wants run, a clearing) goes from New to
//! Saving without choosing one; see [`asked`].
//!
//! The contract with whoever runs it: effects are carried out in order; every `Append` is
//! answered with [`Input::Committed`] once its events are on disk *and* applied to the
//! conversation, or with [`Input::NotKept`]; nothing else is fed in between. Inputs of a call are
//! fed only for the newest `CallModel`. After `Finish` the turn takes no notice of anything.
//! Whatever is fed, at most one `TurnEnded` is ever asked for, unless the first could not be
//! kept.

mod acting;
mod answering;
mod asked;
mod compaction;
mod failing;
mod round;

pub use asked::RUNS_PROGRAMS;
pub use round::{Past, Prepared, Wish};

use std::time::Duration;

use moltis_core::Timestamp;
use moltis_core::context::SystemFragment;
use moltis_core::error::Error;
use moltis_core::event::{Ending, EventKind, Level, Origin, TurnFailure};
use moltis_core::feed::Strand;
use moltis_core::id::{ApprovalId, CallId, ItemId, SessionId};
use moltis_core::message::{Part, Usage};
use moltis_core::models::ModelInfo;
use moltis_core::policy::{Authorized, Grants, Label, Principal};
use moltis_core::provider::{Chunk, Failure, FailureKind, Request};
use moltis_core::session::Purpose;
use moltis_core::tool::{self, Outcome};

use self::round::Round;
use crate::answer::{Growing, priced};
use crate::compact::Plan;
use crate::conversation::{Conversation, LEFT_OUT};
use crate::lazy;
use crate::prompt::{self, Instructions, Offer};
use crate::retry::Jitter;
use crate::scale::Scale;
use crate::system;

/// What a person is told of a turn that the end of the daemon cut off.
pub const INTERRUPTED: &str = "the daemon stopped while this was being answered";

/// How often a prompt that did not fit is halved.
const MOST_SQUEEZES: u32 = 3;

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
    /// The call failed before the first byte; while calls of tools are prepared or made: what does
    /// so is gone, and nothing more will come of it.
    CallFailed(Failure),
    /// The calls that were to be prepared are, each or not: what is wrong is told to the model.
    Prepared(Vec<(CallId, Result<Prepared, String>)>),
    /// A running tool prints.
    Printed(CallId, String),
    /// A tool is done.
    ToolDone(CallId, Outcome),
    /// A question was answered, which is on disk: the digest of what was allowed, or why not.
    Answered(ApprovalId, Result<String, String>),
    /// The time for an answer is over.
    Expired(ApprovalId),
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
    /// What was to be asked costs more than there is left, as this says. It was not asked.
    OverBudget(TurnFailure),
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
    /// The same, of text that came from elsewhere.
    AppendFrom(Origin, Vec<EventKind>),
    /// Let hooks have their say about these calls, and plan them.
    Prepare(Vec<Wish>),
    /// Make a call.
    RunTool {
        /// The item that it is.
        item: ItemId,
        /// The call.
        call: Box<Authorized<tool::Call>>,
    },
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
    /// How far that can be trusted; what the model is told first of all counts beside it.
    pub label: Label,
    /// On whose behalf it acts.
    pub principal: Principal,
    /// What the owner allowed and forbade.
    pub grants: &'a dyn Fn() -> Grants,
    /// Takes a call of a tool from the budget; says which one does not hold it.
    pub pay: &'a dyn Fn() -> Result<(), String>,
    /// Until when a person may answer a question that is asked now.
    pub answer_by: &'a dyn Fn() -> Timestamp,
    /// Names new items.
    pub fresh: &'a dyn Fn() -> ItemId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Choosing,
    Calling,
    Acting,
    Sleeping,
    Saving,
    Ended,
}

/// What a turn that goes on after a restart had done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resumed {
    /// The calls of its last answer that have no result.
    pub wishes: Vec<Wish>,
    /// What is known of them.
    pub past: Vec<(CallId, Past)>,
    /// Rounds of calls that were over.
    pub rounds: u32,
    /// What its answers used.
    pub usage: Usage,
    /// Calls that were begun.
    pub calls: u64,
}

/// A call of a model that is being made: its item, and what there is of the answer.
#[derive(Debug)]
struct Call {
    item: ItemId,
    began: Duration,
    growing: Growing,
    shown: bool,
    /// Estimated tokens of the conversation in its prompt.
    tokens: u64,
    /// The same of all of the prompt.
    sent: u64,
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
    /// The calls of the last answer, until each has its result.
    round: Option<Round>,
    /// Rounds of calls that are over.
    rounds: u32,
    /// Calls that failed or were refused, by their hash, and how often.
    failures: Vec<(u64, u32)>,
    /// What tools were called with and gave up to this seq is told as its size only.
    pruned: u64,
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
            round: None,
            rounds: 0,
            failures: Vec::new(),
            pruned: 0,
        }
    }

    /// The same turn after a restart: its last answer's calls that have no result, what is known of
    /// them, and what the turn had done by then.
    #[must_use]
    pub fn resumed(mut self, resumed: Resumed, fresh: &dyn Fn() -> ItemId) -> Self {
        let Resumed { wishes, past, rounds, usage, .. } = resumed;
        self.round = Some(Round::new(wishes, &past, fresh));
        self.rounds = rounds;
        self.usage = usage;
        self.started = true;
        self
    }

    /// Takes what the model is told first of all beside what the turn was made with. To be called
    /// before the candidates are fed.
    pub fn learn(&mut self, more: Vec<SystemFragment>) {
        let mut all = std::mem::take(&mut self.instructions.system);
        all.extend(more);
        self.instructions.system = system::ordered(all);
    }

    /// Has the model work as a kind of agent: told this instead of what is configured to be said first
    /// of all, and with those of its tools that the kind has. To be called before the candidates are fed.
    pub fn works_as(&mut self, intro: SystemFragment, has: impl Fn(&str) -> bool) {
        self.instructions.works_as(intro, has);
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
            (State::Acting, Input::CallFailed(failure)) => self.acting_failed(failure, ctx),
            (State::Sleeping, Input::SleepDone) => self.ask(ctx),
            (State::New, Input::Begin) => self.begin(ctx),
            (State::Choosing, Input::Candidates(candidates)) => self.start(candidates, ctx),
            (State::Saving, Input::Committed) if self.round.is_some() => self.act(ctx),
            (State::Saving, Input::Committed) if self.is_program() => self.run_program(ctx),
            (State::Saving, Input::Committed) => {
                self.attempts = 0;
                self.ask(ctx)
            }
            (State::Acting, Input::Prepared(prepared)) => self.prepared(prepared, ctx),
            (State::Acting, Input::Printed(call, text)) => self.printed(&call, text),
            (State::Acting, Input::ToolDone(call, outcome)) => self.tool_done(&call, outcome, ctx),
            (State::Acting, Input::Answered(approval, answer)) => {
                self.answered_early(&approval, &answer);
                self.answered_by(&approval, answer)
            }
            (State::Choosing, Input::Answered(approval, answer)) => {
                self.answered_early(&approval, &answer);
                Vec::new()
            }
            (State::Choosing | State::Acting, Input::Expired(approval)) => self.expired(&approval),
            (State::Acting, Input::Committed) => self.acted(ctx),
            (State::Ended, Input::NotKept(kinds, reason)) => self.not_kept(kinds, &reason, ctx),
            (State::Ended, _) => Vec::new(),
            (_, Input::NotKept(kinds, reason)) => self.not_kept(kinds, &reason, ctx),
            (_, Input::Stop) => self.end(Ending::Cancelled, None, ctx),
            // A turn that had not started stays queued and runs when the daemon is back.
            // Nor does one that waits for nothing but a person end: it goes on waiting.
            (_, Input::ShutDown) if !self.started || self.waits_for_person() => {
                self.state = State::Ended;
                vec![Effect::Finish]
            }
            (_, Input::ShutDown) => self.end(Ending::Interrupted, None, ctx),
            (_, Input::OverBudget(failure)) => self.end(Ending::Failed, Some(failure), ctx),
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
                    if self.round.is_some() {
                        return self.act(ctx);
                    }
                    self.started = true;
                    self.state = State::Saving;
                    // No model is asked before the start is on disk: a crash in between would
                    // ask, and pay, twice.
                    return vec![Effect::Append(vec![EventKind::TurnStarted {
                        model: Some(model),
                    }])];
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
        let scale = ctx.conversation.scale(&model.id).unwrap_or(Scale::NONE);
        let instructions = lazy::offered(&self.instructions, ctx.conversation);
        let room = prompt::budget(model, &instructions, scale);
        let budget = self.squeezed.map_or(room, |squeezed| squeezed.min(room));
        let above = prompt::compact_above(model, &instructions, scale);
        let above = above.unwrap_or(budget).min(budget);
        let told: u64 = prompt::costs(ctx.conversation, model, self.pruned).iter().sum();
        if self.rounds > 0 && told + prompt::summary_tokens(ctx.conversation) > above {
            self.pruned = prompt::prune(ctx.conversation, model, self.pruned, above / 5 * 3);
        }
        if let Some(plan) = self.planned(budget, ctx) {
            return self.compact(plan, budget, kinds, ctx);
        }
        if self.purpose == Purpose::Compact {
            return self.nothing_to_compact(kinds, ctx);
        }
        let assembled = prompt::assemble(
            ctx.conversation,
            &self.session,
            model,
            &instructions,
            budget,
            self.pruned,
        );
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
            sent: assembled.fragments.iter().map(|one| one.tokens).sum(),
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
        kinds.extend(self.abandon(ending));
        match self.call.take() {
            Some(call) if call.plan.is_some() || call.growing.parts().is_empty() => {
                self.spend(call.growing.usage());
            }
            Some(call) => {
                let parts = call.growing.parts();
                kinds.push(self.message(call, parts, ctx));
            }
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
            matches!(
                kind,
                EventKind::AssistantMessage { .. }
                    | EventKind::Compacted { .. }
                    | EventKind::ToolFinished { .. }
            )
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

    /// How the present candidate is offered tools.
    fn offer(&self) -> Offer {
        let model = self.candidates.get(self.candidate);
        model.map_or(Offer::None, |model| prompt::offer(model, &self.instructions))
    }
}

#[cfg(test)]
#[path = "compaction_tests.rs"]
mod compaction_tests;
#[cfg(test)]
mod rig;
#[cfg(test)]
#[path = "turn_tests.rs"]
mod tests;
