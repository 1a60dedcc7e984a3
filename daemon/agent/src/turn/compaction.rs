//! The part of a turn that compacts: when, by whom, and what becomes of an answer that is no summary.
//!
//! A conversation that has become too long is compacted before the next answer is asked for, and
//! then nothing may hold the answer up: what no model sums up gets the summary that Moltis makes
//! itself. A person who asks for it is told instead why it failed, and loses nothing.

use moltis_core::event::{Ending, EventKind, Level};
use moltis_core::message::Usage;
use moltis_core::models::ModelRef;
use moltis_core::provider::{Failure, FinishReason};
use moltis_core::session::Purpose;

use super::{Call, Context, Effect, State, Turn};
use crate::answer::Growing;
use crate::compact::{self, Plan};
use crate::lazy;

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
        let model = &self.candidates[self.candidate];
        let instructions = &*lazy::offered(&self.instructions, ctx.conversation);
        match self.purpose {
            Purpose::Compact => {
                compact::plan(ctx.conversation, model, instructions, budget, self.pruned)
            }
            // The others ask no model.
            Purpose::Answer | Purpose::Clear | Purpose::Run(_) => {
                compact::due(ctx.conversation, model, instructions, budget, self.pruned)
            }
        }
    }

    /// Asks the present candidate for a summary, where there is room enough to.
    pub(super) fn compact(
        &mut self,
        plan: Plan,
        budget: u64,
        mut kinds: Vec<EventKind>,
        ctx: &Context<'_>,
    ) -> Vec<Effect> {
        let model = &self.candidates[self.candidate];
        let Some(request) = plan.request(ctx.conversation, &self.session, model, budget) else {
            let summary = plan.fallback(ctx.conversation);
            let made = Made { summary, model: None, usage: Usage::default() };
            kinds.push(self.compacted_by(&plan, made, ctx));
            return self.go_on(kinds);
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
            sent: 0,
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
                self.go_on(vec![self.compacted_by(plan, made, ctx)])
            }
            None => {
                let why = format!("{model} gave no summary that can be used");
                self.fall_back(plan, used, &why, ctx)
            }
        }
    }

    /// The call for a summary failed, and no other model is left to ask.
    pub(super) fn not_summarized(
        &mut self,
        plan: &Plan,
        used: Usage,
        failure: Failure,
        ctx: &Context<'_>,
    ) -> Vec<Effect> {
        if self.purpose == Purpose::Compact {
            return self.give_up(failure, ctx);
        }
        let model = &self.candidates[self.candidate].id;
        let why = format!("{model} gave no summary ({})", failure.message);
        self.fall_back(plan, used, &why, ctx)
    }

    /// What a turn that runs out of time leaves to the next one, when it waited for a summary: that
    /// one would wait for it as long again.
    pub(super) fn late_summary(&mut self, ctx: &Context<'_>) -> Vec<EventKind> {
        let Some(mut call) = self.call.take_if(|call| call.plan.is_some()) else {
            return Vec::new();
        };
        let used = self.spend(call.growing.usage());
        match call.plan.take() {
            Some(plan) if self.purpose == Purpose::Answer => {
                let why = "the summary took too long";
                self.fallback_kinds(&plan, used, why, ctx).into()
            }
            _ => Vec::new(),
        }
    }

    fn fall_back(&mut self, plan: &Plan, used: Usage, why: &str, ctx: &Context<'_>) -> Vec<Effect> {
        let kinds = self.fallback_kinds(plan, used, why, ctx);
        self.go_on(kinds.into())
    }

    /// The summary that no model wrote, and why.
    fn fallback_kinds(
        &self,
        plan: &Plan,
        usage: Usage,
        why: &str,
        ctx: &Context<'_>,
    ) -> [EventKind; 2] {
        let text = format!("{why}; a short one was made without it");
        let notice = EventKind::Notice { item: (ctx.fresh)(), level: Level::Warning, text };
        let summary = plan.fallback(ctx.conversation);
        [notice, self.compacted_by(plan, Made { summary, model: None, usage }, ctx)]
    }

    /// A summary in the place of what is old.
    fn compacted_by(&self, plan: &Plan, made: Made, ctx: &Context<'_>) -> EventKind {
        let Made { summary, model, usage } = made;
        EventKind::Compacted {
            item: (ctx.fresh)(),
            upto: plan.upto,
            since: plan.since,
            before_tokens: plan.before_tokens,
            after_tokens: plan.after_tokens(&summary),
            summary,
            automatic: self.purpose == Purpose::Answer,
            model,
            usage,
        }
    }

    /// Keeps the summary; then the answer is asked for, or that was all.
    fn go_on(&mut self, kinds: Vec<EventKind>) -> Vec<Effect> {
        self.compacted = true;
        match self.purpose {
            Purpose::Answer => {
                self.state = State::Saving;
                vec![Effect::Append(kinds)]
            }
            Purpose::Compact | Purpose::Clear | Purpose::Run(_) => self.end_well(kinds),
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

    pub(super) fn end_well(&mut self, mut kinds: Vec<EventKind>) -> Vec<Effect> {
        self.state = State::Ended;
        kinds.push(EventKind::TurnEnded { ending: Ending::Done, failure: None, usage: self.usage });
        vec![Effect::Append(kinds), Effect::Finish]
    }
}
