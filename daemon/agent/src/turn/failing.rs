//! The part of a turn that deals with a model that fails: again, with less, by another model, or not.
//!
//! Not here: what a failure is worth; that is [`crate::retry`]'s. The invariant: a call of which
//! something was shown is never made again.

use moltis_core::event::{Ending, EventKind, Level, TurnFailure};
use moltis_core::provider::{Failure, FailureKind};

use super::{Call, Context, Effect, MOST_SQUEEZES, State, Turn};
use crate::retry::{self, Verdict};

impl Turn {
    pub(super) fn failed(&mut self, failure: Failure, ctx: &Context<'_>) -> Vec<Effect> {
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

    pub(super) fn give_up(&mut self, failure: Failure, ctx: &Context<'_>) -> Vec<Effect> {
        let provider = self.candidates[self.candidate].id.provider.clone();
        let hint = hint(failure.kind, &provider);
        let kind = Some(failure.kind).filter(|kind| *kind != FailureKind::Denied);
        let failure = TurnFailure { kind, message: failure.message, hint };
        self.end(Ending::Failed, Some(failure), ctx)
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
        FailureKind::Denied => Some("moltis hooks list".to_owned()),
        FailureKind::BadRequest | FailureKind::Malformed => None,
    }
}
