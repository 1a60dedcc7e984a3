//! The part of a turn that compacts: when, by whom, and what becomes of an answer that is no summary.
//!
//! A conversation that has become too long is compacted before the next answer is asked for, and
//! then nothing may hold the answer up: what no model sums up gets the summary that Moltis makes
//! itself. A person who asks for it is told instead why it failed, and loses nothing.

use moltis_core::event::{Ending, EventKind, Level};
use moltis_core::message::Usage;
use moltis_core::models::ModelRef;
use moltis_core::provider::{Failure, FinishReason};

use super::{Call, Context, Effect, Purpose, State, Turn};
use crate::answer::Growing;
use crate::compact::{self, Plan};
use crate::retry::{self, Verdict};

/// A summary, and how it came to be.
struct Made {
    summary: String,
    /// `None` where no model wrote it.
    model: Option<ModelRef>,
    usage: Usage,
}

impl Turn {
    /// What is to be compacted before the next call, if anything.
    pub(super) fn planned(&self, budget: u64, ctx: &Context<'_>) -> Option<Plan> {
        if self.compacted {
            return None;
        }
        let (model, instructions) = (&self.candidates[self.candidate], &self.instructions);
        match self.purpose {
            Purpose::Compact => compact::plan(ctx.conversation, model, instructions, budget),
            Purpose::Answer => compact::due(ctx.conversation, model, instructions, budget),
        }
    }

    /// Asks the present candidate for a summary, where there is room enough to.
    pub(super) fn compact(
        &mut self,
        plan: Plan,
        budget: u64,
        kinds: Vec<EventKind>,
        ctx: &Context<'_>,
    ) -> Vec<Effect> {
        let model = &self.candidates[self.candidate];
        let Some(request) = plan.request(ctx.conversation, &self.session, model, budget) else {
            let summary = plan.fallback(ctx.conversation);
            let made = Made { summary, model: None, usage: Usage::default() };
            return self.take_summary(&plan, made, kinds, ctx);
        };
        self.attempts += 1;
        self.state = State::Calling;
        self.progress = true;
        let progress = Effect::Progress(plan.progress());
        self.call = Some(Call {
            item: (ctx.fresh)(),
            began: ctx.at,
            growing: Growing::default(),
            shown: false,
            tokens: 0,
            shrinks: false,
            plan: Some(plan),
        });
        let (candidate, request) = (self.candidate, Box::new(request));
        let mut effects = vec![Effect::CallModel { candidate, request }, progress];
        if !kinds.is_empty() {
            effects.push(Effect::Append(kinds));
        }
        effects
    }

    /// The call for a summary ended properly, with whatever.
    pub(super) fn summarized(
        &mut self,
        plan: &Plan,
        call: &Call,
        ctx: &Context<'_>,
    ) -> Vec<Effect> {
        let used = self.spend(call.growing.usage());
        let whole = call.growing.finish() == Some(FinishReason::Stop);
        let model = self.candidates[self.candidate].id.clone();
        match plan.accept(&call.growing.parts()).filter(|_| whole) {
            Some(summary) => {
                let made = Made { summary, model: Some(model), usage: used };
                self.take_summary(plan, made, Vec::new(), ctx)
            }
            None => {
                let why = format!("{model} gave no summary that can be used");
                self.fall_back(plan, used, &why, ctx)
            }
        }
    }

    /// The call for a summary failed.
    pub(super) fn not_summarized(
        &mut self,
        plan: &Plan,
        used: Usage,
        failure: Failure,
        ctx: &Context<'_>,
    ) -> Vec<Effect> {
        if let Verdict::Retry(wait) =
            retry::judge(&failure, self.attempts, false, self.jitter.draw())
        {
            return self.wait(wait, &failure).into();
        }
        if self.purpose == Purpose::Compact {
            return self.give_up(failure, ctx);
        }
        let model = &self.candidates[self.candidate].id;
        let why = format!("{model} gave no summary ({})", failure.message);
        self.fall_back(plan, used, &why, ctx)
    }

    fn fall_back(&mut self, plan: &Plan, used: Usage, why: &str, ctx: &Context<'_>) -> Vec<Effect> {
        let text = format!("{why}; a short one was made without it");
        let notice = EventKind::Notice { item: (ctx.fresh)(), level: Level::Warning, text };
        let made = Made { summary: plan.fallback(ctx.conversation), model: None, usage: used };
        self.take_summary(plan, made, vec![notice], ctx)
    }

    /// Puts a summary in the place of what is old, and goes on.
    fn take_summary(
        &mut self,
        plan: &Plan,
        made: Made,
        mut kinds: Vec<EventKind>,
        ctx: &Context<'_>,
    ) -> Vec<Effect> {
        let Made { summary, model, usage } = made;
        self.compacted = true;
        kinds.push(EventKind::Compacted {
            item: (ctx.fresh)(),
            upto: plan.upto,
            since: plan.since,
            before_tokens: plan.before_tokens,
            after_tokens: plan.after_tokens(&summary),
            summary,
            automatic: self.purpose == Purpose::Answer,
            model,
            usage,
        });
        match self.purpose {
            Purpose::Answer => {
                self.state = State::Saving;
                vec![Effect::Append(kinds)]
            }
            Purpose::Compact => self.end_well(kinds),
        }
    }

    /// Ends a turn that was to compact a conversation that meanwhile has nothing to give.
    pub(super) fn nothing_to_compact(
        &mut self,
        mut kinds: Vec<EventKind>,
        ctx: &Context<'_>,
    ) -> Vec<Effect> {
        let text = "there is nothing to compact".to_owned();
        kinds.push(EventKind::Notice { item: (ctx.fresh)(), level: Level::Info, text });
        self.end_well(kinds)
    }

    fn end_well(&mut self, mut kinds: Vec<EventKind>) -> Vec<Effect> {
        self.state = State::Ended;
        kinds.push(EventKind::TurnEnded { ending: Ending::Done, failure: None, usage: self.usage });
        vec![Effect::Append(kinds), Effect::Finish]
    }
}
